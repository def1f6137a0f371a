//! `tesla2mqtt demo`: everything in one process, with no account and no broker: a simulated Tesla
//! cloud with living cars, the embedded broker, and the bridge between them. The clocks run fast
//! so that drives, charges and sleep follow each other within minutes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::say;
use crate::broker::{self, BrokerError, Embedded};
use crate::config::{self, Settings};
use crate::sim::CarSpec;
use crate::sim::cloud::{Account, Cloud, CloudOptions, Login};
use crate::{api, bridge, clock, durable, log, service};

/// MQTT's registered port.
const MQTT_PORT: u16 = 1883;
const ACCOUNT: &str = "demo";

/// What the demo can be told.
#[derive(Debug, Args)]
pub struct Options {
    /// How many times faster than the world the cars live, 1 to 3600
    #[arg(long, default_value_t = 10.0, value_name = "FACTOR")]
    speed: f64,
    /// Publish to this broker (mqtt://host:port) instead of one inside the demo
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// Play a recorded vehicle_data answer as one more car; may be given several times
    #[arg(long, value_name = "FILE")]
    recording: Vec<PathBuf>,
    /// How much to log: error, warn, info, debug, trace
    #[arg(long, default_value = "info", value_name = "LEVEL")]
    log: String,
}

/// Runs the demo until Ctrl-C.
pub fn main(options: Options) -> ExitCode {
    clock::run_at_speed(options.speed);
    api::tls::install_provider();
    super::on_one_thread(async {
        match run(options).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => super::failed(&error),
        }
    })
}

async fn run(options: Options) -> anyhow::Result<()> {
    // First, so that Ctrl-C already ends things properly.
    let signals = service::signals()?;
    let cloud = Cloud::start(CloudOptions::default()).await?;
    cloud.add_account(Account::new(ACCOUNT));
    cloud.add_car(ACCOUNT, CarSpec::demo_model_3());
    cloud.add_car(ACCOUNT, CarSpec::demo_model_x());
    for file in &options.recording {
        add_recording(&cloud, file)?;
    }
    let (refresh_token, _) = cloud.issue_tokens(ACCOUNT, Login::Fleet);

    let embedded = match options.broker {
        Some(_) => None,
        None => Some(start_broker().await?),
    };
    let url = match (&options.broker, &embedded) {
        (Some(url), _) => url.clone(),
        (None, Some(embedded)) => format!("mqtt://{}", embedded.addr),
        (None, None) => unreachable_broker(),
    };
    let state = std::env::temp_dir().join(format!("tesla2mqtt-demo-{}", std::process::id()));
    durable::private_directory(&state)?;
    let settings = settings(&url, &cloud.url(), &refresh_token, &state, &options.log)?;
    log::start(&settings.log);
    settings.secrets().for_each(log::hide);
    say(&introduction(&settings, &options));

    let reload: bridge::Reload = {
        let settings = settings.clone();
        Box::new(move || Ok(settings.clone()))
    };
    let outcome = bridge::run(settings, signals, reload).await;
    if let Some(embedded) = embedded {
        embedded.stop().await;
    }
    cloud.shutdown().await;
    // The demo leaves nothing behind; what cannot be removed is in the system's own folder.
    let _ = std::fs::remove_dir_all(&state);
    Ok(outcome?)
}

fn unreachable_broker() -> String {
    format!("mqtt://127.0.0.1:{MQTT_PORT}")
}

fn add_recording(cloud: &Cloud, file: &Path) -> anyhow::Result<()> {
    let name = file.display();
    let text =
        std::fs::read(file).map_err(|error| anyhow::anyhow!("--recording {name}: {error}"))?;
    let answer = serde_json::from_slice(&text).map_err(|error| {
        anyhow::anyhow!("--recording {name}: {error}; expected a vehicle_data answer in JSON")
    })?;
    cloud
        .add_recording(ACCOUNT, answer)
        .map_err(|error| anyhow::anyhow!("--recording {name}: {error}"))?;
    Ok(())
}

/// On MQTT's own port if it is free, else on any.
async fn start_broker() -> anyhow::Result<Embedded> {
    let settings = |port| config::Broker {
        enabled: true,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        username: None,
        password: None,
    };
    match broker::start(&settings(MQTT_PORT)).await {
        Err(BrokerError::PortTaken(_)) => {
            let embedded = broker::start(&settings(0)).await?;
            say(&format!(
                "port {MQTT_PORT} is taken, the demo's broker listens on {}\n",
                embedded.addr.port()
            ));
            Ok(embedded)
        }
        outcome => Ok(outcome?),
    }
}

fn settings(
    url: &str,
    cloud: &str,
    refresh_token: &str,
    state: &Path,
    level: &str,
) -> anyhow::Result<Settings> {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let text = format!(
        "[mqtt]\nurl = {url}\n\
         [polling]\npreset = \"unmetered\"\n\
         [[accounts]]\nname = \"{ACCOUNT}\"\napi = \"fleet\"\nclient_id = \"demo\"\n\
         refresh_token = {refresh_token}\napi_url = {cloud}\nauth_url = {cloud}\n\
         [state]\ndirectory = {state}\n\
         [log]\nlevel = {level}\n",
        url = quoted(url),
        refresh_token = quoted(refresh_token),
        cloud = quoted(cloud),
        state = quoted(&state.to_string_lossy()),
        level = quoted(level),
    );
    Ok(config::from_text(&text)?)
}

fn introduction(settings: &Settings, options: &Options) -> String {
    let (host, port) = (&settings.mqtt.host, settings.mqtt.port);
    let base = &settings.mqtt.base_topic;
    let n_cars = 2 + options.recording.len();
    let vin = CarSpec::demo_model_3().vin.as_str().to_owned();
    format!(
        "\
{n_cars} simulated cars, {speed} times as fast as the world. Watch them in another terminal:

  everything      mosquitto_sub -h {host} -p {port} -v -t '{base}/#'
  their days      mosquitto_sub -h {host} -p {port} -v -t '{base}/+/state' -t '{base}/+/battery_level'
  one car         mosquitto_sub -h {host} -p {port} -v -t '{base}/{vin}/#'
  Home Assistant  add the MQTT integration with broker {host}, port {port}: the cars appear by themselves

Ctrl-C ends it.

",
        speed = options.speed,
    )
}

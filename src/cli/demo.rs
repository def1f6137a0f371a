//! `tesla2mqtt demo`: everything in one process, with no account and no broker: a simulated Tesla
//! cloud with living cars, the embedded broker, and the bridge between them. The clocks run fast
//! so that drives, charges and sleep follow each other within minutes.
//!
//! On a broker that belongs to somebody the demo keeps to a base topic of its own and takes away
//! what it published. A base topic that was named may be a real bridge's: nothing is removed there.

mod shared_broker;
mod temporary_directory;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use self::temporary_directory::TemporaryDirectory;
use super::WrongUsage;
use crate::bridge::{self, Views};
use crate::broker::{self, BrokerError, Embedded};
use crate::config::{self, Settings};
use crate::model::Vin;
use crate::service::{self, ProcessSignal};
use crate::sim::CarSpec;
use crate::sim::cloud::{CallKind, Cloud, CloudOptions, Login, RequestLog, TeslaAccount};
use crate::{api, clock, log};

/// MQTT's registered port.
const MQTT_PORT: u16 = 1883;
const ACCOUNT: &str = "demo";
const BASE_TOPIC: &str = "tesla2mqtt";
/// Beside a real bridge on a real broker.
const SHARED_BROKER_BASE_TOPIC: &str = "tesla2mqtt-demo";
/// More than any speed costs in a month: the simulated cloud's bill is shown, but slows nothing.
const BUDGET_DOLLARS: u32 = 10_000;
/// The same bad luck in every demo.
const FAULTS_SEED: u64 = 40;

/// The options of `demo`.
#[derive(Debug, Args)]
pub struct DemoOptions {
    /// How many times faster than the world the cars live, 1 to 3600
    #[arg(long, default_value_t = 10.0, value_name = "FACTOR", value_parser = speed, allow_hyphen_values = true)]
    speed: f64,
    /// Publish to this broker (mqtt://host:port) instead of one inside the demo. What was
    /// published is removed at the end
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// First level of all topics [default: tesla2mqtt; with --broker tesla2mqtt-demo]. With
    /// --broker, what was published below a topic named here stays at the end
    #[arg(long, value_name = "TOPIC")]
    base_topic: Option<String>,
    /// Play a recorded vehicle_data answer as one more car; may be given several times
    #[arg(long, value_name = "FILE")]
    recording: Vec<PathBuf>,
    /// Let this share of Tesla's answers fail, 0 to 1: errors, limits, garbage, lost connections.
    /// 0.4 is a very bad day, and the bridge lives through it
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share, allow_hyphen_values = true)]
    faults: f64,
    /// Let the bridge listen to commands (see docs/integrations.md); without it, it only reads
    #[arg(long)]
    commands: bool,
    /// How much to log: error, warn, info, debug, trace
    #[arg(long, default_value = "info", value_name = "LEVEL")]
    log: String,
}

/// Runs the demo until Ctrl-C.
pub fn main(options: DemoOptions) -> ExitCode {
    let prepared = options
        .check()
        .and_then(|()| TemporaryDirectory::new_in(&std::env::temp_dir()));
    let directory = match prepared {
        Ok(directory) => directory,
        Err(error) => return super::failed(&error),
    };
    clock::run_at_speed(options.speed);
    api::tls::install_provider();
    super::on_one_thread(async {
        match run(options, directory.path(), clock::real_wall()).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => super::failed(&error),
        }
    })
}

/// The same with the bridge's state in a directory of somebody's, and with cars whose lives began
/// at a time that has passed. The clocks run already as fast as they shall.
pub async fn run(options: DemoOptions, state: &Path, since: Timestamp) -> anyhow::Result<()> {
    let lock = bridge::StateDirectoryLock::take(state)?;
    // First, so that Ctrl-C already ends things properly.
    // The demo has no configuration to read anew: a terminal that is closed ends it.
    let signals = service::signals(ProcessSignal::Stop)?;
    let cloud = Cloud::start(CloudOptions {
        now: clock::now,
        // A new cloud's tokens are not those that an earlier one handed out.
        seed: clock::now().wall.as_millisecond().unsigned_abs(),
        ..CloudOptions::default()
    })
    .await?;
    cloud.add_account(TeslaAccount::new(ACCOUNT));
    let mut vins = BTreeSet::new();
    for car in [CarSpec::demo_model_3(), CarSpec::demo_model_x()] {
        vins.insert(car.vin.clone());
        cloud.add_car_since(ACCOUNT, car, since);
    }
    let mut notes = Vec::new();
    for file in &options.recording {
        let vin = add_recording(&cloud, file)?;
        if !vins.insert(vin.clone()) {
            let (file, vin) = (file.display(), vin.as_str());
            notes.push(format!(
                "--recording {file}: takes the place of another car {vin}\n"
            ));
        }
    }
    if options.faults > 0.0 {
        cloud.be_unreliable(options.faults, FAULTS_SEED);
    }
    let (refresh_token, _) = cloud.issue_tokens(ACCOUNT, Login::Fleet);

    let (embedded, url) = if let Some(url) = &options.broker {
        (None, url.clone())
    } else {
        let embedded = start_broker().await?;
        let port = embedded.addr.port();
        if port != MQTT_PORT {
            notes.push(format!(
                "port {MQTT_PORT} is taken, the demo's broker listens on {port}\n"
            ));
        }
        let url = format!("mqtt://{}", embedded.addr);
        (Some(embedded), url)
    };
    let settings = settings(&options, &url, &cloud.url(), &refresh_token, state)?;
    let log = log::start(&settings.log);
    log::report_panics();
    settings.secrets().for_each(log::redact_secret);
    if options.broker.is_some() {
        tokio::select! {
            checked = shared_broker::check(&settings, &vins) => checked?,
            _ = signals.next() => return Ok(()),
        }
    }
    log.print(&notes.concat());
    log.print(&introduction(&settings, &options, vins.len()));

    let reload: bridge::Reload = {
        let settings = settings.clone();
        Box::new(move || Ok(settings.clone()))
    };
    let outcome = bridge::run(settings.clone(), lock, signals, reload, Views::default()).await;
    if options.removes_published() {
        shared_broker::remove_published(&settings).await;
    }
    if let Some(embedded) = embedded {
        embedded.stop().await;
    }
    log.print(&bill(&cloud.ledger()));
    cloud.shutdown().await;
    Ok(outcome?)
}

impl DemoOptions {
    /// What becomes part of the bridge's configuration.
    fn check(&self) -> anyhow::Result<()> {
        let texts = [
            ("--broker", "mqtt.url", self.broker.as_deref()),
            ("--base-topic", "mqtt.base_topic", Some(self.base_topic())),
            ("--log", "log.level", Some(self.log.as_str())),
        ];
        let mistake =
            |(option, key, text): (&str, _, Option<&str>)| config::mistake(key, text?, option);
        match texts.into_iter().find_map(mistake) {
            Some(mistake) => Err(WrongUsage(mistake).into()),
            None => Ok(()),
        }
    }

    /// How many times faster than the world the cars live.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    fn base_topic(&self) -> &str {
        let of_the_broker = if self.broker.is_some() {
            SHARED_BROKER_BASE_TOPIC
        } else {
            BASE_TOPIC
        };
        self.base_topic.as_deref().unwrap_or(of_the_broker)
    }

    /// On somebody's broker, at a place where nobody else publishes.
    fn removes_published(&self) -> bool {
        self.broker.is_some() && self.base_topic() == SHARED_BROKER_BASE_TOPIC
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (1.0..=3600.0).contains(&speed) => Ok(speed),
        _ => Err("expected a number from 1 (as fast as the world) to 3600".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 (none) to 1 (all)".to_owned()),
    }
}

/// One car has one life: another recording of it takes the place of the first.
fn add_recording(cloud: &Cloud, file: &Path) -> anyhow::Result<Vin> {
    let wrong = |why: String| WrongUsage(format!("--recording {}: {why}", file.display()));
    let content = config::read_file(file).map_err(|error| wrong(error.to_string()))?;
    let answer = serde_json::from_slice(&content.bytes)
        .map_err(|error| wrong(format!("{error}; expected a vehicle_data answer in JSON")))?;
    let added = cloud.add_recording(ACCOUNT, answer);
    Ok(added.map_err(|error| wrong(error.to_string()))?)
}

/// On MQTT's own port if it is free, else on any.
async fn start_broker() -> anyhow::Result<Embedded> {
    let settings = |port| config::BrokerSettings {
        enabled: true,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        username: None,
        password: None,
    };
    match broker::start(&settings(MQTT_PORT)).await {
        Err(BrokerError::PortTaken(_)) => Ok(broker::start(&settings(0)).await?),
        outcome => Ok(outcome?),
    }
}

fn settings(
    options: &DemoOptions,
    url: &str,
    cloud: &str,
    refresh_token: &str,
    state: &Path,
) -> anyhow::Result<Settings> {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let text = format!(
        "[mqtt]\nurl = {url}\nbase_topic = {base_topic}\n\
         [polling]\npreset = \"unmetered\"\n\
         [budget]\ndollars = {BUDGET_DOLLARS}\n\
         [tariff]\nprice = 0.32\nfast_price = 0.59\ncurrency = \"EUR\"\n\
         [[accounts]]\nname = \"{ACCOUNT}\"\napi = \"fleet\"\nclient_id = \"demo\"\n\
         refresh_token = {refresh_token}\napi_url = {cloud}\nauth_url = {cloud}\n\
         [state]\ndirectory = {state}\n\
         [commands]\nenabled = {commands}\n\
         [log]\nlevel = {level}\n",
        url = quoted(url),
        base_topic = quoted(options.base_topic()),
        refresh_token = quoted(refresh_token),
        cloud = quoted(cloud),
        state = quoted(&state.to_string_lossy()),
        commands = options.commands,
        level = quoted(&options.log),
    );
    Ok(config::from_text(&text)?)
}

/// What the simulated cloud was asked, and what Tesla would charge for it.
fn bill(ledger: &RequestLog) -> String {
    format!(
        "\nThe simulated Tesla was asked for data {} times (${:.2} at its prices), for the cars' state {} times, \
         for lists of cars {} times, for tokens {} times; wake calls: {}.\n",
        ledger.count(CallKind::Data),
        ledger.dollars(),
        ledger.count(CallKind::Light),
        ledger.count(CallKind::Products) + ledger.count(CallKind::Vehicles),
        ledger.count(CallKind::Token),
        ledger.wakes(),
    )
}

fn introduction(settings: &Settings, options: &DemoOptions, n_cars: usize) -> String {
    let (host, port) = (&settings.mqtt.host, settings.mqtt.port);
    let base = &settings.mqtt.base_topic;
    let end = if options.broker.is_none() {
        "Ctrl-C ends it.".to_owned()
    } else if options.removes_published() {
        "Ctrl-C ends it and removes what it published.".to_owned()
    } else {
        format!(
            "Ctrl-C ends it; what it published stays. `tesla2mqtt clear` removes it, with a \
             configuration that has this broker as mqtt.url and mqtt.base_topic = \"{base}\"."
        )
    };
    let vin = CarSpec::demo_model_3().vin.as_str().to_owned();
    format!(
        "\
{n_cars} simulated cars, {speed} times as fast as the world. Watch them in another terminal:

  everything      mosquitto_sub -h {host} -p {port} -v -t '{base}/#'
  their days      mosquitto_sub -h {host} -p {port} -v -t '{base}/+/state' -t '{base}/+/battery_level'
  one car         mosquitto_sub -h {host} -p {port} -v -t '{base}/{vin}/#'
  Home Assistant  add the MQTT integration with broker {host}, port {port}: the cars appear by themselves

{end}

",
        speed = options.speed,
    )
}

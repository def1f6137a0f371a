//! No secret leaves the process, however much it is told to log: whole logins of all three
//! generations, reads, an authentication error and the end, at `trace`, in both forms.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};

use serde_json::json;
use tesla2mqtt::broker;
use tesla2mqtt::config;
use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::{Aim, CallKind, Fault, Login};
use tokio::task::JoinSet;

use crate::recordings::recordings;
use crate::rig::program::Program;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World, config_for, vin};
use crate::rig::{END, SOON, eventually};

const MQTT_PASSWORD: &str = "mqtt-p\u{e4}ss+word/1";
const CLIENT_SECRET: &str = "client-secret-of-the-test";

/// One account of each generation, one car on each, and everything secret about them.
struct Household {
    world: World,
    broker: broker::Embedded,
    config: String,
}

impl Household {
    async fn with_log(log: &str) -> Self {
        let world = World::new().await;
        let broker = broker::start(&config::BrokerSettings {
            enabled: true,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            username: Some("home".to_owned()),
            password: Some(MQTT_PASSWORD.to_owned().into()),
        })
        .await
        .unwrap();
        let url = world.cloud.url();
        let mut accounts = String::new();
        for (number, (name, login)) in (1..).zip([
            ("fleet", Login::Fleet),
            ("owner", Login::Owner),
            ("old", Login::Password),
        ]) {
            world.add_awake_car_of(name, number);
            let rest = if login == Login::Password {
                format!(
                    "client_id = \"app\"\nclient_secret = \"{CLIENT_SECRET}\"\n\
                     email = \"{name}@example.com\"\npassword = \"password-of-{name}\"\n"
                )
            } else {
                let (token, _) = world.cloud.issue_tokens(name, login);
                format!("client_id = \"app\"\nrefresh_token = \"{token}\"\n")
            };
            let api = match login {
                Login::Password => "password",
                Login::Owner => "owner",
                Login::Fleet => "fleet",
            };
            let rest = if login == Login::Owner {
                rest.replace("client_id = \"app\"\n", "")
            } else {
                rest
            };
            let _ = write!(
                accounts,
                "[[accounts]]\nname = \"{name}\"\napi = \"{api}\"\n{rest}api_url = \"{url}\"\nauth_url = \"{url}\"\n"
            );
        }
        let config = config_for(broker.addr.port(), &accounts).replace(
            "[mqtt]\n",
            &format!("[log]\n{log}\n[mqtt]\nusername = \"home\"\npassword = \"{MQTT_PASSWORD}\"\n"),
        );
        Self {
            world,
            broker,
            config,
        }
    }

    fn secrets(&self) -> Vec<String> {
        let mut secrets = self.world.cloud.every_token();
        secrets.extend([
            MQTT_PASSWORD.to_owned(),
            CLIENT_SECRET.to_owned(),
            "password-of-old".to_owned(),
        ]);
        secrets
    }

    /// Starts, reads every car, loses a login, ends; returns the log and all that was published.
    async fn day(&self) -> (String, String) {
        let login = Some(("home", MQTT_PASSWORD));
        let subscriber = Subscriber::with_login(self.broker.addr.port(), "#", login);
        let mut program = Program::prepare();
        program.start(&self.config);
        for number in 1..=3 {
            let level = format!("tesla2mqtt/{}/battery_level", vin(number).as_str());
            subscriber.until(&level, SOON).await;
        }
        assert!(program.terminate(END).await.success());
        self.world.cloud.revoke("fleet");
        self.world.cloud.expire_access("owner");
        // Servers echo what they were sent; then the redactor is all that is left.
        let echo = Fault::status(
            500,
            &format!("no luck with {CLIENT_SECRET}, {MQTT_PASSWORD}"),
        );
        let lists = Aim::at(&[CallKind::Products]);
        self.world.cloud.fail_next(3, &lists, &echo);
        program.start(&self.config);
        eventually("a lost login", SOON, || {
            let error = subscriber.get("tesla2mqtt/bridge/last_error");
            error.is_some_and(|error| error.contains("sign in again"))
        })
        .await;
        eventually("a renewed login", SOON, || {
            self.world.cloud.family("owner", Login::Owner).n_refreshed >= 2
        })
        .await;
        program.signal("HUP");
        program.logs("nothing changed", SOON).await;
        assert!(program.terminate(END).await.success());
        let mut published = String::new();
        for (topic, payload, _) in subscriber.messages() {
            let _ = writeln!(published, "{topic} {payload}");
        }
        (program.log(), published)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quirk_30_no_secret_is_logged_or_published_even_at_trace() {
    let each: JoinSet<()> = ["text", "json"]
        .into_iter()
        .map(no_secret_is_logged_at_trace)
        .collect();
    each.join_all().await;
}

async fn no_secret_is_logged_at_trace(format: &'static str) {
    let home = Household::with_log(&format!("level = \"trace\"\nformat = \"{format}\"")).await;
    let (log, published) = home.day().await;
    // The log is deep enough to be a test: the libraries speak, and had secrets to tell.
    assert!(
        log.contains("[redacted]"),
        "{format}: the redactor had nothing to do"
    );
    for words in ["hyper_util::", "token host answered", "signed out"] {
        assert!(log.contains(words), "{format}: {words}");
    }
    assert!(
        log.lines().count() > 300,
        "{format}: {}",
        log.lines().count()
    );
    assert!(published.contains("battery_level"));
    let secrets = home.secrets();
    assert!(secrets.len() > 9, "{}", secrets.len());
    for secret in secrets {
        for form in forms(&secret) {
            for (place, text) in [("log", &log), ("broker", &published)] {
                let line = text.lines().find(|line| line.contains(&form));
                assert!(line.is_none(), "{format}, {place}: {line:?}");
            }
        }
    }
}

/// A secret as it is, in hexadecimal, and the signature of a JWT alone.
fn forms(secret: &str) -> Vec<String> {
    let hex = secret.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let mut forms = vec![secret.to_owned(), hex];
    // A JWT's head and claims are the same in all of them; its signature is what counts.
    if let Some((_, signature)) = secret.rsplit_once('.') {
        forms.push(signature.to_owned());
    }
    forms
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quirk_30_the_usual_levels_hold_no_whole_vin_and_no_position() {
    let each: JoinSet<()> = ["info", "debug"]
        .into_iter()
        .map(no_whole_vin_and_no_position_is_logged)
        .collect();
    each.join_all().await;
}

async fn no_whole_vin_and_no_position_is_logged(level: &'static str) {
    let home = Household::with_log(&format!("level = \"{level}\"")).await;
    let (log, published) = home.day().await;
    assert!(published.contains("\"latitude\":52.09"), "{level}");
    for position in ["52.09", "5.104"] {
        let line = log.lines().find(|line| line.contains(position));
        assert!(line.is_none(), "{level}: {line:?}");
    }
    assert!(log.contains("car state changed"), "{log}");
    for number in 1..=3 {
        let whole: Vin = vin(number);
        let line = log.lines().find(|line| line.contains(whole.as_str()));
        assert!(line.is_none(), "{level}: {line:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quirk_30_what_a_car_tells_of_its_people_is_not_logged() {
    // Where there are none, it has been said loudly.
    let Some((_, body)) = recordings("vehicle_data").pop() else {
        return;
    };
    let mut answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    let car = &mut answer["response"];
    let private = ["Phone of Ann", "12 Elm Street", "Song of Bob", "33.15231"];
    car["vehicle_state"]["media_info"] =
        json!({"a2dp_source_name": private[0], "now_playing_title": private[2]});
    car["drive_state"] = json!({"shift_state": "D", "active_route_destination": private[1],
        "active_route_miles_to_arrival": 5.5, "active_route_minutes_to_arrival": 9.5,
        "active_route_latitude": 33.152_31, "active_route_longitude": -88.1, "timestamp": 1_705_700_000_000_u64});
    let world = World::new().await;
    let added = world.cloud.add_recording(ACCOUNT, answer);
    added.expect("a recording");
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let mut program = Program::prepare();
    let config = world.fresh_fleet_config();
    program.start(&format!("[log]\nlevel = \"debug\"\n{config}"));
    let all_said = || {
        let said = subscriber.messages();
        // Whose telephone it is, nobody is told.
        private[1..]
            .iter()
            .all(|word| said.iter().any(|(_, payload, _)| payload.contains(word)))
    };
    eventually("all of it", SOON, all_said).await;
    assert!(program.terminate(END).await.success());
    let log = program.log();
    assert!(log.contains("car state changed"), "{log}");
    for word in private {
        let line = log.lines().find(|line| line.contains(word));
        assert!(line.is_none(), "{line:?}");
    }
}

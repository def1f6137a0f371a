//! The broker is away, forgets, refuses, or is somebody else: what the owner reads, and how
//! everything comes back. The cars are followed meanwhile.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tesla2mqtt::broker;
use tesla2mqtt::config;
use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::CallKind;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::rig::ports::free_port;
use crate::rig::program::Program;
use crate::rig::subscriber::{Subscriber, Topics};
use crate::rig::tls::{Ca, Identity};
use crate::rig::world::{ACCOUNT, World, broker_on, config_for, vin};
use crate::rig::{END, SOON, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_appears_later_gets_everything() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let port = free_port();
    let mut program = Program::prepare();
    program.start(&config_for(port, &world.fresh_fleet_account(ACCOUNT)));
    world.until_asked(CallKind::Data, SOON).await;
    program.logs("nothing listens", SOON).await;
    program.logs("car state changed", SOON).await;

    let _broker = broker_on(port).await;
    let subscriber = Subscriber::to(port, "#");
    eventually("the connection", SOON, || !subscriber.topics().is_empty()).await;
    let is_whole = |topics: &Topics| {
        let of_car = |key: &str| topics.contains_key(&format!("tesla2mqtt/{}/{key}", vin.as_str()));
        [
            "availability",
            "state",
            "battery_level",
            "location",
            "snapshot",
        ]
        .into_iter()
        .all(of_car)
            && topics.contains_key("tesla2mqtt/bridge/info")
            && n_discovery(topics) == 2
    };
    eventually("everything", SOON, || is_whole(&subscriber.topics())).await;
    program.logs("broker back after", SOON).await;
    quiet_log(&program, "nothing listens");
}

/// It had been taken for Home Assistant's start, and everything was published twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_birth_message_is_not_home_assistants_start() {
    const BIRTH: &str = "homeassistant/status";
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let subscriber = Subscriber::to(world.broker.addr.port(), "#");
    subscriber.publish(BIRTH, "online").await;
    subscriber.wait_for(BIRTH, "online", SOON).await;
    let mut program = Program::prepare();
    program.start(&world.config(&world.fresh_fleet_account(ACCOUNT)));
    let level = format!("tesla2mqtt/{}/battery_level", vin.as_str());
    subscriber.until(&level, SOON).await;
    let log = program.log();
    assert!(!log.contains("Home Assistant started"), "{log}");
    subscriber.send(BIRTH, "online").await;
    program.logs("Home Assistant started", SOON).await;
    assert!(program.terminate(END).await.success());
}

/// Scenario 61 of the sleep policy, and G12, on the real program.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tesla_is_asked_the_same_with_and_without_a_broker() {
    let (with, without) = (World::new().await, World::new().await);
    let nobody = free_port();
    let mut programs = Vec::new();
    for (world, port) in [(&with, with.broker.addr.port()), (&without, nobody)] {
        world.add_driven_car(1);
        let config = config_for(port, &world.fresh_fleet_account(ACCOUNT));
        let mut program = Program::prepare();
        program.start(&config.replace("[polling]\n", "[polling]\ndriving_data = \"5s\"\n"));
        programs.push(program);
    }
    let drives = |world: &World| world.n_calls(CallKind::Data, &vin(1)) >= 3;
    eventually("a drive", SOON, || drives(&with) && drives(&without)).await;
    let asked = |world: &World| {
        let mut n_data = 0;
        let ledger = world.cloud.ledger();
        let until_third = |call: &CallKind| {
            n_data += usize::from(*call == CallKind::Data);
            n_data <= 3
        };
        let calls = ledger.requests().map(|request| request.call);
        calls.take_while(until_third).collect::<Vec<_>>()
    };
    assert_eq!(asked(&with), asked(&without));
    let subscriber = Subscriber::to(with.broker.addr.port(), "tesla2mqtt/#");
    let state = format!("tesla2mqtt/{}/state", vin(1).as_str());
    assert_eq!(subscriber.until(&state, SOON).await, "driving");
    programs[1].logs("nothing listens", SOON).await;
}

fn n_discovery(topics: &Topics) -> usize {
    let ours = |topic: &&String| topic.starts_with("homeassistant/device/tesla2mqtt_");
    topics.keys().filter(ours).count()
}

/// A trouble that lasts is one line, not one per attempt.
fn quiet_log(program: &Program, words: &str) {
    let log = program.log();
    let n = log.lines().filter(|line| line.contains(words)).count();
    assert_eq!(n, 1, "{words:?}:\n{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_lost_its_memory_gets_every_topic_again() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    world.add_sleeping_car(2);
    let broker = broker_on(0).await;
    let port = broker.addr.port();
    let mut program = Program::prepare();
    program.start(&config_for(port, &world.fresh_fleet_account(ACCOUNT)));
    let before = settled(port, &vin).await;
    broker.stop().await;
    program.logs("nothing listens", SOON).await;

    let _broker = broker_on(port).await;
    let subscriber = Subscriber::to(port, "#");
    eventually("the connection", SOON, || !subscriber.topics().is_empty()).await;
    eventually("every topic", SOON, || {
        let now = subscriber.topics();
        before.keys().all(|topic| now.contains_key(topic))
    })
    .await;
    assert!(before.len() > 150, "{}", before.len());
    program.logs("broker back after", SOON).await;
}

/// Every topic, once the car's data and three discovery messages are there and nothing new has
/// come for a while.
async fn settled(port: u16, vin: &Vin) -> Topics {
    let subscriber = Subscriber::to(port, "#");
    let level = format!("tesla2mqtt/{}/battery_level", vin.as_str());
    subscriber.until(&level, SOON).await;
    eventually("discovery", SOON, || n_discovery(&subscriber.topics()) == 3).await;
    let mut known = subscriber.topics().len();
    loop {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let now = subscriber.topics();
        if now.len() == known {
            return now;
        }
        known = now.len();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_password_is_named_once_and_the_cars_are_followed_meanwhile() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let strict = broker::start(&config::BrokerSettings {
        enabled: true,
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        username: Some("home".to_owned()),
        password: Some("right-password".to_owned().into()),
    })
    .await
    .unwrap();
    let with_password = |password: &str| {
        let config = config_for(strict.addr.port(), &world.fresh_fleet_account(ACCOUNT));
        let login = format!("[mqtt]\nusername = \"home\"\npassword = \"{password}\"\n");
        config.replace("[mqtt]\n", &login)
    };
    let mut program = Program::prepare();
    program.start(&with_password("wrong-password"));
    program.logs("mqtt.password", SOON).await;
    data_arrives(&world, &vin).await;
    quiet_log(&program, "mqtt.password");
    assert!(!program.log().contains("wrong-password"));
    assert!(program.terminate(END).await.success());

    program.start(&with_password("right-password"));
    let login = Some(("home", "right-password"));
    let subscriber = Subscriber::with_login(strict.addr.port(), "tesla2mqtt/#", login);
    let level = format!("tesla2mqtt/{}/battery_level", vin.as_str());
    subscriber.until(&level, SOON).await;
}

async fn data_arrives(world: &World, vin: &Vin) {
    eventually("data meanwhile", SOON, || {
        world.n_calls(CallKind::Data, vin) > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_signed_by_another_ca_is_not_believed_and_the_owner_hears_why() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let (ours, theirs) = (Ca::new("ours"), Ca::new("theirs"));
    let port = tls_listener(&theirs.signed("localhost")).await;
    let mut program = Program::prepare();
    let ca = program.write("ca.pem", &ours.pem);
    let config = config_for(port, &world.fresh_fleet_account(ACCOUNT)).replace(
        &format!("url = \"mqtt://127.0.0.1:{port}\"\n"),
        &format!(
            "url = \"mqtts://localhost:{port}\"\nca_file = \"{}\"\n",
            ca.display()
        ),
    );
    program.start(&config);
    program.logs("mqtt.ca_file", SOON).await;
    data_arrives(&world, &vin).await;
    quiet_log(&program, "mqtt.ca_file");
    assert!(program.terminate(END).await.success());
}

/// A server that shakes hands over TLS and says nothing after that.
async fn tls_listener(identity: &Identity) -> u16 {
    tesla2mqtt::api::install_provider();
    let chain = CertificateDer::pem_slice_iter(identity.pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let _open = acceptor.accept(client).await;
                tokio::time::sleep(SOON).await;
            });
        }
    });
    port
}

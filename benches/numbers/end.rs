//! How long the program takes to end when everybody lets it wait.

use std::time::Duration;

use tesla2mqtt::clock;
use tesla2mqtt::sim::cloud::{Aim, CallKind, Fault};
use tesla2mqtt_testkit::program::Program;
use tesla2mqtt_testkit::world::{World, config_for};
use tesla2mqtt_testkit::{END, SOON};
use tokio::net::TcpListener;

/// From SIGTERM to the end, while a call to the cloud and a broker that has accepted hang.
pub(crate) async fn while_all_others_hang() -> Duration {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let port = silent.local_addr().expect("bound").port();
    let world = World::new().await;
    world.add_awake_car(1);
    world
        .cloud
        .fail_next(1, &Aim::at(&[CallKind::Data]), &Fault::Hang);
    let mut program = Program::prepare();
    program.start(&config_for(port, &world.fresh_fleet_account("home")));
    world.until_asked(CallKind::Data, SOON).await;
    let begun = clock::uptime();
    let ended = program.terminate(END).await;
    assert!(ended.success(), "{ended}: {}", program.log());
    clock::uptime().saturating_sub(begun)
}

//! kill -9 of the real binary while tokens rotate: the login must survive every instant.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tesla2mqtt::sim::cloud::{CallKind, CloudOptions, Login};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use crate::rig::SOON;
use crate::rig::program::Program;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World};

/// Worlds that live side by side, each with its own program, and the kills in each of them.
const WORLDS: u64 = 4;
const KILLS: u64 = 50;

/// Small and repeatable; the moment of a kill must only be spread, not secret.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_kills_during_rotation_never_lose_the_login() {
    let is_repaired = Arc::new(AtomicBool::new(false));
    let mut worlds = JoinSet::new();
    for seed in 0..WORLDS {
        worlds.spawn(kills_during_rotation(
            20_261_123 + seed,
            is_repaired.clone(),
        ));
    }
    worlds.join_all().await;
    assert!(
        is_repaired.load(Ordering::Relaxed),
        "no kill hit between the reply and the disk: the test shows nothing"
    );
}

async fn kills_during_rotation(seed: u64, is_repaired: Arc<AtomicBool>) {
    // Each access token lives for a second, so each start rotates at once and then again.
    let options = CloudOptions {
        access_life: Duration::from_secs(1),
        ..CloudOptions::default()
    };
    let world = World::with(options).await;
    let vin = world.add_sleeping_car(1);
    let config = world.fresh_fleet_config();
    let mut program = Program::prepare();
    let mut dice = Dice(seed);
    let mut round = 0;
    // Some more where a fast disk let none of them hit.
    while round < KILLS || (!is_repaired.load(Ordering::Relaxed) && round < 3 * KILLS) {
        let before = world.cloud.count(CallKind::Token);
        program.start(&config);
        // From the arrival of the refresh at the cloud on, within the time that the reply, the
        // write, its sync and the first call take; every fourth kill hits the start-up instead.
        if round % 4 != 3 {
            let refresh = world.cloud.until_more_than(before, CallKind::Token);
            let in_time = timeout(SOON, refresh).await;
            assert!(
                in_time.is_ok(),
                "no refresh in round {round}:\n{}",
                program.log()
            );
        }
        let moment = Duration::from_micros(dice.below(5_000));
        #[expect(
            clippy::disallowed_methods,
            reason = "a timer's millisecond is too coarse"
        )]
        let passed = spawn_blocking(move || std::thread::sleep(moment));
        passed.await.expect("a sleep");
        program.kill();
        round += 1;
        if world.cloud.family(ACCOUNT, Login::Fleet).n_repaired > 0 {
            is_repaired.store(true, Ordering::Relaxed);
        }
    }
    let family = world.cloud.family(ACCOUNT, Login::Fleet);
    assert!(
        !family.revoked,
        "a token older than its grace was used: {family:?}"
    );

    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    program.start(&config);
    let state = format!("tesla2mqtt/{}/state", vin.as_str());
    subscriber.wait_for(&state, "asleep", SOON).await;
    let family = world.cloud.family(ACCOUNT, Login::Fleet);
    println!(
        "{round} kills: {} refreshes, {} lost replies repaired by the predecessor, {} refused",
        family.n_refreshed, family.n_repaired, family.n_refused
    );
    assert_eq!(family.n_refused, 0);
    assert_eq!(world.cloud.ledger().wakes(), 0);
}

//! kill -9 of the real binary while tokens rotate: the login must survive every instant.

use std::time::Duration;

use tesla2mqtt::sim::cloud::{CallKind, CloudOptions, Login};

use crate::rig::program::Program;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World};
use crate::rig::{deadline, left};

const KILLS: u64 = 200;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_kills_during_rotation_never_lose_the_login() {
    // Each access token lives for a second, so each start rotates at once and then again.
    let options = CloudOptions {
        access_life: Duration::from_secs(1),
        ..CloudOptions::default()
    };
    let world = World::with(options).await;
    let vin = world.add_sleeping_car(1);
    let config = world.fresh_fleet_config();
    let mut program = Program::prepare();
    let mut dice = Dice(20_261_123);
    let mut n_in_flight = 0;
    let mut round = 0;
    let n_repaired = || world.cloud.family(ACCOUNT, Login::Fleet).n_repaired;
    // Some more where a fast disk let none of them hit.
    while round < KILLS || (n_repaired() == 0 && round < 3 * KILLS) {
        let before = world.cloud.ledger().count(CallKind::Token);
        program.start(&config);
        // From the arrival of the refresh at the cloud on, within the time that the reply, the
        // write, its sync and the first call take; every fourth kill hits the start-up instead.
        if round % 4 != 3 {
            let end = deadline(Duration::from_secs(20));
            while world.cloud.ledger().count(CallKind::Token) == before {
                assert!(
                    left(end) > Duration::ZERO,
                    "no refresh in round {round}:\n{}",
                    program.log()
                );
                // A timer would be a millisecond late, longer than what is to be hit lasts.
                tokio::task::yield_now().await;
            }
            n_in_flight += 1;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a timer's millisecond is too coarse"
        )]
        std::thread::sleep(Duration::from_micros(dice.below(5_000)));
        program.kill();
        round += 1;
    }
    let family = world.cloud.family(ACCOUNT, Login::Fleet);
    assert!(
        !family.revoked,
        "a token older than its grace was used: {family:?}"
    );
    assert!(n_in_flight > 100);

    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    program.start(&config);
    let state = format!("tesla2mqtt/{}/state", vin.as_str());
    subscriber
        .wait_for(&state, "asleep", Duration::from_secs(30))
        .await;
    let family = world.cloud.family(ACCOUNT, Login::Fleet);
    println!(
        "{round} kills: {} refreshes, {} lost replies repaired by the predecessor, {} refused",
        family.n_refreshed, family.n_repaired, family.n_refused
    );
    assert_eq!(family.n_refused, 0);
    assert!(
        family.n_repaired > 0,
        "no kill hit between the reply and the disk: the test shows nothing"
    );
    assert_eq!(world.cloud.ledger().wakes(), 0);
}

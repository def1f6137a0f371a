//! `bridge/last_error`: what is wrong with a login, a list or a car, for as long as it is. The waits
//! after a refusal are played in a process of its own, whose clocks run fast.

use tesla2mqtt::model::Vin;
use tesla2mqtt::sim::cloud::{Aim, CallKind, Fault};

use crate::child;
use crate::rig::program::Program;
use crate::rig::running::RunningBridge;
use crate::rig::subscriber::Subscriber;
use crate::rig::world::{ACCOUNT, World};
use crate::rig::{SOON, eventually};

/// An hour is three seconds.
const SPEED: f64 = 1200.0;

/// An account with an awake car that has been read.
struct House {
    world: World,
    vin: Vin,
    subscriber: Subscriber,
    running: RunningBridge,
}

impl House {
    async fn new() -> Self {
        let world = World::new().await;
        let vin = world.add_awake_car(1);
        let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
        let running = RunningBridge::start(&world.fresh_fleet_config());
        let house = Self {
            world,
            vin,
            subscriber,
            running,
        };
        house.is_well().await;
        house
    }

    fn refuse(&self, calls: &[CallKind], fault: Fault) {
        self.world
            .cloud
            .fail_share(1.0, Aim::at(calls), vec![fault], 1);
    }

    fn last_error(&self) -> String {
        let error = self.subscriber.get("tesla2mqtt/bridge/last_error");
        error.unwrap_or_default()
    }

    async fn says(&self, words: &str) {
        eventually(words, SOON, || self.last_error().starts_with(words)).await;
    }

    async fn is_well(&self) {
        self.says("none").await;
        let healthy = format!("tesla2mqtt/{}/healthy", self.vin.as_str());
        self.subscriber.wait_for(&healthy, "on", SOON).await;
    }

    async fn is_unhealthy(&self) {
        let healthy = format!("tesla2mqtt/{}/healthy", self.vin.as_str());
        self.subscriber.wait_for(&healthy, "off", SOON).await;
    }

    async fn is_available(&self, word: &str) {
        let availability = format!("tesla2mqtt/{}/availability", self.vin.as_str());
        self.subscriber.wait_for(&availability, word, SOON).await;
    }
}

#[test]
fn the_trouble_of_a_car_ends_with_its_next_data() {
    child::at_speed(SPEED, async || {
        let house = House::new().await;
        let refused = Fault::status(401, "mobile_access_disabled");
        house.refuse(&[CallKind::Data], refused);
        let trouble = format!(
            "car {}: mobile access is switched off in the car: allow it there",
            house.vin
        );
        house.says(&trouble).await;
        house.is_unhealthy().await;
        house.world.cloud.heal();
        house.is_well().await;
        house.running.stop().await;
    });
}

/// It is refused for longer than `unavailable_after`.
#[test]
fn a_car_that_is_refused_for_hours_is_unavailable_until_it_answers_again() {
    child::at_speed(SPEED, async || {
        let house = House::new().await;
        for (status, body) in [(404, "not_found"), (403, "forbidden")] {
            house.is_available("online").await;
            let calls = [CallKind::Light, CallKind::Data];
            house.refuse(&calls, Fault::status(status, body));
            house.is_available("offline").await;
            house.is_unhealthy().await;
            house.says(&format!("car {}: ", house.vin)).await;
            house.world.cloud.heal();
            house.is_available("online").await;
            house.is_well().await;
        }
        house.running.stop().await;
    });
}

#[test]
fn the_trouble_of_a_login_ends_when_it_is_renewed() {
    child::at_speed(SPEED, async || {
        let house = House::new().await;
        house.refuse(&[CallKind::Token], Fault::status(503, "away"));
        house.world.cloud.expire_access(ACCOUNT);
        house
            .says("account home: Tesla's servers have a fault")
            .await;
        house.world.cloud.heal();
        house.is_well().await;
        house.running.stop().await;
    });
}

#[test]
fn the_trouble_of_a_list_ends_with_the_next_list_and_hides_no_older_one() {
    child::at_speed(SPEED, async || {
        let house = House::new().await;
        let refused = Fault::status(401, "mobile_access_disabled");
        house.refuse(&[CallKind::Data], refused);
        let of_the_car = format!("car {}: mobile access", house.vin);
        house.says(&of_the_car).await;

        let refused = Fault::status(412, "account must be registered in the current region");
        let lists = Aim::at(&[CallKind::Products]);
        house.world.cloud.fail_next(1, &lists, &refused);
        house
            .says("account home: no list of its cars: your app")
            .await;
        house.says(&of_the_car).await;
        house.world.cloud.heal();
        house.is_well().await;
        house.running.stop().await;
    });
}

/// By the world's clock, at which the car is not asked again within the test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trouble_of_a_car_stands_when_it_is_renamed_and_when_the_bridge_starts_again() {
    let world = World::new().await;
    let vin = world.add_awake_car(1);
    let refused = Fault::status(401, "mobile_access_disabled");
    let data = Aim::at(&[CallKind::Data]);
    world.cloud.fail_share(1.0, data, vec![refused], 1);
    let subscriber = Subscriber::to(world.broker.addr.port(), "tesla2mqtt/#");
    let last_error = || {
        let error = subscriber.get("tesla2mqtt/bridge/last_error");
        error.unwrap_or_default()
    };
    let trouble = format!("car {vin}: mobile access is switched off");
    let is_told = || last_error().starts_with(&trouble);
    let account = world.fresh_fleet_account(ACCOUNT);
    let mut program = Program::prepare();
    program.start(&world.config(&account));
    eventually("the refusal is told", SOON, is_told).await;
    let healthy = format!("tesla2mqtt/{}/healthy", vin.as_str());
    subscriber.wait_for(&healthy, "off", SOON).await;
    let n_data = world.n_calls(CallKind::Data, &vin);

    subscriber.forget();
    let cars = format!("{account}[cars.{}]\nalias = \"one\"\n", vin.as_str());
    let renamed = world.config(&cars);
    program.reload(&renamed);
    let healthy = "tesla2mqtt/one/healthy";
    subscriber.wait_for(healthy, "off", SOON).await;
    let said = subscriber.messages();
    let said = said
        .iter()
        .filter(|(topic, ..)| topic.ends_with("last_error"));
    let said: Vec<_> = said.filter(|(_, payload, _)| payload == "none").collect();
    assert_eq!(said, Vec::<&(String, String, bool)>::new());

    assert!(program.terminate(SOON).await.success());
    subscriber.forget();
    program.start(&renamed);
    subscriber.wait_for(healthy, "off", SOON).await;
    eventually("the refusal is told again", SOON, is_told).await;
    assert_eq!(
        world.n_calls(CallKind::Data, &vin),
        n_data,
        "it is told without another call"
    );
}

//! The current view of each device, for a reader within the process such as a web page.

use crate::child;
use crate::rig::running::RunningBridge;
use crate::rig::world::World;
use crate::rig::{SOON, eventually};

const SPEED: f64 = 60.0;

#[test]
fn a_reader_of_a_cars_view_is_woken_when_its_state_is_known() {
    child::at_speed(SPEED, async || {
        let world = World::new().await;
        let vin = world.add_awake_car(1);
        let running = RunningBridge::start(&world.fresh_fleet_config());
        eventually("the car is followed", SOON, || {
            running.views().all().len() == 1
        })
        .await;
        let mut view = running.views().all().remove(0);
        assert_eq!(view.borrow().id.as_str(), vin.as_str());
        let is_known = view.wait_for(|view| view.state == "online" && !view.values.is_empty());
        let known = tokio::time::timeout(SOON, is_known).await;
        assert!(known.expect("in time").is_ok_and(|view| view.is_available));
        running.stop().await;
    });
}

//! Sleeping cars: what is asked of them, and what is not.

use tesla2mqtt::policy::{Preset, State};
use tesla2mqtt::sim::Plan;

use super::guarantees::check;
use super::rig::{DAY, HOUR, Rig, spec};

#[test]
fn a_sleeping_car_is_never_asked_for_data_in_a_week() {
    for preset in [Preset::Metered, Preset::Unmetered, Preset::Push] {
        let mut rig = Rig::new(preset, spec(Plan::parked()));
        rig.run_for(7 * DAY);
        check(&rig);
        assert_eq!(rig.n_data(), 0);
        assert_eq!(rig.state(), State::Asleep);
        assert_eq!(rig.car.truth().awake.as_secs(), 0);
    }
}

#[test]
fn a_week_with_two_calls_of_five_failing_ends_well() {
    for seed in 1..6 {
        let mut rig = Rig::new(Preset::Metered, spec(Plan::model_day()));
        rig.chaos = (0.4, seed);
        rig.run_for(7 * DAY + 4 * HOUR);
        check(&rig);
        for hour in 0..7 * 24 {
            let in_hour = rig.trace.iter().filter(|line| {
                line.at >= hour * HOUR
                    && line.at < (hour + 1) * HOUR
                    && matches!(line.what, super::rig::Happening::Asked(_))
            });
            assert!(in_hour.count() <= 200, "hour {hour}");
        }
        rig.chaos.0 = 0.0;
        rig.run_for(2 * HOUR);
        assert_eq!(rig.state(), State::Asleep, "{}", rig.story());
    }
}

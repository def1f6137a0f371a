//! Values that cannot be true, and values that are missing in one answer.

use super::rig::{Field, play};

const NOTHING: [&str; 0] = [];

/// The distances that ends of drives told, miles.
fn distances(field: &Field) -> Vec<f64> {
    let events = field.events();
    let ends = events
        .iter()
        .filter(|event| event["event_type"] == "drive_finished");
    ends.filter_map(|event| event["distance_mi"].as_f64())
        .collect()
}

#[test]
fn case_05_an_odometer_of_zero_for_one_look_is_nothing() {
    play("05-odometer-zero-parked.json", async |field| {
        field.answered(6).await;
        let said = field.numbers("odometer");
        assert!(
            said.iter().all(|miles| (miles - 33000.5).abs() < 0.1),
            "{said:?}"
        );
        assert_eq!(field.event_names(), NOTHING);
    });
}

#[test]
fn case_06_an_odometer_of_zero_before_a_drive_is_not_its_begin() {
    play("06-odometer-zero-before-drive.json", async |field| {
        field.answered(8).await;
        assert_eq!(distances(field), [2.0]);
        assert_eq!(field.numbers("last_drive_distance"), [2.0]);
    });
}

#[test]
fn case_09_a_drive_ends_once_although_its_last_odometer_is_missing() {
    play("09-odometer-null-at-end-of-drive.json", async |field| {
        field.answered(9).await;
        let ends = distances(field);
        assert!(ends == [2.0] || ends == [2.5], "{ends:?}");
        assert_eq!(field.event_names(), ["drive_started", "drive_finished"]);
        let odometer = field.said("odometer");
        assert!(!odometer.contains(&"None".to_owned()), "{odometer:?}");
    });
}

#[test]
fn case_24_what_no_car_can_say_is_no_value() {
    play("24-negative-counter.json", async |field| {
        field.answered(3).await;
        for key in [
            "battery_level",
            "battery_range",
            "est_battery_range",
            "odometer",
            "speed",
        ] {
            let said = field.said(key);
            assert!(said.iter().all(|text| text == "None"), "{key}: {said:?}");
        }
        let said = field.said("charge_energy_added");
        let is_right = |text: &String| text == "None" || text == "0";
        assert!(said.iter().all(is_right), "{said:?}");
    });
}

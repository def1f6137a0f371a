//! What the car does, where one of its words contradicts another.

use serde_json::{Value as Json, json};

use super::rig::{Field, play};

/// What `software_update` says now.
fn software_update(field: &Field) -> Json {
    let text = field.newest("software_update").expect("said");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn case_11_a_car_in_gear_drives_whatever_its_update_says() {
    play("11-update-status-stuck-while-driving.json", async |field| {
        field.answered(5).await;
        let events = ["drive_started", "drive_finished"];
        field
            .until("a drive", || field.event_names().len() >= events.len())
            .await;
        assert_eq!(field.event_names(), events);
        assert!(field.said("state").contains(&"driving".to_owned()));
        // Offered is what is installed.
        assert_eq!(field.newest("update_available").as_deref(), Some("off"));
        let update = software_update(field);
        assert_eq!(update["installed_version"], update["latest_version"]);
        assert_eq!(update["in_progress"], json!(false));
    });
}

#[test]
fn case_12_a_download_of_maps_is_no_update() {
    play("12-map-download-shown-as-update.json", async |field| {
        field.answered(2).await;
        let update = software_update(field);
        assert_eq!(update["in_progress"], json!(false));
        assert_eq!(update["update_percentage"], Json::Null);
        assert_eq!(update["installed_version"], update["latest_version"]);
        assert_eq!(field.newest("update_available").as_deref(), Some("off"));
    });
}

#[test]
fn case_19_a_clock_that_was_ahead_once_does_not_hide_a_drive() {
    play("19-car-clock-ahead-once.json", async |field| {
        field.answered(2).await;
        let is_told = || !field.event_names().is_empty();
        field.until("the drive", is_told).await;
        assert_eq!(field.newest("shift_state").as_deref(), Some("d"));
        assert_eq!(field.newest("state").as_deref(), Some("driving"));
        assert_eq!(field.event_names(), ["drive_started"]);
    });
}

#[test]
fn case_22_a_car_at_service_is_looked_at_again_within_minutes_where_looks_are_free() {
    play("22-service-mode-then-drive.json", async |field| {
        field.answered(1).await;
        field
            .until("the drive", || {
                field.newest("state").as_deref() == Some("driving")
            })
            .await;
        assert_eq!(field.newest("service_mode").as_deref(), Some("off"));
        let answers = field.answers();
        let waited = answers[1].at.duration_since(answers[0].at);
        // It was an hour.
        assert!(waited.as_mins() < 20, "{waited}");
    });
}

//! What the car does, where one of its words contradicts another.

use serde_json::{Value as Json, json};

use super::report::{Answer, Report};
use super::rig::{Field, play, play_changed, play_report};

/// What `software_update` says now.
fn software_update(field: &Field<'_>) -> Json {
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
        // Offered is what is installed.
        assert_eq!(field.newest("update_available").as_deref(), Some("off"));
        let update = software_update(field);
        assert_eq!(update["installed_version"], update["latest_version"]);
        assert_eq!(update["in_progress"], json!(false));
    });
}

#[test]
fn case_11_a_car_in_gear_is_driving_for_as_long_as_it_is() {
    let without_end = |report: &mut Report| report.cars[0].steps.truncate(3);
    let name = "11-update-status-stuck-while-driving.json";
    play_changed(name, without_end, async |field| {
        field
            .until("the drive", || field.is("state", "driving"))
            .await;
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
    // Over after two looks: who believes the gear only some looks later misses it.
    let with_end = |report: &mut Report| {
        let steps = &mut report.cars[0].steps;
        steps.truncate(3);
        steps.extend([Answer::parked(&odometer(1003.0)), Answer::default()]);
    };
    let name = "19-car-clock-ahead-once.json";
    play_changed(name, with_end, async |field| {
        field.answered(5).await;
        assert_eq!(field.event_names(), ["drive_started", "drive_finished"]);
        for (key, word) in [("shift_state", "d"), ("state", "driving")] {
            let said = field.said(key);
            assert!(said.contains(&word.to_owned()), "{key}: {said:?}");
        }
    });
}

#[test]
fn case_22_a_car_at_service_is_looked_at_again_within_minutes_where_looks_are_free() {
    play("22-service-mode-then-drive.json", async |field| {
        field.answered(1).await;
        field
            .until("the drive", || field.is("state", "driving"))
            .await;
        assert_eq!(field.newest("service_mode").as_deref(), Some("off"));
        let answers = field.answers();
        let waited = answers[1].at.duration_since(answers[0].at);
        // It was an hour.
        assert!(waited.as_mins() < 20, "{waited}");
    });
}

fn update(status: &str, version: &Json) -> [(&'static str, Json); 1] {
    let update = json!({
        "status": status, "version": version, "download_perc": 40, "install_perc": 10,
        "expected_duration_sec": 1500,
    });
    [("vehicle_state.software_update", update)]
}

fn odometer(miles: f64) -> [(&'static str, Json); 1] {
    [("vehicle_state.odometer", json!(miles))]
}

/// Two miles, with something that is so in all looks, or in one of them.
fn a_drive(always: &[(&str, Json)], once: &[(&str, Json)]) -> Vec<Answer> {
    vec![
        Answer::parked(&odometer(1000.0)).and_set(always),
        Answer::driving(1000.5),
        Answer::driving(1001.0).but_once(once),
        Answer::driving(1001.5),
        Answer::parked(&odometer(1002.0)),
        Answer::default(),
    ]
}

/// The miles that events tell of, and whether each start has its end and nothing was missed.
fn told(field: &Field<'_>) -> (f64, bool) {
    let events = field.events();
    let n = |name: &str| events.iter().filter(|of| of["event_type"] == name).count();
    let ends = events
        .iter()
        .filter(|of| of["event_type"] == "drive_finished");
    let miles = ends.filter_map(|end| end["distance_mi"].as_f64()).sum();
    let is_whole = n("drive_started") == n("drive_finished") && n("missed_drive") == 0;
    (miles, is_whole && n("drive_started") > 0)
}

async fn assert_all_drove(field: &Field<'_>, names: &[&str]) {
    let wrong = |(car, name): (Field<'_>, &&str)| {
        let (miles, is_whole) = told(&car);
        let is_wrong = (miles - 2.0_f64).abs() > 0.01 || !is_whole;
        is_wrong.then(|| format!("{name}: {:?}", car.events()))
    };
    field
        .nothing_is_wrong(|| field.cars().zip(names).filter_map(wrong).collect())
        .await;
}

#[test]
fn like_case_11_and_22_a_drive_is_a_drive_whatever_else_the_car_says() {
    let in_service = || [("vehicle_state.service_mode", json!(true))];
    let rows = [
        (
            "installing another version",
            a_drive(&update("installing", &json!("2099.1")), &[]),
        ),
        (
            "installing no version",
            a_drive(&update("installing", &Json::Null), &[]),
        ),
        (
            "installing maps",
            a_drive(&update("installing", &json!("NA-2024.8-14900")), &[]),
        ),
        (
            "downloading",
            a_drive(&update("downloading", &json!("2099.1")), &[]),
        ),
        (
            "installing in one look",
            a_drive(&[], &update("installing", &json!("2099.1"))),
        ),
        (
            "an unknown word",
            a_drive(&update("dreaming", &json!("2099.1")), &[]),
        ),
        ("service mode in one look", a_drive(&[], &in_service())),
        (
            "at service in one look",
            a_drive(&[], &[("in_service", json!(true))]),
        ),
        (
            "asleep in one look",
            a_drive(&[], &[("state", json!("asleep"))]),
        ),
        (
            "offline in one look",
            a_drive(&[], &[("state", json!("offline"))]),
        ),
        (
            "charging in one look",
            a_drive(&[], &[("charge_state.charging_state", json!("Charging"))]),
        ),
    ];
    let Some(report) = Report::of(rows.iter().map(|(_, story)| story.clone())) else {
        return;
    };
    play_report(&report, async |field| {
        field.all_answered(8).await;
        assert_all_drove(field, &rows.map(|(name, _)| name)).await;
    });
}

#[test]
fn like_case_11_a_car_in_gear_is_driving_whatever_its_update_says() {
    let status = |word: &str| update(word, &json!("2099.1"));
    let words = [
        "installing",
        "downloading",
        "scheduled",
        "available",
        "dreaming",
    ];
    // For as long as it is looked at.
    let drive = |word: &str| a_drive(&status(word), &[]).into_iter().take(3).collect();
    let Some(report) = Report::of(words.into_iter().map(drive)) else {
        return;
    };
    play_report(&report, async |field| {
        for car in field.cars() {
            car.until("the drive", || {
                car.is("state", "driving") && car.is("shift_state", "d")
            })
            .await;
        }
    });
}

#[test]
fn like_case_12_only_firmware_that_is_not_installed_is_an_update() {
    let story = |of: &[(&str, Json)]| vec![Answer::parked(of)];
    let rows = [
        ("downloading", update("downloading", &json!("2099.1")), true),
        ("available", update("available", &json!("2099.1")), true),
        (
            "installed already",
            update("available", &json!("2023.44.30.8")),
            false,
        ),
        (
            "maps on offer",
            update("available", &json!("EU-2025.32-15211")),
            false,
        ),
        (
            "maps being installed",
            update("installing", &json!("NA-2024.8-14900")),
            false,
        ),
        (
            "maps that wait",
            update("downloading_wifi_wait", &json!("CN-2024.8-1")),
            false,
        ),
        ("nothing", update("", &json!("2099.1")), false),
        (
            "an unknown word",
            update("dreaming", &json!("2099.1")),
            false,
        ),
    ];
    let Some(report) = Report::of(rows.iter().map(|(_, of, _)| story(of))) else {
        return;
    };
    play_report(&report, async |field| {
        field.all_answered(2).await;
        let mut wrong = Vec::new();
        for (car, (name, _, is_update)) in field.cars().zip(&rows) {
            let available = car.newest("update_available");
            let told = software_update(&car);
            let is_in_progress = told["in_progress"] == json!(true);
            let right = if *is_update { "on" } else { "off" };
            if available.as_deref() != Some(right) || (is_in_progress && !is_update) {
                wrong.push(format!("{name}: {available:?} {told}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

#[test]
fn like_case_19_a_clock_that_lags_or_leads_hides_no_drive() {
    const HOUR: i64 = 3600;
    let all = |s: i64| a_drive(&[], &[]).into_iter().map(move |of| of.ahead(s));
    let from = |n: usize, s: i64| {
        let drive = a_drive(&[], &[]).into_iter().enumerate();
        drive.map(move |(look, of)| if look >= n { of.ahead(s) } else { of })
    };
    let only = |n: usize, s: i64| {
        let drive = a_drive(&[], &[]).into_iter().enumerate();
        drive.map(move |(look, of)| if look == n { of.ahead(s) } else { of })
    };
    let group = |name: &'static str, s: i64| {
        let drive = a_drive(&[], &[]).into_iter();
        drive.map(move |of| of.group_ahead(name, s))
    };
    let rows: [(&str, Vec<Answer>); 12] = [
        ("an hour behind", all(-HOUR).chain(still_behind()).collect()),
        ("an hour ahead", all(HOUR).collect()),
        ("five minutes ahead", all(300).collect()),
        ("an hour behind at first", only(0, -HOUR).collect()),
        ("an hour ahead at first", only(0, HOUR).collect()),
        ("five minutes ahead at first", only(0, 300).collect()),
        (
            "a year behind at first",
            only(0, -365 * 24 * HOUR).collect(),
        ),
        ("an hour behind in one look", only(2, -HOUR).collect()),
        ("an hour ahead in one look", only(2, HOUR).collect()),
        ("ahead from the drive on", from(1, HOUR).collect()),
        (
            "the charge an hour ahead",
            group("charge_state", HOUR).collect(),
        ),
        (
            "the charge an hour behind",
            group("charge_state", -HOUR).collect(),
        ),
    ];
    let Some(report) = Report::of(rows.iter().map(|(_, story)| story.clone())) else {
        return;
    };
    play_report(&report, async |field| {
        field.all_answered(8).await;
        assert_all_drove(field, &rows.map(|(name, _)| name)).await;
    });
}

/// The looks after the last that is written are of the right time: not so of this car.
fn still_behind() -> Vec<Answer> {
    vec![Answer::default().ahead(-3600); 30]
}

/// A clock that is set back in the midst of everything: what is said of the gear and what is said
/// of the state are believed at the same time.
#[test]
fn like_case_19_after_a_clock_was_set_back_state_and_gear_still_agree() {
    let behind = |of: Answer| of.ahead(-3600);
    let begin = Answer::parked(&odometer(1000.0));
    let mut whole = vec![begin.clone()];
    whole.extend((1..=10).map(|n| behind(Answer::driving(1000.0 + f64::from(n)))));
    whole.push(behind(Answer::parked(&odometer(1012.0))));
    whole.extend(still_behind());
    let mut without_end = vec![begin, behind(Answer::driving(1001.0))];
    without_end.extend([still_behind(), still_behind(), still_behind()].concat());
    let Some(report) = Report::of([whole, without_end]) else {
        return;
    };
    play_report(&report, async |field| {
        let [whole, without_end] = [field.of(0), field.of(1)];
        field
            .until("both to agree", || {
                without_end.is("state", "driving") && without_end.is("shift_state", "d")
            })
            .await;
        whole.answered(16).await;
        assert_eq!(whole.event_names(), ["drive_started", "drive_finished"]);
        let (miles, _) = told(&whole);
        assert!((miles - 12.0).abs() < 0.01, "{:?}", whole.events());
        assert!(whole.is("state", "online") && whole.is("shift_state", "p"));
    });
}

#[test]
fn like_case_22_service_mode_that_comes_and_goes_hides_nothing_for_long() {
    let in_service = |is: bool| [("vehicle_state.service_mode", json!(is))];
    let story = vec![
        Answer::parked(&in_service(true)).and_set(&odometer(1000.0)),
        Answer::set(&in_service(false)),
        Answer::set(&in_service(true)),
        Answer::driving(1001.0).and_set(&in_service(false)),
    ];
    let Some(report) = Report::of([story]) else {
        return;
    };
    play_report(&report, async |field| {
        field
            .until("the drive", || field.is("state", "driving"))
            .await;
        let answers = field.answers();
        let waits = answers
            .windows(2)
            .map(|two| two[1].at.duration_since(two[0].at));
        let longest = waits.map(|wait| wait.as_mins()).max();
        assert!(longest.is_some_and(|of| of < 20), "{longest:?}");
    });
}

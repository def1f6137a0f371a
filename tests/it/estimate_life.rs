//! Life files: what they mean, and what is said about a wrong one.

use std::time::Duration;

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use tesla2mqtt::estimate::{Case, LIFE_FILE_FORM, Way, ours, parse_life};
use tesla2mqtt::policy::{HoldReason, Preset};
use tesla2mqtt::sim::Deed;

const HOUR: Duration = Duration::from_hours(1);

fn complaints(text: &str) -> Vec<String> {
    match parse_life("life.toml", text) {
        Ok(life) => panic!("accepted: {life:?}"),
        Err(errors) => errors.messages,
    }
}

#[test]
fn the_form_that_the_help_shows_is_a_life() {
    let life = parse_life("life.toml", LIFE_FILE_FORM).expect("the form");
    assert_eq!(life.plan.segments.len(), 5 + 2 + 7 + 1 + 2);
    assert_eq!(life.plan.jitter, Duration::from_mins(4));
    let case = Case {
        life,
        days: 7,
        n_cars: 1,
        held: false,
        way: Way::preset(Preset::Metered),
    };
    let played = ours(&case);
    assert!(played.cars[0].calls.len() > 1000);
}

#[test]
fn days_and_defaults() {
    let text = "[car]\nheld = true\ntime_to_sleep = \"20m\"\nbattery_kwh = 60\n\
                [[segments]]\nat = \"sat-mon 10:30\"\nwhat = \"drive\"\nfor = \"2h\"\n\
                [[segments]]\nat = \"Wed,fri 00:05\"\nwhat = \"charge\"\nfor = \"30m\"\nkw = 150.5\n\
                [[segments]]\nat = \"sun 23:59\"\nwhat = \"cabin_overheat\"\nfor = \"90s\"\n";
    let life = parse_life("life.toml", text).expect("a life");
    assert_eq!(life.held, Some(true));
    assert_eq!(life.time_to_sleep, Duration::from_mins(20));
    assert!((life.battery_kwh - 60.0).abs() < 1e-9);
    let starts: Vec<Duration> = life.plan.segments.iter().map(|s| s.start).collect();
    let minute = Duration::from_mins(1);
    assert_eq!(
        starts,
        [
            10 * HOUR + 30 * minute,
            48 * HOUR + 5 * minute,
            96 * HOUR + 5 * minute,
            130 * HOUR + 30 * minute,
            154 * HOUR + 30 * minute,
            167 * HOUR + 59 * minute,
        ]
    );
    let deeds: Vec<&Deed> = life.plan.segments.iter().map(|s| &s.deed).collect();
    assert_eq!(
        *deeds[0],
        Deed::Drive {
            length: 2 * HOUR,
            km: 90.0
        }
    );
    let charge = Deed::Charge {
        length: 30 * minute,
        kw: 150.5,
        dc: true,
        scheduled_in: None,
    };
    assert_eq!(*deeds[1], charge);
    let hold = Deed::Hold {
        reason: HoldReason::CabinOverheat,
        length: Duration::from_secs(90),
    };
    assert_eq!(*deeds[5], hold);
}

#[test]
fn each_mistake_is_named_with_its_line() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(complaints(text), expected, "{text}");
    };
    check(
        "",
        &["life.toml:1: no [[segments]]: expected at least one thing that happens"],
    );
    check(
        "segments = 3",
        &["life.toml:1: segments: expected tables, each with the header [[segments]]"],
    );
    check(
        "segments = [3]",
        &["life.toml:1: segments: expected [[segments]] tables"],
    );
    check(
        "a = [\n",
        &["life.toml:1: not valid TOML: unclosed array, expected `]`"],
    );
    check(
        "\n[[segments]]\n",
        &["life.toml:2: this segment has no `at`"],
    );
    check(
        "car = 1\n[[segments]]\nat = \"12:00\"\n",
        &[
            "life.toml:1: car: expected a section [car]",
            "life.toml:2: this segment has no `what`",
        ],
    );
    check(
        "jiter = \"4m\"\njitter = \"9h\"\n[car]\ntime_to_sleep = \"2s\"\nbattery_kwh = \"x\"\n\
         held = 1\ncolour = \"red\"\n\
         [[segments]]\nat = \"25:00\"\nwhat = \"drive\"\nfor = \"35 parsecs\"\n\
         [[segments]]\nat = 7\nwhat = \"sentry\"\n\
         [[segments]]\nat = \"mon 07:30\"\nwhat = \"app\"\nkm = 3\n\
         [[segments]]\nat = \"mo 07:30\"\nwhat = \"sentry_mod\"\n\
         [[segments]]\nat = \"mon 07:30\"\nwhat = \"charge\"\n",
        &[
            "life.toml:1: jiter: unknown key, did you mean jitter?",
            "life.toml:2: jitter = \"9h\": expected 0s to 3h",
            "life.toml:4: time_to_sleep = \"2s\": expected 1m to 24h",
            "life.toml:5: battery_kwh = \"x\": expected a number from 10 to 300",
            "life.toml:6: held = 1: expected true or false",
            "life.toml:7: car.colour: unknown key, expected one of time_to_sleep, brief_wakes, \
             held, battery_kwh, battery_level, charge_limit, wh_per_km",
            "life.toml:9: at = \"25:00\": expected a time such as \"07:30\" or \"mon-fri 07:30\"",
            "life.toml:11: for = \"35 parsecs\": expected a duration such as \"35m\" or \"2h\"",
            "life.toml:13: at = 7: expected a text in quotes",
            "life.toml:14: what = \"sentry\": expected one of drive, charge, app, update, service, \
             dead_zone, user_present, sentry_mode, preconditioning, climate, climate_keeper, \
             cabin_overheat, door_open, trunk_open, power, downloading, unlocked",
            "life.toml:18: km: means nothing for \"app\"",
            "life.toml:20: at = \"mo 07:30\": expected a time such as \"07:30\" or \"mon-fri 07:30\"",
            "life.toml:21: what = \"sentry_mod\": did you mean \"sentry_mode\"?",
            "life.toml:24: what = \"charge\": needs `for`, how long it takes",
        ],
    );
    let many = "[[segments]]\nat = \"12:00\"\nwhat = \"app\"\n".repeat(501);
    check(
        &many,
        &["life.toml:1: segments: expected at most 500, found 501"],
    );
}

proptest! {
    #[test]
    fn any_text_is_a_life_or_a_list_of_mistakes(
        at in "[a-z0-9:, -]{0,14}|mon-sun [0-2][0-9]:[0-5][0-9]",
        what in "[a-z_]{0,8}|drive|charge|update",
        number in any::<f64>(),
        length in "-?[0-9]{1,19} ?(s|m|h|days|)",
        junk in "\\PC{0,40}",
    ) {
        for text in [
            junk.clone(),
            format!("[[segments]]\nat = \"{at}\"\nwhat = \"{what}\"\nfor = \"{length}\"\nkm = {number:?}\n"),
            format!("[[segments]]\nat = \"{at}\"\nwhat = \"{what}\"\nfor = \"1h\"\nkw = {number:?}\nstarts_after = \"{length}\"\n"),
            format!("[car]\nwh_per_km = {number:?}\n[[segments]]\n{junk}"),
        ] {
            if let Err(errors) = parse_life("life.toml", &text) {
                prop_assert!(!errors.messages.is_empty());
                for message in errors.messages {
                    prop_assert!(message.starts_with("life.toml:"), "{}", message);
                }
            }
        }
    }
}

//! Doors and sentry mode.

use pretty_assertions::assert_eq;

use super::*;

/// The fields that a look shows.
type LookFields<'a> = &'a [(&'a str, f64)];

/// Looks a minute apart, each with the fields that it shows; what each was told to have changed.
#[track_caller]
fn check(looks: &[(LookFields<'_>, &[&str])]) {
    let mut rig = TripsRig::new();
    for (n, (fields, expected)) in looks.iter().enumerate() {
        let signals = fields.iter().map(|(field, number)| {
            let signal = Signal::new(&format!("vehicle_state.{field}"));
            (signal, Some(Value::Float(*number)))
        });
        rig.car.apply(&Observation {
            source: Source::Data,
            at: at(rig.minute + 1),
            whole_groups: Vec::new(),
            signals: signals.collect(),
        });
        let found = rig.after(1, PARKED, &[]);
        let told: Vec<String> = found
            .iter()
            .map(|finding| {
                let (name, figures) = finding.event().unwrap();
                assert!(crate::catalogue::EVENTS.contains(&name), "{name}");
                assert_eq!(figures["event_type"], name);
                match figures["door"].as_str() {
                    Some(door) => format!("{name} {door}"),
                    None => name.to_owned(),
                }
            })
            .collect();
        assert_eq!(told, *expected, "look {n}");
    }
}

#[test]
fn doors_tell_when_they_open_and_close() {
    check(&[
        (&[("df", 0.0), ("rt", 0.0)], &[]),
        (&[("df", 0.0), ("rt", 0.0)], &[]),
        (
            &[("df", 1.0), ("rt", 16.0)],
            &["door_opened door_driver_front", "door_opened trunk"],
        ),
        (&[("df", 1.0), ("rt", 0.0)], &["door_closed trunk"]),
        // A look that does not show it says nothing about it.
        (&[], &[]),
        (&[("df", 0.0)], &["door_closed door_driver_front"]),
    ]);
}

#[test]
fn a_door_that_is_open_at_the_first_look_was_not_seen_to_open() {
    check(&[
        (&[("pf", 1.0)], &[]),
        (&[("pf", 0.0)], &["door_closed door_passenger_front"]),
    ]);
}

#[test]
fn sentry_mode_tells_of_itself_and_of_its_warning_screen() {
    let off: LookFields<'_> = &[("sentry_mode", 0.0), ("center_display_state", 0.0)];
    let on: LookFields<'_> = &[("sentry_mode", 1.0), ("center_display_state", 0.0)];
    let alarm: LookFields<'_> = &[("sentry_mode", 1.0), ("center_display_state", 7.0)];
    check(&[
        (off, &[]),
        (on, &["sentry_on"]),
        (alarm, &["sentry_alarm"]),
        (alarm, &[]),
        (on, &[]),
        (alarm, &["sentry_alarm"]),
        (off, &["sentry_off"]),
        // The screen that greets it is none.
        (alarm, &["sentry_on"]),
        (on, &[]),
        (alarm, &["sentry_alarm"]),
    ]);
}

#[test]
fn a_notice_tells_both_looks() {
    let mut rig = TripsRig::new();
    let mut look = |minutes, open| {
        rig.car.apply(&Observation {
            source: Source::Data,
            at: at(rig.minute + minutes),
            whole_groups: Vec::new(),
            signals: vec![(Signal::new("vehicle_state.ft"), Some(Value::Int(open)))],
        });
        rig.after(minutes, PARKED, &[])
    };
    look(0, 0);
    let found = look(20, 1);
    let expected = serde_json::json!({
        "event_type": "door_opened", "door": "frunk",
        "at": "2023-11-14T22:33:20Z", "last_look_at": "2023-11-14T22:13:20Z",
    });
    assert_eq!(found[0].event().unwrap(), ("door_opened", expected));
}

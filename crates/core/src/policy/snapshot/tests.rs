use serde_json::{Map, Value, json};

use super::super::backoff::WaitReason;
use super::super::interface::{Ask, Belief, Class, Step};
use super::super::phase::Phase;
use super::super::{Policy, PolicyConfig};
use super::*;

const VIN: &str = "5YJ3E1EA0JF000001";
/// Written by release 0.1.0 in the middle of what the names say.
const WRITTEN_BY_0_1_0: &[(&str, &str)] = &[
    ("quiet", include_str!("release_0_1_0/quiet.json")),
    ("idle", include_str!("release_0_1_0/idle.json")),
    ("woken", include_str!("release_0_1_0/woken.json")),
    ("lost drive", include_str!("release_0_1_0/lost_drive.json")),
    (
        "guarded wake",
        include_str!("release_0_1_0/guarded_wake.json"),
    ),
    (
        "pushed charge",
        include_str!("release_0_1_0/pushed_charge.json"),
    ),
    (
        "paused, signed out",
        include_str!("release_0_1_0/paused_signed_out.json"),
    ),
];

fn vin() -> Vin {
    Vin::new(VIN).expect("a VIN")
}

fn written_by_0_1_0(name: &str) -> Value {
    let found = WRITTEN_BY_0_1_0.iter().find(|(of, _)| *of == name);
    serde_json::from_str(found.expect("a fixture").1).expect("JSON")
}

fn read(written: &Value) -> Snapshot {
    serde_json::from_value(written.clone()).expect("any memory is read")
}

/// A policy that goes on at the time at which the snapshot was written.
fn resumed(snapshot: &Snapshot) -> Policy {
    let now = Now {
        mono: Duration::ZERO,
        wall: snapshot.saved_wall,
    };
    Policy::restore(PolicyConfig::default(), &vin(), snapshot.clone(), now)
}

/// The value at a path of names.
fn at<'v>(value: &'v mut Value, path: &[String]) -> &'v mut Value {
    path.iter().fold(value, |value, name| &mut value[name])
}

/// The paths of every member below a value, its own members first.
fn members(value: &Value, path: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    if let Value::Object(object) = value {
        for (name, member) in object {
            let path = [path, std::slice::from_ref(name)].concat();
            found.push(path.clone());
            found.extend(members(member, &path));
        }
    }
    found
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

/// Whether a value is there, beside members that are newer.
fn includes(place: &Value, value: &Value) -> bool {
    match (place, value) {
        (Value::Object(place), Value::Object(value)) => value.iter().all(|(name, value)| {
            let member = place.get(name);
            member.is_some_and(|place| includes(place, value))
        }),
        (Value::Array(place), Value::Array(value)) => {
            place.len() == value.len() && place.iter().zip(value).all(|(a, b)| includes(a, b))
        }
        _ => place == value,
    }
}

fn memory_of(snapshot: &Snapshot) -> Value {
    serde_json::to_value(&snapshot.memory).expect("plain data")
}

#[test]
fn whatever_does_not_parse_costs_its_own_part_and_no_other() {
    let mut n_broken = 0;
    for (name, _) in WRITTEN_BY_0_1_0 {
        let whole = serde_json::to_value(read(&written_by_0_1_0(name))).expect("plain data");
        let memory = &whole["memory"];
        for path in members(memory, &[]) {
            let mut broken = whole.clone();
            // No part and no field is a list of lists of lists.
            *at(&mut broken["memory"], &path) = json!([[[]]]);
            let snapshot = read(&broken);
            assert_eq!(
                snapshot.lost_parts(),
                [path[0].as_str()],
                "{name}: {path:?}"
            );
            let kept = memory_of(&snapshot);
            for (part, value) in object(memory) {
                assert!(
                    *part == path[0] || kept[part] == *value,
                    "{name}: {path:?} costs {part}"
                );
            }
            let step = resumed(&snapshot).next(Now {
                mono: Duration::ZERO,
                wall: snapshot.saved_wall,
            });
            let calls_data = matches!(step, Step::Ask { ask: Ask::Data, .. });
            assert!(!calls_data, "{name}: {path:?}: {step:?}");
            n_broken += 1;
        }
    }
    assert!(n_broken > 500, "{n_broken}");
}

#[test]
fn a_part_that_is_missing_begins_anew() {
    let whole = serde_json::to_value(read(&written_by_0_1_0("quiet"))).expect("plain data");
    for part in object(&whole["memory"]).keys() {
        let mut less = whole.clone();
        less["memory"].as_object_mut().expect("parts").remove(part);
        let snapshot = read(&less);
        assert!(snapshot.lost_parts().iter().all(|lost| lost == part));
        let kept = memory_of(&snapshot);
        for (other, value) in object(&whole["memory"]) {
            assert!(
                other == part || kept[other] == *value,
                "{part} costs {other}"
            );
        }
    }
}

#[test]
fn without_its_times_a_snapshot_goes_on_where_its_memory_ended() {
    let whole = written_by_0_1_0("quiet");
    let good = read(&whole);
    for time in ["saved_at", "saved_wall"] {
        let mut broken = whole.clone();
        broken[time] = json!("never");
        let snapshot = read(&broken);
        assert_eq!(snapshot.lost_parts(), [time]);
        assert_eq!(snapshot.memory, good.memory);
        let (_, resumed_at) = snapshot.resume(
            &vin(),
            Now {
                mono: Duration::ZERO,
                wall: good.saved_wall,
            },
        );
        let off = resumed_at.abs_diff(good.saved_at);
        assert!(off <= Duration::from_mins(1), "{time}: {off:?}");
    }
}

#[test]
fn a_lost_class_is_that_of_the_vin_and_lost_chance_differs_by_car() {
    let mut broken = written_by_0_1_0("quiet");
    broken["memory"]["learning"] = json!([[[]]]);
    broken["memory"]["random"] = json!([[[]]]);
    let old_model_s = Vin::new("5YJSA1E20FF000001").expect("a VIN");
    let now = Now {
        mono: Duration::ZERO,
        wall: read(&broken).saved_wall,
    };
    let (of_model_s, _) = read(&broken).resume(&old_model_s, now);
    assert_eq!(of_model_s.learning, Learning::new(&old_model_s));
    assert_ne!(of_model_s.learning, Learning::default());
    let (of_model_3, _) = read(&broken).resume(&vin(), now);
    assert_ne!(of_model_s.random, of_model_3.random);
}

#[test]
fn each_field_of_0_1_0_has_a_place() {
    for (name, _) in WRITTEN_BY_0_1_0 {
        let written = written_by_0_1_0(name);
        let flat = object(&written["memory"]);
        assert_eq!(flat.len(), 77, "{name}");
        let snapshot = read(&written);
        assert_eq!(snapshot.lost_parts(), [""; 0], "{name}");
        let memory = memory_of(&snapshot);
        for (field, value) in flat {
            if release_0_1_0::GONE.contains(&field.as_str()) {
                continue;
            }
            let row = release_0_1_0::ROWS.iter().find(|row| row.2 == field);
            let place = match row {
                None => memory.get(field),
                Some((part @ ("phase" | "parked"), field, _)) => {
                    let phase = &memory["machine"]["phase"];
                    let part = if *part == "parked" {
                        &phase["parked"]
                    } else {
                        phase
                    };
                    // Another state's field has no place, and no value.
                    let Some(place) = part.get(field) else {
                        let is_resting = ["asleep_at", "reading"].contains(field);
                        assert!(!is_resting, "{name}: {field}");
                        continue;
                    };
                    Some(place)
                }
                Some((part, field, _)) => memory[part].get(field),
            };
            let is_kept = place.is_some_and(|place| includes(place, value));
            assert!(is_kept, "{name}: {field}: {place:?} for {value}");
        }
    }
}

#[test]
fn a_field_of_0_1_0_that_does_not_parse_costs_one_part() {
    for (name, _) in WRITTEN_BY_0_1_0 {
        let whole = written_by_0_1_0(name);
        let state = whole["memory"]["state"].clone();
        for field in object(&whole["memory"]).keys() {
            let mut broken = whole.clone();
            broken["memory"][field] = json!([[[]]]);
            let lost = read(&broken).lost_parts().len();
            let row = release_0_1_0::ROWS.iter().find(|row| row.2 == field);
            // A field of another state than the one it is in is not even looked at.
            let may_be_idle = row.is_some_and(|row| ["phase", "parked"].contains(&row.0))
                || release_0_1_0::GONE.contains(&field.as_str());
            assert!(
                lost == 1 || (lost == 0 && may_be_idle),
                "{name}, {state}: {field} costs {lost}"
            );
        }
    }
}

#[test]
fn a_car_left_alone_by_0_1_0_stays_alone_with_its_class_and_its_waits() {
    let written = written_by_0_1_0("quiet");
    let policy = resumed(&read(&written));
    let memory = &policy.memory;
    let Phase::Quiet(quiet) = &memory.machine.phase else {
        panic!("{:?}", memory.machine.phase);
    };
    let look_at: At = serde_json::from_value(written["memory"]["look_at"].clone()).expect("a time");
    assert_eq!(quiet.look_at, look_at);
    assert_eq!(
        memory.learning.class(PolicyConfig::default().class),
        (Class::Held, Belief::Learned)
    );
    let (until, kind) = memory.backoffs.until(Ask::Light).expect("a wait");
    assert_eq!(kind, WaitReason::Server);
    assert!(until > policy.clock_ahead, "{until:?}");
    assert!(memory.contact.is_online);
}

#[test]
fn a_car_paused_and_signed_out_under_0_1_0_stays_so() {
    let policy = resumed(&read(&written_by_0_1_0("paused, signed out")));
    let memory = &policy.memory;
    assert_eq!(policy.state(), State::AuthLost);
    assert!(memory.standing.paused);
    assert!(memory.backoffs.has(WaitReason::SignedOut));
    let limited_until = memory.backoffs.limited_until(policy.clock_ahead);
    let left = limited_until
        .expect("a limit")
        .saturating_sub(policy.clock_ahead);
    assert!(left > Duration::from_mins(30), "{left:?}");
}

#[test]
fn what_was_under_way_under_0_1_0_still_is() {
    let of = |name| resumed(&read(&written_by_0_1_0(name)));
    let lost = of("lost drive");
    assert_eq!(lost.state(), State::Driving);
    assert!(lost.memory.machine.lost_at().is_some());
    assert!(lost.memory.sessions.last_gear_at.is_some());
    assert!(lost.memory.push.user_present);

    let charge = of("pushed charge");
    assert_eq!(charge.state(), State::Charging);
    assert!(
        !charge.memory.push.is_connected,
        "by a process that is gone"
    );

    let woken = of("woken");
    let wake_until = woken.memory.machine.waking().and_then(|of| of.wake_until);
    assert!(wake_until.is_some());

    let guarded = of("guarded wake");
    let guard_until = guarded
        .memory
        .machine
        .waking()
        .and_then(|of| of.guard_until);
    assert!(guard_until.is_some_and(|until| until > guarded.clock_ahead));
    assert!(guarded.memory.self_checks.are_known());

    let Phase::Idle(idle) = of("idle").memory.machine.phase else {
        panic!("not idle");
    };
    assert!(idle.let_sleep && idle.parked.clear_since.is_some());
}

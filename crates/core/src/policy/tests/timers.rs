//! Each row of the table of timers: with nobody saying anything, the policy waits until then and not
//! for longer, and then it acts.

use super::super::timers::Timer;
use super::*;

/// A policy of which a row decides.
struct Case {
    what: &'static str,
    rig: Rig,
    /// Monotonic time at which it is to act.
    at: Duration,
    /// Whether it has.
    has_acted: fn(&Rig, &Step) -> bool,
}

/// The cases of a row. A new row has no place here until it has a case.
fn cases(timer: Timer) -> Vec<Case> {
    match timer {
        Timer::LostAnswer => vec![lost_answer()],
        Timer::LostCar => vec![lost_car()],
        Timer::FailedWake => vec![failed_wake()],
        Timer::ScheduledCharge => vec![scheduled_charge()],
        Timer::LostPushSource => vec![lost_push_source()],
        Timer::Quiet => vec![quiet()],
        Timer::Relist => vec![relist()],
        Timer::Call(_) => vec![light_call(), wait_of_a_failure(), wait_of_the_account()],
        Timer::Interval => vec![
            pushing_car_gone(),
            light_calls_no_longer_modest(),
            later_interval_of_an_idle_car(),
            sun_gone(),
            later_interval_of_a_charge(),
            habit(),
        ],
        Timer::Unconfirmed => vec![
            unconfirmed("a drive without data", driving(), 2 * MINUTE),
            unconfirmed("a charge without data", charging(), 10 * MINUTE),
            silent_pushes(),
        ],
        Timer::LongestWait => vec![longest_wait()],
    }
}

#[test]
fn at_the_time_of_each_row_the_policy_acts_without_any_input() {
    let rig = Rig::new(PolicyConfig::default());
    let m = rig.policy.moment(rig.now);
    let rows = rig.policy.timers(m).map(|row| row.timer);
    for case in rows.into_iter().flat_map(cases) {
        acts_in_time(case);
    }
}

fn acts_in_time(case: Case) {
    let Case {
        what,
        mut rig,
        at,
        has_acted,
    } = case;
    for _ in 0..1000 {
        let step = rig.next();
        if has_acted(&rig, &step) {
            assert_eq!(rig.now.mono, at, "{what}");
            return;
        }
        assert!(rig.now.mono < at, "{what}: nothing by then: {step:?}");
        if let Step::Wait { until, .. } = step {
            assert!(until <= at, "{what}: sleeps until {until:?}, past {at:?}");
            rig.at(until);
        }
    }
    panic!("{what}: turns on the spot");
}

fn asks(ask: Ask, step: &Step) -> bool {
    matches!(step, Step::Ask { ask: asked, .. } if *asked == ask)
}

fn lost_answer() -> Case {
    let mut rig = Rig::new(PolicyConfig::default());
    rig.call();
    Case {
        what: "an answer that does not come",
        at: rig.now.mono + LOST_ANSWER,
        rig,
        has_acted: |rig, _| rig.policy.flight.is_none(),
    }
}

fn lost_car() -> Case {
    let mut rig = Rig::seen(PolicyConfig::default(), LightState::Online, driving());
    rig.pass(MINUTE);
    rig.light(LightState::Online);
    rig.light(LightState::Offline);
    Case {
        what: "a drive out of reach",
        at: rig.now.mono + 15 * MINUTE,
        rig,
        has_acted: |rig, _| rig.policy.state() == State::Unreachable,
    }
}

fn failed_wake() -> Case {
    let mut rig = Rig::seen(never(), LightState::Asleep, parked());
    rig.hear(PolicyInput::User(User::Woken));
    Case {
        what: "a car that does not wake",
        at: rig.now.mono + MINUTE,
        rig,
        has_acted: |rig, _| rig.policy.events.contains(&Event::WakeFailed),
    }
}

fn scheduled_charge() -> Case {
    let mut rig = Rig::new(never());
    let start = rig.now.later(HOUR).wall;
    rig.light(LightState::Online);
    rig.data(CarRecord {
        charging_state: Some(ChargingState::Stopped),
        scheduled_charging_pending: true,
        scheduled_charging_start: Some(start),
        ..parked()
    });
    rig.light(LightState::Asleep);
    Case {
        what: "a scheduled charge",
        at: rig.now.mono + HOUR + MINUTE,
        rig,
        has_acted: |_, step| asks(Ask::Light, step),
    }
}

fn pushing() -> PolicyConfig {
    PolicyConfig::preset(Preset::Push)
}

/// An awake car that pushes.
fn connected() -> Rig {
    let mut rig = Rig::seen(pushing(), LightState::Online, parked());
    rig.push(Push {
        connected: Some(true),
        ..Push::default()
    });
    // Where the intervals of an idle car do not change any more.
    rig.pass(10 * MINUTE);
    rig.data(parked());
    assert_eq!(rig.status().interval, Some(pushing().idle_light));
    rig
}

fn is_polled(rig: &Rig, _: &Step) -> bool {
    rig.status().interval == Some(PolicyConfig::default().idle_light)
}

fn lost_push_source() -> Case {
    let mut rig = connected();
    rig.hear(PolicyInput::PushLost);
    rig.pass(Duration::from_secs(10));
    // It does not count from the newest attempt on.
    rig.hear(PolicyInput::PushLost);
    Case {
        what: "a source that is away",
        at: rig.now.mono + Duration::from_secs(50),
        rig,
        has_acted: is_polled,
    }
}

fn pushing_car_gone() -> Case {
    let mut rig = connected();
    rig.push(Push {
        connected: Some(false),
        ..Push::default()
    });
    Case {
        what: "a pushing car that is gone",
        at: rig.now.mono + MINUTE,
        rig,
        has_acted: is_polled,
    }
}

fn quiet() -> Case {
    let config = PolicyConfig {
        class: ClassSetting::Held,
        ..PolicyConfig::default()
    };
    let rig = Rig::seen(config, LightState::Online, parked());
    Case {
        what: "a car that nothing holds",
        at: rig.now.mono + 3 * MINUTE,
        rig,
        has_acted: |rig, _| rig.policy.state() == State::Quiet,
    }
}

fn relist() -> Case {
    let mut rig = Rig::seen(never(), LightState::Asleep, parked());
    for _ in 0..3 {
        rig.hear(PolicyInput::Failed {
            ask: Ask::Light,
            failure: Failure::NotFound,
        });
    }
    Case {
        what: "a car that is not found",
        at: rig.now.mono,
        rig,
        has_acted: |_, step| *step == Step::Relist,
    }
}

fn light_call() -> Case {
    let mut rig = Rig::new(PolicyConfig::default());
    rig.call();
    let jitter = rig.policy.memory.calls.light_jitter;
    let asked_at = rig.now.mono;
    rig.light(LightState::Asleep);
    Case {
        what: "the interval of light calls",
        at: asked_at + MINUTE.mul_f64(jitter),
        rig,
        has_acted: |_, step| asks(Ask::Light, step),
    }
}

fn wait_of_a_failure() -> Case {
    let mut rig = Rig::new(PolicyConfig::default());
    rig.call();
    rig.hear(PolicyInput::Failed {
        ask: Ask::Light,
        failure: Failure::Limited {
            retry_after: Some(2 * HOUR),
        },
    });
    let (until, _) = rig.policy.memory.backoffs.until(Ask::Light).expect("one");
    assert!(until > rig.now.mono + HOUR);
    Case {
        what: "the wait that Tesla asked for",
        at: until,
        rig,
        has_acted: |_, step| asks(Ask::Light, step),
    }
}

fn wait_of_the_account() -> Case {
    let mut rig = Rig::seen(never(), LightState::Online, parked());
    rig.hear(PolicyInput::Failed {
        ask: Ask::Data,
        failure: Failure::NotPermitted {
            retry_after: Duration::from_secs(70),
        },
    });
    Case {
        what: "the wait that the account asked for",
        at: rig.now.mono + Duration::from_secs(70),
        rig,
        has_acted: |_, step| asks(Ask::Data, step),
    }
}

fn interval_is(rig: &Rig, wanted: Duration) -> bool {
    rig.status().interval == Some(wanted)
}

fn light_calls_no_longer_modest() -> Case {
    let mut rig = Rig::seen(
        PolicyConfig::preset(Preset::Unmetered),
        LightState::Asleep,
        parked(),
    );
    rig.hear(PolicyInput::Failed {
        ask: Ask::Light,
        failure: Failure::Limited { retry_after: None },
    });
    let limited_at = rig.now.mono;
    rig.pass(23 * HOUR + 59 * MINUTE + Duration::from_secs(40));
    rig.call();
    rig.light(LightState::Asleep);
    assert!(interval_is(&rig, MINUTE));
    Case {
        what: "light calls that were too many a day ago",
        at: limited_at + 24 * HOUR,
        rig,
        has_acted: |rig, _| interval_is(rig, Duration::from_secs(11)),
    }
}

/// Intervals that grow shorter where the presets' grow longer.
fn shorter_later() -> PolicyConfig {
    PolicyConfig {
        idle_early_data: HOUR,
        idle_data: 30 * MINUTE,
        charging_data: MINUTE,
        ..never()
    }
}

fn later_interval_of_an_idle_car() -> Case {
    let rig = Rig::seen(shorter_later(), LightState::Online, parked());
    assert!(interval_is(&rig, CEILING));
    Case {
        what: "two minutes after the last use",
        at: rig.now.mono + 2 * MINUTE,
        rig,
        has_acted: |rig, _| interval_is(rig, HOUR),
    }
}

fn sun_gone() -> Case {
    let mut rig = Rig::seen(shorter_later(), LightState::Online, charging());
    let charged_at = rig.now.mono;
    rig.pass(MINUTE);
    rig.data(CarRecord {
        charging_state: Some(ChargingState::NoPower),
        ..parked()
    });
    Case {
        what: "a charge that the sun has left",
        at: charged_at + 5 * MINUTE,
        rig,
        has_acted: |rig, _| interval_is(rig, HOUR),
    }
}

fn later_interval_of_a_charge() -> Case {
    let rig = Rig::seen(shorter_later(), LightState::Online, charging());
    Case {
        what: "a charge of five minutes",
        at: rig.now.mono + 5 * MINUTE,
        rig,
        has_acted: |rig, _| interval_is(rig, MINUTE),
    }
}

fn habit() -> Case {
    let config = PolicyConfig {
        expected_light: Duration::from_secs(20),
        ..never()
    };
    let mut rig = Rig::seen(config, LightState::Asleep, parked());
    let start = rig.now.later(8 * HOUR).wall;
    rig.policy.memory.habits.started(start);
    rig.pass(7 * HOUR + 45 * MINUTE);
    Case {
        what: "a time at which the car is used to be started",
        at: 7 * HOUR + 50 * MINUTE,
        rig,
        has_acted: |_, step| asks(Ask::Light, step),
    }
}

fn unconfirmed(what: &'static str, shown: CarRecord, after: Duration) -> Case {
    let rig = Rig::seen(never(), LightState::Online, shown);
    assert!(!rig.status().stale);
    Case {
        what,
        at: rig.now.mono + after,
        rig,
        has_acted: |rig, _| rig.status().stale,
    }
}

fn silent_pushes() -> Case {
    let mut config = never();
    config.pushes = true;
    let mut rig = Rig::seen(config, LightState::Online, driving());
    rig.pass(MINUTE);
    rig.push(Push {
        connected: Some(true),
        gear: Some(Gear::D),
        ..Push::default()
    });
    Case {
        what: "a drive without pushes",
        at: rig.now.mono + 10 * MINUTE,
        rig,
        has_acted: |rig, _| rig.status().stale,
    }
}

fn longest_wait() -> Case {
    let mut rig = Rig::seen(PolicyConfig::default(), LightState::Asleep, parked());
    rig.hear(PolicyInput::Removed);
    let longest = PolicyConfig::default().longest_wait();
    let until = rig.now.mono + longest;
    let wait = Step::Wait {
        until,
        why: Why::Stopped,
    };
    assert_eq!(rig.next(), wait);
    // A schedule for the day after tomorrow is gone with a calendar that jumps meanwhile.
    rig.policy.memory.charging.scheduled_at = Some(rig.now.later(50 * HOUR).wall);
    assert_eq!(rig.next(), wait);
    rig.at(until);
    rig.now.wall = rig.now.later(52 * HOUR).wall;
    Case {
        what: "a calendar that jumped",
        at: until,
        rig,
        has_acted: |rig, _| rig.policy.memory.charging.scheduled_at.is_none(),
    }
}

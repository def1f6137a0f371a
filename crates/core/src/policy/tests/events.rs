//! What begins is said to end, whatever happens; what goes out of sight is said at once.

use proptest::prelude::*;

use super::*;

/// A car that is known to install an update.
fn installing() -> Rig {
    let mut rig = Rig::seen(PolicyConfig::default(), LightState::Online, parked());
    rig.pass(MINUTE);
    rig.data(updating());
    assert_eq!(rig.policy.state(), State::Updating);
    let started = Event::UpdateStarted {
        version: Some("2026.14".to_owned()),
    };
    assert!(rig.policy.take_events().contains(&started));
    rig
}

fn ends(events: &[Event]) -> Vec<Option<&str>> {
    let ended = events.iter().filter_map(|event| match event {
        Event::UpdateEnded { version } => Some(version.as_deref()),
        _ => None,
    });
    ended.collect()
}

type Deed = fn(&mut Rig);

/// A workshop that takes over in the middle of an installation left it begun for ever, and so did
/// three others that no data tells of.
#[test]
fn an_installation_ends_with_its_state_however_that_came_about() {
    let rows: [(&str, Deed, Option<&str>); 8] = [
        ("data", |rig| rig.data(parked()), Some("2026.8.1 abc")),
        ("a drive", |rig| rig.data(driving()), Some("2026.8.1 abc")),
        (
            "service by data",
            |rig| rig.data(at_service()),
            Some("2026.8.1 abc"),
        ),
        (
            "service by a light call",
            |rig| rig.service_light(LightState::Online, true),
            None,
        ),
        (
            "service by a refusal",
            |rig| {
                rig.hear(PolicyInput::Failed {
                    ask: Ask::Data,
                    failure: Failure::InService,
                });
            },
            None,
        ),
        ("removed", |rig| rig.hear(PolicyInput::Removed), None),
        (
            "a gear by push",
            |rig| {
                rig.push(Push {
                    gear: Some(Gear::D),
                    ..Push::default()
                });
            },
            None,
        ),
        (
            "out of reach for long",
            |rig| {
                rig.light(LightState::Offline);
                rig.pass(2 * HOUR);
                rig.next();
            },
            None,
        ),
    ];
    for (what, deed, version) in rows {
        for is_restarted in [false, true] {
            let mut rig = installing();
            if is_restarted {
                rig.restart(PolicyConfig::default());
            }
            deed(&mut rig);
            let events = rig.policy.take_events();
            assert_eq!(ends(&events), [version], "{what}: {events:?}");
        }
    }
}

#[test]
fn an_installation_ends_although_the_state_itself_was_lost_in_a_restart() {
    let mut rig = installing();
    rig.policy.memory.machine = phase::StateMachine::default();
    rig.restart(PolicyConfig::default());
    rig.next();
    assert_eq!(ends(&rig.policy.take_events()), [None]);
}

/// Data alone tells of some services. Each look at such a car showed it online before the answer
/// came, every ten minutes where calls are free.
#[test]
fn a_look_at_a_car_whose_service_only_data_tells_of_does_not_change_its_state() {
    let mut rig = Rig::new(PolicyConfig::preset(Preset::Unmetered));
    let (mut n_looks, mut changes) = (0, Vec::new());
    while rig.now.mono < 3 * HOUR {
        match rig.next() {
            Step::Ask {
                ask: Ask::Light, ..
            } => rig.light(LightState::Online),
            Step::Ask { ask: Ask::Data, .. } => {
                n_looks += 1;
                rig.data(at_service());
            }
            Step::Relist => {}
            Step::Wait { until, .. } => rig.at(until),
        }
        let events = rig.policy.take_events();
        changes.extend(events.into_iter().filter_map(|event| match event {
            Event::StateChanged { to, .. } => Some(to),
            _ => None,
        }));
    }
    assert_eq!(changes, [State::Waking, State::InService]);
    assert!((15..25).contains(&n_looks), "{n_looks}");
    // The end is seen by the next look, and the car counts as used just now.
    while rig.call() == Ask::Light {
        rig.light(LightState::Online);
    }
    rig.data(parked());
    assert_eq!(rig.policy.state(), State::Idle);
    assert_eq!(rig.status().interval, Some(Duration::from_secs(15)));
}

/// A light call that once told of the service tells of its end, too.
#[test]
fn a_service_that_a_light_call_tells_of_ends_with_the_next_one_that_does_not() {
    let mut rig = Rig::seen(PolicyConfig::default(), LightState::Online, parked());
    rig.pass(MINUTE);
    rig.service_light(LightState::Online, true);
    assert_eq!(rig.policy.state(), State::InService);
    for _ in 0..5 {
        assert_eq!(rig.call(), Ask::Light);
        rig.service_light(LightState::Online, true);
    }
    rig.restart(PolicyConfig::default());
    assert_eq!(rig.call(), Ask::Light);
    rig.light(LightState::Online);
    assert_eq!(rig.policy.state(), State::Waking);
}

/// While the owner's pause hid the state, a drive that was over was told of at its end alone.
#[test]
fn what_goes_out_of_sight_is_said_at_once_whatever_hides_the_state() {
    let rows: [(&str, Deed); 3] = [
        ("in the open", |_| {}),
        ("paused", |rig| rig.hear(PolicyInput::User(User::Pause))),
        ("signed out", |rig| {
            rig.hear(PolicyInput::Failed {
                ask: Ask::Light,
                failure: Failure::SignedOut,
            });
        }),
    ];
    for (what, hide) in rows {
        let mut rig = Rig::seen(PolicyConfig::default(), LightState::Online, parked());
        rig.pass(MINUTE);
        hide(&mut rig);
        rig.policy.take_events();
        rig.push(Push {
            asleep: Some(true),
            ..Push::default()
        });
        let events = rig.policy.take_events();
        assert!(events.contains(&Event::OutOfSight), "{what}: {events:?}");
    }
}

/// A car whose service only data told of was driven; then a light call or a refusal told of the
/// service as well, no look came any more, and the drive had no end until the service had.
#[test]
fn a_service_that_another_source_confirms_hides_what_looks_had_shown() {
    let rows: [(&str, Deed); 2] = [
        ("a light call", |rig| {
            rig.service_light(LightState::Online, true);
        }),
        ("a refusal", |rig| {
            rig.hear(PolicyInput::Failed {
                ask: Ask::Data,
                failure: Failure::InService,
            });
        }),
    ];
    for (what, confirm) in rows {
        let mut rig = Rig::seen(PolicyConfig::default(), LightState::Online, at_service());
        rig.pass(MINUTE);
        rig.policy.take_events();
        rig.light(LightState::Online);
        rig.data(CarRecord {
            gear: Some(Gear::D),
            ..at_service()
        });
        assert_eq!(rig.policy.state(), State::InService, "{what}");
        assert_eq!(rig.policy.take_events(), [], "{what}");
        confirm(&mut rig);
        assert_eq!(rig.policy.take_events(), [Event::OutOfSight], "{what}");
        rig.pass(MINUTE);
        rig.service_light(LightState::Online, true);
        rig.pass(MINUTE);
        rig.policy.take_events();
        rig.service_light(LightState::Online, true);
        assert_eq!(rig.policy.take_events(), [], "{what}: said once");
    }
}

/// The looks at a car at service were counted as calls that a short budget cannot spare, although
/// it spaces them out.
#[test]
fn only_the_first_look_at_a_car_at_service_and_a_wanted_one_are_for_a_change() {
    let mut rig = Rig::seen(PolicyConfig::default(), LightState::Online, parked());
    rig.pass(MINUTE);
    rig.hear(PolicyInput::Failed {
        ask: Ask::Data,
        failure: Failure::InService,
    });
    let look = |rig: &mut Rig| loop {
        match rig.next() {
            Step::Ask {
                ask: Ask::Light, ..
            } => rig.light(LightState::Online),
            Step::Ask { purpose, .. } => {
                rig.data(at_service());
                return purpose;
            }
            Step::Relist => {}
            Step::Wait { until, .. } => rig.at(until),
        }
    };
    let looks = [(); 3].map(|()| look(&mut rig));
    assert_eq!(looks, [Purpose::Change, Purpose::Parked, Purpose::Parked]);
    rig.hear(PolicyInput::User(User::Refresh));
    assert_eq!(look(&mut rig), Purpose::Change);
}

#[derive(Debug, Clone)]
enum Act {
    Pass(u64),
    Hear(PolicyInput),
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    let word = prop_oneof![
        Just(LightState::Online),
        Just(LightState::Asleep),
        Just(LightState::Offline),
        Just(LightState::Unknown),
    ];
    let light = (word, any::<bool>()).prop_map(|(state, in_service)| Light { state, in_service });
    let record = prop_oneof![
        1 => Just(parked()),
        1 => Just(driving()),
        1 => Just(charging()),
        1 => Just(at_service()),
        3 => Just(updating()),
    ];
    let failure = prop_oneof![
        Just(Failure::Unavailable),
        Just(Failure::Transport),
        Just(Failure::SignedOut),
        Just(Failure::InService),
        Just(Failure::NotFound),
    ];
    let push = (
        proptest::option::of(prop_oneof![Just(Gear::P), Just(Gear::D)]),
        proptest::option::of(any::<bool>()),
    );
    let user = prop_oneof![
        Just(User::Refresh),
        Just(User::Woken),
        Just(User::LetSleep),
        Just(User::Pause),
        Just(User::Resume),
    ];
    let input = prop_oneof![
        3 => light.prop_map(PolicyInput::Light),
        6 => record.prop_map(|record| PolicyInput::Data(Box::new(record))),
        1 => failure.prop_map(|failure| PolicyInput::Failed { ask: Ask::Data, failure }),
        1 => push.prop_map(|(gear, asleep)| PolicyInput::Push(Push { gear, asleep, ..Push::default() })),
        1 => user.prop_map(PolicyInput::User),
        1 => Just(PolicyInput::Removed),
        1 => Just(PolicyInput::Listed),
        1 => Just(PolicyInput::SignedIn),
    ];
    prop_oneof![
        2 => (0_u64..4000).prop_map(Act::Pass),
        8 => input.prop_map(Act::Hear),
        1 => Just(Act::Restart),
    ]
}

/// What a reader of the events believes.
#[derive(Default)]
struct Reader {
    is_updating: bool,
    state: Option<State>,
}

impl Reader {
    fn take(&mut self, events: Vec<Event>) -> Result<(), TestCaseError> {
        for event in events {
            match event {
                Event::UpdateStarted { .. } => {
                    prop_assert!(!self.is_updating, "a second start");
                    self.is_updating = true;
                }
                Event::UpdateEnded { .. } => {
                    prop_assert!(self.is_updating, "an end without a start");
                    self.is_updating = false;
                }
                Event::StateChanged { from, to, .. } => {
                    prop_assert_ne!(from, to);
                    prop_assert!(
                        self.state.is_none_or(|state| state == from),
                        "a gap in the diary"
                    );
                    self.state = Some(to);
                }
                Event::OutOfSight | Event::LetSleepRefused { .. } | Event::WakeFailed => {}
            }
        }
        Ok(())
    }
}

proptest! {
    /// Whatever happens in whatever order, over restarts too: starts and ends alternate, a state is
    /// left as the one that was entered, and once the car sleeps nothing is left begun.
    #[test]
    fn starts_and_ends_come_in_pairs(acts in proptest::collection::vec(act(), 1..80)) {
        let mut rig = Rig::new(PolicyConfig::default());
        let mut reader = Reader::default();
        for act in acts {
            match act {
                Act::Pass(seconds) => {
                    rig.pass(Duration::from_secs(seconds));
                    rig.next();
                }
                Act::Hear(input) => rig.hear(input),
                Act::Restart => rig.restart(PolicyConfig::default()),
            }
            reader.take(rig.policy.take_events())?;
            let is_updating = rig.policy.memory.machine.is_updating();
            prop_assert_eq!(reader.is_updating, is_updating);
        }
        rig.light(LightState::Asleep);
        rig.pass(2 * HOUR);
        rig.next();
        reader.take(rig.policy.take_events())?;
        prop_assert!(!reader.is_updating, "begun for ever");
    }
}

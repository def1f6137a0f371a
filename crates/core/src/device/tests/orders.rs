//! No order of events leaves a device without an answer.

use proptest::prelude::*;

use super::*;
use crate::policy::Budget;

#[derive(Debug, Clone)]
enum DeviceStep {
    Input(Input),
    Observe(Vec<Observation>),
    Poll,
}

fn device_step() -> impl Strategy<Value = DeviceStep> {
    let class = || prop_oneof![Just(Ask::Light), Just(Ask::Data)];
    let failure = prop_oneof![
        Just(Failure::Unavailable),
        Just(Failure::Transport),
        Just(Failure::Server),
        Just(Failure::Limited { retry_after: None }),
        Just(Failure::SignedOut),
        Just(Failure::MissingScope),
        Just(Failure::NotFound),
        Just(Failure::Region),
    ];
    let word = prop_oneof![
        Just("online"),
        Just("asleep"),
        Just("offline"),
        Just(""),
        Just("waking")
    ];
    let gear = prop_oneof![Just("P"), Just("D"), Just("R"), Just(""), Just("X")];
    let verb = prop_oneof![
        Just(Verb::Refresh),
        Just(Verb::Pause),
        Just(Verb::Resume),
        Just(Verb::LetSleep),
        Just(Verb::Hint)
    ];
    let input = prop_oneof![
        4 => (class(), failure, any::<bool>()).prop_map(|(class, failure, is_contact)| {
            Input::Failed { class, failure, is_contact }
        }),
        2 => (class(), 0..4000_u64).prop_map(|(class, s)| Input::NotPermitted {
            class,
            retry_after: Duration::from_secs(s),
        }),
        1 => Just(Input::Listed),
        1 => Just(Input::Removed),
        1 => Just(Input::SignedIn),
        1 => Just(Input::SignedOut),
        1 => Just(Input::MonthRolled),
        1 => Just(Input::BudgetChanged),
        1 => any::<f64>().prop_map(|factor| Input::Budget(Budget { factor })),
        1 => Just(Input::Owner(User::Woken)),
        1 => Just(Input::Hint),
        2 => (verb, any::<u32>()).prop_map(|(verb, ms)| Input::Command(Command {
            verb,
            reply: Reply { topic: "t/x/result".into(), id: None },
            came_at: Duration::from_millis(ms.into()),
        })),
        1 => Just(Input::PushLost),
        2 => any::<bool>().prop_map(|is_up| Input::Broker { is_up }),
        1 => Just(Input::HomeAssistantStarted),
        1 => Just(Input::UnavailableAfter(Duration::ZERO)),
    ];
    prop_oneof![
        3 => input.prop_map(DeviceStep::Input),
        2 => word.prop_map(|word| DeviceStep::Observe(light(word))),
        1 => Just(DeviceStep::Observe(seen(Source::List, &[("state", Value::Text("online".into()))]))),
        1 => gear.clone().prop_map(|gear| DeviceStep::Observe(seen(
            Source::Push,
            &[("drive_state.shift_state", Value::Text(gear.to_owned()))],
        ))),
        3 => (any::<i64>(), gear).prop_map(|(level, gear)| DeviceStep::Observe(data(level, gear))),
        1 => Just(DeviceStep::Observe(Vec::new())),
        6 => Just(DeviceStep::Poll),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever happens, in whatever order: what is to be done ends in a wait for a later time, and
    /// no topic is deleted by an empty payload.
    #[test]
    fn every_order_of_events_ends_in_a_wait(
        deeds in proptest::collection::vec((device_step(), 0..900_000_u64, -9000..9000_i64), 1..60),
        clock_speed in prop_oneof![Just(1.0), Just(60.0)],
    ) {
        let config = Config { clock_speed: ClockSpeed::times(clock_speed), ..config() };
        let mut declared = Declared::default();
        let mut device = Device::car(&vin(), config, Saved::default(), 7, start());
        let mut now = start();
        for (device_step, ms, jump_s) in deeds {
            now = now.later(Duration::from_millis(ms));
            now.wall = now.wall.saturating_add(jiff::SignedDuration::from_secs(jump_s)).unwrap();
            match device_step {
                DeviceStep::Input(input) => device.handle(input, now),
                DeviceStep::Observe(mut seen) => {
                    for seen in &mut seen {
                        seen.at = now.wall;
                    }
                    device.observe(&seen, now);
                }
                DeviceStep::Poll => {}
            }
            let mut n_outputs = 0;
            loop {
                n_outputs += 1;
                prop_assert!(n_outputs < 200, "no wait");
                match device.poll(now) {
                    Output::Wait { until, .. } => {
                        prop_assert!(until > now.mono);
                        break;
                    }
                    Output::Declare(declaration) => declared.take_in(declaration),
                    Output::Publish(messages) => {
                        prop_assert!(!messages.is_empty());
                        declared.check(&messages);
                        for message in messages {
                            if let Publish::State { topic, payload } = message {
                                prop_assert!(!payload.is_empty(), "{topic} is empty");
                            }
                        }
                    }
                    Output::Save => {
                        let saved = device.saved(now);
                        prop_assert!(serde_json::to_vec(&saved).is_ok());
                    }
                    Output::Call(_) | Output::Abandon(_) | Output::Relist => {}
                }
            }
        }
    }
}

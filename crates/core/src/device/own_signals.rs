//! What the bridge itself knows of a device, as signals: the policy's status in the catalogue's
//! words.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Observation, Signal, Source, Value};
use crate::policy::Status;

/// The status as an observation of the bridge's own; `last_data_at` is when data last came whole.
pub(super) fn observation(
    status: &Status,
    last_data_at: Option<Timestamp>,
    at: Timestamp,
) -> Observation {
    let next_poll = status.next_poll_at;
    let holds: Vec<&str> = status.holds.iter().map(|hold| hold.word()).collect();
    let holds = if holds.is_empty() {
        "none".to_owned()
    } else {
        holds.join(",")
    };
    let mut signals = vec![
        text("bridge.state", status.state.published()),
        whole("bridge.state_since", Some(status.since.as_second())),
        whole("bridge.next_poll", next_poll.map(Timestamp::as_second)),
        text("bridge.why", status.why.word()),
        whole("bridge.polling_interval", status.interval.map(seconds)),
        text("bridge.holds", &holds),
        (
            Signal::new("bridge.healthy"),
            Some(Value::Bool(status.problem.is_none() && !status.stale)),
        ),
        (
            Signal::new("bridge.class"),
            status.class.word().map(|word| Value::Text(word.to_owned())),
        ),
        text("bridge.belief", status.belief.word()),
        whole("bridge.time_to_sleep", status.time_to_sleep.map(seconds)),
        (
            Signal::new("bridge.last_sleep"),
            status.last_sleep_in_quiet.map(last_sleep),
        ),
        // In whole minutes, or the topic would never rest.
        whole("bridge.awake_today", Some(seconds(status.awake_today) / 60)),
        whole(
            "bridge.light_calls_today",
            Some(status.light_calls_today.into()),
        ),
        whole(
            "bridge.data_calls_today",
            Some(status.data_calls_today.into()),
        ),
    ];
    if let Some(at) = last_data_at {
        signals.push(whole("bridge.last_update", Some(at.as_second())));
    }
    Observation {
        source: Source::Bridge,
        at,
        whole_groups: Vec::new(),
        signals,
    }
}

fn last_sleep(in_quiet: bool) -> Value {
    let word = if in_quiet { "left_alone" } else { "by_itself" };
    Value::Text(word.to_owned())
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn text(path: &str, word: &str) -> (Signal, Option<Value>) {
    (Signal::new(path), Some(Value::Text(word.to_owned())))
}

fn whole(path: &str, number: Option<i64>) -> (Signal, Option<Value>) {
    (Signal::new(path), number.map(Value::Int))
}

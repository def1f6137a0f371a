//! What the owner's automations may say to the bridge: `<base>/<car>/command/<name>`.
//!
//! Only words that never wake a car and never cost more than a look: the policy decides what it
//! makes of them. Whoever can write to the broker can write here, so topic and payload may be
//! anything; what is not understood is answered, and nothing of it is lost on the way to a
//! reason. Knows nothing of brokers and tasks.

mod flood;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

pub use self::flood::{Admission, Flood};
use crate::model::DeviceId;
use crate::outbox::level::is_legal_topic;
use crate::policy::{Event, PolicyInput, Problem, State, Status, User};

/// A payload beyond this is not read.
const PAYLOAD_MAX: usize = 4096;
/// An `id` beyond this, as JSON, is not given back.
const ID_MAX: usize = 256;
/// So much of an unknown name stands in the answer.
const NAME_MAX: usize = 40;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Look at the car now.
    Refresh,
    /// Stop asking for data.
    Pause,
    /// End of the pause.
    Resume,
    /// Leave the car alone so that it falls asleep.
    LetSleep,
    /// Something is about to happen: the garage opens, the wallbox starts.
    Hint,
}

/// The names on the topic.
pub const VERBS: &[(&str, Verb)] = &[
    ("refresh", Verb::Refresh),
    ("pause", Verb::Pause),
    ("resume", Verb::Resume),
    ("let_sleep", Verb::LetSleep),
    ("hint", Verb::Hint),
];

impl Verb {
    /// The policy's word for it.
    pub fn input(self) -> PolicyInput {
        match self {
            Self::Refresh => PolicyInput::User(User::Refresh),
            Self::Pause => PolicyInput::User(User::Pause),
            Self::Resume => PolicyInput::User(User::Resume),
            Self::LetSleep => PolicyInput::User(User::LetSleep),
            Self::Hint => PolicyInput::Hint,
        }
    }

    /// Whether it is taken up, as far as the car's status before it tells.
    pub fn admitted(self, before: &Status) -> Result<(), String> {
        let refused = |why: &str| Err(why.to_owned());
        match (self, before.state, before.problem) {
            (Self::Pause | Self::Resume, _, _) => Ok(()),
            (_, _, Some(Problem::Removed)) => refused("the car is on no account's list"),
            (_, State::AuthLost, _) => refused("signed out"),
            (Self::Refresh, State::Asleep, _) => refused("asleep"),
            (Self::Refresh, State::Unreachable, _) => refused("offline"),
            (Self::Refresh, State::Paused, _) => refused("paused"),
            _ => Ok(()),
        }
    }
}

/// The policy's own refusal, in words.
pub fn refusal(events: &[Event]) -> Option<String> {
    events.iter().find_map(|event| match event {
        Event::LetSleepRefused { state, holds } if holds.is_empty() => {
            Some(format!("the car is {}", state.published()))
        }
        Event::LetSleepRefused { holds, .. } => {
            let holds: Vec<&str> = holds.iter().map(|hold| hold.word()).collect();
            Some(format!("kept awake by {}", holds.join(", ")))
        }
        _ => None,
    })
}

/// Where and as what a command is answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The answer's topic.
    pub topic: String,
    /// The caller's own name for the command, given back as it came.
    pub id: Option<Json>,
}

impl Reply {
    /// The answer: `ok`, `reason` (null when taken up), `ms` since the command came, `id`.
    pub fn payload(&self, outcome: &Result<(), String>, ms: u64) -> String {
        let answer = json!({
            "ok": outcome.is_ok(),
            "reason": outcome.as_ref().err(),
            "ms": ms,
            "id": self.id,
        });
        answer.to_string()
    }
}

/// A command that is understood.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnerCommand {
    /// For this device.
    pub device: DeviceId,
    /// This.
    pub verb: Verb,
    /// Answered so.
    pub reply: Reply,
}

/// A message that is no command.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Answered so; `None` where no answer is possible.
    pub reply: Option<Reply>,
    /// The device that was meant, if it is one of ours.
    pub device: Option<DeviceId>,
    /// Why, for the sender.
    pub reason: String,
}

/// Reads a message. `devices` are the devices by their topic level: alias or id.
pub fn parse(
    topic: &str,
    payload: &[u8],
    base: &str,
    devices: &BTreeMap<&str, DeviceId>,
) -> Result<OwnerCommand, Refusal> {
    let levels = topic
        .strip_prefix(base)
        .and_then(|rest| rest.strip_prefix('/'))
        .map(|rest| rest.split('/').collect::<Vec<_>>());
    let Some([level, "command", name]) = levels.as_deref() else {
        return Err(Refusal {
            reply: None,
            device: None,
            reason: format!("not a command: expected {base}/<car>/command/<name>"),
        });
    };
    let device = devices.get(level).cloned();
    let topic = format!("{topic}/result");
    let id = id(payload);
    let is_answerable = is_legal_topic(&topic);
    let reply = |id| is_answerable.then_some(Reply { topic, id });
    let id = match id {
        Ok(id) => id,
        Err(reason) => {
            let (reply, reason) = (reply(None), reason.to_owned());
            return Err(Refusal {
                reply,
                device,
                reason,
            });
        }
    };
    let verb = VERBS.iter().find(|(known, _)| known == name);
    match (device, verb, reply(id)) {
        (Some(device), Some((_, verb)), Some(reply)) => Ok(OwnerCommand {
            device,
            verb: *verb,
            reply,
        }),
        (None, _, reply) => Err(Refusal {
            reply,
            device: None,
            reason: "no such car: expected the VIN or alias of a car that is followed".to_owned(),
        }),
        (device, _, reply) => {
            let name: String = name.chars().take(NAME_MAX).collect();
            let known: Vec<&str> = VERBS.iter().map(|(known, _)| *known).collect();
            let reason = format!("no command {name:?}: expected {}", known.join(", "));
            Err(Refusal {
                reply,
                device,
                reason,
            })
        }
    }
}

/// The `id` of a payload that is a JSON object; any other payload has none.
fn id(payload: &[u8]) -> Result<Option<Json>, &'static str> {
    if payload.len() > PAYLOAD_MAX {
        return Err("the payload is longer than 4096 bytes");
    }
    let Ok(Json::Object(mut members)) = serde_json::from_slice(payload) else {
        return Ok(None);
    };
    match members.remove("id") {
        None | Some(Json::Null) => Ok(None),
        Some(id) if id.to_string().len() > ID_MAX => Err("the id is longer than 256 bytes"),
        Some(id) => Ok(Some(id)),
    }
}

#[cfg(test)]
mod tests;

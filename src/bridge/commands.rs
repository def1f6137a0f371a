//! Commands on their way from the broker to a car's task: who is meant, whether it is too much,
//! and how it is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock;
use crate::command::{self, Flood, OwnerCommand, Pace, Reply};
use crate::config::Settings;
use crate::device::Command;
use crate::model::Vin;
use crate::mqtt::{Incoming, Subscription};
use crate::outbox::Publish;

/// What is to be done about a message.
#[derive(Debug)]
pub enum CommandRead {
    /// Hand it to a car's task.
    HandOver(Vin, Command),
    /// Answer it at once.
    Answer(Publish),
    /// Nothing.
    Nothing,
}

/// Reads messages as commands.
#[derive(Debug, Default)]
pub struct CommandReader {
    flood: Flood,
    warned_of_retained: bool,
}

/// Where commands arrive; nowhere, unless they are enabled.
pub fn subscription(settings: &Settings) -> Option<Subscription> {
    let filter = format!("{}/+/command/+", settings.mqtt.base_topic);
    settings
        .commands
        .enabled
        .then(|| Subscription::commands(filter))
}

impl CommandReader {
    /// Reads a message that is about one of these cars, or about none.
    pub fn read<'a>(
        &mut self,
        message: &Incoming,
        settings: &'a Settings,
        cars: impl Iterator<Item = &'a Vin>,
    ) -> CommandRead {
        if !settings.commands.enabled {
            return CommandRead::Nothing;
        }
        if message.retain {
            // It would be carried out again at every start.
            if !std::mem::replace(&mut self.warned_of_retained, true) {
                let topic = message.topic.escape_debug();
                tracing::warn!(%topic, "a retained message is no command; publish it without the retain flag, and remove this one (only the first is named)");
            }
            return CommandRead::Nothing;
        }
        let came_at = clock::uptime();
        let alias = |vin| settings.cars.get(vin)?.alias.as_deref();
        let levels: BTreeMap<&str, &Vin> = cars
            .map(|vin| (alias(vin).unwrap_or(vin.as_str()), vin))
            .collect();
        let base = &settings.mqtt.base_topic;
        let parsed = command::parse(&message.topic, &message.payload, base, &levels);
        let vin = match &parsed {
            Ok(command) => Some(&command.vin),
            Err(refusal) => refusal.vin.as_ref(),
        };
        let pace = self.flood.pace(vin, came_at);
        let (reply, reason) = match (pace, parsed) {
            (Pace::Drop, _) => return CommandRead::Nothing,
            (Pace::Take, Ok(OwnerCommand { vin, verb, reply })) => {
                let command = Command {
                    verb,
                    reply,
                    came_at,
                };
                return CommandRead::HandOver(vin, command);
            }
            (Pace::Refuse, Ok(command)) => {
                let reason = "too many commands within a second".to_owned();
                (Some(command.reply), reason)
            }
            (_, Err(refusal)) => (refusal.reply, refusal.reason),
        };
        tracing::debug!(%reason, "a command was refused");
        match reply {
            Some(reply) => CommandRead::Answer(answer(&reply, &Err(reason), came_at)),
            None => CommandRead::Nothing,
        }
    }
}

/// The answer to a command that came at this uptime.
pub fn answer(reply: &Reply, outcome: &Result<(), String>, came_at: Duration) -> Publish {
    let took = clock::uptime().saturating_sub(came_at);
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Publish::Event {
        topic: reply.topic.clone(),
        payload: reply.payload(outcome, ms).into(),
    }
}

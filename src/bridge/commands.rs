//! Commands on their way from the broker to a device's task: who is meant, whether it is too much,
//! and how it is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use super::publishing::alias;
use crate::clock;
use crate::command::{self, Admission, Flood, OwnerCommand, Reply};
use crate::config::Settings;
use crate::device::Command;
use crate::model::DeviceId;
use crate::mqtt::{Incoming, Subscription};
use crate::outbox::Publish;

/// What is to be done about a message.
#[derive(Debug)]
pub(super) enum CommandRead {
    /// Hand it to a device's task.
    HandOver(DeviceId, Command),
    /// Answer it at once.
    Answer(Publish),
    /// Nothing.
    Nothing,
}

/// Reads messages as commands.
#[derive(Debug, Default)]
pub(super) struct CommandReader {
    flood: Flood,
    warned_of_retained: bool,
}

/// Where commands arrive; nowhere, unless they are enabled.
pub(super) fn subscription(settings: &Settings) -> Option<Subscription> {
    let filter = format!("{}/+/command/+", settings.mqtt.base_topic);
    settings
        .commands
        .enabled
        .then(|| Subscription::commands(filter))
}

impl CommandReader {
    /// Reads a message that is about one of these devices, or about none.
    pub(super) fn read<'a>(
        &mut self,
        message: &Incoming,
        settings: &'a Settings,
        devices: impl Iterator<Item = &'a DeviceId>,
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
        let levels: BTreeMap<&str, DeviceId> = devices
            .map(|id| (alias(settings, id).unwrap_or(id.as_str()), id.clone()))
            .collect();
        let base = &settings.mqtt.base_topic;
        let parsed = command::parse(&message.topic, &message.payload, base, &levels);
        let device = match &parsed {
            Ok(command) => Some(&command.device),
            Err(refusal) => refusal.device.as_ref(),
        };
        let admission = self.flood.admit(device, came_at);
        let (reply, reason) = match (admission, parsed) {
            (Admission::Drop, _) => return CommandRead::Nothing,
            (Admission::Take, Ok(command)) => {
                let OwnerCommand {
                    device,
                    verb,
                    reply,
                } = command;
                let command = Command {
                    verb,
                    reply,
                    came_at,
                };
                return CommandRead::HandOver(device, command);
            }
            (Admission::Refuse, Ok(command)) => {
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
pub(super) fn answer(reply: &Reply, outcome: &Result<(), String>, came_at: Duration) -> Publish {
    let took = clock::uptime().saturating_sub(came_at);
    let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Publish::Event {
        topic: reply.topic.clone(),
        payload: reply.payload(outcome, ms).into(),
    }
}

//! Commands on their way from the broker to a car's task: who is meant, whether it is too much,
//! and how it is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock;
use crate::command::{self, Admission, Flood, OwnerCommand, Reply};
use crate::config::Settings;
use crate::device::Command;
use crate::model::{DeviceId, Vin};
use crate::mqtt::{Incoming, Subscription};
use crate::outbox::Publish;

/// What a message comes to.
#[derive(Debug)]
pub(super) enum Heard {
    /// For a car's task.
    Command(DeviceId, Command),
    /// To be answered at once.
    Answer(Publish),
    /// Nothing.
    Nothing,
}

/// The ear.
#[derive(Debug, Default)]
pub(super) struct Orders {
    flood: Flood,
    told_retained: bool,
}

/// What is listened to for commands: nothing, unless they are enabled.
pub(super) fn subscription(settings: &Settings) -> Option<Subscription> {
    let filter = format!("{}/+/command/+", settings.mqtt.base_topic);
    settings
        .commands
        .enabled
        .then(|| Subscription::commands(filter))
}

impl Orders {
    /// Reads a message that is about one of these cars, or about none.
    pub(super) fn hear<'a>(
        &mut self,
        message: &Incoming,
        settings: &'a Settings,
        cars: impl Iterator<Item = &'a Vin>,
    ) -> Heard {
        if !settings.commands.enabled {
            return Heard::Nothing;
        }
        if message.retain {
            // It would be carried out again at every start.
            if !std::mem::replace(&mut self.told_retained, true) {
                let topic = message.topic.escape_debug();
                tracing::warn!(%topic, "a retained message is no command; publish it without the retain flag, and remove this one (only the first is named)");
            }
            return Heard::Nothing;
        }
        let came_at = clock::uptime();
        let alias = |vin| settings.cars.get(vin)?.alias.as_deref();
        let levels: BTreeMap<&str, DeviceId> = cars
            .map(|vin| (alias(vin).unwrap_or(vin.as_str()), vin.into()))
            .collect();
        let base = &settings.mqtt.base_topic;
        let parsed = command::parse(&message.topic, &message.payload, base, &levels);
        let device = match &parsed {
            Ok(command) => Some(&command.device),
            Err(refusal) => refusal.device.as_ref(),
        };
        let admission = self.flood.admit(device, came_at);
        let (reply, reason) = match (admission, parsed) {
            (Admission::Drop, _) => return Heard::Nothing,
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
                return Heard::Command(device, command);
            }
            (Admission::Refuse, Ok(command)) => {
                let reason = "too many commands within a second".to_owned();
                (Some(command.reply), reason)
            }
            (_, Err(refusal)) => (refusal.reply, refusal.reason),
        };
        tracing::debug!(%reason, "a command was refused");
        match reply {
            Some(reply) => Heard::Answer(answer(&reply, &Err(reason), came_at)),
            None => Heard::Nothing,
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

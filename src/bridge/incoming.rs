//! What comes in from the broker: Home Assistant's birth message, and commands.

use std::time::Duration;

use super::Bridge;
use super::commands::{self, CommandRead};
use super::device_task::DeviceMessage;
use crate::config::Settings;
use crate::device::Input;
use crate::mqtt::{Incoming, Subscription};
use crate::outbox::Publish;
use crate::rng;

/// What the bridge listens to.
pub(super) fn subscriptions(settings: &Settings) -> Vec<Subscription> {
    let home = &settings.homeassistant;
    let birth = home
        .enabled
        .then(|| Subscription::plain(home.status_topic.clone()));
    birth
        .into_iter()
        .chain(commands::subscription(settings))
        .collect()
}

impl Bridge {
    /// A message came.
    pub(super) async fn receive(&mut self, message: &Incoming) {
        let home = &self.settings.homeassistant;
        let is_birth =
            message.topic == home.status_topic && message.payload == home.status_online.as_bytes();
        if !is_birth {
            return self.command(message).await;
        }
        // A stored one comes with each connection, which has everything said again anyway.
        if message.retain {
            return;
        }
        if self.birth.as_ref().is_some_and(|due| !due.is_finished()) {
            return;
        }
        self.publisher.birth();
        for id in self.devices.keys() {
            self.send(id, DeviceMessage::Input(Input::HomeAssistantStarted));
        }
        tracing::info!("Home Assistant started, saying everything again");
        let mqtt = self.mqtt.clone();
        let cancel = self.cancel.clone();
        // Not at once: many bridges answer the same birth.
        let pause = Duration::from_secs(1) + Duration::from_secs(2).mul_f64(rng::share());
        let answer = tokio::spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(pause) => mqtt.publish(Publish::Everything).await,
            }
        });
        self.birth = Some(answer.abort_handle());
    }

    async fn command(&mut self, message: &Incoming) {
        let read = self
            .commands
            .read(message, &self.settings, self.devices.keys());
        let answer = match read {
            CommandRead::Nothing => return,
            CommandRead::Answer(answer) => answer,
            CommandRead::HandOver(id, command) => {
                let Some(device) = self.devices.get(&id) else {
                    return;
                };
                let message = DeviceMessage::Input(Input::Command(command));
                let Err(unsent) = device.inbox.try_send(message) else {
                    return;
                };
                let DeviceMessage::Input(Input::Command(command)) = unsent.into_inner() else {
                    return;
                };
                let refused = Err("the bridge is busy with this car".to_owned());
                commands::answer(&command.reply, &refused, command.came_at)
            }
        };
        self.mqtt.publish(answer).await;
    }
}

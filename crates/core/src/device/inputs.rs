//! What happens to a device that is no value: calls that fail, what the account and the broker say,
//! what the owner wants, a changed configuration.

use std::time::Duration;

use super::poll::{CommandReply, InFlight};
use super::{Command, Device, Input, LastContact};
use crate::command;
use crate::model::Now;
use crate::policy::{Ask, Failure, PolicyInput, User};

/// A light call that takes longer, in real time, is not waited for when somebody wants a look.
const HUNG_AFTER: Duration = Duration::from_millis(2500);

impl Device {
    /// Something happened that is no value. Whatever it is, in whatever order, [`Device::poll`] has
    /// an answer afterwards.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::Failed {
                class,
                failure,
                is_contact,
            } => {
                self.in_flight.take_if(|flight| flight.call.class == class);
                if is_contact {
                    self.contact = LastContact::at(now);
                }
                let ask = class;
                self.policy
                    .handle(now, PolicyInput::Failed { ask, failure });
            }
            Input::NotPermitted { class, retry_after } => {
                self.in_flight.take_if(|flight| flight.call.class == class);
                let failure = Failure::NotPermitted { retry_after };
                let ask = class;
                self.policy
                    .handle(now, PolicyInput::Failed { ask, failure });
            }
            Input::Listed => self.policy.handle(now, PolicyInput::Listed),
            Input::Removed => self.policy.handle(now, PolicyInput::Removed),
            Input::SignedIn => self.policy.handle(now, PolicyInput::SignedIn),
            Input::SignedOut => {
                let failed = PolicyInput::Failed {
                    ask: Ask::Light,
                    failure: Failure::SignedOut,
                };
                self.policy.handle(now, failed);
            }
            Input::MonthRolled => self.policy.handle(now, PolicyInput::MonthRolled),
            Input::BudgetChanged => self.policy.handle(now, PolicyInput::BudgetChanged),
            Input::Budget(budget) => self.policy.handle(now, PolicyInput::Budget(budget)),
            Input::PushLost => self.policy.handle(now, PolicyInput::PushLost),
            Input::Owner(user) => self.wanted(PolicyInput::User(user), now),
            Input::Hint => self.wanted(PolicyInput::Hint, now),
            Input::Command(command) => self.command(command, now),
            Input::Broker { is_up } => {
                if let Some(publisher) = &mut self.publisher {
                    publisher.announcement.connection(is_up);
                }
            }
            Input::HomeAssistantStarted => {
                if let Some(publisher) = &mut self.publisher {
                    publisher.announcement.birth();
                }
            }
            Input::PolicyChanged(config) => {
                self.trips.set_drive_grace(config.drive_grace);
                self.policy.reconfigure(now, *config);
            }
            Input::UnavailableAfter(after) => self.unavailable_after = after,
            Input::TariffChanged(tariff) => self.tariff = *tariff,
        }
        self.collect_events(now);
    }

    /// A person or an automation wants something. Who wants a look does not wait for a light call
    /// that hangs; a data call is billed and waited for.
    fn wanted(&mut self, input: PolicyInput, now: Now) {
        let is_look = matches!(input, PolicyInput::Hint | PolicyInput::User(User::Refresh));
        let light = |flight: &&mut InFlight| flight.call.class == Ask::Light;
        if is_look && let Some(flight) = self.in_flight.as_mut().filter(light) {
            let hung_at = flight
                .since
                .saturating_add(self.clock_speed.mono(HUNG_AFTER));
            flight.abandon_at = Some(hung_at);
        }
        self.policy.handle(now, input);
    }

    /// A sleeping car is looked at with a light call even where the answer is no.
    fn command(&mut self, command: Command, now: Now) {
        let Command {
            verb,
            reply,
            came_at,
        } = command;
        let admitted = verb.admitted(&self.policy.status(now));
        self.collect_events(now);
        let n_before = self.events.len();
        self.wanted(verb.input(), now);
        self.collect_events(now);
        let told = self.events.get(n_before..).unwrap_or_default();
        let outcome = admitted.and_then(|()| command::refusal(told).map_or(Ok(()), Err));
        self.answers.push_back(CommandReply {
            reply,
            outcome,
            came_at,
        });
    }
}

//! One device, whole: its values, when to ask for new ones, its drives and charges, what is
//! published of it and what is kept over restarts. A plain value without I/O and without a clock,
//! so that the bridge, the estimate and the tests drive the same thing:
//!
//! * [`Device::observe`] is the one way in for values, whatever the source;
//! * [`Device::handle`] takes in everything else that happens;
//! * [`Device::poll`] says what to do next, until there is nothing to do but to wait.
//!
//! In reading order: `interface` what a device and its runner exchange, `config` how it is followed,
//! `call` a call and its bill, `policy_input` what the policy reads from values, `inputs` what else
//! happens, `poll` the round from a decision to a wait, `publishing` what is published in it,
//! `publisher`, `own_signals` and `events` how that is said, `availability` whether the device can
//! be known at all, `saved` what is kept, `view` what readers see.

mod availability;
mod call;
mod config;
pub mod events;
mod inputs;
mod interface;
mod own_signals;
mod policy_input;
mod poll;
mod publisher;
mod publishing;
mod saved;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use self::availability::LastContact;
pub use self::call::{Answers, Call, Denied, Limit};
pub use self::config::{Config, Publishing, Saving};
pub use self::interface::{Command, Input, Output};
use self::poll::{CommandReply, InFlight, PollStage};
use self::publisher::Publisher;
pub use self::publisher::Values;
pub use self::saved::{Parts, Saved};
pub use self::view::View;
pub use crate::model::ClockSpeed;
use crate::model::{DeviceId, DeviceKind, Now, Observation, Source, Vehicle, Vin};
use crate::policy::{Ask, Event, Policy, PolicyInput, State, Status};
use crate::trips::{Finding, Tariff, Trips};

/// What nobody reads does not pile up.
const KEPT_NOTES: usize = 64;

/// Something for the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// The policy tells of it.
    Event(Event),
    /// The trips found it.
    Found(Finding),
    /// Tesla used a word that the catalogue does not list: `charging_state: Calibrating`.
    UnlistedWord(String),
}

/// One device.
#[derive(Debug, Clone)]
pub struct Device {
    vehicle: Vehicle,
    policy: Policy,
    trips: Trips,
    tariff: Tariff,
    contact: LastContact,
    unavailable_after: Duration,
    last_data_at: Option<Timestamp>,
    /// The call that is made as soon as what it stands on is saved.
    due: Option<Call>,
    in_flight: Option<InFlight>,
    /// Answers to commands, given as soon as what they promise is saved.
    answers: VecDeque<CommandReply>,
    /// What happened and is not published yet.
    events: Vec<Event>,
    found: Vec<Finding>,
    notes: Vec<Note>,
    publisher: Option<Publisher>,
    saving: Saving,
    is_unsaved: bool,
    save_at: Duration,
    poll_stage: PollStage,
    clock_speed: ClockSpeed,
    view: Arc<View>,
}

impl Device {
    /// A car as an earlier run left it; [`Saved::default`] is a car about which nothing is known.
    /// The seed spreads its calls: any number will do, but not the same for every device.
    pub fn car(vin: &Vin, config: Config, mut saved: Saved, seed: u64, now: Now) -> Self {
        saved.trips.set_drive_grace(config.policy.drive_grace);
        let policy = match saved.policy.take() {
            Some(snapshot) => Policy::restore(config.policy, vin, snapshot, now),
            None => Policy::new(config.policy, vin, seed, now),
        };
        let contact = match saved.contact {
            Some(contact) => LastContact::restore(contact, now),
            None => LastContact::at(now),
        };
        let vehicle = saved.vehicle.unwrap_or_else(|| Vehicle::new(vin.clone()));
        let publisher = config
            .publishing
            .map(|publishing| Publisher::new(publishing, &vehicle, config.clock_speed));
        Self {
            vehicle,
            policy,
            trips: saved.trips,
            tariff: config.tariff,
            contact,
            unavailable_after: config.unavailable_after,
            last_data_at: None,
            due: None,
            in_flight: None,
            answers: VecDeque::new(),
            events: Vec::new(),
            found: Vec::new(),
            notes: Vec::new(),
            publisher,
            saving: config.saving,
            is_unsaved: false,
            save_at: now.mono.saturating_add(config.saving.every),
            poll_stage: PollStage::Decide,
            clock_speed: config.clock_speed,
            view: Arc::new(View::new(DeviceId::from(vin), DeviceKind::Car)),
        }
    }

    /// Values of one source, seen together: an answer (which ends the call under way), the
    /// account's list, a push. The one way in.
    pub fn observe(&mut self, seen: &[Observation], now: Now) {
        let Some(source) = seen.first().map(|first| first.source) else {
            return;
        };
        self.vehicle.not_after(now);
        for seen in seen {
            self.vehicle.apply(seen);
        }
        match source {
            Source::Light => self.answered(Ask::Light, now),
            Source::Data => {
                self.answered(Ask::Data, now);
                self.last_data_at = Some(now.wall);
                self.trips.not_after(now);
                let found = self.trips.note(&self.vehicle, &self.tariff);
                self.found(found, now);
            }
            Source::List | Source::Push | Source::Bridge => {}
        }
        if let Some(input) = policy_input::of(seen, &self.vehicle) {
            if let PolicyInput::Push(push) = &input {
                let gear = push.gear;
                let found = self.trips.pushed(gear, push.charging_state, now.wall);
                self.found(found, now);
            }
            self.policy.handle(now, input);
        }
        self.collect_events(now);
    }

    fn answered(&mut self, class: Ask, now: Now) {
        self.contact = LastContact::at(now);
        self.in_flight.take_if(|flight| flight.call.class == class);
    }

    fn collect_events(&mut self, now: Now) {
        for event in self.policy.take_events() {
            if event == Event::OutOfSight {
                let over = self.trips.out_of_sight(now.wall, &self.tariff);
                self.found(over, now);
            }
            self.note(Note::Event(event.clone()));
            self.events.push(event);
        }
    }

    /// What the trips found, and their figures with it.
    fn found(&mut self, found: Vec<Finding>, now: Now) {
        for finding in &found {
            self.note(Note::Found(finding.clone()));
        }
        self.found.extend(found);
        self.vehicle.apply(&self.trips.observation(now.wall));
    }

    fn note(&mut self, note: Note) {
        if self.notes.len() >= KEPT_NOTES {
            self.notes.remove(0);
        }
        self.notes.push(note);
    }

    /// Everything that must survive a restart, as of now.
    pub fn saved(&self, now: Now) -> Saved {
        Saved {
            policy: Some(self.policy.snapshot(now)),
            vehicle: Some(self.vehicle.clone()),
            trips: self.trips.clone(),
            contact: Some(self.contact.time(now)),
        }
    }

    /// What happened since the last time of asking, oldest first; nobody asking loses the oldest.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// The device as it was last published.
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// What the policy believes.
    pub fn status(&self, now: Now) -> Status {
        self.policy.status(now)
    }

    /// Whether a limit of Tesla's keeps a call from being made now.
    pub fn is_limited(&self, now: Now) -> bool {
        self.policy.is_limited(now)
    }

    /// The policy's state.
    pub fn state(&self) -> State {
        self.policy.state()
    }
}

#[cfg(test)]
mod tests;

//! What is published of a device at the end of a round: its values with what the policy and the trips
//! say of it, whether it is available, events, and the view for readers.

use std::sync::Arc;

use super::{Device, Note, View, events, own_signals};
use crate::catalogue;
use crate::model::{Now, Vehicle};
use crate::policy::{Problem, State, Status};
use crate::trips::Finding;

impl Device {
    /// Takes up what happened since the last round.
    pub(super) fn begin_to_publish(&mut self, now: Now) {
        let events = std::mem::take(&mut self.events);
        let found = std::mem::take(&mut self.found);
        if self.publisher.is_none() {
            return;
        }
        let status = self.policy.status(now);
        let own = own_signals::observation(&status, self.last_data_at, now.wall);
        self.vehicle.apply(&own);
        if has_stopped(&self.vehicle, &status, &found)
            && let Some(end) = self.vehicle.end_of_drive()
        {
            self.vehicle.apply(&end);
        }
        let is_available = self.is_available(&status, now);
        let is_removed = status.problem == Some(Problem::Removed);
        let Some(publisher) = &mut self.publisher else {
            return;
        };
        publisher.begin(&self.vehicle, is_available, is_removed);
        let told = events.iter().filter_map(events::message);
        for (name, payload) in told.chain(found.iter().filter_map(Finding::event)) {
            publisher.event(name, &payload);
        }
    }

    /// Once all is said.
    pub(super) fn renew_view(&mut self, now: Now) {
        let status = self.policy.status(now);
        let is_available = self.is_available(&status, now);
        let Some(publisher) = &mut self.publisher else {
            return;
        };
        let oddities = publisher.oddities();
        let view = View {
            id: self.view.id.clone(),
            kind: self.view.kind,
            name: catalogue::name(&self.vehicle).map(str::to_owned),
            state: status.state.published(),
            why: status.why,
            next_call_at: status.next_poll_at.map(catalogue::seconds),
            is_available,
            values: Arc::clone(publisher.values()),
            last_drive: self.trips.last_drive().cloned(),
            last_charge: self.trips.last_charge().cloned(),
        };
        if *self.view != view {
            self.view = Arc::new(view);
        }
        for word in oddities {
            self.note(Note::UnlistedWord(word));
        }
    }
}

/// A drive ends when data shows it, or without: the car sleeps, or has been out of reach for long.
fn has_stopped(car: &Vehicle, status: &Status, found: &[Finding]) -> bool {
    let of_drive = |found: &&Finding| matches!(found, Finding::Drive(_) | Finding::DriveStarted(_));
    matches!(status.state, State::Asleep | State::Unreachable)
        || car.text("state") == Some("asleep")
        || matches!(found.iter().rev().find(of_drive), Some(Finding::Drive(_)))
}

//! What the simulated car really does, whoever follows it.

use std::time::Duration;

use jiff::Timestamp;
use tesla2mqtt::policy::State;
use tesla2mqtt::sim::{Car, LifeEvent};

use super::Rig;

impl Rig {
    pub fn n_refused(&self) -> u64 {
        self.car.truth().data_refused
    }

    pub fn n_user_wakes(&self) -> u64 {
        self.n_user_wakes
    }

    pub fn awake_hours(&self) -> f64 {
        self.car.truth().awake.as_secs_f64() / 3600.0
    }

    /// When the car really did something for the nth time, since the rig's start.
    pub fn truly(&self, event: LifeEvent, nth: usize) -> Option<Duration> {
        let events = self.car.events().iter();
        let mut times = events.filter(|(_, of)| *of == event).map(|(at, _)| *at);
        let at = times.nth(nth)?;
        Duration::try_from(at.duration_since(self.start)).ok()
    }

    /// All that the car really did, since the rig's start.
    pub fn true_events(&self) -> Vec<(Duration, LifeEvent)> {
        self.since_start(&self.car)
    }

    /// The same of the car that nobody asked anything.
    pub fn unpolled_events(&self) -> Vec<(Duration, LifeEvent)> {
        self.since_start(&self.unpolled)
    }

    fn since_start(&self, car: &Car) -> Vec<(Duration, LifeEvent)> {
        let since = |at: Timestamp| Duration::try_from(at.duration_since(self.start));
        let events = car.events().iter();
        events
            .filter_map(|(at, event)| Some((since(*at).ok()?, *event)))
            .collect()
    }

    /// From each true start to its being seen.
    pub fn delays(&self, event: LifeEvent, state: State) -> Vec<Duration> {
        (0..)
            .map_while(|nth| self.truly(event, nth))
            .map(|at| {
                self.entered(state, at)
                    .map_or(Duration::MAX, |seen| seen - at)
            })
            .collect()
    }
}

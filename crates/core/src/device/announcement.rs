//! What Home Assistant is told of a device, and when: after the values, and at a distance that is
//! kept in real time, whatever the speed of a demo.

use std::collections::VecDeque;
use std::time::Duration;

use super::{ClockSpeed, Output};
use crate::discovery::{self, AnnounceStep, Announced, Announcer, Setup};
use crate::model::{Now, Vehicle};
use crate::outbox::Publish;
use crate::retained::Declaration;
use crate::topics::{self, Paths};

/// A discovery message takes longer to draw up than all values; these go out first.
const VALUES_FIRST: Duration = Duration::from_millis(50);
/// A wait that ends by rounding before it is over goes on for so long.
const LEAST_WAIT: Duration = Duration::from_millis(1);
/// When nothing is left to say.
const NEVER: Duration = Duration::MAX;

/// A device's discovery message.
#[derive(Debug, Clone)]
pub(super) struct Announcement {
    /// `None` where Home Assistant is not to be told anything.
    announcer: Option<Announcer>,
    setup: Setup,
    clock_speed: ClockSpeed,
    /// Uptime from which the message is drawn up anew: something that it may hold has changed.
    redraw_at: Option<Duration>,
    is_connected: bool,
    /// What belongs to one message, in this order.
    next: VecDeque<Output>,
    next_at: Duration,
}

impl Announcement {
    /// After a run that told Home Assistant of `announced`.
    pub(super) fn new(
        is_enabled: bool,
        announced: Announced,
        setup: Setup,
        clock_speed: ClockSpeed,
    ) -> Self {
        Self {
            announcer: is_enabled.then(|| Announcer::new(announced)),
            setup,
            clock_speed,
            redraw_at: Some(Duration::ZERO),
            is_connected: false,
            next: VecDeque::new(),
            next_at: NEVER,
        }
    }

    /// What Home Assistant knows.
    pub(super) fn announced(&self) -> &Announced {
        static NOTHING: Announced = Announced::NOTHING;
        self.announcer
            .as_ref()
            .map_or(&NOTHING, Announcer::announced)
    }

    /// The topic of the message, where there is to be one.
    pub(super) fn topic(&self, car: &Vehicle) -> Option<String> {
        let is_enabled = self.announcer.is_some();
        is_enabled.then(|| discovery::device_topic(&self.setup.prefix, &car.id()))
    }

    /// Home Assistant has started.
    pub(super) fn birth(&mut self) {
        if let Some(announcer) = &mut self.announcer {
            announcer.birth();
        }
    }

    /// The broker is there, or not.
    pub(super) fn connection(&mut self, is_up: bool) {
        self.is_connected = is_up;
    }

    /// Values have changed that the message may depend on.
    pub(super) fn values_changed(&mut self, now: Now) {
        let due = self.clock_speed.real(now).mono.saturating_add(VALUES_FIRST);
        self.redraw_at.get_or_insert(due);
    }

    /// Monotonic time of the next message, as of the last [`Announcement::next`] without one.
    pub(super) fn next_at(&self) -> Duration {
        self.next_at
    }

    /// The next message that is due, if there is one, with what is declared before and after it.
    pub(super) fn next(&mut self, car: &Vehicle, paths: &Paths, now: Now) -> Option<Output> {
        if let Some(output) = self.next.pop_front() {
            return Some(output);
        }
        self.next_at = NEVER;
        let announcer = self.announcer.as_mut()?;
        let real = self.clock_speed.real(now);
        let is_due = self.redraw_at.take_if(|at| *at <= real.mono).is_some();
        // What Home Assistant knows stays while nothing is known of the car.
        let would_forget =
            !announcer.announced().components.is_empty() && !topics::has_answered(car);
        if is_due && !would_forget {
            if let Some(slug) = &announcer.announced().slug {
                self.setup.entity_prefixes.keep(&car.id(), slug);
            }
            announcer.offer(real, discovery::car(car, paths, &self.setup));
        }
        // The runner asks again when the connection changes.
        announcer.connection(real, self.is_connected);
        let next_at = match announcer.next(real) {
            AnnounceStep::Publish {
                topic,
                payload,
                may_know,
            } => {
                let known = |announced| {
                    let topic = topic.clone();
                    Output::Declare(Declaration::Announced { topic, announced })
                };
                let (before, after) = (known(may_know), known(announcer.announced().clone()));
                let message = Publish::State { topic, payload };
                self.next = [Output::Publish(vec![message]), after].into();
                return Some(before);
            }
            AnnounceStep::Wait(until) => until,
            AnnounceStep::Idle => NEVER,
        };
        let next_at = next_at.min(self.redraw_at.unwrap_or(NEVER));
        let least = now.mono.saturating_add(LEAST_WAIT);
        self.next_at = self.clock_speed.mono(next_at).max(least);
        None
    }
}

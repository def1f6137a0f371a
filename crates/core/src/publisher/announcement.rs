//! What Home Assistant is told of a device or of the bridge, and when: after the values, and at a
//! distance that is kept in real time, whatever the speed of a demo.

use std::collections::VecDeque;
use std::time::Duration;

use super::Publication;
use crate::discovery::{AnnounceStep, Announced, Announcer, Message};
use crate::model::{ClockSpeed, Now};
use crate::outbox::Publish;
use crate::retained::Declaration;

/// A discovery message takes longer to draw up than all values; these go out first.
const VALUES_FIRST: Duration = Duration::from_millis(50);
/// A wait that ends by rounding before it is over goes on for so long.
const LEAST_WAIT: Duration = Duration::from_millis(1);
/// When nothing is left to say.
const NEVER: Duration = Duration::MAX;

/// A discovery message.
#[derive(Debug, Clone)]
pub(crate) struct Announcement {
    /// `None` where Home Assistant is not to be told anything.
    announcer: Option<Announcer>,
    clock_speed: ClockSpeed,
    /// Uptime from which the message is drawn up anew: something that it may hold has changed.
    redraw_at: Option<Duration>,
    is_connected: bool,
    /// What belongs to one message, in this order.
    next: VecDeque<Publication>,
    next_at: Duration,
}

impl Announcement {
    /// After a run that told Home Assistant of `announced`.
    pub(crate) fn new(is_enabled: bool, announced: Announced, clock_speed: ClockSpeed) -> Self {
        Self {
            announcer: is_enabled.then(|| Announcer::new(announced)),
            clock_speed,
            redraw_at: Some(Duration::ZERO),
            is_connected: false,
            next: VecDeque::new(),
            next_at: NEVER,
        }
    }

    /// What Home Assistant knows.
    pub(crate) fn announced(&self) -> &Announced {
        static NOTHING: Announced = Announced::NOTHING;
        self.announcer
            .as_ref()
            .map_or(&NOTHING, Announcer::announced)
    }

    /// Whether Home Assistant is to be told anything.
    pub(crate) fn is_enabled(&self) -> bool {
        self.announcer.is_some()
    }

    /// Home Assistant has started.
    pub(crate) fn birth(&mut self) {
        if let Some(announcer) = &mut self.announcer {
            announcer.birth();
        }
    }

    /// The broker is there, or not.
    pub(crate) fn connection(&mut self, is_up: bool) {
        self.is_connected = is_up;
    }

    /// Values have changed that the message may depend on.
    pub(crate) fn values_changed(&mut self, now: Now) {
        let due = self.clock_speed.real(now).mono.saturating_add(VALUES_FIRST);
        self.redraw_at.get_or_insert(due);
    }

    /// What the message holds is not what it was: it is drawn up anew at once.
    pub(crate) fn redraw(&mut self) {
        self.redraw_at = Some(Duration::ZERO);
    }

    /// Monotonic time of the next message, as of the last [`Announcement::next`] without one.
    pub(crate) fn next_at(&self) -> Duration {
        self.next_at
    }

    /// The next message that is due, if there is one, with what is declared before and after it.
    /// `draw` draws it up, by what Home Assistant knows; `None` leaves it as it is.
    pub(crate) fn next(
        &mut self,
        now: Now,
        draw: impl FnOnce(&Announced) -> Option<Message>,
    ) -> Option<Publication> {
        if let Some(publication) = self.next.pop_front() {
            return Some(publication);
        }
        self.next_at = NEVER;
        let announcer = self.announcer.as_mut()?;
        let real = self.clock_speed.real(now);
        let is_due = self.redraw_at.take_if(|at| *at <= real.mono).is_some();
        if is_due && let Some(message) = draw(announcer.announced()) {
            announcer.offer(real, message);
        }
        // Who runs the publisher asks again when the connection changes.
        announcer.connection(real, self.is_connected);
        let next_at = match announcer.next(real) {
            AnnounceStep::Publish {
                topic,
                payload,
                may_know,
            } => {
                let known = |announced| {
                    let topic = topic.clone();
                    Publication::Declare(Declaration::Announced { topic, announced })
                };
                let (before, after) = (known(may_know), known(announcer.announced().clone()));
                let message = Publish::State { topic, payload };
                self.next = [Publication::Publish(vec![message]), after].into();
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

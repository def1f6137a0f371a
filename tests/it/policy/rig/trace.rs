//! What happened, written down, and what a test asks about it.

use std::time::Duration;

use tesla2mqtt::device::{Call, Input};
use tesla2mqtt::model::CarRecord;
use tesla2mqtt::policy::{Ask, Event, Failure, Light, Push, State};
use tesla2mqtt::trips::Finding;

use super::Rig;

/// One line of the trace.
#[derive(Debug, Clone)]
pub struct TraceLine {
    /// Since the rig's start, whatever the clocks say.
    pub at: Duration,
    /// The policy's state after it.
    pub state: State,
    pub what: Happening,
}

#[derive(Debug, Clone)]
pub enum Happening {
    /// A call was made.
    Asked(Call),
    /// By a light call.
    Answered(Light),
    /// By a data call, with what the car shows.
    Served(Box<CarRecord>),
    Failed(Ask, Failure),
    /// Something that is no value.
    Heard(Input),
    Pushed(Push),
    /// The account's list shows the car.
    OnList(Light),
    Told(Event),
    Found(Finding),
    /// The process was killed, or its host fell asleep.
    Down,
    /// The host woke.
    Up,
    Restarted,
}

impl Rig {
    /// When calls of a kind were made, from a time on.
    pub fn asks_from(&self, from: Duration, class: Ask) -> Vec<Duration> {
        let calls = self.calls(class).map(|(at, _)| at);
        calls.filter(|at| *at >= from).collect()
    }

    /// Calls of a kind, with their times.
    pub fn calls(&self, class: Ask) -> impl DoubleEndedIterator<Item = (Duration, &Call)> {
        let lines = self.trace.iter();
        lines.filter_map(move |line| match &line.what {
            Happening::Asked(call) if call.class == class => Some((line.at, call)),
            _ => None,
        })
    }

    pub fn n_light(&self) -> usize {
        self.calls(Ask::Light).count()
    }

    pub fn n_data(&self) -> usize {
        self.calls(Ask::Data).count()
    }

    pub fn events(&self) -> impl Iterator<Item = (Duration, &Event)> {
        self.trace.iter().filter_map(|line| match &line.what {
            Happening::Told(event) => Some((line.at, event)),
            _ => None,
        })
    }

    /// What the trips found.
    pub fn found(&self) -> impl Iterator<Item = (Duration, &Finding)> {
        self.trace.iter().filter_map(|line| match &line.what {
            Happening::Found(found) => Some((line.at, found)),
            _ => None,
        })
    }

    pub fn n_found(&self, is: impl Fn(&Finding) -> bool) -> usize {
        self.found().filter(|(_, found)| is(found)).count()
    }

    pub fn n_events(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.events().filter(|(_, event)| is(event)).count()
    }

    /// The diary: each state entered, with its time.
    pub fn diary(&self) -> Vec<(Duration, State)> {
        let entered = |(at, event): (Duration, &Event)| match event {
            Event::StateChanged { to, .. } => Some((at, *to)),
            _ => None,
        };
        self.events().filter_map(entered).collect()
    }

    /// When a state was first entered at or after a time.
    pub fn entered(&self, state: State, from: Duration) -> Option<Duration> {
        self.diary()
            .into_iter()
            .find(|(at, to)| *at >= from && *to == state)
            .map(|(at, _)| at)
    }

    /// A picture for the message of a failed assertion.
    pub fn story(&self) -> String {
        self.story_until(self.at)
    }

    /// The same of a time in the middle.
    pub fn story_until(&self, end: Duration) -> String {
        use std::fmt::Write as _;
        let mut story = String::new();
        let before = self.trace.iter().rev().filter(|line| line.at <= end);
        for line in before.take(60).collect::<Vec<_>>().into_iter().rev() {
            let seconds = line.at.as_secs_f64();
            let what = match &line.what {
                Happening::Asked(call) => format!("asked {:?}", call.class),
                Happening::Served(view) => {
                    format!("served {:?} {:?}", view.gear, view.charging_state)
                }
                what => format!("{what:?}"),
            };
            let _ = writeln!(story, "{seconds:>10.1} {:<11} {what}", line.state);
        }
        story
    }

    pub(super) fn write_down(&mut self, what: Happening) {
        let line = TraceLine {
            at: self.at,
            state: self.state(),
            what,
        };
        self.trace.push(line);
    }
}

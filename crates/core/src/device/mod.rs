//! One device, whole: its values, when to ask for new ones, its drives and charges, what is
//! published of it and what is kept over restarts. A plain value without I/O and without a clock,
//! so that the bridge, the estimate and the tests drive the same thing:
//!
//! * [`Device::observe`] is the one way in for values, whatever the source;
//! * [`Device::handle`] takes in everything else that happens;
//! * [`Device::poll`] says what to do next, until there is nothing to do but to wait.
//!
//! In reading order: `interface` the words, `call` a call and its bill, `heard` what the policy
//! reads from values, `publisher`, `announcement`, `own_signals` and `events` what is said of it,
//! `last_contact` whether it can be known at all, `saved` what is kept, `view` what readers see.

mod announcement;
mod call;
mod clock_speed;
pub mod events;
mod heard;
mod interface;
mod last_contact;
mod own_signals;
mod publisher;
mod saved;
mod view;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use self::call::{Answers, Call, Denied, Limit};
pub use self::clock_speed::ClockSpeed;
pub use self::interface::{Command, Input, Output};
use self::last_contact::LastContact;
use self::publisher::Publisher;
pub use self::publisher::Values;
pub use self::saved::{Parts, Saved};
pub use self::view::View;
use crate::catalogue;
use crate::command::{self, Reply};
use crate::compat::teslamate::TeslaMateTopics;
use crate::decode::vehicle_data::{ENDPOINTS, LOCATION};
use crate::discovery::{Announced, Setup};
use crate::model::{DeviceId, DeviceKind, Now, Observation, Source, Vehicle, Vin};
use crate::outbox::Publish;
use crate::policy::{self, Ask, Event, Policy, PolicyConfig, Problem, State, Status, Step, Why};
use crate::topics::Paths;
use crate::trips::{Finding, Tariff, Trips};

/// A light call that takes longer, in real time, is not waited for when somebody wants a look.
const HUNG_AFTER: Duration = Duration::from_millis(2500);
/// The answer of a call is lost after this, in real time. Longer than any time-out of the runner.
const LOST_AFTER: Duration = Duration::from_mins(5);
/// A wait is never shorter.
const LEAST_WAIT: Duration = Duration::from_micros(1);
/// What nobody reads does not pile up.
const KEPT_NOTES: usize = 64;

/// How a device is followed and published.
#[derive(Debug, Clone)]
pub struct Config {
    /// When to ask for what.
    pub policy: PolicyConfig,
    /// What a kilowatt-hour costs.
    pub tariff: Tariff,
    /// Without an answer about it for so long, the device is unavailable.
    pub unavailable_after: Duration,
    /// When what is worth keeping is written.
    pub saving: Saving,
    /// `None`: nothing is published.
    pub publishing: Option<Publishing>,
    /// How fast its clock runs.
    pub clock_speed: ClockSpeed,
}

/// When a device's saved form is written, apart from what a call or an answer stands on, which is
/// written before it.
#[derive(Debug, Clone, Copy)]
pub struct Saving {
    /// After a change that a kill should not take back.
    pub after: Duration,
    /// Without such a change.
    pub every: Duration,
}

impl Saving {
    /// Writing must not compete with the broker and its readers for the processor, and values that
    /// come again anyway are no reason to write.
    pub const TO_DISK: Self = Self {
        after: Duration::from_millis(100),
        every: Duration::from_mins(5),
    };
    /// Nobody writes.
    pub const NEVER: Self = Self {
        after: Duration::MAX,
        every: Duration::MAX,
    };
}

/// Where and how a device is published.
#[derive(Debug, Clone)]
pub struct Publishing {
    /// Its topics.
    pub paths: Paths,
    /// What all discovery messages have in common.
    pub setup: Setup,
    /// Whether Home Assistant is told at all.
    pub homeassistant: bool,
    /// What an earlier run told it.
    pub announced: Announced,
    /// TeslaMate's topics, too.
    pub teslamate: Option<TeslaMateTopics>,
}

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

#[derive(Debug, Clone)]
struct InFlight {
    call: Call,
    since: Duration,
    /// Somebody wants a look and does not wait for longer.
    abandon_at: Option<Duration>,
}

#[derive(Debug, Clone)]
struct CommandReply {
    reply: Reply,
    outcome: Result<(), String>,
    came_at: Duration,
}

/// Where a round of [`Device::poll`] stands: first what the policy wants, then what is to be said,
/// then what is to be kept, then the wait.
#[derive(Debug, Clone, Copy)]
enum PollStage {
    Decide,
    Publish(PolicyWait),
    Save(PolicyWait),
    Wait(PolicyWait),
}

/// The policy's wait.
#[derive(Debug, Clone, Copy)]
struct PolicyWait {
    decided_at: Duration,
    until: Duration,
    why: Why,
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
        let publisher = config
            .publishing
            .map(|publishing| Publisher::new(publishing, config.clock_speed));
        Self {
            vehicle: saved.vehicle.unwrap_or_else(|| Vehicle::new(vin.clone())),
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
        if let Some(input) = heard::by_policy(seen, &self.vehicle) {
            if let policy::PolicyInput::Push(push) = &input {
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
                    .handle(now, policy::PolicyInput::Failed { ask, failure });
            }
            Input::NotPermitted { class, retry_after } => {
                self.in_flight.take_if(|flight| flight.call.class == class);
                let failure = policy::Failure::NotPermitted { retry_after };
                let ask = class;
                self.policy
                    .handle(now, policy::PolicyInput::Failed { ask, failure });
            }
            Input::Listed => self.policy.handle(now, policy::PolicyInput::Listed),
            Input::Removed => self.policy.handle(now, policy::PolicyInput::Removed),
            Input::SignedIn => self.policy.handle(now, policy::PolicyInput::SignedIn),
            Input::SignedOut => {
                let failed = policy::PolicyInput::Failed {
                    ask: Ask::Light,
                    failure: policy::Failure::SignedOut,
                };
                self.policy.handle(now, failed);
            }
            Input::MonthRolled => self.policy.handle(now, policy::PolicyInput::MonthRolled),
            Input::BudgetChanged => self.policy.handle(now, policy::PolicyInput::BudgetChanged),
            Input::Budget(budget) => self.policy.handle(now, policy::PolicyInput::Budget(budget)),
            Input::PushLost => self.policy.handle(now, policy::PolicyInput::PushLost),
            Input::Owner(user) => self.wanted(policy::PolicyInput::User(user), now),
            Input::Hint => self.wanted(policy::PolicyInput::Hint, now),
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
    fn wanted(&mut self, input: policy::PolicyInput, now: Now) {
        let is_look = matches!(
            input,
            policy::PolicyInput::Hint | policy::PolicyInput::User(policy::User::Refresh)
        );
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

    /// What to do now; to be asked again after each output, until it says to wait.
    pub fn poll(&mut self, now: Now) -> Output {
        loop {
            if let Some(output) = self.promised(now) {
                return output;
            }
            match self.poll_stage {
                PollStage::Decide => {
                    if let Some(output) = self.decide(now) {
                        return output;
                    }
                }
                PollStage::Publish(rest) => {
                    let publisher = self.publisher.as_mut();
                    let output = publisher.and_then(|of| of.next(&self.vehicle, now));
                    if let Some(output) = output {
                        return output;
                    }
                    self.renew_view(now);
                    self.poll_stage = PollStage::Save(rest);
                }
                PollStage::Save(rest) => {
                    self.poll_stage = PollStage::Wait(rest);
                    if self.wants_saving() {
                        let soon = now.mono.saturating_add(self.saving.after);
                        self.save_at = self.save_at.min(soon);
                    }
                    if now.mono >= self.save_at {
                        return self.save(now);
                    }
                }
                PollStage::Wait(rest) => {
                    self.poll_stage = PollStage::Decide;
                    let is_fresh = rest.decided_at == now.mono;
                    if is_fresh || rest.until > now.mono {
                        return self.wait(rest, now);
                    }
                }
            }
        }
    }

    /// What stands on something that is not saved yet: a kill must not take back what was promised,
    /// nor repeat a call that is not to be repeated.
    fn promised(&mut self, now: Now) -> Option<Output> {
        if self.answers.is_empty() && self.due.is_none() {
            return None;
        }
        if self.wants_saving() {
            return Some(self.save(now));
        }
        if let Some(answer) = self.answers.pop_front() {
            return Some(Output::Publish(vec![
                answer.message(self.clock_speed.real(now)),
            ]));
        }
        let call = self.due.take()?;
        self.in_flight = Some(InFlight {
            call: call.clone(),
            since: now.mono,
            abandon_at: None,
        });
        Some(Output::Call(call))
    }

    /// The answer of a call under way is waited for in real time, however fast the device's clock runs.
    fn wait_for_answer(&mut self, now: Now) -> Option<Output> {
        let flight = self.in_flight.as_ref()?;
        let lost_at = flight
            .since
            .saturating_add(self.clock_speed.mono(LOST_AFTER));
        let until = flight.abandon_at.map_or(lost_at, |at| at.min(lost_at));
        if now.mono < until {
            let why = Why::InFlight;
            return Some(Output::Wait { until, why });
        }
        let is_given_up = flight.abandon_at.is_some_and(|at| at <= now.mono);
        is_given_up.then(|| self.abandon(now)).flatten()
    }

    /// What the policy wants. While a call is under way nothing else is said: what it brings is
    /// said with it.
    fn decide(&mut self, now: Now) -> Option<Output> {
        if let Some(waiting) = self.wait_for_answer(now) {
            return Some(waiting);
        }
        let step = self.policy.next(now);
        self.collect_events(now);
        match step {
            Step::Ask {
                ask,
                purpose,
                with_location,
            } => {
                self.due = Some(Call {
                    class: ask,
                    purpose,
                    endpoints: endpoints(ask, with_location),
                });
                None
            }
            Step::Relist => Some(Output::Relist),
            Step::Wait {
                until,
                why: why @ Why::InFlight,
            } => {
                let until = until.max(now.mono + LEAST_WAIT);
                Some(Output::Wait { until, why })
            }
            Step::Wait { until, why } => {
                self.in_flight = None;
                self.begin_to_publish(now);
                self.poll_stage = PollStage::Publish(PolicyWait {
                    decided_at: now.mono,
                    until,
                    why,
                });
                None
            }
        }
    }

    fn abandon(&mut self, now: Now) -> Option<Output> {
        let InFlight { call, .. } = self.in_flight.take()?;
        let input = policy::PolicyInput::Abandoned(call.class);
        self.policy.handle(now, input);
        Some(Output::Abandon(call))
    }

    fn begin_to_publish(&mut self, now: Now) {
        let events = std::mem::take(&mut self.events);
        let found = std::mem::take(&mut self.found);
        let Some(publisher) = &mut self.publisher else {
            return;
        };
        let status = self.policy.status(now);
        let own = own_signals::observation(&status, self.last_data_at, now.wall);
        self.vehicle.apply(&own);
        if has_stopped(&self.vehicle, &status, &found)
            && let Some(end) = self.vehicle.end_of_drive()
        {
            self.vehicle.apply(&end);
        }
        let is_available = is_available(self.contact.age(now), self.unavailable_after, &status);
        let is_removed = status.problem == Some(Problem::Removed);
        publisher.begin(&self.vehicle, is_available, is_removed);
        let told = events.iter().filter_map(events::message);
        for (name, payload) in told.chain(found.iter().filter_map(Finding::event)) {
            publisher.event(name, &payload);
        }
    }

    fn renew_view(&mut self, now: Now) {
        let Some(publisher) = &mut self.publisher else {
            return;
        };
        let oddities = publisher.oddities();
        let status = self.policy.status(now);
        let view = View {
            id: self.view.id.clone(),
            kind: self.view.kind,
            name: catalogue::name(&self.vehicle).map(str::to_owned),
            state: status.state.published(),
            why: status.why,
            next_call_at: status.next_poll_at.map(catalogue::seconds),
            is_available: is_available(self.contact.age(now), self.unavailable_after, &status),
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

    fn wait(&self, rest: PolicyWait, now: Now) -> Output {
        let publisher = self.publisher.as_ref();
        let publish_at = publisher.map_or(Duration::MAX, Publisher::next_at);
        let until = rest.until.min(publish_at).min(self.save_at);
        Output::Wait {
            until: until.max(now.mono.saturating_add(LEAST_WAIT)),
            why: rest.why,
        }
    }

    /// Whether there is something that a kill should not take back.
    fn wants_saving(&mut self) -> bool {
        self.is_unsaved |= self.policy.wants_persisting();
        self.is_unsaved
    }

    fn save(&mut self, now: Now) -> Output {
        self.is_unsaved = false;
        self.save_at = now.mono.saturating_add(self.saving.every);
        Output::Save
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

    /// The policy's state.
    pub fn state(&self) -> State {
        self.policy.state()
    }
}

impl CommandReply {
    fn message(&self, real: Now) -> Publish {
        let took = real.mono.saturating_sub(self.came_at);
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Publish::Event {
            topic: self.reply.topic.clone(),
            payload: self.reply.payload(&self.outcome, ms).into(),
        }
    }
}

fn endpoints(class: Ask, with_location: bool) -> Vec<&'static str> {
    let names = match class {
        Ask::Light => [].as_slice(),
        Ask::Data => ENDPOINTS,
    };
    let wanted = |name: &&'static str| with_location || *name != LOCATION;
    names.iter().copied().filter(wanted).collect()
}

/// Whether the bridge can know the device at all.
fn is_available(without_contact: Duration, unavailable_after: Duration, status: &Status) -> bool {
    without_contact < unavailable_after
        && !matches!(status.problem, Some(Problem::SignedOut | Problem::Removed))
}

/// A drive ends when data shows it, or without: the car sleeps, or has been out of reach for long.
fn has_stopped(car: &Vehicle, status: &Status, found: &[Finding]) -> bool {
    let of_drive = |found: &&Finding| matches!(found, Finding::Drive(_) | Finding::DriveStarted(_));
    matches!(status.state, State::Asleep | State::Unreachable)
        || car.text("state") == Some("asleep")
        || matches!(found.iter().rev().find(of_drive), Some(Finding::Drive(_)))
}

#[cfg(test)]
mod tests;

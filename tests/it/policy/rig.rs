//! The policy, a car and time, without a second of waiting: `run_for` jumps from one call to the
//! next. The rig is the runner: it makes the calls that the policy wants, keeps its snapshots as
//! a disk would, and writes down everything for the guarantees to be checked on.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tesla2mqtt::device::{Answers, Call};
use tesla2mqtt::model::{CarRecord, Now, Vin};
use tesla2mqtt::policy::{
    Ask, ClassSetting, Event, Failure, Governor, GovernorConfig, HoldReason, Light, LightState,
    Policy, PolicyConfig, PolicyInput as Input, Preset, Push, Snapshot, State, Step, User, Why,
};
use tesla2mqtt::sim::{self, Car, CarSpec, Deed, Plan, Segment};
use tesla2mqtt::trips::{Finding, Tariff, Trips};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_mins(1);
pub const HOUR: Duration = Duration::from_hours(1);
pub const DAY: Duration = Duration::from_hours(24);
/// From request to answer.
const LATENCY: Duration = Duration::from_millis(300);
/// A Model 3, about which the VIN says nothing.
pub const VIN: &str = "5YJ3E1EA0JF000001";

pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// One line of the trace.
#[derive(Debug, Clone)]
pub struct Line {
    /// Since the rig's start, whatever the clocks say.
    pub at: Duration,
    /// The policy's state after it.
    pub state: State,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    Asked(Ask),
    Answered(Light),
    /// Data, with what the policy may not know: whether its time was old.
    Served(Box<CarRecord>),
    Failed(Ask, Failure),
    Heard(Input),
    Said(Event),
    Found(Finding),
    /// The process was killed, or its host fell asleep.
    Down,
    /// The host woke.
    Up,
    Restarted,
}

/// A time in which a call fails in one way.
pub struct Fault {
    pub from: Duration,
    pub to: Duration,
    /// `None`: both.
    pub ask: Option<Ask>,
    pub failure: Failure,
}

/// What the car shows instead of the truth, by the time since the rig's start.
pub type Disguise = Box<dyn Fn(Duration, &mut CarRecord)>;

pub struct Rig {
    pub car: Car,
    /// The same car with the same owner, whom nobody asks anything.
    unpolled: Car,
    pub policy: Policy,
    trips: Trips,
    /// The same policy with a calendar that jumps.
    astray: Policy,
    /// A charge is scheduled, and then the calendar counts.
    has_schedule: bool,
    pub config: PolicyConfig,
    pub governor: Option<Governor>,
    account: GovernorConfig,
    pub trace: Vec<Line>,
    pub faults: Vec<Fault>,
    /// The part of all calls that fails at random, and the state of that chance.
    pub chaos: (f64, u64),
    /// Changes what the car shows, by the time since the rig's start.
    pub disguise: Option<Disguise>,
    /// The light call's word, whatever the car does.
    pub word: Option<LightState>,
    /// The calendar's error.
    pub clock_error: SignedDuration,
    pub at: Duration,
    start: Timestamp,
    booted_at: Duration,
    disk: Option<Snapshot>,
    n_user_wakes: u64,
    pub n_relists: u32,
}

/// A car with these deeds, each at its minute, then nothing for years.
pub fn life(deeds: &[(u64, Deed)]) -> CarSpec {
    let segments = deeds.iter().map(|(minute, deed)| Segment {
        start: minutes(*minute),
        deed: deed.clone(),
    });
    spec(Plan::once(segments.collect()))
}

pub fn spec(plan: Plan) -> CarSpec {
    CarSpec {
        battery_level: 50.0,
        ..CarSpec::new(Vin::new(VIN).expect("a VIN"), plan)
    }
}

pub fn drive(minutes: u64) -> Deed {
    #[expect(clippy::cast_precision_loss, reason = "minutes of a drive")]
    Deed::Drive {
        length: Duration::from_secs(minutes * 60),
        km: minutes as f64,
    }
}

pub fn charge(minutes: u64, kw: f64) -> Deed {
    Deed::Charge {
        length: Duration::from_secs(minutes * 60),
        kw,
        dc: kw > 22.0,
        scheduled_in: None,
    }
}

pub fn hold(reason: HoldReason, minutes: u64) -> Deed {
    Deed::Hold {
        reason,
        length: Duration::from_secs(minutes * 60),
    }
}

pub fn dead_zone(minutes: u64) -> Deed {
    Deed::DeadZone {
        length: Duration::from_secs(minutes * 60),
    }
}

pub fn held(spec: CarSpec) -> CarSpec {
    CarSpec { held: true, ..spec }
}

impl Rig {
    pub fn new(preset: Preset, spec: CarSpec) -> Self {
        Self::with(PolicyConfig::preset(preset), spec)
    }

    /// The owner has pinned the class.
    pub fn pinned(preset: Preset, class: ClassSetting, spec: CarSpec) -> Self {
        Self::with(
            PolicyConfig {
                class,
                ..PolicyConfig::preset(preset)
            },
            spec,
        )
    }

    pub fn with(config: PolicyConfig, spec: CarSpec) -> Self {
        let start: Timestamp = "2026-06-01T00:00:00Z".parse().expect("a time");
        let vin = spec.vin.clone();
        let now = Now {
            mono: Duration::ZERO,
            wall: start,
        };
        let policy = Policy::new(config.clone(), &vin, 7, now);
        Self {
            car: Car::new(spec.clone(), start),
            unpolled: Car::new(spec, start),
            astray: policy.clone(),
            policy,
            has_schedule: false,
            config,
            governor: None,
            account: GovernorConfig::metered(),
            trace: Vec::new(),
            faults: Vec::new(),
            chaos: (0.0, 1),
            disguise: None,
            word: None,
            clock_error: SignedDuration::ZERO,
            trips: Trips::default(),
            at: Duration::ZERO,
            start,
            booted_at: Duration::ZERO,
            disk: None,
            n_user_wakes: 0,
            n_relists: 0,
        }
    }

    #[must_use]
    pub fn governed(mut self, config: GovernorConfig) -> Self {
        self.account = config.clone();
        self.governor = Some(Governor::new(config, self.now()));
        self
    }

    /// What the clocks of the process show.
    pub fn now(&self) -> Now {
        Now {
            mono: self.at - self.booted_at,
            wall: self.true_wall() + self.clock_error,
        }
    }

    fn true_wall(&self) -> Timestamp {
        self.start + self.at
    }

    /// What they show where the calendar is set anew every few hours.
    fn now_astray(&self) -> Now {
        let jump = (self.at.as_secs() / 5820).wrapping_mul(2_654_435_761) % (40 * 86_400);
        let now = self.now();
        Now {
            wall: now.wall + Duration::from_secs(jump),
            ..now
        }
    }

    pub fn run_for(&mut self, time: Duration) -> &mut Self {
        let end = self.at + time;
        self.run_until(end)
    }

    pub fn run_until(&mut self, end: Duration) -> &mut Self {
        let mut idle_turns = 0;
        while self.at < end {
            let before = self.at;
            self.turn(end);
            idle_turns = if self.at > before { 0 } else { idle_turns + 1 };
            assert!(
                idle_turns < 20,
                "the policy turns on the spot at {:?}",
                self.at
            );
        }
        self.car.advance(self.true_wall());
        self.unpolled.advance(self.true_wall());
        self
    }

    fn turn(&mut self, end: Duration) {
        let now = self.now();
        if let Some(governor) = &mut self.governor {
            let rolled = governor.month_rolled(now);
            let budget = governor.budget(now);
            if rolled {
                self.hear(Input::MonthRolled);
            }
            self.tell(Input::Budget(budget));
        }
        let step = self.next();
        self.listen();
        match step {
            Step::Ask { ask, purpose, .. } => {
                self.write_down(What::Asked(ask));
                self.call(&Call {
                    class: ask,
                    purpose,
                    endpoints: Vec::new(),
                });
            }
            Step::Relist => self.n_relists += 1,
            Step::Wait { until, why } => {
                assert!(until >= now.mono, "waits for the past ({why:?})");
                let wait = until - now.mono;
                assert!(
                    wait <= self.config.longest_wait(),
                    "waits {wait:?} ({why:?})"
                );
                self.at = (self.at + wait).min(end);
            }
        }
        if self.policy.wants_persisting() {
            let snapshot = self.policy.snapshot(self.now());
            let json = serde_json::to_string(&snapshot).expect("a snapshot is plain data");
            self.disk = Some(serde_json::from_str(&json).expect("and comes back"));
        }
    }

    /// What to do now; where the calendar jumps that is the same (G11), and so is all else that
    /// is no input (G12).
    fn next(&mut self) -> Step {
        let step = self.policy.next(self.now());
        let elsewhere = self.astray.next(self.now_astray());
        self.astray.take_events();
        if step != elsewhere {
            // Habits are of the calendar, and ask a resting car more often, by light calls only.
            let is_habit = matches!(
                self.policy.state(),
                State::Boot | State::Asleep | State::Unreachable
            );
            let calls_data = [&step, &elsewhere]
                .into_iter()
                .any(|step| matches!(step, Step::Ask { ask: Ask::Data, .. }));
            assert!(
                self.has_schedule || (is_habit && !calls_data),
                "G11: {step:?}, and {elsewhere:?} where the calendar jumps\n{}",
                self.story()
            );
            self.astray = self.policy.clone();
        }
        step
    }

    fn tell(&mut self, input: Input) {
        self.policy.handle(self.now(), input.clone());
        self.astray.handle(self.now_astray(), input);
    }

    pub fn reconfigure(&mut self, config: PolicyConfig) {
        self.astray.reconfigure(self.now_astray(), config.clone());
        self.policy.reconfigure(self.now(), config.clone());
        self.config = config;
    }

    fn call(&mut self, call: &Call) {
        let now = self.now();
        let ask = call.class;
        if let Some(governor) = &mut self.governor
            && let Err(denied) = call.permit(governor, now)
        {
            // The call was not made.
            self.trace.pop();
            let retry_after = denied.retry_after;
            self.fail(ask, Failure::NotPermitted { retry_after });
            return;
        }
        let waits = matches!(
            self.policy.next(now),
            Step::Wait {
                why: Why::InFlight,
                ..
            }
        );
        assert!(waits, "asks while a call is under way");
        self.at += LATENCY;
        let wall = self.true_wall();
        let outcome = match self.planned_failure(ask) {
            Some(failure) => Err(failure),
            None => match ask {
                Ask::Light => {
                    let mut light = self.car.light(wall);
                    light.state = self.word.unwrap_or(light.state);
                    Ok(Err(light))
                }
                Ask::Data => match self.car.data(wall) {
                    None => Err(Failure::Unavailable),
                    Some(view) if view.in_service => Err(Failure::InService),
                    Some(view) => Ok(Ok(view.policy_view())),
                },
            },
        };
        let status = match &outcome {
            Ok(_) => Some(200),
            Err(Failure::Transport) => None,
            Err(Failure::Server) => Some(503),
            Err(Failure::Unavailable) => Some(408),
            Err(_) => Some(403),
        };
        let now = self.now();
        if let Some(governor) = &mut self.governor {
            let answers = Answers {
                statuses: status.as_slice(),
                is_lost: status.is_none(),
                limit: None,
            };
            call.bill(governor, now, &answers);
        }
        match outcome {
            Ok(Err(light)) => {
                self.tell(Input::Light(light));
                self.write_down(What::Answered(light));
            }
            Ok(Ok(mut view)) => {
                if let Some(disguise) = &self.disguise {
                    disguise(self.at, &mut view);
                }
                self.has_schedule |= view.scheduled_charging_pending;
                self.tell(Input::Data(Box::new(view.clone())));
                let found = self.trips.look(&view, &Tariff::default());
                self.write_down(What::Served(Box::new(view)));
                self.write_down_found(found);
            }
            Err(failure) => self.fail(ask, failure),
        }
        self.listen();
    }

    fn fail(&mut self, ask: Ask, failure: Failure) {
        self.tell(Input::Failed { ask, failure });
        self.write_down(What::Failed(ask, failure));
    }

    fn planned_failure(&mut self, ask: Ask) -> Option<Failure> {
        let fault = self.faults.iter().find(|fault| {
            (fault.from..fault.to).contains(&self.at) && fault.ask.is_none_or(|of| of == ask)
        });
        if let Some(fault) = fault {
            return Some(fault.failure);
        }
        let (chance, seed) = &mut self.chaos;
        if *chance == 0.0 {
            return None;
        }
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let dice = *seed >> 33;
        #[expect(clippy::cast_precision_loss, reason = "31 bits")]
        let strikes = (dice as f64) / f64::from(1u32 << 31) < *chance;
        strikes.then(|| match dice % 6 {
            5 if ask == Ask::Data => Failure::Unavailable,
            0 => Failure::Server,
            1 => Failure::Limited {
                retry_after: Some(Duration::from_secs(dice % 400)),
            },
            2 => Failure::Limited { retry_after: None },
            3 => Failure::Region,
            _ => Failure::Transport,
        })
    }

    /// Something happens that is no answer.
    pub fn hear(&mut self, input: Input) -> &mut Self {
        self.tell(input.clone());
        let found = match &input {
            Input::Push(push) => {
                self.trips
                    .pushed(push.gear, push.charging_state, self.true_wall())
            }
            _ => Vec::new(),
        };
        self.write_down(What::Heard(input));
        self.write_down_found(found);
        self.listen();
        self
    }

    pub fn push(&mut self, change: impl FnOnce(&mut Push)) -> &mut Self {
        let mut push = Push::default();
        change(&mut push);
        self.hear(Input::Push(push))
    }

    pub fn user(&mut self, user: User) -> &mut Self {
        if user == User::Woken {
            self.n_user_wakes += 1;
            self.car.wake(self.true_wall());
            self.unpolled.wake(self.true_wall());
        }
        self.hear(Input::User(user))
    }

    /// Kills the process; the next one starts after the given time with what the disk has.
    pub fn restart_after(&mut self, down: Duration) -> &mut Self {
        let ledger = self.governor.as_ref().map(|of| of.snapshot(self.now()));
        self.write_down(What::Down);
        self.at += down;
        self.booted_at = self.at;
        let now = self.now();
        let vin = self.car.spec().vin.clone();
        self.policy = match self.disk.clone() {
            Some(snapshot) => Policy::restore(self.config.clone(), &vin, snapshot, now),
            None => Policy::new(self.config.clone(), &vin, 7, now),
        };
        // The calendar is all that tells how long the process was down.
        self.astray = self.policy.clone();
        self.governor = ledger.map(|ledger| Governor::restore(self.account.clone(), ledger, now));
        self.write_down(What::Restarted);
        self
    }

    /// The host sleeps: the calendar goes on, the process's clock does not.
    pub fn suspend_for(&mut self, time: Duration) -> &mut Self {
        self.write_down(What::Down);
        self.at += time;
        self.booted_at += time;
        self.write_down(What::Up);
        self
    }

    fn listen(&mut self) {
        for event in self.policy.take_events() {
            let is_out_of_sight = event.is_out_of_sight();
            self.write_down(What::Said(event));
            if is_out_of_sight {
                let over = self
                    .trips
                    .out_of_sight(self.true_wall(), &Tariff::default());
                self.write_down_found(over);
            }
        }
    }

    fn write_down_found(&mut self, found: Vec<Finding>) {
        for found in found {
            self.write_down(What::Found(found));
        }
    }

    fn write_down(&mut self, what: What) {
        let line = Line {
            at: self.at,
            state: self.policy.state(),
            what,
        };
        self.trace.push(line);
    }

    // What a test asks about.

    pub fn state(&self) -> State {
        self.policy.state()
    }

    /// When calls of a kind were made, from a time on.
    pub fn asks_from(&self, from: Duration, ask: Ask) -> Vec<Duration> {
        let of = |line: &&Line| line.at >= from && matches!(line.what, What::Asked(a) if a == ask);
        self.trace.iter().filter(of).map(|line| line.at).collect()
    }

    pub fn n_light(&self) -> usize {
        self.asks_from(Duration::ZERO, Ask::Light).len()
    }

    pub fn n_data(&self) -> usize {
        self.asks_from(Duration::ZERO, Ask::Data).len()
    }

    /// By the account's own ledger; at a start of the rig on the first of a month that is all.
    pub fn n_billed_data(&self) -> u64 {
        let status = self.governor.as_ref().map(|of| of.status(self.now()));
        status.map_or(0, |status| status.month.data)
    }

    pub fn n_refused(&self) -> u64 {
        self.car.truth().data_refused
    }

    pub fn n_user_wakes(&self) -> u64 {
        self.n_user_wakes
    }

    pub fn awake_hours(&self) -> f64 {
        self.car.truth().awake.as_secs_f64() / 3600.0
    }

    pub fn events(&self) -> impl Iterator<Item = (Duration, &Event)> {
        self.trace.iter().filter_map(|line| match &line.what {
            What::Said(event) => Some((line.at, event)),
            _ => None,
        })
    }

    /// What the trips found.
    pub fn found(&self) -> impl Iterator<Item = (Duration, &Finding)> {
        self.trace.iter().filter_map(|line| match &line.what {
            What::Found(found) => Some((line.at, found)),
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

    /// When the car really did something for the nth time, since the rig's start.
    pub fn truly(&self, event: sim::Event, nth: usize) -> Option<Duration> {
        let mut times = self
            .car
            .events()
            .iter()
            .filter(|(_, e)| *e == event)
            .map(|(at, _)| *at);
        let at = times.nth(nth)?;
        Duration::try_from(at.duration_since(self.start)).ok()
    }

    /// All that the car really did, since the rig's start.
    pub fn true_events(&self) -> Vec<(Duration, sim::Event)> {
        self.since_start(&self.car)
    }

    /// The same of the car that nobody asked anything.
    pub fn unpolled_events(&self) -> Vec<(Duration, sim::Event)> {
        self.since_start(&self.unpolled)
    }

    fn since_start(&self, car: &Car) -> Vec<(Duration, sim::Event)> {
        let since = |at: Timestamp| Duration::try_from(at.duration_since(self.start));
        let events = car.events().iter();
        events
            .filter_map(|(at, event)| Some((since(*at).ok()?, *event)))
            .collect()
    }

    /// From each true start to its being seen.
    pub fn delays(&self, event: sim::Event, state: State) -> Vec<Duration> {
        (0..)
            .map_while(|nth| self.truly(event, nth))
            .map(|at| {
                self.entered(state, at)
                    .map_or(Duration::MAX, |seen| seen - at)
            })
            .collect()
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
                What::Served(view) => {
                    format!("served {:?} {:?}", view.gear, view.charging_state)
                }
                what => format!("{what:?}"),
            };
            let _ = writeln!(story, "{seconds:>10.1} {:<11} {what}", line.state);
        }
        story
    }
}

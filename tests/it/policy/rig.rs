//! A device, a car and time, without a second of waiting: `run_for` jumps from one call to the
//! next. The rig is the runner: it makes the calls that the device wants, keeps its saved form as
//! a disk would, and writes down everything for the guarantees to be checked on.
//!
//! In reading order: `lives` whom it follows, `answers` how a call ends, `trace` what is written
//! down, `truth` what the car really did.

mod answers;
mod lives;
mod trace;
mod truth;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tesla2mqtt::device::{
    self, Answers, Call, ClockSpeed, Device, Input, Limit, Note, Output, Parts, Saved, Saving,
};
use tesla2mqtt::model::{Now, Observation, Source, Vin};
use tesla2mqtt::policy::{
    Ask, ClassSetting, Failure, Governor, GovernorConfig, Light, LightState, PolicyConfig, Preset,
    Push, State, Status, User, Why,
};
use tesla2mqtt::sim::{Car, CarSpec, observed};
use tesla2mqtt::trips::Tariff;

use answers::Disguise;
pub use answers::PlannedFailure;
pub use lives::{VIN, charge, dead_zone, drive, held, hold, life, minutes, spec};
pub use trace::{Happening, TraceLine};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_mins(1);
pub const HOUR: Duration = Duration::from_hours(1);
pub const DAY: Duration = Duration::from_hours(24);
/// From request to answer.
const LATENCY: Duration = Duration::from_millis(300);
/// Who moves on by less, again and again, is stuck.
const LEAST_STEP: Duration = Duration::from_millis(1);

pub struct Rig {
    pub car: Car,
    /// The same car with the same owner, whom nobody asks anything.
    unpolled: Car,
    device: Device,
    /// The same device with a calendar that jumps.
    astray: Device,
    /// A charge is scheduled, and then the calendar counts.
    has_schedule: bool,
    pub config: PolicyConfig,
    pub governor: Option<Governor>,
    account: GovernorConfig,
    pub trace: Vec<TraceLine>,
    pub faults: Vec<PlannedFailure>,
    /// The part of all calls that fails at random, and the state of that chance.
    pub chaos: (f64, u64),
    disguise: Option<Disguise>,
    /// The light call's word, whatever the car does.
    pub word: Option<LightState>,
    /// The calendar's error.
    pub clock_error: SignedDuration,
    pub at: Duration,
    start: Timestamp,
    booted_at: Duration,
    disk: Option<Saved>,
    n_user_wakes: u64,
    pub n_relists: u32,
}

/// A device that nobody publishes and whose saved form is on the disk at once.
pub fn device(vin: &Vin, policy: PolicyConfig, saved: Saved, seed: u64, now: Now) -> Device {
    let config = device::Config {
        policy,
        tariff: Tariff::default(),
        unavailable_after: Duration::MAX,
        saving: Saving {
            after: Duration::ZERO,
            every: Duration::MAX,
        },
        publishing: None,
        clock_speed: ClockSpeed::REAL,
    };
    Device::car(vin, config, saved, seed, now)
}

/// As the next process reads it.
pub fn read_again(saved: &Saved) -> Saved {
    let json = serde_json::to_vec(saved).expect("plain data");
    let mut parts = Parts::of(&json).expect("a file comes back");
    let saved = Saved::take(&mut parts);
    assert_eq!(parts.damage(), Vec::<String>::new());
    saved
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
        let now = Now {
            mono: Duration::ZERO,
            wall: start,
        };
        let device = device(&spec.vin, config.clone(), Saved::default(), 7, now);
        Self {
            car: Car::new(spec.clone(), start),
            unpolled: Car::new(spec, start),
            astray: device.clone(),
            device,
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
            let moves_on = self.at >= end.min(before + LEAST_STEP);
            idle_turns = if moves_on { 0 } else { idle_turns + 1 };
            assert!(
                idle_turns < 20,
                "the device turns on the spot at {:?}",
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
            self.tell(&Input::Budget(budget));
        }
        let output = self.next();
        self.listen();
        match output {
            Output::Call(call) => self.call(&call),
            Output::Relist => self.n_relists += 1,
            Output::Wait { until, why } => {
                assert!(until > now.mono, "waits for the past ({why:?})");
                let wait = until - now.mono;
                assert!(
                    wait <= self.config.longest_wait(),
                    "waits {wait:?} ({why:?})"
                );
                self.at = (self.at + wait).min(end);
            }
            Output::Save | Output::Abandon(_) | Output::Declare(_) | Output::Publish(_) => {
                unreachable!("{output:?}")
            }
        }
    }

    /// What to do now; where the calendar jumps that is the same (G11), and so is all else that
    /// is no input (G12).
    fn next(&mut self) -> Output {
        let now = self.now();
        let output = loop {
            match self.device.poll(now) {
                Output::Save => self.disk = Some(self.device.saved(now)),
                output => break output,
            }
        };
        let now = self.now_astray();
        let elsewhere = loop {
            match self.astray.poll(now) {
                Output::Save => {}
                output => break output,
            }
        };
        self.astray.take_notes();
        if output != elsewhere {
            // Habits are of the calendar, and ask a resting car more often, by light calls only.
            let is_habit = matches!(
                self.state(),
                State::Boot | State::Asleep | State::Unreachable
            );
            let calls_data = [&output, &elsewhere]
                .into_iter()
                .any(|output| matches!(output, Output::Call(call) if call.class == Ask::Data));
            assert!(
                self.has_schedule || (is_habit && !calls_data),
                "G11: {output:?}, and {elsewhere:?} where the calendar jumps\n{}",
                self.story()
            );
            self.astray = self.device.clone();
        }
        output
    }

    fn tell(&mut self, input: &Input) {
        self.device.handle(input.clone(), self.now());
        self.astray.handle(input.clone(), self.now_astray());
    }

    fn observe(&mut self, seen: &[Observation]) {
        self.device.observe(seen, self.now());
        self.astray.observe(seen, self.now_astray());
    }

    pub fn reconfigure(&mut self, config: PolicyConfig) {
        self.tell(&Input::PolicyChanged(Box::new(config.clone())));
        self.config = config;
    }

    fn call(&mut self, call: &Call) {
        let now = self.now();
        let class = call.class;
        if let Some(governor) = &mut self.governor
            && let Err(denied) = call.permit(governor, now)
        {
            let retry_after = denied.retry_after;
            self.tell(&denied.into());
            self.write_down(Happening::Failed(
                class,
                Failure::NotPermitted { retry_after },
            ));
            return;
        }
        self.write_down(Happening::Asked(call.clone()));
        let waits = matches!(
            self.device.poll(now),
            Output::Wait {
                why: Why::InFlight,
                ..
            }
        );
        assert!(waits, "asks while a call is under way");
        self.at += LATENCY;
        let answer = self.answer(class);
        self.bill(call, answer.as_ref().err());
        match answer {
            Ok(answer) => {
                if let Happening::Served(record) = &answer.what {
                    self.has_schedule |= record.scheduled_charging_pending;
                }
                self.observe(&answer.seen);
                self.write_down(answer.what);
            }
            Err(failure) => {
                self.tell(&Input::Failed {
                    class,
                    failure,
                    is_contact: true,
                });
                self.write_down(Happening::Failed(class, failure));
            }
        }
        self.listen();
    }

    fn bill(&mut self, call: &Call, failure: Option<&Failure>) {
        let status = match failure {
            None => Some(200),
            Some(Failure::Transport) => None,
            Some(Failure::Server) => Some(503),
            Some(Failure::Unavailable) => Some(408),
            Some(Failure::Limited { .. }) => Some(429),
            Some(Failure::SignedOut) => Some(401),
            Some(Failure::NotFound) => Some(404),
            Some(Failure::InService) => Some(405),
            Some(Failure::Region) => Some(412),
            Some(
                Failure::BillingLimit
                | Failure::Refused
                | Failure::MissingScope
                | Failure::Doubted
                | Failure::NotPermitted { .. },
            ) => Some(403),
        };
        let limit = match failure {
            Some(Failure::Limited { retry_after }) => Some(Limit::Rate(*retry_after)),
            Some(Failure::BillingLimit) => Some(Limit::Billing),
            _ => None,
        };
        let now = self.now();
        if let Some(governor) = &mut self.governor {
            let answers = Answers {
                statuses: status.as_slice(),
                is_lost: status.is_none(),
                limit,
            };
            call.bill(governor, now, &answers);
        }
    }

    /// Something happens that is no value.
    pub fn hear(&mut self, input: Input) -> &mut Self {
        self.tell(&input);
        self.write_down(Happening::Heard(input));
        self.listen();
        self
    }

    pub fn push(&mut self, change: impl FnOnce(&mut Push)) -> &mut Self {
        let mut push = Push::default();
        change(&mut push);
        self.observe(&observed::push(&push, self.now().wall));
        self.write_down(Happening::Pushed(push));
        self.listen();
        self
    }

    /// The account's list shows the car.
    pub fn list(&mut self, state: LightState) -> &mut Self {
        let light = Light {
            state,
            in_service: false,
        };
        self.observe(&observed::light(light, Source::List, self.now().wall));
        self.write_down(Happening::OnList(light));
        self.listen();
        self
    }

    pub fn user(&mut self, user: User) -> &mut Self {
        if user == User::Woken {
            self.n_user_wakes += 1;
            self.car.wake(self.true_wall());
            self.unpolled.wake(self.true_wall());
        }
        self.hear(Input::Owner(user))
    }

    /// Kills the process; the next one starts after the given time with what the disk has.
    pub fn restart_after(&mut self, down: Duration) -> &mut Self {
        let ledger = self.governor.as_ref().map(|of| of.snapshot(self.now()));
        self.write_down(Happening::Down);
        self.at += down;
        self.booted_at = self.at;
        let now = self.now();
        let saved = self.disk.as_ref().map(read_again).unwrap_or_default();
        let vin = &self.car.spec().vin;
        self.device = device(vin, self.config.clone(), saved, 7, now);
        // The calendar is all that tells how long the process was down.
        self.astray = self.device.clone();
        self.governor = ledger.map(|ledger| Governor::restore(self.account.clone(), ledger, now));
        self.write_down(Happening::Restarted);
        self
    }

    /// The host sleeps: the calendar goes on, the process's clock does not.
    pub fn suspend_for(&mut self, time: Duration) -> &mut Self {
        self.write_down(Happening::Down);
        self.at += time;
        self.booted_at += time;
        self.write_down(Happening::Up);
        self
    }

    fn listen(&mut self) {
        for note in self.device.take_notes() {
            match note {
                Note::Event(event) => self.write_down(Happening::Told(event)),
                Note::Found(found) => self.write_down(Happening::Found(found)),
                Note::UnlistedWord(_) => {}
            }
        }
    }

    pub fn state(&self) -> State {
        self.device.state()
    }

    pub fn status(&self) -> Status {
        self.device.status(self.now())
    }

    /// By the account's own ledger; at a start of the rig on the first of a month that is all.
    pub fn n_billed_data(&self) -> u64 {
        let status = self.governor.as_ref().map(|of| of.status(self.now()));
        status.map_or(0, |status| status.month.data)
    }
}

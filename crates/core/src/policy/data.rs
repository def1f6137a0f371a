//! What a `vehicle_data` answer changes: the state, in the order service, gear, update, charge,
//! parked (sleep policy, section 5.5); drives and charges begin and end; what was missed while
//! nobody looked is reported once.

use std::time::Duration;

use jiff::Timestamp;

use super::Policy;
use super::holds::{self, Activity};
use super::interface::{Ask, Class, State};
use super::memory::Moment;
use super::phase::{Phase, Reach, Waking};
use super::timers::SCHEDULE_DELAY_SECONDS;
use crate::model::{CarRecord, ChargingState, Reading};

const AFTER_ODD_WORD: Duration = Duration::from_mins(1);
/// Miles that a parked car has moved.
const MOVED_MI: f64 = 0.1;
/// After so many looks a car of unknown class is not kept awake by being asked.
const VAIN_LOOKS: u32 = 2;
/// That conclusion may be wrong (a use that no look showed starts the car's own clock again), and
/// a car that is held by polling would never sleep: it is drawn anew after this time.
const SLEEPLESS_FOR: Duration = Duration::from_hours(3);

impl Policy {
    pub(super) fn data_answered(&mut self, view: &CarRecord, m: Moment) {
        let flight = self.flight.take_if(|flight| flight.ask == Ask::Data);
        if flight.is_some_and(|flight| flight.with_location) {
            self.memory.location.allowed();
        }
        self.proved_signed_in();
        let memory = &mut self.memory;
        if memory.contact.is_unwatched(m)
            && let Phase::Idle(idle) = &mut memory.machine.phase
        {
            idle.parked.clear_since = None;
        }
        memory.contact.data_came(m);
        memory.backoffs.succeeded(Ask::Data, m.t);
        memory.learning.is_online();
        memory.standing.found();
        if let Some(reach) = memory.machine.reach_mut() {
            *reach = Reach::default();
        }
        self.memory.learning.saw_version(view.car_version.as_ref());

        let doing = holds::activity(view);
        let before = self.memory.sessions.reading;
        let reading = self.read(view, m);
        self.learn_from_wake(before, reading, doing, view);
        self.note_start(doing, m);
        self.memory.sessions.reading = Some(reading);
        self.memory.parking.holds = match doing {
            Activity::Parked => holds::holds(view, self.config.unlocked_holds),
            _ => Vec::new(),
        };
        self.memory.push.user_present &= view.user_present;
        self.note_schedule(view, m);
        self.memory.charging.power_kw = view.charger_power_kw;
        self.enter(doing, view, m);
        self.memory.charging.state = view.charging_state;
    }

    fn read(&self, view: &CarRecord, m: Moment) -> Reading {
        let old = self.memory.sessions.reading;
        let finite = |value: Option<f64>| value.filter(|number| number.is_finite());
        Reading {
            at: m.wall,
            odometer_mi: finite(view.odometer_mi).or(old.and_then(|old| old.odometer_mi)),
            battery_level: finite(view.battery_level).or(old.and_then(|old| old.battery_level)),
        }
    }

    /// Whether a wake about an hour after falling asleep was only the car's self-check.
    fn learn_from_wake(
        &mut self,
        before: Option<Reading>,
        now: Reading,
        doing: Activity,
        view: &CarRecord,
    ) {
        let memory = &mut self.memory;
        let on_the_hour = |waking: &mut Waking| std::mem::take(&mut waking.on_the_hour);
        if !memory.machine.waking_mut().is_some_and(on_the_hour) {
            return;
        }
        let moved = before.is_none_or(|before| moved_mi(before, now) > MOVED_MI);
        let charged = before.is_none_or(|before| charged_percent(before, now).abs() > 1.0);
        let held = !holds::holds(view, self.config.unlocked_holds).is_empty();
        if doing == Activity::Parked && !held && !moved && !charged {
            memory.self_checks.was_brief();
        } else {
            memory.self_checks.was_used();
        }
    }

    fn note_schedule(&mut self, view: &CarRecord, m: Moment) {
        // A start that has passed was looked at, or tells nothing any more.
        let ahead =
            |start: &Timestamp| start.as_second() + SCHEDULE_DELAY_SECONDS > m.wall.as_second();
        let plugged = view
            .charging_state
            .is_some_and(|state| state != ChargingState::Disconnected);
        let start = view
            .scheduled_charging_start
            .filter(|start| plugged && view.scheduled_charging_pending && ahead(start));
        self.memory.charging.scheduled_at = start;
    }

    /// A use begins, at a time of the week that may be a habit.
    fn note_start(&mut self, doing: Activity, m: Moment) {
        let memory = &mut self.memory;
        let from = memory.machine.state();
        let begins = match doing {
            Activity::Driving => from != State::Driving,
            Activity::Charging => from != State::Charging,
            Activity::InService | Activity::Updating | Activity::Parked => false,
        };
        if begins {
            memory.habits.started(m.wall);
        }
        if doing == Activity::Driving {
            memory.sessions.last_gear_at = Some(m.t);
        }
    }

    /// Parked with someone at the wheel and power on: the drive may go on.
    fn is_in_grace(&self, view: &CarRecord, doing: Activity, m: Moment) -> bool {
        doing == Activity::Parked
            && self.memory.machine.state() == State::Driving
            && view.user_present
            && view.power_kw.is_some_and(|kw| kw > 0.0)
            && self
                .memory
                .sessions
                .last_gear_at
                .is_some_and(|at| m.since(at) < self.config.drive_grace)
    }

    fn enter(&mut self, doing: Activity, view: &CarRecord, m: Moment) {
        let from = self.memory.machine.state();
        if doing != Activity::Updating {
            self.end_update(view.car_version.clone());
        }
        let machine = &self.memory.machine;
        match doing {
            Activity::InService => {
                self.go(Phase::InService, "at service", m);
            }
            Activity::Updating => {
                self.begin_update(view.update.as_ref().and_then(|of| of.version.clone()));
                let updating = self.memory.machine.updating();
                self.go(updating, "an update is being installed", m);
            }
            Activity::Driving => self.go(machine.driving(), "in gear", m),
            Activity::Charging => {
                let charging = machine.charging();
                self.memory.charging.seen(m);
                self.go(charging, "charging", m);
            }
            Activity::Parked if self.is_in_grace(view, doing, m) => {}
            Activity::Parked => self.parked(from, view, m),
        }
    }

    fn parked(&mut self, from: State, view: &CarRecord, m: Moment) {
        let state = view.charging_state;
        let odd = state.is_some_and(ChargingState::is_odd) && self.memory.charging.state != state;
        let held = self.memory.is_held();
        if from == State::Quiet && !held {
            self.looked(m);
            return;
        }
        let because = if held {
            "something holds the car awake"
        } else {
            "parked"
        };
        self.go(self.memory.machine.idle(), because, m);
        let memory = &mut self.memory;
        if from == State::Driving {
            memory.wanted.looks_after_drive(memory.budget.factor, m);
        }
        if odd {
            memory.wanted.followups.push(m.t + AFTER_ODD_WORD);
        }
        let is_used = matches!(
            from,
            State::Driving | State::Charging | State::Waking | State::InService
        );
        if is_used {
            memory.parking.last_use_at = m.t;
        }
        let Some(parked) = memory.machine.parked_mut() else {
            return;
        };
        match parked.clear_since {
            _ if held => parked.is_held(),
            Some(clear_since) if from == State::Idle => {
                parked.n_polls_since_clear = parked.n_polls_since_clear.saturating_add(1);
                memory.learning.resists(m.since(clear_since));
            }
            _ => parked.is_clear(m),
        }
    }

    /// A look at a quiet car found nothing new.
    fn looked(&mut self, m: Moment) {
        let is_unknown = self.class() == Class::Unknown;
        let Some(quiet) = self.memory.machine.quiet_mut() else {
            return;
        };
        if m.t < quiet.look_at {
            return;
        }
        quiet.n_looks = quiet.n_looks.saturating_add(1);
        quiet.look_at = m.t + Self::next_look_after(quiet.n_looks);
        if quiet.n_looks >= VAIN_LOOKS && is_unknown {
            quiet.parked.sleepless_until = Some(m.t + SLEEPLESS_FOR);
            let idle = self.memory.machine.idle();
            self.go(idle, "something else keeps it awake", m);
        }
    }
}

fn moved_mi(before: Reading, now: Reading) -> f64 {
    match (before.odometer_mi, now.odometer_mi) {
        (Some(before), Some(now)) => now - before,
        _ => 0.0,
    }
}

fn charged_percent(before: Reading, now: Reading) -> f64 {
    match (before.battery_level, now.battery_level) {
        (Some(before), Some(now)) => now - before,
        _ => 0.0,
    }
}

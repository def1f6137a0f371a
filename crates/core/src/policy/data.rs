//! What a `vehicle_data` answer changes: the state, in the order service, gear, update, charge,
//! parked (sleep policy, section 5.5). What became of a drive or a charge is the affair of the
//! trips.

use std::time::Duration;

use jiff::Timestamp;

use super::Policy;
use super::holds::{self, Activity};
use super::interface::{Ask, Class, Event, State};
use super::memory::Moment;
use super::turns::SCHEDULE_DELAY_SECONDS;
use crate::model::{CarRecord, ChargingState, Reading};

const AFTER_ODD_WORD: Duration = Duration::from_mins(1);
/// A car that was not looked at for so long may have slept and woken meanwhile.
const UNWATCHED: Duration = Duration::from_mins(30);
/// Miles that a parked car has moved.
const MOVED_MI: f64 = 0.1;
/// After so many looks a car of unknown class is not kept awake by being asked.
const VAIN_LOOKS: u32 = 2;
/// That conclusion may be wrong (a use that no look showed starts the car's own clock again), and
/// a car that is held by polling would never sleep: it is drawn anew after this time.
const SLEEPLESS_FOR: Duration = Duration::from_hours(3);
/// A charge interrupted for less goes on with its old ladder.
const SAME_CHARGE: Duration = Duration::from_mins(10);

impl Policy {
    pub(super) fn data_answered(&mut self, view: CarRecord, m: Moment) {
        let flight = self.flight.take_if(|flight| flight.ask == Ask::Data);
        if flight.is_some_and(|flight| flight.with_location) {
            self.memory.location.allowed();
        }
        let was_unwatched = self
            .memory
            .last_data_ok_at
            .is_none_or(|at| m.since(at) > UNWATCHED);
        if was_unwatched && self.memory.state == State::Idle {
            self.memory.clear_since = None;
        }
        self.proved_signed_in();
        let memory = &mut self.memory;
        memory.backoffs.succeeded(Ask::Data, m.t);
        memory.learning.is_online();
        memory.was_found();
        memory.unavailable_at = None;
        memory.is_online = true;
        memory.online_at = Some(m.t);
        memory.last_data_ok_at = Some(m.t);
        memory.lost_at = None;
        memory.n_lost_lights = 0;
        self.memory.learning.saw_version(view.car_version.as_ref());

        let doing = holds::activity(&view);
        let before = self.memory.reading;
        let reading = self.read(&view, m);
        self.judge_wake(before, reading, doing, &view);
        self.note_start(doing, m);
        self.memory.reading = Some(reading);
        self.memory.holds = match doing {
            Activity::Parked => holds::holds(&view, self.config.unlocked_holds),
            _ => Vec::new(),
        };
        self.memory.pushed_user_present &= view.user_present;
        self.note_schedule(&view, m);
        self.memory.charger_power_kw = view.charger_power_kw;
        self.enter(doing, &view, m);
        self.memory.charging_word = view.charging_state;
    }

    fn read(&self, view: &CarRecord, m: Moment) -> Reading {
        let old = self.memory.reading;
        let finite = |value: Option<f64>| value.filter(|number| number.is_finite());
        Reading {
            at: m.wall,
            odometer_mi: finite(view.odometer_mi).or(old.and_then(|old| old.odometer_mi)),
            battery_level: finite(view.battery_level).or(old.and_then(|old| old.battery_level)),
        }
    }

    /// Whether a wake about an hour after falling asleep was only the car's self-check.
    fn judge_wake(
        &mut self,
        before: Option<Reading>,
        now: Reading,
        doing: Activity,
        view: &CarRecord,
    ) {
        let memory = &mut self.memory;
        if memory.state != State::Waking || !std::mem::take(&mut memory.woke_on_the_hour) {
            return;
        }
        let moved = before.is_none_or(|before| moved_mi(before, now) > MOVED_MI);
        let charged = before.is_none_or(|before| charged_percent(before, now).abs() > 1.0);
        let held = !holds::holds(view, self.config.unlocked_holds).is_empty();
        if doing == Activity::Parked && !held && !moved && !charged {
            memory.n_brief_wakes = (memory.n_brief_wakes + 1).min(5);
        } else {
            memory.n_brief_wakes = memory.n_brief_wakes.saturating_sub(1);
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
        self.memory.scheduled_charge = start;
    }

    /// A use begins, at a time of the week that may be a habit.
    fn note_start(&mut self, doing: Activity, m: Moment) {
        let memory = &mut self.memory;
        let begins = match doing {
            Activity::Driving => memory.state != State::Driving,
            Activity::Charging => memory.state != State::Charging,
            Activity::InService | Activity::Updating | Activity::Parked => false,
        };
        if begins {
            memory.habits.started(m.wall);
        }
        if doing == Activity::Driving {
            memory.last_gear_at = Some(m.t);
        }
    }

    /// Parked with someone at the wheel and power on: the drive may go on.
    fn is_in_grace(&self, view: &CarRecord, doing: Activity, m: Moment) -> bool {
        doing == Activity::Parked
            && self.memory.state == State::Driving
            && view.user_present
            && view.power_kw.is_some_and(|kw| kw > 0.0)
            && self
                .memory
                .last_gear_at
                .is_some_and(|at| m.since(at) < self.config.drive_grace)
    }

    fn enter(&mut self, doing: Activity, view: &CarRecord, m: Moment) {
        let from = self.memory.state;
        if from == State::Updating && doing != Activity::Updating {
            self.emit(Event::UpdateEnded {
                version: view.car_version.clone(),
            });
        }
        if doing != Activity::Parked {
            self.memory.clear_since = None;
            self.memory.let_sleep = false;
        }
        match doing {
            Activity::InService => self.go(State::InService, "at service", m),
            Activity::Updating => {
                if from != State::Updating {
                    self.emit(Event::UpdateStarted {
                        version: view.update.as_ref().and_then(|of| of.version.clone()),
                    });
                }
                self.go(State::Updating, "an update is being installed", m);
            }
            Activity::Driving => self.go(State::Driving, "in gear", m),
            Activity::Charging => {
                let memory = &mut self.memory;
                let same = memory
                    .last_charging_at
                    .is_some_and(|at| m.since(at) < SAME_CHARGE);
                if !same {
                    memory.charging_since = Some(m.t);
                }
                memory.last_charging_at = Some(m.t);
                self.go(State::Charging, "charging", m);
            }
            Activity::Parked if self.is_in_grace(view, doing, m) => {}
            Activity::Parked => self.parked(from, view, m),
        }
    }

    fn parked(&mut self, from: State, view: &CarRecord, m: Moment) {
        let state = view.charging_state;
        let odd = state.is_some_and(ChargingState::is_odd) && self.memory.charging_word != state;
        let held = !self.memory.holds.is_empty() || self.memory.pushed_user_present;
        if from == State::Quiet && !held {
            self.looked(m);
            return;
        }
        self.go(
            State::Idle,
            if held {
                "something holds the car awake"
            } else {
                "parked"
            },
            m,
        );
        let memory = &mut self.memory;
        if from == State::Driving {
            memory.plan_looks_after_drive(m);
        }
        if odd {
            memory.followups.push(m.t + AFTER_ODD_WORD);
        }
        if matches!(from, State::Driving | State::Charging | State::Waking) {
            memory.last_use_at = m.t;
        }
        if held {
            memory.clear_since = None;
            memory.n_polls_since_clear = 0;
        } else if from != State::Idle || memory.clear_since.is_none() {
            memory.clear_since = Some(m.t);
            memory.n_polls_since_clear = 0;
        } else {
            memory.n_polls_since_clear = memory.n_polls_since_clear.saturating_add(1);
            let parked = memory.clear_since.map_or(Duration::ZERO, |at| m.since(at));
            memory.learning.resists(parked);
        }
    }

    /// A look at a quiet car found nothing new.
    fn looked(&mut self, m: Moment) {
        let memory = &mut self.memory;
        if memory.look_at.is_some_and(|at| m.t >= at) {
            memory.n_looks = memory.n_looks.saturating_add(1);
            memory.look_at = Some(m.t + Self::next_look_after(memory.n_looks));
            if memory.n_looks >= VAIN_LOOKS && self.class() == Class::Unknown {
                self.memory.sleepless_until = Some(m.t + SLEEPLESS_FOR);
                self.go(State::Idle, "something else keeps it awake", m);
            }
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

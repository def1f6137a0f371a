//! What a `vehicle_data` answer changes: the state, in the order service, gear, update, charge,
//! parked (sleep policy, section 5.5); drives and charges begin and end; what was missed while
//! nobody looked is reported once.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Policy;
use super::holds::{self, Activity};
use super::interface::{Ask, Class, Event, Reading, State};
use super::memory::Moment;
use super::turns::SCHEDULE_DELAY_SECONDS;
use crate::model::{CarRecord, ChargingState};

const AFTER_ODD_WORD: Duration = Duration::from_mins(1);
/// A car that was not looked at for so long may have slept and woken meanwhile.
const UNWATCHED: Duration = Duration::from_mins(30);
/// So many answers with an old time in a row mean that the newer time was wrong.
const STALE_IN_A_ROW: u8 = 5;
/// Miles that a parked car has moved.
const MOVED_MI: f64 = 0.1;
/// A car just seen in gear has come further than its drive can account for: so far, with nobody
/// looking for so long. Anything less belongs to the drive, as it does in the trips.
const MOVED_UNDER_WAY_MI: f64 = 3.0;
const UNDER_WAY_UNSEEN: SignedDuration = SignedDuration::from_mins(15);
/// Percent by which a battery only grows if it was charged.
const CHARGED_PERCENT: f64 = 2.0;
/// After so many looks a car of unknown class is not kept awake by being asked.
const VAIN_LOOKS: u32 = 2;
/// That conclusion may be wrong (a use that no look showed starts the car's own clock again), and
/// a car that is held by polling would never sleep: it is drawn anew after this time.
const SLEEPLESS_FOR: Duration = Duration::from_hours(3);
/// Without contact for this time, a drive ended with its last reading.
const OUT_OF_SIGHT: Duration = Duration::from_mins(15);
/// A charge interrupted for less goes on with its old ladder.
const SAME_CHARGE: Duration = Duration::from_mins(10);

impl Policy {
    pub(super) fn data_answered(&mut self, view: CarRecord, m: Moment) {
        let flight = self.flight.take_if(|flight| flight.ask == Ask::Data);
        if flight.is_some_and(|flight| flight.with_location) {
            self.memory.location.allowed();
        }
        let out_of_sight = self
            .memory
            .online_at
            .is_none_or(|at| m.since(at) > OUT_OF_SIGHT);
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
        if self.is_stale_answer(&view, m) {
            return;
        }
        self.memory.learning.saw_version(view.car_version.as_ref());

        let doing = holds::activity(&view);
        let before = self.memory.reading;
        let reading = self.read(&view, m);
        self.judge_wake(before, reading, doing, &view);
        if out_of_sight && doing == Activity::Parked {
            self.end_sessions_at_reading(before, m);
        }
        self.report_missed(before, reading, doing);
        self.follow_sessions(&view, reading, doing, m);
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

    fn is_stale_answer(&mut self, view: &CarRecord, m: Moment) -> bool {
        let memory = &mut self.memory;
        let Some(stamp) = view.drive_at.map(Timestamp::as_millisecond) else {
            return false;
        };
        let older = memory
            .newest_timestamp_ms
            .is_some_and(|newest| stamp < newest);
        if older && memory.n_stale < STALE_IN_A_ROW {
            memory.n_stale += 1;
            return true;
        }
        memory.n_stale = 0;
        // A stamp from the future would make every later answer look old.
        memory.newest_timestamp_ms = Some(stamp.min(m.wall.as_millisecond()));
        false
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

    fn end_sessions_at_reading(&mut self, last: Option<Reading>, m: Moment) {
        let at = last.map_or(m.wall, |reading| reading.at);
        self.end_drive(at, last);
        self.end_charge(at, last);
    }

    /// What the odometer and the battery tell about the time in which nobody looked.
    fn report_missed(&mut self, before: Option<Reading>, now: Reading, doing: Activity) {
        let belongs = std::mem::take(&mut self.memory.next_reading_belongs);
        let Some(before) = before.filter(|_| !belongs) else {
            return;
        };
        let moved_mi = moved_mi(before, now);
        let moved = match doing {
            Activity::Driving => {
                moved_mi > MOVED_UNDER_WAY_MI && now.at.duration_since(before.at) > UNDER_WAY_UNSEEN
            }
            _ => moved_mi > MOVED_MI,
        };
        if self.memory.drive.is_none() && moved {
            self.emit(Event::MissedDrive {
                from: before,
                to: now,
            });
            if doing == Activity::Driving {
                // The drive begins here: no mile is told twice.
                self.memory.reading = Some(now);
            }
        }
        let is_its_own = doing != Activity::Charging;
        let charged = is_its_own && charged_percent(before, now) >= CHARGED_PERCENT;
        if self.memory.charge.is_none() && self.memory.drive.is_none() && charged {
            self.emit(Event::MissedCharge {
                from: before,
                to: now,
            });
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

    /// Drives and charges begin and end.
    fn follow_sessions(&mut self, view: &CarRecord, now: Reading, doing: Activity, m: Moment) {
        if doing == Activity::Driving {
            self.begin_drive(m);
        } else if !self.is_in_grace(view, doing, m) {
            self.end_drive(m.wall, Some(now));
        }
        let flows = view.charging_state == Some(ChargingState::Charging);
        if doing == Activity::Charging {
            if flows {
                self.begin_charge(m);
            }
        } else {
            self.end_charge(m.wall, Some(now));
        }
    }

    /// Parked with someone at the wheel and power on: the drive may go on.
    fn is_in_grace(&self, view: &CarRecord, doing: Activity, m: Moment) -> bool {
        doing == Activity::Parked
            && self.memory.drive.is_some()
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

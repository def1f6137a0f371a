//! The life of a simulated car: it drives, charges, is used, falls asleep and wakes by its plan,
//! and reacts to being asked. Values in, values out, from event to event, so that a month takes
//! milliseconds; the same car runs in real time behind the simulated cloud.
//!
//! The rules of sleep are those of the sleep policy, section 1: asleep `time_to_sleep` after the
//! last use; a data call restarts the countdown of a held car; a light call never does anything.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "milliseconds of a few years and small quantities of physics"
)]

mod acts;
mod look;

use std::time::Duration;

use acts::{Act, What};
use jiff::Timestamp;

use super::motion::{self, DriveInstant};
use super::{Anchor, CarActivity, CarSpec, CarView, LifeEvent};
use tesla2mqtt_core::policy::{HoldReason, Light, LightState};

const HOUR_MS: f64 = 3_600_000.0;
/// The part of an installation during which the car is out of reach.
const DARK: (f64, f64) = (0.15, 0.85);
const AC_EFFICIENCY: f64 = 0.92;

/// A car that lives.
#[derive(Debug, Clone)]
pub struct Car {
    spec: CarSpec,
    /// Milliseconds since 1970, as all times here.
    now: i64,
    acts: Vec<Act>,
    next_segment: usize,
    period_begins: i64,
    n_periods: u64,
    sleep: SleepState,
    last_use: i64,
    last_drive_end: i64,
    firmware: String,
    next_version: Option<String>,
    battery_level: f64,
    odometer_km: f64,
    inside_temp: f64,
    cable: Cable,
    energy_added_kwh: f64,
    tally: Tally,
    events: Vec<(Timestamp, LifeEvent)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum SleepState {
    Asleep {
        /// The next self-check.
        check_at: Option<i64>,
        /// A wake call will have worked.
        wakes_at: Option<i64>,
    },
    Awake {
        since: i64,
        /// Asleep then, if nothing keeps it awake.
        due: i64,
        /// A self-check only.
        brief: bool,
    },
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Cable {
    plugged: bool,
    dc: bool,
    scheduled: Option<i64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    awake_ms: i64,
    data_served: u64,
    data_refused: u64,
    wakes: u64,
    drives: u64,
    charges: u64,
}

impl Car {
    /// A car whose life is observed from `start`. By its plan it has lived since the beginning of
    /// the period before, so that it may well be in the middle of something.
    pub fn new(spec: CarSpec, start: Timestamp) -> Self {
        let start = start.as_millisecond();
        let period = ms(spec.plan.period).max(1);
        let begins = match spec.plan.anchor {
            Anchor::Start => start,
            Anchor::Calendar => {
                // 1970 began on a Thursday; weeks begin on Monday.
                let monday = 4 * ms(Duration::from_hours(24));
                let origin = monday - i64::from(spec.utc_offset) * 1000;
                start - (start - origin).rem_euclid(period) - period
            }
        };
        let asleep = SleepState::Asleep {
            check_at: None,
            wakes_at: None,
        };
        let mut car = Self {
            now: begins,
            acts: Vec::new(),
            next_segment: 0,
            period_begins: begins,
            n_periods: 0,
            sleep: asleep,
            last_use: begins,
            last_drive_end: begins,
            firmware: spec.firmware.clone(),
            next_version: None,
            battery_level: spec.battery_level,
            odometer_km: spec.odometer_km,
            inside_temp: 16.0,
            cable: Cable::default(),
            energy_added_kwh: 0.0,
            tally: Tally::default(),
            events: Vec::new(),
            spec,
        };
        car.sleep = car.sleeping(begins);
        car.advance_to(start - 1);
        car.now = start;
        car.observed_from_here();
        if car.spec.awake_at_start {
            car.used(start);
        }
        car
    }

    /// Forgets the tallies of the life before, and puts battery and odometer where the
    /// specification wants them now.
    fn observed_from_here(&mut self) {
        self.tally = Tally::default();
        self.events.clear();
        let more_level = self.spec.battery_level - self.battery_level;
        let more_way = self.spec.odometer_km - self.odometer_km;
        self.battery_level += more_level;
        self.odometer_km += more_way;
        for act in &mut self.acts {
            if let What::Drive {
                odometer, level, ..
            } = &mut act.what
            {
                *level += more_level;
                *odometer += more_way;
            }
        }
    }

    /// What it is.
    pub fn spec(&self) -> &CarSpec {
        &self.spec
    }

    /// Lives on until `to`. Going back does nothing.
    pub fn advance(&mut self, to: Timestamp) {
        self.advance_to(to.as_millisecond());
    }

    /// What a light call says; it never touches the car.
    pub fn light(&mut self, at: Timestamp) -> Light {
        self.advance(at);
        let state = match self.sleep {
            _ if !self.in_reach() => LightState::Offline,
            SleepState::Asleep { .. } => self.spec.sleeps_as,
            SleepState::Awake { .. } => LightState::Online,
        };
        Light {
            state,
            in_service: self.is(&What::Service),
        }
    }

    /// What a data call says; `None` is 408. It restarts the countdown of a held car and turns a
    /// self-check into a wake.
    pub fn data(&mut self, at: Timestamp) -> Option<CarView> {
        self.advance(at);
        let reached = self.in_reach();
        let SleepState::Awake { due, brief, .. } = &mut self.sleep else {
            self.tally.data_refused += 1;
            return None;
        };
        if !reached {
            self.tally.data_refused += 1;
            return None;
        }
        if *brief {
            let held = self.spec.brief_wakes.map_or(0, |b| ms(b.held_by_data));
            (*due, *brief) = (self.now + held, false);
            self.log(LifeEvent::Woke);
        } else if self.spec.held {
            *due = (*due).max(self.now + ms(self.spec.time_to_sleep));
        }
        self.tally.data_served += 1;
        Some(self.view())
    }

    /// A wake call: online after the wake delay, and a use of a car that is awake.
    pub fn wake(&mut self, at: Timestamp) {
        self.advance(at);
        self.tally.wakes += 1;
        let ready = self.now + ms(self.spec.wake_delay);
        match &mut self.sleep {
            SleepState::Asleep { wakes_at, .. } => *wakes_at = Some(wakes_at.unwrap_or(ready)),
            SleepState::Awake { .. } => self.used(self.now),
        }
    }

    /// What happened since the life was first observed, oldest first: all of it, or at least the
    /// newest [`CarSpec::events_kept`].
    pub fn events(&self) -> &[(Timestamp, LifeEvent)] {
        &self.events
    }

    /// The next instant at which something changes by itself.
    pub fn next_change(&self) -> Timestamp {
        stamp(self.next_event())
    }

    fn advance_to(&mut self, to: i64) {
        loop {
            let next = self.next_event();
            if next > to {
                break;
            }
            self.pass(next);
            self.happen();
        }
        self.pass(to);
    }

    fn next_event(&self) -> i64 {
        let acts = self
            .acts
            .iter()
            .map(|act| if act.begun { act.end } else { act.start });
        let sleep = match self.sleep {
            SleepState::Asleep { check_at, wakes_at } => check_at.into_iter().chain(wakes_at).min(),
            SleepState::Awake { due, .. } => (!self.kept_awake()).then_some(due),
        };
        acts.chain(sleep)
            .chain(self.charge_step_at())
            .chain([self.segment_at()])
            .min()
            .unwrap_or(i64::MAX)
            .max(self.now)
    }

    /// Lets time pass in which nothing begins or ends.
    fn pass(&mut self, to: i64) {
        if to <= self.now {
            return;
        }
        let elapsed = to - self.now;
        let hours = elapsed as f64 / HOUR_MS;
        if matches!(self.sleep, SleepState::Awake { .. }) {
            self.tally.awake_ms += elapsed;
        }
        let cabin_is_aired = self.busy() == Some(CarActivity::Driving) || self.climate_runs();
        let (target, per_hour) = if cabin_is_aired {
            (21.0, 9.0)
        } else {
            (self.outside_temp() + 2.0, 0.8)
        };
        self.inside_temp = target + (self.inside_temp - target) * (-per_hour * hours).exp();
        self.now = to;
        if let Some(drive) = self.driving() {
            let (moment, odometer, level) = drive;
            self.odometer_km = odometer + moment.km;
            self.battery_level = level - self.percent(moment.km * self.spec.wh_per_km / 1000.0);
        } else if let Some(kw) = self.charging_kw() {
            let kwh = kw * AC_EFFICIENCY * hours;
            self.energy_added_kwh += kwh;
            let level = self.battery_level + kwh / self.spec.battery_kwh * 100.0;
            self.battery_level = level.min(self.spec.charge_limit.max(self.battery_level));
        } else if !(self.cable.plugged && self.is_full()) {
            // A full battery is left alone while the cable feeds the car.
            self.battery_level -= self.percent(self.idle_kw() * hours);
        }
        self.battery_level = self.battery_level.clamp(2.0, 100.0);
    }

    fn is_full(&self) -> bool {
        self.battery_level >= self.spec.charge_limit - 1e-6
    }

    fn percent(&self, kwh: f64) -> f64 {
        kwh / self.spec.battery_kwh * 100.0
    }

    /// Does all that is due at this instant.
    fn happen(&mut self) {
        while let Some(index) = self
            .acts
            .iter()
            .position(|act| act.begun && act.end <= self.now)
        {
            let act = self.acts.swap_remove(index);
            self.end(&act);
        }
        if self.charging_kw().is_some() && self.is_full() {
            self.battery_level = self.spec.charge_limit;
            while let Some(index) = self
                .acts
                .iter()
                .position(|act| act.begun && act.is_charge())
            {
                let act = self.acts.swap_remove(index);
                self.end(&act);
            }
        }
        if self.segment_at() <= self.now {
            self.next_deed();
        }
        while let Some(index) = self
            .acts
            .iter()
            .position(|act| !act.begun && act.start <= self.now)
        {
            self.begin(index);
        }
        self.change_sleep();
    }

    fn change_sleep(&mut self) {
        match self.sleep {
            SleepState::Asleep {
                wakes_at: Some(at), ..
            } if at <= self.now => self.used(self.now),
            SleepState::Asleep {
                check_at: Some(at), ..
            } if at <= self.now => {
                let length = self.spec.brief_wakes.map_or(0, |b| ms(b.length));
                self.sleep = SleepState::Awake {
                    since: self.now,
                    due: self.now + length,
                    brief: true,
                };
                self.log(LifeEvent::BriefWake);
            }
            SleepState::Awake { due, .. } if due <= self.now && !self.kept_awake() => {
                self.sleep = self.sleeping(self.now);
                self.log(LifeEvent::FellAsleep);
            }
            _ => {}
        }
    }

    fn sleeping(&self, since: i64) -> SleepState {
        SleepState::Asleep {
            check_at: self.spec.brief_wakes.map(|b| since + ms(b.every)),
            wakes_at: None,
        }
    }

    /// Someone uses the car: it is awake, and the countdown begins anew.
    fn used(&mut self, at: i64) {
        let due = at + ms(self.spec.time_to_sleep);
        self.last_use = at;
        match &mut self.sleep {
            SleepState::Awake {
                due: old, brief, ..
            } => {
                *old = (*old).max(due);
                if std::mem::take(brief) {
                    self.log(LifeEvent::Woke);
                }
            }
            SleepState::Asleep { .. } => {
                self.sleep = SleepState::Awake {
                    since: at,
                    due,
                    brief: false,
                };
                self.log(LifeEvent::Woke);
            }
        }
    }

    /// While charging: when the power changes or the limit is reached.
    fn charge_step_at(&self) -> Option<i64> {
        let kw = self.charging_kw()?;
        let until = if self.cable.dc {
            let step = [50.0, 80.0]
                .into_iter()
                .find(|step| *step > self.battery_level + 1e-6);
            step.unwrap_or(f64::MAX).min(self.spec.charge_limit)
        } else {
            self.spec.charge_limit
        };
        Some(self.now.saturating_add(self.charge_ms(kw, until).max(1)))
    }

    fn charge_ms(&self, kw: f64, to_level: f64) -> i64 {
        let kwh = (to_level - self.battery_level).max(0.0) / 100.0 * self.spec.battery_kwh;
        (kwh / (kw * AC_EFFICIENCY) * HOUR_MS).ceil() as i64
    }

    /// The charger's power now; fast charging gets slower as the battery fills.
    fn charging_kw(&self) -> Option<f64> {
        let rated = self.acts.iter().find_map(|act| match act.what {
            What::Charge { kw } if act.begun => Some(kw),
            _ => None,
        })?;
        let share = match self.battery_level + 1e-6 {
            _ if !self.cable.dc => 1.0,
            level if level >= 80.0 => 0.3,
            level if level >= 50.0 => 0.6,
            _ => 1.0,
        };
        Some(rated * share)
    }

    /// The drive under way, with odometer and battery level at its start.
    fn driving(&self) -> Option<(DriveInstant, f64, f64)> {
        self.acts.iter().find_map(|act| match act.what {
            What::Drive {
                km,
                odometer,
                level,
            } if act.begun => {
                let length = (act.end - act.start).max(1) as f64;
                let done = (self.now - act.start) as f64 / length;
                let moment = motion::moment(km, length / HOUR_MS, done, self.spec.wh_per_km);
                Some((moment, odometer, level))
            }
            _ => None,
        })
    }

    fn kept_awake(&self) -> bool {
        self.acts
            .iter()
            .any(|act| act.begun && act.what.keeps_awake())
    }

    fn is(&self, what: &What) -> bool {
        self.acts.iter().any(|act| act.begun && act.what == *what)
    }

    fn busy(&self) -> Option<CarActivity> {
        if self.acts.iter().any(|act| act.begun && act.is_drive()) {
            Some(CarActivity::Driving)
        } else if self.is(&What::Install) {
            Some(CarActivity::Updating)
        } else {
            self.charging_kw().map(|_| CarActivity::Charging)
        }
    }

    fn in_reach(&self) -> bool {
        let dark = self.acts.iter().any(|act| {
            let done = (self.now - act.start) as f64 / (act.end - act.start).max(1) as f64;
            act.begun && act.what == What::Install && (DARK.0..DARK.1).contains(&done)
        });
        !dark && !self.is(&What::DeadZone)
    }

    fn climate_runs(&self) -> bool {
        let aired = [
            HoldReason::Climate,
            HoldReason::ClimateKeeper,
            HoldReason::Preconditioning,
            HoldReason::CabinOverheat,
        ];
        aired.into_iter().any(|reason| self.is(&What::Hold(reason)))
    }

    fn idle_kw(&self) -> f64 {
        match self.sleep {
            _ if self.climate_runs() => 1.6,
            SleepState::Awake { .. } => 0.2,
            SleepState::Asleep { .. } => 0.005,
        }
    }

    /// Coldest at four in the morning, warmest at four in the afternoon.
    fn outside_temp(&self) -> f64 {
        let local_hours = (self.now + i64::from(self.spec.utc_offset) * 1000) as f64 / HOUR_MS;
        12.0 - 6.0 * ((local_hours - 4.0) / 24.0 * std::f64::consts::TAU).cos()
    }

    fn log(&mut self, event: LifeEvent) {
        // Half of them at once, so that to forget costs little.
        if self.events.len() / 2 >= self.spec.events_kept {
            self.events.drain(..self.spec.events_kept);
        }
        self.events.push((stamp(self.now), event));
    }
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

fn stamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;

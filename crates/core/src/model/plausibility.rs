//! Values that cannot be true. A car that has just woken, or whose computers disagree, says 0, 255
//! or nothing for one look; what is beyond all bounds is unknown, and what no car can have done
//! since the look before is held back until the next look shows it too. The vehicle keeps its last
//! value meanwhile, so that nothing is published and nothing derived from a value in doubt.

use serde::{Deserialize, Serialize};

use super::{Known, Value};

/// How far a value may move: at once, and by the hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateOfChange {
    at_once: f64,
    per_hour: f64,
}

/// What null means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Null {
    /// What it says: a parked car has no speed.
    IsAWord,
    /// A gap, in one look.
    IsAGap,
    /// A gap in a car that moves; a parked one says so.
    IsAGapUnderWay,
}

/// The bounds of one signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Its path.
    pub signal: &'static str,
    least: f64,
    most: f64,
    rise: RateOfChange,
    fall: RateOfChange,
    null: Null,
}

const ANY: RateOfChange = rate(f64::INFINITY, 0.0);
const ALL: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

const fn rate(at_once: f64, per_hour: f64) -> RateOfChange {
    RateOfChange { at_once, per_hour }
}

const fn row(
    signal: &'static str,
    (least, most): (f64, f64),
    rise: RateOfChange,
    fall: RateOfChange,
    null: Null,
) -> Bounds {
    Bounds {
        signal,
        least,
        most,
        rise,
        fall,
        null,
    }
}

/// %, of a battery that charges at 400 kW and more, or climbs a mountain.
const LEVEL: (RateOfChange, RateOfChange) = (rate(5.0, 600.0), rate(5.0, 300.0));
/// Miles of range, by the same.
const RANGE: (RateOfChange, RateOfChange) = (rate(15.0, 2500.0), rate(15.0, 1200.0));

/// Signals with their bounds. What is not listed is believed as it comes.
#[rustfmt::skip]
pub const BOUNDS: &[Bounds] = &[
    row("charge_state.battery_level",                  (0.0, 100.0),       LEVEL.0, LEVEL.1, Null::IsAGap),
    row("charge_state.battery_range",                  (0.0, 1000.0),      RANGE.0, RANGE.1, Null::IsAGap),
    row("charge_state.charge_current_request",         (0.0, 200.0),       ANY, ANY, Null::IsAWord),
    row("charge_state.charge_current_request_max",     (0.0, 200.0),       ANY, ANY, Null::IsAWord),
    row("charge_state.charge_energy_added",            (0.0, 400.0),       ANY, ANY, Null::IsAWord),
    row("charge_state.charge_limit_soc",               (0.0, 100.0),       ANY, ANY, Null::IsAWord),
    row("charge_state.charge_miles_added_ideal",       (0.0, 2000.0),      ANY, ANY, Null::IsAWord),
    row("charge_state.charge_miles_added_rated",       (0.0, 2000.0),      ANY, ANY, Null::IsAWord),
    row("charge_state.charger_actual_current",         (0.0, 1500.0),      ANY, ANY, Null::IsAWord),
    // A car can give a house its power.
    row("charge_state.charger_power",                  (-100.0, 1500.0),   ANY, ANY, Null::IsAWord),
    row("charge_state.charger_voltage",                (0.0, 1500.0),      ANY, ANY, Null::IsAWord),
    row("charge_state.charging_state",                 ALL,                ANY, ANY, Null::IsAGap),
    // An estimate of 0 is none.
    row("charge_state.est_battery_range",              (0.1, 1000.0),      ANY, ANY, Null::IsAWord),
    row("charge_state.ideal_battery_range",            (0.0, 1000.0),      RANGE.0, RANGE.1, Null::IsAGap),
    row("charge_state.minutes_to_full_charge",         (0.0, 20_000.0),    ANY, ANY, Null::IsAWord),
    row("charge_state.time_to_full_charge",            (0.0, 333.0),       ANY, ANY, Null::IsAWord),
    row("charge_state.usable_battery_level",           (0.0, 100.0),       LEVEL.0, LEVEL.1, Null::IsAGap),
    row("climate_state.inside_temp",                   (-90.0, 120.0),     ANY, ANY, Null::IsAWord),
    row("climate_state.outside_temp",                  (-90.0, 90.0),      ANY, ANY, Null::IsAWord),
    row("drive_state.active_route_miles_to_arrival",   (0.0, 20_000.0),    ANY, ANY, Null::IsAWord),
    row("drive_state.active_route_minutes_to_arrival", (0.0, 100_000.0),   ANY, ANY, Null::IsAWord),
    row("drive_state.power",                           (-2000.0, 2000.0),  ANY, ANY, Null::IsAWord),
    row("drive_state.shift_state",                     ALL,                ANY, ANY, Null::IsAGapUnderWay),
    row("drive_state.speed",                           (0.0, 250.0),       ANY, ANY, Null::IsAWord),
    // It goes back by its rounding (tesla-api.md, quirk 26).
    row("vehicle_state.odometer",                      (0.0, 3_000_000.0), rate(5.0, 250.0), rate(1.0, 0.0), Null::IsAGap),
    // Without a pressure, the catalogue says, it is 0 or less.
    row("vehicle_state.tpms_pressure_fl",              (-10.0, 10.0),      ANY, ANY, Null::IsAWord),
    row("vehicle_state.tpms_pressure_fr",              (-10.0, 10.0),      ANY, ANY, Null::IsAWord),
    row("vehicle_state.tpms_pressure_rl",              (-10.0, 10.0),      ANY, ANY, Null::IsAWord),
    row("vehicle_state.tpms_pressure_rr",              (-10.0, 10.0),      ANY, ANY, Null::IsAWord),
];

/// A value that waits for the next look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// It; none is a gap.
    value: Option<Value>,
    /// When the car said so.
    pub at: jiff::Timestamp,
}

/// What to make of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It is believed.
    Believed(Option<Value>),
    /// It waits for the next look.
    HeldBack(Doubt),
}

/// The bounds of a signal, where it has any.
pub fn bounds(signal: &str) -> Option<&'static Bounds> {
    BOUNDS.iter().find(|row| row.signal == signal)
}

impl Bounds {
    /// What to make of a value that is newer than what is known; `doubt` is what waits since the
    /// look before, `is_moving` what the same answer says of the car.
    pub fn judge(
        &self,
        value: Option<Value>,
        at: jiff::Timestamp,
        known: &Known,
        doubt: Option<&Doubt>,
        is_moving: bool,
    ) -> Verdict {
        let value = self.within(value);
        let Some(before) = known.value.as_ref() else {
            return Verdict::Believed(value);
        };
        let direction = match &value {
            None => self.is_gap(is_moving).then_some(Direction::Gone),
            Some(value) => self.leap(before, value, hours(known.at, at)),
        };
        let Some(direction) = direction else {
            return Verdict::Believed(value);
        };
        let is_shown_again = doubt.is_some_and(|doubt| {
            let was = doubt.value.as_ref();
            doubt.at < at && Direction::from(before, was) == Some(direction)
        });
        if is_shown_again {
            Verdict::Believed(value)
        } else {
            Verdict::HeldBack(Doubt { value, at })
        }
    }

    /// The value; none if it is beyond all bounds.
    pub fn within(&self, value: Option<Value>) -> Option<Value> {
        value.filter(|value| {
            let number = value.number();
            number.is_none_or(|number| (self.least..=self.most).contains(&number))
        })
    }

    fn is_gap(&self, is_moving: bool) -> bool {
        match self.null {
            Null::IsAWord => false,
            Null::IsAGap => true,
            Null::IsAGapUnderWay => is_moving,
        }
    }

    /// Which way a value has leapt, if no car could follow.
    fn leap(&self, before: &Value, now: &Value, hours: f64) -> Option<Direction> {
        let (before, now) = before.number().zip(now.number())?;
        let (rate, direction) = if now > before {
            (self.rise, Direction::Up)
        } else {
            (self.fall, Direction::Down)
        };
        let moved = (now - before).abs();
        // Nothing that is measured by bounds in both directions is gone at a blow, be it overnight.
        let is_gone = now == 0.0 && moved > self.fall.at_once;
        let is_far = moved > rate.at_once + rate.per_hour * hours;
        (is_gone || is_far).then_some(direction)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
    Gone,
}

impl Direction {
    fn from(before: &Value, now: Option<&Value>) -> Option<Self> {
        let Some(now) = now else {
            return Some(Self::Gone);
        };
        let (before, now) = before.number().zip(now.number())?;
        Some(if now > before { Self::Up } else { Self::Down })
    }
}

fn hours(from: jiff::Timestamp, to: jiff::Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0) / 3600.0
}

#[cfg(test)]
mod tests;

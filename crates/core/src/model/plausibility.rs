//! Values that cannot be true. A car that has just woken, or whose computers disagree, says 0, 255
//! or nothing for one look; what is beyond all bounds is unknown, and what no car can have done
//! since the look before is held back until the next look shows it too; so is a 0 from which a
//! count would begin: a new car has some miles and some charge, and one that wakes says 0 for a
//! look. The vehicle keeps its last value meanwhile, so that nothing is published and nothing
//! derived from a value in doubt.

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
    /// A gap, in one look, of a meter that begins at 0 again and again.
    IsAGapOfAMeter,
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

/// No charger adds more energy between two looks than this at once, kWh, and this by the hour, kW.
pub const CHARGED_AT_ONCE_KWH: f64 = 10.0;
/// See [`CHARGED_AT_ONCE_KWH`].
pub const CHARGED_AT_MOST_KW: f64 = 400.0;
/// A counter of energy wobbles by its rounding, and by a look's worth of the car's own drain, kWh.
pub const WOBBLE_KWH: f64 = 0.3;
/// No parked car drains faster, kW.
pub const DRAIN_KW: f64 = 0.3;
/// The energy of a charge. It starts again with each session, which the second look confirms; one
/// that falls for a look would be counted twice by whoever adds it up.
const SESSION: (RateOfChange, RateOfChange) = (
    rate(CHARGED_AT_ONCE_KWH, CHARGED_AT_MOST_KW),
    rate(WOBBLE_KWH, DRAIN_KW),
);
/// All energy that a car has used, kWh; no car draws more for an hour than it charges.
const USED: (RateOfChange, RateOfChange) = (
    rate(CHARGED_AT_ONCE_KWH, CHARGED_AT_MOST_KW),
    rate(WOBBLE_KWH, 0.0),
);

/// Signals with their bounds. What is not listed is believed as it comes.
#[rustfmt::skip]
pub const BOUNDS: &[Bounds] = &[
    row("charge_state.battery_level",                          (0.0, 100.0),          LEVEL.0, LEVEL.1, Null::IsAGap),
    row("charge_state.battery_range",                          (0.0, 1000.0),         RANGE.0, RANGE.1, Null::IsAGap),
    row("charge_state.charge_current_request",                 (0.0, 200.0),          ANY, ANY, Null::IsAWord),
    row("charge_state.charge_current_request_max",             (0.0, 200.0),          ANY, ANY, Null::IsAWord),
    row("charge_state.charge_energy_added",                    (0.0, 400.0),          SESSION.0, SESSION.1, Null::IsAGapOfAMeter),
    row("charge_state.charge_limit_soc",                       (0.0, 100.0),          ANY, ANY, Null::IsAWord),
    row("charge_state.charge_miles_added_ideal",               (0.0, 2000.0),         ANY, ANY, Null::IsAWord),
    row("charge_state.charge_miles_added_rated",               (0.0, 2000.0),         ANY, ANY, Null::IsAWord),
    // -1 was seen for none.
    row("charge_state.charge_rate",                            (-1.0, 2500.0),        ANY, ANY, Null::IsAWord),
    // A car can give a house its power.
    row("charge_state.charger_actual_current",                 (-200.0, 1500.0),      ANY, ANY, Null::IsAWord),
    row("charge_state.charger_phases",                         (0.0, 3.0),            ANY, ANY, Null::IsAWord),
    row("charge_state.charger_power",                          (-100.0, 1500.0),      ANY, ANY, Null::IsAWord),
    row("charge_state.charger_voltage",                        (0.0, 1500.0),         ANY, ANY, Null::IsAWord),
    row("charge_state.charging_state",                         ALL,                   ANY, ANY, Null::IsAGap),
    row("charge_state.energy_remaining",                       (0.0, 400.0),          ANY, ANY, Null::IsAWord),
    // An estimate of 0 is none.
    row("charge_state.est_battery_range",                      (0.1, 1000.0),         ANY, ANY, Null::IsAWord),
    row("charge_state.ideal_battery_range",                    (0.0, 1000.0),         RANGE.0, RANGE.1, Null::IsAGap),
    row("charge_state.lifetime_energy_used",                   (0.0, 1_000_000.0),    USED.0, USED.1, Null::IsAGap),
    row("charge_state.minutes_to_full_charge",                 (0.0, 20_000.0),       ANY, ANY, Null::IsAWord),
    row("charge_state.module_temp_max",                        (-90.0, 150.0),        ANY, ANY, Null::IsAWord),
    row("charge_state.module_temp_min",                        (-90.0, 150.0),        ANY, ANY, Null::IsAWord),
    row("charge_state.pack_current",                           (-5000.0, 5000.0),     ANY, ANY, Null::IsAWord),
    row("charge_state.pack_voltage",                           (0.0, 1500.0),         ANY, ANY, Null::IsAWord),
    row("charge_state.time_to_full_charge",                    (0.0, 333.0),          ANY, ANY, Null::IsAWord),
    row("charge_state.usable_battery_level",                   (0.0, 100.0),          LEVEL.0, LEVEL.1, Null::IsAGap),
    row("climate_state.driver_temp_setting",                   (-10.0, 60.0),         ANY, ANY, Null::IsAWord),
    row("climate_state.fan_status",                            (0.0, 20.0),           ANY, ANY, Null::IsAWord),
    row("climate_state.inside_temp",                           (-90.0, 120.0),        ANY, ANY, Null::IsAWord),
    row("climate_state.outside_temp",                          (-90.0, 90.0),         ANY, ANY, Null::IsAWord),
    row("climate_state.passenger_temp_setting",                (-10.0, 60.0),         ANY, ANY, Null::IsAWord),
    // Below 0 for a car that will not get there.
    row("drive_state.active_route_energy_at_arrival",          (-100.0, 100.0),       ANY, ANY, Null::IsAWord),
    row("drive_state.active_route_latitude",                   (-90.0, 90.0),         ANY, ANY, Null::IsAWord),
    row("drive_state.active_route_longitude",                  (-180.0, 180.0),       ANY, ANY, Null::IsAWord),
    row("drive_state.active_route_miles_to_arrival",           (0.0, 20_000.0),       ANY, ANY, Null::IsAWord),
    row("drive_state.active_route_minutes_to_arrival",         (0.0, 100_000.0),      ANY, ANY, Null::IsAWord),
    // Below 0 where it is faster than usual.
    row("drive_state.active_route_traffic_minutes_delay",      (-10_000.0, 10_000.0), ANY, ANY, Null::IsAWord),
    row("drive_state.latitude",                                (-90.0, 90.0),         ANY, ANY, Null::IsAWord),
    row("drive_state.longitude",                               (-180.0, 180.0),       ANY, ANY, Null::IsAWord),
    row("drive_state.power",                                   (-2000.0, 2000.0),     ANY, ANY, Null::IsAWord),
    row("drive_state.shift_state",                             ALL,                   ANY, ANY, Null::IsAGapUnderWay),
    row("drive_state.speed",                                   (0.0, 250.0),          ANY, ANY, Null::IsAWord),
    row("vehicle_state.homelink_device_count",                 (0.0, 1000.0),         ANY, ANY, Null::IsAWord),
    // It goes back by its rounding (tesla-api.md, quirk 26).
    row("vehicle_state.odometer",                              (0.0, 3_000_000.0),    rate(5.0, 250.0), rate(1.0, 0.0), Null::IsAGap),
    row("vehicle_state.software_update.download_perc",         (0.0, 100.0),          ANY, ANY, Null::IsAWord),
    row("vehicle_state.software_update.expected_duration_sec", (0.0, 1_000_000.0),    ANY, ANY, Null::IsAWord),
    row("vehicle_state.software_update.install_perc",          (0.0, 100.0),          ANY, ANY, Null::IsAWord),
    row("vehicle_state.speed_limit_mode.current_limit_mph",    (0.0, 250.0),          ANY, ANY, Null::IsAWord),
    // Without a pressure, the catalogue says, it is 0 or less.
    row("vehicle_state.tpms_pressure_fl",                      (-10.0, 10.0),         ANY, ANY, Null::IsAWord),
    row("vehicle_state.tpms_pressure_fr",                      (-10.0, 10.0),         ANY, ANY, Null::IsAWord),
    row("vehicle_state.tpms_pressure_rl",                      (-10.0, 10.0),         ANY, ANY, Null::IsAWord),
    row("vehicle_state.tpms_pressure_rr",                      (-10.0, 10.0),         ANY, ANY, Null::IsAWord),
];

/// A value that waits for the next look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// It; none is a gap.
    pub value: Option<Value>,
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
    /// What to make of a value that is newer than what is known, if anything is; `doubt` is what
    /// waits since the look before, `is_moving` what the same answer says of the car.
    pub fn judge(
        &self,
        value: Option<Value>,
        at: jiff::Timestamp,
        known: Option<&Known>,
        doubt: Option<&Doubt>,
        is_moving: bool,
    ) -> Verdict {
        let value = self.within(value);
        let before = known.and_then(|known| Some((known.value.as_ref()?, known.at)));
        let direction = match (before, &value) {
            (None, None) => None,
            (None, Some(first)) => self.is_nothing(first).then_some(Direction::Down),
            (Some(_), None) => self.is_gap(is_moving).then_some(Direction::Gone),
            (Some((before, since)), Some(now)) => self.leap(before, now, hours(since, at)),
        };
        let Some(direction) = direction else {
            return Verdict::Believed(value);
        };
        let is_shown_again = doubt.is_some_and(|doubt| {
            let before = before.map(|(before, _)| before);
            let was = Direction::from(before, doubt.value.as_ref());
            doubt.at < at && was == Some(direction)
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
            Null::IsAGap | Null::IsAGapOfAMeter => true,
            Null::IsAGapUnderWay => is_moving,
        }
    }

    /// Whether a first value is the 0 of a car that has just woken: nothing that a car always knows
    /// is used up when it is first seen.
    fn is_nothing(&self, first: &Value) -> bool {
        self.null == Null::IsAGap && first.number() == Some(0.0)
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
    /// Where nothing was before, only a 0 is held back.
    fn from(before: Option<&Value>, now: Option<&Value>) -> Option<Self> {
        let Some(now) = now else {
            return Some(Self::Gone);
        };
        let Some(before) = before else {
            return Some(Self::Down);
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

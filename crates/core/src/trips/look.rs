//! What the trips keep of a look at a car.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{CarRecord, ChargingState, Gear};

/// Counters and states; `None` is unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "Tesla's own fields")]
pub(super) struct Look {
    /// When the car said so.
    pub at: Timestamp,
    /// In D, R or N.
    pub in_gear: Option<bool>,
    /// Current flows, or is about to.
    pub charging: Option<bool>,
    /// The cable is out.
    pub unplugged: bool,
    /// Odometer, miles.
    pub odometer_mi: Option<f64>,
    /// When it showed that.
    #[serde(default)]
    pub odometer_at: Option<Timestamp>,
    /// Someone is in the car, and it draws power.
    #[serde(default)]
    pub at_the_wheel: bool,
    /// Current flows.
    #[serde(default)]
    pub current_flows: bool,
    /// State of charge, %.
    pub level: Option<f64>,
    /// Rated range, miles.
    pub range_mi: Option<f64>,
    /// Tesla's counter of the session, kWh.
    pub session_kwh: Option<f64>,
    /// Rated range added in the session, miles.
    pub session_mi: Option<f64>,
    /// Charger power, kW.
    pub charger_kw: Option<f64>,
    /// A DC charger.
    pub is_dc: bool,
    /// Heating or cooling for people, now or to come.
    #[serde(default)]
    pub climate_on: bool,
    /// The car's local time, from UTC, seconds.
    #[serde(default)]
    pub utc_offset_s: Option<i64>,
}

impl Look {
    /// `None` until the car has answered at all.
    pub(super) fn of(record: &CarRecord) -> Option<Self> {
        Some(Self {
            at: record.at?,
            in_gear: record.gear.map(Gear::is_driving),
            charging: record.charging_state.and_then(ChargingState::is_charging),
            unplugged: record.charging_state == Some(ChargingState::Disconnected),
            // No car that was delivered shows 0.
            odometer_mi: record.odometer_mi.filter(|miles| *miles > 0.0),
            odometer_at: record.odometer_at,
            at_the_wheel: record.user_present && record.power_kw.is_some_and(|kw| kw > 0.0),
            current_flows: record.charging_state == Some(ChargingState::Charging),
            level: record.battery_level,
            range_mi: record.range_mi,
            session_kwh: record.session_kwh,
            session_mi: record.session_mi,
            charger_kw: record.charger_power_kw,
            is_dc: record.is_dc,
            climate_on: record.climate_on || record.preconditioning,
            utc_offset_s: record.utc_offset_s,
        })
    }

    /// Energy of a mile of rated range: of a session long enough that rounding to half miles
    /// does not show.
    pub(super) fn kwh_per_rated_mile(&self) -> Option<f64> {
        let (kwh, miles) = self.session_kwh.zip(self.session_mi)?;
        let factor = kwh / miles;
        (miles >= 20.0 && (0.1..1.0).contains(&factor)).then_some(factor)
    }

    /// Miles driven since an earlier look, where both know.
    pub(super) fn miles_since(&self, earlier: &Self) -> Option<f64> {
        let (now, then) = self.odometer_mi.zip(earlier.odometer_mi)?;
        Some((now - then).max(0.0))
    }

    /// Whole seconds since an earlier time.
    pub(super) fn seconds_since(&self, earlier: Timestamp) -> i64 {
        self.at.duration_since(earlier).as_secs().max(0)
    }
}

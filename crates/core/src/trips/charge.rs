//! Charges: from the first reading in which current flows to the first in which it does not.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::look::Look;
use super::meter::EnergyMeter;
use super::rounded;
use super::tariff::{Flow, Tariff};

/// A charge that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Charge {
    /// First seen charging.
    pub started_at: Timestamp,
    /// First seen not charging.
    pub ended_at: Timestamp,
    /// Between the two, seconds.
    pub duration_s: i64,
    /// Into the battery, kWh, as the meter of all energy counted it: a charge that was already under way
    /// when the bridge first saw the car has what came since.
    pub energy_kwh: f64,
    /// State of charge before, %.
    pub level_from: Option<f64>,
    /// State of charge after, %.
    pub level_to: Option<f64>,
    /// Rated range added, miles.
    pub range_added_mi: Option<f64>,
    /// Greatest power seen, kW.
    pub power_max_kw: Option<f64>,
    /// At a DC charger.
    pub is_dc: bool,
    /// By the tariff that held while it went on.
    #[serde(default)]
    pub cost: Option<f64>,
    /// What the cost is in.
    #[serde(default)]
    pub currency: Option<String>,
}

impl Charge {
    /// State of charge added, %.
    pub fn level_added(&self) -> Option<f64> {
        Some(self.level_to? - self.level_from?)
    }

    /// For an event.
    pub fn figures(&self) -> Map<String, Json> {
        let charger = if self.is_dc { "dc" } else { "ac" };
        let figures = [
            ("started_at", self.started_at.to_string().into()),
            ("ended_at", self.ended_at.to_string().into()),
            ("duration_s", self.duration_s.into()),
            ("energy_kwh", rounded(Some(self.energy_kwh), 2)),
            ("level_from", rounded(self.level_from, 1)),
            ("level_to", rounded(self.level_to, 1)),
            ("range_added_mi", rounded(self.range_added_mi, 2)),
            ("power_max_kw", rounded(self.power_max_kw, 1)),
            ("charger_type", charger.into()),
            ("cost", rounded(self.cost, 2)),
            ("currency", self.currency.clone().into()),
        ];
        figures
            .map(|(name, figure)| (name.to_owned(), figure))
            .into_iter()
            .collect()
    }
}

/// The meter before and after a reading.
#[derive(Debug)]
pub(super) struct Metered<'a> {
    /// What it showed before.
    pub before_kwh: Option<f64>,
    /// The meter after it.
    pub meter: &'a EnergyMeter,
}

/// The charge under way and the last one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ChargeLog {
    under_way: Option<ChargeUnderWay>,
    /// The newest that ended.
    pub last: Option<Charge>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ChargeUnderWay {
    started_at: Timestamp,
    from: Option<Look>,
    /// What the meter showed before it.
    #[serde(default)]
    meter_before_kwh: Option<f64>,
    /// The look before: none of the charge's energy is older.
    #[serde(default)]
    not_before: Option<Timestamp>,
    power_max_kw: Option<f64>,
    is_dc: bool,
    /// Up to where the cost is counted.
    #[serde(default)]
    priced: Priced,
    /// Current has flowed; an older version told of all that began before it ended.
    #[serde(default = "yes")]
    has_flowed: bool,
    /// Its start was told.
    #[serde(default = "yes")]
    is_told: bool,
    /// Its end was pushed; the next look has the figures.
    #[serde(default)]
    ended_at: Option<Timestamp>,
}

/// What a look changed.
#[derive(Debug, Default)]
pub(super) struct ChargeChanges {
    /// Ended.
    pub ended: Option<Charge>,
    /// Current flows for the first time.
    pub has_started: bool,
}

/// The part of a charge that has its cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Priced {
    kwh: f64,
    /// `None` until the counter is known to be this session's.
    until: Option<Timestamp>,
    /// `None` once any of it had no price, and of a charge that began before there were prices.
    cost: Option<f64>,
}

/// Less than this is a test of the plug: it ends, but is no last charge.
const ENERGY_AT_LEAST_KWH: f64 = 0.05;
/// A lower power is no more than rounding.
const POWER_AT_LEAST_KW: f64 = 1.0;

impl ChargeLog {
    /// Whether one is under way, or waits for its end.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Takes in a look, which the meter has had already; `can_tell` is whether a start can be told.
    pub(super) fn note(
        &mut self,
        last: Option<&Look>,
        now: &Look,
        can_tell: bool,
        meter: &Metered<'_>,
        tariff: &Tariff,
    ) -> ChargeChanges {
        let mut changes = ChargeChanges::default();
        // A car in gear has no cable, whatever the older part of its answer says.
        let charging = match now.in_gear {
            Some(true) => Some(false),
            _ => now.charging,
        };
        match charging {
            // One missing word ends nothing.
            None => {}
            Some(true) => changes.has_started = self.go_on(last, now, can_tell, meter, tariff),
            Some(false) => changes.ended = self.stop(now, meter.meter, tariff),
        }
        changes
    }

    /// The cable was pushed to be out, or the current to have stopped: the next look has the
    /// figures.
    pub(super) fn pushed_over(&mut self, at: Timestamp) {
        if let Some(charge) = &mut self.under_way {
            charge.ended_at.get_or_insert(at);
        }
    }

    /// Current was pushed to flow. Returns whether a charge began.
    pub(super) fn pushed_flowing(
        &mut self,
        at: Timestamp,
        last: Option<&Look>,
        can_tell: bool,
        meter: &EnergyMeter,
    ) -> bool {
        let charge = self
            .under_way
            .get_or_insert_with(|| ChargeUnderWay::begin(at, last, None, meter.total_kwh()));
        charge.ended_at = None;
        charge.flows(can_tell)
    }

    /// No more will be seen of the charge under way: it ended with its last look.
    pub(super) fn give_up(
        &mut self,
        last: Option<&Look>,
        now: Timestamp,
        meter: &EnergyMeter,
        tariff: &Tariff,
    ) -> Option<Charge> {
        let charge = self.under_way.take()?;
        let at = charge.ended_at.or(last.map(|last| last.at)).unwrap_or(now);
        let energy_kwh = meter
            .total_kwh()
            .zip(charge.meter_before_kwh)
            .map_or(0.0, |(total, before)| total - before);
        self.finish(&charge, at, last, energy_kwh, tariff)
    }

    fn go_on(
        &mut self,
        last: Option<&Look>,
        now: &Look,
        can_tell: bool,
        meter: &Metered<'_>,
        tariff: &Tariff,
    ) -> bool {
        let charge = self.under_way.get_or_insert_with(|| {
            ChargeUnderWay::begin(now.at, last, Some(now), meter.before_kwh)
        });
        charge.from.get_or_insert_with(|| now.clone());
        charge.ended_at = None;
        charge.is_dc |= now.is_dc;
        charge.count(now, meter.meter, tariff);
        let power = [charge.power_max_kw, now.charger_kw];
        charge.power_max_kw = power.into_iter().flatten().reduce(f64::max);
        now.current_flows && charge.flows(can_tell)
    }

    fn stop(&mut self, now: &Look, meter: &EnergyMeter, tariff: &Tariff) -> Option<Charge> {
        let mut charge = self.under_way.take()?;
        let energy_kwh = charge.count(now, meter, tariff).unwrap_or(0.0);
        let at = charge.ended_at.unwrap_or(now.at);
        self.finish(&charge, at, Some(now), energy_kwh, tariff)
    }

    fn finish(
        &mut self,
        charge: &ChargeUnderWay,
        ended_at: Timestamp,
        to: Option<&Look>,
        energy_kwh: f64,
        tariff: &Tariff,
    ) -> Option<Charge> {
        let from = charge.from.as_ref();
        // A clock that was set back meanwhile.
        let ended_at = ended_at.max(charge.started_at);
        let is_told = charge.is_told;
        let charge = Charge {
            started_at: charge.started_at,
            ended_at,
            duration_s: ended_at.duration_since(charge.started_at).as_secs(),
            energy_kwh,
            level_from: from.and_then(|from| from.level),
            level_to: to.and_then(|to| to.level),
            range_added_mi: from
                .and_then(|from| from.range_mi)
                .zip(to.and_then(|to| to.range_mi))
                .map(|(a, b)| b - a),
            power_max_kw: charge.power_max_kw,
            is_dc: charge.is_dc,
            cost: charge.priced.cost,
            currency: tariff.currency.clone(),
        };
        if energy_kwh >= ENERGY_AT_LEAST_KWH {
            self.last = Some(charge.clone());
        } else if !is_told {
            return None;
        }
        Some(charge)
    }
}

impl ChargeUnderWay {
    fn begin(
        started_at: Timestamp,
        last: Option<&Look>,
        now: Option<&Look>,
        meter_before_kwh: Option<f64>,
    ) -> Self {
        let is_before = |last: &&Look| now.is_none_or(|now| last.level <= now.level);
        Self {
            started_at,
            from: last.filter(is_before).or(now).cloned(),
            meter_before_kwh,
            not_before: last.map(|last| last.at),
            power_max_kw: None,
            is_dc: false,
            priced: Priced {
                cost: Some(0.0),
                ..Priced::default()
            },
            has_flowed: false,
            is_told: false,
            ended_at: None,
        }
    }

    /// Current flows; returns whether it is the first time.
    fn flows(&mut self, can_tell: bool) -> bool {
        let is_first = !std::mem::replace(&mut self.has_flowed, true);
        self.is_told |= is_first && can_tell;
        is_first
    }
}

impl ChargeUnderWay {
    /// Takes in the meter; returns the energy so far.
    fn count(&mut self, now: &Look, meter: &EnergyMeter, tariff: &Tariff) -> Option<f64> {
        let total = meter.total_kwh()?;
        let energy_kwh = total - *self.meter_before_kwh.get_or_insert(total);
        let flow = self.flow(now, energy_kwh - self.priced.kwh);
        if !meter.is_stale() {
            self.priced.until = Some(now.at);
        }
        if flow.kwh > 0.0 {
            self.priced.kwh = energy_kwh;
            let more = tariff.cost(&flow);
            self.priced.cost = self.priced.cost.zip(more).map(|(cost, more)| cost + more);
        }
        Some(energy_kwh)
    }

    /// When energy came that was not there at the look before. What came before the first look at
    /// the session came at about the power that this look shows; without one, at any time since
    /// the look before the charge.
    fn flow(&self, now: &Look, kwh: f64) -> Flow {
        let power_kw = now.charger_kw.filter(|kw| *kw >= POWER_AT_LEAST_KW);
        let earliest = self.not_before.unwrap_or_else(|| before(now.at, 24.0));
        let from = match (self.priced.until, power_kw) {
            (Some(until), _) => until,
            (None, Some(kw)) => before(now.at, kwh / kw).max(earliest),
            (None, None) => earliest,
        };
        Flow {
            kwh,
            is_dc: self.is_dc,
            from,
            until: now.at,
            is_even: self.priced.until.is_some() || power_kw.is_some(),
            utc_offset_s: now.utc_offset_s,
        }
    }
}

pub(super) fn yes() -> bool {
    true
}

/// So many hours before a time.
fn before(at: Timestamp, hours: f64) -> Timestamp {
    let ago = Duration::try_from_secs_f64(hours * 3600.0).ok();
    ago.and_then(|ago| at.checked_sub(ago).ok()).unwrap_or(at)
}

//! The newest value of each signal of one car.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::plausibility::{self, Doubt, Verdict};
use super::{DeviceId, Gear, Now, Observation, Source, Value, Vin};

/// The name of a fact: its path in `vehicle_data` (`charge_state.battery_level`,
/// `vehicle_state.software_update.status`), a top-level word of the vehicle object
/// (`state`, `in_service`), or `bridge.<name>` for what the bridge itself knows.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signal(Arc<str>);

impl Signal {
    /// A signal by its path.
    pub fn new(path: &str) -> Self {
        Self(Arc::from(path))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first dot: the object of `vehicle_data` that holds the field.
    pub fn group(&self) -> &str {
        self.0.split_once('.').map_or("", |(group, _)| group)
    }

    fn is_in(&self, group: &str) -> bool {
        let rest = self.0.strip_prefix(group);
        rest.is_some_and(|rest| rest.starts_with('.'))
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::borrow::Borrow<str> for Signal {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A value with its time and source. `value` is `None` when the newest word about the signal was
/// "unknown".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// The value, or unknown.
    pub value: Option<Value>,
    /// When it was true.
    pub at: Timestamp,
    /// Who said so.
    pub source: Source,
    /// Whether it ever had a value: a car without the part says null for ever.
    #[serde(default)]
    pub was_known: bool,
    /// It is unknown because what the car said cannot be true: null may have a meaning, this has
    /// none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_implausible: bool,
}

/// Signals that do not vanish with the rest of their group: the car leaves them out without the
/// location permission and for a while after waking, and the last position is better than none.
const POSITION: [&str; 9] = [
    "drive_state.corrected_latitude",
    "drive_state.corrected_longitude",
    "drive_state.gps_as_of",
    "drive_state.heading",
    "drive_state.latitude",
    "drive_state.longitude",
    "drive_state.native_latitude",
    "drive_state.native_longitude",
    "drive_state.native_type",
];

/// More signals than any car has; a cloud that invents names without end fills no memory.
const SIGNALS_AT_MOST: usize = 2000;

/// What the bridge says, and the words of the vehicle object itself (`state`), carry the time of
/// their arrival: they come in the order in which they were true, also where the clock was set back
/// between two of them.
fn comes_in_order(signal: &Signal, source: Source) -> bool {
    source == Source::Bridge || signal.group().is_empty()
}

/// One car: its VIN and the newest value of each signal. Kept while the car sleeps, and over
/// restarts of the bridge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vehicle {
    /// The car's name for life.
    pub vin: Vin,
    signals: BTreeMap<Signal, Known>,
    /// What no car can have done since the look before, until the next look shows it too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    doubts: BTreeMap<Signal, Doubt>,
    /// For each group, how many answers in a row were older than what is known.
    #[serde(skip)]
    n_older: BTreeMap<String, u8>,
}

/// So many older answers in a row, and the next is believed: the newer time was wrong.
const OLDER_IN_A_ROW: u8 = 5;

impl Vehicle {
    /// A car about which nothing is known yet.
    pub fn new(vin: Vin) -> Self {
        Self {
            vin,
            signals: BTreeMap::new(),
            doubts: BTreeMap::new(),
            n_older: BTreeMap::new(),
        }
    }

    /// The name by which it is addressed, like every device.
    pub fn id(&self) -> DeviceId {
        DeviceId::from(&self.vin)
    }

    /// Takes in an observation; per signal the newest time wins, an equal time replaces. What
    /// carries no time but that of its arrival always replaces. What cannot be true is unknown, or
    /// waits for the next look ([`plausibility`]). Returns whether any value changed.
    pub fn apply(&mut self, seen: &Observation) -> bool {
        let mut changed = false;
        for group in &seen.whole_groups {
            self.believe_older_at_last(group, seen);
        }
        let is_moving = seen.signals.iter().any(|(signal, value)| {
            let speed = value.as_ref().and_then(Value::number);
            signal.as_str() == "drive_state.speed" && speed.is_some_and(|mph| mph > 0.0)
        });
        for (signal, value) in &seen.signals {
            let was_said = value.is_some();
            let value = match self.judge(signal, value.clone(), seen, is_moving) {
                Verdict::Believed(value) => value,
                Verdict::HeldBack(doubt) => {
                    self.doubts.insert(signal.clone(), doubt);
                    continue;
                }
            };
            self.doubts.remove(signal);
            let is_implausible = was_said && value.is_none();
            changed |= self.put(signal, value, seen, is_implausible);
        }
        if !seen.whole_groups.is_empty() {
            changed |= self.forget_vanished(seen, is_moving);
        }
        changed
    }

    /// Nothing can have been seen after `now`: times that say so were written by a clock that has
    /// been set back since, and would keep the newest words out for as long as it was ahead. A
    /// clock that is not set yet sets nothing right.
    pub fn not_after(&mut self, now: Now) {
        if now.is_set() {
            for known in self.signals.values_mut() {
                known.at = known.at.min(now.wall);
            }
            for doubt in self.doubts.values_mut() {
                doubt.at = doubt.at.min(now.wall);
            }
        }
    }

    /// A car whose clock was set back says nothing but older words from then on.
    fn believe_older_at_last(&mut self, group: &str, seen: &Observation) {
        if seen.source == Source::Bridge {
            return;
        }
        let newest = self.in_group(group).map(|(_, known)| known.at).max();
        let n_older = self.n_older.entry(group.to_owned()).or_default();
        if newest.is_none_or(|newest| newest <= seen.at) {
            *n_older = 0;
        } else if *n_older < OLDER_IN_A_ROW {
            *n_older += 1;
        } else {
            *n_older = 0;
            let of_group = |signal: &&Signal| signal.is_in(group);
            let signals: Vec<Signal> = self.signals.keys().filter(of_group).cloned().collect();
            for signal in signals {
                if let Some(known) = self.signals.get_mut(&signal) {
                    known.at = known.at.min(seen.at);
                }
            }
        }
    }

    /// What to make of a value. Only what is newer than the last is measured against it.
    fn judge(
        &self,
        signal: &Signal,
        value: Option<Value>,
        seen: &Observation,
        is_moving: bool,
    ) -> Verdict {
        let bounds = plausibility::bounds(signal.as_str());
        let Some(bounds) = bounds.filter(|_| seen.source != Source::Bridge) else {
            return Verdict::Believed(value);
        };
        let known = self.signals.get(signal);
        if known.is_some_and(|known| known.at >= seen.at) {
            return Verdict::Believed(bounds.within(value));
        }
        bounds.judge(value, seen.at, known, self.doubts.get(signal), is_moving)
    }

    fn in_group<'a>(&'a self, group: &'a str) -> impl Iterator<Item = (&'a Signal, &'a Known)> {
        self.signals
            .range::<str, _>((Bound::Excluded(group), Bound::Unbounded))
            .take_while(move |(signal, _)| signal.is_in(group))
    }

    fn put(
        &mut self,
        signal: &Signal,
        value: Option<Value>,
        seen: &Observation,
        is_implausible: bool,
    ) -> bool {
        let n_signals = self.signals.len();
        match self.signals.entry(signal.clone()) {
            Entry::Occupied(old) => {
                let old = old.into_mut();
                if old.at > seen.at && !comes_in_order(signal, seen.source) {
                    return false;
                }
                let changed = old.value != value || old.is_implausible != is_implausible;
                old.is_implausible = is_implausible;
                old.was_known |= value.is_some();
                old.value = value;
                old.at = seen.at;
                old.source = seen.source;
                changed
            }
            Entry::Vacant(_) if n_signals >= SIGNALS_AT_MOST => false,
            Entry::Vacant(place) => {
                place.insert(Known {
                    was_known: value.is_some(),
                    value,
                    at: seen.at,
                    source: seen.source,
                    is_implausible,
                });
                true
            }
        }
    }

    fn forget_vanished(&mut self, seen: &Observation, is_moving: bool) -> bool {
        let mut listed: Vec<&str> = seen.signals.iter().map(|(s, _)| s.as_str()).collect();
        listed.sort_unstable();
        let mut vanished: Vec<Signal> = Vec::new();
        for group in &seen.whole_groups {
            let of_group = self.in_group(group).filter(|(signal, known)| {
                listed.binary_search(&signal.as_str()).is_err()
                    && !POSITION.contains(&signal.as_str())
                    && known.at <= seen.at
            });
            vanished.extend(of_group.map(|(signal, _)| signal.clone()));
        }
        let mut changed = false;
        for signal in vanished {
            match self.judge(&signal, None, seen, is_moving) {
                Verdict::HeldBack(doubt) => {
                    self.doubts.insert(signal, doubt);
                }
                Verdict::Believed(_) => {
                    self.doubts.remove(&signal);
                    if let Some(known) = self.signals.get_mut(&signal) {
                        changed |= known.value.take().is_some();
                        known.is_implausible = false;
                        known.at = seen.at;
                    }
                }
            }
        }
        changed
    }

    /// What ends a drive of which nobody saw the end: a car that sleeps, or of which nothing was
    /// heard for so long that its drive is over, is not in gear, has no speed and follows no route
    /// (entity-catalogue.md, 3.3). As of the newest word on the drive, so that whatever the car
    /// says next counts. `None` of a car that is not in gear.
    pub fn end_of_drive(&self) -> Option<Observation> {
        const DRIVE: &str = "drive_state";
        const GEAR: &str = "drive_state.shift_state";
        Gear::of_car(self).filter(|gear| gear.is_driving())?;
        let words = self
            .signals
            .iter()
            .filter(|(signal, _)| signal.is_in(DRIVE));
        let at = words.map(|(_, known)| known.at).max()?;
        Some(Observation {
            source: Source::Bridge,
            at,
            whole_groups: vec![DRIVE],
            signals: vec![
                (Signal::new(GEAR), Some(Value::Text("P".to_owned()))),
                (Signal::new("drive_state.power"), Some(Value::Int(0))),
            ],
        })
    }

    /// The newest word on a signal, with its time; `None` when it was never mentioned.
    pub fn known(&self, path: &str) -> Option<&Known> {
        self.signals.get(path)
    }

    /// The value of a signal, if it is known.
    pub fn value(&self, path: &str) -> Option<&Value> {
        self.signals.get(path)?.value.as_ref()
    }

    /// Whether a signal is unknown because what the car said cannot be true.
    pub fn is_implausible(&self, path: &str) -> bool {
        self.signals
            .get(path)
            .is_some_and(|known| known.is_implausible)
    }

    /// The number of a signal.
    pub fn number(&self, path: &str) -> Option<f64> {
        self.value(path)?.number()
    }

    /// The number that a signal had in the newest word on it, even while that waits for a second
    /// look: for the meter of all sessions' energy, which has rules of its own for what it believes.
    pub fn newest_number(&self, path: &str) -> Option<f64> {
        match self.doubts.get(path) {
            Some(doubt) => doubt.value.as_ref()?.number(),
            None => self.number(path),
        }
    }

    /// The truth of a signal.
    pub fn truth(&self, path: &str) -> Option<bool> {
        self.value(path)?.truth()
    }

    /// The text of a signal.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.value(path)?.text()
    }

    /// Whether the car's data has ever come: until then, what it has and has not is not known.
    pub fn has_answered(&self) -> bool {
        let of_every_car = ["charge_state.battery_level", "vehicle_state.odometer"];
        of_every_car.iter().any(|path| self.known(path).is_some())
    }

    /// Whether anything in a group (`"charge_state"`) was ever mentioned.
    pub fn has_seen(&self, group: &str) -> bool {
        self.signals
            .range::<str, _>((Bound::Excluded(group), Bound::Unbounded))
            .next()
            .is_some_and(|(signal, _)| signal.is_in(group))
    }

    /// Every signal ever mentioned, by name.
    pub fn signals(&self) -> impl Iterator<Item = (&Signal, &Known)> {
        self.signals.iter()
    }
}

#[cfg(test)]
mod tests;

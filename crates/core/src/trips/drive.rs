//! Drives: from the last reading before a gear was in to the first after it was out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::look::Look;
use super::rounded;

/// A drive that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drive {
    /// First seen in gear.
    pub started_at: Timestamp,
    /// First seen parked again, or last seen in gear if contact was lost for long.
    pub ended_at: Timestamp,
    /// Between the two, seconds.
    pub duration_s: i64,
    /// By the odometer, miles.
    pub distance_mi: f64,
    /// State of charge before, %.
    pub level_from: Option<f64>,
    /// State of charge after, %.
    pub level_to: Option<f64>,
    /// Rated range used, miles; negative downhill.
    pub range_used_mi: Option<f64>,
    /// That range as energy, kWh; unknown until a charge has shown what a rated mile is.
    pub energy_kwh: Option<f64>,
}

const KM_PER_MILE: f64 = 1.609_344;

impl Drive {
    /// Energy by distance; of drives long enough for it to mean something.
    pub fn wh_per_km(&self) -> Option<f64> {
        let km = self.distance_mi * KM_PER_MILE;
        (km >= 1.0).then_some(())?;
        self.energy_kwh.map(|kwh| kwh * 1000.0 / km)
    }

    /// For an event.
    pub fn figures(&self) -> Map<String, Json> {
        let figures = [
            ("started_at", self.started_at.to_string().into()),
            ("ended_at", self.ended_at.to_string().into()),
            ("duration_s", self.duration_s.into()),
            ("distance_mi", rounded(Some(self.distance_mi), 2)),
            ("level_from", rounded(self.level_from, 1)),
            ("level_to", rounded(self.level_to, 1)),
            ("range_used_mi", rounded(self.range_used_mi, 2)),
            ("energy_kwh", rounded(self.energy_kwh, 2)),
            ("efficiency_wh_per_km", rounded(self.wh_per_km(), 0)),
        ];
        figures
            .map(|(name, figure)| (name.to_owned(), figure))
            .into_iter()
            .collect()
    }

    /// State of charge used, %.
    pub fn level_used(&self) -> Option<f64> {
        Some(self.level_from? - self.level_to?)
    }
}

/// The drive under way and the last one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DriveLog {
    under_way: Option<UnderWay>,
    /// The newest that ended.
    pub last: Option<Drive>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct UnderWay {
    started_at: Timestamp,
    /// The counters before it.
    from: Look,
}

/// Shorter than this it was a gear change in the driveway.
const DISTANCE_AT_LEAST_MI: f64 = 0.05;
/// A car that slept may be so far on its way before it is seen in gear.
const UNSEEN_AT_MOST_MI: f64 = 3.0;
/// A gap in which the end of a drive cannot be told from a stay.
const CONTACT_LOST_S: i64 = 15 * 60;

impl DriveLog {
    /// Takes in a look; returns the drive that it ends.
    pub fn note(
        &mut self,
        last: Option<&Look>,
        now: &Look,
        kwh_per_rated_mile: Option<f64>,
    ) -> Option<Drive> {
        if now.in_gear? {
            if self.under_way.is_none() {
                self.under_way = Some(UnderWay {
                    started_at: now.at,
                    from: last.map_or_else(|| now.clone(), |last| before(last, now)),
                });
            }
            return None;
        }
        let UnderWay { started_at, from } = self.under_way.take()?;
        let is_lost = |last: &&Look| now.seconds_since(last.at) > CONTACT_LOST_S;
        let ended_at = last.filter(is_lost).map_or(now.at, |last| last.at);
        // A clock that was set back meanwhile.
        let ended_at = ended_at.max(started_at);
        let distance_mi = now.miles_since(&from)?;
        if distance_mi < DISTANCE_AT_LEAST_MI {
            return None;
        }
        // Once it charges, the range no longer speaks of the drive.
        let range_used_mi = from
            .range_mi
            .zip(now.range_mi)
            .map(|(before, after)| before - after)
            .filter(|_| now.charging != Some(true));
        let drive = Drive {
            started_at,
            ended_at,
            duration_s: ended_at.duration_since(started_at).as_secs(),
            distance_mi,
            level_from: from.level,
            level_to: now.level,
            range_used_mi,
            energy_kwh: range_used_mi
                .zip(kwh_per_rated_mile)
                .map(|(mi, kwh)| mi * kwh),
        };
        self.last = Some(drive.clone());
        Some(drive)
    }
}

/// The counters before the drive: of the last reading if it is fresh; of this one, with the last
/// odometer, if the car slept before; of this one if a drive may have gone unseen.
fn before(last: &Look, now: &Look) -> Look {
    if now.seconds_since(last.at) <= CONTACT_LOST_S {
        return Look {
            odometer_mi: last.odometer_mi.or(now.odometer_mi),
            ..last.clone()
        };
    }
    let is_near = now
        .miles_since(last)
        .is_some_and(|miles| miles <= UNSEEN_AT_MOST_MI);
    Look {
        odometer_mi: if is_near {
            last.odometer_mi
        } else {
            now.odometer_mi
        },
        ..now.clone()
    }
}

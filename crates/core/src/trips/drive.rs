//! Drives: from the last look before a gear was in to the first after it was out.
//!
//! Each start that is told has one end, which is told once, with its figures. The end waits for the
//! odometer that belongs to it: the parts of an answer have ages of their own, and one of them may
//! be missing. It does not wait for long.

use jiff::{SignedDuration, Timestamp};
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
    /// By the odometer, miles; none if it never showed anything.
    pub distance_mi: Option<f64>,
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
        let km = self.distance_mi? * KM_PER_MILE;
        (km >= 1.0).then_some(())?;
        self.energy_kwh.map(|kwh| kwh * 1000.0 / km)
    }

    /// For an event.
    pub fn figures(&self) -> Map<String, Json> {
        let figures = [
            ("started_at", self.started_at.to_string().into()),
            ("ended_at", self.ended_at.to_string().into()),
            ("duration_s", self.duration_s.into()),
            ("distance_mi", rounded(self.distance_mi, 2)),
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

/// A gap in which the end of a drive cannot be told from a stay.
pub(super) const CONTACT_LOST: SignedDuration = SignedDuration::from_mins(15);
/// A car that slept may be so far on its way before it is seen in gear, and one that was lost out
/// of sight so far from there when it is seen parked.
pub(super) const UNSEEN_AT_MOST_MI: f64 = 3.0;
/// Shorter than this it was a gear change in the driveway: it ends, but is no last drive.
const DISTANCE_AT_LEAST_MI: f64 = 0.05;
/// An end waits for its odometer for so many looks, its own included, and for so long.
const LOOKS_AT_MOST: u8 = 3;
const WAIT_AT_MOST: SignedDuration = SignedDuration::from_mins(3);

/// The drive under way and the last one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct DriveLog {
    under_way: Option<DriveUnderWay>,
    /// A car with someone at the wheel and its power on is not parked for so long after it was in
    /// gear: the drive may go on.
    #[serde(skip)]
    pub grace: SignedDuration,
    /// The newest that ended.
    pub last: Option<Drive>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct DriveUnderWay {
    started_at: Timestamp,
    /// The counters before it; none until a look has followed a start that was pushed to a bridge
    /// that had seen nothing yet.
    from: Option<Look>,
    /// Its start was told, as an older version did of all.
    #[serde(default = "super::charge::yes")]
    is_told: bool,
    /// The newest look that showed a gear.
    #[serde(default)]
    in_gear_at: Option<Timestamp>,
    /// It is over, but its odometer is not there.
    #[serde(default)]
    end: Option<End>,
}

/// The end of a drive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct End {
    at: Timestamp,
    /// The first look that showed it; none of one that was pushed.
    look: Option<Look>,
    n_looks: u8,
}

/// What a look changed.
#[derive(Debug, Default)]
pub(super) struct DriveChanges {
    /// Ended.
    pub ended: Option<Drive>,
    /// Began.
    pub has_started: bool,
    /// The drive's last miles are not in its figures: the next that the odometer shows are its own.
    pub has_unassigned_miles: bool,
}

impl DriveLog {
    /// Whether one is under way, or waits for its end.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether one is under way.
    pub(super) fn is_driving(&self) -> bool {
        let under_way = self.under_way.as_ref();
        under_way.is_some_and(|drive| drive.end.is_none())
    }

    /// Takes in a look; `can_tell` is whether a start can be told.
    pub(super) fn note(
        &mut self,
        last: Option<&Look>,
        now: &Look,
        can_tell: bool,
        kwh_per_rated_mile: Option<f64>,
    ) -> DriveChanges {
        let mut changes = DriveChanges::default();
        match now.in_gear {
            // One missing word ends nothing.
            None => {}
            Some(true) => {
                self.resume_or_finish(last, now, kwh_per_rated_mile, &mut changes);
                changes.has_started = self.go_on(last, now, can_tell);
            }
            Some(false) => self.stop(last, now, kwh_per_rated_mile, &mut changes),
        }
        changes
    }

    /// A gear was pushed. Returns whether a drive began.
    pub(super) fn pushed_in_gear(
        &mut self,
        at: Timestamp,
        last: Option<&Look>,
        can_tell: bool,
    ) -> bool {
        if let Some(drive) = &mut self.under_way {
            // An end that has not been told has not been: the look after it decides.
            drive.end = None;
            return false;
        }
        self.under_way = Some(DriveUnderWay {
            started_at: at,
            from: last.cloned(),
            is_told: can_tell,
            in_gear_at: None,
            end: None,
        });
        true
    }

    /// Park was pushed: the next look has the figures.
    pub(super) fn pushed_parked(&mut self, at: Timestamp) {
        if let Some(drive) = &mut self.under_way {
            drive.end.get_or_insert(End {
                at,
                look: None,
                n_looks: 0,
            });
        }
    }

    /// An end was seen, and waits for its odometer.
    pub(super) fn waits_for_odometer(&self) -> bool {
        let end = self.under_way.as_ref().and_then(|drive| drive.end.as_ref());
        end.is_some_and(|end| end.look.is_some())
    }

    /// No more will be seen of the drive under way: it ended with its last look.
    pub(super) fn give_up(
        &mut self,
        last: Option<&Look>,
        now: Timestamp,
        kwh_per_rated_mile: Option<f64>,
    ) -> Option<Drive> {
        let drive = self.under_way.take()?;
        let end = drive.end.clone().unwrap_or_else(|| End {
            at: last.map_or(now, |last| last.at),
            look: None,
            n_looks: 0,
        });
        let odometer_mi = last.and_then(|last| last.odometer_mi);
        self.finish(drive, &end, last, odometer_mi, kwh_per_rated_mile)
    }

    /// In gear, with an end that waits: it was none if someone stayed at the wheel, else there are
    /// two drives.
    fn resume_or_finish(
        &mut self,
        last: Option<&Look>,
        now: &Look,
        kwh_per_rated_mile: Option<f64>,
        changes: &mut DriveChanges,
    ) {
        let Some(drive) = self.under_way.take_if(|drive| drive.end.is_some()) else {
            return;
        };
        let Some(end) = drive.end.clone() else {
            return;
        };
        let stayed = end
            .look
            .as_ref()
            .is_some_and(|look| drive.may_go_on(look, self.grace));
        if stayed && now.at.duration_since(end.at) < self.grace {
            self.under_way = Some(DriveUnderWay { end: None, ..drive });
            return;
        }
        let odometer_mi = last.and_then(|last| last.odometer_mi).or(now.odometer_mi);
        changes.ended = self.finish(drive, &end, last, odometer_mi, kwh_per_rated_mile);
    }

    fn go_on(&mut self, last: Option<&Look>, now: &Look, can_tell: bool) -> bool {
        let before = || last.map_or_else(|| now.clone(), |last| before(last, now));
        if let Some(drive) = &mut self.under_way {
            drive.from.get_or_insert_with(before);
            drive.in_gear_at = Some(now.at);
            return false;
        }
        self.under_way = Some(DriveUnderWay {
            started_at: now.at,
            from: Some(before()),
            is_told: can_tell,
            in_gear_at: Some(now.at),
            end: None,
        });
        true
    }

    fn stop(
        &mut self,
        last: Option<&Look>,
        now: &Look,
        kwh_per_rated_mile: Option<f64>,
        changes: &mut DriveChanges,
    ) {
        let Some(mut drive) = self.under_way.take() else {
            return;
        };
        drive
            .from
            .get_or_insert_with(|| last.map_or_else(|| now.clone(), |last| before(last, now)));
        // A push leaves no gap.
        let is_pushed = drive.end.is_some();
        let unseen_since =
            last.filter(|of| !is_pushed && now.at.duration_since(of.at) > CONTACT_LOST);
        let mut end = drive.end.take().unwrap_or_else(|| End {
            at: unseen_since.map_or(now.at, |last| last.at),
            look: None,
            n_looks: 0,
        });
        let first = end.look.get_or_insert_with(|| now.clone()).clone();
        end.n_looks = end.n_looks.saturating_add(1);
        let may_go_on = drive.may_go_on(now, self.grace);
        let is_its_own =
            now.odometer_mi.is_some() && now.odometer_at.is_none_or(|at| at >= end.at.min(now.at));
        let waited =
            end.n_looks >= LOOKS_AT_MOST || now.at.duration_since(first.at) >= WAIT_AT_MOST;
        if may_go_on || !(is_its_own || waited) {
            drive.end = Some(end);
            self.under_way = Some(drive);
            return;
        }
        // What came far from there while nobody looked is no part of it.
        let unseen_mi = unseen_since.and_then(|last| now.miles_since(last));
        let odometer_mi = match unseen_since {
            Some(last) if unseen_mi.is_some_and(|miles| miles > UNSEEN_AT_MOST_MI) => {
                last.odometer_mi
            }
            _ => now.odometer_mi,
        };
        changes.has_unassigned_miles = !is_its_own;
        changes.ended = self.finish(drive, &end, Some(now), odometer_mi, kwh_per_rated_mile);
    }

    fn finish(
        &mut self,
        drive: DriveUnderWay,
        end: &End,
        newest: Option<&Look>,
        odometer_mi: Option<f64>,
        kwh_per_rated_mile: Option<f64>,
    ) -> Option<Drive> {
        let DriveUnderWay {
            started_at,
            from,
            is_told,
            ..
        } = drive;
        let to = end.look.as_ref().or(newest);
        // A clock that was set back meanwhile.
        let ended_at = end.at.max(started_at);
        let from_mi = from.as_ref().and_then(|from| from.odometer_mi);
        let distance_mi = odometer_mi
            .zip(from_mi)
            .map(|(to, from)| (to - from).max(0.0));
        // Once it charges, the range no longer speaks of the drive.
        let range_used_mi = from
            .as_ref()
            .and_then(|from| from.range_mi)
            .zip(to.and_then(|to| to.range_mi))
            .map(|(before, after)| before - after)
            .filter(|_| to.and_then(|to| to.charging) != Some(true));
        let drive = Drive {
            started_at,
            ended_at,
            duration_s: ended_at.duration_since(started_at).as_secs(),
            distance_mi,
            level_from: from.and_then(|from| from.level),
            level_to: to.and_then(|to| to.level),
            range_used_mi,
            energy_kwh: range_used_mi
                .zip(kwh_per_rated_mile)
                .map(|(mi, kwh)| mi * kwh),
        };
        if distance_mi.is_some_and(|miles| miles >= DISTANCE_AT_LEAST_MI) {
            self.last = Some(drive.clone());
        } else if !is_told {
            return None;
        }
        Some(drive)
    }
}

impl DriveUnderWay {
    /// Parked with someone at the wheel and power on.
    fn may_go_on(&self, now: &Look, grace: SignedDuration) -> bool {
        let in_gear_at = self.in_gear_at.filter(|_| now.at_the_wheel);
        in_gear_at.is_some_and(|at| now.at.duration_since(at) < grace)
    }
}

/// The counters before the drive: of the last look if it is fresh; of this one, with the last
/// odometer, if the car slept before; of this one if a drive may have gone unseen.
fn before(last: &Look, now: &Look) -> Look {
    if now.at.duration_since(last.at) <= CONTACT_LOST {
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

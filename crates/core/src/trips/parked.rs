//! What a parked car loses: state of charge by the rated range, which is finer than whole percent.
//! What heats or cools it for somebody is use and no loss: it ends the stay, and the next begins
//! after it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::look::Look;

/// The stay under way, or the last one until a new one can say something.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct ParkedLog {
    stay: Option<Stay>,
    loss_percent: Option<f64>,
    loss_percent_per_hour: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stay {
    since: Timestamp,
    level: f64,
    range_mi: f64,
}

/// After less than this the rounding of the range is greater than the loss.
const STAY_AT_LEAST_S: i64 = 3600;
/// A farther move than this was a drive.
const MOVED_MI: f64 = 0.1;

impl ParkedLog {
    /// Takes in a look.
    pub(super) fn note(&mut self, last: Option<&Look>, now: &Look) {
        let moved = last
            .and_then(|last| now.miles_since(last))
            .is_some_and(|miles| miles > MOVED_MI);
        let is_in_use = now.charging == Some(true) || now.climate_on;
        let at_rest = now.in_gear == Some(false) && !is_in_use && !moved;
        let (true, Some(level), Some(range_mi)) = (at_rest, now.level, now.range_mi) else {
            self.stay = None;
            return;
        };
        let Some(stay) = &self.stay else {
            self.stay = Some(Stay {
                since: now.at,
                level,
                range_mi,
            });
            return;
        };
        // Charged unseen, or warmed up: the range grew, and the count starts again.
        if range_mi > stay.range_mi + 1.0 {
            self.stay = None;
            return;
        }
        let seconds = now.seconds_since(stay.since);
        if seconds < STAY_AT_LEAST_S || stay.range_mi < 1.0 {
            return;
        }
        let lost_mi = (stay.range_mi - range_mi).max(0.0);
        let loss = lost_mi / stay.range_mi * stay.level;
        self.loss_percent = Some(loss);
        self.loss_percent_per_hour = Some(loss / (super::seconds(seconds) / 3600.0));
    }

    /// Lost in this stay, or in the last one, % of the battery.
    pub(super) fn loss_percent(&self) -> Option<f64> {
        self.loss_percent
    }

    /// The same by the hour.
    pub(super) fn loss_percent_per_hour(&self) -> Option<f64> {
        self.loss_percent_per_hour
    }
}

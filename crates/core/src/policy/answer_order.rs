//! Answers that come out of order: which of two is the newer, by the car's own clock.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::memory::Moment;

/// So many answers with an old time in a row mean that the newer time was wrong.
const STALE_IN_A_ROW: u8 = 5;

/// The newest time stamp that the car has shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AnswerOrder {
    newest_timestamp_ms: Option<i64>,
    n_stale: u8,
}

impl AnswerOrder {
    /// Whether an answer with this time of the car's clock is older than one that came before.
    pub(super) fn is_old(&mut self, at: Option<Timestamp>, m: Moment) -> bool {
        let Some(stamp) = at.map(Timestamp::as_millisecond) else {
            return false;
        };
        let older = self
            .newest_timestamp_ms
            .is_some_and(|newest| stamp < newest);
        if older && self.n_stale < STALE_IN_A_ROW {
            self.n_stale += 1;
            return true;
        }
        self.n_stale = 0;
        // A stamp from the future would make every later answer look old.
        self.newest_timestamp_ms = Some(stamp.min(m.wall.as_millisecond()));
        false
    }
}

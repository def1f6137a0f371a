//! The starts of the process: a start is spread, and in a crash loop no data is called.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::memory::{At, Moment};

/// Restarts within this time count as one crash loop.
const LOOP_WINDOW: Duration = Duration::from_mins(10);
/// So many starts within [`LOOP_WINDOW`] are no loop yet.
const FEW_STARTS: usize = 2;
/// In a crash loop the process must have lived this long before data is called.
const LOOP_DATA_WAIT: Duration = Duration::from_mins(2);

/// When the process was started, and what that holds back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Starts {
    times: Vec<At>,
    /// The light call that opens a start is due then, and nothing else before its answer.
    pub(super) first_call_at: Option<At>,
    /// No data call before this.
    pub(super) data_not_before: At,
}

impl Starts {
    /// The process starts; its first call waits for `spread`.
    pub(super) fn begin(&mut self, m: Moment, spread: Duration) {
        self.times.retain(|start| m.since(*start) < LOOP_WINDOW);
        self.times.push(m.t);
        if self.times.len() > FEW_STARTS {
            self.data_not_before = m.t + LOOP_DATA_WAIT;
        }
        self.first_call_at = Some(m.t + spread);
    }
}

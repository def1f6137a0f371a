//! The caps on calls a minute, over all cars of an account.

use std::collections::VecDeque;
use std::time::Duration;

use crate::policy::memory::At;
use crate::policy::prices::{CallClass, GovernorConfig};

const MINUTE: Duration = Duration::from_mins(1);
const LEAST_WAIT: Duration = Duration::from_secs(1);

/// The calls of the last minute. Commands have no cap.
#[derive(Debug, Clone, Default)]
pub(super) struct RecentCalls {
    light: VecDeque<At>,
    data: VecDeque<At>,
}

impl RecentCalls {
    /// A call is made.
    pub(super) fn add(&mut self, class: CallClass, t: At) {
        match class {
            CallClass::Light => self.light.push_back(t),
            CallClass::Data => self.data.push_back(t),
            CallClass::Command | CallClass::Wake => {}
        }
    }

    /// How long the next call waits until there is room for it; `None`: not at all.
    pub(super) fn wait(
        &mut self,
        class: CallClass,
        config: &GovernorConfig,
        t: At,
    ) -> Option<Duration> {
        let (recent, cap) = match class {
            CallClass::Light => (&mut self.light, config.light_per_minute),
            CallClass::Data => (&mut self.data, config.data_per_minute),
            CallClass::Command | CallClass::Wake => return None,
        };
        while recent
            .front()
            .is_some_and(|at| t.saturating_sub(*at) >= MINUTE)
        {
            recent.pop_front();
        }
        let full = recent.len() >= usize::try_from(cap.max(1)).unwrap_or(usize::MAX);
        let oldest = recent.front().filter(|_| full)?;
        let wait = (*oldest + MINUTE).saturating_sub(t);
        Some(wait.clamp(LEAST_WAIT, MINUTE))
    }
}

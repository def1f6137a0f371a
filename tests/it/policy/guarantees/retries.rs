//! G8: what fails again and again is tried less and less often, up to a cap.

use std::time::Duration;

use tesla2mqtt::policy::{Ask, Failure};

use crate::policy::rig::{Happening, MINUTE, SECOND, TraceLine};

/// First wait, cap, and the part of a step that jitter may take away.
fn steps(failure: Failure) -> Option<(u64, u64, f64)> {
    match failure {
        Failure::Transport => Some((10, 300, 0.5)),
        Failure::Server => Some((15, 900, 0.5)),
        Failure::Limited { retry_after: None } => Some((300, 3600, 1.0)),
        Failure::BillingLimit => Some((3600, 6 * 3600, 0.5)),
        Failure::Limited { .. } => Some((60, 3600, 1.0)),
        // What has just worked is tried again soon, twice.
        Failure::Refused | Failure::Region => Some((60, 6 * 3600, 0.5)),
        // The first may be about the position alone: the rest is asked for at once.
        _ => None,
    }
}

/// The failures of one call that no success has ended.
#[derive(Default)]
struct FailedInARow {
    failures: Vec<Failure>,
    not_before: Duration,
    /// 408s of one trouble, and the last.
    n_refused: u32,
    refused_at: Duration,
}

impl FailedInARow {
    /// The first of them is followed by a light call; from the second on the waits grow.
    fn refused(&mut self, at: Duration) {
        let goes_on = self.n_refused > 0 && at - self.refused_at < 10 * MINUTE;
        self.n_refused = if goes_on { self.n_refused + 1 } else { 1 };
        self.refused_at = at;
        if self.n_refused > 1 {
            let step = (30 * SECOND).saturating_mul(1 << (self.n_refused - 2).min(20));
            self.not_before = self.not_before.max(at + step.min(150 * SECOND));
        }
    }
}

/// Both calls' failures.
#[derive(Default)]
pub struct Retries {
    light: FailedInARow,
    data: FailedInARow,
}

impl Retries {
    pub fn take(&mut self, line: &TraceLine) -> Result<(), String> {
        match &line.what {
            Happening::Asked(call) if line.at < self.of(call.class).not_before => {
                let ask = call.class;
                let row = self.of(ask);
                let failed = row.failures.len();
                let not_before = row.not_before;
                return Err(format!(
                    "G8: {ask:?} again before {not_before:?}, after {failed} failures"
                ));
            }
            Happening::Failed(ask, failure) => self.failed(*ask, *failure, line.at),
            Happening::Answered(_) => self.light = FailedInARow::default(),
            Happening::Served(_) => self.data = FailedInARow::default(),
            // Who asks for a look gets one.
            Happening::Heard(_) | Happening::Pushed(_) | Happening::OnList(_) => self.forgive(),
            // A start is opened by a light call.
            Happening::Restarted => self.light.not_before = Duration::ZERO,
            _ => {}
        }
        Ok(())
    }

    fn of(&mut self, ask: Ask) -> &mut FailedInARow {
        match ask {
            Ask::Light => &mut self.light,
            Ask::Data => &mut self.data,
        }
    }

    fn failed(&mut self, ask: Ask, failure: Failure, at: Duration) {
        // A refusal to answer for a sleeping car asks for a light call.
        if ask == Ask::Data && failure == Failure::Unavailable {
            self.light.not_before = Duration::ZERO;
        }
        let row = self.of(ask);
        let same = |of: &&Failure| steps(**of) == steps(failure);
        let n_before = row.failures.iter().filter(same).count();
        row.failures.push(failure);
        if ask == Ask::Data && failure == Failure::Unavailable {
            return row.refused(at);
        }
        if let Some((first, cap, part)) = steps(failure) {
            let step = first.saturating_mul(1 << n_before.min(20)).min(cap);
            row.not_before = at + Duration::from_secs(step).mul_f64(part);
        }
    }

    fn forgive(&mut self) {
        self.light.not_before = Duration::ZERO;
        self.data.not_before = Duration::ZERO;
    }
}

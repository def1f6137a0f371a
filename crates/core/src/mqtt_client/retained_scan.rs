//! When every retained message is taken to have arrived: brokers send them at once after a
//! subscription, without saying which is the last. Live messages, which may never end, say nothing
//! of that.

use std::time::Duration;

/// How long the broker may take for an answer.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How long stored messages may go on coming.
pub const SCAN_MAX: Duration = Duration::from_secs(30);

/// One look at what a broker has stored.
#[derive(Debug)]
pub struct RetainedScan {
    quiet: Duration,
    is_answered: bool,
    /// Monotonic time at which it ends.
    quiet_at: Duration,
    /// Monotonic time at which it ends in any case.
    over_at: Duration,
}

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanEnd {
    /// Everything has come.
    Complete,
    /// The broker did not answer the subscription.
    Unanswered,
    /// Messages came for [`SCAN_MAX`].
    Endless,
}

impl RetainedScan {
    /// Subscribed at `now`; ends when no stored message has come for `quiet` after the answer.
    pub fn begin(now: Duration, quiet: Duration) -> Self {
        Self {
            quiet,
            is_answered: false,
            quiet_at: now + ANSWER_MAX,
            over_at: now + SCAN_MAX,
        }
    }

    /// The broker has answered the subscription.
    pub fn answered(&mut self, now: Duration) {
        self.is_answered = true;
        self.quiet_at = now + self.quiet;
    }

    /// A message has come.
    pub fn message(&mut self, now: Duration, is_stored: bool) {
        if is_stored {
            let wait = if self.is_answered {
                self.quiet
            } else {
                ANSWER_MAX
            };
            self.quiet_at = now + wait;
        }
    }

    /// Monotonic time at which it ends if nothing more comes.
    pub fn until(&self) -> Duration {
        self.quiet_at.min(self.over_at)
    }

    /// Whether messages have come for too long at `now`, however many still wait to be read.
    pub fn is_endless(&self, now: Duration) -> bool {
        now >= self.over_at
    }

    /// Whether it has ended at `now`, and how. Only asked when no message waits to be read: a slow
    /// machine must not take its own pause for the broker's.
    pub fn end(&self, now: Duration) -> Option<ScanEnd> {
        if now < self.until() {
            None
        } else if !self.is_answered {
            Some(ScanEnd::Unanswered)
        } else if self.quiet_at <= self.over_at {
            Some(ScanEnd::Complete)
        } else {
            Some(ScanEnd::Endless)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(700);

    #[test]
    fn live_messages_do_not_keep_it_listening() {
        let mut scan = RetainedScan::begin(Duration::ZERO, QUIET);
        scan.answered(Duration::from_millis(100));
        scan.message(Duration::from_millis(200), true);
        scan.message(Duration::from_millis(800), false);
        assert_eq!(scan.until(), Duration::from_millis(900));
        assert_eq!(scan.end(Duration::from_millis(899)), None);
        assert_eq!(scan.end(scan.until()), Some(ScanEnd::Complete));
    }

    #[test]
    fn it_does_not_listen_for_ever() {
        let mut scan = RetainedScan::begin(Duration::ZERO, QUIET);
        scan.answered(Duration::from_millis(100));
        while scan.until() < SCAN_MAX {
            scan.message(scan.until(), true);
        }
        assert_eq!(scan.until(), SCAN_MAX);
        assert_eq!(scan.end(SCAN_MAX), Some(ScanEnd::Endless));
    }

    #[test]
    fn stored_messages_before_the_answer_do_not_end_it() {
        let mut scan = RetainedScan::begin(Duration::ZERO, QUIET);
        scan.message(Duration::from_secs(1), true);
        assert_eq!(scan.until(), Duration::from_secs(1) + ANSWER_MAX);
        assert_eq!(scan.end(scan.until()), Some(ScanEnd::Unanswered));
    }
}

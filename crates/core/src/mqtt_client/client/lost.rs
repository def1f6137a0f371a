//! The end of a connection: why, what it says about our topics, and when to try again.

use std::sync::Arc;
use std::time::Duration;

use super::{Client, ConnectionPhase};
use crate::mqtt_client::failure::{BrokerFailure, BrokerFailureKind, Cause};
use crate::mqtt_client::interface::{ClientEvent, Connection};
use crate::mqtt_client::quarantine::EndMeans;
use crate::mqtt_client::reconnect::before_retry;

impl Client {
    /// The connection has ended, or there was none.
    pub(super) fn lost(&mut self, cause: &Cause, now: Duration) {
        let ConnectionPhase::Active(active) = &self.phase else {
            return;
        };
        let failure = self.options.target.explain(cause, active.is_connected());
        if let Some(drain) = active.drain {
            let outcome = drain.lost(self.n_unanswered());
            return self.end_drained(outcome);
        }
        let suspect = active.suspect(&failure, now);
        let lasted = active.connected_at.map(|at| now.saturating_sub(at));
        self.events.push_back(ClientEvent::Close);
        self.outbox.disconnected();
        if self.lowers_will(failure.kind) {
            return self.open(now);
        }
        if failure.kind == BrokerFailureKind::Unreachable {
            self.quarantine.broker_is_away();
        }
        let (failure, n_in_a_row) = if let Some(lasted) = lasted {
            self.n_failed = 0;
            let failure = self.note_end(failure, lasted, suspect);
            (failure, self.quarantine.n_short())
        } else {
            self.n_failed += 1;
            (failure, self.n_failed)
        };
        let wait = before_retry(failure.kind, n_in_a_row, self.random.unit());
        self.phase = ConnectionPhase::Waiting { until: now + wait };
        let down = Connection::Down(failure.to_string());
        self.events.push_back(ClientEvent::Status(down));
        let notice = self.notices_given.down(failure, now);
        self.log_all(notice);
    }

    /// Whether the broker takes no such will, but may take a lesser one.
    fn lowers_will(&mut self, kind: BrokerFailureKind) -> bool {
        match kind {
            BrokerFailureKind::OnlyQos0 => std::mem::take(&mut self.will.is_acknowledged),
            BrokerFailureKind::NotRetained => std::mem::take(&mut self.will.is_retained),
            _ => false,
        }
    }

    /// What the end of a connection that had been made shows.
    fn note_end(
        &mut self,
        failure: BrokerFailure,
        lasted: Duration,
        suspect: Option<Arc<str>>,
    ) -> BrokerFailure {
        match self.quarantine.ended(lasted, suspect) {
            EndMeans::Stable => {
                self.notices_given.is_stable();
                return failure;
            }
            EndMeans::Short => return failure,
            EndMeans::LeftOut(topic) => {
                self.outbox.exclude(&topic);
                let reason = self.options.target.ends_over(&topic);
                let notice = self.notices_given.left_out(topic, reason);
                self.log_all(notice);
                return failure;
            }
            EndMeans::Quarantined(topic) => self.outbox.exclude(&topic),
            EndMeans::Released(topics) => {
                for topic in &topics {
                    self.outbox.include(topic);
                }
            }
            EndMeans::Suspicious => {}
        }
        if failure.kind == BrokerFailureKind::HungUp {
            self.options.target.short_connections()
        } else {
            failure
        }
    }
}

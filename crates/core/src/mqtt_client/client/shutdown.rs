//! The end of the client: the last values, `offline`, and nothing after that.

use std::time::Duration;

use super::{Client, ConnectionPhase};
use crate::mqtt_client::drain::{DrainOutcome, DrainStep};
use crate::mqtt_client::interface::ClientEvent;
use crate::mqtt_client::notice::ClientNotice;
use crate::mqtt_client::packet::PublishRefusal;
use crate::outbox::{Publish, Ticket};

impl Client {
    pub(super) fn shut_down(&mut self, now: Duration) {
        match &mut self.phase {
            ConnectionPhase::Active(active) if active.drain.is_some() => {}
            ConnectionPhase::Active(active) if active.is_connected() => active.begin_drain(now),
            ConnectionPhase::Active(_) | ConnectionPhase::Waiting { .. } => {
                self.end(DrainOutcome {
                    offline_acknowledged: false,
                    n_lost: self.outbox.n_waiting(),
                });
            }
            ConnectionPhase::Ended => {}
        }
    }

    /// True: something waits to be sent.
    pub(super) fn advance_drain(&mut self, now: Duration) -> bool {
        let n_unanswered = self.n_unanswered();
        let ConnectionPhase::Active(active) = &mut self.phase else {
            return false;
        };
        let Some(drain) = &mut active.drain else {
            return false;
        };
        match drain.advance(n_unanswered, now) {
            DrainStep::Wait | DrainStep::LeaveWill => return false,
            DrainStep::PublishOffline => self.outbox.put(Publish::State {
                topic: self.options.state_topic.clone(),
                payload: "offline".into(),
            }),
            DrainStep::Disconnect => active.in_flight.disconnect(),
            DrainStep::End(outcome) => {
                self.end_drained(outcome);
                return false;
            }
        }
        true
    }

    pub(super) fn n_unanswered(&self) -> usize {
        self.outbox.n_waiting() + self.n_in_flight()
    }

    pub(super) fn end_drained(&mut self, outcome: DrainOutcome) {
        self.log(if outcome.offline_acknowledged {
            ClientNotice::OfflineAcknowledged
        } else {
            let n_lost = outcome.n_lost;
            ClientNotice::NotDrained { n_lost }
        });
        self.end(outcome);
    }

    fn end(&mut self, outcome: DrainOutcome) {
        self.phase = ConnectionPhase::Ended;
        self.events.push_back(ClientEvent::Close);
        self.events.push_back(ClientEvent::Ended(outcome));
    }

    /// An acknowledgement while draining, when nothing is tried again.
    pub(super) fn drained(&mut self, ticket: Ticket, topic: &str, refusal: Option<PublishRefusal>) {
        if let ConnectionPhase::Active(active) = &mut self.phase
            && let Some(drain) = &mut active.drain
            && *topic == *self.state_topic
        {
            drain.state_answered(refusal.is_none());
        }
        match refusal {
            None => self.outbox.acknowledged(ticket),
            Some(_) => self.outbox.refused(ticket),
        }
    }
}

//! Goodbye: the last values, `offline`, and time to hear that they have arrived.

use std::time::Duration;

use tokio::time::timeout_at;
use tracing::{info, warn};

use super::super::link::{Link, Said};
use super::{Course, DrainOutcome, Keeper};
use crate::clock;
use crate::outbox::Publish;

/// Time for the last values, `offline` and their acknowledgements.
const DRAIN: Duration = Duration::from_millis(1200);
/// When `offline` is said even if values are left, and how long its acknowledgement may take.
const DRAIN_VALUES: Duration = Duration::from_millis(700);
const DRAIN_OFFLINE: Duration = Duration::from_secs(1);

impl Keeper {
    /// Last values, `offline`, goodbye; within [`DRAIN`].
    pub(super) async fn farewell(&mut self, mut link: Link, connected: bool) -> DrainOutcome {
        let begun = clock::uptime();
        self.take_waiting();
        if !connected {
            return DrainOutcome {
                offline_said: false,
                n_lost: self.outbox.n_waiting(),
            };
        }
        self.drain(&mut link, begun + DRAIN_VALUES).await;
        let n_lost = self.outbox.n_waiting() + link.n_under_way();
        self.outbox.put(Publish::State {
            topic: self.state_topic.clone(),
            payload: "offline".into(),
        });
        let drained = self.drain(&mut link, begun + DRAIN_OFFLINE).await;
        // A goodbye takes the will back: without `offline` the will must speak.
        if drained {
            link.disconnect();
        }
        // The broker closes when it has read the goodbye; without one, this is time to read more.
        let deadline = clock::instant_of(begun + DRAIN);
        while let Ok(Ok(_)) = timeout_at(deadline, link.said()).await {}
        let n_lost = if drained { 0 } else { n_lost.max(1) };
        if drained {
            info!("said offline to the broker");
        } else {
            warn!(lost = n_lost, "the broker did not take everything in time");
        }
        DrainOutcome {
            offline_said: drained,
            n_lost,
        }
    }

    /// Sends until all is acknowledged (true), the broker does not take our state, or time is up.
    async fn drain(&mut self, link: &mut Link, deadline: Duration) -> bool {
        let mut course = Course::default();
        let mut is_state_taken = true;
        loop {
            if self.hand_over(link, &mut course, clock::uptime()).is_err() {
                return false;
            }
            if !self.outbox.has_work() && link.n_under_way() == 0 {
                return is_state_taken;
            }
            match timeout_at(clock::instant_of(deadline), link.said()).await {
                Ok(Ok(Said::Acknowledged {
                    ticket,
                    topic,
                    refusal,
                })) => {
                    if *topic == *self.state_topic {
                        is_state_taken = refusal.is_none();
                    }
                    match refusal {
                        None => self.outbox.acknowledged(ticket),
                        Some(_) => self.outbox.refused(ticket),
                    }
                }
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return false,
            }
        }
    }
}

//! What is logged of the connection: what lasts, when it begins and when it ends, never once
//! per attempt: an outage of a night is two lines.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::failure::{BrokerFailure, BrokerFailureKind};
use super::in_flight::FilterAnswer;
use super::packet::{BrokerFacts, PublishRefusal};
use crate::outbox::NotSent;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientNotice {
    /// An outage begins, or shows another reason: there is no connection.
    Unreachable(BrokerFailure),
    /// The same: the connection has ended.
    Lost(BrokerFailure),
    /// The same: only the owner can mend it.
    NeedsOwner(BrokerFailure),
    /// The first connection has sent everything.
    Connected {
        /// Topics that were sent.
        n_topics: usize,
    },
    /// An outage is over: everything has been sent again.
    Back {
        /// Since its first failure.
        away: Duration,
        /// Topics that were sent.
        n_topics: usize,
    },
    /// The broker keeps no retained messages.
    RetainsNothing,
    /// The broker takes only QoS 0.
    OnlyQos0,
    /// The broker ends the connection over a topic.
    TopicLeftOut(BrokerFailure),
    /// The broker refuses messages for this reason.
    MessageRefused {
        /// The first topic of them.
        topic: Arc<str>,
        /// Why.
        refusal: PublishRefusal,
    },
    /// The broker refuses a subscription.
    SubscriptionRefused {
        /// Topic filter.
        filter: String,
        /// Why.
        why: String,
    },
    /// Something was not sent.
    NotSent(NotSent),
    /// `offline` was acknowledged.
    OfflineAcknowledged,
    /// The end came before everything was acknowledged.
    NotDrained {
        /// Messages that were not.
        n_lost: usize,
    },
}

/// What has been logged once and for all, or until it was mended.
#[derive(Debug, Default)]
pub(super) struct NoticesGiven {
    facts: bool,
    /// Why messages were refused, until a connection has lasted.
    refusals: BTreeSet<PublishRefusal>,
    /// Filters that the broker does not let us read.
    filters: BTreeSet<String>,
    left_out: BTreeSet<Arc<str>>,
    outage: Option<Outage>,
}

/// The time without a broker, from its first failure to the last topic sent again.
#[derive(Debug)]
struct Outage {
    since: Duration,
    /// What has been logged of it.
    logged: BTreeSet<String>,
}

impl NoticesGiven {
    /// There is no connection since `now` at the latest.
    pub(super) fn down(&mut self, failure: BrokerFailure, now: Duration) -> Option<ClientNotice> {
        use BrokerFailureKind as K;
        /// Reasons that one outage may log; a network that flaps has a handful.
        const REASONS_MAX: usize = 16;
        let outage = self.outage.get_or_insert_with(|| Outage {
            since: now,
            logged: BTreeSet::new(),
        });
        if outage.logged.len() >= REASONS_MAX || !outage.logged.insert(failure.to_string()) {
            return None;
        }
        Some(match failure.kind {
            K::Unreachable | K::Slow => ClientNotice::Unreachable(failure),
            K::Dropped | K::HungUp => ClientNotice::Lost(failure),
            K::Refused | K::OnlyQos0 | K::NotRetained | K::Tls | K::TakenOver | K::Settings => {
                ClientNotice::NeedsOwner(failure)
            }
        })
    }

    /// Everything has been sent again: an outage ends here, not with the CONNACK.
    pub(super) fn complete(&mut self, n_topics: usize, now: Duration) -> ClientNotice {
        match self.outage.take() {
            Some(outage) => ClientNotice::Back {
                away: now.saturating_sub(outage.since),
                n_topics,
            },
            None => ClientNotice::Connected { n_topics },
        }
    }

    /// The CONNACK says what the broker can do.
    pub(super) fn facts(&mut self, facts: BrokerFacts) -> Vec<ClientNotice> {
        if std::mem::replace(&mut self.facts, true) {
            return Vec::new();
        }
        let retains_nothing = (!facts.retains).then_some(ClientNotice::RetainsNothing);
        let only_qos_0 = (!facts.acknowledges).then_some(ClientNotice::OnlyQos0);
        retains_nothing.into_iter().chain(only_qos_0).collect()
    }

    /// The connection ends over this topic, as `failure` says.
    pub(super) fn left_out(
        &mut self,
        topic: Arc<str>,
        failure: BrokerFailure,
    ) -> Option<ClientNotice> {
        let is_new = self.left_out.insert(topic);
        is_new.then_some(ClientNotice::TopicLeftOut(failure))
    }

    /// The broker has not taken a message.
    pub(super) fn refused(
        &mut self,
        topic: &Arc<str>,
        refusal: PublishRefusal,
    ) -> Option<ClientNotice> {
        let is_new = self.refusals.insert(refusal);
        is_new.then(|| ClientNotice::MessageRefused {
            topic: Arc::clone(topic),
            refusal,
        })
    }

    /// A connection has lasted: refusals are worth a line again.
    pub(super) fn is_stable(&mut self) {
        self.refusals.clear();
    }

    /// Which filters the broker lets us read.
    pub(super) fn filters(&mut self, answers: Vec<FilterAnswer>) -> Vec<ClientNotice> {
        let mut notices = Vec::new();
        for FilterAnswer { filter, refusal } in answers {
            let Some(why) = refusal else {
                self.filters.remove(&filter);
                continue;
            };
            if self.filters.insert(filter.clone()) {
                notices.push(ClientNotice::SubscriptionRefused { filter, why });
            }
        }
        notices
    }
}

//! What the log is told of the connection: what lasts, when it begins and when it ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::super::Connection;
use super::super::failure::{BrokerFailure, BrokerFailureKind};
use super::super::link::Answer;
use super::super::wire::{BrokerFacts, NotTaken};
use super::{Course, Keeper, Outage, has_lasted};
use crate::clock;
use crate::config;

/// What the log has been told once and for all, or until it was mended.
#[derive(Default)]
pub(super) struct Told {
    facts: bool,
    /// Why messages were refused, until a connection has lasted.
    pub refusals: BTreeSet<&'static str>,
    /// Filters that the broker does not let us read.
    filters: BTreeSet<String>,
    guilty: BTreeSet<Arc<str>>,
}

impl Keeper {
    pub(super) fn tell_down(&mut self, failure: &BrokerFailure) {
        /// Reasons that one outage may log; a network that flaps has a handful.
        const REASONS_MAX: usize = 16;
        let sentence = &failure.sentence;
        self.ends
            .says
            .send_replace(Connection::Down(sentence.clone()));
        let outage = self.outage.get_or_insert_with(|| Outage {
            since: clock::uptime(),
            told: BTreeSet::new(),
        });
        if outage.told.len() >= REASONS_MAX || !outage.told.insert(sentence.clone()) {
            return;
        }
        match failure.kind {
            BrokerFailureKind::Unreachable | BrokerFailureKind::Slow => {
                warn!(reason = %sentence, "broker unreachable")
            }
            BrokerFailureKind::Dropped | BrokerFailureKind::HungUp => {
                warn!(reason = %sentence, "broker connection lost")
            }
            BrokerFailureKind::Refused
            | BrokerFailureKind::OnlyQos0
            | BrokerFailureKind::NotRetained
            | BrokerFailureKind::Tls
            | BrokerFailureKind::TakenOver
            | BrokerFailureKind::Settings => {
                error!(reason = %sentence, "no broker connection until this is mended");
            }
        }
    }

    /// Everything has been said again: an outage ends here, not with the CONNACK.
    pub(super) fn tell_complete(&mut self, course: &mut Course, now: Duration) {
        if has_lasted(course, now) {
            self.suspicion.lasts();
        }
        // In a rhythm of short connections the outage is not over yet, and not worth a line each.
        if self.suspicion.is_rhythm() {
            return;
        }
        let Some(n) = course.n_said_again.take() else {
            return;
        };
        let config::Mqtt { host, port, .. } = &self.settings;
        if let Some(outage) = self.outage.take() {
            let away = spoken(now.saturating_sub(outage.since));
            info!(%host, port, "broker back after {away}, {n} topics republished");
        } else {
            info!(%host, port, topics = n, "connected to the broker");
        }
    }

    pub(super) fn tell_facts(&mut self, facts: BrokerFacts) {
        if std::mem::replace(&mut self.told.facts, true) {
            return;
        }
        if !facts.retains {
            warn!(
                "this broker does not keep retained messages: \
                 whoever subscribes later sees nothing until a value changes"
            );
        }
        if !facts.acknowledges {
            warn!(
                "this broker supports only QoS 0, so everything is published without \
                 acknowledgement: what is lost on the way stays lost until it changes, or until \
                 the next connection"
            );
        }
    }

    /// The connection ends over this topic.
    pub(super) fn tell_guilty(&mut self, topic: Arc<str>) {
        let reason = self.attempt(true).barred(&topic);
        if self.told.guilty.insert(topic) {
            error!(%reason, "a topic is not published");
        }
    }

    /// The broker has not taken a message.
    pub(super) fn tell_refusal(&mut self, topic: &str, NotTaken { why, hint, .. }: NotTaken) {
        if self.told.refusals.insert(why) {
            warn!(
                %topic, %why,
                "the broker refuses what we publish: {hint} (only the first topic is named)"
            );
        }
    }

    /// Which filters the broker lets us read.
    pub(super) fn tell_answers(&mut self, answers: Vec<Answer>) {
        for Answer { filter, refusal } in answers {
            let Some(why) = refusal else {
                self.told.filters.remove(&filter);
                continue;
            };
            if self.told.filters.insert(filter.clone()) {
                warn!(%filter, %why, "the broker refuses a subscription: check its access list");
            }
        }
    }

    pub(super) fn log_complaints(&mut self) {
        for complaint in self.outbox.complaints() {
            warn!("{complaint}");
        }
    }
}

/// A duration as one says it: `2m 10s`, `340ms`.
fn spoken(duration: Duration) -> String {
    let whole = if duration < Duration::from_secs(10) {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    } else {
        Duration::from_secs(duration.as_secs())
    };
    jiff::SignedDuration::try_from(whole).map_or_else(
        |_| format!("{}s", whole.as_secs()),
        |whole| format!("{whole:#}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_spoken_of_in_round_figures() {
        assert_eq!(spoken(Duration::from_millis(130_900)), "2m 10s");
        assert_eq!(spoken(Duration::from_micros(340_900)), "340ms");
    }
}

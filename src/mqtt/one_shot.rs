//! One connection for one errand (`clear`): no will, no retries, no outbox.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout_at;

use super::failure::{Attempt, BrokerFailure, BrokerFailureKind, Cause};
use super::link::{Answer, BrokerFacts, Link, Opening, Said};
use super::wire::NotTaken;
use super::{Incoming, Subscription, tls};
use crate::clock;
use crate::config;
use crate::outbox::Outbox;

/// How long the broker may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long stored messages may go on coming.
const LISTEN_MAX: Duration = Duration::from_secs(30);

/// A connection that ends with its owner.
pub struct OneShotClient<'a> {
    settings: &'a config::Mqtt,
    client_id: &'a str,
    link: Link,
    outbox: Outbox,
}

impl<'a> OneShotClient<'a> {
    /// Connects once. Use an id of its own: a bridge that runs would be thrown out.
    ///
    /// # Errors
    /// Why there is no connection, for the owner.
    pub async fn connect(
        settings: &'a config::Mqtt,
        client_id: &'a str,
    ) -> Result<(Self, BrokerFacts), BrokerFailure> {
        let config = settings.tls.as_ref().map(tls::client_config);
        let tls = config.transpose().map_err(|e| BrokerFailure {
            kind: BrokerFailureKind::Settings,
            sentence: e.to_string(),
        })?;
        let link = Link::open(Opening {
            settings,
            client_id,
            tls,
            will: None,
        });
        let mut session = Self {
            settings,
            client_id,
            link,
            outbox: Outbox::new(&settings.base_topic),
        };
        loop {
            match session.link.said().await {
                Ok(Said::Connected(facts)) => {
                    session.outbox.connected(facts.packet_max);
                    return Ok((session, facts));
                }
                Ok(_) => {}
                Err(cause) => return Err(session.explain(&cause, false)),
            }
        }
    }

    /// Subscribes, and hands over every message until `quiet` has passed without a stored one
    /// after the broker's answer.
    ///
    /// # Errors
    /// The broker refused a filter, the connection ended, or messages came for half a minute.
    pub async fn listen(
        &mut self,
        subscriptions: &[Subscription],
        quiet: Duration,
        mut take: impl FnMut(Incoming),
    ) -> Result<(), BrokerFailure> {
        self.link.subscribe(subscriptions);
        let mut scan = RetainedScan::open(clock::uptime(), quiet);
        loop {
            // The timeout below looks at its clock only where no message waits.
            if clock::uptime() >= scan.over_at {
                return Err(self.endless());
            }
            match timeout_at(clock::instant_of(scan.until()), self.link.said()).await {
                Err(_) if !scan.answered => {
                    return Err(self.explain(&Cause::NoAcknowledgement, true));
                }
                Err(_) if scan.is_quiet() => return Ok(()),
                Err(_) => return Err(self.endless()),
                Ok(Ok(Said::Message(message))) => {
                    scan.hears(clock::uptime(), message.retain);
                    take(message);
                }
                Ok(Ok(Said::Subscribed { answers })) => {
                    scan.answered(clock::uptime());
                    if let Some(failure) = answers.iter().find_map(|answer| self.refused(answer)) {
                        return Err(failure);
                    }
                }
                Ok(Ok(_)) => {}
                Ok(Err(cause)) => return Err(self.explain(&cause, true)),
            }
        }
    }

    /// Deletes retained topics; done when the broker has acknowledged every one.
    ///
    /// # Errors
    /// The connection ended, nothing was acknowledged for ten seconds, or the broker refused.
    pub async fn delete(
        &mut self,
        topics: impl Iterator<Item = String>,
    ) -> Result<(), BrokerFailure> {
        for topic in topics {
            self.outbox.put(crate::outbox::Publish::Delete { topic });
        }
        let mut refusal: Option<(Arc<str>, NotTaken)> = None;
        let mut is_gone = false;
        loop {
            while self.link.has_room() {
                let Some(packet) = self.outbox.next_packet() else {
                    break;
                };
                is_gone |= self.link.publish(packet).is_err();
            }
            // What did not go out is not deleted: the link says why.
            if self.link.n_under_way() == 0 && !is_gone {
                return refusal.map_or(Ok(()), |(topic, NotTaken { why, hint, .. })| {
                    let sentence = format!("the broker refuses to delete {topic} ({why}): {hint}");
                    let kind = BrokerFailureKind::Refused;
                    Err(BrokerFailure { kind, sentence })
                });
            }
            let until = clock::instant_of(clock::uptime() + PATIENCE);
            match timeout_at(until, self.link.said()).await {
                Err(_) => return Err(self.explain(&Cause::NoAcknowledgement, true)),
                Ok(Ok(Said::Acknowledged {
                    ticket,
                    topic,
                    refusal: why,
                })) => {
                    self.outbox.acknowledged(ticket);
                    refusal = refusal.or(why.map(|why| (topic, why)));
                }
                Ok(Ok(_)) => {}
                Ok(Err(cause)) => return Err(self.explain(&cause, true)),
            }
        }
    }

    /// Says goodbye and waits for the broker to close, shortly.
    pub async fn close(mut self) {
        self.link.disconnect();
        let until = clock::instant_of(clock::uptime() + Duration::from_millis(500));
        while let Ok(Ok(_)) = timeout_at(until, self.link.said()).await {}
    }

    fn refused(&self, Answer { filter, refusal }: &Answer) -> Option<BrokerFailure> {
        let config::Mqtt { host, port, .. } = self.settings;
        refusal.as_ref().map(|why| BrokerFailure {
            kind: BrokerFailureKind::Refused,
            sentence: format!(
                "broker {host}:{port} refuses to let us read {filter} ({why}): \
                 check its access list"
            ),
        })
    }

    fn endless(&self) -> BrokerFailure {
        let config::Mqtt { host, port, .. } = self.settings;
        BrokerFailure {
            kind: BrokerFailureKind::Slow,
            sentence: format!(
                "broker {host}:{port} still sends after {} s, so that nobody can tell what is \
                 stored there: stop what publishes so much, or try again nearer to the broker",
                LISTEN_MAX.as_secs()
            ),
        }
    }

    fn explain(&self, cause: &Cause, connected: bool) -> BrokerFailure {
        let attempt = Attempt {
            settings: self.settings,
            client_id: self.client_id,
            connected,
        };
        attempt.explain(cause)
    }
}

/// When every stored message is taken to have arrived. Live ones, which may never end, say nothing
/// of that.
struct RetainedScan {
    quiet: Duration,
    answered: bool,
    /// Monotonic time at which it closes.
    silent_at: Duration,
    /// Monotonic time at which it closes in any case.
    over_at: Duration,
}

impl RetainedScan {
    fn open(now: Duration, quiet: Duration) -> Self {
        Self {
            quiet,
            answered: false,
            silent_at: now + PATIENCE,
            over_at: now + LISTEN_MAX,
        }
    }

    fn answered(&mut self, now: Duration) {
        self.answered = true;
        self.silent_at = now + self.quiet;
    }

    fn hears(&mut self, now: Duration, is_stored: bool) {
        if is_stored {
            self.silent_at = now + if self.answered { self.quiet } else { PATIENCE };
        }
    }

    fn until(&self) -> Duration {
        self.silent_at.min(self.over_at)
    }

    fn is_quiet(&self) -> bool {
        self.silent_at <= self.over_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_millis(700);

    #[test]
    fn live_messages_do_not_keep_it_listening() {
        let mut scan = RetainedScan::open(Duration::ZERO, QUIET);
        scan.answered(Duration::from_millis(100));
        scan.hears(Duration::from_millis(200), true);
        scan.hears(Duration::from_millis(800), false);
        assert_eq!(scan.until(), Duration::from_millis(900));
        assert!(scan.is_quiet());
    }

    #[test]
    fn it_does_not_listen_for_ever() {
        let mut scan = RetainedScan::open(Duration::ZERO, QUIET);
        scan.answered(Duration::from_millis(100));
        while scan.until() < LISTEN_MAX {
            scan.hears(scan.until(), true);
        }
        assert_eq!(scan.until(), LISTEN_MAX);
        assert!(!scan.is_quiet());
    }

    #[test]
    fn stored_messages_before_the_answer_do_not_end_it() {
        let mut scan = RetainedScan::open(Duration::ZERO, QUIET);
        scan.hears(Duration::from_secs(1), true);
        assert_eq!(scan.until(), Duration::from_secs(1) + PATIENCE);
    }
}

//! One connection for one errand (`clear`, `doctor`): no will, no retries, no outbox.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout_at;

use super::client::{BrokerFacts, Connection, Opening, Said};
use super::failure::{Attempt, Cause, Failure, Kind};
use super::{Incoming, Subscription, tls};
use crate::clock;
use crate::config;
use crate::outbox::Outbox;

/// How long the broker may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that ends with its owner.
pub struct Session<'a> {
    settings: &'a config::Mqtt,
    client_id: &'a str,
    link: Connection,
    outbox: Outbox,
}

/// Connects, asks what the broker can do, says goodbye. Publishes nothing.
///
/// # Errors
/// Why there is no connection, for the owner.
pub async fn probe(settings: &config::Mqtt, client_id: &str) -> Result<BrokerFacts, Failure> {
    let (session, facts) = Session::connect(settings, client_id).await?;
    session.close().await;
    Ok(facts)
}

impl<'a> Session<'a> {
    /// Connects once. Use an id of its own: a bridge that runs would be thrown out.
    ///
    /// # Errors
    /// Why there is no connection, for the owner.
    pub async fn connect(
        settings: &'a config::Mqtt,
        client_id: &'a str,
    ) -> Result<(Self, BrokerFacts), Failure> {
        let config = settings.tls.as_ref().map(tls::client_config);
        let tls = config.transpose().map_err(|e| Failure {
            kind: Kind::Settings,
            sentence: e.to_string(),
        })?;
        let link = Connection::open(Opening {
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

    /// Subscribes, and hands over every message until `quiet` has passed without one after the
    /// broker's answer.
    ///
    /// # Errors
    /// The broker refused a filter or the connection ended.
    pub async fn listen(
        &mut self,
        subscriptions: &[Subscription],
        quiet: Duration,
        mut take: impl FnMut(Incoming),
    ) -> Result<(), Failure> {
        // A dead link shows in the next event.
        let _ = self.link.subscribe(subscriptions);
        let mut answered = false;
        loop {
            let patience = if answered { quiet } else { PATIENCE };
            let until = clock::instant_of(clock::uptime() + patience);
            match timeout_at(until, self.link.said()).await {
                Err(_) if answered => return Ok(()),
                Err(_) => return Err(self.explain(&Cause::NoAcknowledgement, true)),
                Ok(Ok(Said::Message(message))) => take(message),
                Ok(Ok(Said::Subscribed(answers))) => {
                    answered = true;
                    if let Some(failure) = self.refused(subscriptions, answers) {
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
    pub async fn delete(&mut self, topics: impl Iterator<Item = String>) -> Result<(), Failure> {
        for topic in topics {
            self.outbox.put(super::Publish::Delete { topic });
        }
        let mut refusal: Option<(Arc<str>, String)> = None;
        loop {
            while self.link.has_room() {
                let Some(packet) = self.outbox.next_packet() else {
                    break;
                };
                let _ = self.link.publish(packet);
            }
            if self.link.n_under_way() == 0 {
                return refusal.map_or(Ok(()), |(topic, why)| {
                    let sentence = format!(
                        "the broker refuses to delete {topic} ({why}): check its access list"
                    );
                    let kind = Kind::Refused;
                    Err(Failure { kind, sentence })
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

    fn refused(
        &self,
        subscriptions: &[Subscription],
        answers: Vec<Option<String>>,
    ) -> Option<Failure> {
        let (subscription, why) = subscriptions
            .iter()
            .zip(answers)
            .find_map(|(subscription, answer)| Some((subscription, answer?)))?;
        let config::Mqtt { host, port, .. } = self.settings;
        Some(Failure {
            kind: Kind::Refused,
            sentence: format!(
                "broker {host}:{port} refuses to let us read {} ({why}): check its access list",
                subscription.filter
            ),
        })
    }

    fn explain(&self, cause: &Cause, connected: bool) -> Failure {
        let attempt = Attempt {
            settings: self.settings,
            client_id: self.client_id,
            connected,
        };
        attempt.explain(cause)
    }
}

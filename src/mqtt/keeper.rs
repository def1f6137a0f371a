//! The task that keeps the connection: owns the outbox, connects, says everything again, waits
//! between attempts, says goodbye.
//!
//! What lasts is logged when it begins and when it ends, never once per attempt: an outage of a
//! night is two lines.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::failure::{Attempt, Cause, Failure, Kind};
use super::link::{BrokerFacts, Gone, Link, Opening, Refused, Said};
use super::suspicion::{Suspicion, Trial, Verdict};
use super::wire::Will;
use super::{Connection, Incoming, Subscription, Word, pause, state_topic, tls};
use crate::clock;
use crate::config;
use crate::outbox::{Outbox, Publish};

/// Time for the last values, `offline` and their acknowledgements.
const DRAIN: Duration = Duration::from_millis(1200);
/// When `offline` is said even if values are left, and how long its acknowledgement may take.
const DRAIN_VALUES: Duration = Duration::from_millis(700);
const DRAIN_OFFLINE: Duration = Duration::from_secs(1);
/// A broker that acknowledges nothing for this long is as good as gone.
const STALL: Duration = Duration::from_secs(30);

/// How the connection task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Farewell {
    /// Whether `offline` was acknowledged.
    pub offline_said: bool,
    /// Messages that the broker has not acknowledged.
    pub n_lost: usize,
}

/// The task's ends of the channels.
pub(super) struct Ends {
    pub words: mpsc::Receiver<Word>,
    pub subscriptions: watch::Receiver<Vec<Subscription>>,
    pub arrived: mpsc::Sender<Incoming>,
    pub says: watch::Sender<Connection>,
    pub cancel: CancellationToken,
}

pub(super) struct Keeper {
    settings: config::Mqtt,
    client_id: String,
    subscriptions: Vec<Subscription>,
    state_topic: String,
    /// With QoS 1 until the broker refuses that; messages follow what it says of itself.
    will: Will,
    ends: Ends,
    outbox: Outbox,
    /// Who waits until everything is acknowledged.
    unconfirmed: Vec<oneshot::Sender<()>>,
    n_connections: u64,
    outage: Option<Outage>,
    suspicion: Suspicion,
    told_facts: bool,
    told_refusal: bool,
    is_flooded: bool,
}

/// The time without a broker, from its first failure to the last topic said again.
struct Outage {
    since: Duration,
    /// What the log has been told of it.
    told: BTreeSet<String>,
}

/// How one connection ended that was not cancelled.
struct End {
    failure: Failure,
    /// Since the CONNACK, if there was one.
    lasted: Option<Duration>,
    /// The topic over which it may have ended.
    suspect: Option<Arc<str>>,
}

/// What is going on in one connection.
#[derive(Default)]
struct Course {
    /// Monotonic time of the CONNACK.
    connected_at: Option<Duration>,
    /// Monotonic time of the last sign of life.
    heard_at: Duration,
    trial: Trial,
    /// The broker has refused a message.
    has_refused: bool,
    /// Messages sent since the CONNACK, until the first moment with nothing left to say.
    n_said_again: Option<usize>,
}

impl Keeper {
    pub fn new(settings: config::Mqtt, client_id: String, ends: Ends) -> Self {
        let state_topic = state_topic(&settings.base_topic);
        let mut outbox = Outbox::new(&settings.base_topic);
        outbox.put(Publish::State {
            topic: state_topic.clone(),
            payload: "online".into(),
        });
        Self {
            settings,
            client_id,
            subscriptions: Vec::new(),
            will: Will {
                topic: state_topic.clone(),
                payload: "offline",
                is_acknowledged: true,
            },
            state_topic,
            ends,
            outbox,
            unconfirmed: Vec::new(),
            n_connections: 0,
            outage: None,
            suspicion: Suspicion::default(),
            told_facts: false,
            told_refusal: false,
            is_flooded: false,
        }
    }

    /// Runs until cancelled.
    pub async fn run(mut self) -> Farewell {
        let mut n_failed = 0;
        loop {
            let End {
                failure,
                lasted,
                suspect,
            } = match self.connection().await {
                Ok(farewell) => return farewell,
                Err(end) => end,
            };
            self.outbox.disconnected();
            if failure.kind == Kind::OnlyQos0 && self.will.is_acknowledged {
                self.will.is_acknowledged = false;
                continue;
            }
            let (failure, in_a_row) = if let Some(lasted) = lasted {
                n_failed = 0;
                let failure = self.judge(failure, lasted, suspect);
                (failure, self.suspicion.n_short())
            } else {
                n_failed += 1;
                (failure, n_failed)
            };
            self.tell_down(&failure);
            let wait = pause::before_retry(failure.kind, in_a_row, jitter());
            if self.wait(wait).await {
                return Farewell {
                    offline_said: false,
                    n_lost: self.outbox.n_waiting(),
                };
            }
        }
    }

    /// What the end of a connection that had been made tells.
    fn judge(
        &mut self,
        mut failure: Failure,
        lasted: Duration,
        suspect: Option<Arc<str>>,
    ) -> Failure {
        match self.suspicion.ended(lasted, suspect) {
            Verdict::Stable => {
                self.told_refusal = false;
                self.outbox.unbar();
            }
            Verdict::Guilty(topic) => self.bar(&topic),
            Verdict::Suspicious if failure.kind == Kind::Dropped => {
                failure.sentence = self.attempt(true).short_connections();
            }
            Verdict::Short | Verdict::Suspicious => {}
        }
        failure
    }

    /// Leaves a topic out, except the one by which everybody knows whether we are there.
    fn bar(&mut self, topic: &str) {
        if topic != self.state_topic {
            let reason = self.attempt(true).barred(topic);
            error!(%reason, "a topic is not published");
            self.outbox.bar(topic);
        }
    }

    /// Collects what the rooms say until it is time to try again; true: cancelled.
    async fn wait(&mut self, wait: Duration) -> bool {
        let mut over = std::pin::pin!(sleep(wait));
        loop {
            tokio::select! {
                () = &mut over => return false,
                () = self.ends.cancel.cancelled() => return true,
                Some(word) = self.ends.words.recv() => self.take(word),
            }
            self.log_complaints();
        }
    }

    /// One connection, from the attempt to its end.
    async fn connection(&mut self) -> Result<Farewell, End> {
        let mut link = self.open().map_err(|failure| End {
            failure,
            lasted: None,
            suspect: None,
        })?;
        let mut course = Course {
            heard_at: clock::uptime(),
            ..Course::default()
        };
        loop {
            if course.connected_at.is_some() {
                let done = self.hand_over(&mut link, &mut course);
                if done.is_ok() && link.n_under_way() == 0 && !self.outbox.has_work() {
                    self.confirm(&course);
                    self.tell_complete(&mut course);
                }
            }
            self.log_complaints();
            let stalled = clock::instant_of(course.heard_at + STALL);
            let rested = clock::instant_of(course.trial.rests_until());
            let rests = course.trial.rests_until() > clock::uptime();
            let cause = tokio::select! {
                () = self.ends.cancel.cancelled() => {
                    return Ok(self.farewell(link, course.connected_at.is_some()).await);
                }
                Some(word) = self.ends.words.recv() => {
                    self.take(word);
                    self.take_waiting();
                    continue;
                }
                Ok(()) = self.ends.subscriptions.changed(), if course.connected_at.is_some() => {
                    self.subscribe(&mut link);
                    continue;
                }
                said = link.said() => match self.hear_all(said, &mut link, &mut course) {
                    Ok(()) => continue,
                    Err(cause) => cause,
                },
                () = sleep_until(rested), if rests => continue,
                () = sleep_until(stalled), if link.n_under_way() > 0 => Cause::NoAcknowledgement,
            };
            let failure = self.attempt(course.connected_at.is_some()).explain(&cause);
            let now = clock::uptime();
            return Err(End {
                suspect: self.suspect(&failure, &course.trial, link.under_way(), now),
                failure,
                lasted: course.connected_at.map(|at| now.saturating_sub(at)),
            });
        }
    }

    /// The topic over which a connection may have ended. Never the one that is the first on each:
    /// without it there is no bridge.
    fn suspect(
        &self,
        failure: &Failure,
        trial: &Trial,
        under_way: Option<&Arc<str>>,
        now: Duration,
    ) -> Option<Arc<str>> {
        trial
            .over(under_way, now)
            .filter(|topic| **topic != *self.state_topic && failure.kind != Kind::TakenOver)
    }

    fn open(&self) -> Result<Link, Failure> {
        let config = self.settings.tls.as_ref().map(tls::client_config);
        let tls = config.transpose().map_err(|e| Failure {
            kind: Kind::Settings,
            sentence: e.to_string(),
        })?;
        Ok(Link::open(Opening {
            settings: &self.settings,
            client_id: &self.client_id,
            tls,
            will: Some(self.will.clone()),
        }))
    }

    /// Gives the link as much as it has room for.
    fn hand_over(&mut self, link: &mut Link, course: &mut Course) -> Result<(), Gone> {
        while link.has_room() {
            if self.suspicion.is_careful()
                && (link.n_under_way() > 0 || clock::uptime() < course.trial.rests_until())
            {
                return Ok(());
            }
            if course.trial.rested()
                && let Some(suspect) = self.suspicion.suspect()
            {
                self.outbox.ahead(suspect);
            }
            let Some(packet) = self.outbox.next_packet() else {
                return Ok(());
            };
            if link.n_under_way() == 0 {
                course.heard_at = clock::uptime();
            }
            // What a dead link did not take is said again on the next one.
            link.publish(packet)?;
            if let Some(n) = &mut course.n_said_again {
                *n += 1;
            }
        }
        Ok(())
    }

    /// Hears what has come in one piece before anything else is done about it.
    fn hear_all(
        &mut self,
        first: Result<Said, Cause>,
        link: &mut Link,
        course: &mut Course,
    ) -> Result<(), Cause> {
        self.hear(first?, link, course);
        while let Some(said) = link.said().now_or_never() {
            self.hear(said?, link, course);
        }
        Ok(())
    }

    fn hear(&mut self, said: Said, link: &mut Link, course: &mut Course) {
        course.heard_at = clock::uptime();
        match said {
            Said::Connected(facts) => {
                self.n_connections += 1;
                course.connected_at = Some(course.heard_at);
                course.n_said_again = Some(0);
                self.tell_facts(facts);
                // Commands first: a client that sees us online may send one at once.
                self.subscriptions.clear();
                self.subscribe(link);
                self.outbox.connected(facts.packet_max);
                if self.suspicion.is_careful() {
                    self.outbox.ahead(&self.state_topic);
                }
                self.ends
                    .says
                    .send_replace(Connection::Up(self.n_connections));
            }
            Said::Acknowledged {
                ticket,
                topic,
                refusal,
            } => {
                self.outbox.acknowledged(ticket);
                if self.suspicion.is_careful() {
                    course
                        .trial
                        .acknowledged(Arc::clone(&topic), course.heard_at);
                }
                if let Some(why) = refusal {
                    course.has_refused = true;
                    if self.suspicion.is_careful() {
                        self.bar(&topic);
                    } else if !self.told_refusal {
                        warn!(
                            %topic, %why,
                            "the broker refuses what we publish: check its access list \
                             (only the first topic is named)"
                        );
                    }
                    self.told_refusal = true;
                    course.trial.refused();
                }
            }
            Said::Subscribed { refused } => {
                for Refused { filter, why } in refused {
                    warn!(%filter, %why, "the broker refuses a subscription: check its access list");
                }
            }
            Said::Message(message) => self.arrived(message),
        }
    }

    /// Asks for what is wanted now, and for nothing that was wanted before.
    fn subscribe(&mut self, link: &mut Link) {
        let wanted = self.ends.subscriptions.borrow_and_update().clone();
        let before = std::mem::replace(&mut self.subscriptions, wanted);
        for gone in before
            .iter()
            .filter(|old| !self.subscriptions.contains(old))
        {
            link.unsubscribe(gone);
        }
        link.subscribe(&self.subscriptions);
    }

    fn arrived(&mut self, message: Incoming) {
        if self.ends.arrived.try_send(message).is_ok() {
            if std::mem::take(&mut self.is_flooded) {
                info!("incoming messages are read again");
            }
        } else if !std::mem::replace(&mut self.is_flooded, true) {
            // Whoever floods us must not be able to stop what we publish.
            warn!("incoming messages are dropped: they come faster than they are read");
        }
    }

    /// Takes what the rooms have said so far, so that one pass to the broker carries all of it.
    fn take_waiting(&mut self) {
        while let Ok(word) = self.ends.words.try_recv() {
            self.take(word);
        }
    }

    fn take(&mut self, word: Word) {
        match word {
            Word::Say(messages) => messages.into_iter().for_each(|said| self.outbox.put(said)),
            Word::Confirm(confirm) => {
                self.unconfirmed.retain(|waits| !waits.is_closed());
                self.unconfirmed.push(confirm);
            }
        }
    }

    /// Last values, `offline`, goodbye; within [`DRAIN`].
    async fn farewell(&mut self, mut link: Link, connected: bool) -> Farewell {
        let begun = clock::uptime();
        self.take_waiting();
        if !connected {
            return Farewell {
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
        Farewell {
            offline_said: drained,
            n_lost,
        }
    }

    /// Sends until all is acknowledged (true) or time is up.
    async fn drain(&mut self, link: &mut Link, deadline: Duration) -> bool {
        let mut course = Course::default();
        loop {
            if self.hand_over(link, &mut course).is_err() {
                return false;
            }
            if !self.outbox.has_work() && link.n_under_way() == 0 {
                return true;
            }
            match timeout_at(clock::instant_of(deadline), link.said()).await {
                Ok(Ok(Said::Acknowledged { ticket, .. })) => self.outbox.acknowledged(ticket),
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return false,
            }
        }
    }

    fn attempt(&self, connected: bool) -> Attempt<'_> {
        Attempt {
            settings: &self.settings,
            client_id: &self.client_id,
            connected,
        }
    }

    fn tell_down(&mut self, failure: &Failure) {
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
            Kind::Unreachable | Kind::Slow => warn!(reason = %sentence, "broker unreachable"),
            Kind::Dropped => warn!(reason = %sentence, "broker connection lost"),
            Kind::Refused | Kind::OnlyQos0 | Kind::Tls | Kind::TakenOver | Kind::Settings => {
                error!(reason = %sentence, "no broker connection until this is mended");
            }
        }
    }

    /// Everything has been acknowledged. What was refused is not done, though, and the broker does
    /// not say what it will take next time: then nothing is confirmed on this connection.
    fn confirm(&mut self, course: &Course) {
        if !self.unconfirmed.is_empty() && !course.has_refused && !self.outbox.owes_deletes() {
            for waits in self.unconfirmed.drain(..) {
                let _ = waits.send(());
            }
        }
    }

    /// Everything has been said again: an outage ends here, not with the CONNACK.
    fn tell_complete(&mut self, course: &mut Course) {
        let now = clock::uptime();
        let lasted = course.connected_at.map(|at| now.saturating_sub(at));
        // In a rhythm of short connections the outage is not over yet, and not worth a line each.
        if self.suspicion.is_careful() && lasted < Some(pause::SHORT) {
            return;
        }
        if self.suspicion.is_careful() {
            self.suspicion.lasts();
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

    fn tell_facts(&mut self, facts: BrokerFacts) {
        if std::mem::replace(&mut self.told_facts, true) {
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

    fn log_complaints(&mut self) {
        for complaint in self.outbox.complaints() {
            warn!("{complaint}");
        }
    }
}

/// A number from 0 to 1, so that bridges of one house do not knock at the same moment.
fn jitter() -> f64 {
    getrandom::u32().map_or(0.5, |n| f64::from(n) / f64::from(u32::MAX))
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

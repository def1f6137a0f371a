//! The task that keeps the connection: owns the outbox, connects, says everything again, waits
//! between attempts, says goodbye.
//!
//! What lasts is logged when it begins and when it ends, never once per attempt: an outage of a
//! night is two lines.

mod farewell;
mod tell;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::failure::{Attempt, BrokerFailure, BrokerFailureKind, Cause};
use super::later::Later;
use super::link::{Gone, Link, Opening, Said};
use super::suspicion::{Suspicion, Trial, Verdict};
use super::wire::Will;
use super::{Connection, Incoming, Subscription, Word, pause, state_topic, tls};
use crate::clock;
use crate::config;
use crate::outbox::{Outbox, Publish};
use crate::rng;

use self::tell::Told;

/// A broker that acknowledges nothing for this long is as good as gone.
const STALL: Duration = Duration::from_secs(30);

/// How the connection task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainOutcome {
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
    /// Retained and with QoS 1 until the broker refuses that; messages follow what it says of
    /// itself.
    will: Will,
    ends: Ends,
    outbox: Outbox,
    /// Who waits until everything is acknowledged.
    unconfirmed: Vec<oneshot::Sender<()>>,
    n_connections: u64,
    outage: Option<Outage>,
    suspicion: Suspicion,
    told: Told,
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
    failure: BrokerFailure,
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
    /// How often the first topic is still to be said before any other.
    n_probes: u32,
    /// Messages sent since the CONNACK, until the first moment with nothing left to say.
    n_said_again: Option<usize>,
    later: Later,
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
                is_retained: true,
            },
            suspicion: Suspicion::new(&state_topic),
            state_topic,
            ends,
            outbox,
            unconfirmed: Vec::new(),
            n_connections: 0,
            outage: None,
            told: Told::default(),
            is_flooded: false,
        }
    }

    /// Runs until cancelled.
    pub async fn run(mut self) -> DrainOutcome {
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
            if self.asks_for_less(failure.kind) {
                continue;
            }
            if failure.kind == BrokerFailureKind::Unreachable {
                self.suspicion.broker_is_away();
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
            let wait = pause::before_retry(failure.kind, in_a_row, rng::share());
            if self.wait(wait).await {
                return DrainOutcome {
                    offline_said: false,
                    n_lost: self.outbox.n_waiting(),
                };
            }
        }
    }

    /// Whether the broker takes no such will, but may take a lesser one.
    fn asks_for_less(&mut self, kind: BrokerFailureKind) -> bool {
        match kind {
            BrokerFailureKind::OnlyQos0 => std::mem::take(&mut self.will.is_acknowledged),
            BrokerFailureKind::NotRetained => std::mem::take(&mut self.will.is_retained),
            _ => false,
        }
    }

    /// What the end of a connection that had been made tells.
    fn judge(
        &mut self,
        mut failure: BrokerFailure,
        lasted: Duration,
        suspect: Option<Arc<str>>,
    ) -> BrokerFailure {
        match self.suspicion.ended(lasted, suspect) {
            Verdict::Stable => {
                self.told.refusals.clear();
                return failure;
            }
            Verdict::Short => return failure,
            Verdict::Guilty(topic) => {
                self.outbox.bar(&topic);
                self.tell_guilty(topic);
                return failure;
            }
            Verdict::PutOff(topic) => self.outbox.bar(&topic),
            Verdict::Acquitted(topics) => topics.iter().for_each(|topic| self.outbox.unbar(topic)),
            Verdict::Suspicious => {}
        }
        if failure.kind == BrokerFailureKind::HungUp {
            failure.sentence = self.attempt(true).short_connections();
        }
        failure
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
    async fn connection(&mut self) -> Result<DrainOutcome, End> {
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
            // One for the whole pass: what is not due yet has a timer.
            let now = clock::uptime();
            if course.connected_at.is_some() {
                let done = self.hand_over(&mut link, &mut course, now);
                let rests = course.trial.rests_until() > now;
                if done.is_ok() && link.n_under_way() == 0 && !self.outbox.has_work() && !rests {
                    self.confirm();
                    self.tell_complete(&mut course, now);
                    if self.try_next(&course, now) {
                        continue;
                    }
                }
            }
            self.log_complaints();
            let stalled = clock::instant_of(course.heard_at + STALL);
            let due = self.next_due(&course, now);
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
                () = sleep_until(clock::instant_of(due.unwrap_or_default())), if due.is_some() => {
                    continue;
                }
                () = sleep_until(stalled), if link.n_under_way() > 0 => Cause::NoAcknowledgement,
            };
            let failure = self.attempt(course.connected_at.is_some()).explain(&cause);
            let now = clock::uptime();
            return Err(End {
                suspect: suspect(&failure, &course.trial, link.under_way(), now),
                failure,
                lasted: course.connected_at.map(|at| now.saturating_sub(at)),
            });
        }
    }

    /// When there is something to do although nothing comes.
    fn next_due(&self, course: &Course, now: Duration) -> Option<Duration> {
        let lasted_at = course.connected_at.map(|at| at + pause::SHORT);
        let times = [
            Some(course.trial.rests_until()),
            lasted_at.filter(|_| self.suspicion.waits()),
            course.later.due_at(),
        ];
        times.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Lets the next topic that was put off be said, if this connection has lasted.
    fn try_next(&mut self, course: &Course, now: Duration) -> bool {
        if !has_lasted(course, now) {
            return false;
        }
        let Some(topic) = self.suspicion.next_trial() else {
            return false;
        };
        self.outbox.unbar(&topic);
        self.outbox.say_next(&topic);
        true
    }

    fn open(&self) -> Result<Link, BrokerFailure> {
        let config = self.settings.tls.as_ref().map(tls::client_config);
        let tls = config.transpose().map_err(|e| BrokerFailure {
            kind: BrokerFailureKind::Settings,
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
    fn hand_over(
        &mut self,
        link: &mut Link,
        course: &mut Course,
        now: Duration,
    ) -> Result<(), Gone> {
        for topic in course.later.due(now) {
            self.outbox.say_again(&topic);
        }
        while link.has_room() {
            if self.suspicion.is_careful() {
                if link.n_under_way() > 0 || now < course.trial.rests_until() {
                    return Ok(());
                }
                if let Some(outlived) = course.trial.outlived() {
                    self.suspicion.outlived(outlived);
                }
            }
            let is_probe = course.n_probes > 0;
            if is_probe {
                course.n_probes -= 1;
                self.outbox.say_next(&self.state_topic);
            }
            let Some(packet) = self.outbox.next_packet() else {
                return Ok(());
            };
            if link.n_under_way() == 0 {
                course.heard_at = now;
            }
            // What a dead link did not take is said again on the next one.
            link.publish(packet)?;
            if let Some(n) = &mut course.n_said_again
                && !is_probe
            {
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
                course.n_probes = self.suspicion.n_probes();
                self.ends
                    .says
                    .send_replace(Connection::Up(self.n_connections));
            }
            Said::Acknowledged {
                ticket,
                topic,
                refusal,
            } => {
                if self.suspicion.is_careful() {
                    course
                        .trial
                        .acknowledged(Arc::clone(&topic), course.heard_at);
                }
                let Some(refusal) = refusal else {
                    self.outbox.acknowledged(ticket);
                    // A later event says nothing of one that was refused.
                    if !self.outbox.has_event(&topic) {
                        course.later.taken(&topic);
                    }
                    return;
                };
                if self.suspicion.is_careful() {
                    course.trial.refused(Arc::clone(&topic));
                }
                self.tell_refusal(&topic, refusal);
                if refusal.is_for_now {
                    self.outbox.put_back(ticket);
                    course.later.put(topic, course.heard_at);
                } else {
                    self.outbox.refused(ticket);
                }
            }
            Said::Subscribed { answers } => self.tell_answers(answers),
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

    /// Everything has been answered. A delete that was refused is not done, though: it is owed.
    fn confirm(&mut self) {
        if !self.unconfirmed.is_empty() && !self.outbox.owes_deletes() {
            for waits in self.unconfirmed.drain(..) {
                let _ = waits.send(());
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
}

/// The topic over which a connection may have ended.
fn suspect(
    failure: &BrokerFailure,
    trial: &Trial,
    under_way: Option<&Arc<str>>,
    now: Duration,
) -> Option<Arc<str>> {
    trial.over(under_way, now).filter(|_| {
        matches!(
            failure.kind,
            BrokerFailureKind::HungUp | BrokerFailureKind::Dropped
        )
    })
}

fn has_lasted(course: &Course, now: Duration) -> bool {
    let since = course.connected_at;
    since.is_some_and(|at| now >= at + pause::SHORT)
}

//! The broker connection: one task that only reads and writes, one that publishes from the outbox.
//!
//! [`start`] connects and stays connected, for ever: after every CONNACK it subscribes, says
//! `online` and everything the outbox holds again, so that a broker that lost its memory is
//! whole within a second. A broker that is away costs nothing but the newest value of each topic.
//! At the end it says the last values and `offline`, and waits for their acknowledgements.
//!
//! What topics mean is none of its business; `outbox` says what is to be sent, `bridge` what
//! comes in.

mod failure;
mod identity;
mod keeper;
mod later;
mod line;
mod link;
mod one_shot;
mod pause;
mod suspicion;
mod tls;
mod wire;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use failure::{BrokerFailure, BrokerFailureKind};
pub use identity::{client_id, random_client_id};
pub use keeper::DrainOutcome;
pub use link::BrokerFacts;
pub use one_shot::OneShotClient;
pub use tls::TlsError;

use crate::config;
use crate::outbox::Publish;

/// Incoming messages that wait for the bridge at most; what comes beyond is dropped and logged.
const INCOMING_MAX: usize = 256;
/// Messages from the rooms on their way to the outbox. A room waits when it is full, for
/// microseconds: the outbox never waits for the broker.
const PUBLISH_MAX: usize = 256;

/// A message from the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Full topic.
    pub topic: String,
    /// Payload bytes as they came; may be anything.
    pub payload: Vec<u8>,
    /// The retain flag: such a message is a stored one, and never a command.
    pub retain: bool,
}

/// The state of the broker connection, for readiness and the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// Never connected yet, or lost; the text says why, for the owner.
    Down(String),
    /// Connected; counts the connections of this process.
    Up(u64),
}

/// What the rooms hand to the connection task.
#[derive(Debug)]
enum Word {
    /// For the outbox.
    Say(Vec<Publish>),
    /// To be answered when the broker has acknowledged everything that was said before.
    Confirm(oneshot::Sender<()>),
}

/// The rooms' end of the connection task.
#[derive(Debug, Clone)]
pub struct Handle {
    words: mpsc::Sender<Word>,
    subscriptions: watch::Sender<Vec<Subscription>>,
    connection: watch::Receiver<Connection>,
}

impl Handle {
    /// Hands a message to the outbox; waits only for the outbox, never for the broker.
    pub async fn publish(&self, message: Publish) {
        // The task ends last at shutdown; what comes after that has no reader any more.
        let _ = self.words.send(Word::Say(vec![message])).await;
    }

    /// Hands over what belongs together, so that it leaves in one write; in this order.
    pub async fn publish_all(&self, messages: Vec<Publish>) {
        if !messages.is_empty() {
            let _ = self.words.send(Word::Say(messages)).await;
        }
    }

    /// Comes when the broker has acknowledged everything that was handed over before; an error is
    /// the end of the connection task.
    pub async fn confirmation(&self) -> oneshot::Receiver<()> {
        let (confirm, confirmation) = oneshot::channel();
        let _ = self.words.send(Word::Confirm(confirm)).await;
        confirmation
    }

    /// Listens to these filters from now on, and to no others.
    pub fn listen(&self, subscriptions: Vec<Subscription>) {
        self.subscriptions.send_replace(subscriptions);
    }

    /// Follows the connection.
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.connection.clone()
    }
}

/// A topic filter that the bridge listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub(crate) filter: String,
    pub(crate) commands: bool,
}

impl Subscription {
    /// For commands: with MQTT 5 the broker is asked to send neither stored messages nor our own.
    /// With 3.1.1 it does, so look at [`Incoming::retain`].
    pub fn commands(filter: impl Into<String>) -> Self {
        Self {
            filter: filter.into(),
            commands: true,
        }
    }

    /// For everything else (Home Assistant's birth message): stored messages too.
    pub fn plain(filter: impl Into<String>) -> Self {
        Self {
            filter: filter.into(),
            commands: false,
        }
    }
}

/// Checks the TLS files, so that a wrong one is found before anything starts.
///
/// # Errors
/// One is missing or is not what it should be; the text names it and its key.
pub fn check_files(settings: &config::Mqtt) -> Result<(), TlsError> {
    match &settings.tls {
        Some(files) => tls::client_config(files).map(|_| ()),
        None => Ok(()),
    }
}

/// Connects, and keeps connected until `cancel`; then drains for little more than a second.
///
/// The will and the bridge's own state live at `<base>/bridge/state`: `online` is said on every
/// connection, `offline` at the end. Needs a tokio runtime.
///
/// # Errors
/// A TLS file is missing or wrong: nothing was started. Everything else, a wrong password
/// included, is a [`Connection::Down`] that may pass.
pub fn start(
    settings: &config::Mqtt,
    client_id: String,
    subscriptions: Vec<Subscription>,
    cancel: CancellationToken,
) -> Result<(Handle, mpsc::Receiver<Incoming>, JoinHandle<DrainOutcome>), TlsError> {
    check_files(settings)?;
    let (words, heard) = mpsc::channel(PUBLISH_MAX);
    let (arrived, incoming) = mpsc::channel(INCOMING_MAX);
    let (says, connection) = watch::channel(Connection::Down("not connected yet".to_owned()));
    let (subscriptions, subscribed) = watch::channel(subscriptions);
    let keeper = keeper::Keeper::new(
        settings.clone(),
        client_id,
        keeper::Ends {
            words: heard,
            subscriptions: subscribed,
            arrived,
            says,
            cancel,
        },
    );
    let handle = Handle {
        words,
        subscriptions,
        connection,
    };
    Ok((handle, incoming, tokio::spawn(keeper.run())))
}

/// The topic of the will and of the bridge's own state.
pub fn state_topic(base: &str) -> String {
    format!("{base}{OF_STATE}")
}

/// The base topic, if this is the topic of a bridge's own state.
pub fn base_of_state_topic(topic: &str) -> Option<&str> {
    topic.strip_suffix(OF_STATE)
}

const OF_STATE: &str = "/bridge/state";

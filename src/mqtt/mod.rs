//! The broker connection: one task that drives the pure client with a socket.
//!
//! [`start`] connects and stays connected, for ever: after every CONNACK it subscribes, sends
//! `online` and everything the outbox holds again, so that a broker that lost its memory is
//! whole within a second. A broker that is away costs nothing but the newest value of each topic.
//! At the end it sends the last values and `offline`, and waits for their acknowledgements.
//!
//! When what is sent, and what follows from an answer, is decided in `mqtt_client`; `outbox` says
//! what there is to be sent, `bridge` what comes in.

mod codec;
mod faults;
mod identity;
mod notices;
mod one_shot;
mod socket;
mod task;
mod tls;

use std::collections::BTreeSet;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use identity::{client_id, random_client_id};
pub use one_shot::OneShotClient;
pub use tls::TlsError;

pub use crate::mqtt_client::{
    BrokerFacts, BrokerFailure, BrokerFailureKind, Connection, DrainOutcome, Incoming, Subscription,
};

use crate::config;
use crate::mqtt_client::{BrokerTarget, Client, ClientOptions, TlsTarget};
use crate::outbox::Publish;

/// Incoming messages that wait for the bridge at most; what comes beyond is dropped and logged.
const INCOMING_MAX: usize = 256;
/// Messages on their way to the outbox. Who publishes waits when it is full, for
/// microseconds: the outbox never waits for the broker.
const PUBLISH_MAX: usize = 256;

/// What is handed to the connection task.
#[derive(Debug)]
enum ClientRequest {
    /// For the outbox.
    Publish(Vec<Publish>),
    /// To be answered with the deletes that are not confirmed, when there are fewer than now.
    UnconfirmedDeletes(oneshot::Sender<BTreeSet<String>>),
}

/// The connection task, for those who publish.
#[derive(Debug, Clone)]
pub struct Handle {
    requests: mpsc::Sender<ClientRequest>,
    subscriptions: watch::Sender<Vec<Subscription>>,
    connection: watch::Receiver<Connection>,
}

impl Handle {
    /// Hands a message to the outbox; waits only for the outbox, never for the broker.
    pub async fn publish(&self, message: Publish) {
        // The task ends last at shutdown; what comes after that has no reader any more.
        let _ = self
            .requests
            .send(ClientRequest::Publish(vec![message]))
            .await;
    }

    /// Hands over what belongs together, so that it leaves in one write; in this order.
    pub async fn publish_all(&self, messages: Vec<Publish>) {
        if !messages.is_empty() {
            let _ = self.requests.send(ClientRequest::Publish(messages)).await;
        }
    }

    /// The topics of the deletes that the broker has not acknowledged, of all that were handed over
    /// before; comes when it has acknowledged some of them, or there are none. An error is the end
    /// of the connection task.
    pub async fn unconfirmed_deletes(&self) -> oneshot::Receiver<BTreeSet<String>> {
        let (answer, unconfirmed) = oneshot::channel();
        let _ = self
            .requests
            .send(ClientRequest::UnconfirmedDeletes(answer))
            .await;
        unconfirmed
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

/// Checks the TLS files, so that a wrong one is found before anything starts.
///
/// # Errors
/// One is missing or is not what it should be; the text names it and its key.
pub fn check_files(settings: &config::MqttSettings) -> Result<(), TlsError> {
    match &settings.tls {
        Some(files) => tls::client_config(files).map(|_| ()),
        None => Ok(()),
    }
}

/// Connects, and keeps connected until `cancel`; then drains for little more than a second.
///
/// The will and the bridge's own state live at `<base>/bridge/state`: `online` is sent on every
/// connection, `offline` at the end. Needs a tokio runtime.
///
/// # Errors
/// A TLS file is missing or wrong: nothing was started. Everything else, a wrong password
/// included, is a [`Connection::Down`] that may pass.
pub fn start(
    settings: &config::MqttSettings,
    client_id: String,
    subscriptions: Vec<Subscription>,
    cancel: CancellationToken,
) -> Result<(Handle, mpsc::Receiver<Incoming>, JoinHandle<DrainOutcome>), TlsError> {
    check_files(settings)?;
    let (requests, asked) = mpsc::channel(PUBLISH_MAX);
    let (arrived, incoming) = mpsc::channel(INCOMING_MAX);
    let (status, connection) = watch::channel(Connection::Down("not connected yet".to_owned()));
    let client = Client::new(ClientOptions {
        target: target(settings, client_id),
        base_topic: settings.base_topic.clone(),
        state_topic: state_topic(&settings.base_topic),
        keep_alive: settings.keep_alive,
        subscriptions: subscriptions.clone(),
        seed: getrandom::u64().unwrap_or_else(|_| u64::from(std::process::id())),
    });
    let (subscriptions, subscribed) = watch::channel(subscriptions);
    let channels = task::TaskChannels {
        requests: asked,
        subscriptions: subscribed,
        arrived,
        status,
        cancel,
    };
    let task = task::Task::new(settings.clone(), client, channels);
    let handle = Handle {
        requests,
        subscriptions,
        connection,
    };
    Ok((handle, incoming, tokio::spawn(task.run())))
}

/// Whom these settings are about.
fn target(settings: &config::MqttSettings, client_id: String) -> BrokerTarget {
    let tls = settings.tls.as_ref().map(|files| TlsTarget {
        ca_file: files
            .ca_file
            .as_ref()
            .map(|file| file.display().to_string()),
        has_client_certificate: files.client_cert_file.is_some(),
    });
    BrokerTarget {
        host: settings.host.clone(),
        port: settings.port,
        protocol: settings.protocol,
        username: settings.username.clone(),
        client_id,
        tls,
    }
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

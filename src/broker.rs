//! The broker inside the bridge: for the demo, the tests and whoever has no broker yet.
//!
//! MQTT 5 and 3.1.1 on one port, everything in memory. The bridge talks to it over loopback like
//! to any other broker, so that there is one code path. The library's own choices that do not fit
//! a home are set aside here: it would write a folder into the working directory, and after five
//! wrong passwords it locks out a whole address for five minutes, so that one forgotten client on
//! this machine would keep the bridge itself away.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use mqtt5::broker::auth::{AuthProvider, AuthResult};
use mqtt5::broker::config::{AuthConfig, RateLimitConfig, StorageBackend, StorageConfig};
use mqtt5::broker::{BrokerConfig, BrokerShutdownHandle, MqttBroker};
use mqtt5_protocol_names::{ConnectPacket, ReasonCode};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::config;

/// The library's names that are spread over its modules.
mod mqtt5_protocol_names {
    pub(super) use mqtt5::packet::connect::ConnectPacket;
    pub(super) use mqtt5::protocol::v5::reason_codes::ReasonCode;
}

/// Largest packet: twice our largest, whatever others publish.
const PACKET_MAX: usize = 4 << 20;
/// Retained messages and their sizes are not limited below memory: 0 means unlimited.
const UNLIMITED: usize = 0;
/// Clients at the same time; a home has a dozen.
const CLIENTS_MAX: usize = 1_000;
/// Answer to a wrong password comes after this long, instead of a lockout.
const REFUSAL_DELAY: Duration = Duration::from_secs(1);

/// Why the broker does not run.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Another program listens there.
    #[error("port {port} of {ip} is taken, perhaps by another broker; set another broker.listen",
            port = .0.port(), ip = .0.ip())]
    PortTaken(SocketAddr),
    /// The address cannot be listened at.
    #[error("cannot listen at {0}: {1}; see broker.listen")]
    Address(SocketAddr, io::Error),
    /// Open to the network without a password.
    #[error(
        "broker.listen = \"{0}\" can be reached from other machines: whoever reaches the broker \
         sees where the cars are and may command them; set broker.username and broker.password, \
         or listen at 127.0.0.1"
    )]
    OpenWithoutPassword(SocketAddr),
    /// The library refuses.
    #[error("the embedded broker does not start: {0}")]
    Library(String),
}

/// A broker that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Embedded {
    /// Where it listens; the real port if 0 was asked for.
    pub addr: SocketAddr,
    handle: Shutdown,
    task: JoinHandle<()>,
}

struct Shutdown(BrokerShutdownHandle);

impl std::fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shutdown")
    }
}

/// Starts a broker. Needs a tokio runtime; it accepts clients when this returns.
///
/// # Errors
/// The address is taken or not ours, or open to the network without a password.
pub async fn start(settings: &config::BrokerSettings) -> Result<Embedded, BrokerError> {
    let listen = settings.listen;
    let has_password = settings.username.is_some() && settings.password.is_some();
    if !listen.ip().is_loopback() && !has_password {
        return Err(BrokerError::OpenWithoutPassword(listen));
    }
    is_free(listen).await?;
    let mut broker = match MqttBroker::with_config(library_config(listen)).await {
        Ok(broker) => broker,
        Err(error) => {
            // Somebody may have been quicker.
            is_free(listen).await?;
            return Err(BrokerError::Library(error.to_string()));
        }
    };
    if let Some(password) = &settings.password {
        broker = broker.with_auth_provider(Arc::new(OnePassword {
            username: settings.username.clone().unwrap_or_default(),
            password: password.clone(),
        }));
    }
    let addr = broker.local_addr().unwrap_or(listen);
    let handle = Shutdown(broker.shutdown_handle());
    let mut ready = broker.ready_receiver();
    let task = tokio::spawn(async move {
        if let Err(error) = broker.run().await {
            warn!(%error, "the embedded broker ended");
        }
    });
    // The sender goes with the task: an error here means that it ended, which it has logged.
    let _ = ready.wait_for(|ready| *ready).await;
    info!(%addr, password = settings.password.is_some(), "embedded broker listens");
    Ok(Embedded { addr, handle, task })
}

/// The library's own error is a text; this one has a kind.
async fn is_free(listen: SocketAddr) -> Result<(), BrokerError> {
    match TcpListener::bind(listen).await {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => Err(BrokerError::PortTaken(listen)),
        Err(e) => Err(BrokerError::Address(listen, e)),
    }
}

impl Embedded {
    /// Closes every connection and the port.
    pub async fn stop(mut self) {
        self.handle.0.shutdown();
        if tokio::time::timeout(Duration::from_secs(2), &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.handle.0.shutdown();
        self.task.abort();
    }
}

fn library_config(listen: SocketAddr) -> BrokerConfig {
    let storage = StorageConfig::default()
        .with_backend(StorageBackend::Memory)
        .with_persistence(true);
    let auth = AuthConfig {
        allow_anonymous: true,
        rate_limit: RateLimitConfig {
            enabled: false,
            ..RateLimitConfig::default()
        },
        ..AuthConfig::default()
    };
    let mut config = BrokerConfig::default()
        .with_bind_address(listen)
        .with_auth(auth)
        .with_storage(storage)
        .with_max_clients(CLIENTS_MAX)
        .with_max_packet_size(PACKET_MAX)
        .with_sys_topics_enabled(false);
    config.max_retained_messages = UNLIMITED;
    config.max_retained_message_size = UNLIMITED;
    // A client that stays away for a day starts anew; its queue is memory of ours.
    config.session_expiry_interval = Duration::from_hours(24);
    config
}

/// One user, one password, every topic.
struct OnePassword {
    username: String,
    password: SecretString,
}

impl OnePassword {
    fn is_right(&self, connect: &ConnectPacket) -> bool {
        let username = connect.username.as_deref().unwrap_or_default();
        let password = connect.password.as_deref().unwrap_or_default();
        let right_name = username.as_bytes().ct_eq(self.username.as_bytes());
        let right_password = password.ct_eq(self.password.expose_secret().as_bytes());
        (right_name & right_password).into()
    }
}

impl AuthProvider for OnePassword {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        client_addr: SocketAddr,
    ) -> BoxFuture<'a, mqtt5::Result<AuthResult>> {
        Box::pin(async move {
            if self.is_right(connect) {
                return Ok(AuthResult::success());
            }
            tokio::time::sleep(REFUSAL_DELAY).await;
            info!(client = %client_addr.ip(), "a client was refused: wrong user name or password");
            Ok(AuthResult::fail(ReasonCode::BadUsernameOrPassword))
        })
    }

    fn authorize_publish<'a>(
        &'a self,
        _client_id: &str,
        _user_id: Option<&'a str>,
        _topic: &'a str,
    ) -> BoxFuture<'a, bool> {
        Box::pin(std::future::ready(true))
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _client_id: &str,
        _user_id: Option<&'a str>,
        _topic_filter: &'a str,
    ) -> BoxFuture<'a, bool> {
        Box::pin(std::future::ready(true))
    }
}

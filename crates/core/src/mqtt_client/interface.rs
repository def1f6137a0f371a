//! What goes into the client and what comes out of it.

use std::time::Duration;

use super::drain::DrainOutcome;
use super::failure::{BrokerTarget, Cause};
use super::notice::ClientNotice;
use super::packet::{Incoming, ServerPacket, Subscription};
use crate::outbox::Publish;

/// What a client is made with.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Whom it connects to.
    pub target: BrokerTarget,
    /// The base topic without slashes around it.
    pub base_topic: String,
    /// The topic of the will and of our own `online` and `offline`, the first on each connection.
    pub state_topic: String,
    /// Keep-alive interval.
    pub keep_alive: Duration,
    /// What it listens to at first.
    pub subscriptions: Vec<Subscription>,
    /// For the jitter of the waits.
    pub seed: u64,
}

/// Something that happened.
#[derive(Debug)]
pub enum ClientInput {
    /// Publish these, in this order.
    Publish(Vec<Publish>),
    /// Listen to these from now on, and to nothing else.
    Listen(Vec<Subscription>),
    /// The socket that was asked for is there.
    Opened,
    /// The broker has sent this.
    Received(ServerPacket),
    /// Everything that [`super::Client::next_packet`] gave has left.
    Written,
    /// The socket has ended, or there is none.
    Lost(Cause),
    /// Drain, and end.
    Shutdown,
    /// The time of [`super::Client::due_at`] has come.
    Timer,
}

/// Something for the edge to do.
#[derive(Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// Open a socket to the broker.
    Open,
    /// Drop the socket, or the attempt to open one.
    Close,
    /// The state of the connection has changed.
    Status(Connection),
    /// A message came.
    Message(Incoming),
    /// For the log.
    Log(ClientNotice),
    /// The last event of all.
    Ended(DrainOutcome),
}

/// The state of the broker connection, for readiness and the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// Never connected yet, or lost; the text says why, for the owner.
    Down(String),
    /// Connected; counts the connections of this process.
    Up(u64),
}

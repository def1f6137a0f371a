//! The broker connection: one task that only polls, one that publishes from the outbox.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

/// What the rooms say to the broker. QoS 1 throughout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publish {
    /// A retained topic's newest payload; sent only if it differs from the last, and again after
    /// every reconnect.
    State {
        /// Full topic.
        topic: String,
        /// Payload; never empty.
        payload: Arc<str>,
    },
    /// A message that is not retained (`event/…`, command results): kept until acknowledged,
    /// bounded, oldest dropped first.
    Event {
        /// Full topic.
        topic: String,
        /// Payload.
        payload: Arc<str>,
    },
    /// Removes a retained topic: an empty payload now and after the next reconnect, then
    /// forgotten.
    Delete {
        /// Full topic.
        topic: String,
    },
    /// Say every retained topic again although nothing changed (Home Assistant's birth).
    Everything,
}

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

/// The state of the broker connection, for readiness, the log and the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// Never connected yet, or lost; the text says why, for the owner.
    Down(String),
    /// Connected; counts the connections of this process.
    Up(u64),
}

/// The rooms' end of the connection task.
#[derive(Debug, Clone)]
pub struct Handle {
    publish: mpsc::Sender<Publish>,
    connection: watch::Receiver<Connection>,
}

impl Handle {
    /// Hands a message to the outbox; waits only for the outbox, never for the broker.
    pub async fn publish(&self, message: Publish) {
        // The task ends last at shutdown; what comes after that has no reader any more.
        let _ = self.publish.send(message).await;
    }

    /// Follows the connection.
    pub fn connection(&self) -> watch::Receiver<Connection> {
        self.connection.clone()
    }
}

//! The MQTT client without its socket and its clock: connects, sends everything again, waits for
//! acknowledgements, waits between attempts, drains.
//!
//! [`Client`] is what the bridge runs: the edge hands it what the bridge publishes and what comes
//! from the broker, writes what [`Client::next_packet`] gives, does what [`Client::next_event`]
//! says, and comes back at [`Client::due_at`]. [`PacketsInFlight`] is one connection of it, which a
//! one-shot client drives by itself.
//!
//! Nothing here knows bytes, sockets or TLS; what topics mean is none of its business.

mod client;
mod connection;
mod drain;
mod failure;
mod in_flight;
mod interface;
mod notice;
mod packet;
mod quarantine;
mod reconnect;
mod retained_scan;
mod retry_queue;

pub use client::Client;
pub use drain::{DRAIN_MAX, DrainOutcome};
pub use failure::{
    BrokerFailure, BrokerFailureKind, BrokerTarget, Cause, ConnectRefusal, DisconnectReason,
    TlsFault, TlsTarget, TransportFault,
};
pub use in_flight::{BrokerAnswer, CONNECT_MAX, FilterAnswer, PacketsInFlight};
pub use interface::{ClientEvent, ClientInput, ClientOptions, Connection};
pub use notice::ClientNotice;
pub use packet::{
    BrokerFacts, ClientPacket, Incoming, PACKET_MAX, Protocol, PublishRefusal, ServerPacket,
    Subscription, Will,
};
pub use retained_scan::{ANSWER_MAX, RetainedScan, SCAN_MAX, ScanEnd};

#[cfg(test)]
mod tests;

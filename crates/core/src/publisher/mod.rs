//! What is said of a device, of the bridge and of its accounts, and in which order: topics are
//! declared before anything is published there, values come before what takes longer to draw up, and
//! nothing is said twice. Pure: who runs a publisher asks for the next [`Publication`] until there
//! is none, and carries each out before it asks again.
//!
//! [`BridgePublisher`] speaks for the bridge and its accounts; a device's publisher is a part of the
//! [`Device`](crate::device::Device). Both stand on the same three: `declared`, `announcement`, and
//! `topics::LastValues`.

mod announcement;
mod bridge;
mod declared;

pub(crate) use self::announcement::Announcement;
pub use self::bridge::{AccountReport, BridgePublisher, first_declaration};
pub(crate) use self::declared::DeclaredTopics;
use crate::outbox::Publish;
use crate::retained::Declaration;

/// What is to be carried out next.
#[derive(Debug, Clone, PartialEq)]
pub enum Publication {
    /// Have the manifest take this in, and have it on the disk: what follows stands on it.
    Declare(Declaration),
    /// Hand these to the broker.
    Publish(Vec<Publish>),
}

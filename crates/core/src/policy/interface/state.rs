//! What the car does and what holds it awake, in the policy's words and in those of the topics.

use serde::{Deserialize, Serialize};

/// The policy's states (sleep policy, section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing is known yet.
    Boot,
    /// Asleep, or offline after having been idle.
    Asleep,
    /// Offline without a reason to believe that it sleeps.
    Unreachable,
    /// Online; the first data is due.
    Waking,
    /// Awake and parked.
    Idle,
    /// Awake, parked and left alone so that it can fall asleep.
    Quiet,
    /// In gear.
    Driving,
    /// Charging or about to.
    Charging,
    /// Installing an update.
    Updating,
    /// At service.
    InService,
    /// Paused by the owner.
    Paused,
    /// The account is signed out.
    AuthLost,
}

impl State {
    /// The word that is published: what the car does, as far as its owner cares.
    pub fn published(self) -> &'static str {
        match self {
            Self::Boot => "starting",
            Self::Asleep => "asleep",
            Self::Unreachable => "offline",
            Self::Waking | Self::Idle => "online",
            Self::Quiet => "suspended",
            Self::Driving => "driving",
            Self::Charging => "charging",
            Self::Updating => "updating",
            Self::InService => "in_service",
            Self::Paused => "paused",
            Self::AuthLost => "signed_out",
        }
    }

    /// The policy's own word, for figures and pictures of it; [`State::published`] is the topics'.
    pub fn word(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Asleep => "asleep",
            Self::Unreachable => "unreachable",
            Self::Waking => "waking",
            Self::Idle => "idle",
            Self::Quiet => "quiet",
            Self::Driving => "driving",
            Self::Charging => "charging",
            Self::Updating => "updating",
            Self::InService => "in_service",
            Self::Paused => "paused",
            Self::AuthLost => "auth_lost",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// What holds the car awake (sleep policy, section 3), as published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// `power` > 0 while parked.
    Power,
    /// An update is being downloaded.
    Downloading,
    /// Someone is in the car.
    UserPresent,
    /// Sentry mode.
    SentryMode,
    /// Preconditioning.
    Preconditioning,
    /// Climate on.
    Climate,
    /// Keep, dog or camp mode.
    ClimateKeeper,
    /// Cabin overheat protection is cooling.
    CabinOverheat,
    /// A door is open.
    DoorOpen,
    /// A trunk is open.
    TrunkOpen,
    /// Unlocked, if configured to hold.
    Unlocked,
}

impl HoldReason {
    /// The word that is published.
    pub fn word(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Downloading => "downloading",
            Self::UserPresent => "user_present",
            Self::SentryMode => "sentry_mode",
            Self::Preconditioning => "preconditioning",
            Self::Climate => "climate",
            Self::ClimateKeeper => "climate_keeper",
            Self::CabinOverheat => "cabin_overheat",
            Self::DoorOpen => "door_open",
            Self::TrunkOpen => "trunk_open",
            Self::Unlocked => "unlocked",
        }
    }
}

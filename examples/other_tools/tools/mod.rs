//! The policies of other tools as small models: their published intervals (shared knowledge: the
//! sleep policy, section 4) in a few states. They show what such intervals cost; they are not the
//! tools, which do a great deal more than this.

mod charger;
mod components;
mod logger;

use std::time::Duration;

use tesla2mqtt::estimate::{Follower, Turn};
use tesla2mqtt::model::{CarRecord, ChargingState, Gear, Now, SoftwareUpdate};
use tesla2mqtt::policy::Ask;

/// A tool whose policy is modelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tool {
    /// TeslaMate with Tesla's streaming, its default.
    TeslaMateStream,
    /// TeslaMate without streaming.
    TeslaMate,
    /// TeslaLogger on the Owner API.
    TeslaLogger,
    /// Home Assistant's own integration.
    TeslaFleet,
    /// The custom integration, on teslajsonpy.
    Alandtse,
    /// evcc, which asks the car for its battery level only.
    Evcc,
}

/// All of them.
pub(crate) const TOOLS: &[Tool] = &[
    Tool::TeslaMateStream,
    Tool::TeslaMate,
    Tool::TeslaLogger,
    Tool::TeslaFleet,
    Tool::Alandtse,
    Tool::Evcc,
];

impl Tool {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TeslaMateStream => "TeslaMate, stream",
            Self::TeslaMate => "TeslaMate, no stream",
            Self::TeslaLogger => "TeslaLogger",
            Self::TeslaFleet => "HA tesla_fleet",
            Self::Alandtse => "HA alandtse/tesla",
            Self::Evcc => "evcc",
        }
    }

    /// A model of it that follows one car; `held` is the car's age to the tool that asks for it.
    pub(crate) fn follower(self, held: bool) -> Box<dyn Follower> {
        match self {
            Self::TeslaMateStream => Box::new(logger::Logger::new(&logger::TESLAMATE_STREAM)),
            Self::TeslaMate => Box::new(logger::Logger::new(&logger::TESLAMATE)),
            Self::TeslaLogger => Box::new(logger::Logger::new(&logger::TESLALOGGER)),
            Self::TeslaFleet => Box::new(components::TeslaFleet::new(held)),
            Self::Alandtse => Box::new(components::Alandtse::default()),
            Self::Evcc => Box::new(charger::Evcc::default()),
        }
    }
}

/// A call that is due then.
fn due((at, ask): (Duration, Ask), now: Now) -> Turn {
    if at <= now.mono {
        Turn::ask(ask)
    } else {
        Turn::Wait(at)
    }
}

fn in_gear(view: &CarRecord) -> bool {
    view.gear.is_some_and(Gear::is_driving)
}

fn is_charging(view: &CarRecord) -> bool {
    view.charging_state.and_then(ChargingState::is_charging) == Some(true)
}

fn is_installing(view: &CarRecord) -> bool {
    view.update
        .as_ref()
        .is_some_and(SoftwareUpdate::is_installing)
}

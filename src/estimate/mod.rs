//! What following a car would cost, played beforehand: a life of the simulator, the policy and the
//! governor of the bridge, and virtual time between them. A month takes a fraction of a second.
//!
//! It knows nothing of Tesla's cloud, of files or of clocks; the same question always has the same
//! answer. It exists because a polling interval that looks harmless costs more than Tesla's monthly
//! credit or a night's sleep of the car, and nobody should find out from the bill.
//!
//! In reading order: `life` whose day is played (`life_file` an owner's own), `follower` who follows
//! it, `play` the event loop, `figures` what it cost, `report` the same for people and machines, `plot`
//! one day as a picture. What other tools' intervals cost on the same car is examples/other_tools.

mod figures;
mod follower;
mod life;
mod life_file;
mod play;
mod plot;
mod report;

use std::time::Duration;

use jiff::Timestamp;

pub use figures::{Delays, Figures};
pub use follower::{Follower, Turn};
pub use life::{LIVES, Life, NamedLife};
pub use life_file::{FORM as LIFE_FILE_FORM, LifeFileErrors, parse as parse_life};
pub use play::{CallMade, CallOutcome, CarTrace, Played};
pub use plot::{busiest_day, plot};
pub use report::{Report, Row};

use crate::config::{Api, BudgetSettings, PollingSettings};
use crate::model::{Now, Vin};
use crate::policy::{Governor, GovernorConfig, PolicyConfig, Preset, Prices};

/// When the prices of [`Prices::FLEET`] were published.
pub const PRICES_AS_OF: &str = "February 2025";
/// A Monday that begins a UTC month of 30 days: every estimate begins here, so that it can be
/// repeated.
const START: Timestamp = Timestamp::constant(1_780_272_000, 0);
const DAY: Duration = Duration::from_hours(24);
/// Of the policy's jitter.
const SEED: u64 = 7;

/// A question: whose life, how long, followed how.
#[derive(Debug, Clone)]
pub struct Case {
    /// The life that each car lives.
    pub life: Life,
    /// How many days are played.
    pub days: u32,
    /// Cars on the account; they live the same life 25 minutes apart.
    pub n_cars: u32,
    /// Whether data calls keep the cars awake.
    pub held: bool,
    /// How they are followed.
    pub way: Way,
}

/// How the bridge follows the cars of an account.
#[derive(Debug, Clone)]
pub struct Way {
    /// For the headline: `preset metered`.
    pub name: String,
    /// Intervals and the like.
    pub policy: PolicyConfig,
    /// Budget and caps.
    pub governor: GovernorConfig,
    /// What a call costs or would cost.
    pub prices: Prices,
    /// Whether Tesla bills this account at all.
    pub is_billed: bool,
    /// The cars push by themselves.
    pub has_push: bool,
}

impl Way {
    /// A preset with the budget and the prices that the bridge has by default.
    pub fn preset(preset: Preset) -> Self {
        let is_billed = preset != Preset::Unmetered;
        Self {
            name: format!("preset {}", word(preset)),
            policy: PolicyConfig::preset(preset),
            governor: if is_billed {
                GovernorConfig::metered()
            } else {
                GovernorConfig::unmetered()
            },
            prices: Prices::FLEET,
            is_billed,
            has_push: preset == Preset::Push,
        }
    }

    /// An account as the owner configured it.
    pub fn configured(
        account: &str,
        api: Api,
        polling: &PollingSettings,
        budget: &BudgetSettings,
    ) -> Self {
        let preset = polling.preset(api);
        Self {
            name: format!("configured for account {account}, preset {}", word(preset)),
            policy: polling.policy(api),
            governor: budget.governor(api),
            prices: budget.prices,
            is_billed: api == Api::Fleet,
            has_push: preset == Preset::Push,
        }
    }
}

fn word(preset: Preset) -> &'static str {
    match preset {
        Preset::Metered => "metered",
        Preset::Unmetered => "unmetered",
        Preset::Push => "push",
    }
}

/// Plays the case with the bridge's own policy and governor.
pub fn ours(case: &Case) -> Played {
    let now = Now {
        mono: Duration::ZERO,
        wall: START,
    };
    let follow = |vin: &_| -> Box<dyn Follower> {
        let way = &case.way;
        let policy = way.policy.clone();
        Box::new(follower::Ours::new(vin, policy, way.has_push, SEED, now))
    };
    let governor = Governor::new(case.way.governor.clone(), now);
    play::play(case, follow, Some(governor))
}

/// Plays the case with somebody else's policy, without an account that permits.
pub fn played_by(case: &Case, follow: impl Fn(&Vin) -> Box<dyn Follower>) -> Played {
    play::play(case, follow, None)
}

/// Plays the case with the bridge's own policy and governor, and takes the figures.
pub fn report(case: &Case) -> (Report, Played) {
    let played = ours(case);
    let rows = vec![Row::new("tesla2mqtt", false, &played, &case.way.prices)];
    (Report::new(case, rows, &played), played)
}

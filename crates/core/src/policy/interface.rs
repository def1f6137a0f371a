//! The words that the policy and its runner exchange.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{CarRecord, ChargingState, Gear};

/// A call that the policy may want. Neither of them wakes a car; waking is a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// `GET /vehicles/{id}`: reports `state`, is believed free, never touches the car.
    Light,
    /// `GET /vehicles/{id}/vehicle_data`: billed; 408 unless the car is online; restarts the
    /// sleep countdown of a held car.
    Data,
}

/// What a light call says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Light {
    /// The word in `state`.
    pub state: LightState,
    /// `in_service`.
    pub in_service: bool,
}

/// Tesla's `state` words; anything unknown or missing is `Unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LightState {
    /// Connected to Tesla; may be awake or in a short self-check.
    Online,
    /// Announced sleep.
    Asleep,
    /// No connection; with many firmwares plain sleep.
    Offline,
    /// A word that is not listed, or none.
    Unknown,
}

impl LightState {
    /// Tesla's word, in whatever case.
    pub fn of(word: Option<&str>) -> Self {
        match word.map(str::to_ascii_lowercase).as_deref() {
            Some("online") => Self::Online,
            Some("asleep") => Self::Asleep,
            Some("offline") => Self::Offline,
            _ => Self::Unknown,
        }
    }
}

/// Why a call did not succeed, by what the policy does next (sleep policy, section 5.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// 408 on data: asleep or out of reach. Not an error.
    Unavailable,
    /// No answer, a connection lost, or a body that is no answer (HTML, truncated, empty).
    Transport,
    /// 5xx, 540, 503.
    Server,
    /// 429, with the wait that Tesla asked for.
    Limited {
        /// From `Retry-After`, either form; `None` when absent or garbage.
        retry_after: Option<Duration>,
    },
    /// 401 even after the account's one refresh, or the account is signed out.
    SignedOut,
    /// 403 `EXCEEDED_LIMIT`: the billing limit of the app is reached.
    BillingLimit,
    /// 403: Tesla refuses this client, a firewall page, or 402, 418, 423, 451. Back off for long.
    Refused,
    /// 403 missing scope, for the endpoint asked.
    MissingScope,
    /// A refusal against better evidence, such as the token's own claims: as likely as not it
    /// passes.
    Doubted,
    /// 404: three in a row mean that the car may be gone.
    NotFound,
    /// 405: the car is at service.
    InService,
    /// 412 or 421 that the account could not cure. Back off for long.
    Region,
    /// The account's budget or rate cap did not allow the call; it was not sent.
    NotPermitted {
        /// Not before.
        retry_after: Duration,
    },
}

/// What a source that pushes says; only what it knows is `Some`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Push {
    /// The car's connection to the pushing service.
    pub connected: Option<bool>,
    /// The gear.
    pub gear: Option<Gear>,
    /// `charging_state`.
    pub charging_state: Option<ChargingState>,
    /// Someone is in the car.
    pub user_present: Option<bool>,
    /// Asleep by the word of a source that can know (BLE).
    pub asleep: Option<bool>,
}

/// What the owner asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum User {
    /// Look at the car now, without waking it.
    Refresh,
    /// A `wake_up` was sent at the owner's command.
    Woken,
    /// Let the car sleep: go quiet at once.
    LetSleep,
    /// Stop asking for data.
    Pause,
    /// End of the pause.
    Resume,
    /// A command was sent to the car: look at the result soon.
    CommandDone,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PolicyInput {
    /// The light call that was asked for answered.
    Light(Light),
    /// The account's product list showed the car; nobody asked for it here, so it ends no call.
    Seen(Light),
    /// A data call answered; this is what the car says now.
    Data(Box<CarRecord>),
    /// A call failed.
    Failed {
        /// Which.
        ask: Ask,
        /// How.
        failure: Failure,
    },
    /// The runner gave up waiting for a call, because something is more urgent than its answer.
    Abandoned(Ask),
    /// A pushing source spoke.
    Push(Push),
    /// The pushing source is away: nothing will be heard of a change before the next push, which
    /// the source sends to each of its cars when it is back, be it an empty one.
    PushLost,
    /// An automation hints that something is about to happen (garage, wallbox).
    Hint,
    /// The owner spoke.
    User(User),
    /// The account is signed in (again).
    SignedIn,
    /// The car is on the account's list again, or for the first time.
    Listed,
    /// The car is no longer on any account's list.
    Removed,
    /// A new billing month.
    MonthRolled,
    /// The owner changed the account's budget.
    BudgetChanged,
    /// What the account's governor can spare at present.
    Budget(Budget),
}

/// What the account's governor can spare (sleep policy, section 5.9).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Stretches every data interval; 1 to 10. Light calls are free and never stretched.
    pub factor: f64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { factor: 1.0 }
    }
}

/// What a data call is for: when the budget is short, the first stay longest (section 5.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The first data after a wake, the end of a drive, the start or end of a charge.
    Change,
    /// A drive.
    Driving,
    /// A charge.
    Charging,
    /// A parked car.
    Parked,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Make this call and hand its outcome to `handle`; at most one is under way.
    Ask {
        /// Which.
        ask: Ask,
        /// What it is for: the account's governor wants to know.
        purpose: Purpose,
        /// Whether a data call may ask for `location_data`; false for a while after Tesla said that
        /// the scope is missing, or until the configuration changes or the account signs in again.
        with_location: bool,
    },
    /// Have the account list its products again (404 three times).
    Relist,
    /// Nothing to do until the monotonic time `until`, or until something happens.
    Wait {
        /// Monotonic time of the next step.
        until: Duration,
        /// The reason, for the log and the tests.
        why: Why,
    },
}

/// Why nothing is asked at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A call is under way.
    InFlight,
    /// The state's own interval.
    Interval,
    /// The car is let to fall asleep.
    Quiet,
    /// A failure's back-off or `Retry-After`.
    Backoff,
    /// The budget.
    Budget,
    /// The start is spread.
    StartSpread,
    /// Two requests would be too close.
    MinGap,
    /// The brief-wake guard.
    BriefWake,
    /// The owner paused polling.
    Paused,
    /// The account is signed out, or the car is gone.
    Stopped,
}

impl Why {
    /// The word that is published.
    pub fn word(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Interval => "interval",
            Self::Quiet => "quiet",
            Self::Backoff => "backoff",
            Self::Budget => "budget",
            Self::StartSpread => "start_spread",
            Self::MinGap => "min_gap",
            Self::BriefWake => "brief_wake",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

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

/// Whether data calls keep the car awake (sleep policy, section 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Each data call restarts its sleep countdown.
    Held,
    /// It sleeps although it is polled.
    NotHeld,
    /// Not known yet.
    Unknown,
}

/// How the class came to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Belief {
    /// Nobody knows.
    None,
    /// By the VIN.
    Guessed,
    /// By the car's own sleeps.
    Learned,
    /// By the owner.
    Pinned,
}

impl Class {
    /// The word that is published, `None` while nobody knows.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Held => Some("held"),
            Self::NotHeld => Some("not_held"),
            Self::Unknown => None,
        }
    }
}

impl Belief {
    /// The word that is published.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Guessed => "guessed",
            Self::Learned => "learned",
            Self::Pinned => "pinned",
        }
    }
}

/// Something that the owner's automations want to hear of once.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The state changed; one line of the diary.
    StateChanged {
        /// Before.
        from: State,
        /// After.
        to: State,
        /// The reason, in plain words.
        because: &'static str,
    },
    /// An installation began.
    UpdateStarted {
        /// The version that is being installed.
        version: Option<String>,
    },
    /// An installation ended or was called off.
    UpdateEnded {
        /// The version after it.
        version: Option<String>,
    },
    /// The owner asked to let the car sleep, and it cannot.
    LetSleepRefused {
        /// The state that forbids it.
        state: State,
        /// What holds the car awake.
        holds: Vec<HoldReason>,
    },
    /// The owner woke the car and it did not come online in time.
    WakeFailed,
}

impl Event {
    /// The car sleeps, is at service, or is out of reach for good: what was under way is over, and
    /// no look will show its end.
    pub fn is_out_of_sight(&self) -> bool {
        let Self::StateChanged { to, .. } = self else {
            return false;
        };
        matches!(to, State::Asleep | State::Unreachable | State::InService)
    }
}

/// What a person must know or do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// Sign in again.
    SignedOut,
    /// The billing limit of the app is reached.
    BillingLimit,
    /// Tesla refuses what is asked.
    Refused,
    /// The login lacks a permission.
    MissingScope,
    /// Tesla does not know the car that its list shows.
    NotFound,
    /// Tesla limits the rate of calls, and has for long.
    Limited,
    /// The car is on no account's list.
    Removed,
}

/// What the policy believes, for the topics and the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The state.
    pub state: State,
    /// Since when, by the calendar.
    pub since: Timestamp,
    /// Every hold seen in the last data.
    pub holds: Vec<HoldReason>,
    /// When the next call is due, by the calendar; `None` while stopped.
    pub next_poll_at: Option<Timestamp>,
    /// The state's own interval between two calls; `None` while nothing is asked.
    pub interval: Option<Duration>,
    /// Why nothing is asked before that.
    pub why: Why,
    /// The raw `state` word of the newest light answer.
    pub light: Option<LightState>,
    /// The state is what was seen last, and cannot be confirmed at present.
    pub stale: bool,
    /// What a person must know or do.
    pub problem: Option<Problem>,
    /// Whether data calls keep the car awake.
    pub class: Class,
    /// How that came to be believed.
    pub belief: Belief,
    /// Learned time from last use to asleep (90th percentile).
    pub time_to_sleep: Option<Duration>,
    /// How the car last fell asleep: `true` in Quiet, `false` under polling.
    pub last_sleep_in_quiet: Option<bool>,
    /// Time awake this UTC day.
    pub awake_today: Duration,
    /// Light calls asked this UTC day.
    pub light_calls_today: u32,
    /// Data calls asked this UTC day.
    pub data_calls_today: u32,
    /// The budget's stretch.
    pub budget_factor: f64,
    /// Brief wakes are recognised and left alone.
    pub wake_guard_armed: bool,
}

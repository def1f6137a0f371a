//! The words that the policy and its runner exchange.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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

/// What the policy reads from a successful `vehicle_data` answer (sleep policy, section 3). A
/// missing or wrongly typed field is `None` and never blocks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DataView {
    /// `drive_state.timestamp`, epoch milliseconds.
    pub timestamp_ms: Option<i64>,
    /// `drive_state.shift_state`: `P`, `R`, `N`, `D`.
    pub shift_state: Option<String>,
    /// `drive_state.power`, kW.
    pub power_kw: Option<f64>,
    /// `charge_state.charging_state`, Tesla's word.
    pub charging_state: Option<String>,
    /// `charge_state.charger_power`, kW.
    pub charger_power_kw: Option<f64>,
    /// `charge_state.battery_level`, %.
    pub battery_level: Option<f64>,
    /// `charge_state.scheduled_charging_pending`.
    pub scheduled_charging_pending: bool,
    /// `charge_state.scheduled_charging_start_time`.
    pub scheduled_charging_start: Option<Timestamp>,
    /// `vehicle_state.software_update.status`.
    pub update_status: Option<String>,
    /// `vehicle_state.software_update.download_perc`.
    pub update_download_percent: Option<f64>,
    /// `vehicle_state.car_version`.
    pub car_version: Option<String>,
    /// `vehicle_state.odometer`, miles.
    pub odometer_mi: Option<f64>,
    /// `vehicle_state.is_user_present`.
    pub user_present: bool,
    /// `vehicle_state.sentry_mode`.
    pub sentry_mode: bool,
    /// `climate_state.is_preconditioning`.
    pub preconditioning: bool,
    /// `climate_state.is_climate_on`.
    pub climate_on: bool,
    /// `climate_state.climate_keeper_mode`.
    pub climate_keeper_mode: Option<String>,
    /// `climate_state.cabin_overheat_protection_actively_cooling`.
    pub cabin_overheat_cooling: bool,
    /// Any of `vehicle_state.df`, `pf`, `dr`, `pr`.
    pub door_open: bool,
    /// Any of `vehicle_state.ft`, `rt`.
    pub trunk_open: bool,
    /// `vehicle_state.locked`.
    pub locked: Option<bool>,
    /// `vehicle_state.service_mode` or top-level `in_service`.
    pub in_service: bool,
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
    /// 404: three in a row mean that the car may be gone.
    NotFound,
    /// 405: the car is at service.
    InService,
    /// 412 or 421 that the account could not cure.
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
    /// Gear letter.
    pub gear: Option<String>,
    /// `charging_state`, Tesla's word.
    pub charging_state: Option<String>,
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
pub enum Input {
    /// A light call (or the product list) answered.
    Light(Light),
    /// A data call answered.
    Data(Box<DataView>),
    /// A call failed.
    Failed {
        /// Which.
        ask: Ask,
        /// How.
        failure: Failure,
    },
    /// A pushing source spoke.
    Push(Push),
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
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Make this call and hand its outcome to `handle`; at most one is under way.
    Ask(Ask),
    /// Have the account list its products again (404 three times).
    Relist,
    /// Nothing to do until the monotonic time `until`, or until something happens.
    Wait {
        /// Monotonic time of the next step.
        until: Duration,
        /// The reason, for the log, the board and the tests.
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

/// What the policy believes, for the topics, the log and the board.
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
    /// The raw `state` word of the newest light answer.
    pub light: Option<LightState>,
}

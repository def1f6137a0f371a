//! Everything that a policy remembers about its car, as one serialisable value, so that a restart
//! forgets nothing: clocks, back-offs, Quiet deadlines, what was learned, the seed.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::backoff::Backoffs;
use super::habits::Habits;
use super::interface::{Budget, HoldReason, LightState, Reading, State};
use super::learning::Learning;
use super::location::AskForLocation;
use crate::model::{ChargingState, Vin};
use crate::random::Random;

/// Looks after the end of a drive: doors, charge cable.
const AFTER_DRIVE: [Duration; 2] = [Duration::from_secs(20), Duration::from_mins(1)];

/// A time on the policy's own clock: monotonic, and going on over restarts.
pub(super) type At = Duration;

/// [`crate::model::Now`] with the policy's own clock in place of the process's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) t: At,
    pub(super) wall: Timestamp,
}

impl Moment {
    /// How long ago something was.
    pub(super) fn since(self, at: At) -> Duration {
        self.t.saturating_sub(at)
    }

    /// The calendar's time of a time on the policy's clock.
    pub(super) fn calendar(self, at: At) -> Timestamp {
        let ahead = jiff::SignedDuration::try_from(at.saturating_sub(self.t)).unwrap_or_default();
        let ago = jiff::SignedDuration::try_from(self.t.saturating_sub(at)).unwrap_or_default();
        let later = self.wall.checked_add(ahead).unwrap_or(self.wall);
        later.checked_sub(ago).unwrap_or(later)
    }
}

/// A drive or a charge that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Session {
    /// The reading before it.
    pub(super) from: Option<Reading>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts about one car that vary independently of each other"
)]
pub(super) struct Memory {
    pub(super) random: Random,
    pub(super) learning: Learning,
    pub(super) habits: Habits,
    pub(super) budget: Budget,
    pub(super) backoffs: Backoffs,

    // The state.
    pub(super) state: State,
    /// On the policy's clock.
    pub(super) entered_at: At,
    /// The last change of state: why, which word was announced last, and when by the calendar.
    pub(super) announced: State,
    pub(super) announced_wall: Timestamp,
    /// Where a car that turns out not to be awake falls back to.
    pub(super) resting: State,
    pub(super) paused: bool,
    pub(super) signed_out: bool,
    pub(super) listed: bool,

    // Calls.
    pub(super) starts: Vec<At>,
    /// The light call that opens a start is due then, and nothing else before its answer.
    pub(super) first_call_at: Option<At>,
    pub(super) data_not_before: At,
    pub(super) last_ask_at: Option<At>,
    pub(super) last_light_at: Option<At>,
    /// Tesla was asked too often, with light calls.
    #[serde(default)]
    pub(super) light_limited_at: Option<At>,
    pub(super) last_data_at: Option<At>,
    /// The jitter of the interval that runs, drawn with the call that began it.
    pub(super) light_jitter: f64,
    pub(super) data_jitter: f64,
    /// A light call is wanted then, ahead of the state's interval.
    pub(super) light_wanted_at: Option<At>,
    /// Data is wanted then, ahead of the state's interval.
    pub(super) data_wanted_at: Option<At>,
    /// Data planned after a change.
    pub(super) followups: Vec<At>,
    pub(super) last_nudge_at: Option<At>,
    /// In a row, the last included.
    #[serde(default)]
    pub(super) n_nudges: u8,
    pub(super) n_not_found: u8,
    /// The last 408, unless data came since.
    #[serde(default)]
    pub(super) unavailable_at: Option<At>,
    pub(super) relist: bool,
    /// No list is asked for before, however often the car is not found.
    #[serde(default)]
    pub(super) relist_not_before: At,
    /// Lists asked for since the car was last found.
    #[serde(default)]
    pub(super) n_relists: u32,
    #[serde(default)]
    pub(super) location: AskForLocation,

    // Knowledge.
    pub(super) light: Option<LightState>,
    /// The newest word of all says that the car is online.
    pub(super) is_online: bool,
    /// When it was last proved online, by whatever.
    pub(super) online_at: Option<At>,
    /// The same by a light answer.
    pub(super) light_online_at: Option<At>,
    pub(super) last_data_ok_at: Option<At>,
    /// Out of reach in a state that outlasts it, since.
    pub(super) lost_at: Option<At>,
    pub(super) n_lost_lights: u32,
    pub(super) newest_timestamp_ms: Option<i64>,
    pub(super) n_stale: u8,
    pub(super) reading: Option<Reading>,
    /// A push ended a drive or a charge whose last stretch no reading has shown yet.
    pub(super) next_reading_belongs: bool,
    pub(super) holds: Vec<HoldReason>,
    pub(super) charging_word: Option<ChargingState>,
    pub(super) charger_power_kw: Option<f64>,
    pub(super) push_connected: bool,
    pub(super) last_push_at: Option<At>,
    #[serde(default)]
    pub(super) disconnected_at: Option<At>,
    /// The pushing source itself is away.
    #[serde(default)]
    pub(super) push_source_lost: bool,
    /// A light call, and no push, has told of the car's last wake.
    #[serde(default)]
    pub(super) woke_unheard: bool,
    /// Held by a push, until a push or data says otherwise.
    pub(super) pushed_user_present: bool,
    /// What the last push said about it; the same word again is no news.
    pub(super) last_pushed_present: bool,

    // Sessions.
    pub(super) drive: Option<Session>,
    pub(super) charge: Option<Session>,
    pub(super) last_gear_at: Option<At>,
    pub(super) charging_since: Option<At>,
    pub(super) last_charging_at: Option<At>,

    // Sleep.
    /// The idle ladder's foot.
    pub(super) last_use_at: At,
    /// Since when nothing has held the parked car awake.
    pub(super) clear_since: Option<At>,
    pub(super) n_polls_since_clear: u32,
    pub(super) last_command_at: Option<At>,
    pub(super) let_sleep: bool,
    pub(super) look_at: Option<At>,
    pub(super) n_looks: u32,
    /// This Quiet follows a park polled in vain.
    pub(super) had_resisted: bool,
    /// Being left alone did not help a car of unknown class: it is kept awake by something else,
    /// or was used unseen. Until then it is read; after that it is left alone once more.
    pub(super) sleepless_until: Option<At>,
    pub(super) asleep_at: Option<At>,
    pub(super) scheduled_charge: Option<Timestamp>,

    // Wakes.
    pub(super) woke_on_the_hour: bool,
    pub(super) n_brief_wakes: u8,
    pub(super) guard_until: Option<At>,
    pub(super) wake_until: Option<At>,

    // Figures of the UTC day.
    pub(super) day: i64,
    pub(super) counted_at: At,
    pub(super) awake_today: Duration,
    pub(super) light_calls_today: u32,
    pub(super) data_calls_today: u32,
}

impl Memory {
    pub(super) fn new(vin: &Vin, seed: u64, wall: Timestamp) -> Self {
        Self {
            random: Random::new(seed),
            learning: Learning::new(vin),
            habits: Habits::default(),
            budget: Budget::default(),
            backoffs: Backoffs::default(),
            state: State::Boot,
            entered_at: At::ZERO,
            announced: State::Boot,
            announced_wall: wall,
            resting: State::Unreachable,
            paused: false,
            signed_out: false,
            listed: true,
            starts: Vec::new(),
            first_call_at: None,
            data_not_before: At::ZERO,
            last_ask_at: None,
            last_light_at: None,
            light_limited_at: None,
            last_data_at: None,
            light_jitter: 1.0,
            data_jitter: 1.0,
            light_wanted_at: None,
            data_wanted_at: None,
            followups: Vec::new(),
            last_nudge_at: None,
            n_nudges: 0,
            n_not_found: 0,
            unavailable_at: None,
            relist: false,
            relist_not_before: At::ZERO,
            n_relists: 0,
            location: AskForLocation::default(),
            light: None,
            is_online: false,
            online_at: None,
            light_online_at: None,
            last_data_ok_at: None,
            lost_at: None,
            n_lost_lights: 0,
            newest_timestamp_ms: None,
            n_stale: 0,
            reading: None,
            next_reading_belongs: false,
            holds: Vec::new(),
            charging_word: None,
            charger_power_kw: None,
            push_connected: false,
            last_push_at: None,
            disconnected_at: None,
            push_source_lost: false,
            woke_unheard: false,
            pushed_user_present: false,
            last_pushed_present: false,
            drive: None,
            charge: None,
            last_gear_at: None,
            charging_since: None,
            last_charging_at: None,
            last_use_at: At::ZERO,
            clear_since: None,
            n_polls_since_clear: 0,
            last_command_at: None,
            let_sleep: false,
            look_at: None,
            n_looks: 0,
            had_resisted: false,
            sleepless_until: None,
            asleep_at: None,
            scheduled_charge: None,
            woke_on_the_hour: false,
            n_brief_wakes: 0,
            guard_until: None,
            wake_until: None,
            day: day_of(wall),
            counted_at: At::ZERO,
            awake_today: Duration::ZERO,
            light_calls_today: 0,
            data_calls_today: 0,
        }
    }

    /// The state as the world sees it: what the owner or the account imposes comes first.
    pub(super) fn shown_state(&self) -> State {
        if self.signed_out {
            State::AuthLost
        } else if self.paused {
            State::Paused
        } else {
            self.state
        }
    }

    /// Data after the end of a drive; a short budget stretches it like any other.
    pub(super) fn plan_looks_after_drive(&mut self, m: Moment) {
        let stretched = AFTER_DRIVE.map(|after| m.t + after.mul_f64(self.budget.factor));
        self.followups = stretched.to_vec();
    }

    /// Tesla answered a call about the car with the car.
    pub(super) fn was_found(&mut self) {
        self.n_not_found = 0;
        self.n_relists = 0;
        self.relist_not_before = At::ZERO;
    }

    /// A light call by then; who wants one sooner gets it sooner.
    pub(super) fn want_light(&mut self, at: At) {
        self.light_wanted_at = Some(self.light_wanted_at.map_or(at, |old| old.min(at)));
    }

    /// Not awake, as far as is known.
    pub(super) fn is_resting(&self) -> bool {
        matches!(self.state, State::Boot | State::Asleep | State::Unreachable)
    }

    /// At least three wakes about an hour after falling asleep brought nothing new (section 5.7).
    pub(super) fn guard_is_armed(&self) -> bool {
        self.n_brief_wakes >= 3
    }
}

/// Days since 1970, UTC.
pub(super) fn day_of(wall: Timestamp) -> i64 {
    wall.as_second().div_euclid(86_400)
}

//! Tesla's words and numbers, and ours for them: lower snake_case.
//!
//! The words of polling and of telemetry differ (a prefix that the telemetry decoder strips, other
//! spellings); a table lists both. A word that is missing here is published as unknown, because
//! Home Assistant refuses a state that is not among an enum's options, and is logged once.

use super::extractor::{Codes, Words};
use crate::model::ChargingState;

/// A short sleep or a long one: not connected.
pub(super) const ONLINE: Words = &[("online", "on"), ("asleep", "off"), ("offline", "off")];
/// The same words, asked the other way.
pub(super) const ASLEEP: Words = &[("online", "off"), ("asleep", "on"), ("offline", "off")];

/// Whether data calls keep the car awake; nobody knows yet is no word, but unknown.
pub(super) const CLASS: Words = &[("held", "held"), ("not_held", "not_held")];
/// How that came to be believed.
pub(super) const BELIEF: Words = &[
    ("guessed", "guessed"),
    ("learned", "learned"),
    ("pinned", "pinned"),
    ("none", "none"),
];

/// How the car fell asleep the last time.
pub(super) const LAST_SLEEP: Words = &[("left_alone", "left_alone"), ("by_itself", "by_itself")];

/// `charging_state`.
pub(super) const CHARGING: Words = &{
    let mut words = [("", ""); ChargingState::LISTED.len()];
    let mut nth = 0;
    while nth < words.len() {
        let state = ChargingState::LISTED[nth];
        words[nth] = (state.word(), state.published());
        nth += 1;
    }
    words
};
/// Current flows.
pub(super) const CHARGES: &[&str] = &[ChargingState::Charging.word()];
/// Current flows, or is about to.
pub(super) const CHARGES_SOON: &[&str] = &[
    ChargingState::Starting.word(),
    ChargingState::Charging.word(),
];
/// `conn_charge_cable`.
pub(super) const CABLE: Words = &[
    ("IEC", "iec"),
    ("SAE", "sae"),
    ("GB_AC", "gb_ac"),
    ("GB_DC", "gb_dc"),
];
/// `charge_port_latch`, as a lock.
pub(super) const CABLE_LOCK: Words = &[
    ("Engaged", "locked"),
    ("Disengaged", "unlocked"),
    ("Blocking", "unlocked"),
];
/// `charge_port_latch`.
pub(super) const LATCH: Words = &[
    ("Engaged", "engaged"),
    ("Disengaged", "disengaged"),
    ("Blocking", "blocking"),
];
/// `scheduled_charging_mode`.
pub(super) const SCHEDULE: Words = &[
    ("Off", "off"),
    ("StartAt", "start_at"),
    ("DepartBy", "depart_by"),
];
/// `climate_keeper_mode`; `keep` and `party` are other sources' words for `on` and `camp`.
pub(super) const KEEPER: Words = &[
    ("off", "off"),
    ("on", "on"),
    ("keep", "on"),
    ("dog", "dog"),
    ("camp", "camp"),
    ("party", "camp"),
];
/// `cabin_overheat_protection`, in Home Assistant's words for climate modes.
pub(super) const OVERHEAT: Words = &[("Off", "off"), ("On", "cool"), ("FanOnly", "fan_only")];
/// Seat heaters and coolers; above 3 is 3.
pub(super) const SEAT_LEVELS: Codes = &[(0, "off"), (1, "low"), (2, "medium"), (3, "high")];
/// The steering wheel has two levels and says 3 for the higher.
pub(super) const WHEEL_LEVELS: Codes = &[(0, "off"), (1, "low"), (2, "high")];
/// `center_display_state`.
pub(super) const DISPLAY: Codes = &[
    (0, "off"),
    (1, "dim"),
    (2, "standby"),
    (3, "charging"),
    (4, "on"),
    (5, "large_charging"),
    (6, "ready_to_unlock"),
    (7, "sentry_mode"),
    (8, "dog_mode"),
    (9, "media"),
];
/// `media_playback_status`.
pub(super) const PLAYBACK: Words = &[
    ("Playing", "playing"),
    ("Paused", "paused"),
    ("Stopped", "stopped"),
    ("Off", "stopped"),
];

// Of telemetry only.

/// The bed cover of a Cybertruck.
pub(super) const TONNEAU: Words = &[
    ("Closed", "closed"),
    ("PartiallyOpen", "open"),
    ("FullyOpen", "open"),
];
/// Battery management.
pub(super) const BMS_STATE: Words = &[
    ("Standby", "standby"),
    ("Drive", "drive"),
    ("Support", "support"),
    ("Charge", "charge"),
    ("FEIM", "full_electric_in_motion"),
    ("ClearFault", "clear_fault"),
    ("Fault", "fault"),
    ("Weld", "weld"),
    ("Test", "test"),
    ("SNA", "system_not_available"),
];
/// Power to a house or load.
pub(super) const POWERSHARE_STATUS: Words = &[
    ("Inactive", "inactive"),
    ("Handshaking", "handshaking"),
    ("Init", "init"),
    ("Enabled", "enabled"),
    ("EnabledReconnectingSoon", "reconnecting"),
    ("Stopped", "stopped"),
];
/// Why it ended.
pub(super) const POWERSHARE_STOP_REASON: Words = &[
    ("None", "none"),
    ("SOCTooLow", "soc_too_low"),
    ("Retry", "retry"),
    ("Fault", "fault"),
    ("User", "user"),
    ("Reconnecting", "reconnecting"),
    ("Authentication", "authentication"),
];
/// What is fed.
pub(super) const POWERSHARE_TYPE: Words = &[("None", "none"), ("Load", "load"), ("Home", "home")];
/// A drive inverter.
pub(super) const INVERTER: Words = &[
    ("Unavailable", "not_available"),
    ("Standby", "standby"),
    ("Fault", "fault"),
    ("Abort", "abort"),
    ("Enable", "enabled"),
];
/// Climate.
pub(super) const HVAC_POWER_STATE: Words = &[
    ("Off", "off"),
    ("On", "on"),
    ("Precondition", "precondition"),
    ("OverheatProtect", "overheat_protection"),
];
/// Tent mode of the bed cover.
pub(super) const TONNEAU_TENT_MODE: Words = &[
    ("Inactive", "inactive"),
    ("Moving", "moving"),
    ("Failed", "failed"),
    ("Active", "active"),
];
/// Sentry, with its alarms.
pub(super) const SENTRY_MODE_STATE: Words = &[
    ("Off", "off"),
    ("Idle", "idle"),
    ("Armed", "armed"),
    ("Aware", "aware"),
    ("Panic", "panic"),
    ("Quiet", "quiet"),
];
/// Guest access by phone.
pub(super) const GUEST_MODE_MOBILE_ACCESS: Words = &[
    ("Init", "init"),
    ("NotAuthenticated", "not_authenticated"),
    ("Authenticated", "authenticated"),
    ("AbortedDriving", "aborted_driving"),
    ("AbortedUsingRemoteStart", "aborted_using_remote_start"),
    ("AbortedUsingBleKeys", "aborted_using_ble_keys"),
    ("AbortedValetMode", "aborted_valet_mode"),
    ("AbortedGuestModeOff", "aborted_guest_mode_off"),
    (
        "AbortedDriveAuthTimeExceeded",
        "aborted_drive_auth_time_exceeded",
    ),
    ("AbortedNoDataReceived", "aborted_no_data_received"),
    ("RequestingFromMothership", "requesting_from_mothership"),
    ("RequestingFromAuthD", "requesting_from_auth_d"),
    ("AbortedFetchFailed", "aborted_fetch_failed"),
    ("AbortedBadDataReceived", "aborted_bad_data_received"),
    ("ShowingQrCode", "showing_qr_code"),
    ("SwipedAway", "swiped_away"),
    ("DismissedQrCodeExpired", "dismissed_qr_code_expired"),
    ("SucceededPairedNewBleKey", "succeeded_paired_new_ble_key"),
];
/// Turn signal.
pub(super) const TURN_SIGNAL: Words = &[
    ("Off", "off"),
    ("Left", "left"),
    ("Right", "right"),
    ("Both", "both"),
];
/// When to warn.
pub(super) const FORWARD_COLLISION_WARNING: Words = &[
    ("Off", "off"),
    ("Late", "late"),
    ("Average", "average"),
    ("Early", "early"),
];
/// What to do.
pub(super) const LANE_DEPARTURE_AVOIDANCE: Words = &[
    ("None", "off"),
    ("Warning", "warning"),
    ("Assist", "assist"),
];
/// How to warn.
pub(super) const SPEED_LIMIT_WARNING: Words =
    &[("None", "none"), ("Display", "display"), ("Chime", "chime")];

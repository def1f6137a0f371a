//! What can be seen of a simulated car: by one who asks it ([`CarView`]) and by one who knows
//! ([`Truth`]).

use std::time::Duration;

use jiff::Timestamp;

use super::Place;
use super::motion::KM_PER_MILE;
use tesla2mqtt_core::model::{CarRecord, ChargingState, Gear, SoftwareUpdate, UpdateStatus};
use tesla2mqtt_core::policy::HoldReason;

/// Everything that a `vehicle_data` answer is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct CarView {
    /// The instant.
    pub at: Timestamp,
    /// The drive under way.
    pub drive: Option<DriveView>,
    /// The gear letter of a parked car: `P`, or none with most models.
    pub parked_gear: Option<&'static str>,
    /// Plug and charge.
    pub charge: ChargeView,
    /// Reasons not to sleep, as planned.
    pub holds: Vec<HoldReason>,
    /// The update under way.
    pub update: Option<UpdateView>,
    /// `car_version`.
    pub firmware: String,
    /// At service: Tesla answers 405.
    pub in_service: bool,
    /// %, exact.
    pub battery_level: f64,
    /// Drawn while parked, kW.
    pub idle_kw: f64,
    /// Total way.
    pub odometer_km: f64,
    /// Where.
    pub place: Place,
    /// °C.
    pub inside_temp: f64,
    /// °C.
    pub outside_temp: f64,
    /// The end of the last drive, for the times of the tire pressures.
    pub last_drive_end: Timestamp,
}

/// A drive under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DriveView {
    /// km/h.
    pub speed_kmh: f64,
    /// Drawn from the battery, kW.
    pub power_kw: f64,
    /// To the end of the drive.
    pub km_left: f64,
    /// To the end of the drive.
    pub left: Duration,
}

/// The charge port.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChargeView {
    /// Tesla's word.
    pub state: ChargeState,
    /// At the charger while charging, else 0.
    pub kw: f64,
    /// A fast charger is plugged in.
    pub dc: bool,
    /// Into the battery since the session began; kept after it.
    pub energy_added_kwh: f64,
    /// %.
    pub limit: f64,
    /// To the limit, at this power; zero when not charging.
    pub left: Duration,
    /// The scheduled start for which the car waits.
    pub scheduled: Option<Timestamp>,
}

/// `charging_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeState {
    /// No cable.
    Disconnected,
    /// Plugged in, not charging.
    Stopped,
    /// Energy flows.
    Charging,
    /// At the limit.
    Complete,
}

impl ChargeState {
    /// Tesla's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Disconnected => "Disconnected",
            Self::Stopped => "Stopped",
            Self::Charging => "Charging",
            Self::Complete => "Complete",
        }
    }
}

/// A software update under way.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateView {
    /// `downloading` or `installing`.
    pub status: &'static str,
    /// The version to come.
    pub version: String,
    /// Of the phase, 0 to 100.
    pub percent: f64,
}

impl CarView {
    /// What the policy reads of it, without the way through JSON.
    pub fn policy_view(&self) -> CarRecord {
        let held_by = |reason| self.holds.contains(&reason);
        let update = self.update.as_ref();
        CarRecord {
            at: Some(self.at),
            drive_at: Some(self.at),
            odometer_at: Some(self.at),
            gear: Some(self.gear().and_then(Gear::of).unwrap_or(Gear::P)),
            power_kw: Some(self.power_kw().round()),
            charging_state: Some(ChargingState::of(self.charge.state.word())),
            charger_power_kw: Some(self.charge.kw.round()),
            battery_level: Some(self.battery_level.floor()),
            scheduled_charging_pending: self.charge.scheduled.is_some(),
            scheduled_charging_start: self.charge.scheduled,
            update: update.and_then(UpdateView::as_read),
            car_version: Some(self.firmware.clone()),
            odometer_mi: Some(self.odometer_mi()),
            user_present: self.user_present(),
            sentry_mode: held_by(HoldReason::SentryMode),
            preconditioning: held_by(HoldReason::Preconditioning),
            climate_on: self.climate_on(),
            climate_keeper_mode: Some(self.keeper_mode().to_owned()),
            cabin_overheat_cooling: held_by(HoldReason::CabinOverheat),
            door_open: held_by(HoldReason::DoorOpen),
            trunk_open: held_by(HoldReason::TrunkOpen),
            locked: Some(self.locked()),
            in_service: self.in_service,
            session_kwh: Some(self.charge.energy_added_kwh),
            ..CarRecord::default()
        }
    }

    /// `shift_state`.
    pub fn gear(&self) -> Option<&'static str> {
        self.drive.map_or(self.parked_gear, |_| Some("D"))
    }

    /// `odometer`, with Tesla's six decimals.
    pub fn odometer_mi(&self) -> f64 {
        (self.odometer_km / KM_PER_MILE * 1e6).round() / 1e6
    }

    /// Battery power as `drive_state.power` has it: positive out, negative in.
    pub fn power_kw(&self) -> f64 {
        match self.drive {
            Some(drive) => drive.power_kw,
            None if self.charge.kw > 0.0 => -self.charge.kw,
            None if self.holds.contains(&HoldReason::Power) => 2.0,
            None => 0.0,
        }
    }

    /// Someone sits in it.
    pub fn user_present(&self) -> bool {
        self.drive.is_some()
            || self.holds.contains(&HoldReason::UserPresent)
            || self.holds.contains(&HoldReason::DoorOpen)
    }

    /// Heating, cooling or airing.
    pub fn climate_on(&self) -> bool {
        let airing = [
            HoldReason::Climate,
            HoldReason::ClimateKeeper,
            HoldReason::Preconditioning,
            HoldReason::CabinOverheat,
        ];
        self.drive.is_some() || airing.iter().any(|reason| self.holds.contains(reason))
    }

    /// `climate_keeper_mode`.
    pub fn keeper_mode(&self) -> &'static str {
        if self.holds.contains(&HoldReason::ClimateKeeper) {
            "dog"
        } else {
            "off"
        }
    }

    /// The doors are locked.
    pub fn locked(&self) -> bool {
        let open = self.holds.contains(&HoldReason::Unlocked)
            || self.holds.contains(&HoldReason::TrunkOpen);
        !open && !self.user_present()
    }
}

impl UpdateView {
    fn as_read(&self) -> Option<SoftwareUpdate> {
        let is_installing = self.status == "installing";
        Some(SoftwareUpdate {
            status: UpdateStatus::of(self.status)?,
            version: Some(self.version.clone()),
            download_percent: Some(self.download_percent()),
            install_percent: Some(if is_installing {
                self.percent.floor()
            } else {
                1.0
            }),
        })
    }

    /// `download_perc`.
    pub fn download_percent(&self) -> f64 {
        if self.status == "downloading" {
            self.percent.floor()
        } else {
            100.0
        }
    }
}

/// What only the simulator knows, for assertions and estimates.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// The instant.
    pub at: Timestamp,
    /// What the car does.
    pub activity: CarActivity,
    /// Awake since then; `None` asleep.
    pub awake_since: Option<Timestamp>,
    /// Awake in all, self-checks included.
    pub awake: Duration,
    /// The last time that it was used, data calls not counted.
    pub last_use: Timestamp,
    /// Has a connection.
    pub in_reach: bool,
    /// Data calls answered.
    pub data_served: u64,
    /// Data calls refused with 408.
    pub data_refused: u64,
    /// Wake calls.
    pub wakes: u64,
    /// Drives begun.
    pub drives_started: u64,
    /// Charges begun.
    pub charges_started: u64,
    /// %.
    pub battery_level: f64,
    /// Total way.
    pub odometer_km: f64,
}

/// What a car does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CarActivity {
    /// Asleep, a self-check included.
    Asleep,
    /// Awake and parked.
    Idle,
    /// In gear.
    Driving,
    /// Energy flows in.
    Charging,
    /// Installs an update.
    Updating,
}

/// Something that happened in a car's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LifeEvent {
    /// Woke, for any reason but a self-check.
    Woke,
    /// A self-check began.
    BriefWake,
    /// Fell asleep.
    FellAsleep,
    /// Went into gear.
    DriveStarted,
    /// Parked.
    DriveEnded,
    /// Energy flows.
    ChargeStarted,
    /// Charging ended, at the limit or not.
    ChargeEnded,
    /// An installation began.
    InstallStarted,
    /// An installation ended with new firmware.
    InstallEnded,
}

//! What a simulated car is: its model, its battery, how it sleeps, what it does all day.

use std::time::Duration;

use super::Plan;
use tesla2mqtt_core::model::Vin;
use tesla2mqtt_core::policy::LightState;

/// One car, as its factory and its owner made it. Public fields: tests change what they are
/// about.
#[derive(Debug, Clone)]
pub struct CarSpec {
    /// Its name for life; the fourth character tells the model.
    pub vin: Vin,
    /// The owner's name for it; any text.
    pub name: String,
    /// `car_version` at the start.
    pub firmware: String,
    /// What it does.
    pub plan: Plan,
    /// From the last use to sleep (T in the sleep policy).
    pub time_to_sleep: Duration,
    /// A data call restarts the countdown to sleep (pre-2021 Model S and X).
    pub held: bool,
    /// The word for sleep: `asleep`, or `offline` with some firmwares.
    pub sleeps_as: LightState,
    /// From a wake call to `online`.
    pub wake_delay: Duration,
    /// Self-checks during sleep, if it makes any.
    pub brief_wakes: Option<BriefWakes>,
    /// Begins its life awake, just used.
    pub awake_at_start: bool,
    /// Usable energy of the battery, kWh.
    pub battery_kwh: f64,
    /// At the start, %.
    pub battery_level: f64,
    /// Charging stops here, %.
    pub charge_limit: f64,
    /// Consumption, Wh/km.
    pub wh_per_km: f64,
    /// At the start.
    pub odometer_km: f64,
    /// Where it was when the odometer showed 0: latitude and longitude in degrees.
    pub home: (f64, f64),
    /// Of its local time, from UTC, seconds.
    pub utc_offset: i32,
    /// Of all that is arbitrary.
    pub seed: u64,
    /// How many of its newest events it remembers at least.
    pub events_kept: usize,
}

/// A car that comes online for a moment about once an hour while it sleeps (sleep policy,
/// section 1). A data call in that moment turns it into a quarter of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BriefWakes {
    /// From falling asleep to the next one.
    pub every: Duration,
    /// Online for this long.
    pub length: Duration,
    /// Awake for this long after a data call in it.
    pub held_by_data: Duration,
}

impl Default for BriefWakes {
    fn default() -> Self {
        Self {
            every: Duration::from_mins(58),
            length: Duration::from_secs(150),
            held_by_data: Duration::from_mins(15),
        }
    }
}

/// The models that the simulator can dress a car as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Pre-2021, with a sunroof and without end-to-end commands.
    S,
    /// Everything else.
    Three,
    /// Third row, seat cooling, power doors.
    X,
    /// Like the 3, taller.
    Y,
}

impl CarSpec {
    /// A car that sleeps after 12 minutes and is not held awake by data calls, with the given
    /// life. It begins asleep.
    pub fn new(vin: Vin, plan: Plan) -> Self {
        Self {
            name: "Simulated".to_owned(),
            firmware: "2026.38.6 c1f85ddb415f".to_owned(),
            plan,
            time_to_sleep: Duration::from_mins(12),
            held: false,
            sleeps_as: LightState::Asleep,
            wake_delay: Duration::from_secs(20),
            brief_wakes: None,
            awake_at_start: false,
            battery_kwh: 75.0,
            battery_level: 68.0,
            charge_limit: 90.0,
            wh_per_km: 160.0,
            odometer_km: 31_415.9,
            home: (52.092_876, 5.104_48),
            utc_offset: 0,
            seed: vin
                .as_str()
                .bytes()
                .fold(17, |seed, b| mix(seed ^ u64::from(b))),
            events_kept: usize::MAX,
            vin,
        }
    }

    /// The Model 3 of the demo: its round of a quarter of an hour begins with a drive. It charges at
    /// a fast charger.
    pub fn demo_model_3() -> Self {
        Self {
            name: "Blue Three".to_owned(),
            time_to_sleep: Duration::from_secs(100),
            awake_at_start: true,
            utc_offset: 3600,
            // A demo may run for months, sped up.
            events_kept: 1_000,
            ..Self::new(
                fixed_vin("LRW3E7EK5PC000031"),
                Plan::demo_day(Duration::ZERO, 120.0, true),
            )
        }
    }

    /// The Model X of the demo, two thirds of a round later: something is always about to happen. It
    /// sleeps at the start, and its first charge, at home, reaches the limit.
    pub fn demo_model_x() -> Self {
        Self {
            name: "Big X".to_owned(),
            home: (48.137_15, 11.576_1),
            awake_at_start: false,
            battery_kwh: 95.0,
            battery_level: 89.5,
            wh_per_km: 210.0,
            odometer_km: 58_270.2,
            ..Self {
                vin: fixed_vin("7SAXCBE52NF000032"),
                plan: Plan::demo_day(Duration::from_secs(620), 11.0, false),
                seed: 32,
                ..Self::demo_model_3()
            }
        }
    }

    /// The model, by the VIN.
    pub fn model(&self) -> Model {
        match self.vin.as_str().as_bytes()[3] {
            b'S' => Model::S,
            b'X' => Model::X,
            b'Y' => Model::Y,
            _ => Model::Three,
        }
    }
}

fn fixed_vin(text: &str) -> Vin {
    Vin::new(text).expect("17 letters and digits, written here")
}

/// One step of splitmix64: the simulator's only randomness, so that a seed is a story.
pub(super) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

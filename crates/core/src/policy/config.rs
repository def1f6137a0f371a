//! The presets and every interval of the sleep policy (section 5.4), as one table: name, floor,
//! and the value of each preset. Below its floor a value would cost money or the car's sleep
//! without being of use to anybody, so it is raised.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A set of intervals that suits one way of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// Polling the Fleet API, where data calls cost money.
    Metered,
    /// Polling the Owner API or a proxy, where they do not.
    Unmetered,
    /// The car pushes by itself; polling only reconciles.
    Push,
}

/// The owner's word on whether data calls keep the car awake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassSetting {
    /// Find out by its sleeps.
    #[default]
    Learn,
    /// They do.
    Held,
    /// They do not.
    NotHeld,
}

/// One row of the table of intervals, for filling single fields by name.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The field's name, as in the configuration.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// The least allowed value.
    pub floor: Duration,
    get: fn(&PolicyConfig) -> Duration,
    set: fn(&mut PolicyConfig, Duration),
}

impl Field {
    /// The row of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.name == name)
    }

    /// Its value.
    pub fn get(&self, config: &PolicyConfig) -> Duration {
        (self.get)(config)
    }

    /// Sets it; a value outside floor and [`CEILING`] is moved to the nearest one within.
    pub fn set(&self, config: &mut PolicyConfig, value: Duration) {
        (self.set)(config, value.clamp(self.floor, CEILING));
    }
}

/// The longest allowed interval.
pub const CEILING: Duration = Duration::from_hours(24);

macro_rules! intervals {
    ($($name:ident, $floor:literal, $metered:literal, $unmetered:literal, $push:literal, $help:literal;)*) => {
        /// Every number that the policy of one car works with. Intervals are jittered by ±5 %.
        #[derive(Debug, Clone, PartialEq)]
        pub struct PolicyConfig {
            $(#[doc = $help] pub $name: Duration,)*
            /// The owner's word on whether data calls keep the car awake.
            pub class: ClassSetting,
            /// Whether an unlocked car counts as held awake; otherwise it is only noted.
            pub unlocked_holds: bool,
            /// The car is expected to push. While it does not, it is polled like any other.
            pub pushes: bool,
        }

        /// The table of intervals, in the order of the sleep policy.
        pub const FIELDS: &[Field] = &[$(Field {
            name: stringify!($name),
            help: $help,
            floor: Duration::from_secs($floor),
            get: |config| config.$name,
            set: |config, value| config.$name = value,
        },)*];

        impl PolicyConfig {
            /// The values of a preset.
            pub fn preset(preset: Preset) -> Self {
                Self {
                    $($name: Duration::from_secs(match preset {
                        Preset::Metered => $metered,
                        Preset::Unmetered => $unmetered,
                        Preset::Push => $push,
                    }),)*
                    class: ClassSetting::Learn,
                    unlocked_holds: false,
                    pushes: preset == Preset::Push,
                }
            }
        }
    };
}

// Seconds.          floor, metered, unmetered, push
intervals! {
    start_spread,        0,    10,   10,   10, "The first call comes within this time of the start.";
    min_gap,             2,     2,    2,    2, "Two requests for one car are at least this far apart.";
    asleep_light,       10,    60,   11,  300, "Light calls while the car is asleep or out of reach.";
    expected_light,     10,    20,   10,  300, "The same at times when the car is used to be started.";
    waking_wait,         0,     0,    0,   20, "Wait for a push before the first data of a car that woke.";
    wake_guard,         60,   180,  180,  180, "How long a car with known brief wakes is left alone when it wakes.";
    idle_first_data,    10,    30,   15,  300, "Data in the first 2 minutes after use.";
    idle_early_data,    10,    60,   15,  300, "Data 2 to 5 minutes after use.";
    idle_data,          20,   120,   30,  900, "Data later, or while something holds the car awake.";
    sentry_data,        30,   300,   60,  900, "Data while sentry mode alone holds the car awake.";
    idle_light,         10,    60,   30,  300, "Light calls between the data of an idle car.";
    quiet_light,        10,    60,   30,  300, "Light calls while the car is let to fall asleep.";
    driving_data,        5,    60,   15,  600, "Data during a drive.";
    charging_first_data, 5,    60,   20,  900, "Data in the first 5 minutes of a charge.";
    charging_data,       5,   300,   20,  900, "Data during a charge below 15 kW.";
    charging_fast_data,  5,    60,   10,  600, "Data during a charge from 15 kW.";
    updating_light,     15,   120,   30,  300, "Light calls while an update is installed.";
    updating_data,      30,   300,   60,  900, "Data while an update is installed.";
    service_light,      60,   900,  300,  900, "Light calls while the car is at service.";
    service_data,       60,  3600,  600, 3600, "Data while the car is at service, where only data tells so.";
    paused_light,       30,   300,   60,  300, "Light calls while the owner paused polling.";
    limited_light,     300,   900,  900,  900, "Light calls while Tesla limits data calls.";
    settle,             60,   180,  180,  180, "A car is left alone no earlier than this after its last use.";
    quiet_first,       720,  1080, 1080, 1080, "How long a car is left alone before the first look.";
    drive_grace,         0,     0,    0,    0, "A parked car with someone in it still drives for this long.";
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self::preset(Preset::Metered)
    }
}

impl PolicyConfig {
    /// Each value raised to its floor or lowered to [`CEILING`].
    #[must_use]
    pub fn clamped(mut self) -> Self {
        for field in FIELDS {
            let value = field.get(&self);
            field.set(&mut self, value);
        }
        self
    }

    /// What holds while a car that is expected to push does not: no interval is longer than a
    /// metered one.
    pub(super) fn without_push(&self) -> Self {
        let mut config = self.clone();
        let metered = Self::preset(Preset::Metered);
        for field in FIELDS {
            field.set(&mut config, field.get(self).min(field.get(&metered)));
        }
        config
    }

    /// The longest that [`Policy::next`](super::Policy::next) ever waits in one piece.
    pub fn longest_wait(&self) -> Duration {
        let longest = FIELDS.iter().map(|field| field.get(self)).max();
        longest.unwrap_or_default().mul_f64(1.05)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_keeps_its_own_floors() {
        for preset in [Preset::Metered, Preset::Unmetered, Preset::Push] {
            let config = PolicyConfig::preset(preset);
            assert_eq!(config.clone().clamped(), config, "{preset:?}");
        }
    }

    #[test]
    fn a_field_filled_by_name_is_raised_to_its_floor() {
        let mut config = PolicyConfig::default();
        let field = Field::named("driving_data").expect("a row of the table");
        field.set(&mut config, Duration::from_secs(1));
        assert_eq!(config.driving_data, Duration::from_secs(5));
        field.set(&mut config, Duration::from_hours(1000));
        assert_eq!(config.driving_data, CEILING);
        assert!(Field::named("no_such_interval").is_none());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FIELDS.len());
    }
}

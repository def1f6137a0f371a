//! One row: everything there is to say about one published fact.

use super::capability::Capability;
use super::extractor::Extractor;

/// The Home Assistant platform of a row once its commands can be given. Without commands a control
/// shows the read-only face that [`crate::discovery`] lays out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Platform {
    /// A extractor.
    Sensor,
    /// A extractor of two values, `on` and `off`.
    BinarySensor,
    /// `on` and `off`.
    Switch,
    /// One of several words.
    Select,
    /// A number within limits.
    Number,
    /// `open` and `closed`.
    Cover,
    /// `locked` and `unlocked`.
    Lock,
    /// A command without a state.
    Button,
    /// A command with free text.
    Text,
    /// A position, as JSON.
    DeviceTracker,
    /// A thermostat; its topic holds the mode.
    Climate,
    /// Installed and latest version, as JSON.
    Update,
    /// What has just happened: not a state, and never retained.
    Event,
}

impl Platform {
    /// Home Assistant's word, also the domain of its entity ids.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sensor => "sensor",
            Self::BinarySensor => "binary_sensor",
            Self::Switch => "switch",
            Self::Select => "select",
            Self::Number => "number",
            Self::Cover => "cover",
            Self::Lock => "lock",
            Self::Button => "button",
            Self::Text => "text",
            Self::DeviceTracker => "device_tracker",
            Self::Climate => "climate",
            Self::Update => "update",
            Self::Event => "event",
        }
    }
}

/// Where Home Assistant shows an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// Among the main ones.
    Main,
    /// Under "Diagnostic".
    Diagnostic,
    /// Under "Configuration".
    Config,
}

/// The limits of a number control. The car may narrow them: `min_of` and `max_of` name the signals
/// that do, or are empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Least value.
    pub min: f64,
    /// Signal of the least value.
    pub min_of: &'static str,
    /// Greatest value.
    pub max: f64,
    /// Signal of the greatest value.
    pub max_of: &'static str,
    /// Step.
    pub step: f64,
}

/// One fact. Empty text means "none" throughout.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Entity {
    /// Last topic level, component id and end of the unique id. Never renamed.
    pub key: &'static str,
    /// What it is in Home Assistant.
    pub platform: Platform,
    /// Sentence case; without the car's name, a unit or "sensor".
    pub name: &'static str,
    /// Where the value comes from and how it is said.
    pub extractor: Extractor,
    /// The unit that is sent: always the car's own.
    pub unit: &'static str,
    /// Device class.
    pub class: &'static str,
    /// State class; decides on long-term statistics.
    pub state_class: &'static str,
    /// Where it is shown.
    pub category: Category,
    /// Whether Home Assistant loads it without being asked.
    pub enabled: bool,
    /// Decimals to show, where not those that are sent.
    pub precision: Option<u8>,
    /// Icon, where the class has none.
    pub icon: &'static str,
    /// The words of an enum whose extractor does not list them itself.
    pub options: &'static [&'static str],
    /// Home Assistant's `on` is our `off` (class `problem` for a fact of health).
    pub inverted: bool,
    /// A time moves on its topic only by more than this, seconds.
    pub jitter_s: u32,
    /// Changes with every look at the car; the snapshot goes without it.
    pub is_age: bool,
    /// The member of its JSON that changes with every look at the car: such a change alone is not
    /// published.
    pub age_within: &'static str,
    /// Which cars have it.
    pub capability: Capability,
    /// Limits of a number.
    pub limits: Option<Limits>,
    /// The topic holds JSON: a template for the state; the object itself becomes attributes.
    pub template: &'static str,
    /// Fleet Telemetry field.
    pub stream: &'static str,
    /// Tesla command.
    pub command: &'static str,
    /// What the name does not say, for the documentation.
    pub note: &'static str,
}

impl Entity {
    /// A row with nothing but the four things that each has.
    pub const fn new(
        platform: Platform,
        key: &'static str,
        name: &'static str,
        extractor: Extractor,
    ) -> Self {
        Self {
            key,
            platform,
            name,
            extractor,
            unit: "",
            class: "",
            state_class: "",
            category: Category::Main,
            enabled: true,
            precision: None,
            icon: "",
            options: &[],
            inverted: false,
            jitter_s: 0,
            is_age: false,
            age_within: "",
            capability: Capability::Always,
            limits: None,
            template: "",
            stream: "",
            command: "",
            note: "",
        }
    }

    /// Device class without a unit.
    pub const fn class(mut self, class: &'static str) -> Self {
        self.class = class;
        self
    }

    /// Unit and device class.
    pub const fn unit(mut self, unit: &'static str, class: &'static str) -> Self {
        self.unit = unit;
        self.class = class;
        self
    }

    /// A measurement: kept in long-term statistics as mean, least and greatest.
    pub const fn measured(mut self, unit: &'static str, class: &'static str) -> Self {
        self.state_class = "measurement";
        self.unit(unit, class)
    }

    /// A meter: kept in long-term statistics as a sum; a fall is a new start from zero.
    pub const fn metered(mut self, unit: &'static str, class: &'static str) -> Self {
        self.state_class = "total_increasing";
        self.unit(unit, class)
    }

    /// A direction, without long-term statistics: their class for angles came with a Home
    /// Assistant of 2025, and 2024.11 refuses the whole entity for it.
    pub const fn angle(self) -> Self {
        self.unit("°", "")
    }

    /// Shown under "Diagnostic".
    pub const fn diagnostic(mut self) -> Self {
        self.category = Category::Diagnostic;
        self
    }

    /// Shown under "Configuration".
    pub const fn config(mut self) -> Self {
        self.category = Category::Config;
        self
    }

    /// Not loaded unless the user asks.
    pub const fn off(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// Decimals to show.
    pub const fn precision(mut self, decimals: u8) -> Self {
        self.precision = Some(decimals);
        self
    }

    /// Icon, without `mdi:`.
    pub const fn icon(mut self, icon: &'static str) -> Self {
        self.icon = icon;
        self
    }

    /// The words of an enum.
    pub const fn options(mut self, options: &'static [&'static str]) -> Self {
        self.options = options;
        self
    }

    /// Home Assistant's `on` is our `off`.
    pub const fn inverted(mut self) -> Self {
        self.inverted = true;
        self
    }

    /// A time that moves only by more than so many seconds.
    pub const fn jitter(mut self, seconds: u32) -> Self {
        self.jitter_s = seconds;
        self
    }

    /// Changes with every look at the car.
    pub const fn age(mut self) -> Self {
        self.is_age = true;
        self
    }

    /// A member of its JSON changes with every look at the car.
    pub const fn age_within(mut self, member: &'static str) -> Self {
        self.age_within = member;
        self
    }

    /// Only cars that pass.
    pub const fn capability(mut self, capability: Capability) -> Self {
        self.capability = capability;
        self
    }

    /// Only cars that have ever mentioned it.
    pub const fn if_seen(self) -> Self {
        self.capability(Capability::Mentioned)
    }

    /// Limits of a number.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// A template for the state of a topic that holds JSON.
    pub const fn template(mut self, template: &'static str) -> Self {
        self.template = template;
        self
    }

    /// Fleet Telemetry field.
    pub const fn stream(mut self, field: &'static str) -> Self {
        self.stream = field;
        self
    }

    /// Tesla command.
    pub const fn command(mut self, command: &'static str) -> Self {
        self.command = command;
        self
    }

    /// What the name does not say.
    pub const fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }

    /// Whether it can be commanded at all.
    pub fn is_control(&self) -> bool {
        !matches!(
            self.platform,
            Platform::Sensor | Platform::BinarySensor | Platform::DeviceTracker | Platform::Event
        )
    }

    /// Whether it has a state topic; buttons and free texts have none.
    pub fn has_state(&self) -> bool {
        !matches!(self.extractor, Extractor::Nothing)
    }

    /// The words that its topic can hold, if they are a closed set.
    pub fn words(&self) -> Vec<&'static str> {
        if self.options.is_empty() {
            self.extractor.words()
        } else {
            self.options.to_vec()
        }
    }
}

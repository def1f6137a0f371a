//! File, environment and credentials → [`Settings`].
//!
//! Loading is a pure function of texts and a map of variables ([`load`]); only [`load_from_disk`]
//! touches the disk and the environment. [`schema`] is the one list of keys. The values as given
//! and the validated [`Settings`] are different types; everything else sees the second.

mod differences;
mod disk;
mod layers;
mod load;
mod problem;
mod reader;
pub mod schema;
mod sections;
mod settings;
mod texts;
mod topic;

pub use differences::{SettingChange, differences};
pub use disk::{
    DEFAULT_PATHS, environment, load_from_disk, load_with, read_file, state_directory_from_disk,
};
pub use layers::variable_of;
pub use load::{ConfigSources, Loaded, from_text, load, mistake, state_directory};
pub use problem::ConfigErrors;
pub use reader::{FileContent, ReadFile};
pub use settings::{
    AccountSettings, Api, BrokerSettings, BudgetSettings, CarSettings, CommandsSettings,
    CompatSettings, HomeAssistantSettings, MqttSettings, PollingSettings, Protocol, Region,
    Settings, StateSettings, TlsSettings, WebSettings,
};

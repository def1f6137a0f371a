//! File, environment and credentials → [`Settings`].
//!
//! Two types: the raw one is what serde reads (`deny_unknown_fields`), the validated one is what
//! the rest of the house sees. Loading is a pure function of texts and a map of variables; only
//! its caller touches the disk and the environment.

mod settings;

pub use settings::{
    Account, Api, Broker, CarSettings, Commands, HomeAssistant, Log, LogFormat, Mqtt, Protocol,
    Region, Settings, State, Tls, Web,
};

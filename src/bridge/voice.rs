//! How one car's task speaks: the policy's status becomes signals of the car, the vehicle becomes
//! topics, and the discovery message follows with its debounce.

use std::time::Duration;

use jiff::Timestamp;

use crate::config::HomeAssistant;
use crate::discovery::{AnnounceStep, Announced, Announcer};
use crate::model::{Now, Observation, Signal, Source, Value, Vehicle};
use crate::mqtt::{Handle, Publish};
use crate::policy::{State, Status};
use crate::topics::CarTopics;

/// When nothing is left to say.
const NEVER: Duration = Duration::MAX;

/// One car's voice.
pub struct Voice {
    mqtt: Handle,
    topics: CarTopics,
    announcer: Option<Announcer>,
    last_data_at: Option<Timestamp>,
}

//! `tesla2mqtt demo`: everything in one process, with no account and no broker: a simulated Tesla
//! cloud with living cars, the embedded broker, and the bridge between them. Both clocks run fast
//! so that a day passes in minutes.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::broker::{self, BrokerError, Embedded};
use crate::config::{self, Settings};
use crate::sim::Cloud;
use crate::{api, bridge, clock, durable, log, service};

/// MQTT's registered port.
const MQTT_PORT: u16 = 1883;

/// What the demo can be told.
#[derive(Debug, Args)]
pub struct Options {
    /// How many times faster than the world the cars live, 1 to 3600
    #[arg(long, default_value_t = 60.0, value_name = "FACTOR")]
    speed: f64,
    /// Publish to this broker (mqtt://host:port) instead of one inside the demo
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
    /// Play a recorded vehicle_data answer as one more car; may be given several times
    #[arg(long, value_name = "FILE")]
    recording: Vec<PathBuf>,
    /// How much to log: error, warn, info, debug, trace
    #[arg(long, default_value = "info", value_name = "LEVEL")]
    log: String,
}

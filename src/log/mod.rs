//! The log: one line an event on standard output, for people, for programs (JSON) or for the
//! journal.
//!
//! No code of ours formats a secret. This is the second safeguard: whatever is written, also by a
//! library at `trace`, passes through [`redact`], which knows the text of every secret. Behind it a
//! thread of the log's own writes the lines, so that a reader who pauses holds up nothing else.

mod panics;
mod queue;
mod redact;
mod writer;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

pub use self::panics::report_panics;
pub use self::redact::{redact, redact_rotating_secret, redact_secret};
pub use self::writer::Lines;
use crate::clock;

/// What the owner wants of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Form of the lines.
    pub format: Format,
    /// Levels, as `info` or `info,tesla2mqtt::bridge=debug`.
    pub level: String,
}

/// Form of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What the lines look like beyond their format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineStyle {
    /// For the journal: a priority `<N>` before each line, no time, no level word.
    pub journal: bool,
    /// Colors, for a terminal.
    pub color: bool,
}

impl LineStyle {
    /// What suits this process's standard output.
    pub fn of_stdout() -> Self {
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            journal: std::env::var_os("JOURNAL_STREAM").is_some_and(|stream| is_stdout(&stream)),
            color: io::stdout().is_terminal() && !is_plain,
        }
    }
}

/// Whether standard output is the stream that `JOURNAL_STREAM` names by device and inode. Whatever
/// a service or a desktop session starts inherits the variable, also with its output elsewhere
/// (systemd.exec(5)).
fn is_stdout(stream: &OsStr) -> bool {
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    let metadata = stdout.and_then(|stdout| File::from(stdout).metadata());
    metadata.is_ok_and(|metadata| {
        stream.to_str() == Some(&format!("{}:{}", metadata.dev(), metadata.ino()))
    })
}

/// Changes the levels of a running log.
#[derive(Debug, Clone)]
pub struct Control(reload::Handle<Targets, Registry>);

impl Control {
    /// Sets the levels, as in `log.level`; text that cannot be parsed changes nothing.
    pub fn set_level(&self, level: &str) {
        if let Some(filter) = filter(level) {
            // Fails only when the log itself is gone, at the end of the process.
            let _ = self.0.reload(filter);
        }
    }
}

/// The log of this process. Hold it until nothing more is said: the last lines are written when it
/// is dropped.
#[derive(Debug)]
#[must_use = "the last lines are written when this is dropped"]
pub struct Started {
    /// Changes its levels.
    pub control: Control,
    queue: queue::Queue,
    _flush: queue::FlushGuard,
}

impl Started {
    /// Writes a text for the owner between the lines.
    pub fn print(&self, text: &str) {
        self.queue.push(redact(text).as_bytes());
    }
}

/// Starts the log of this process; a second start has no effect.
pub fn start(log: &LogSettings) -> Started {
    // Libraries that use the `log` crate are cut off for ever at the level of the start, so that
    // must be the finest.
    let everything = LogSettings {
        level: "trace".to_owned(),
        ..log.clone()
    };
    let (queue, flush) = queue::to(io::stdout());
    let (subscriber, control) = subscriber(&everything, LineStyle::of_stdout(), queue.clone());
    let _ = subscriber.try_init();
    control.set_level(&log.level);
    Started {
        control,
        queue,
        _flush: flush,
    }
}

/// The log as a value: what `make` makes is written to once a line.
pub fn subscriber<M>(
    log: &LogSettings,
    style: LineStyle,
    make: M,
) -> (impl tracing::Subscriber + Send + Sync + use<M>, Control)
where
    M: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = filter(&log.level).unwrap_or_default();
    let (filter, handle) = reload::Layer::new(filter);
    let lines = Lines::new(make, style.journal);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(lines)
        .with_ansi(style.color)
        .with_level(!style.journal || log.format == Format::Json);
    let layer = match (log.format, style.journal) {
        (Format::Text, false) => layer.with_timer(Seconds).boxed(),
        (Format::Text, true) => layer.without_time().boxed(),
        (Format::Json, false) => layer.json().flatten_event(true).with_timer(Seconds).boxed(),
        (Format::Json, true) => layer.json().flatten_event(true).without_time().boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(filter).with(layer);
    (subscriber, Control(handle))
}

/// A level alone is meant for the bridge: the libraries in it are one step quieter, but at
/// `trace`; those that repeat what we say ourselves are silent but for errors.
/// `info,rumqttc=debug` names one. What names neither a level nor a module by its path is refused:
/// the parser would take it for the name of a library, and silence every other.
pub fn filter(level: &str) -> Option<Targets> {
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    let is_module = |path: &str| {
        path.split("::").all(|name| {
            let letters = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            !name.is_empty() && name.chars().all(letters)
        })
    };
    let is_legal = |word: &str| match word.split_once('=') {
        Some((module, level)) => is_module(module) && is_level(level),
        None => is_level(word),
    };
    if !level.split(',').map(str::trim).all(is_legal) {
        return None;
    }
    let directives: Vec<String> = level
        .split(',')
        .map(str::trim)
        .map(|directive| match directive.to_ascii_lowercase().as_str() {
            "info" => format!("warn,{LIBRARY_LEVELS},tesla2mqtt=info"),
            "debug" => format!("info,{LIBRARY_LEVELS},tesla2mqtt=debug"),
            _ => directive.to_owned(),
        })
        .collect();
    directives.join(",").parse().ok()
}

/// The MQTT client's crate and the embedded broker's: our own lines say the same for the owner.
const LIBRARY_LEVELS: &str = "rumqttc=error,mqtt5=error,mqtt5_protocol=error";

/// RFC 3339 in UTC, to the second.
struct Seconds;

impl FormatTime for Seconds {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        let now = clock::now().wall;
        let whole = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
        write!(writer, "{whole}")
    }
}

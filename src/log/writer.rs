//! The last step of a line before it is queued: secrets out, priority in, and no fuss where it cannot
//! be written.

use std::io::{self, Write};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::redact::redact;

/// Wraps what the log writes to.
#[derive(Debug, Clone)]
pub struct Lines<M> {
    make: M,
    journal: bool,
}

impl<M> Lines<M> {
    /// `journal`: begin each line with its priority.
    pub fn new(make: M, journal: bool) -> Self {
        Self { make, journal }
    }
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Lines<M> {
    type Writer = LineWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter {
            writer: self.make.make_writer(),
            priority: self.journal.then_some(INFORMATIONAL),
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        LineWriter {
            writer: self.make.make_writer_for(metadata),
            priority: self.journal.then(|| priority(*metadata.level())),
        }
    }
}

const INFORMATIONAL: u8 = 6;

/// syslog's numbers; the journal files everything from 7 as debugging.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => INFORMATIONAL,
        _ => 7,
    }
}

/// Writes one event, which arrives in one piece.
#[derive(Debug)]
pub struct LineWriter<W> {
    writer: W,
    priority: Option<u8>,
}

impl<W: Write> Write for LineWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let text = redact(&text);
        let written = match self.priority {
            None => self.writer.write_all(text.as_bytes()),
            // Each line of a longer message is an entry of its own.
            Some(priority) => {
                let lines = text.lines().map(|line| format!("<{priority}>{line}\n"));
                self.writer.write_all(lines.collect::<String>().as_bytes())
            }
        };
        // The bridge runs on, and reporting it would fail too.
        let _ = written.and_then(|()| self.writer.flush());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

//! Between the service manager and us: ready, status, watchdog, signals.
//!
//! Without systemd (`NOTIFY_SOCKET` unset) the notes go nowhere. The watchdog is fed by the loop
//! that does the work, never by a timer of its own, so that a hang is a missing beat.

pub(crate) mod heartbeat;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What the outside asks of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessSignal {
    /// SIGTERM or SIGINT: stop cleanly.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The service has started, or has finished reloading.
pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    notify(&[NotifyState::Status(text)]);
}

/// The line that `systemctl status` shows; the same text is not sent twice.
#[derive(Debug, Default)]
pub struct StatusLine(String);

impl StatusLine {
    /// Tells it, if it is news.
    pub fn set(&mut self, text: &str) {
        if self.0 != text {
            status(text);
            text.clone_into(&mut self.0);
        }
    }
}

/// The configuration is being read again; [`ready`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

/// The service is stopping.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// The loop is alive.
pub fn watchdog() {
    notify(&[NotifyState::Watchdog]);
}

/// How often to call [`watchdog`]: half of what systemd allows. `None`: no watchdog is wanted.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

/// What the outside has asked for and nobody has done yet. To stop is never forgotten and comes
/// before all else; to read the configuration again is one request, however often it came.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    stop: CancellationToken,
    reload: Arc<Notify>,
}

impl Signals {
    /// Asks for something.
    pub fn send(&self, signal: ProcessSignal) {
        match signal {
            ProcessSignal::Stop => self.stop.cancel(),
            ProcessSignal::Reload => self.reload.notify_one(),
        }
    }

    /// Waits for what is asked for next.
    pub async fn next(&self) -> ProcessSignal {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => ProcessSignal::Stop,
            () = self.reload.notified() => ProcessSignal::Reload,
        }
    }

    /// Does what may take long; at [`ProcessSignal::Stop`] it is left half done, and [`Self::next`]
    /// says so.
    pub async fn unless_stopped(&self, work: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = work => {}
        }
    }
}

/// SIGTERM and SIGINT as [`ProcessSignal::Stop`], SIGHUP as `hangup_is`, but for a stop that `nohup`
/// forbids. Must be called inside the runtime, before anything slow, because only from then on a
/// signal no longer ends the process.
pub fn signals(hangup_is: ProcessSignal) -> io::Result<Signals> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = match hangup_is {
        // Whoever started it with `nohup` wants it to outlive the terminal.
        ProcessSignal::Stop if is_hangup_ignored() => None,
        _ => Some(signal(SignalKind::hangup())?),
    };
    let signals = Signals::default();
    let sender = signals.clone();
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                Some(()) = terminate.recv() => ProcessSignal::Stop,
                Some(()) = interrupt.recv() => ProcessSignal::Stop,
                Some(()) = received(hangup.as_mut()) => hangup_is,
                else => break,
            };
            sender.send(signal);
        }
    });
    Ok(signals)
}

async fn received(signal: Option<&mut unix::Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

/// Whether SIGHUP was ignored from the start on. Only Linux tells.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

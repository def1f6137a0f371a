//! What the service manager and we tell each other: ready, status, watchdog, signals.
//!
//! Without systemd (`NOTIFY_SOCKET` unset) the notes go nowhere. The watchdog is fed by the loop
//! that does the work, never by a timer of its own, so that a hang is a missing beat.

pub mod heartbeat;

use std::io;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// What the outside asks of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: stop cleanly.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The service has started, or has finished reloading.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// One line for `systemctl status`.
pub fn status(text: &str) {
    tell(&[NotifyState::Status(text)]);
}

/// The configuration is being read again; [`ready`] follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The service is stopping.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The loop is alive.
pub fn watchdog() {
    tell(&[NotifyState::Watchdog]);
}

/// How often to call [`watchdog`]: half of what systemd allows. `None`: no watchdog is wanted.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|limit| limit / 2)
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

/// SIGTERM and SIGINT as [`Signal::Stop`], SIGHUP as `hangup_is`. Must be called inside the runtime, before anything
/// slow, because only from then on a signal no longer ends the process.
pub fn signals(hangup_is: Signal) -> io::Result<mpsc::Receiver<Signal>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    // Full: whoever sent four signals that are not handled yet gains nothing by a fifth.
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let signal = tokio::select! {
                Some(()) = terminate.recv() => Signal::Stop,
                Some(()) = interrupt.recv() => Signal::Stop,
                Some(()) = hangup.recv() => hangup_is,
                else => break,
            };
            if let Err(mpsc::error::TrySendError::Closed(_)) = sender.try_send(signal) {
                break;
            }
        }
    });
    Ok(receiver)
}

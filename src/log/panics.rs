//! A panic is a bug: one error line that can be reported, without a secret.

use std::panic::PanicHookInfo;

use super::redact::redact;

/// Has every panic of this process logged. The task that panicked ends; whoever waits for it
/// decides what follows.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let task = tokio::task::try_id().map(tracing::field::display);
        let message = message(panic);
        let place = panic.location().map(tracing::field::display);
        if tracing::dispatcher::has_been_set() {
            tracing::error!(thread, task, place, "bug: panic: {message}");
        } else {
            // Before the log has started. Where standard error is closed nobody can be told.
            let line = format!("bug: panic in thread {thread}: {message}\n");
            let _ = std::io::Write::write_all(&mut std::io::stderr(), redact(&line).as_bytes());
        }
    }));
}

fn message(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload_as_str().unwrap_or("without a message");
    payload
        .split('\n')
        .map(str::trim)
        .collect::<Vec<_>>()
        .join(" ")
}

//! Between the events and the place where their lines go: a reader of standard output that pauses
//! (`| less`, a log collector that hangs) must not hold up the cars, nor a signal to end.
//!
//! Lines wait in one bounded buffer for a thread of their own. While it is full they are counted
//! instead of kept, and the number is told as soon as there is room again.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// A car's answer at `trace` fits several times.
const ROOM: usize = 128 << 10;
/// What an empty buffer may keep.
const KEPT: usize = 4 << 10;
/// The thread formats one line now and then, about lines that were lost. What a stack does not
/// touch costs nothing.
const STACK: usize = 128 << 10;
/// A reader that pauses holds up the end of the process for no longer.
const LAST_LINES_WITHIN: Duration = Duration::from_millis(200);

/// The writing end, as many as are wanted.
#[derive(Debug, Clone)]
pub struct Queue(Arc<Shared>);

/// Writes what still waits when it is dropped, at the end of the process.
#[derive(Debug)]
pub struct LastLines(Queue);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    n_lost: u64,
    /// The thread has taken lines that are not written yet.
    is_writing: bool,
    /// The system gave no thread: whoever says something writes it.
    is_alone: bool,
}

impl State {
    fn is_done(&self) -> bool {
        (self.waiting.is_empty() && self.n_lost == 0 && !self.is_writing) || self.is_alone
    }
}

/// Has everything that is queued written to `out`, in order.
pub fn to(out: impl Write + Send + 'static) -> (Queue, LastLines) {
    let queue = Queue(Arc::default());
    let ours = queue.clone();
    let thread = thread::Builder::new()
        .name("log".to_owned())
        .stack_size(STACK)
        .spawn(move || ours.write_to(out));
    queue.lock().is_alone = thread.is_err();
    (queue.clone(), LastLines(queue))
}

impl Queue {
    /// Queues a text that is written in one piece or not at all.
    pub fn push(&self, text: &[u8]) {
        let mut state = self.lock();
        if state.is_alone {
            drop(state);
            let _ = io::stdout().write_all(text);
        } else if state.n_lost > 0 || !fits(&state.waiting, text) {
            state.n_lost += 1;
        } else {
            state.waiting.extend_from_slice(text);
            drop(state);
            self.0.changed.notify_all();
        }
    }

    fn write_to(&self, mut out: impl Write) {
        let mut lines = Vec::new();
        loop {
            let n_lost = self.take(&mut lines);
            if n_lost > 0 {
                // Queued like every line, so that it looks like every line.
                tracing::warn!(
                    lines = n_lost,
                    "whoever reads the log is too slow: lines were lost"
                );
            }
            // `... | head` closes the pipe: the bridge runs on, and reporting it would fail too.
            let _ = out.write_all(&lines).and_then(|()| out.flush());
            lines.clear();
            lines.shrink_to(KEPT);
        }
    }

    /// Waits for lines and swaps them with the empty buffer; how many were lost behind them.
    fn take(&self, lines: &mut Vec<u8>) -> u64 {
        let mut state = self.lock();
        state.is_writing = false;
        self.0.changed.notify_all();
        let nothing = |state: &mut State| state.waiting.is_empty();
        let waited = self.0.changed.wait_while(state, nothing);
        state = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_writing = true;
        std::mem::swap(&mut state.waiting, lines);
        std::mem::take(&mut state.n_lost)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is larger than all room is kept when nothing else waits.
fn fits(waiting: &[u8], text: &[u8]) -> bool {
    waiting.is_empty() || waiting.len() + text.len() <= ROOM
}

impl Write for Queue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Drop for LastLines {
    fn drop(&mut self) {
        let Queue(shared) = &self.0;
        let waits = |state: &mut State| !state.is_done();
        let state = self.0.lock();
        let _ = shared
            .changed
            .wait_timeout_while(state, LAST_LINES_WITHIN, waits);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::clock;

    /// Takes what is written only when it is let.
    struct Reader {
        let_go: mpsc::Receiver<()>,
        begun: mpsc::Sender<()>,
        read: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.begun.send(());
            let _ = self.let_go.recv();
            self.read.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_pauses_holds_up_nobody_and_costs_bounded_memory() {
        let (go, let_go) = mpsc::channel();
        let (begun, has_begun) = mpsc::channel();
        let read = Arc::default();
        let (queue, last_lines) = to(Reader {
            let_go,
            begun,
            read: Arc::clone(&read),
        });
        queue.push(b"0\n");
        has_begun.recv().unwrap();
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        for _ in 0..1_000 {
            queue.push(&line);
        }
        let state = queue.lock();
        assert!(state.waiting.capacity() <= 2 * ROOM);
        assert_eq!(state.n_lost, 1_000 - 128);
        drop(state);

        let begun = clock::uptime();
        drop(last_lines);
        let took = clock::uptime().saturating_sub(begun);
        assert!(took < Duration::from_secs(1), "{took:?}");

        // It reads on: what waited comes in order, then what came after.
        drop(go);
        while !queue.lock().is_done() {
            thread::yield_now();
        }
        queue.push(b"last\n");
        drop(LastLines(queue));
        let read = read.lock().unwrap();
        let expected = [&b"0\n"[..], &line.repeat(128), b"last\n"].concat();
        assert!(*read == expected, "{} bytes", read.len());
    }

    #[test]
    fn what_was_said_before_the_end_is_written() {
        let read = Arc::<Mutex<Vec<u8>>>::default();
        let (go, let_go) = mpsc::channel();
        drop(go);
        let (queue, last_lines) = to(Reader {
            let_go,
            begun: mpsc::channel().0,
            read: Arc::clone(&read),
        });
        for n in 0..100 {
            queue.push(format!("{n}\n").as_bytes());
        }
        drop(last_lines);
        let expected: Vec<String> = (0..100).map(|n| format!("{n}\n")).collect();
        assert_eq!(*read.lock().unwrap(), expected.concat().as_bytes());
    }
}

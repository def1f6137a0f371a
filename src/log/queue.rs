//! Between the events and the place where their lines go: a reader of standard output that pauses
//! (`| less`, a log collector that hangs) must not hold up the cars, nor a signal to end.
//!
//! Lines wait in one bounded buffer for a thread of their own. While it is full they are counted
//! instead of kept, and the number is logged as soon as there is room again. (`tracing-appender` would
//! not do: where its queue is full at the end, it prints to the same standard output, and hangs.)

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

use crate::clock;

/// A car's answer at `trace` fits several times.
const CAPACITY: usize = 128 << 10;
/// What an empty buffer may keep.
const IDLE_CAPACITY: usize = 4 << 10;
/// The thread formats one line now and then, about lines that were lost. What a stack does not
/// touch costs nothing.
const STACK: usize = 128 << 10;
/// A reader that takes nothing for this long pauses: the end of the process waits no longer for it.
const STALL_MAX: Duration = Duration::from_millis(200);
/// Nor any longer for one that is slow, or for a machine that is: the end of everything has two
/// seconds.
const FLUSH_MAX: Duration = Duration::from_millis(300);
/// What is offered to the reader at once, so that its pauses show.
const PIECE_SIZE: usize = 4 << 10;

/// The writing end, as many as are wanted.
#[derive(Debug, Clone)]
pub(super) struct Queue(Arc<SharedQueue>);

/// Writes what still waits when it is dropped, at the end of the process.
#[derive(Debug)]
pub(super) struct FlushGuard(Queue);

#[derive(Debug, Default)]
struct SharedQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    waiting: Vec<u8>,
    n_lost: u64,
    /// The thread has taken lines that are not written yet.
    is_writing: bool,
    /// Pieces that were taken, by the thread or by the reader.
    n_steps: u64,
    /// The thread, once it runs.
    writer: Option<ThreadId>,
    /// The system gave no thread: whoever logs a line writes it.
    has_no_thread: bool,
}

impl QueueState {
    fn is_done(&self) -> bool {
        (self.waiting.is_empty() && self.n_lost == 0 && !self.is_writing) || self.has_no_thread
    }

    /// The thread's own line, that lines were lost, always finds room: nobody would know of
    /// them.
    fn takes(&self, text: &[u8]) -> bool {
        let has_room = self.n_lost == 0 && fits(&self.waiting, text);
        has_room || self.writer == Some(thread::current().id())
    }
}

/// Has everything that is queued written to `out`, in order.
pub(super) fn to(out: impl Write + Send + 'static) -> (Queue, FlushGuard) {
    let queue = Queue(Arc::default());
    let ours = queue.clone();
    let thread = thread::Builder::new()
        .name("log".to_owned())
        .stack_size(STACK)
        .spawn(move || ours.write_to(out));
    queue.lock().has_no_thread = thread.is_err();
    (queue.clone(), FlushGuard(queue))
}

impl Queue {
    /// Queues a text that is written in one piece or not at all.
    pub(super) fn push(&self, text: &[u8]) {
        let mut state = self.lock();
        if state.has_no_thread {
            drop(state);
            let _ = io::stdout().write_all(text);
        } else if !state.takes(text) {
            state.n_lost += 1;
        } else {
            state.waiting.extend_from_slice(text);
            drop(state);
            self.0.changed.notify_all();
        }
    }

    fn write_to(&self, mut out: impl Write) {
        self.lock().writer = Some(thread::current().id());
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
            let _ = self.write_pieces(&lines, &mut out);
            lines.clear();
            lines.shrink_to(IDLE_CAPACITY);
        }
    }

    fn write_pieces(&self, lines: &[u8], out: &mut impl Write) -> io::Result<()> {
        for piece in lines.chunks(PIECE_SIZE) {
            out.write_all(piece)?;
            self.lock().n_steps += 1;
            self.0.changed.notify_all();
        }
        out.flush()
    }

    /// Waits for lines and swaps them with the empty buffer; how many were lost behind them.
    fn take(&self, lines: &mut Vec<u8>) -> u64 {
        let mut state = self.lock();
        state.is_writing = false;
        self.0.changed.notify_all();
        let nothing = |state: &mut QueueState| state.waiting.is_empty();
        let waited = self.0.changed.wait_while(state, nothing);
        state = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_writing = true;
        state.n_steps += 1;
        self.0.changed.notify_all();
        std::mem::swap(&mut state.waiting, lines);
        std::mem::take(&mut state.n_lost)
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is larger than all room is kept when nothing else waits.
fn fits(waiting: &[u8], text: &[u8]) -> bool {
    waiting.is_empty() || waiting.len() + text.len() <= CAPACITY
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

impl Drop for FlushGuard {
    fn drop(&mut self) {
        let Queue(shared) = &self.0;
        let begun = clock::uptime();
        let mut state = self.0.lock();
        while !state.is_done() {
            let time_left = time_left(state.is_writing, clock::uptime().saturating_sub(begun));
            let n_steps = state.n_steps;
            let stands = |state: &mut QueueState| state.n_steps == n_steps && !state.is_done();
            let waited = shared.changed.wait_timeout_while(state, time_left, stands);
            let (now, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
            if outcome.timed_out() {
                return;
            }
            state = now;
        }
    }
}

/// How long the end waits for the next step, when it has waited for `so_far`. Lines that the thread
/// has not even taken wait for the machine, not for the reader.
fn time_left(is_writing: bool, so_far: Duration) -> Duration {
    let left = FLUSH_MAX.saturating_sub(so_far);
    if is_writing {
        left.min(STALL_MAX)
    } else {
        left
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Takes what is written only when it is let.
    struct GatedReader {
        let_go: mpsc::Receiver<()>,
        begun: mpsc::Sender<()>,
        read: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for GatedReader {
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
        let (queue, last_lines) = to(GatedReader {
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
        assert!(state.waiting.capacity() <= 2 * CAPACITY);
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
        drop(FlushGuard(queue));
        let read = read.lock().unwrap();
        let expected = [&b"0\n"[..], &line.repeat(128), b"last\n"].concat();
        assert!(*read == expected, "{} bytes", read.len());
    }

    #[test]
    fn the_end_waits_for_a_slow_machine_and_a_slow_reader_but_not_for_one_that_pauses() {
        let check = |is_writing, so_far, expected| {
            let time_left = time_left(is_writing, Duration::from_millis(so_far));
            assert_eq!(time_left, Duration::from_millis(expected), "{so_far}");
        };
        check(false, 0, 300);
        check(false, 250, 50);
        check(true, 0, 200);
        check(true, 50, 200);
        check(true, 250, 50);
        check(true, 600, 0);
    }

    #[test]
    fn every_piece_that_a_reader_takes_begins_its_silence_anew() {
        let (go, let_go) = mpsc::channel();
        let (begun, has_begun) = mpsc::channel();
        let (queue, last_lines) = to(GatedReader {
            let_go,
            begun,
            read: Arc::default(),
        });
        queue.push(&vec![b'x'; 3 * PIECE_SIZE]);
        for n_steps in 1..=3 {
            has_begun.recv().unwrap();
            assert_eq!(queue.lock().n_steps, n_steps);
            go.send(()).unwrap();
        }
        drop(last_lines);
        assert_eq!(queue.lock().n_steps, 4);
    }

    #[test]
    fn the_line_about_lost_lines_finds_room_where_no_other_does() {
        let queue = Queue(Arc::default());
        queue.push(&vec![b'x'; CAPACITY]);
        queue.push(b"lost\n");
        assert_eq!(queue.lock().n_lost, 1);
        queue.lock().writer = Some(thread::current().id());
        queue.push(b"1 was lost\n");
        let state = queue.lock();
        assert!(state.waiting.ends_with(b"1 was lost\n"));
        assert_eq!(state.n_lost, 1);
    }

    #[test]
    fn what_was_said_before_the_end_is_written() {
        let read = Arc::<Mutex<Vec<u8>>>::default();
        let (go, let_go) = mpsc::channel();
        drop(go);
        let (queue, last_lines) = to(GatedReader {
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

//! What a guest prints, and what is typed at it.
//!
//! Output of the serial port and of the virtio console ends in one ring of the last 64 KiB, numbered by the octet,
//! so that a reader can follow. A guest that prints without end costs a bounded amount of memory.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Octets of output kept.
pub const KEPT: usize = 64 << 10;

/// Takes typed octets to the guest, if it still runs.
pub(crate) type Keyboard = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// A guest's console. Cheap to clone; what was printed can be read after the machine is gone.
#[derive(Clone)]
pub struct Console {
    log: Arc<Log>,
    typed: Keyboard,
}

#[derive(Debug, Default)]
pub(crate) struct Log {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<u8>,
    end: u64,
}

impl Log {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn append(&self, octets: &[u8]) {
        let mut state = self.state();
        state.end += octets.len() as u64;
        let octets = octets
            .get(octets.len().saturating_sub(KEPT)..)
            .unwrap_or(octets);
        let excess = (state.kept.len() + octets.len()).saturating_sub(KEPT);
        state.kept.drain(..excess);
        state.kept.extend(octets);
        drop(state);
        self.grown.notify_all();
    }

    fn since(&self, offset: u64) -> (Vec<u8>, u64) {
        let state = self.state();
        let begin = state.end - state.kept.len() as u64;
        let skip = usize::try_from(offset.saturating_sub(begin)).unwrap_or(usize::MAX);
        (state.kept.iter().skip(skip).copied().collect(), state.end)
    }

    /// The last `lines` lines, for a fault report.
    pub(crate) fn last_lines(&self, lines: usize) -> String {
        let (octets, _) = self.since(0);
        let text = String::from_utf8_lossy(&octets);
        let all: Vec<&str> = text.lines().collect();
        all.get(all.len().saturating_sub(lines)..)
            .unwrap_or(&[])
            .join("\n")
    }
}

impl Console {
    pub(crate) fn new(log: Arc<Log>, typed: Keyboard) -> Self {
        Self { log, typed }
    }

    /// The last output, at most 64 KiB.
    pub fn tail(&self) -> Vec<u8> {
        self.log.since(0).0
    }

    /// Output from octet `offset` on (as far as still kept) and the offset to ask with next.
    pub fn since(&self, offset: u64) -> (Vec<u8>, u64) {
        self.log.since(offset)
    }

    /// As [`Console::since`], but waits up to `patience` for something new.
    pub fn wait_since(&self, offset: u64, patience: Duration) -> (Vec<u8>, u64) {
        let state = self.log.state();
        let waited = self
            .log
            .grown
            .wait_timeout_while(state, patience, |s| s.end <= offset);
        drop(waited);
        self.log.since(offset)
    }

    /// Types at the guest. Octets the guest's input queue has no room for are dropped, as at a real terminal.
    pub fn input(&self, octets: &[u8]) {
        (self.typed)(octets);
    }
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console")
            .field("printed", &self.log.state().end)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console() -> (Arc<Log>, Console) {
        let log = Arc::new(Log::default());
        (log.clone(), Console::new(log, Arc::new(|_| {})))
    }

    #[test]
    fn a_reader_follows_by_offset() {
        let (log, console) = console();
        log.append(b"one\n");
        let (octets, next) = console.since(0);
        assert_eq!((octets.as_slice(), next), (&b"one\n"[..], 4));
        log.append(b"two\n");
        assert_eq!(console.since(next), (b"two\n".to_vec(), 8));
        assert_eq!(console.since(100), (vec![], 8));
        assert_eq!(console.wait_since(4, Duration::ZERO).0, b"two\n");
    }

    #[test]
    fn only_the_last_octets_are_kept() {
        let (log, console) = console();
        log.append(&[b'a'; KEPT]);
        log.append(b"end");
        assert_eq!(console.tail().len(), KEPT);
        assert!(console.tail().ends_with(b"aend"));
        log.append(&[b'b'; 2 * KEPT]);
        assert_eq!(console.tail(), vec![b'b'; KEPT]);
        assert_eq!(console.since(0).1, 3 * KEPT as u64 + 3);
    }

    #[test]
    fn last_lines_for_a_report() {
        let (log, _) = console();
        log.append(b"a\nb\nc\xff\n");
        assert_eq!(log.last_lines(2), "b\nc\u{fffd}");
        assert_eq!(log.last_lines(9), "a\nb\nc\u{fffd}");
    }
}

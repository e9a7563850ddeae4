//! Control lines to a guest's thread, and its console. Both bounded.
//!
//! Looking for a line must cost one load when there is none: the main loop looks every round.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::Thread;

/// Lines kept for a guest that does not read them.
const LINES_MOST: usize = 64;
/// Octets of console output kept.
const LOG_OCTETS: usize = 64 * 1024;

/// Lines for the guest.
#[derive(Debug, Default)]
pub struct Mailbox {
    waiting: AtomicBool,
    lines: Mutex<VecDeque<String>>,
    reader: OnceLock<Thread>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is never left half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    /// The thread to wake for a line.
    pub fn belongs_to(&self, reader: Thread) {
        let _ = self.reader.set(reader);
        self.wake();
    }

    /// Adds a line, and wakes the guest.
    pub fn put(&self, line: &str) {
        let mut lines = locked(&self.lines);
        if lines.len() < LINES_MOST {
            lines.push_back(line.to_string());
        }
        self.waiting.store(true, Ordering::SeqCst);
        drop(lines);
        self.wake();
    }

    fn wake(&self) {
        if let Some(reader) = self.reader.get() {
            reader.unpark();
        }
    }

    /// Whether there is a line.
    #[inline]
    pub fn has_line(&self) -> bool {
        self.waiting.load(Ordering::SeqCst)
    }

    /// The next line.
    #[inline]
    pub fn take(&self) -> Option<String> {
        if !self.waiting.load(Ordering::Relaxed) {
            return None;
        }
        let mut lines = locked(&self.lines);
        let line = lines.pop_front();
        self.waiting.store(!lines.is_empty(), Ordering::SeqCst);
        line
    }
}

/// The guest's console output: the last 64 KiB, by offset from its beginning.
#[derive(Debug, Default)]
pub struct Log {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    octets: VecDeque<u8>,
    dropped: u64,
}

impl Log {
    /// Adds output.
    pub fn append(&self, text: &str) {
        let mut kept = locked(&self.kept);
        kept.octets.extend(text.as_bytes());
        let over = kept.octets.len().saturating_sub(LOG_OCTETS);
        kept.octets.drain(..over);
        kept.dropped += over as u64;
    }

    /// What is kept from `offset` on, and the offset of its end.
    pub fn since(&self, offset: u64) -> (Vec<u8>, u64) {
        let kept = locked(&self.kept);
        let end = kept.dropped + kept.octets.len() as u64;
        let skip = usize::try_from(offset.saturating_sub(kept.dropped)).unwrap_or(usize::MAX);
        (kept.octets.iter().skip(skip).copied().collect(), end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_order_and_are_bounded() {
        let mailbox = Mailbox::default();
        assert_eq!((mailbox.has_line(), mailbox.take()), (false, None));
        for number in 0..2 * LINES_MOST {
            mailbox.put(&number.to_string());
        }
        let taken: Vec<String> = core::iter::from_fn(|| mailbox.take()).collect();
        let expected: Vec<String> = (0..LINES_MOST).map(|number| number.to_string()).collect();
        assert_eq!(taken, expected);
        assert!(!mailbox.has_line());
    }

    #[test]
    fn the_log_keeps_its_end() {
        let log = Log::default();
        log.append("hello\n");
        assert_eq!(log.since(0), (b"hello\n".to_vec(), 6));
        assert_eq!(log.since(4), (b"o\n".to_vec(), 6));
        assert_eq!(log.since(99), (Vec::new(), 6));
        log.append(&"x".repeat(LOG_OCTETS));
        let (kept, end) = log.since(0);
        assert_eq!((kept.len(), end), (LOG_OCTETS, LOG_OCTETS as u64 + 6));
    }
}

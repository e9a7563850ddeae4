//! How much a guest may say before it is heard: a few lines, or its words would fill the host's
//! memory.
//!
//! Every line that waits is counted; one too many is a fault of the guest, and what it says beyond
//! that is not kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lines that may wait. A guest that answers what it is asked has one.
const WAITING: usize = 64;

/// The lines of one guest that wait to be heard.
#[derive(Debug, Default)]
pub struct Lines {
    waiting: AtomicUsize,
}

/// What becomes of an event.
#[derive(Debug)]
pub enum Admission {
    /// A line: it waits until this is dropped.
    Heard(Heard),
    /// Not a line.
    Free,
    /// The line too many.
    Flood,
    /// A line after that.
    Ignored,
}

/// A line that waits; dropped when it was heard.
#[derive(Debug)]
pub struct Heard(Arc<Lines>);

impl Lines {
    /// Admits an event, which counts if it is a line.
    pub fn admit_if(self: &Arc<Self>, line: bool) -> Admission {
        if !line {
            return Admission::Free;
        }
        match self.waiting.fetch_add(1, Ordering::Relaxed) {
            waiting if waiting < WAITING => Admission::Heard(Heard(Arc::clone(self))),
            WAITING => Admission::Flood,
            _ => {
                // Not kept, so it does not wait.
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                Admission::Ignored
            }
        }
    }
}

impl Drop for Heard {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_that_is_heard_may_go_on_for_ever() {
        let lines = Arc::new(Lines::default());
        for _ in 0..10 * WAITING {
            assert!(matches!(lines.admit_if(true), Admission::Heard(_)));
        }
    }

    #[test]
    fn one_line_too_many_is_told_once() {
        let lines = Arc::new(Lines::default());
        let waiting: Vec<_> = (0..WAITING).map(|_| lines.admit_if(true)).collect();
        assert!(waiting.iter().all(|a| matches!(a, Admission::Heard(_))));
        assert!(matches!(lines.admit_if(true), Admission::Flood));
        assert!(matches!(lines.admit_if(false), Admission::Free));
        for _ in 0..10 {
            assert!(matches!(lines.admit_if(true), Admission::Ignored));
        }
    }
}

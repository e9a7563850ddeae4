//! The daemon as a process: what it is told comes by file descriptors, and one thread waits for all of them.
//!
//! ```text
//! node   the daemon of a node, its child
//! host   the daemon of a host
//! ```

pub mod host;
pub mod node;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Instant;

use rustix::event::Timespec;

/// A number that nobody else knows: the standard library's own randomness.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Nanoseconds since the process began to count.
#[derive(Debug, Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// How long to wait until then; none: for ever.
    fn until(&self, due_ns: Option<u64>) -> Option<Timespec> {
        let wait_ns = due_ns?.saturating_sub(self.now_ns());
        Some(Timespec {
            tv_sec: i64::try_from(wait_ns / 1_000_000_000).unwrap_or(i64::MAX),
            // Below a thousand million.
            tv_nsec: (wait_ns % 1_000_000_000) as _,
        })
    }
}

//! Waiting for something to become true, with a deadline and the last thing seen.
//!
//! Must never be used to wait for nothing in particular.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Time between two looks.
const PERIOD: Duration = Duration::from_millis(10);

/// Looks until `look` gives a value; after `deadline` fails with `what` and the last reason `look` gave.
///
/// # Errors
/// The deadline passed: the message has `what`, the time waited and the last reason.
pub fn until<T>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> Result<T, String>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        match look() {
            Ok(value) => return Ok(value),
            Err(reason) if start.elapsed() >= deadline => {
                bail!("waited {deadline:?} for {what}; last seen: {reason}")
            }
            Err(_) => thread::sleep(PERIOD),
        }
    }
}

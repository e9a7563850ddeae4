//! The clock of flows: 32 bits of 2^20 ns, about a millisecond, that wrap after 52 days.
//!
//! A time is past or future by what is less away: the sweep comes to every flow long before that could be mistaken.

use crate::units::Duration;

const STEP_BITS: u32 = 20;
/// A "second" of the clock: 2^10 steps.
const SECOND_BITS: u32 = 10;
/// Farthest that a group's 16 bits of seconds look ahead.
const HORIZON: u32 = 16_000 << SECOND_BITS;

/// The step at `now_ns`, or the steps that a time of less than 52 days takes.
#[inline]
pub(super) fn steps(now_ns: u64) -> u32 {
    (now_ns >> STEP_BITS) as u32
}

/// The second that a step is in.
#[inline]
pub(super) fn seconds(step: u32) -> u16 {
    (step >> SECOND_BITS) as u16
}

/// Whether `expires` is to come yet.
#[inline]
pub(super) fn is_ahead(expires: u32, now: u32) -> bool {
    (expires.wrapping_sub(now) as i32) > 0
}

/// Time from `now` to `expires`; 0 if it is over.
pub(super) fn left(expires: u32, now: u32) -> Duration {
    let steps = (expires.wrapping_sub(now) as i32).max(0);
    Duration((steps as u64) << STEP_BITS)
}

/// The second at which a group is looked at again for a flow that runs out at `expires`: not after that, and no
/// farther ahead than its 16 bits reach.
#[inline]
pub(super) fn due(expires: u32, now: u32) -> u16 {
    let ahead = (expires.wrapping_sub(now) as i32).clamp(0, HORIZON as i32) as u32;
    seconds(now.wrapping_add(ahead))
}

//! Waits until one of several descriptors is ready, or a time has come (poll(2)).
//!
//! Must never wait beyond the time it is given, whatever signals come meanwhile.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// What is waited for.
pub(crate) type For = PollFlags;

/// Waits until one of the descriptors is ready for what is said beside it. False: the time has come before.
/// Without a time it waits for as long as it takes.
pub(crate) fn wait<const N: usize>(
    descriptors: [(BorrowedFd<'_>, For); N],
    until: Option<Instant>,
) -> io::Result<bool> {
    loop {
        let mut polled =
            descriptors.map(|(descriptor, what)| PollFd::from_borrowed_fd(descriptor, what));
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        // What is too long for a Timespec is as good as no time at all.
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut polled, left.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

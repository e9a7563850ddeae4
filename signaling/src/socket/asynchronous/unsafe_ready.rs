//! Registers a descriptor with tokio, which must stay open for as long as it is registered.
//!
//! Unsafe: tokio cannot see that; here it follows from who owns what. Must never lend out what is registered for
//! writing.

use std::io;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Something that owns a descriptor, and where in it that is.
pub(super) struct Kept<T> {
    what: T,
    descriptor: fn(&T) -> BorrowedFd<'_>,
}

impl<T> Kept<T> {
    pub(super) fn into_inner(self) -> T {
        self.what
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.what
    }
}

impl<T> AsRawFd for Kept<T> {
    fn as_raw_fd(&self) -> RawFd {
        (self.descriptor)(&self.what).as_raw_fd()
    }
}

/// Registers the descriptor of `what`, which never changes it.
pub(super) fn register<T>(
    what: T,
    descriptor: fn(&T) -> BorrowedFd<'_>,
    interest: Interest,
) -> io::Result<AsyncFd<Kept<T>>> {
    let kept = Kept { what, descriptor };
    // SAFETY: the descriptor is borrowed from `what`, so that it is open while `what` lives, which the registration
    // owns. Nobody reaches `what` but by shared reference, by which none of the types registered here (descriptors
    // themselves, or fields without interior mutability) replaces it.
    let registered = unsafe { AsyncFd::register_with_interest(kept, interest) };
    Ok(registered?)
}

//! setsockopt(2) for the options that rustix has no name for.
//!
//! Unsafe: the kernel reads a C value by pointer and length. Must never be called on the way of a frame.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sets an option of a level.
pub(crate) fn set_option<T>(
    socket: BorrowedFd<'_>,
    level: i32,
    option: i32,
    value: &T,
) -> io::Result<()> {
    // SAFETY: the kernel reads size_of::<T>() octets of a live value.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

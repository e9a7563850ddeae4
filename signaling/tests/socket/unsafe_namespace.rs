//! A network namespace of the test's own, on the test's own thread.
//!
//! Unsafe: unshare(2) changes the calling thread alone. Everything made in the namespace goes away with
//! the thread and its sockets.

use std::io;

/// Moves the calling thread into a new network namespace.
pub fn enter_new() -> io::Result<()> {
    // SAFETY: CLONE_NEWNET moves only this thread; no memory is concerned.
    match unsafe { libc::unshare(libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

//! A thread's scheduling attributes, by sched_setattr(2) and sched_getattr(2).
//!
//! Unsafe lives here because neither rustix nor the C library of the distributions that this runs on
//! has these calls. Must never decide what is set.

use std::io;

use rustix::thread::Pid;

/// As the kernel takes and gives them, first version of the structure.
pub type Attributes = libc::sched_attr;

/// Octets of [`Attributes`], which the kernel tells versions apart by.
const OCTETS: u32 = 48;
const _: () = assert!(size_of::<Attributes>() == OCTETS as usize);

/// Attributes of no meaning yet, of the right size.
pub fn blank() -> Attributes {
    Attributes {
        size: OCTETS,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    }
}

/// Gives `thread` these attributes.
///
/// # Errors
///
/// The kernel's answer.
pub fn set(thread: Pid, attributes: &Attributes) -> io::Result<()> {
    let none: libc::c_uint = 0;
    // SAFETY: the structure is alive over the call and as long as its size says; the kernel reads it and
    // keeps nothing of it.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_sched_setattr,
            thread.as_raw_nonzero().get(),
            std::ptr::from_ref(attributes),
            none,
        )
    };
    result(answer)
}

/// The attributes of `thread`.
///
/// # Errors
///
/// The kernel's answer.
pub fn get(thread: Pid) -> io::Result<Attributes> {
    let mut attributes = blank();
    let none: libc::c_uint = 0;
    // SAFETY: the structure is alive over the call, and the kernel writes at most the OCTETS that it is
    // told; every pattern of bits in it is a value.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_sched_getattr,
            thread.as_raw_nonzero().get(),
            std::ptr::from_mut(&mut attributes),
            OCTETS,
            none,
        )
    };
    result(answer).map(|()| attributes)
}

fn result(answer: libc::c_long) -> io::Result<()> {
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

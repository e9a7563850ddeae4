//! Packet sockets: binding, address, filter (packet(7)).
//!
//! Unsafe: these calls take pointers to C structures, for which rustix has no name. Each points to values that live
//! across the call. Must never be called on the way of a frame.

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use super::filter::Instruction;
use super::frame;

/// What a bound socket knows of its interface.
pub(super) struct Bound {
    /// Its index; another than was bound to: it is gone.
    pub(super) interface: u32,
    /// Kind of hardware (ARPHRD_ of linux/if_arp.h).
    pub(super) hardware: u16,
    /// Its MAC address, if that is as long as one.
    pub(super) mac: Option<[u8; 6]>,
}

/// Binds to an interface; frames of PI DSS are received from now on.
pub(super) fn bind(socket: BorrowedFd<'_>, interface: u32) -> io::Result<Bound> {
    let mut address = no_address();
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = frame::ETHERTYPE.to_be();
    address.sll_ifindex = interface.cast_signed();
    // SAFETY: a live sockaddr_ll and its size.
    let answer = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            std::ptr::from_ref(&address).cast(),
            ADDRESS_OCTETS,
        )
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    bound(socket)
}

/// What a socket is bound to.
pub(super) fn bound(socket: BorrowedFd<'_>) -> io::Result<Bound> {
    let (mut address, mut octets) = (no_address(), ADDRESS_OCTETS);
    // SAFETY: the kernel writes at most `octets` octets of a live sockaddr_ll, in which any octets are valid.
    let answer = unsafe {
        libc::getsockname(
            socket.as_raw_fd(),
            std::ptr::from_mut(&mut address).cast(),
            &raw mut octets,
        )
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    let mac = address.sll_addr.first_chunk().copied();
    Ok(Bound {
        interface: address.sll_ifindex.cast_unsigned(),
        hardware: address.sll_hatype,
        mac: mac.filter(|_| address.sll_halen == 6),
    })
}

const ADDRESS_OCTETS: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

fn no_address() -> libc::sockaddr_ll {
    // SAFETY: sockaddr_ll is plain old data; all zeroes is a valid value.
    unsafe { std::mem::zeroed() }
}

/// Hands a program of the packet filter to the kernel, which copies it and puts it in place of one before.
pub(super) fn set_filter(socket: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel reads a live sock_fprog of this size and as many instructions as it says, which live across
    // the call; it writes none.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            std::ptr::from_ref(&program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

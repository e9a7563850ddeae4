//! Frames as they leave an interface or come in by one, each with the kernel's time stamp.
//!
//! What leaves is stamped where the queueing discipline hands it to the driver, what comes in where the driver hands it
//! to the stack (packet(7), SO_TIMESTAMPNS of socket(7)). Must never change when a frame leaves.
//!
//! Unsafe because neither std nor rustix has the socket options of packets and the control messages; each call below
//! hands the kernel pointers to live local values with their true sizes.

use std::io::{Error, ErrorKind};
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

use anyhow::{Context, Result, bail, ensure};

use crate::PacketSocket;

/// PACKET_IGNORE_OUTGOING of linux/if_packet.h.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

/// Room for control messages, aligned as `cmsghdr` asks: the stamp takes 32 octets.
#[repr(align(8))]
struct Control([u8; 64]);

/// Gives what is sent through `socket` from now on the priority (SO_PRIORITY) by which Linux finds its traffic class.
///
/// # Errors
/// Above 6 it takes CAP_NET_ADMIN.
pub fn set_priority(socket: &PacketSocket, priority: u8) -> Result<()> {
    socket.set(libc::SOL_SOCKET, libc::SO_PRIORITY, priority.into())
}

/// See the module.
#[derive(Debug)]
pub struct Departures {
    socket: PacketSocket,
}

impl Departures {
    /// Watches `interface` from now on.
    ///
    /// # Errors
    /// No such interface, or no permission.
    pub fn watch(interface: &str) -> Result<Self> {
        let socket = PacketSocket::open(interface)?;
        socket.set(libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, 0)?;
        socket.set(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        Ok(Self { socket })
    }

    /// The next frame, copied into `buffer`, and its stamp in ns of CLOCK_REALTIME; `None` if none is there.
    ///
    /// # Errors
    /// The interface went down or away, or frames were lost here.
    pub fn next<'a>(&self, buffer: &'a mut [u8]) -> Result<Option<(&'a [u8], u64)>> {
        let mut control = Control([0; 64]);
        let mut part = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        // SAFETY: msghdr is plain old data; all zeros is a value.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = control.0.len();
        // SAFETY: `message` names one live buffer and one live control buffer, both with their true sizes.
        let got = unsafe {
            libc::recvmsg(
                self.socket.as_fd().as_raw_fd(),
                &raw mut message,
                libc::MSG_DONTWAIT,
            )
        };
        let Ok(got) = usize::try_from(got) else {
            let error = Error::last_os_error();
            if error.kind() == ErrorKind::WouldBlock {
                let lost = self.socket.overflowed()?;
                ensure!(lost == 0, "the watching socket lost {lost} frames");
                return Ok(None);
            }
            return Err(error).context("receive");
        };
        ensure!(
            message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) == 0,
            "a frame longer than {} octets",
            buffer.len()
        );
        // SAFETY: the kernel filled `message`, whose control buffer is live.
        let head = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        // SAFETY: `head` is null or points to a whole header in the control buffer.
        let stamped = !head.is_null()
            && unsafe {
                (*head).cmsg_level == libc::SOL_SOCKET && (*head).cmsg_type == libc::SCM_TIMESTAMPNS
            };
        if !stamped {
            bail!("a frame without a time stamp");
        }
        // SAFETY: the data of SCM_TIMESTAMPNS is a timespec, not necessarily aligned.
        let stamp: libc::timespec =
            unsafe { ptr::read_unaligned(libc::CMSG_DATA(head).cast_const().cast()) };
        let seconds = u64::try_from(stamp.tv_sec).context("a stamp before 1970")?;
        let nanoseconds = u64::try_from(stamp.tv_nsec).context("a stamp before 1970")?;
        Ok(Some((
            &buffer[..got],
            seconds * 1_000_000_000 + nanoseconds,
        )))
    }
}

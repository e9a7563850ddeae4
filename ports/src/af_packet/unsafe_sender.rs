//! The socket that sends: sendmmsg(2), past the interface's queueing discipline, or through one that holds
//! each frame until its instant (SO_TXTIME, linux/net_tstamp.h).
//!
//! Unsafe: these calls take pointers to C structures. Each points to values that live across the call.
//! Must never block or allocate on the way of a frame: every transfer says MSG_DONTWAIT.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::net::sockopt;

use super::launch::LaunchTime;
use super::unsafe_socket::{bind, set_option};
use crate::port::BURST;
use crate::unsafe_option;

/// SOF_TXTIME_REPORT_ERRORS of linux/net_tstamp.h.
const REPORT_ERRORS: u32 = 2;
/// Room for reports of frames that were dropped, octets: of about a thousand small ones.
const REPORTS_ROOM: usize = 1 << 20;

/// The control message that gives a frame its instant.
#[repr(C)]
#[derive(Clone, Copy)]
struct Instant {
    header: libc::cmsghdr,
    at_ns: u64,
}

// The layout that CMSG_LEN and CMSG_SPACE of cmsg(3) say.
const _: () = {
    // SAFETY: arithmetic on constants.
    let [len, space] = unsafe { [libc::CMSG_LEN(0), libc::CMSG_SPACE(8)] };
    assert!(std::mem::offset_of!(Instant, at_ns) == len as usize);
    assert!(size_of::<Instant>() == space as usize);
};

/// Room for the control messages of a report: it and the address of who reported.
#[repr(C, align(8))]
struct Reported([u8; 128]);

/// A socket that only sends.
pub(super) struct Sender {
    socket: OwnedFd,
    launch: Option<LaunchTime>,
    late: u64,
}

impl Sender {
    /// With launch time frames go through the interface's queueing discipline, else past it.
    pub(super) fn new(
        socket: OwnedFd,
        interface: u32,
        launch: Option<LaunchTime>,
    ) -> io::Result<Self> {
        match &launch {
            None => set_option(socket.as_fd(), libc::PACKET_QDISC_BYPASS, &1i32)?,
            Some(launch) => {
                let reports = launch.drops_late();
                let txtime = libc::sock_txtime {
                    clockid: launch.clock(),
                    flags: if reports { REPORT_ERRORS } else { 0 },
                };
                let fd = socket.as_fd();
                unsafe_option::set_option(fd, libc::SOL_SOCKET, libc::SO_TXTIME, &txtime)?;
                if reports {
                    sockopt::set_socket_recv_buffer_size_force(fd, REPORTS_ROOM)
                        .or_else(|_| sockopt::set_socket_recv_buffer_size(fd, REPORTS_ROOM))?;
                }
            }
        }
        bind(socket.as_fd(), interface, false)?;
        Ok(Self {
            socket,
            launch,
            late: 0,
        })
    }

    pub(super) fn launch(&self) -> Option<&LaunchTime> {
        self.launch.as_ref()
    }

    /// True where "no buffers" says that a frame came too late: what it was given had passed.
    pub(super) fn drops_late(&self) -> bool {
        self.launch.as_ref().is_some_and(LaunchTime::drops_late)
    }

    /// Frames that the discipline took and dropped later, because it came to them too late, as far as
    /// [`look_after`](Self::look_after) has read.
    pub(super) fn late(&self) -> u64 {
        self.late
    }

    /// Reads the reports of dropped frames, and measures the clocks. Not for the frame path.
    pub(super) fn look_after(&mut self) {
        let Some(launch) = &mut self.launch else {
            return;
        };
        launch.measure();
        if launch.drops_late() {
            while let Some(control) = report(&self.socket) {
                self.late += u64::from(is_missed(&control));
            }
        }
    }

    /// Sends up to [`BURST`] of the frames, each with its start, by one system call. Returns how many the
    /// system took, at least 1.
    pub(super) fn send<'a>(
        &mut self,
        frames: impl Iterator<Item = (&'a [u8], u64)>,
    ) -> io::Result<usize> {
        let mut pieces = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }; BURST];
        // SAFETY: a cmsghdr is plain old data; all zeroes is a valid value.
        let mut header: libc::cmsghdr = unsafe { std::mem::zeroed() };
        header.cmsg_len = size_of::<Instant>() as _;
        header.cmsg_level = libc::SOL_SOCKET;
        header.cmsg_type = libc::SCM_TXTIME;
        let mut instants = [Instant { header, at_ns: 0 }; BURST];
        let mut count = 0;
        for ((piece, instant), (frame, start_ns)) in
            pieces.iter_mut().zip(&mut instants).zip(frames)
        {
            piece.iov_base = frame.as_ptr().cast_mut().cast();
            piece.iov_len = frame.len();
            if let Some(launch) = &mut self.launch {
                instant.at_ns = launch.instant_ns(start_ns);
            }
            count += 1;
        }
        let (first, first_instant) = (pieces.as_mut_ptr(), instants.as_mut_ptr());
        let is_timed = self.launch.is_some();
        let mut messages: [libc::mmsghdr; BURST] = std::array::from_fn(|i| {
            // SAFETY: mmsghdr is plain old data; all zeroes is a valid value (no address, no control data).
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            // SAFETY: `pieces` has BURST elements and i < BURST.
            message.msg_hdr.msg_iov = unsafe { first.add(i) };
            message.msg_hdr.msg_iovlen = 1;
            if is_timed {
                // SAFETY: as above, of `instants`.
                message.msg_hdr.msg_control = unsafe { first_instant.add(i) }.cast();
                message.msg_hdr.msg_controllen = size_of::<Instant>() as _;
            }
            message
        });
        // SAFETY: the first `count` messages point to pieces that point to frames borrowed across the call,
        // and to instants of this function; sending only reads them.
        let sent = unsafe {
            libc::sendmmsg(
                self.socket.as_raw_fd(),
                messages.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// The control messages of the next report of the socket, if there is one.
fn report(socket: &OwnedFd) -> Option<Reported> {
    let mut control = Reported([0; 128]);
    // SAFETY: msghdr is plain old data; all zeroes is a valid value: no address, and no place for octets of
    // the frame, which are cut.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = control.0.len() as _;
    // SAFETY: the kernel writes at most `msg_controllen` octets of live memory.
    let octets = unsafe {
        libc::recvmsg(
            socket.as_raw_fd(),
            &raw mut message,
            libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
        )
    };
    (octets >= 0).then_some(control)
}

/// True where the first control message is a `struct sock_extended_err` that says: the discipline had
/// taken a frame and came to it too late. (One it did not take was refused to the caller already.)
fn is_missed(control: &Reported) -> bool {
    /// Of `ee_origin` and `ee_code` behind the header of the message.
    const ORIGIN: usize = 4;
    const CODE: usize = 6;
    const ORIGIN_TXTIME: u8 = 6;
    const TXTIME_MISSED: u8 = 2;
    const HEADER: usize = std::mem::offset_of!(Instant, at_ns);
    control.0[HEADER + ORIGIN] == ORIGIN_TXTIME && control.0[HEADER + CODE] == TXTIME_MISSED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_by_its_origin_and_code() {
        let reported = |origin: u8, code: u8| {
            let mut control = Reported([0; 128]);
            // cmsg_len 32, SOL_PACKET, PACKET_TX_TIMESTAMP; ECANCELED, origin, type 0, code.
            let message = [[32, 0, 0, 0, 0, 0, 0, 0], [7, 1, 0, 0, 16, 0, 0, 0]];
            control.0[..16].copy_from_slice(message.as_flattened());
            control.0[16..24].copy_from_slice(&[125, 0, 0, 0, origin, 0, code, 0]);
            is_missed(&control)
        };
        if cfg!(all(target_pointer_width = "64", target_endian = "little")) {
            assert!(reported(6, 2));
            // What was refused at once, and what is a time stamp.
            assert!(!reported(6, 1) && !reported(4, 2));
        }
    }
}

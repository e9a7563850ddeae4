//! A raw AF_PACKET socket on one interface: what goes in is sent, what comes in is seen, octet for octet.
//!
//! Unsafe because neither std nor rustix has `sockaddr_ll` and the packet socket options; each call below hands the
//! kernel pointers to live local values with their true sizes. Must never interpret a frame.

use std::ffi::CString;
use std::io::{Error, ErrorKind};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// PACKET_IGNORE_OUTGOING of linux/if_packet.h: frames that this host sends are not shown.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
/// Receive buffer, octets: a second of any test's load.
const RECEIVE_BUFFER: libc::c_int = 64 << 20;

/// See the module.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl PacketSocket {
    /// Opens a socket that sends on and receives from `interface` of the calling thread's namespace.
    ///
    /// # Errors
    /// No such interface, or no permission.
    pub fn open(interface: &str) -> Result<Self> {
        let name = CString::new(interface).context("interface name")?;
        // SAFETY: `name` is a live NUL-terminated string.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        ensure!(
            index != 0,
            "no interface {interface}: {}",
            Error::last_os_error()
        );
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        // SAFETY: no pointers. Protocol 0: nothing is received before bind, so nothing of another interface.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        ensure!(fd >= 0, "no packet socket: {}", Error::last_os_error());
        // SAFETY: `fd` was just opened and is owned by nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let socket = Self { fd };
        socket.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER)?;
        socket.set(libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, RECEIVE_BUFFER)?;
        socket.set(libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)?;
        // SAFETY: sockaddr_ll is plain old data; all zeros is a value.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = i32::try_from(index).context("interface index")?;
        // SAFETY: `address` is live and its size is given.
        let bound = unsafe {
            libc::bind(
                socket.fd.as_raw_fd(),
                (&raw const address).cast(),
                mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        ensure!(
            bound == 0,
            "cannot bind to {interface}: {}",
            Error::last_os_error()
        );
        Ok(socket)
    }

    /// Sets a socket option of an int.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub(crate) fn set(
        &self,
        level: libc::c_int,
        option: libc::c_int,
        value: libc::c_int,
    ) -> Result<()> {
        // SAFETY: `value` is live and its size is given.
        let done = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                level,
                option,
                (&raw const value).cast(),
                mem::size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        ensure!(
            done == 0,
            "socket option {option}: {}",
            Error::last_os_error()
        );
        Ok(())
    }

    /// Sends one frame; waits while the interface's queue is full.
    ///
    /// # Errors
    /// The interface refuses the frame.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        loop {
            // SAFETY: `frame` is live for the call and its length is given.
            let sent =
                unsafe { libc::send(self.fd.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
            if usize::try_from(sent).is_ok_and(|n| n == frame.len()) {
                return Ok(());
            }
            let error = Error::last_os_error();
            let full = error.raw_os_error() == Some(libc::ENOBUFS)
                || error.kind() == ErrorKind::Interrupted
                || error.kind() == ErrorKind::WouldBlock;
            ensure!(full, "send of {} octets: {error}", frame.len());
            std::thread::yield_now();
        }
    }

    /// The next frame received, copied into `buffer`; `None` if none came within `wait`.
    ///
    /// # Errors
    /// The interface went down or away.
    pub fn receive<'a>(&self, buffer: &'a mut [u8], wait: Duration) -> Result<Option<&'a [u8]>> {
        let mut poll = libc::pollfd {
            fd: self.fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        loop {
            // SAFETY: `buffer` is live and writable for its length; MSG_DONTWAIT, so it does not block.
            let got = unsafe {
                libc::recv(
                    self.fd.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    libc::MSG_DONTWAIT,
                )
            };
            if let Ok(got) = usize::try_from(got) {
                return Ok(Some(&buffer[..got]));
            }
            let error = Error::last_os_error();
            match error.kind() {
                ErrorKind::Interrupted => continue,
                ErrorKind::WouldBlock => {}
                _ => return Err(error).context("receive"),
            }
            // SAFETY: one live pollfd, count 1.
            let ready = unsafe { libc::poll(&raw mut poll, 1, wait) };
            if ready == 0 {
                return Ok(None);
            }
        }
    }

    /// Frames that this socket itself lost because its buffer was full, since the last call.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn overflowed(&self) -> Result<u32> {
        // SAFETY: tpacket_stats is plain old data; all zeros is a value.
        let mut stats: libc::tpacket_stats = unsafe { mem::zeroed() };
        let mut length = mem::size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: `stats` and `length` are live and agree.
        let done = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut length,
            )
        };
        ensure!(done == 0, "packet statistics: {}", Error::last_os_error());
        Ok(stats.tp_drops)
    }
}

//! The interface requests of netdevice(7), ethtool and tun, which take a pointer to a C structure.
//!
//! Unsafe: `ioctl` reads and writes what the request code says; each call below pairs one code with the
//! structure the kernel documents for it. Must never be called on the way of a frame.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use libc::{c_int, c_short};

/// IFF_UP of netdevice(7).
pub(crate) const UP: c_int = libc::IFF_UP;
/// IFF_RUNNING of netdevice(7).
pub(crate) const RUNNING: c_int = libc::IFF_RUNNING;

/// ETHTOOL_GCHANNELS of linux/ethtool.h.
const ETHTOOL_GCHANNELS: u32 = 0x3c;

/// `struct ethtool_channels` of linux/ethtool.h.
#[repr(C)]
#[derive(Default)]
struct Channels {
    cmd: u32,
    max: [u32; 4],
    rx: u32,
    tx: u32,
    other: u32,
    combined: u32,
}

fn request(name: &str) -> libc::ifreq {
    // SAFETY: ifreq is plain old data; all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last octet stays zero: the name is a C string.
    for (to, from) in request.ifr_name[..libc::IFNAMSIZ - 1]
        .iter_mut()
        .zip(name.bytes())
    {
        *to = from.cast_signed();
    }
    request
}

/// # Safety
/// `code` must be a request that reads and writes at most an `ifreq` whose union is set for it.
unsafe fn ioctl(
    fd: BorrowedFd<'_>,
    code: libc::Ioctl,
    request: &mut libc::ifreq,
) -> io::Result<()> {
    // SAFETY: the structure lives across the call; the caller vouches for the code.
    let answer = unsafe { libc::ioctl(fd.as_raw_fd(), code, std::ptr::from_mut(request)) };
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Flags of an interface (SIOCGIFFLAGS).
pub(crate) fn flags(fd: BorrowedFd<'_>, name: &str) -> io::Result<c_int> {
    let mut request = request(name);
    // SAFETY: SIOCGIFFLAGS reads the name and writes ifru_flags, which is read after success only.
    unsafe {
        ioctl(fd, libc::SIOCGIFFLAGS as libc::Ioctl, &mut request)?;
        Ok(c_int::from(request.ifr_ifru.ifru_flags) & 0xffff)
    }
}

/// Sets flags of an interface (SIOCSIFFLAGS).
pub(crate) fn set_flags(fd: BorrowedFd<'_>, name: &str, flags: c_int) -> io::Result<()> {
    let mut request = request(name);
    request.ifr_ifru.ifru_flags = flags as c_short;
    // SAFETY: SIOCSIFFLAGS reads the name and ifru_flags.
    unsafe { ioctl(fd, libc::SIOCSIFFLAGS as libc::Ioctl, &mut request) }
}

/// MTU of an interface (SIOCGIFMTU), octets.
pub(crate) fn mtu(fd: BorrowedFd<'_>, name: &str) -> io::Result<u32> {
    let mut request = request(name);
    // SAFETY: SIOCGIFMTU reads the name and writes ifru_mtu, which is read after success only.
    let mtu = unsafe {
        ioctl(fd, libc::SIOCGIFMTU as libc::Ioctl, &mut request)?;
        request.ifr_ifru.ifru_mtu
    };
    Ok(u32::try_from(mtu).unwrap_or(0))
}

/// Sets the MTU of an interface (SIOCSIFMTU), octets.
pub(crate) fn set_mtu(fd: BorrowedFd<'_>, name: &str, mtu: u16) -> io::Result<()> {
    let mut request = request(name);
    request.ifr_ifru.ifru_mtu = c_int::from(mtu);
    // SAFETY: SIOCSIFMTU reads the name and ifru_mtu.
    unsafe { ioctl(fd, libc::SIOCSIFMTU as libc::Ioctl, &mut request) }
}

/// Receive queues of an interface (SIOCETHTOOL, ETHTOOL_GCHANNELS): separate and combined ones.
pub(crate) fn receive_queues(fd: BorrowedFd<'_>, name: &str) -> io::Result<u32> {
    let mut channels = Channels {
        cmd: ETHTOOL_GCHANNELS,
        ..Channels::default()
    };
    let mut request = request(name);
    request.ifr_ifru.ifru_data = std::ptr::from_mut(&mut channels).cast();
    // SAFETY: SIOCETHTOOL with ETHTOOL_GCHANNELS writes one `ethtool_channels` where ifru_data points;
    // `channels` has its layout and outlives the call.
    unsafe { ioctl(fd, libc::SIOCETHTOOL as libc::Ioctl, &mut request)? };
    Ok(channels.rx + channels.combined)
}

/// Makes an open /dev/net/tun the TAP interface `name`, or with `multi_queue` one queue of it (TUNSETIFF),
/// frames without packet information.
pub(crate) fn become_tap(tun: impl AsFd, name: &str, multi_queue: bool) -> io::Result<()> {
    let mut request = request(name);
    let queues = if multi_queue {
        libc::IFF_MULTI_QUEUE
    } else {
        0
    };
    request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI | queues) as c_short;
    // SAFETY: TUNSETIFF reads and writes one ifreq: the name and ifru_flags.
    unsafe { ioctl(tun.as_fd(), libc::TUNSETIFF as libc::Ioctl, &mut request) }
}

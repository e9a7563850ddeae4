//! Map, program and link of AF_XDP by bpf(2).
//!
//! Unsafe: bpf(2) takes a pointer to one member of a union and its size; each structure below is that
//! member as linux/bpf.h lays it out, cut after the last field used (the kernel takes the rest as zero).
//! Must never be called on the way of a frame.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::program;

/// Commands of bpf(2).
const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;

const MAP_TYPE_XSKMAP: u32 = 17;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
}

#[repr(C)]
struct MapUpdate {
    map_fd: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct ProgramLoad {
    kind: u32,
    instructions: u32,
    first: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
}

#[repr(C)]
struct LinkCreate {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

/// # Safety
/// `attributes` must be the union member of `command`, and the pointers in it valid for the call.
unsafe fn bpf<T>(command: libc::c_int, attributes: &T) -> io::Result<libc::c_int> {
    // SAFETY: a live structure and its size; the caller vouches for the rest.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<T>(),
        )
    };
    libc::c_int::try_from(answer)
        .ok()
        .filter(|a| *a >= 0)
        .ok_or_else(io::Error::last_os_error)
}

/// # Safety
/// As [`bpf`], for a command that returns a new descriptor.
unsafe fn bpf_open<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the caller's promise is passed on; a descriptor just made has no other owner.
    unsafe { Ok(OwnedFd::from_raw_fd(bpf(command, attributes)?)) }
}

fn descriptor(fd: &impl AsRawFd) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// From receive queue to AF_XDP socket.
pub(super) struct SocketMap(OwnedFd);

impl SocketMap {
    pub(super) fn new(queues: u32) -> io::Result<Self> {
        let attributes = MapCreate {
            map_type: MAP_TYPE_XSKMAP,
            key_size: 4,
            value_size: 4,
            max_entries: queues,
            map_flags: 0,
        };
        // SAFETY: the attributes of BPF_MAP_CREATE hold no pointers.
        unsafe { bpf_open(MAP_CREATE, &attributes) }.map(Self)
    }

    /// Frames of the queue go to the socket from here on.
    pub(super) fn insert(&self, queue: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
        let value = socket.as_raw_fd();
        let attributes = MapUpdate {
            map_fd: descriptor(&self.0),
            padding: 0,
            key: (&raw const queue).addr() as u64,
            value: (&raw const value).addr() as u64,
            flags: 0,
        };
        // SAFETY: key and value are four octets each, as the map was made, and live across the call.
        unsafe { bpf(MAP_UPDATE_ELEM, &attributes) }.map(|_| ())
    }

    /// Loads the program that sends frames to this map.
    pub(super) fn program(&self) -> io::Result<Program> {
        let instructions = program::redirect(self.0.as_raw_fd());
        let mut name = [0; 16];
        name[..10].copy_from_slice(b"pinode_xsk");
        let attributes = ProgramLoad {
            kind: PROG_TYPE_XDP,
            instructions: instructions.len() as u32,
            first: instructions.as_ptr().addr() as u64,
            license: c"Apache-2.0 OR MIT".as_ptr().addr() as u64,
            log_level: 0,
            log_size: 0,
            log: 0,
            kernel_version: 0,
            flags: 0,
            name,
            interface: 0,
            attach_type: ATTACH_XDP,
        };
        // SAFETY: `first` points to `instructions` live instructions, `license` to a C string, the log is off.
        unsafe { bpf_open(PROG_LOAD, &attributes) }.map(Program)
    }
}

/// Where a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// In the driver.
    Native,
    /// In front of the host's stack, on a frame the driver has already made a socket buffer of.
    Generic,
}

/// A loaded XDP program.
pub(super) struct Program(OwnedFd);

impl Program {
    /// Attaches it to an interface for as long as the link lives.
    pub(super) fn attach(&self, interface: u32, mode: Mode) -> io::Result<Link> {
        // XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE of linux/if_link.h.
        let flags = match mode {
            Mode::Generic => 1 << 1,
            Mode::Native => 1 << 2,
        };
        let attributes = LinkCreate {
            program: descriptor(&self.0),
            interface,
            attach_type: ATTACH_XDP,
            flags,
        };
        // SAFETY: the attributes of BPF_LINK_CREATE hold no pointers.
        let link = unsafe { bpf_open(LINK_CREATE, &attributes)? };
        Ok(Link { _link: link, mode })
    }
}

/// An attached program; it is detached when this goes away.
pub(super) struct Link {
    _link: OwnedFd,
    mode: Mode,
}

impl Link {
    pub(super) fn mode(&self) -> Mode {
        self.mode
    }
}

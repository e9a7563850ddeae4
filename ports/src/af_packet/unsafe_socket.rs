//! Packet sockets: options, binding, receiving (packet(7)).
//!
//! Unsafe: these calls take pointers to C structures. Each points to values that live across the call.
//! Must never block: every transfer says MSG_DONTWAIT.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::sockopt;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socket_with};

use super::spread::{self, Instruction};
use crate::error::{Blame, PortError};
use crate::unsafe_option;

/// ETH_P_ALL in network order.
const ALL_PROTOCOLS: u16 = (libc::ETH_P_ALL as u16).to_be();

/// A packet socket that receives nothing yet.
pub(crate) fn open(blame: &Blame) -> Result<OwnedFd, PortError> {
    socket_with(
        AddressFamily::PACKET,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(|e| blame.refused("open a packet socket", "cap_net_raw", e))
}

/// Sets an option of the packet level.
pub(super) fn set_option<T>(socket: BorrowedFd<'_>, option: i32, value: &T) -> io::Result<()> {
    unsafe_option::set_option(socket, libc::SOL_PACKET, option, value)
}

/// Makes an interface promiscuous until the socket is closed.
pub(crate) fn promiscuous(socket: BorrowedFd<'_>, interface: u32) -> io::Result<()> {
    let membership = libc::packet_mreq {
        mr_ifindex: interface.cast_signed(),
        mr_type: libc::PACKET_MR_PROMISC as u16,
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_option(socket, libc::PACKET_ADD_MEMBERSHIP, &membership)
}

/// Options of a receiving socket, before its ring is made: TPACKET_V2, no copies of what this host sends,
/// an offload header in front of each frame, whole super-frames kept in `super_room` octets. One that will
/// be `shared` receives nothing before [`fan_out`].
pub(super) fn prepare_receive(
    socket: BorrowedFd<'_>,
    super_room: u32,
    shared: bool,
) -> io::Result<()> {
    if shared {
        set_program(
            socket,
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            &spread::nothing(),
        )?;
    }
    set_option(
        socket,
        libc::PACKET_VERSION,
        &(libc::tpacket_versions::TPACKET_V2 as i32),
    )?;
    set_option(socket, libc::PACKET_IGNORE_OUTGOING, &1i32)?;
    set_option(socket, libc::PACKET_VNET_HDR, &1i32)?;
    set_option(socket, libc::PACKET_COPY_THRESH, &1i32)?;
    // Beyond rmem_max with cap_net_admin; without it super-frames have less room.
    let room = super_room as usize;
    sockopt::set_socket_recv_buffer_size_force(socket, room)
        .or_else(|_| sockopt::set_socket_recv_buffer_size(socket, room))?;
    Ok(())
}

/// Binds a packet socket to an interface; it receives all protocols or none.
pub(super) fn bind(socket: BorrowedFd<'_>, interface: u32, receives: bool) -> io::Result<()> {
    // SAFETY: sockaddr_ll is plain old data; all zeroes is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = if receives { ALL_PROTOCOLS } else { 0 };
    address.sll_ifindex = interface.cast_signed();
    // SAFETY: a live sockaddr_ll and its size.
    let answer = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            std::ptr::from_ref(&address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if answer < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Hands a program of the packet filter to the kernel, which copies it.
fn set_program(
    socket: BorrowedFd<'_>,
    level: i32,
    option: i32,
    program: &[Instruction],
) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: program.as_ptr().cast_mut(),
    };
    // The kernel only reads the instructions, which live across the call.
    unsafe_option::set_option(socket, level, option, &program)
}

/// Spreads the frames of an interface over bound sockets that receive nothing yet, and lets them receive:
/// no frame comes twice, and none of this host's own.
pub(super) fn fan_out(sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    // PACKET_FANOUT_CBPF, PACKET_FANOUT_FLAG_UNIQUEID of linux/if_packet.h.
    const CBPF: u32 = 6;
    const UNIQUE: u32 = 0x2000;
    let Some((first, others)) = sockets.split_first() else {
        return Ok(());
    };
    // The kernel chooses a group that nobody has: number in the lower half, kind in the upper.
    set_option(*first, libc::PACKET_FANOUT, &((CBPF | UNIQUE) << 16))?;
    set_program(
        *first,
        libc::SOL_PACKET,
        libc::PACKET_FANOUT_DATA,
        &spread::flow(),
    )?;
    let group = get_fanout(*first)? & 0xffff | CBPF << 16;
    for socket in others {
        set_option(*socket, libc::PACKET_FANOUT, &group)?;
    }
    for socket in sockets {
        let program = spread::incoming();
        set_program(*socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)?;
    }
    Ok(())
}

/// Group of a socket.
fn get_fanout(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut group = 0u32;
    let mut len = size_of::<u32>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` octets of a live u32.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_FANOUT,
            (&raw mut group).cast(),
            &raw mut len,
        )
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(group)
}

/// Receives one whole frame behind its offload header; its octets with the header.
pub(super) fn receive(socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    let (len, _) = recv(socket, into, RecvFlags::DONTWAIT)?;
    Ok(len)
}

/// Frames that found the ring full since the last call (PACKET_STATISTICS).
pub(super) fn drops(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut statistics = libc::tpacket_stats {
        tp_packets: 0,
        tp_drops: 0,
    };
    let mut len = size_of::<libc::tpacket_stats>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `len` octets of a live tpacket_stats.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            std::ptr::from_mut(&mut statistics).cast(),
            &raw mut len,
        )
    };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u64::from(statistics.tp_drops))
}

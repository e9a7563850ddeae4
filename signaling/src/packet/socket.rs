//! A packet socket on one interface that receives the frames of one label.
//!
//! Must never receive a frame of another label or interface, also not between opening and binding.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netdevice, recv, send,
    socket_with, sockopt,
};
use thiserror::Error;

use super::{filter, unsafe_socket};
use crate::ready;

/// Octets of frames that may wait to be received, as the kernel counts them: more than the headers.
const RECEIVE_ROOM: usize = 4 << 20;
/// More frames than have room, each with its headers (`struct sk_buff`).
const WAITING: usize = 2 * RECEIVE_ROOM / 256;

/// An interface of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interface {
    /// By its name.
    Name(String),
    /// By its index.
    Index(u32),
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Index(index) => write!(f, "number {index}"),
        }
    }
}

/// Why there is no packet socket.
#[derive(Debug, Error)]
pub enum PacketError {
    /// No such interface.
    #[error("there is no interface {interface}; `ip link` lists those that are")]
    NoInterface {
        /// Which.
        interface: Interface,
    },
    /// It carries no frames of Ethernet.
    #[error("interface {interface} is of hardware type {hardware}; allowed: Ethernet")]
    NotEthernet {
        /// Which.
        interface: Interface,
        /// ARPHRD_ of linux/if_arp.h.
        hardware: u16,
    },
    /// The kernel said no.
    #[error("cannot {action} on interface {interface}: {source}; needed: cap_net_raw")]
    Refused {
        /// What was tried.
        action: &'static str,
        /// Where.
        interface: Interface,
        /// Why not.
        source: io::Error,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Socket {
    socket: OwnedFd,
    index: u32,
    mac: [u8; 6],
}

impl Socket {
    /// Opens a socket on an interface for the frames of this label.
    ///
    /// # Errors
    /// See [`PacketError`].
    pub fn open(interface: &Interface, label: u32) -> Result<Self, PacketError> {
        let refused = |action| {
            move |source: io::Error| PacketError::Refused {
                action,
                interface: interface.clone(),
                source,
            }
        };
        let no_interface = || PacketError::NoInterface {
            interface: interface.clone(),
        };
        // Without a protocol nothing is received before it is bound.
        let socket = socket_with(
            AddressFamily::PACKET,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .map_err(|error| refused("open a packet socket")(error.into()))?;
        let index = match interface {
            Interface::Name(name) => {
                netdevice::name_to_index(&socket, name).map_err(|_| no_interface())?
            }
            Interface::Index(index) => *index,
        };
        unsafe_socket::set_filter(socket.as_fd(), &filter::label(label))
            .map_err(refused("choose frames"))?;
        // Beyond rmem_max with cap_net_admin; without it there is less room.
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_ROOM)
            .or_else(|_| sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_ROOM));
        // Index 0 would be all interfaces.
        if index == 0 {
            return Err(no_interface());
        }
        let bound = match unsafe_socket::bind(socket.as_fd(), index) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => return Err(no_interface()),
            bound => bound.map_err(refused("receive frames"))?,
        };
        let is_ethernet = matches!(bound.hardware, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK);
        let mac = bound.mac.filter(|_| is_ethernet);
        Ok(Self {
            index,
            mac: mac.ok_or(PacketError::NotEthernet {
                interface: interface.clone(),
                hardware: bound.hardware,
            })?,
            socket,
        })
    }

    /// Index of its interface.
    #[must_use]
    pub fn interface(&self) -> u32 {
        self.index
    }

    /// MAC address of its interface.
    #[must_use]
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// Sends one frame, from its destination MAC on, without FCS.
    ///
    /// # Errors
    /// `WouldBlock`: too much of this socket waits to be sent; the descriptor becomes writable when it is less.
    /// `ENOBUFS`: the interface's queue is full. `EMSGSIZE`: the frame is longer than the interface's MTU has it. Else
    /// the interface is down or gone.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        loop {
            match send(&self.socket, frame, SendFlags::DONTWAIT) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Receives one frame: its octets, from the destination MAC on, without FCS. None: there is none yet, and the
    /// descriptor becomes readable when there is.
    ///
    /// # Errors
    /// `InvalidData`: the frame is longer than `into`, and lost. Else the interface is down or gone.
    pub fn receive(&self, into: &mut [u8]) -> io::Result<Option<usize>> {
        let room = into.len();
        loop {
            let flags = RecvFlags::TRUNC | RecvFlags::DONTWAIT;
            return match recv(&self.socket, &mut *into, flags) {
                Ok((_, octets)) if octets > room => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a frame of {octets} octets; allowed: up to {room}"),
                )),
                Ok((_, octets)) => Ok(Some(octets)),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Ok(None),
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Receives one frame, and waits so long for it; none: there was none.
    ///
    /// # Errors
    /// See [`receive`](Self::receive).
    pub fn receive_within(&self, into: &mut [u8], time: Duration) -> io::Result<Option<usize>> {
        let until = Instant::now().checked_add(time);
        loop {
            if let Some(octets) = self.receive(into)? {
                return Ok(Some(octets));
            }
            if !ready::wait([(self.as_fd(), ready::For::IN)], until)? {
                return Ok(None);
            }
        }
    }

    /// Lets no more frames in. Those that have come are still received.
    ///
    /// # Errors
    /// The kernel has no memory.
    pub fn shut(&self) -> io::Result<()> {
        unsafe_socket::set_filter(self.as_fd(), &filter::nothing())
    }

    /// Receives the frames of this label from now on, and none that came before.
    pub(super) fn again(&self, label: u32) -> io::Result<()> {
        self.shut()?;
        let bound = unsafe_socket::bound(self.as_fd())?;
        if (bound.interface, bound.mac) != (self.index, Some(self.mac)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // What has room for no octet of a frame leaves it all.
        for _ in 0..WAITING {
            match self.receive(&mut []) {
                Ok(None) => return unsafe_socket::set_filter(self.as_fd(), &filter::label(label)),
                Err(error) if error.kind() != io::ErrorKind::InvalidData => return Err(error),
                Ok(Some(_)) | Err(_) => {}
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

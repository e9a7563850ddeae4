//! A control socket: whole messages in and out, with the descriptors that go with them.
//!
//! Never blocks; descriptors that no message asks for are closed where they arrive.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    accept_with, bind, connect, listen, recvmsg, sendmsg, socket_with,
};

use super::message::{MESSAGE_OCTETS, Message};
use super::options::MemifSpec;
use super::refusal::Refusal;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 8;

/// The socket's address.
pub(super) fn address(spec: &MemifSpec) -> io::Result<SocketAddrUnix> {
    let address = if spec.is_abstract() {
        SocketAddrUnix::new_abstract_name(spec.socket().as_os_str().as_encoded_bytes())
    } else {
        SocketAddrUnix::new(spec.socket())
    };
    Ok(address?)
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

/// A socket that slaves connect to.
pub(super) fn listener(address: &SocketAddrUnix) -> io::Result<OwnedFd> {
    let socket = socket()?;
    bind(&socket, address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// What came out of a socket.
#[derive(Debug)]
pub(super) enum Arrived {
    Message(Message, Option<OwnedFd>),
    Nothing,
    /// The peer is no longer there.
    Gone,
    Wrong(Refusal),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl Channel {
    /// To a master, if one listens.
    pub(super) fn connect(address: &SocketAddrUnix) -> io::Result<Self> {
        let socket = socket()?;
        connect(&socket, address)?;
        Ok(Self(socket))
    }

    /// To the next slave that waits.
    pub(super) fn accept(listener: BorrowedFd<'_>) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        Ok(Self(accept_with(listener, flags)?))
    }

    pub(super) fn send(
        &self,
        message: &Message,
        descriptor: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let octets = message.encode();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let passed = descriptor.as_slice();
        if !passed.is_empty() {
            control.push(SendAncillaryMessage::ScmRights(passed));
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        sendmsg(&self.0, &[IoSlice::new(&octets)], &mut control, flags)?;
        Ok(())
    }

    pub(super) fn receive(&self) -> Arrived {
        let mut octets = [0; MESSAGE_OCTETS];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received = {
            let mut room = [IoSliceMut::new(&mut octets)];
            recvmsg(&self.0, &mut room, &mut control, flags)
        };
        let received = match received {
            Ok(received) => received,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Arrived::Nothing,
            Err(_) => return Arrived::Gone,
        };
        let mut descriptor = None;
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(passed) = message {
                descriptor = passed.last();
            }
        }
        let cut = received.flags.contains(ReturnFlags::TRUNC);
        match received.bytes {
            0 => Arrived::Gone,
            MESSAGE_OCTETS if !cut => match Message::decode(&octets) {
                Ok(message) => Arrived::Message(message, descriptor),
                Err(refusal) => Arrived::Wrong(refusal),
            },
            octets => Arrived::Wrong(Refusal::MessageSize {
                octets: octets + usize::from(cut),
            }),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

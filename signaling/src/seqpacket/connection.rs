//! One connection: a packet holds one message.
//!
//! Must never block: what cannot be sent or is not there yet says so, and the descriptor tells when to come again.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType,
    connect, recv, send, shutdown, socket_with, socketpair,
};

pub(super) const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// See the module.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
}

/// What there is to receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// A message of so many octets.
    Message(usize),
    /// Nothing yet: the descriptor becomes readable when there is.
    Nothing,
    /// The other side has closed the connection, or is gone.
    End,
}

impl Connection {
    /// Connects to the socket of this path.
    ///
    /// # Errors
    /// Nobody listens there, or too many wait there already (`WouldBlock`).
    pub fn connect(path: &Path) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Ok(Self { socket })
    }

    /// Two ends of a connection, one of which may be handed to a child.
    ///
    /// # Errors
    /// There are too many descriptors.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?;
        Ok((Self { socket: one }, Self { socket: other }))
    }

    /// Sends one message, all of it or nothing.
    ///
    /// # Errors
    /// `WouldBlock`: the other side has too much to read already; the descriptor becomes writable when it has less.
    /// `InvalidInput`: no octet, which could not be told from the end. Else the other side is gone.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        if message.is_empty() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        loop {
            match send(
                &self.socket,
                message,
                SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            ) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Receives one message.
    ///
    /// # Errors
    /// `InvalidData`: the message is longer than `into`, and lost. Else the connection is broken.
    pub fn receive(&self, into: &mut [u8]) -> io::Result<Received> {
        let room = into.len();
        loop {
            let flags = RecvFlags::TRUNC | RecvFlags::DONTWAIT;
            return match recv(&self.socket, &mut *into, flags) {
                Ok((_, 0)) => Ok(Received::End),
                Ok((_, octets)) if octets > room => Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a message of {octets} octets; allowed: 1 to {room}"),
                )),
                Ok((_, octets)) => Ok(Received::Message(octets)),
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Ok(Received::Nothing),
                // It went without reading what it was sent.
                Err(Errno::CONNRESET) => Ok(Received::End),
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Ends the connection both ways, for all who hold it. The other side still reads what it was sent.
    pub fn end(&self) {
        // It may have ended already.
        let _ = shutdown(&self.socket, Shutdown::Both);
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl From<Connection> for OwnedFd {
    fn from(connection: Connection) -> Self {
        connection.socket
    }
}

impl From<OwnedFd> for Connection {
    /// A connection that another process has made, or [`Connection::pair`] in a parent.
    fn from(socket: OwnedFd) -> Self {
        Self { socket }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_kept_apart_and_the_end_comes_last() {
        let (one, other) = Connection::pair().unwrap();
        let mut into = [0; 8];
        assert_eq!(other.receive(&mut into).unwrap(), Received::Nothing);
        one.send(b"first").unwrap();
        one.send(b"2").unwrap();
        assert_eq!(
            one.send(b"").unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        drop(one);
        assert_eq!(other.receive(&mut into).unwrap(), Received::Message(5));
        assert_eq!(&into[..5], b"first");
        assert_eq!(other.receive(&mut into).unwrap(), Received::Message(1));
        assert_eq!(other.receive(&mut into).unwrap(), Received::End);
        assert!(other.send(b"to nobody").is_err());
    }

    #[test]
    fn what_was_not_read_is_an_end_too() {
        let (one, other) = Connection::pair().unwrap();
        other.send(b"unread").unwrap();
        drop(one);
        assert_eq!(other.receive(&mut [0; 8]).unwrap(), Received::End);
    }

    #[test]
    fn what_was_sent_is_read_after_the_connection_was_ended() {
        let (one, other) = Connection::pair().unwrap();
        one.send(b"last").unwrap();
        one.end();
        let mut into = [0; 8];
        assert_eq!(other.receive(&mut into).unwrap(), Received::Message(4));
        assert_eq!(other.receive(&mut into).unwrap(), Received::End);
        assert_eq!(one.receive(&mut into).unwrap(), Received::End);
    }

    #[test]
    fn a_message_that_has_no_room_is_refused_whole() {
        let (one, other) = Connection::pair().unwrap();
        one.send(&[1; 9]).unwrap();
        one.send(&[2; 8]).unwrap();
        let mut into = [0; 8];
        let error = other.receive(&mut into).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(error.to_string(), "a message of 9 octets; allowed: 1 to 8");
        assert_eq!(other.receive(&mut into).unwrap(), Received::Message(8));
        assert_eq!(into, [2; 8]);
    }

    #[test]
    fn a_side_that_does_not_read_is_not_waited_for() {
        let (one, other) = Connection::pair().unwrap();
        // More than any kernel queues for one socket.
        let sent = (0..1_000_000).take_while(|_| one.send(&[7; 180]).is_ok());
        let sent = sent.count();
        assert!(sent < 1_000_000);
        assert_eq!(
            one.send(&[7; 180]).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        let mut into = [0; 180];
        for _ in 0..sent {
            assert_eq!(other.receive(&mut into).unwrap(), Received::Message(180));
        }
        assert_eq!(other.receive(&mut into).unwrap(), Received::Nothing);
        one.send(&[7; 180]).unwrap();
    }
}

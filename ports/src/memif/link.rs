//! A port's share of one connection: its receiving ring, and a sending one once it sends.
//!
//! Belongs to one worker. Must never decide that a peer is gone by itself but where it broke the protocol.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::connection::Connection;
use super::receiver::{Arrivals, Receiver};
use super::refusal::Refusal;
use super::resend::Resend;
use super::sender::Sender;

/// See the module.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: Arc<Connection>,
    queue: usize,
    receiver: Option<Receiver>,
    sender: Option<(usize, Sender)>,
    /// It is known here that the connection is over.
    closed: bool,
    /// Frames that will never be received.
    abandoned: u64,
}

impl Link {
    pub(super) fn new(connection: Arc<Connection>, queue: usize) -> Self {
        let ring = connection.incoming.get(queue);
        let receiver = ring.map(|ring| Receiver::new(ring.memory.clone(), ring.own));
        Self {
            connection,
            queue,
            receiver,
            sender: None,
            closed: false,
            abandoned: 0,
        }
    }

    /// Whether the connection is still thought to stand.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        !self.closed && self.connection.is_alive()
    }

    /// The connection is over: what was not read of the sent frames is taken back.
    pub(super) fn close(&mut self, resend: &mut Resend) {
        if self.closed {
            return;
        }
        self.closed = true;
        if let Some((_, mut sender)) = self.sender.take() {
            sender.take_back(resend);
        }
        if let Some(receiver) = &mut self.receiver {
            receiver.close();
        }
    }

    /// Whether nothing is left to be done with a closed link.
    pub(super) fn is_done(&self) -> bool {
        self.closed && self.receiver.as_ref().is_none_or(Receiver::is_done)
    }

    /// Frames of the peer that were given up with the connection.
    pub(super) fn abandoned(&self) -> u64 {
        self.abandoned
    }

    /// The peer broke the protocol: it is told, and no longer listened to.
    fn accuse(&mut self, why: Refusal, resend: &mut Resend) {
        if let Some(receiver) = self.receiver.take() {
            self.abandoned += u64::from(receiver.abandoned());
        }
        self.connection.accuse(why);
        self.close(resend);
    }

    /// Copies up to `want` frames.
    #[inline]
    pub(super) fn receive(&mut self, want: usize, arrivals: &mut Arrivals, resend: &mut Resend) {
        if let Some(receiver) = &mut self.receiver
            && let Err(why) = receiver.take(want, arrivals)
        {
            arrivals.clear();
            self.accuse(why, resend);
        }
    }

    /// Room for frames of up to `octets`, at most `want`.
    #[inline]
    pub(super) fn room(&mut self, want: usize, octets: usize, resend: &mut Resend) -> usize {
        if self.closed {
            return 0;
        }
        if self.sender.is_none() {
            self.sender = self
                .connection
                .take_outgoing(self.queue)
                .map(|(index, ring)| (index, Sender::new(ring.memory.clone(), ring.own)));
        }
        let Some((_, sender)) = &mut self.sender else {
            return 0;
        };
        match sender.room(want, octets) {
            Ok(room) => room,
            Err(why) => {
                self.accuse(why, resend);
                0
            }
        }
    }

    /// Puts a frame behind the others. False: there is no room.
    #[inline]
    pub(super) fn put(&mut self, frame: &[u8]) -> bool {
        match &mut self.sender {
            Some((_, sender)) => sender.put(frame),
            None => false,
        }
    }

    /// Lets the peer see the frames put, and wakes it if it asked for that.
    #[inline]
    pub(super) fn publish(&mut self) {
        if let Some((index, sender)) = &mut self.sender
            && sender.publish()
        {
            self.connection.wake(*index);
        }
    }

    /// Asks for an interrupt. True: frames wait already.
    pub(super) fn unmask(&mut self) -> bool {
        self.receiver.as_mut().is_some_and(Receiver::unmask)
    }

    pub(super) fn mask(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            receiver.mask();
        }
    }

    /// The ring's interrupt, if this queue has a ring.
    pub(super) fn interrupt(&self) -> Option<BorrowedFd<'_>> {
        let ring = self.connection.incoming.get(self.queue);
        ring.map(|ring| ring.interrupt.as_fd())
    }
}

//! What the control side of the links asks of its caller: messages to be sent, frames that waited, news.
//!
//! Bounded and allocated once. A message stays until it has left; meanwhile what speaks by a timer on that vif stands still. A
//! timer that finds no room waits for the next tick; an answer that finds none is lost, as on a link. Must never
//! lose a frame: the list of frames holds all that can be kept and a burst.

use alloc::vec::Vec;

use arrayvec::ArrayVec;
use pinode_guest_runtime::{BURST, HELD};

use crate::control::item::Mac;
use crate::icmp::Nonce;
use crate::vn::InterfaceId;

/// Most messages in an outbox.
pub const MESSAGES: usize = 64;
/// Most news in an outbox.
pub const EVENTS: usize = 64;

/// A message of the router itself; [`Discovery::write`](super::Discovery::write) makes its octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outgoing {
    /// The interface it leaves by.
    pub interface: InterfaceId,
    /// What it says.
    pub message: Message,
}

/// What a message of the router itself says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Neighbour Solicitation (RFC 4861 4.3).
    Solicitation {
        /// Our address; unspecified (0) for duplicate address detection.
        source: u128,
        /// Whose MAC address is asked for.
        target: u128,
        /// The neighbour as it is known, to see whether it is there; none: all that listen to the target's group.
        to: Option<Mac>,
        /// Marks a probe of duplicate address detection as ours (RFC 7527 4.1).
        nonce: Option<Nonce>,
    },
    /// Neighbour Advertisement (RFC 4861 4.4) for one of our addresses.
    Advertisement {
        /// The address advertised: one of ours, or the anycast address of a subnet.
        target: u128,
        /// Who asked, address and MAC address; none: all nodes are told, unsolicited.
        to: Option<(u128, Mac)>,
    },
    /// Router Advertisement (RFC 4861 4.2), to all nodes.
    RouterAdvertisement {
        /// The last one before the router stops to advertise: router lifetime 0 (RFC 4861 6.2.5).
        last: bool,
    },
    /// Multicast Listener Report, version 2 (RFC 3810 5.2), or a message of version 1 (RFC 2710 3).
    Report(Report),
}

/// Which groups a Multicast Listener Report speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// All of the interface: answer to a general query.
    Current,
    /// One, answer to a query for it.
    Group(u128),
    /// One was joined.
    Joined(u128),
    /// One was left.
    Left(u128),
    /// One is listened to, said in version 1 (RFC 2710 3, Report).
    Old(u128),
    /// One was left, said in version 1 (RFC 2710 3, Done).
    OldDone(u128),
}

/// What becomes of a frame that waited for its neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes out of this interface, to this MAC address.
    Send(InterfaceId, Mac),
    /// The neighbour does not answer: the sender is told (address unreachable, RFC 4443 3.1 code 3).
    Unreachable,
    /// No room to wait: dropped.
    Overflow,
    /// The neighbour was forgotten or may not be asked for: dropped.
    Refused,
}

/// News of the router's own addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is unique as far as is known, and in use.
    Preferred(InterfaceId, u128),
    /// Somebody else on the link has it: it is not used (RFC 4862 5.4.5).
    Duplicated(InterfaceId, u128),
}

/// What is to be done; emptied by the caller after each burst and tick, as far as messages can leave.
#[derive(Debug)]
pub struct Outbox<F> {
    /// Messages to be sent, in order; who sends one tells [`Discovery::left`](super::Discovery::left).
    pub messages: ArrayVec<Outgoing, MESSAGES>,
    /// Frames that waited, and what becomes of them. Those of one neighbour in the order in which they came.
    pub frames: Vec<(Fate, F)>,
    /// News.
    pub events: ArrayVec<Event, EVENTS>,
    /// Messages that found no room.
    pub lost: u64,
    /// Vifs, a bit each, by which messages could not leave when they were to: to be set by who sends them.
    pub held_up: u32,
}

impl<F> Default for Outbox<F> {
    fn default() -> Self {
        Outbox {
            messages: ArrayVec::new(),
            frames: Vec::with_capacity(HELD + BURST),
            events: ArrayVec::new(),
            lost: 0,
            held_up: 0,
        }
    }
}

/// The bit of an interface's vif; a node has at most 32.
pub const fn vif_bit(interface: InterfaceId) -> u32 {
    1 << (interface.vif().0 & 31)
}

impl<F> Outbox<F> {
    /// Whether there is nothing to be done.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.frames.is_empty() && self.events.is_empty()
    }

    /// Whether a timer of `interface` may say something: a few places are kept for answers, and nothing waits to leave
    /// by its vif.
    pub(super) fn has_room(&self, interface: InterfaceId) -> bool {
        self.held_up & vif_bit(interface) == 0
            && self.messages.len() < MESSAGES - MESSAGES / 4
            && self.events.len() < EVENTS
    }

    /// Whether a new address may be asked for: these leave places to all else.
    pub(super) fn has_room_for_new(&self) -> bool {
        self.messages.len() < MESSAGES / 2
    }

    pub(super) fn send(&mut self, interface: InterfaceId, message: Message) {
        if self
            .messages
            .try_push(Outgoing { interface, message })
            .is_err()
        {
            self.lost += 1;
        }
    }
}

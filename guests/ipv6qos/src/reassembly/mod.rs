//! Packets for the router itself that come in fragments (RFC 8200 4.5, RFC 5722), and its own that leave in some.
//!
//! ```text
//! piece           a fragment as it came: its headers and octets, and what is wrong with them by themselves
//! covered         which octets of a packet are there
//! datagram        a packet that is being put together
//! cut             the other way round: a packet of the router in fragments
//! identification  what names those (RFC 7739)
//! ```
//!
//! There is room for [`DATAGRAMS`] packets, taken when the router is configured, and for [`PER_SOURCE`] of one /64. Whoever
//! begins another takes the place of the oldest: what can be completed is complete within a round-trip time, so a flood
//! of beginnings costs others little. Must never allocate, and never keep an octet of a packet in which two fragments
//! overlap.

pub mod covered;
pub mod cut;
pub mod datagram;
pub mod identification;
pub mod piece;

use alloc::vec::Vec;

use datagram::{Added, Datagram, Key};
use identification::Identifications;
use piece::{Piece, Wrong};

use crate::vn::{InterfaceId, Vn};

/// Packets that are put together at once.
pub const DATAGRAMS: usize = 16;
/// Of these, from one /64.
pub const PER_SOURCE: usize = 4;
/// Most octets of a packet behind the headers that each fragment has.
pub const MOST: usize = 9000;
/// Most octets of those headers, the IPv6 header among them.
pub const HEAD: usize = 256;
/// How long is waited for the rest of a packet (RFC 8200 4.5).
pub const TIMEOUT_NS: u64 = 60_000_000_000;

/// Octets in which a packet is put together: its headers end at [`HEAD`].
pub type Buffer = Vec<u8>;

/// Where a fragment came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The interface it came in on.
    pub interface: InterfaceId,
    /// Its frame was for a group.
    pub link_group: bool,
}

/// What became of a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is kept, and more are to come.
    Kept,
    /// It was the last one missing: the packet is [taken out](Reassembly::take_out) now.
    Whole(usize),
    /// It fits no packet, or its packet is given up.
    Refused,
    /// It can belong to no packet, and its sender is told.
    Wrong(Wrong),
}

/// A packet as it was sent, in the buffer it was put together in.
#[derive(Debug)]
pub struct Whole {
    number: usize,
    buffer: Buffer,
    start: usize,
    end: usize,
}

impl Whole {
    /// The packet.
    pub fn packet(&mut self) -> &mut [u8] {
        self.buffer
            .get_mut(self.start..self.end)
            .unwrap_or_default()
    }
}

/// Whose time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expired {
    /// Where its first fragment came from; none, if that did not come.
    pub first: Option<Arrival>,
    /// Its virtual network.
    pub vn: Vn,
    number: usize,
}

/// All packets that are being put together.
#[derive(Debug)]
pub struct Reassembly {
    datagrams: Vec<Datagram>,
    in_use: usize,
    scratch: Buffer,
    identifications: Identifications,
}

impl Reassembly {
    /// Takes all the memory there will be.
    pub fn new(seed: u64) -> Self {
        Reassembly {
            datagrams: (0..DATAGRAMS).map(|_| Datagram::default()).collect(),
            in_use: 0,
            scratch: alloc::vec![0; HEAD + MOST],
            identifications: Identifications::new(seed),
        }
    }

    /// Octets that it takes.
    pub const fn memory() -> usize {
        DATAGRAMS * (size_of::<Datagram>() + HEAD + MOST) + HEAD + MOST
    }

    /// Packets that are being put together, those that were given up among them.
    pub fn len(&self) -> usize {
        self.in_use
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.in_use == 0
    }

    /// Takes a fragment, an IPv6 packet that ends where its header says.
    pub fn take(&mut self, now_ns: u64, arrival: Arrival, packet: &[u8]) -> Taken {
        let Some(piece) = Piece::read(packet) else {
            return Taken::Refused;
        };
        if let Err(wrong) = piece.check() {
            return Taken::Wrong(wrong);
        }
        let key = Key::of(&piece, arrival.interface);
        let number = match self.find(&key) {
            Some(number) => number,
            None => self.begin(now_ns, key),
        };
        let Some(datagram) = self.datagrams.get_mut(number) else {
            return Taken::Refused;
        };
        match datagram.add(&piece, arrival) {
            Added::Part => Taken::Kept,
            Added::Last => Taken::Whole(number),
            Added::Twice | Added::Contradiction => Taken::Refused,
        }
    }

    /// A packet that is whole, out of its place; [`give_back`](Self::give_back) its buffer.
    pub fn take_out(&mut self, number: usize) -> Option<Whole> {
        let datagram = self.datagrams.get_mut(number)?;
        let (buffer, start, end) = datagram.take_out()?;
        self.in_use -= 1;
        Some(Whole {
            number,
            buffer,
            start,
            end,
        })
    }

    /// The place is free again.
    pub fn give_back(&mut self, whole: Whole) {
        if let Some(datagram) = self.datagrams.get_mut(whole.number) {
            datagram.put_buffer(whole.buffer);
        }
    }

    /// Forgets one packet whose time is over; call until there is none.
    pub fn expire(&mut self, now_ns: u64) -> Option<Expired> {
        if self.in_use == 0 {
            return None;
        }
        let is_over = |datagram: &Datagram| {
            datagram
                .began_ns()
                .is_some_and(|began_ns| now_ns.saturating_sub(began_ns) >= TIMEOUT_NS)
        };
        let number = self.datagrams.iter().position(is_over)?;
        let datagram = self.datagrams.get_mut(number)?;
        let expired = Expired {
            first: datagram.first(),
            vn: datagram.vn(),
            number,
        };
        datagram.clear();
        self.in_use -= 1;
        Some(expired)
    }

    /// Writes the first fragment of a packet that has just expired, as it came, or as much as there is room for. Gives
    /// its octets.
    pub fn write_first(&self, expired: &Expired, room: &mut [u8]) -> Option<usize> {
        self.datagrams.get(expired.number)?.write_first(room)
    }

    /// Room for a packet of the router's own that is to be sent in fragments; comes back by
    /// [`put_scratch`](Self::put_scratch).
    pub fn take_scratch(&mut self) -> Buffer {
        core::mem::take(&mut self.scratch)
    }

    /// See [`take_scratch`](Self::take_scratch).
    pub fn put_scratch(&mut self, scratch: Buffer) {
        self.scratch = scratch;
    }

    /// Names a packet to `destination` that is sent in fragments.
    pub fn identify(&mut self, destination: u128) -> u32 {
        self.identifications.next(destination)
    }

    fn find(&self, key: &Key) -> Option<usize> {
        self.datagrams.iter().position(|known| known.is(key))
    }

    /// A place for another packet: a free one, unless its source has as many as it may have; else that of one that was
    /// given up, or of the oldest of those that have most.
    fn begin(&mut self, now_ns: u64, key: Key) -> usize {
        let of_source = |datagram: &Datagram| datagram.has_source(&key);
        let number = if self.datagrams.iter().filter(|one| of_source(one)).count() >= PER_SOURCE {
            self.oldest(of_source)
        } else if let Some(free) = self
            .datagrams
            .iter()
            .position(|one| one.began_ns().is_none())
        {
            self.in_use += 1;
            free
        } else {
            let most = self.busiest();
            self.oldest(|datagram| datagram.is_dead() || datagram.vn() == most)
        };
        if let Some(datagram) = self.datagrams.get_mut(number) {
            datagram.begin(now_ns, key);
        }
        number
    }

    /// The place of the oldest packet of which `is_one` is so; those that were given up come first.
    fn oldest(&self, is_one: impl Fn(&Datagram) -> bool) -> usize {
        let all = self.datagrams.iter().enumerate();
        let ones = all.filter(|(_, datagram)| datagram.began_ns().is_some() && is_one(datagram));
        ones.min_by_key(|(_, datagram)| (!datagram.is_dead(), datagram.began_ns()))
            .map_or(0, |(number, _)| number)
    }

    /// The virtual network with most packets: one of them gives way, so that no network crowds out another.
    fn busiest(&self) -> Vn {
        let of = |vn: Vn| self.datagrams.iter().filter(|one| one.vn() == vn).count();
        let networks = self.datagrams.iter().map(Datagram::vn);
        networks.max_by_key(|vn| of(*vn)).unwrap_or_default()
    }
}

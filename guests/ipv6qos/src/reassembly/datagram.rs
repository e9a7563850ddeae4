//! A packet that is being put together.

use super::covered::Covered;
use super::piece::{FRAGMENT_HEADER, Piece};
use super::{Arrival, Buffer, HEAD, MOST};
use crate::icmp::is_link_local;
use crate::packet::header::OCTETS;
use crate::vn::{InterfaceId, Vn};

/// What fragments of one packet have in common (RFC 8200 4.5), and where they are from: a link-local address means
/// something on its own link only, another in its virtual network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    source: u128,
    destination: u128,
    identification: u32,
    vn: Vn,
    link: Option<InterfaceId>,
}

impl Key {
    /// That of a fragment that came in on `interface`.
    pub fn of(piece: &Piece<'_>, interface: InterfaceId) -> Self {
        let (source, destination) = piece.addresses();
        let is_of_link = is_link_local(source) || is_link_local(destination);
        Key {
            source,
            destination,
            identification: piece.identification(),
            vn: interface.vn(),
            link: is_of_link.then_some(interface),
        }
    }
}

/// What a fragment did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is one more.
    Part,
    /// It was the last one missing.
    Last,
    /// It was there already.
    Twice,
    /// It cannot be of the same packet, or the packet is longer than there is room for: the packet is given up.
    Contradiction,
}

#[derive(Debug, Clone, Copy)]
struct Begun {
    key: Key,
    began_ns: u64,
    /// Given up: what comes of it yet is not looked at (RFC 5722 4).
    dead: bool,
}

/// The first fragment.
#[derive(Debug, Clone, Copy)]
struct First {
    arrival: Arrival,
    head_octets: usize,
    named_at: usize,
    header: [u8; FRAGMENT_HEADER],
    octets: usize,
}

/// A place for a packet: empty, or with one that has begun.
#[derive(Debug)]
pub struct Datagram {
    begun: Option<Begun>,
    first: Option<First>,
    covered: Covered,
    /// Octets that are there.
    received: usize,
    /// Where the last fragment ends, if it is there.
    total: Option<usize>,
    /// Where those that are there end.
    reach: usize,
    buffer: Buffer,
}

impl Default for Datagram {
    fn default() -> Self {
        Datagram {
            begun: None,
            first: None,
            covered: Covered::default(),
            received: 0,
            total: None,
            reach: 0,
            buffer: alloc::vec![0; HEAD + MOST],
        }
    }
}

impl Datagram {
    /// Takes up a packet in place of whatever was here.
    pub fn begin(&mut self, now_ns: u64, key: Key) {
        self.begun = Some(Begun {
            key,
            began_ns: now_ns,
            dead: false,
        });
        self.first = None;
        self.covered = Covered::default();
        self.received = 0;
        self.total = None;
        self.reach = 0;
    }

    /// The place is empty again; what was in it can still be [written](Self::write_first).
    pub fn clear(&mut self) {
        self.begun = None;
    }

    /// When its first fragment to arrive came; none, if the place is empty.
    pub fn began_ns(&self) -> Option<u64> {
        self.begun.map(|begun| begun.began_ns)
    }

    /// Whether it was given up.
    pub fn is_dead(&self) -> bool {
        self.begun.is_some_and(|begun| begun.dead)
    }

    /// Its virtual network; the default one, if the place is empty.
    pub fn vn(&self) -> Vn {
        self.begun.map(|begun| begun.key.vn).unwrap_or_default()
    }

    /// Whether fragments of this key are of it.
    pub fn is(&self, key: &Key) -> bool {
        self.begun.is_some_and(|begun| begun.key == *key)
    }

    /// Whether it comes from the same /64 of the same network or link.
    pub fn has_source(&self, other: &Key) -> bool {
        self.begun.is_some_and(|Begun { key, .. }| {
            key.source >> 64 == other.source >> 64 && key.vn == other.vn && key.link == other.link
        })
    }

    /// Where its first fragment came from, if it is there and the packet was not given up.
    pub fn first(&self) -> Option<Arrival> {
        let first = self.first.filter(|_| !self.is_dead());
        first.map(|first| first.arrival)
    }

    /// Adds a fragment that is right by itself.
    pub fn add(&mut self, piece: &Piece<'_>, arrival: Arrival) -> Added {
        if self.is_dead() {
            return Added::Contradiction;
        }
        let added = self.try_add(piece, arrival);
        if added == Added::Contradiction
            && let Some(begun) = &mut self.begun
        {
            begun.dead = true;
        }
        added
    }

    fn try_add(&mut self, piece: &Piece<'_>, arrival: Arrival) -> Added {
        let range = piece.range();
        let is_end = self.total == Some(range.end);
        let place = HEAD + range.start..HEAD + range.end;
        if self.covered.has_fragment(&range)
            && is_end != piece.has_more()
            && self.buffer.get(place.clone()) == Some(piece.octets)
        {
            return Added::Twice;
        }
        let fits = match self.total {
            Some(total) => piece.has_more() && range.end <= total,
            None => piece.has_more() || range.end >= self.reach,
        };
        if !fits || piece.head.len() > HEAD || !self.covered.add(&range) {
            return Added::Contradiction;
        }
        let Some(place) = self.buffer.get_mut(place) else {
            return Added::Contradiction;
        };
        place.copy_from_slice(piece.octets);
        if range.start == 0 {
            self.keep_first(piece, arrival);
        }
        self.received += range.len();
        self.reach = self.reach.max(range.end);
        if !piece.has_more() {
            self.total = Some(range.end);
        }
        match self.total {
            Some(total) if total == self.received => Added::Last,
            _ => Added::Part,
        }
    }

    /// The headers of the packet are those of its first fragment (RFC 8200 4.5).
    fn keep_first(&mut self, piece: &Piece<'_>, arrival: Arrival) {
        let head_octets = piece.head.len();
        self.first = Some(First {
            arrival,
            head_octets,
            named_at: piece.named_at,
            header: *piece.header,
            octets: piece.octets.len(),
        });
        let start = HEAD.saturating_sub(head_octets);
        if let Some(head) = self.buffer.get_mut(start..HEAD) {
            head.copy_from_slice(piece.head);
        }
    }

    /// Its buffer, and where in it the packet begins and ends; the place is empty. None, if it is not whole.
    pub fn take_out(&mut self) -> Option<(Buffer, usize, usize)> {
        let (first, total) = (self.first?, self.total?);
        if self.begun.is_none() || self.is_dead() || self.received != total {
            return None;
        }
        let (start, end) = (HEAD - first.head_octets, HEAD + total);
        let packet = self.buffer.get_mut(start..end)?;
        // At most HEAD + MOST.
        let payload = (packet.len() - OCTETS) as u16;
        packet
            .get_mut(4..6)?
            .copy_from_slice(&payload.to_be_bytes());
        *packet.get_mut(first.named_at)? = first.header[0];
        self.begun = None;
        Some((core::mem::take(&mut self.buffer), start, end))
    }

    /// Its buffer again.
    pub fn put_buffer(&mut self, buffer: Buffer) {
        self.buffer = buffer;
    }

    /// Writes the first fragment as it came, or as much of it as there is room for.
    pub fn write_first(&self, room: &mut [u8]) -> Option<usize> {
        let first = self.first?;
        let parts = [
            self.buffer.get(HEAD - first.head_octets..HEAD)?,
            &first.header,
            self.buffer.get(HEAD..HEAD + first.octets)?,
        ];
        let mut written = 0;
        for part in parts {
            let room = room.get_mut(written..)?;
            let octets = part.len().min(room.len());
            room.get_mut(..octets)?.copy_from_slice(part.get(..octets)?);
            written += octets;
        }
        Some(written)
    }
}

//! A packet of the router in fragments (RFC 8200 4.5). What it sends has no extension headers: the IPv6 header is all
//! that each fragment repeats.

use super::piece::FRAGMENT_HEADER;
use crate::packet::fields::protocol;
use crate::packet::header::OCTETS;

/// Octets in front of what a fragment brings.
const OVERHEAD: usize = OCTETS + FRAGMENT_HEADER;

/// The fragments of a packet.
#[derive(Debug, Clone)]
pub struct Cut<'a> {
    header: &'a [u8; OCTETS],
    rest: &'a [u8],
    /// Octets that each but the last brings.
    most: usize,
    at: usize,
    identification: u32,
}

/// A fragment to be written.
#[derive(Debug, Clone, Copy)]
pub struct Slice<'a> {
    header: &'a [u8; OCTETS],
    octets: &'a [u8],
    at: usize,
    more: bool,
    identification: u32,
}

impl<'a> Cut<'a> {
    /// Cuts `packet` into fragments of at most `most` octets; none, if it has no header or they could bring nothing.
    pub fn new(packet: &'a [u8], most: usize, identification: u32) -> Option<Self> {
        let (header, rest) = packet.split_first_chunk()?;
        let most = most.checked_sub(OVERHEAD)? / 8 * 8;
        (most > 0 && packet.len() <= OCTETS + usize::from(u16::MAX)).then_some(Cut {
            header,
            rest,
            most,
            at: 0,
            identification,
        })
    }
}

impl<'a> Iterator for Cut<'a> {
    type Item = Slice<'a>;

    fn next(&mut self) -> Option<Slice<'a>> {
        let (octets, rest) = self
            .rest
            .split_at_checked(self.most)
            .unwrap_or((self.rest, &[]));
        if octets.is_empty() {
            return None;
        }
        let slice = Slice {
            header: self.header,
            octets,
            at: self.at,
            more: !rest.is_empty(),
            identification: self.identification,
        };
        self.at += octets.len();
        self.rest = rest;
        Some(slice)
    }
}

impl Slice<'_> {
    /// Octets of the fragment.
    #[allow(clippy::len_without_is_empty)]
    pub const fn len(&self) -> usize {
        OVERHEAD + self.octets.len()
    }

    /// Writes it; false if there is no room.
    pub fn write(&self, room: &mut [u8]) -> bool {
        let Some((header, rest)) = room.split_first_chunk_mut::<OCTETS>() else {
            return false;
        };
        let Some((fragment, rest)) = rest.split_first_chunk_mut::<FRAGMENT_HEADER>() else {
            return false;
        };
        let Some(octets) = rest.get_mut(..self.octets.len()) else {
            return false;
        };
        *header = *self.header;
        // Fit: no more than the packet they are of.
        let payload = (FRAGMENT_HEADER + self.octets.len()) as u16;
        let place = self.at as u16 | u16::from(self.more);
        header[4..6].copy_from_slice(&payload.to_be_bytes());
        header[6] = protocol::FRAGMENT;
        *fragment = [self.header[6], 0, 0, 0, 0, 0, 0, 0];
        fragment[2..4].copy_from_slice(&place.to_be_bytes());
        fragment[4..].copy_from_slice(&self.identification.to_be_bytes());
        octets.copy_from_slice(self.octets);
        true
    }
}

//! Content by name: requests before data, virtual networks in turn.
//!
//! A request is small, and the data that it asks for comes the other way: letting requests go first
//! costs data little and keeps both directions busy. Among requests, and among data, virtual networks
//! take turns by deficit round robin, so that none gains by asking more or for larger pieces.
//!
//! Which of the two a frame is, is told by the first TLV of its PDU: an NDN packet (NDN Packet Format
//! 0.3), or an NDNLPv2 packet that holds one. What cannot be read counts as data, so that it gains
//! nothing. Must never read beyond the octets it is given.

use super::round::Round;
use super::{Arrival, ClassCounters, ClassName, Discipline, Refused, Why};

/// Virtual networks.
const NETWORKS: usize = 32;

/// Octets of PDU in which an LpPacket's fields are looked for: sequence, fragment numbers, a PIT
/// token of the longest size, a congestion mark, and the head of the fragment.
const LOOKS: usize = 64;

/// Requests before data. It allocates once, when it is made.
#[derive(Debug, Clone)]
pub struct Content<T> {
    requests: Round<T>,
    data: Round<T>,
    /// One bit a virtual network that is carried.
    networks: u32,
}

impl<T> Content<T> {
    /// Names of the two kinds.
    pub const KINDS: [&'static str; 2] = ["request", "data"];

    /// For the virtual networks of `networks`, one bit each: a class of `requests` frames at most
    /// and one of `data` frames each.
    #[must_use]
    pub fn new(networks: u32, requests: usize, data: usize) -> Self {
        let round = |limit: usize| {
            let carried = |vn: usize| networks >> vn & 1 == 1;
            let limits = (0..NETWORKS).map(|vn| if carried(vn) { limit } else { 0 });
            Round::new(limits.map(|limit| (limit, 1)))
        };
        Self {
            requests: round(requests),
            data: round(data),
            networks,
        }
    }
}

impl<T> Discipline<T> for Content<T> {
    fn looks(&self) -> usize {
        LOOKS
    }

    #[inline]
    fn enqueue(&mut self, frame: T, arrival: &Arrival<'_>) -> Result<(), Refused<T>> {
        let vn = usize::from(arrival.vn);
        if vn >= NETWORKS || self.networks >> vn & 1 == 0 {
            let why = Why::Unknown;
            return Err(Refused { frame, why });
        }
        let round = match kind(arrival.pdu) {
            Kind::Request => &mut self.requests,
            Kind::Data => &mut self.data,
        };
        round.enqueue(vn, frame, arrival.octets, usize::MAX)
    }

    #[inline]
    fn dequeue_if(&mut self, _now_ns: u64, mut may_start: impl FnMut(&T) -> bool) -> Option<T> {
        let request = self.requests.dequeue_if(&mut may_start);
        request.or_else(|| self.data.dequeue_if(may_start))
    }

    fn clear(&mut self, mut frame: impl FnMut(T)) {
        self.requests.clear(&mut frame);
        self.data.clear(frame);
    }

    #[inline]
    fn len(&self) -> usize {
        self.requests.len() + self.data.len()
    }

    fn classes(&self, most: usize, mut each: impl FnMut(ClassName, ClassCounters)) {
        let carried = (0u8..).take(NETWORKS);
        let carried = carried.filter(|vn| self.networks >> vn & 1 == 1);
        let rounds = Self::KINDS.into_iter().zip([&self.requests, &self.data]);
        let all = rounds.flat_map(|(kind, round)| carried.clone().map(move |vn| (kind, round, vn)));
        for (kind, round, vn) in all.take(most) {
            let name = ClassName::Network { kind, vn };
            each(name, round.counters(usize::from(vn)));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Data,
}

/// TLV types of NDN and NDNLPv2.
mod tlv {
    pub(super) const INTEREST: u8 = 0x05;
    pub(super) const LP_PACKET: u8 = 0x64;
    pub(super) const FRAGMENT: u64 = 0x50;
    pub(super) const FRAG_INDEX: u64 = 0x52;
    pub(super) const NACK: u64 = 0x0320;
}

#[inline]
fn kind(pdu: &[u8]) -> Kind {
    match pdu.first() {
        Some(&tlv::INTEREST) => Kind::Request,
        Some(&tlv::LP_PACKET) => in_lp_packet(pdu).unwrap_or(Kind::Data),
        _ => Kind::Data,
    }
}

/// What an LpPacket carries: the Interest of a request, or of a request refused (Nack), which frees
/// what waits for data that will not come. Later fragments show nothing of their packet.
///
/// Each field takes two octets at least, so that this ends soon.
fn in_lp_packet(pdu: &[u8]) -> Option<Kind> {
    let mut rest = pdu.get(..LOOKS).unwrap_or(pdu);
    number(&mut rest)?;
    number(&mut rest)?;
    loop {
        let (field, octets) = (number(&mut rest)?, number(&mut rest)?);
        match field {
            tlv::FRAGMENT => return Some(kind_of_fragment(rest)),
            tlv::NACK => return Some(Kind::Request),
            _ => {}
        }
        let (value, behind) = rest.split_at_checked(usize::try_from(octets).ok()?)?;
        if field == tlv::FRAG_INDEX && value.iter().any(|octet| *octet != 0) {
            return Some(Kind::Data);
        }
        rest = behind;
    }
}

fn kind_of_fragment(fragment: &[u8]) -> Kind {
    match fragment.first() {
        Some(&tlv::INTEREST) => Kind::Request,
        _ => Kind::Data,
    }
}

/// A TLV's type or length: one octet, or a mark and 2, 4 or 8 octets.
fn number(rest: &mut &[u8]) -> Option<u64> {
    let (first, behind) = rest.split_first()?;
    let octets = match first {
        253 => 2,
        254 => 4,
        255 => 8,
        short => {
            *rest = behind;
            return Some(u64::from(*short));
        }
    };
    let (long, behind) = behind.split_at_checked(octets)?;
    *rest = behind;
    let append = |sum: u64, octet: &u8| sum << 8 | u64::from(*octet);
    Some(long.iter().fold(0, append))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_told_apart() {
        use Kind::{Data, Request};
        let cases: [(&[u8], Kind); 13] = [
            (&[0x05, 0x20, 0x07], Request),
            (&[0x06, 0xFD, 0x04, 0x00], Data),
            (&[], Data),
            (&[0x00], Data),
            // LpPacket { Fragment { Interest } }, { Fragment { Data } }, { Fragment, empty }.
            (&[0x64, 0x04, 0x50, 0x02, 0x05, 0x00], Request),
            (&[0x64, 0x04, 0x50, 0x02, 0x06, 0x00], Data),
            (&[0x64, 0x02, 0x50, 0x00], Data),
            // { PitToken, Fragment { Interest } }.
            (
                &[0x64, 0x08, 0x62, 0x02, 0x01, 0x02, 0x50, 0x02, 0x05],
                Request,
            ),
            // { Nack { NackReason }, Fragment }, of which only the head is there.
            (&[0x64, 0xFD, 0x01, 0x00, 0xFD, 0x03, 0x20, 0x05], Request),
            // { Sequence, FragIndex 1, Fragment }, then the same with FragIndex 0.
            (
                &[
                    0x64, 0x09, 0x51, 0x01, 0x07, 0x52, 0x01, 0x01, 0x50, 0x01, 0x05,
                ],
                Data,
            ),
            (
                &[
                    0x64, 0x09, 0x51, 0x01, 0x07, 0x52, 0x01, 0x00, 0x50, 0x01, 0x05,
                ],
                Request,
            ),
            // A field that claims more than there is; one of 2^64 - 1 octets.
            (&[0x64, 0x04, 0x62, 0x20, 0x05, 0x05], Data),
            (
                &[
                    0x64, 0x20, 0x62, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                ],
                Data,
            ),
        ];
        for (pdu, expected) in cases {
            assert_eq!(kind(pdu), expected, "{pdu:02x?}");
        }
    }
}

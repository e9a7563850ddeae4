//! Extension headers (RFC 8200 4): where the upper-layer header is, and what of it rules look at.
//!
//! A walk looks at no more than [`MOST_HEADERS`] headers and never behind the packet's end, whatever the packet
//! claims; it must never be taken where nobody needs to know.

use super::fields::{Fields, Upper, protocol};
use super::header::{Header, OCTETS};
use crate::vn::InterfaceId;

/// Octets of a packet that [`Fields::plain`] looks at of UDP: up to the ports, which are in the frame's first 64.
const PLAIN: usize = OCTETS + 4;
/// Octets of the smallest header of UDP, and of TCP.
pub(super) const UDP_OCTETS: usize = 8;
pub(super) const TCP_OCTETS: usize = 20;
/// Where TCP's header has its flags.
pub const TCP_FLAGS: usize = 13;

/// Most extension headers of a packet that are looked at. RFC 8200 4.1 names six places.
pub const MOST_HEADERS: usize = 8;

/// What a fragment header says (RFC 8200 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Where in the packet its octets belong.
    pub offset: u16,
    /// Whether it is not the last.
    pub more: bool,
    /// Names the packet.
    pub identification: u32,
}

impl Fragment {
    /// Whether it is the whole packet (RFC 6946).
    #[inline]
    pub const fn is_whole(self) -> bool {
        self.offset == 0 && !self.more
    }
}

/// A walked chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// The protocol behind the last header that was read.
    pub protocol: u8,
    /// Where its header begins, octets from the start of the IPv6 header; not behind the packet's end.
    pub at: usize,
    /// Where the octet is that names it, likewise.
    pub named_at: usize,
    /// What can be read behind: [`Upper::Read`] says that an upper-layer header may begin at `at`.
    pub upper: Upper,
    /// The fragment header, if there is one.
    pub fragment: Option<Fragment>,
}

impl Chain {
    /// Walks the extension headers of `packet`, an IPv6 header and what it says is behind.
    pub fn walk(packet: &[u8]) -> Self {
        let mut chain = Chain {
            protocol: Header::of(packet).map_or(protocol::NONE, Header::next_header),
            at: OCTETS.min(packet.len()),
            named_at: 6,
            upper: Upper::Read,
            fragment: None,
        };
        for _ in 0..=MOST_HEADERS {
            let Some(octets) = extension_octets(chain.protocol, packet.get(chain.at + 1)) else {
                return chain;
            };
            let end = chain.at + octets;
            let Some(header) = packet.get(chain.at..end) else {
                break;
            };
            if chain.protocol == protocol::FRAGMENT {
                let fragment = read_fragment(header);
                chain.fragment = Some(fragment);
                if fragment.offset > 0 {
                    chain.upper = Upper::LaterFragment;
                }
            }
            chain.protocol = header.first().copied().unwrap_or(protocol::NONE);
            chain.named_at = chain.at;
            chain.at = end;
            if chain.upper == Upper::LaterFragment {
                return chain;
            }
        }
        chain.upper = Upper::Broken;
        chain
    }
}

/// Octets of an extension header of this kind; none if it is none, or cannot be looked behind. `length` is its
/// second octet; without one the packet ends here, and what is returned reaches behind its end.
#[inline]
fn extension_octets(kind: u8, length: Option<&u8>) -> Option<usize> {
    let units = usize::from(length.copied().unwrap_or(u8::MAX));
    match kind {
        protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => {
            Some((units + 1) * 8)
        }
        protocol::FRAGMENT => Some(8),
        protocol::AUTHENTICATION => Some((units + 2) * 4),
        _ => None,
    }
}

fn read_fragment(header: &[u8]) -> Fragment {
    let word = |at: usize| {
        header
            .get(at..)
            .and_then(<[u8]>::first_chunk)
            .map_or(0, |octets| u32::from_be_bytes(*octets))
    };
    let place = word(0) as u16;
    Fragment {
        offset: place & !7,
        more: place & 1 != 0,
        identification: word(4),
    }
}

/// The flags of a packet of TCP. A call, so that nothing is read where it is not one.
#[inline(never)]
pub(super) fn tcp_flags(packet: &[u8]) -> u8 {
    packet.get(OCTETS + TCP_FLAGS).copied().unwrap_or(0)
}

impl Fields {
    /// What [`read`](Self::read) gives of most packets: TCP or UDP right behind the IPv6 header, and not of the
    /// shortest; none of others. Of UDP nothing is looked at behind the ports: the line behind them is another one, and
    /// another core has it.
    #[inline(always)]
    pub fn plain(packet: &[u8], interface: InterfaceId, local: bool) -> Option<Self> {
        let octets: &[u8; PLAIN] = packet.first_chunk()?;
        let header = Header(octets.first_chunk()?);
        let next = header.next_header();
        let is_tcp = next == protocol::TCP;
        let least = if is_tcp { TCP_OCTETS } else { UDP_OCTETS };
        if !is_tcp & (next != protocol::UDP) | (packet.len() < OCTETS + least) {
            return None;
        }
        let tcp_flags = if is_tcp { tcp_flags(packet) } else { 0 };
        let pair = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
        Some(Fields {
            source: header.source(),
            destination: header.destination(),
            interface,
            source_port: pair(OCTETS),
            destination_port: pair(OCTETS + 2),
            identifier: 0,
            protocol: next,
            traffic_class: header.traffic_class(),
            tcp_flags,
            upper: Upper::Read,
            fragment: false,
            fragment_id: 0,
            local,
            // Fits: as in `read`.
            octets: packet.len().min(usize::from(u16::MAX)) as u16,
        })
    }

    /// What rules see of `packet`, whose header was checked and which ends where its header says; it came in on
    /// `interface` and is for the router itself, or not. Under 5 ns without extension headers.
    #[inline]
    pub fn read(packet: &[u8], interface: InterfaceId, local: bool) -> Self {
        let header = Header(packet.first_chunk().unwrap_or(&[0; OCTETS]));
        let next = header.next_header();
        let plain = matches!(next, protocol::TCP | protocol::UDP | protocol::ICMPV6);
        let chain = if plain {
            Chain {
                protocol: next,
                at: OCTETS,
                named_at: 6,
                upper: Upper::Read,
                fragment: None,
            }
        } else {
            Chain::walk(packet)
        };
        let fragment = chain.fragment.filter(|fragment| !fragment.is_whole());
        let mut fields = Fields {
            source: header.source(),
            destination: header.destination(),
            interface,
            source_port: 0,
            destination_port: 0,
            identifier: 0,
            protocol: chain.protocol,
            traffic_class: header.traffic_class(),
            tcp_flags: 0,
            upper: chain.upper,
            fragment: fragment.is_some(),
            fragment_id: fragment.map_or(0, |fragment| fragment.identification),
            local,
            // Fits: a packet has up to 40 + 65535 octets, and the largest frame is far below.
            octets: packet.len().min(usize::from(u16::MAX)) as u16,
        };
        if fields.upper == Upper::Read {
            fields.read_upper(packet.get(chain.at..).unwrap_or(&[]));
        }
        fields
    }

    /// Reads ports, flags, type and code of the upper-layer header that `octets` begins with.
    #[inline]
    fn read_upper(&mut self, octets: &[u8]) {
        let pair = |at: usize| {
            octets
                .get(at..)
                .and_then(<[u8]>::first_chunk)
                .map(|pair| u16::from_be_bytes(*pair))
        };
        let whole = match self.protocol {
            protocol::TCP => octets.len() >= TCP_OCTETS,
            protocol::UDP | protocol::UDP_LITE => octets.len() >= 8,
            protocol::SCTP => octets.len() >= 12,
            protocol::ICMPV6 => octets.len() >= 4,
            _ => {
                self.upper = Upper::Opaque;
                return;
            }
        };
        if !whole {
            self.upper = Upper::Broken;
            return;
        }
        let (first, second) = (pair(0).unwrap_or(0), pair(2).unwrap_or(0));
        if self.protocol == protocol::ICMPV6 {
            (self.source_port, self.destination_port) = (first >> 8, first & 0xff);
            if matches!(self.source_port, 128 | 129) {
                self.identifier = pair(4).unwrap_or(0);
            }
            return;
        }
        (self.source_port, self.destination_port) = (first, second);
        if self.protocol == protocol::TCP {
            self.tcp_flags = octets.get(13).copied().unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vn::Vn;
    use pinode_guest_runtime::VifIndex;
    use proptest::prelude::*;

    fn next() -> impl Strategy<Value = u8> {
        prop_oneof![Just(protocol::TCP), Just(protocol::UDP), any::<u8>()]
    }

    proptest! {
        /// The short way leads to the same, and is taken as often as is said.
        #[test]
        fn a_plain_packet_is_read_as_any(octets in proptest::collection::vec(any::<u8>(), 40..80), next in next(), local: bool) {
            let mut octets = octets;
            octets[6] = next;
            let interface = InterfaceId::new(VifIndex(3), Vn::of_pih(5));
            let plain = Fields::plain(&octets, interface, local);
            let least = match next {
                protocol::TCP => 60,
                protocol::UDP => 48,
                _ => usize::MAX,
            };
            prop_assert_eq!(plain.is_some(), octets.len() >= least);
            if let Some(plain) = plain {
                prop_assert_eq!(plain, Fields::read(&octets, interface, local));
            }
        }
    }
}

//! Extension headers of a packet that has arrived (RFC 8200 4.1 to 4.6): what a destination has to look at, and
//! a router on the way has not.

use super::chain::MOST_HEADERS;
use super::fields::protocol;
use super::header::{Header, OCTETS};

/// Option types (RFC 8200 4.2, RFC 2711).
mod option {
    pub(super) const PAD1: u8 = 0;
    pub(super) const PADN: u8 = 1;
    pub(super) const ROUTER_ALERT: u8 = 5;
}

/// Why a packet that has arrived is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A header reaches behind the packet's end, or there are more than are looked at.
    Broken,
    /// An option asks for silence.
    Option,
    /// The octet at this offset is wrong: a routing header that leads on (RFC 8200 4.4, RFC 5095).
    Octet(u32),
    /// The octet at this offset names no header that may be here.
    NextHeader(u32),
    /// The option at this offset is unknown.
    UnknownOption {
        /// Octets in front of its type.
        at: u32,
        /// Its sender is told even where the packet went to a group.
        even_multicast: bool,
    },
}

/// Looks at all extension headers of `packet`.
///
/// # Errors
///
/// The first thing that is wrong.
pub fn examine(packet: &[u8]) -> Result<(), Fault> {
    let header = Header::of(packet).ok_or(Fault::Broken)?;
    let (mut kind, mut at, mut named_at) = (header.next_header(), OCTETS, 6);
    for _ in 0..=MOST_HEADERS {
        let octets = match (kind, packet.get(at..).unwrap_or_default()) {
            (protocol::HOP_BY_HOP, _) if at != OCTETS => return Err(Fault::NextHeader(named_at)),
            (
                protocol::HOP_BY_HOP | protocol::DESTINATION_OPTIONS | protocol::ROUTING,
                [_, units, ..],
            ) => (usize::from(*units) + 1) * 8,
            (protocol::FRAGMENT, [_, _, high, low, ..]) => {
                let later = u16::from_be_bytes([*high, *low]) & !7 != 0;
                if later {
                    return Ok(());
                }
                8
            }
            (protocol::AUTHENTICATION, [_, units, ..]) => (usize::from(*units) + 2) * 4,
            (
                protocol::HOP_BY_HOP
                | protocol::DESTINATION_OPTIONS
                | protocol::ROUTING
                | protocol::FRAGMENT
                | protocol::AUTHENTICATION,
                _,
            ) => return Err(Fault::Broken),
            _ => return Ok(()),
        };
        let header = packet.get(at..at + octets).ok_or(Fault::Broken)?;
        match kind {
            protocol::HOP_BY_HOP | protocol::DESTINATION_OPTIONS => options(header, at)?,
            // Segments left: there is a way to go that this node does not know.
            protocol::ROUTING if header.get(3).is_some_and(|left| *left != 0) => {
                return Err(Fault::Octet(at as u32 + 2));
            }
            _ => {}
        }
        kind = header.first().copied().unwrap_or(protocol::NONE);
        named_at = at as u32;
        at += octets;
    }
    Err(Fault::Broken)
}

/// Looks at the options of `header`, which begins at `base` of the packet.
fn options(header: &[u8], base: usize) -> Result<(), Fault> {
    let mut at = 2;
    // Each turn takes an octet or more: this ends.
    while let Some(kind) = header.get(at) {
        if *kind == option::PAD1 {
            at += 1;
            continue;
        }
        let octets = header.get(at + 1).ok_or(Fault::Broken)?;
        let end = at + 2 + usize::from(*octets);
        if end > header.len() {
            return Err(Fault::Broken);
        }
        let known = matches!(*kind, option::PADN | option::ROUTER_ALERT);
        match kind >> 6 {
            0 => {}
            _ if known => {}
            1 => return Err(Fault::Option),
            highest => {
                return Err(Fault::UnknownOption {
                    at: (base + at) as u32,
                    even_multicast: highest == 2,
                });
            }
        }
        at = end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// A packet with these extension headers; each is given without its first octet.
    fn packet(headers: &[(u8, &[u8])], upper: u8) -> Vec<u8> {
        let mut packet = [0; OCTETS].to_vec();
        let kinds: Vec<u8> = headers
            .iter()
            .map(|(kind, _)| *kind)
            .chain([upper])
            .collect();
        packet[0] = 0x60;
        packet[6] = kinds[0];
        for ((_, rest), next) in headers.iter().zip(&kinds[1..]) {
            packet.push(*next);
            packet.extend_from_slice(rest);
        }
        packet.extend_from_slice(&[0; 8]);
        packet
    }

    #[test]
    fn a_destination_looks_at_every_header() {
        let hop = protocol::HOP_BY_HOP;
        let to = protocol::DESTINATION_OPTIONS;
        let unknown = |octet: u8| [0, octet, 4, 0, 0, 0, 0];
        type Headers<'a> = &'a [(u8, &'a [u8])];
        let cases: &[(Headers<'_>, Result<(), Fault>)] = &[
            (&[(hop, &[0, 5, 2, 0, 0, 1, 0])], Ok(())),
            (
                &[(hop, &unknown(0x3e)), (to, &[0, 0, 0, 0, 0, 0, 0])],
                Ok(()),
            ),
            (&[(hop, &unknown(0x7e))], Err(Fault::Option)),
            (
                &[(to, &unknown(0x9e))],
                Err(Fault::UnknownOption {
                    at: 42,
                    even_multicast: true,
                }),
            ),
            (
                &[(to, &unknown(0xde))],
                Err(Fault::UnknownOption {
                    at: 42,
                    even_multicast: false,
                }),
            ),
            (
                &[(to, &unknown(1)), (hop, &unknown(1))],
                Err(Fault::NextHeader(40)),
            ),
            (&[(protocol::ROUTING, &[0, 0, 0, 0, 0, 0, 0])], Ok(())),
            (
                &[(protocol::ROUTING, &[0, 0, 1, 0, 0, 0, 0])],
                Err(Fault::Octet(42)),
            ),
            (&[(to, &[0, 1, 5, 0, 0, 0, 0])], Err(Fault::Broken)),
            (&[(to, &[9, 1, 4, 0, 0, 0, 0])], Err(Fault::Broken)),
        ];
        for (headers, expected) in cases {
            assert_eq!(
                examine(&packet(headers, protocol::UDP)),
                *expected,
                "{headers:?}"
            );
        }
    }

    #[test]
    fn a_chain_has_a_bound() {
        let header: &[u8] = &[0, 1, 4, 0, 0, 0, 0];
        let headers = |count| alloc::vec![(protocol::DESTINATION_OPTIONS, header); count];
        assert_eq!(
            examine(&packet(&headers(MOST_HEADERS), protocol::UDP)),
            Ok(())
        );
        assert_eq!(
            examine(&packet(&headers(MOST_HEADERS + 1), protocol::UDP)),
            Err(Fault::Broken)
        );
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_examined(octets: Vec<u8>) {
            let _ = examine(&octets);
        }
    }
}

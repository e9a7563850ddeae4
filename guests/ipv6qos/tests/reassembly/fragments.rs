//! Fragments for tests, written octet by octet, and where they come in.

use pinode_guest_ipv6qos::reassembly::{Arrival, Reassembly};
use pinode_guest_ipv6qos::{InterfaceId, Vn};
use pinode_guest_runtime::VifIndex;

pub const SECOND: u64 = 1_000_000_000;
pub const SOURCE: u128 = 0x2001_0db8_0001_0000_0000_0000_0000_0009;
pub const ROUTER: u128 = 0x2001_0db8_0001_0000_0000_0000_0000_0001;
/// Octets of headers in front of what a fragment without other headers brings.
pub const FRONT: usize = 48;
/// ICMPv6.
pub const ICMP: u8 = 58;

/// A fragment of the packet `identification` that brings `octets` of an ICMPv6 message at `offset`.
pub fn fragment(
    source: u128,
    identification: u32,
    offset: usize,
    more: bool,
    octets: &[u8],
) -> Vec<u8> {
    let payload = (8 + octets.len()) as u16;
    let place = offset as u16 | u16::from(more);
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(payload.to_be_bytes());
    packet.extend([44, 64]);
    packet.extend(source.to_be_bytes());
    packet.extend(ROUTER.to_be_bytes());
    packet.extend([ICMP, 0]);
    packet.extend(place.to_be_bytes());
    packet.extend(identification.to_be_bytes());
    packet.extend(octets);
    packet
}

/// `packet` with 8 octets of padding options between its IPv6 header and the rest.
pub fn padded(mut packet: Vec<u8>) -> Vec<u8> {
    let next = std::mem::replace(&mut packet[6], 60);
    packet.splice(40..40, [next, 0, 1, 4, 0, 0, 0, 0]);
    let payload = (packet.len() - 40) as u16;
    packet[4..6].copy_from_slice(&payload.to_be_bytes());
    packet
}

/// The packet that the fragments are of.
pub fn whole(source: u128, octets: &[u8]) -> Vec<u8> {
    let mut packet = fragment(source, 0, 0, false, octets);
    packet.drain(40..48);
    packet[6] = ICMP;
    packet[4..6].copy_from_slice(&(octets.len() as u16).to_be_bytes());
    packet
}

/// Octets that tell where they belong.
pub fn content(octets: usize) -> Vec<u8> {
    (0..octets).map(|at| (at / 8 * 37 + at % 8) as u8).collect()
}

/// On port `vif`, in virtual network `vn`.
pub fn on(vif: u8, vn: u8) -> Arrival {
    Arrival {
        interface: InterfaceId::new(VifIndex(vif), Vn::of_pih(vn)),
        link_group: false,
    }
}

/// What was put together, out of its place.
pub fn take_out(pool: &mut Reassembly, number: usize) -> Vec<u8> {
    let mut whole = pool.take_out(number).unwrap();
    let packet = whole.packet().to_vec();
    pool.give_back(whole);
    packet
}

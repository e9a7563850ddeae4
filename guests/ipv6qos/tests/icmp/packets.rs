//! Packets to try it with, made by etherparse or by hand.

use core::net::Ipv6Addr;

use etherparse::PacketBuilder;
use pinode_guest_ipv6qos::icmp::checksum;
use proptest::test_runner::{Config, RngSeed};

/// Property tests that find the same cases on every run.
pub(crate) fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(4443),
        failure_persistence: None,
        ..Config::default()
    }
}

pub(crate) fn address(text: &str) -> u128 {
    text.parse::<Ipv6Addr>().expect("an address").into()
}

pub(crate) const HOST: &str = "2001:db8:1::aa";
pub(crate) const ROUTER: &str = "2001:db8:1::1";

/// An ICMPv6 packet of this message, whose checksum is set; `chain` is in front of it and begins with `next`.
pub(crate) fn icmpv6(
    (source, destination): (&str, &str),
    hop_limit: u8,
    (next, chain): (u8, &[u8]),
    message: &[u8],
) -> Vec<u8> {
    let (source, destination) = (address(source), address(destination));
    let mut sealed = message.to_vec();
    checksum::seal(source, destination, &mut sealed);
    let length = (chain.len() + sealed.len()) as u16;
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([next, hop_limit]);
    packet.extend(source.to_be_bytes());
    packet.extend(destination.to_be_bytes());
    packet.extend(chain);
    packet.extend(sealed);
    packet
}

/// A UDP packet of so many octets of payload, by etherparse.
pub(crate) fn udp(source: &str, destination: &str, payload: usize) -> Vec<u8> {
    let octets = |text| address(text).to_be_bytes();
    let builder = PacketBuilder::ipv6(octets(source), octets(destination), 1).udp(33434, 33435);
    let mut packet = Vec::new();
    builder
        .write(&mut packet, &vec![0x55; payload])
        .expect("a packet");
    packet
}

/// Whether etherparse finds the checksum of the ICMPv6 packet right.
pub(crate) fn has_right_checksum(packet: &[u8]) -> bool {
    let sliced = etherparse::SlicedPacket::from_ip(packet).expect("an IPv6 packet");
    let Some(etherparse::TransportSlice::Icmpv6(message)) = sliced.transport else {
        panic!("no ICMPv6");
    };
    let end = |range: core::ops::Range<usize>| packet[range].try_into().expect("16 octets");
    message.is_checksum_valid(end(8..24), end(24..40))
}

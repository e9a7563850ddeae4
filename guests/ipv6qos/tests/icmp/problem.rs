//! Errors (RFC 4443 2.4, 3).

use pinode_guest_ipv6qos::icmp::Problem;
use pinode_guest_ipv6qos::icmp::problem::{LONGEST, OVERHEAD, may_tell, tell};
use proptest::prelude::*;

use super::packets::{HOST, ROUTER, address, has_right_checksum, icmpv6, seeded, udp};

const FAR: &str = "2001:db8:9::1";

const OPTION: Problem = Problem::UnknownOption {
    at: 42,
    even_multicast: false,
};

#[test]
fn a_time_exceeded_octet_by_octet() {
    let packet = udp(HOST, FAR, 4);
    let mut buffer = packet.clone();
    buffer.resize(200, 0xee);
    let octets = tell(
        &mut buffer,
        packet.len(),
        address(ROUTER),
        Problem::HopLimit,
    );
    assert_eq!(octets, Some(48 + 52));
    #[rustfmt::skip]
    let expected = [
        0x60, 0, 0, 0, 0, 60, 58, 64,
        0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
        0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xaa,
        3, 0,
    ];
    assert_eq!(buffer[..42], expected);
    assert_eq!(buffer[44..48], [0; 4]);
    assert_eq!(buffer[48..100], packet);
    assert!(has_right_checksum(&buffer[..100]));
}

#[test]
fn each_has_its_type_code_and_word() {
    for (problem, kind, code, word) in [
        (Problem::NoRoute, 1, 0, 0),
        (Problem::Prohibited, 1, 1, 0),
        (Problem::BeyondScope, 1, 2, 0),
        (Problem::AddressUnreachable, 1, 3, 0),
        (Problem::PortUnreachable, 1, 4, 0),
        (Problem::TooBig(1400), 2, 0, 1400),
        (Problem::HopLimit, 3, 0, 0),
        (Problem::ErroneousHeader(4), 4, 0, 4),
        (Problem::UnknownNextHeader(6), 4, 1, 6),
        (OPTION, 4, 2, 42),
    ] {
        let packet = udp(HOST, FAR, 100);
        let mut buffer = packet.clone();
        buffer.resize(1500, 0);
        let octets = tell(&mut buffer, packet.len(), address(ROUTER), problem).expect("room");
        assert_eq!(buffer[40..42], [kind, code]);
        assert_eq!(buffer[44..48], u32::to_be_bytes(word));
        assert!(has_right_checksum(&buffer[..octets]), "{problem:?}");
    }
}

#[test]
fn as_much_of_the_packet_as_fits() {
    let packet = udp(HOST, FAR, 1452);
    assert_eq!(packet.len(), 1500);
    let mut buffer = packet.clone();
    let octets = tell(&mut buffer, 1500, address(ROUTER), Problem::TooBig(1280));
    assert_eq!(octets, Some(1280));
    assert_eq!(buffer[48..1280], packet[..1232]);
    assert!(has_right_checksum(&buffer[..1280]));
    // A buffer with less room.
    let mut buffer = packet[..100].to_vec();
    let octets = tell(&mut buffer, 100, address(ROUTER), Problem::NoRoute);
    assert_eq!(octets, Some(100));
    assert_eq!(buffer[48..], packet[..52]);
    let mut none = packet[..47].to_vec();
    assert_eq!(tell(&mut none, 47, address(ROUTER), Problem::NoRoute), None);
    assert_eq!(none, packet[..47], "untouched");
}

#[test]
fn who_is_told_of_what() {
    let echo = [128, 0, 0, 0, 0, 1, 0, 1];
    let error = [1, 0, 0, 0, 0, 0, 0, 0];
    let redirect = [137, 0, 0, 0, 0, 0, 0, 0];
    let after = |next| [next, 0, 1, 4, 0, 0, 0, 0];
    let first_fragment = [58, 0, 0, 1, 0, 0, 0, 9];
    let later_fragment = [58, 0, 0, 9, 0, 0, 0, 9];
    let authentication = [58, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let ends = (HOST, FAR);
    for (packet, told) in [
        (udp(HOST, FAR, 4), true),
        (udp("::", FAR, 4), false),
        (udp("::1", FAR, 4), false),
        (udp("ff02::1", FAR, 4), false),
        (udp(HOST, "ff0e::1", 4), false),
        (icmpv6(ends, 9, (58, &[]), &echo), true),
        (icmpv6(ends, 9, (58, &[]), &error), false),
        (icmpv6(ends, 9, (58, &[]), &redirect), false),
        (icmpv6(ends, 9, (0, &after(58)), &echo), true),
        (icmpv6(ends, 9, (0, &after(58)), &error), false),
        (
            icmpv6(ends, 9, (43, &[after(60), after(58)].concat()), &error),
            false,
        ),
        (icmpv6(ends, 9, (51, &authentication), &error), false),
        (icmpv6(ends, 9, (51, &authentication), &echo), true),
        (icmpv6(ends, 9, (44, &first_fragment), &error), false),
        (icmpv6(ends, 9, (44, &first_fragment), &echo), true),
        (icmpv6(ends, 9, (44, &later_fragment), &echo), false),
        (icmpv6(ends, 9, (58, &[]), &error)[..40].to_vec(), false),
        (icmpv6(ends, 9, (58, &[]), &error)[..39].to_vec(), false),
        (icmpv6(ends, 9, (59, &[]), &error), true),
    ] {
        assert_eq!(
            may_tell(&packet, false, Problem::HopLimit),
            told,
            "{packet:x?}"
        );
    }
}

#[test]
fn groups_are_told_of_what_concerns_them() {
    let to_group = udp(HOST, "ff0e::1", 4);
    let option = |even_multicast| Problem::UnknownOption {
        at: 42,
        even_multicast,
    };
    for (problem, told) in [
        (Problem::TooBig(1280), true),
        (option(true), true),
        (option(false), false),
        (Problem::NoRoute, false),
        (Problem::ErroneousHeader(0), false),
    ] {
        assert_eq!(may_tell(&to_group, false, problem), told, "{problem:?}");
        // One node's address, in a frame to a group of the link.
        assert_eq!(
            may_tell(&udp(HOST, FAR, 4), true, problem),
            told,
            "{problem:?}"
        );
    }
}

proptest! {
    #![proptest_config(seeded(1000))]

    #[test]
    fn any_octets_are_told_of_without_panic(
        packet in proptest::collection::vec(any::<u8>(), 0..200),
        next in proptest::sample::select(&[0u8, 43, 44, 51, 58, 60, 6][..]),
        room in 0usize..100,
        source: u128,
    ) {
        let mut packet = packet;
        if let Some(octet) = packet.get_mut(6) {
            *octet = next;
        }
        let octets = packet.len();
        let _ = may_tell(&packet, false, Problem::HopLimit);
        packet.resize(octets + room, 0);
        let before = packet.clone();
        match tell(&mut packet, octets, source, Problem::HopLimit) {
            None => prop_assert_eq!(before, packet),
            Some(told) => {
                prop_assert!(told <= packet.len().min(LONGEST));
                prop_assert_eq!(&packet[OVERHEAD..told], &before[..told - OVERHEAD]);
                prop_assert!(has_right_checksum(&packet[..told]));
                // Nobody is told of what he was told.
                prop_assert!(!may_tell(&packet[..told], false, Problem::HopLimit));
            }
        }
    }
}

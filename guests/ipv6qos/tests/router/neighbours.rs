//! Frames that wait for a neighbour (RFC 4861 7.2), and what is advertised to hosts (6.2).

use serde_json::json;

use crate::bed::{Bed, address, config, frame, host, icmp, packet, port, udp};

const WEST: &str = "2001:db8:1::9";
const EAST: &str = "2001:db8:2::42";
const SECOND: u64 = 1_000_000_000;

/// The answer of `EAST`, at host 5, to a solicitation.
fn advertisement(solicitation: &[u8]) -> Vec<u8> {
    let router: [u8; 16] = solicitation[8..24].try_into().unwrap();
    let builder = etherparse::PacketBuilder::ipv6(address(EAST).octets(), router, 255).icmpv6_raw(
        136,
        0,
        [0x60, 0, 0, 0],
    );
    let target = [&address(EAST).octets()[..], &[2, 1], &host(5)].concat();
    let mut packet = Vec::new();
    builder.write(&mut packet, &target).unwrap();
    packet
}

fn solicitations(sent: &[(usize, Vec<u8>)]) -> Vec<Vec<u8>> {
    let packets = sent.iter().map(|(_, frame)| packet(frame).to_vec());
    packets
        .filter(|packet| packet[6] == 58 && icmp(packet) == (135, 0))
        .collect()
}

#[test]
fn packets_wait_until_their_neighbour_answers() {
    let mut bed = Bed::pair(json!({}));
    let first = bed.give(0, &frame(port(0), host(0), 0, &udp(WEST, EAST, 64, 1)));
    assert_eq!((first.len(), solicitations(&first).len()), (1, 1));
    assert_eq!(
        bed.give(0, &frame(port(0), host(0), 0, &udp(WEST, EAST, 64, 2))),
        []
    );
    assert_eq!(bed.counter("held"), 2);
    let answer = advertisement(&solicitations(&first)[0]);
    let released = bed.give(1, &frame(port(1), host(5), 0, &answer));
    let sizes: Vec<usize> = released
        .iter()
        .map(|(_, frame)| packet(frame).len())
        .collect();
    assert_eq!(sizes, [49, 50], "in the order in which they came");
    assert!(
        released
            .iter()
            .all(|(vif, frame)| *vif == 1 && frame[..6] == host(5))
    );
    assert_eq!((bed.counter("held"), bed.counter("forwarded")), (0, 2));
    let next = bed.give(0, &frame(port(0), host(0), 0, &udp(WEST, EAST, 64, 3)));
    assert_eq!(next.len(), 1);
}

#[test]
fn a_neighbour_that_does_not_answer_is_told_of() {
    let mut bed = Bed::pair(json!({}));
    let given = udp(WEST, EAST, 64, 1);
    bed.give(0, &frame(port(0), host(0), 0, &given));
    let mut told = Vec::new();
    for _ in 0..40 {
        bed.pass(SECOND / 10);
        told.extend(bed.take(0));
        bed.take(1);
    }
    assert_eq!(told.len(), 1);
    assert_eq!(icmp(packet(&told[0])), (1, 3));
    assert_eq!(bed.counter("dropped.neighbour_failed"), 1);
    assert_eq!(bed.counter("held"), 0);
}

#[test]
fn access_ports_advertise_and_trunks_do_not() {
    for access in [true, false] {
        let pi = json!({ "interface": { "west": { "address": ["2001:db8:1::1/64"] } } });
        let mut bed = Bed::new(&config(2, &[0], access, pi));
        let mut advertised = [0, 0];
        for _ in 0..300 {
            bed.pass(SECOND / 10);
            for (vif, count) in advertised.iter_mut().enumerate() {
                let sent = bed.take(vif);
                *count += sent
                    .iter()
                    .filter(|frame| icmp(packet(frame)) == (134, 0))
                    .count();
            }
        }
        assert_eq!((advertised[0] > 0, advertised[1]), (access, 0));
    }
}

#[test]
fn a_flood_of_addresses_leaves_the_others_alone() {
    let mut bed = Bed::pair(json!({}));
    for number in 0..20_000u32 {
        let to = format!("2001:db8:2::1:{:x}:{:x}", number >> 16, number & 0xffff);
        bed.give(0, &frame(port(0), host(0), 0, &udp(WEST, &to, 64, 1)));
        if number % 100 == 0 {
            bed.pass(SECOND / 1000);
            let sent = bed.give(
                0,
                &frame(port(0), host(0), 0, &udp(WEST, "2001:db8:2::9", 64, 1)),
            );
            assert!(
                sent.iter()
                    .any(|(vif, frame)| *vif == 1 && frame[..6] == host(1))
            );
        }
    }
    bed.conserves();
}

//! Messages to the router in fragments (RFC 8200 4.5), and its answers.

use etherparse::{Icmpv6Type, PacketBuilder};
use pinode_guest_ipv6qos::reassembly::cut::Cut;
use pinode_guest_ipv6qos::reassembly::{Arrival, Reassembly, Taken};
use pinode_guest_ipv6qos::{InterfaceId, Vn};
use pinode_guest_runtime::VifIndex;
use serde_json::json;

use crate::bed::{Bed, address, echo, frame, host, icmp, packet, port, udp};

const SOMEBODY: &str = "2001:db8:1::7";
const ROUTER: &str = "2001:db8:1::1";

/// Somebody on west asks for the router's MAC address.
fn solicitation() -> Vec<u8> {
    let kind = Icmpv6Type::Unknown {
        type_u8: 135,
        code_u8: 0,
        bytes5to8: [0; 4],
    };
    let builder =
        PacketBuilder::ipv6(address(SOMEBODY).octets(), address(ROUTER).octets(), 255).icmpv6(kind);
    let own = [&[1, 1][..], &host(7)].concat();
    let mut packet = Vec::new();
    builder
        .write(&mut packet, &[&address(ROUTER).octets()[..], &own].concat())
        .unwrap();
    packet
}

/// The same packet in one fragment, the first and the last (RFC 6946).
fn atomic(packet: &[u8]) -> Vec<u8> {
    let length = u16::from_be_bytes([packet[4], packet[5]]) + 8;
    let fragment = [packet[6], 0, 0, 0, 0, 0, 0, 7];
    let mut whole = [&packet[..40], &fragment, &packet[40..]].concat();
    whole[4..6].copy_from_slice(&length.to_be_bytes());
    whole[6] = 44;
    whole
}

/// RFC 6980 5: neighbour discovery with a fragment header is ignored, without a word and without a trace.
#[test]
fn neighbour_discovery_in_a_fragment_is_ignored() {
    let mut bed = Bed::pair(json!({}));
    let fragmented = frame(port(0), host(7), 0, &atomic(&solicitation()));
    assert_eq!(bed.give(0, &fragmented), []);
    assert_eq!(bed.counter("dropped.fragment"), 1);
    let neighbours = bed.ask(json!({ "list": { "what": "neighbour", "most": 100 } }));
    assert!(!neighbours.to_string().contains(SOMEBODY), "{neighbours}");
    // As it should be it is answered.
    let sent = bed.give(0, &frame(port(0), host(7), 0, &solicitation()));
    assert_eq!(sent.len(), 1);
    assert_eq!(icmp(packet(&sent[0].1)), (136, 0));
}

#[test]
fn an_echo_in_one_fragment_is_answered() {
    let mut bed = Bed::pair(json!({}));
    let given = atomic(&echo("2001:db8:1::9", ROUTER, 64));
    let sent = bed.give(0, &frame(port(0), host(0), 0, &given));
    assert_eq!(sent.len(), 1);
    assert_eq!(icmp(packet(&sent[0].1)), (129, 0));
}

const HOST: &str = "2001:db8:1::9";
/// A host behind the next router on east.
const FAR: &str = "2001:db8:f::9";

/// An echo request with so many octets of data.
fn large_echo(from: &str, to: &str, data: usize) -> Vec<u8> {
    let builder = PacketBuilder::ipv6(address(from).octets(), address(to).octets(), 64)
        .icmpv6_echo_request(7, 1);
    let data: Vec<u8> = (0..data).map(|at| (at * 7 / 5) as u8).collect();
    let mut packet = Vec::new();
    builder.write(&mut packet, &data).unwrap();
    packet
}

/// `packet` in fragments of at most `most` octets.
fn fragments(packet: &[u8], most: usize, identification: u32) -> Vec<Vec<u8>> {
    let slices = Cut::new(packet, most, identification).unwrap();
    let written = slices.map(|slice| {
        let mut fragment = vec![0; slice.len()];
        assert!(slice.write(&mut fragment));
        fragment
    });
    written.collect()
}

/// Gives these packets from the host on `vif`; what comes back by it.
fn give(bed: &mut Bed, vif: u8, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    for given in packets {
        for (by, sent) in bed.give(usize::from(vif), &frame(port(vif), host(vif), 0, given)) {
            assert_eq!(by, usize::from(vif));
            answers.push(packet(&sent).to_vec());
        }
        bed.conserves();
    }
    answers
}

/// The packet that these are the fragments of, and the identification of each.
fn put_together(packets: &[Vec<u8>]) -> (Vec<u8>, u32) {
    let mut pool = Reassembly::new(1);
    let arrival = Arrival {
        interface: InterfaceId::new(VifIndex(0), Vn::default()),
        link_group: false,
    };
    let (last, others) = packets.split_last().unwrap();
    for fragment in others {
        assert_eq!(pool.take(0, arrival, fragment), Taken::Kept);
    }
    let Taken::Whole(number) = pool.take(0, arrival, last) else {
        panic!("not whole: {} fragments", packets.len());
    };
    let identification = u32::from_be_bytes(last[44..48].try_into().unwrap());
    (
        pool.take_out(number).unwrap().packet().to_vec(),
        identification,
    )
}

/// A bed with a far network behind 2001:db8:2::9.
fn with_route() -> Bed {
    Bed::pair(json!({ "route": [{ "prefix": "2001:db8:f::/48", "via": "2001:db8:2::9" }] }))
}

#[test]
fn a_large_echo_is_answered_in_fragments_as_large_as_the_link_carries() {
    let mut bed = Bed::pair(json!({}));
    let mut identifications = Vec::new();
    for data in [2000, 8000] {
        let request = large_echo(HOST, ROUTER, data);
        let answers = give(&mut bed, 0, &fragments(&request, 1500, 5));
        assert_eq!(answers[0].len(), 1496);
        let (reply, identification) = put_together(&answers);
        assert_eq!(icmp(&reply), (129, 0));
        assert_eq!(reply[8..24], request[24..40]);
        assert_eq!(reply[44..], request[44..]);
        identifications.push(identification);
    }
    assert_ne!(identifications[0], identifications[1]);
    assert_eq!(bed.counter("reassembled"), 2);
    assert_eq!(bed.counter("dropped.fragment"), 0);
}

/// The router does not find out what links behind the next router carry (RFC 8200 5).
#[test]
fn to_farther_away_no_packet_is_larger_than_all_links_carry() {
    let mut bed = with_route();
    for data in [1300, 4000] {
        let request = large_echo(FAR, ROUTER, data);
        let given = if request.len() > 1500 {
            fragments(&request, 1400, 5)
        } else {
            vec![request.clone()]
        };
        let answers = give(&mut bed, 1, &given);
        assert!(answers.iter().all(|answer| answer.len() <= 1280));
        let (reply, _) = put_together(&answers);
        assert_eq!((icmp(&reply), &reply[44..]), ((129, 0), &request[44..]));
    }
    // What fits goes whole.
    let answers = give(&mut bed, 1, &[large_echo(FAR, ROUTER, 1232)]);
    assert_eq!(answers.len(), 1);
    assert_eq!(icmp(&answers[0]), (129, 0));
}

#[test]
fn a_packet_that_is_put_together_fares_as_a_whole_one() {
    let mut bed = Bed::pair(json!({}));
    let given = fragments(&udp(HOST, ROUTER, 64, 3000), 1500, 5);
    let answers = give(&mut bed, 0, &given);
    assert_eq!(answers.len(), 1);
    assert_eq!(icmp(&answers[0]), (1, 4));
    // It shows the packet, not its last fragment.
    assert_eq!(answers[0].len(), 1280);
    assert_eq!(answers[0][48..52], [0x60, 0, 0, 0]);
    assert_eq!((answers[0][54], &answers[0][88..90]), (17, &[3, 232][..]));
    assert_eq!(bed.counter("dropped.port"), 1);
    // A wrong checksum is noticed over all of it.
    let mut wrong = large_echo(HOST, ROUTER, 2000);
    wrong[1800] ^= 1;
    assert_eq!(
        give(&mut bed, 0, &fragments(&wrong, 1500, 6)),
        [] as [Vec<u8>; 0]
    );
    assert_eq!(bed.counter("dropped.malformed"), 1);
    // Neighbour discovery does not come so (RFC 6980 5).
    let answers = give(&mut bed, 0, &fragments(&solicitation(), 80, 7));
    assert_eq!(answers, [] as [Vec<u8>; 0]);
    assert_eq!(bed.counter("dropped.fragment"), 1);
}

#[test]
fn who_waits_for_the_rest_in_vain_says_so_after_a_minute() {
    let mut bed = Bed::pair(json!({}));
    let given = fragments(&large_echo(HOST, ROUTER, 4000), 1500, 5);
    assert_eq!(give(&mut bed, 0, &given[..2]), [] as [Vec<u8>; 0]);
    // Of this one the first fragment is missing: nobody is told.
    let other = fragments(&large_echo(HOST, ROUTER, 2000), 1500, 6);
    assert_eq!(give(&mut bed, 0, &other[1..]), [] as [Vec<u8>; 0]);
    bed.pass(59_999_000_000);
    bed.take(0);
    bed.pass(1_000_000);
    let told: Vec<Vec<u8>> = bed
        .take(0)
        .iter()
        .map(|sent| packet(sent).to_vec())
        .collect();
    let told: Vec<&Vec<u8>> = told.iter().filter(|sent| sent[40] == 3).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(icmp(told[0]), (3, 1));
    assert_eq!(told[0][48..], given[0][..1280 - 48]);
    bed.conserves();
    assert_eq!(bed.counter("reassembled.expired"), 2);
    // What comes then comes too late.
    assert_eq!(give(&mut bed, 0, &given[2..]), [] as [Vec<u8>; 0]);
}

#[test]
fn faults_of_a_fragment_are_told() {
    let mut bed = Bed::pair(json!({}));
    let given = fragments(&large_echo(HOST, ROUTER, 2000), 1500, 5).swap_remove(0);
    // Not a multiple of 8 octets.
    let mut odd = given.clone();
    odd.pop();
    let payload = (odd.len() - 40) as u16;
    odd[4..6].copy_from_slice(&payload.to_be_bytes());
    // Behind the end of the longest packet.
    let mut far = given.clone();
    far[42..44].copy_from_slice(&0xffff_u16.to_be_bytes());
    // Of ICMPv6, what is a later fragment may be one of an error.
    far[40] = 17;
    // Without the upper-layer header (RFC 7112 5).
    let mut bare = given[..48].to_vec();
    bare[40] = 60;
    bare.extend([17, 0, 1, 4, 0, 0, 0, 0]);
    bare[4..6].copy_from_slice(&16_u16.to_be_bytes());
    for (given, expected, at) in [(odd, (4, 0), 4), (far, (4, 0), 42), (bare, (4, 3), 0)] {
        let answers = give(&mut bed, 0, &[given]);
        assert_eq!(answers.len(), 1, "{expected:?} {at}");
        assert_eq!(icmp(&answers[0]), expected);
        assert_eq!(answers[0][44..48], u32::to_be_bytes(at));
    }
    assert_eq!(bed.counter("dropped.fragment"), 3);
}

/// Fragments that are passed on are passed on as they are.
#[test]
fn others_are_not_put_together() {
    let mut bed = Bed::pair(json!({}));
    let given = fragments(&large_echo(HOST, "2001:db8:2::9", 2000), 1500, 5);
    for fragment in given {
        let sent = bed.give(0, &frame(port(0), host(0), 0, &fragment));
        let [(1, sent)] = &sent[..] else {
            panic!("{sent:?}");
        };
        let mut expected = fragment;
        expected[7] -= 1;
        assert_eq!(packet(sent), expected);
    }
}

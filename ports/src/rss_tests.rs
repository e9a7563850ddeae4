//! RSS: the published verification suite, what belongs to a flow, how flows spread.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

#[test]
fn ipv4_vectors_of_the_verification_suite() {
    // Source and destination, their ports, hash of the addresses, hash with the ports.
    let suite = [
        (
            "66.9.149.187",
            "161.142.100.80",
            2794,
            1766,
            0x323e_8fc2,
            0x51cc_c178,
        ),
        (
            "199.92.111.2",
            "65.69.140.83",
            14230,
            4739,
            0xd718_262a,
            0xc626_b0ea,
        ),
        (
            "24.19.198.95",
            "12.22.207.184",
            12898,
            38024,
            0xd2d0_a5de,
            0x5c2b_394a,
        ),
        (
            "38.27.205.30",
            "209.142.163.6",
            48228,
            2217,
            0x8298_9176,
            0xafc7_327f,
        ),
        (
            "153.39.163.191",
            "202.188.127.2",
            44251,
            1303,
            0x5d18_09c5,
            0x10e8_28a2,
        ),
    ];
    for (from, to, from_port, to_port, addresses, with_ports) in suite {
        let octets = |text: &str| text.parse::<Ipv4Addr>().expect("an address").octets();
        let mut input = [octets(from), octets(to)].concat();
        assert_eq!(toeplitz(&input), addresses, "{from} {to}");
        input.extend([from_port, to_port].map(u16::to_be_bytes).concat());
        assert_eq!(toeplitz(&input), with_ports, "{from} {to}");
    }
}

/// An IPv6 packet of 60 octets payload; its first octets are the ports.
fn ipv6(from: &str, to: &str, ports: [u16; 2], next_header: u8) -> Vec<u8> {
    let octets = |text: &str| text.parse::<Ipv6Addr>().expect("an address").octets();
    let mut packet = vec![0x60, 0, 0, 0, 0, 60, next_header, 64];
    packet.extend(octets(from));
    packet.extend(octets(to));
    packet.extend(ports.map(u16::to_be_bytes).concat());
    packet.resize(100, 0x55);
    packet
}

fn ethernet(ethertype: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    frame.extend(ethertype);
    frame.extend(payload);
    frame
}

fn trunk(pih: u8, pdu: &[u8]) -> Vec<u8> {
    ethernet([0x88, 0xb5], &[&[pih], pdu].concat())
}

#[test]
fn ipv6_vectors_of_the_verification_suite_in_plain_and_trunk_frames() {
    let suite = [
        (
            "3ffe:2501:200:1fff::7",
            "3ffe:2501:200:3::1",
            [2794, 1766],
            0x2cc1_8cd5,
            0x4020_7d3d,
        ),
        (
            "3ffe:501:8::260:97ff:fe40:efab",
            "ff02::1",
            [14230, 4739],
            0x0f0c_461c,
            0xdde5_1bbf,
        ),
        (
            "3ffe:1900:4545:3:200:f8ff:fe21:67cf",
            "fe80::200:f8ff:fe21:67cf",
            [44251, 38024],
            0x4b61_e985,
            0x02d1_feef,
        ),
    ];
    for (from, to, ports, addresses, with_ports) in suite {
        for (next_header, expected) in [(6, with_ports), (17, addresses), (44, addresses)] {
            let packet = ipv6(from, to, ports, next_header);
            assert_eq!(hash(&ethernet([0x86, 0xdd], &packet)), expected, "{from}");
            assert_eq!(hash(&trunk(0x20, &packet)), expected, "{from}");
        }
    }
}

#[test]
fn padding_does_not_hide_a_short_packet() {
    let mut packet = ipv6("2001:db8::1", "2001:db8::2", [1, 2], 59);
    packet[5] = 0;
    packet.truncate(40);
    let whole = hash(&trunk(0x20, &packet));
    packet.resize(45, 0);
    assert_eq!(hash(&trunk(0x20, &packet)), whole);
    packet.resize(46, 0);
    assert_eq!(hash(&ethernet([0x86, 0xdd], &packet)), whole);
}

#[test]
fn queues_get_even_shares_of_many_flows() {
    for queues in [1, 2, 3, 8] {
        let rss = Rss::new(queues);
        let mut shares = vec![0; queues];
        for host in 0..4096 {
            let packet = ipv6(&format!("2001:db8::{host:x}"), "2001:db8:1::1", [1, 2], 17);
            shares[rss.queue(&trunk(0x20, &packet))] += 1;
        }
        let fair = 4096 / queues;
        assert!(
            shares
                .iter()
                .all(|share| (fair * 8 / 10..=fair * 12 / 10).contains(share)),
            "{shares:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_octets_have_a_queue(frame in prop::collection::vec(any::<u8>(), 0..200), queues in 1usize..9) {
        prop_assert!(Rss::new(queues).queue(&frame) < queues);
    }

    #[test]
    fn what_is_behind_the_pih_of_another_pdu_scatters_no_flow(
        pih in any::<u8>(),
        one in prop::collection::vec(any::<u8>(), 46..200),
        other in prop::collection::vec(any::<u8>(), 46..200),
    ) {
        prop_assume!(one[0] >> 4 != 6 && other[0] >> 4 != 6);
        prop_assert_eq!(hash(&trunk(pih, &one)), hash(&trunk(pih, &other)));
    }

    #[test]
    fn a_flow_is_its_addresses_whatever_it_carries(payload in prop::collection::vec(any::<u8>(), 0..1400)) {
        let first = ipv6("2001:db8::1", "2001:db8::2", [1, 2], 17);
        let mut packet = first[..40].to_vec();
        packet[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
        packet.extend(payload);
        prop_assert_eq!(hash(&trunk(0x20, &packet)), hash(&trunk(0x20, &first)));
    }
}

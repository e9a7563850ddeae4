//! Octets of each message: against octets checked by hand, and as etherparse reads them.

use core::net::Ipv6Addr;

use etherparse::icmpv6::{Icmpv6PayloadSlice, NdpOptionSlice};
use etherparse::{Icmpv6Slice, Icmpv6Type, NetSlice, SlicedPacket, TransportSlice};
use pinode_guest_ipv6qos::control::item::Mac;
use pinode_guest_ipv6qos::icmp::{self, parse};
use pinode_guest_ipv6qos::neighbour::outbox::Report;
use pinode_guest_ipv6qos::neighbour::{Limits, Message, Parameters};

use super::lab::{HOST_MAC, Lab, ROUTER, SECOND, address, interface};

const OURS: &str = "2001:db8:1::1/64";

/// What etherparse says of a packet: its message, checksum right, and the octets of its addresses.
fn read(packet: &[u8]) -> Icmpv6Slice<'_> {
    let sliced = SlicedPacket::from_ip(packet).expect("an IPv6 packet");
    let Some(NetSlice::Ipv6(ip)) = &sliced.net else {
        panic!("no IPv6");
    };
    let header = ip.header();
    assert_eq!(usize::from(header.payload_length()), packet.len() - 40);
    let Some(TransportSlice::Icmpv6(message)) = sliced.transport else {
        panic!("no ICMPv6");
    };
    assert!(message.is_checksum_valid(header.source(), header.destination()));
    message
}

fn octets(text: &str) -> [u8; 16] {
    address(text).to_be_bytes()
}

#[test]
fn a_solicitation_octet_by_octet() {
    let lab = Lab::quiet(&[OURS]);
    let (packet, written) = lab.write(Message::Solicitation {
        source: address(ROUTER),
        target: address("2001:db8:1::aa"),
        to: None,
        nonce: None,
    });
    #[rustfmt::skip]
    let expected = [
        // Version 6, CS6; 32 octets of ICMPv6, hop limit 255.
        0x6c, 0x00, 0, 0, 0, 32, 58, 255,
        0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 1, 1, 1,
        0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0xaa,
        // fe80+ff+fe01+101 + ff02+1+ff00+aa + 20+3a + 8700 + 2001+db8+1+aa + 101+200+1+101 = 4b6ef;
        // folded b6f3, its complement 490c.
        135, 0, 0x49, 0x0c, 0, 0, 0, 0,
        0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xaa,
        1, 1, 2, 0, 0, 1, 1, 1,
    ];
    assert_eq!(packet, expected);
    assert_eq!(written.destination, Mac([0x33, 0x33, 0xff, 0, 0, 0xaa]));
    read(&packet);
}

#[test]
fn solicitations_are_read_as_meant() {
    let lab = Lab::quiet(&[OURS]);
    let target = address("2001:db8:1::aa");
    for (source, to, nonce) in [
        (address(ROUTER), None, None),
        (address(ROUTER), Some(HOST_MAC), None),
        (0, None, Some([1, 2, 3, 4, 5, 6])),
    ] {
        let said = Message::Solicitation {
            source,
            target,
            to,
            nonce,
        };
        let (packet, written) = lab.write(said);
        let message = read(&packet);
        let Ok(Icmpv6PayloadSlice::NeighborSolicitation(body)) = message.payload_slice() else {
            panic!("another message");
        };
        assert_eq!(body.target_address(), Ipv6Addr::from(target));
        let group = icmp::solicited_node(target);
        let destination = to.map_or(group, |_| target);
        assert_eq!(packet[24..40], destination.to_be_bytes());
        assert_eq!(written.destination, to.unwrap_or(icmp::group_mac(group)));
        // And by ourselves.
        let mac = (source != 0).then_some(super::lab::ROUTER_MAC);
        let received = parse(&packet, 40).expect("valid");
        let expected = icmp::Message::Solicitation { target, mac, nonce };
        assert_eq!((received.source, received.message), (source, expected));
    }
}

#[test]
fn advertisements_are_read_as_meant() {
    let lab = Lab::quiet(&[OURS]);
    let target = address("2001:db8:1::1");
    let host = (address("2001:db8:1::aa"), HOST_MAC);
    for to in [None, Some(host)] {
        let (packet, written) = lab.write(Message::Advertisement { target, to });
        let message = read(&packet);
        let Icmpv6Type::NeighborAdvertisement(flags) = message.icmp_type() else {
            panic!("another message");
        };
        assert!(flags.router && flags.r#override);
        assert_eq!(flags.solicited, to.is_some());
        let Ok(Icmpv6PayloadSlice::NeighborAdvertisement(body)) = message.payload_slice() else {
            panic!("another message");
        };
        assert_eq!(body.options(), [2, 1, 2, 0, 0, 1, 1, 1]);
        let all = (address("ff02::1"), Mac([0x33, 0x33, 0, 0, 0, 1]));
        let (destination, mac) = to.unwrap_or(all);
        assert_eq!(packet[24..40], destination.to_be_bytes());
        assert_eq!(written.destination, mac);
        assert!(parse(&packet, 40).is_ok());
    }
}

#[test]
fn a_router_advertisement_says_all_that_is_configured() {
    let mut lab = Lab::empty(Limits::default());
    let said = Parameters {
        managed: true,
        hop_limit: 32,
        rdnss: vec!["2001:db8::53".parse().expect("an address")],
        ..Parameters::default()
    };
    let addresses = [
        OURS,
        "2001:db8:1::2/64",
        "2001:db8:2::1/56",
        "2001:db8:3::1/128",
    ];
    lab.link(interface(0, 0), false, Some(said), &addresses);
    lab.run(SECOND);
    let (packet, written) = lab.write(Message::RouterAdvertisement { last: false });
    assert_eq!(written.destination, Mac([0x33, 0x33, 0, 0, 0, 1]));
    assert_eq!(packet[8..24], octets(ROUTER));
    assert_eq!(packet[24..40], octets("ff02::1"));
    let message = read(&packet);
    let Icmpv6Type::RouterAdvertisement(header) = message.icmp_type() else {
        panic!("another message");
    };
    assert_eq!((header.cur_hop_limit, header.router_lifetime), (32, 1800));
    assert!(header.managed_address_config && !header.other_config);
    let Ok(Icmpv6PayloadSlice::RouterAdvertisement(body)) = message.payload_slice() else {
        panic!("another message");
    };
    assert_eq!((body.reachable_time(), body.retrans_timer()), (0, 0));
    let mut prefixes = Vec::new();
    let mut others = Vec::new();
    for option in body.options_iterator() {
        match option.expect("whole") {
            NdpOptionSlice::PrefixInformation(option) => {
                assert_eq!(option.valid_lifetime(), 2_592_000);
                assert_eq!(option.preferred_lifetime(), 604_800);
                assert!(option.on_link());
                let autonomous = option.autonomous_address_configuration();
                prefixes.push((option.prefix(), option.prefix_length(), autonomous));
            }
            other => others.push(other.as_bytes().to_vec()),
        }
    }
    let expected = [
        (octets("2001:db8:1::"), 64, true),
        (octets("2001:db8:2::"), 56, false),
    ];
    assert_eq!(prefixes, expected);
    let mut servers = vec![25, 3, 0, 0, 0, 0, 7, 8];
    servers.extend(octets("2001:db8::53"));
    let expected = [
        vec![1, 1, 2, 0, 0, 1, 1, 1],
        vec![5, 1, 0, 0, 0, 0, 5, 220],
        servers,
    ];
    assert_eq!(others, expected);
    assert_eq!(
        parse(&packet, 40).expect("valid").message,
        icmp::Message::RouterAdvertisement
    );
}

#[test]
fn the_longest_router_advertisement_fits() {
    let mut lab = Lab::empty(Limits::default());
    let server = "2001:db8::53".parse().expect("an address");
    let said = Parameters {
        rdnss: vec![server; 8],
        ..Parameters::default()
    };
    lab.link(interface(0, 0), false, Some(said), &[]);
    let at = interface(0, 0);
    for round in 0..2 {
        for number in 1..pinode_guest_ipv6qos::neighbour::ADDRESSES {
            let own = format!("2001:db8:{round}{number:x}::1/64");
            let own: pinode_guest_ipv6qos::prefix::InterfaceAddress =
                own.parse().expect("an address");
            lab.discovery
                .add_address(lab.now_ns, at, own)
                .expect("room");
            if round == 0 {
                lab.discovery
                    .remove_address(lab.now_ns, at, own.address)
                    .expect("it is there");
            }
        }
    }
    lab.run(SECOND);
    let (packet, _) = lab.write(Message::RouterAdvertisement { last: true });
    let of_prefixes = 32 * (16 + 8);
    assert_eq!(packet.len(), 40 + 16 + 8 + 8 + of_prefixes + 8 + 16 * 8);
    read(&packet);
}

#[test]
fn a_report_octet_by_octet() {
    let lab = Lab::quiet(&[OURS]);
    let group = address("ff02::1:ff00:1");
    let (packet, written) = lab.write(Message::Report(Report::Joined(group)));
    #[rustfmt::skip]
    let expected = [
        0x6c, 0x00, 0, 0, 0, 36, 0, 1,
        0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 1, 1, 1,
        0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16,
        // Router alert: multicast listener discovery.
        58, 0, 5, 2, 0, 0, 1, 0,
        // fe80+ff+fe01+101 + ff02+16 + 1c+3a + 8f00+1 + 400 + ff02+1+ff00+1 = 58ef4; folded 8ef9.
        143, 0, 0x71, 0x06, 0, 0, 0, 1,
        4, 0, 0, 0,
        0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1,
    ];
    assert_eq!(packet, expected);
    assert_eq!(written.destination, Mac([0x33, 0x33, 0, 0, 0, 0x16]));
    read(&packet);
}

#[test]
fn reports_name_their_groups() {
    let lab = Lab::quiet(&[OURS]);
    let group = address("ff02::1:ff00:1");
    let groups = [
        address("ff02::2"),
        address("ff05::2"),
        icmp::solicited_node(address(ROUTER)),
        group,
        // Of the subnet-router anycast address.
        address("ff02::1:ff00:0"),
    ];
    for (report, kind, named) in [
        (Report::Current, 2, &groups[..]),
        (Report::Group(group), 2, &groups[3..4]),
        (Report::Left(group), 3, &groups[3..4]),
    ] {
        let (packet, _) = lab.write(Message::Report(report));
        read(&packet);
        let records: Vec<_> = packet[56..].chunks(20).collect();
        let expected: Vec<_> = named
            .iter()
            .map(|group| [&[kind, 0, 0, 0][..], &group.to_be_bytes()].concat())
            .collect();
        assert_eq!(records, expected);
    }
    // Unspecified as long as there is no address.
    let mut lab = Lab::empty(Limits::default());
    lab.link(interface(0, 0), true, None, &[]);
    let (packet, _) = lab.write(Message::Report(Report::Joined(group)));
    assert_eq!(packet[8..24], [0; 16]);
    read(&packet);
}

#[test]
fn messages_of_version_1_octet_by_octet() {
    let lab = Lab::quiet(&[OURS]);
    let group = address("ff02::1:ff00:1");
    let routers = address("ff02::2");
    // Reports go to their group, Dones to all routers (RFC 2710 3 and 4).
    for (report, kind, to, mac) in [
        (Report::Old(group), 131, group, [0x33, 0x33, 0xff, 0, 0, 1]),
        (
            Report::OldDone(group),
            132,
            routers,
            [0x33, 0x33, 0, 0, 0, 2],
        ),
    ] {
        let (packet, written) = lab.write(Message::Report(report));
        read(&packet);
        assert_eq!(written.destination, Mac(mac));
        assert_eq!((packet[7], packet.len()), (1, 72), "hop limit, octets");
        assert_eq!(packet[8..24], address(ROUTER).to_be_bytes());
        assert_eq!(packet[24..40], to.to_be_bytes());
        assert_eq!(packet[40..48], [58, 0, 5, 2, 0, 0, 1, 0], "router alert");
        assert_eq!((packet[48], packet[49]), (kind, 0));
        assert_eq!(packet[52..56], [0; 4]);
        assert_eq!(packet[56..], group.to_be_bytes());
    }
}

#[test]
fn nothing_is_said_of_an_address_taken_away() {
    let mut lab = Lab::quiet(&[OURS]);
    let ours = address("2001:db8:1::1");
    let messages = [
        Message::Solicitation {
            source: ours,
            target: 2,
            to: None,
            nonce: None,
        },
        Message::Advertisement {
            target: ours,
            to: None,
        },
    ];
    let write = |lab: &Lab, message| {
        let outgoing = pinode_guest_ipv6qos::neighbour::Outgoing {
            interface: interface(0, 0),
            message,
        };
        lab.discovery.write(&outgoing, &mut [0; 1280])
    };
    for message in messages {
        assert!(write(&lab, message).is_some());
    }
    lab.discovery
        .remove_address(lab.now_ns, interface(0, 0), ours)
        .expect("it is there");
    for message in messages {
        assert_eq!(write(&lab, message), None);
    }
}

#[test]
fn what_does_not_fit_is_not_written() {
    let mut lab = Lab::empty(Limits::default());
    lab.link(interface(0, 0), false, Some(Parameters::default()), &[OURS]);
    lab.run(SECOND);
    let messages = [
        Message::Solicitation {
            source: address(ROUTER),
            target: 2,
            to: None,
            nonce: Some([0; 6]),
        },
        Message::Advertisement {
            target: address(ROUTER),
            to: None,
        },
        Message::RouterAdvertisement { last: false },
        Message::Report(Report::Current),
    ];
    for message in messages {
        let (packet, _) = lab.write(message);
        for room in 0..packet.len() {
            let outgoing = pinode_guest_ipv6qos::neighbour::Outgoing {
                interface: interface(0, 0),
                message,
            };
            assert_eq!(lab.discovery.write(&outgoing, &mut vec![0; room]), None);
        }
    }
}

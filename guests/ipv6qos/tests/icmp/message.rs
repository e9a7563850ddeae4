//! What is received: every check of the protocols, and any octets at all.

use pinode_guest_ipv6qos::control::item::Mac;
use pinode_guest_ipv6qos::icmp::message::{Advertisement, Version};
use pinode_guest_ipv6qos::icmp::{Message, Refused, parse, solicited_node};
use proptest::prelude::*;

use super::packets::{HOST, ROUTER, address, icmpv6, seeded};

const LINK_LOCAL: &str = "fe80::aa";
const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0xaa];

/// Message of discovery: type, code, octets up to the target, target, options.
fn discovery(start: [u8; 2], word: [u8; 4], target: Option<&str>, options: &[u8]) -> Vec<u8> {
    let mut message = vec![start[0], start[1], 0, 0];
    message.extend(word);
    message.extend(
        target
            .map(|target| address(target).to_be_bytes())
            .unwrap_or_default(),
    );
    if target.is_none() {
        message.truncate(8);
    }
    message.extend(options);
    message
}

fn option(kind: u8) -> Vec<u8> {
    [&[kind, 1][..], &MAC].concat()
}

fn received(
    ends: (&str, &str),
    hop_limit: u8,
    message: &[u8],
) -> Result<Message<'static>, Refused> {
    // Errors alone borrow from the packet, and none are made here.
    let packet = icmpv6(ends, hop_limit, (58, &[]), message).leak();
    parse(packet, 40).map(|received| received.message)
}

#[test]
fn solicitations_are_checked_as_7_1_1_says() {
    let to = "ff02::1:ff00:1";
    let ns = |options: &[u8]| discovery([135, 0], [0; 4], Some(ROUTER), options);
    let said = |mac, nonce| {
        Ok(Message::Solicitation {
            target: address(ROUTER),
            mac,
            nonce,
        })
    };
    assert_eq!(
        received((HOST, to), 255, &ns(&option(1))),
        said(Some(Mac(MAC)), None)
    );
    assert_eq!(received((HOST, ROUTER), 255, &ns(&[])), said(None, None));
    assert_eq!(
        received(("::", to), 255, &ns(&option(14))),
        said(None, Some(MAC))
    );
    // Unknown options and longer nonces are skipped, behind and in front of known ones.
    let unknown = [
        vec![200, 2],
        vec![0; 14],
        vec![14, 2],
        vec![0; 14],
        option(1),
    ]
    .concat();
    assert_eq!(
        received((HOST, to), 255, &ns(&unknown)),
        said(Some(Mac(MAC)), None)
    );

    assert_eq!(received((HOST, to), 254, &ns(&[])), Err(Refused::HopLimit));
    let code = discovery([135, 1], [0; 4], Some(ROUTER), &[]);
    assert_eq!(received((HOST, to), 255, &code), Err(Refused::Code));
    assert_eq!(
        received((HOST, to), 255, &ns(&[])[..23]),
        Err(Refused::Short)
    );
    let group = discovery([135, 0], [0; 4], Some("ff02::1"), &[]);
    assert_eq!(received((HOST, to), 255, &group), Err(Refused::Address));
    assert_eq!(
        received(("::", ROUTER), 255, &ns(&[])),
        Err(Refused::Address)
    );
    assert_eq!(
        received(("::", "ff02::1"), 255, &ns(&[])),
        Err(Refused::Address)
    );
    assert_eq!(
        received(("::", to), 255, &ns(&option(1))),
        Err(Refused::Address)
    );
    assert_eq!(
        received(("ff02::2", to), 255, &ns(&[])),
        Err(Refused::Address)
    );
    for broken in [
        &[1, 0, 0, 0, 0, 0, 0, 0][..],
        &[1, 2, 0, 0, 0, 0, 0, 0],
        &[1, 1, 0, 0, 0, 0, 0],
        &[1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        // A group's address, nobody's.
        &[1, 1, 3, 0, 0, 0, 0, 1],
        &[1, 1, 0, 0, 0, 0, 0, 0],
        &[200, 1, 0, 0, 0, 0, 0, 0, 9],
    ] {
        assert_eq!(
            received((HOST, to), 255, &ns(broken)),
            Err(Refused::Option),
            "{broken:?}"
        );
    }
}

#[test]
fn advertisements_are_checked_as_7_1_2_says() {
    let na = |flags, options: &[u8]| discovery([136, 0], [flags, 0, 0, 0], Some(HOST), options);
    for (flags, to) in [
        (0xe0, ROUTER),
        (0x40, ROUTER),
        (0x20, "ff02::1"),
        (0, "ff02::1"),
    ] {
        let said = Advertisement {
            target: address(HOST),
            router: flags & 0x80 != 0,
            solicited: flags & 0x40 != 0,
            overrides: flags & 0x20 != 0,
            mac: Some(Mac(MAC)),
        };
        let result = received((HOST, to), 255, &na(flags, &option(2)));
        assert_eq!(result, Ok(Message::Advertisement(said)));
    }
    assert_eq!(
        received((HOST, "ff02::1"), 255, &na(0x40, &[])),
        Err(Refused::Address)
    );
    assert_eq!(
        received((HOST, ROUTER), 64, &na(0, &[])),
        Err(Refused::HopLimit)
    );
    assert_eq!(
        received((HOST, ROUTER), 255, &na(0, &[])[..20]),
        Err(Refused::Short)
    );
    let code = discovery([136, 7], [0; 4], Some(HOST), &[]);
    assert_eq!(received((HOST, ROUTER), 255, &code), Err(Refused::Code));
    let group = discovery([136, 0], [0; 4], Some("ff02::1"), &[]);
    assert_eq!(received((HOST, ROUTER), 255, &group), Err(Refused::Address));
    assert_eq!(
        received((HOST, ROUTER), 255, &na(0, &[2, 0])),
        Err(Refused::Option)
    );
}

#[test]
fn router_messages_are_checked() {
    let rs = |options: &[u8]| discovery([133, 0], [0; 4], None, options);
    let said = |mac| Ok(Message::RouterSolicitation { mac });
    assert_eq!(
        received((LINK_LOCAL, "ff02::2"), 255, &rs(&option(1))),
        said(Some(Mac(MAC)))
    );
    assert_eq!(received(("::", "ff02::2"), 255, &rs(&[])), said(None));
    assert_eq!(
        received(("::", "ff02::2"), 255, &rs(&option(1))),
        Err(Refused::Address)
    );
    assert_eq!(
        received((LINK_LOCAL, "ff02::2"), 2, &rs(&[])),
        Err(Refused::HopLimit)
    );

    let ra = [
        &[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0][..],
        &option(1),
    ]
    .concat();
    let result = received((LINK_LOCAL, "ff02::1"), 255, &ra);
    assert_eq!(result, Ok(Message::RouterAdvertisement));
    assert_eq!(received((HOST, "ff02::1"), 255, &ra), Err(Refused::Address));
    assert_eq!(
        received((LINK_LOCAL, "ff02::1"), 255, &ra[..15]),
        Err(Refused::Short)
    );

    let redirect = [&[137, 0, 0, 0][..], &[0; 36]].concat();
    assert_eq!(
        received((LINK_LOCAL, ROUTER), 255, &redirect),
        Ok(Message::Redirect)
    );
    assert_eq!(
        received((HOST, ROUTER), 255, &redirect),
        Err(Refused::Address)
    );
    assert_eq!(
        received((LINK_LOCAL, ROUTER), 255, &redirect[..39]),
        Err(Refused::Short)
    );
}

#[test]
fn queries_are_checked_and_their_times_read() {
    let alert = [58, 0, 5, 2, 0, 0, 1, 0];
    let padded = [58, 0, 1, 0, 5, 2, 0, 0];
    let no_alert = [58, 0, 1, 4, 0, 0, 0, 0];
    let query = |code: u16, group: &str, version_2: bool| {
        let [high, low] = code.to_be_bytes();
        let mut message = vec![130, 0, 0, 0, high, low, 0, 0];
        message.extend(address(group).to_be_bytes());
        if version_2 {
            message.extend([2, 125, 0, 0]);
        }
        message
    };
    let read = |ends, hop_limit, chain: &[u8], message: &[u8]| {
        let packet = icmpv6(ends, hop_limit, (0, chain), message);
        let at = 40 + chain.len();
        match parse(&packet, at)?.message {
            Message::Query(query) => {
                let is_long = message.len() > 24;
                assert_eq!(query.version == Version::Two, is_long, "by its length");
                Ok((query.within_ms, query.group))
            }
            other => panic!("{other:?}"),
        }
    };
    let all = (LINK_LOCAL, "ff02::1");
    let group = "ff02::1:ff00:1";
    assert_eq!(
        read(all, 1, &alert, &query(10_000, "::", true)),
        Ok((10_000, 0))
    );
    assert_eq!(
        read(all, 1, &padded, &query(10_000, "::", true)),
        Ok((10_000, 0))
    );
    assert_eq!(
        read(all, 1, &alert, &query(0xffff, "::", false)),
        Ok((0xffff, 0))
    );
    // (0x1000 + mantissa) << (exponent + 3).
    assert_eq!(
        read(all, 1, &alert, &query(0x8000, "::", true)),
        Ok((32_768, 0))
    );
    assert_eq!(
        read(all, 1, &alert, &query(0xffff, "::", true)),
        Ok((0x1fff << 10, 0))
    );
    let specific = read((LINK_LOCAL, group), 1, &alert, &query(1, group, true));
    assert_eq!(specific, Ok((1, solicited_node(1))));

    // Neither 24 octets nor 28 and more (RFC 3810 8.1).
    let mut between = query(1, "::", true);
    for _ in 0..3 {
        between.pop();
        assert_eq!(read(all, 1, &alert, &between), Err(Refused::Short));
    }

    let general = query(1, "::", true);
    assert_eq!(read(all, 2, &alert, &general), Err(Refused::HopLimit));
    assert_eq!(read(all, 1, &no_alert, &general), Err(Refused::RouterAlert));
    assert_eq!(
        read(all, 1, &[58, 0, 200, 200, 5, 2, 0, 0], &general),
        Err(Refused::RouterAlert)
    );
    assert_eq!(
        read((HOST, "ff02::1"), 1, &alert, &general),
        Err(Refused::Address)
    );
    assert_eq!(
        read((LINK_LOCAL, ROUTER), 1, &alert, &general),
        Err(Refused::Address)
    );
    assert_eq!(
        read(all, 1, &alert, &query(1, ROUTER, true)),
        Err(Refused::Address)
    );
    assert_eq!(read(all, 1, &alert, &general[..23]), Err(Refused::Short));
    let bare = icmpv6(all, 1, (58, &[]), &general);
    assert_eq!(parse(&bare, 40), Err(Refused::RouterAlert));
}

#[test]
fn errors_bring_their_packet() {
    let message = [&[1, 4, 0, 0, 0, 0, 0, 0][..], &[0x60; 50]].concat();
    let packet = icmpv6((HOST, ROUTER), 60, (58, &[]), &message);
    let received = parse(&packet, 40).expect("valid");
    assert_eq!(received.source, address(HOST));
    assert_eq!(received.destination, address(ROUTER));
    let Message::Error { kind, code, packet } = received.message else {
        panic!("an error");
    };
    assert_eq!((kind, code, packet), (1, 4, &[0x60; 50][..]));
}

#[test]
fn others_are_told_apart() {
    let of = |kind| received((HOST, ROUTER), 60, &[kind, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(of(128), Ok(Message::EchoRequest));
    assert_eq!(of(129), Ok(Message::EchoReply));
    assert_eq!(of(131), Ok(Message::Listener));
    assert_eq!(of(143), Ok(Message::Listener));
    assert_eq!(of(200), Ok(Message::Other { kind: 200 }));
    assert_eq!(
        received((HOST, ROUTER), 60, &[128, 0, 0, 0, 0, 0, 0]),
        Err(Refused::Short)
    );
    let mut packet = icmpv6((HOST, ROUTER), 60, (58, &[]), &[128, 0, 0, 0, 0, 0, 0, 0]);
    packet[47] ^= 1;
    assert_eq!(parse(&packet, 40), Err(Refused::Checksum));
    assert_eq!(parse(&packet, 45), Err(Refused::Short));
    assert_eq!(parse(&packet, 500), Err(Refused::Short));
    assert_eq!(parse(&packet[..39], 40), Err(Refused::Short));
}

proptest! {
    #![proptest_config(seeded(2000))]

    #[test]
    fn any_octets_are_read_without_panic(
        packet in proptest::collection::vec(any::<u8>(), 0..120),
        at in 0usize..130,
    ) {
        let _ = parse(&packet, at);
    }

    #[test]
    fn any_message_is_read_without_panic(
        kind in prop_oneof![Just(130u8), 133u8..=137, any::<u8>()],
        code in prop_oneof![9 => Just(0u8), 1 => any::<u8>()],
        body in proptest::collection::vec(any::<u8>(), 0..100),
        options in proptest::collection::vec((0u8..30, 0u8..4), 0..6),
        hop_limit in prop_oneof![Just(255u8), Just(1u8)],
    ) {
        let mut message = vec![kind, code, 0, 0];
        message.extend(body);
        for (kind, units) in options {
            message.extend([kind, units]);
            message.resize(message.len() + usize::from(units) * 8, 2);
        }
        let packet = icmpv6((LINK_LOCAL, ROUTER), hop_limit, (58, &[]), &message);
        if let Ok(received) = parse(&packet, 40) {
            prop_assert_eq!(received.source, address(LINK_LOCAL));
            prop_assert!(code == 0 || !(133..=137).contains(&kind));
            prop_assert!(hop_limit == 255 || !(133..=137).contains(&kind));
        }
    }
}

//! What a full table does, and one whose sources are limited.

use pinode_guest_ipv6qos::filter::flows::{Flows, Full, Limits};
use pinode_guest_ipv6qos::packet::Fields;
use pinode_guest_ipv6qos::packet::fields::{Upper, protocol};
use proptest::prelude::*;

use super::{answer, seeded, udp};

const SECOND: u64 = 1_000_000_000;
const FAR: u128 = 0x2001_0db8_ffff << 80 | 1;

/// Bits of the source address and both ports of the n-th flow.
type Pattern = fn(u128) -> (u128, u16, u16);

fn table(flows: u32, per_source: u32) -> Flows {
    let limits = Limits {
        flows,
        per_source,
        ..Limits::default()
    };
    Flows::new(&limits, 1, 42).unwrap()
}

/// A packet of flow `number`, each from a network of its own.
fn packet(number: u32) -> Fields {
    let source = 0x2001_0db8 << 96 | u128::from(number) << 64 | 1;
    udp(0, source, FAR, (1000, 53))
}

fn find(flows: &mut Flows, now_ns: u64, packet: &Fields) -> bool {
    let mut found = [false];
    flows.find_burst(now_ns, &[*packet], &mut found);
    found[0]
}

/// Begun, answered, spoken again.
fn establish(flows: &mut Flows, now_ns: u64, packet: &Fields) -> Result<(), Full> {
    flows.track(now_ns, packet)?;
    assert!(find(flows, now_ns, &answer(packet)) && find(flows, now_ns, packet));
    Ok(())
}

#[test]
fn a_million_flows_fit_and_are_found() {
    let mut flows = table(1_000_000, 0);
    for number in 0..1_000_000 {
        assert_eq!(flows.track(0, &packet(number)), Ok(()));
    }
    assert_eq!((flows.len(), flows.tally().displaced), (1_000_000, 0));
    let mut found = [false; 64];
    for burst in 0..1_000_000 / 64 {
        let packets: [Fields; 64] = std::array::from_fn(|n| answer(&packet(burst * 64 + n as u32)));
        flows.find_burst(SECOND, &packets, &mut found);
        assert!(found.iter().all(|found| *found));
    }
    let packets: [Fields; 64] = std::array::from_fn(|n| packet(1_000_000 + n as u32));
    flows.find_burst(SECOND, &packets, &mut found);
    assert!(!found.iter().any(|found| *found));
}

#[test]
fn patterns_in_addresses_and_ports_do_not_crowd_the_table() {
    let base = 0x2001_0db8 << 96;
    let patterns: [Pattern; 6] = [
        |n| (n, 1, 1),
        |n| (n << 44, 1, 1),
        |n| (n << 64, 1, 1),
        |n| ((n & 0xff) << 72 | (n >> 8) << 8, 1, 1),
        |n| ((n >> 14) << 64, (n & 0x7f) as u16, (n >> 7 & 0x7f) as u16),
        |n| (n.reverse_bits() >> 40, n as u16, n as u16),
    ];
    for (number, pattern) in patterns.into_iter().enumerate() {
        let mut flows = table(50_000, 0);
        for n in 0..50_000 {
            let (source, sport, dport) = pattern(n);
            let packet = udp(0, base ^ source, FAR, (sport, dport));
            assert_eq!(flows.track(0, &packet), Ok(()), "pattern {number}");
        }
        let tally = flows.tally();
        assert_eq!(
            (flows.len(), tally.displaced),
            (50_000, 0),
            "pattern {number}"
        );
    }
}

#[test]
fn the_oldest_flow_without_an_answer_gives_way() {
    // One group of places and few flows: all are in the window of each other, most likely.
    let mut flows = table(2, 0);
    flows.track(0, &packet(1)).unwrap();
    flows.track(1, &packet(2)).unwrap();
    let mut lost = 0;
    for number in 3..200 {
        match flows.track(2, &packet(number)) {
            Ok(()) => assert!(find(&mut flows, 2, &packet(number))),
            Err(error) => {
                assert_eq!(error, Full::Table);
                lost += 1;
            }
        }
        assert_eq!(flows.len(), 2);
    }
    let tally = flows.tally();
    assert_eq!(tally.displaced + lost, 197);
    assert_eq!((tally.refused_table, tally.made), (lost, 199 - lost));
    assert!(tally.displaced > 0);
}

#[test]
fn a_table_full_of_established_flows_takes_no_others_until_they_run_out() {
    let mut flows = table(500, 0);
    for number in 0..500 {
        establish(&mut flows, 0, &packet(number)).unwrap();
    }
    for number in 500..2000 {
        assert_eq!(flows.track(SECOND, &packet(number)), Err(Full::Table));
    }
    for number in 0..500 {
        assert!(find(&mut flows, SECOND, &packet(number)), "{number}");
    }
    let later = 122 * SECOND;
    flows.work(later, 100_000);
    assert!(flows.is_empty());
    assert_eq!(flows.track(later, &packet(500)), Ok(()));
}

#[test]
fn a_source_begins_no_more_than_its_share() {
    let mut flows = table(1000, 3);
    let from = |host: u128, port| udp(0, 0x2001_0db8 << 96 | host, FAR, (port, 53));
    for port in 0..3 {
        assert_eq!(flows.track(0, &from(u128::from(port), port)), Ok(()));
    }
    // Of the same /64; of another; of another virtual network.
    assert_eq!(flows.track(0, &from(9, 9)), Err(Full::Source));
    assert_eq!(flows.track(0, &from(1 << 64, 9)), Ok(()));
    let elsewhere = udp(1, 0x2001_0db8 << 96, FAR, (9, 53));
    assert_eq!(flows.track(0, &elsewhere), Ok(()));
    // Its own packets go on; an answer makes room, and so do time and a flush.
    assert_eq!(flows.track(0, &from(0, 0)), Ok(()));
    assert!(find(&mut flows, 0, &answer(&from(0, 0))));
    assert_eq!(flows.track(0, &from(9, 9)), Ok(()));
    assert_eq!(flows.track(0, &from(9, 10)), Err(Full::Source));
    flows.work(31 * SECOND, 10_000);
    assert_eq!(flows.track(31 * SECOND, &from(9, 10)), Ok(()));
    for port in 11..13 {
        assert_eq!(flows.track(31 * SECOND, &from(9, port)), Ok(()));
    }
    assert_eq!(flows.track(31 * SECOND, &from(9, 13)), Err(Full::Source));
    assert_eq!(flows.flush(None), 3);
    flows.work(31 * SECOND, 10_000);
    assert_eq!(flows.track(31 * SECOND, &from(9, 13)), Ok(()));
    assert_eq!(flows.tally().refused_source, 3);
}

#[test]
fn a_flow_that_has_run_out_is_not_found_though_nobody_came_by() {
    let mut flows = table(100, 0);
    flows.track(0, &packet(1)).unwrap();
    assert!(find(&mut flows, 29 * SECOND, &packet(1)));
    assert!(find(&mut flows, 58 * SECOND, &packet(1)));
    assert!(!find(&mut flows, 89 * SECOND, &packet(1)));
    assert!(!find(&mut flows, 89 * SECOND, &packet(1)));
}

/// Tags are eight bits: of so many packets many have a flow's tag in its group and must be told from it by their key.
#[test]
fn a_packet_that_differs_in_one_part_of_the_name_is_of_no_flow() {
    let mut flows = table(1000, 0);
    let of = |port| udp(3, 1 << 64, FAR, (port, 53));
    for port in 0..1000 {
        flows.track(0, &of(port)).unwrap();
    }
    let differing: [fn(&mut Fields, u16); 7] = [
        |packet, n| packet.source ^= u128::from(n),
        |packet, n| packet.source ^= u128::from(n) << 65,
        |packet, n| packet.destination ^= u128::from(n),
        |packet, n| packet.destination ^= u128::from(n) << 64,
        |packet, n| packet.source_port += 1000 * n,
        |packet, n| packet.destination_port += n,
        |packet, n| packet.interface = udp((3 + n as u8) % 32, 0, 0, (0, 0)).interface,
    ];
    for (part, differ) in differing.into_iter().enumerate() {
        for port in 0..1000 {
            let burst: [Fields; 31] = std::array::from_fn(|n| {
                let mut packet = of(port);
                differ(&mut packet, 1 + n as u16);
                packet
            });
            let mut found = [true; 31];
            flows.find_burst(0, &burst, &mut found);
            assert_eq!(found, [false; 31], "part {part} port {port}");
        }
    }
    assert!((0..1000).all(|port| find(&mut flows, 0, &of(port))));
}

#[test]
fn later_fragments_follow_the_first() {
    let mut flows = table(100, 0);
    let first = Fields {
        fragment: true,
        fragment_id: 7,
        ..packet(1)
    };
    let later = Fields {
        upper: Upper::LaterFragment,
        source_port: 0,
        destination_port: 0,
        ..first
    };
    flows.track(0, &packet(1)).unwrap();
    let other = Fields {
        fragment_id: 8,
        ..later
    };
    let mut found = [false; 5];
    let burst = [later, first, later, other, answer(&later)];
    flows.find_burst(0, &burst, &mut found);
    assert_eq!(found, [false, true, true, false, false]);
    // They have their time from the first on (RFC 8200 4.5).
    assert!(find(&mut flows, 59 * SECOND, &later));
    assert!(!find(&mut flows, 61 * SECOND, &later));
}

/// One flow makes as many notes as it likes, past the limit by source: nothing gives way to them.
#[test]
fn a_flood_of_first_fragments_displaces_no_flow() {
    let mut flows = table(100, 2);
    for number in 0..61 {
        flows.track(0, &packet(number)).unwrap();
    }
    for fragment_id in 0..5000 {
        let first = Fields {
            fragment: true,
            fragment_id,
            ..packet(0)
        };
        assert!(find(&mut flows, 0, &first));
    }
    assert!((0..61).all(|number| find(&mut flows, 0, &packet(number))));
    // They give way to flows.
    let displaced = flows.tally().displaced;
    assert_eq!((flows.len(), displaced), (100, 0));
    let made = (100..200).filter(|number| flows.track(0, &packet(*number)).is_ok());
    assert!(made.count() > 50);
}

#[test]
fn what_cannot_hold_is_refused() {
    for (text, part) in [
        (r#"{"limit":0}"#, "limit is 0; allowed: 1 to 16777216"),
        (r#"{"limit":16777217}"#, "limit is 16777217"),
        (
            r#"{"timeout":{"udp":"0s"}}"#,
            "timeout.udp is 0ns; allowed: 1s to 864000s",
        ),
        (
            r#"{"timeout":{"other":"864001s"}}"#,
            "timeout.other is 864001s",
        ),
    ] {
        let limits: Limits = serde_json::from_str(text).unwrap();
        let error = Flows::new(&limits, 1, 0).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    for text in [r#"{"flows":1}"#, r#"{"timeout":{"tcp":"1s"}}"#] {
        let error = serde_json::from_str::<Limits>(text).unwrap_err();
        assert!(error.to_string().contains("unknown field"), "{error}");
    }
    let limits: Limits = serde_json::from_str(r#"{"limit":1000000}"#).unwrap();
    assert_eq!(limits.timeout.tcp_established.0, 7440 * SECOND);
    assert!((76_000_000..82_000_000).contains(&Flows::memory(&limits)));
}

proptest! {
    #![proptest_config(seeded(200))]

    /// Whatever comes: never more than the limit, no established flow lost, no flow made that is not found.
    #[test]
    fn limits_hold_in_a_flood(limit in 1u32..60, numbers in proptest::collection::vec((0u32..400, 0u8..4), 1..400)) {
        let mut flows = table(limit, 0);
        let mut established = Vec::new();
        for (number, how) in numbers {
            let packet = Fields { protocol: protocol::UDP, ..packet(number) };
            let done = if how == 0 {
                let done = establish(&mut flows, 0, &packet);
                established.extend(done.is_ok().then_some(packet));
                done
            } else {
                flows.track(0, &packet)
            };
            prop_assert!(flows.len() <= limit);
            prop_assert_eq!(done.is_ok(), find(&mut flows, 0, &packet));
            let tally = flows.tally();
            prop_assert_eq!(tally.made - tally.ended - tally.displaced, u64::from(flows.len()));
        }
        for packet in established {
            prop_assert!(find(&mut flows, 0, &packet));
        }
    }
}

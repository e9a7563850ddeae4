//! Bounds, time, and what a fragment alone has wrong.

use pinode_guest_ipv6qos::reassembly::piece::Wrong;
use pinode_guest_ipv6qos::reassembly::{DATAGRAMS, HEAD, MOST, PER_SOURCE, Reassembly, Taken};

use crate::fragments::*;

/// The first half of packet `identification`, and the second.
fn halves(source: u128, identification: u32) -> [Vec<u8>; 2] {
    let all = content(128);
    [
        fragment(source, identification, 0, true, &all[..64]),
        fragment(source, identification, 64, false, &all[64..]),
    ]
}

/// A host of another /64.
fn stranger(number: u128) -> u128 {
    SOURCE + (number << 64)
}

#[test]
fn each_fault_has_its_place() {
    let cases = [
        (fragment(SOURCE, 1, 8, true, &content(12)), Wrong::Field(4)),
        (
            fragment(SOURCE, 1, 65528, true, &content(8)),
            Wrong::Field(42),
        ),
        (
            padded(fragment(SOURCE, 1, 65528, false, &content(1))),
            Wrong::Field(50),
        ),
        // A first fragment whose ICMPv6 header is in the next one.
        (
            fragment(SOURCE, 1, 0, false, &content(7)),
            Wrong::Incomplete,
        ),
    ];
    for (given, expected) in cases {
        let mut pool = Reassembly::new(1);
        assert_eq!(pool.take(0, on(0, 0), &given), Taken::Wrong(expected));
        assert!(pool.is_empty());
    }
    // TCP's header has 20 octets; 16 are there.
    let mut given = fragment(SOURCE, 1, 0, true, &content(16));
    given[40] = 6;
    let mut pool = Reassembly::new(1);
    assert_eq!(
        pool.take(0, on(0, 0), &given),
        Taken::Wrong(Wrong::Incomplete)
    );
}

#[test]
fn overlapping_fragments_take_their_packet_with_them() {
    for overlap in [
        fragment(SOURCE, 1, 56, true, &content(16)),
        fragment(SOURCE, 1, 0, true, &[9; 64]),
        fragment(SOURCE, 1, 8, true, &content(64)[8..16]),
        fragment(SOURCE, 1, 56, false, &[1]),
    ] {
        let mut pool = Reassembly::new(1);
        let [first, second] = halves(SOURCE, 1);
        assert_eq!(pool.take(0, on(0, 0), &first), Taken::Kept);
        assert_eq!(pool.take(0, on(0, 0), &overlap), Taken::Refused);
        // Also what comes later (RFC 5722 4).
        assert_eq!(pool.take(0, on(0, 0), &second), Taken::Refused);
        assert_eq!(pool.take(0, on(0, 0), &first), Taken::Refused);
        // Without a word when its time is over.
        let expired = pool.expire(60 * SECOND).unwrap();
        assert_eq!(expired.first, None);
    }
}

#[test]
fn a_fragment_that_comes_twice_does_no_harm() {
    let mut pool = Reassembly::new(1);
    let [first, second] = halves(SOURCE, 1);
    assert_eq!(pool.take(0, on(0, 0), &second), Taken::Kept);
    assert_eq!(pool.take(0, on(0, 0), &second), Taken::Refused);
    let Taken::Whole(number) = pool.take(0, on(0, 0), &first) else {
        panic!("not whole");
    };
    assert_eq!(take_out(&mut pool, number), whole(SOURCE, &content(128)));
}

#[test]
fn the_longest_packet_fits_and_no_longer_one() {
    let all = content(MOST + 8);
    for (octets, fits) in [(MOST, true), (MOST + 1, false)] {
        let mut pool = Reassembly::new(1);
        assert_eq!(
            pool.take(0, on(0, 0), &fragment(SOURCE, 1, 0, true, &all[..1024])),
            Taken::Kept
        );
        let taken = pool.take(
            0,
            on(0, 0),
            &fragment(SOURCE, 1, 1024, false, &all[1024..octets]),
        );
        assert_eq!(matches!(taken, Taken::Whole(_)), fits, "{octets}");
    }
}

#[test]
fn headers_have_a_bound() {
    let mut given = fragment(SOURCE, 1, 0, true, &content(64));
    while given.len() - 64 - 8 + 8 <= HEAD {
        given = longer(given);
    }
    let mut pool = Reassembly::new(1);
    assert_eq!(pool.take(0, on(0, 0), &given), Taken::Refused);
}

/// `packet` with 64 octets of padding options more.
fn longer(mut packet: Vec<u8>) -> Vec<u8> {
    let next = std::mem::replace(&mut packet[6], 60);
    let mut header = vec![next, 7, 1, 60];
    header.resize(64, 0);
    packet.splice(40..40, header);
    let payload = (packet.len() - 40) as u16;
    packet[4..6].copy_from_slice(&payload.to_be_bytes());
    packet
}

#[test]
fn time_runs_from_the_first_to_come_and_the_first_fragment_is_shown() {
    let mut pool = Reassembly::new(1);
    let [first, second] = halves(SOURCE, 1);
    assert_eq!(pool.take(5, on(1, 3), &second), Taken::Kept);
    let third = fragment(SOURCE, 2, 0, true, &content(1400));
    assert_eq!(pool.take(6, on(0, 0), &third), Taken::Kept);
    assert_eq!(pool.expire(60 * SECOND + 4), None);
    // Its first fragment did not come.
    let expired = pool.expire(60 * SECOND + 5).unwrap();
    assert_eq!((expired.first, expired.vn), (None, on(1, 3).interface.vn()));
    let expired = pool.expire(60 * SECOND + 6).unwrap();
    assert_eq!(expired.first, Some(on(0, 0)));
    let mut room = [0; 2000];
    let octets = pool.write_first(&expired, &mut room).unwrap();
    assert_eq!(room[..octets], third);
    let octets = pool.write_first(&expired, &mut room[..100]).unwrap();
    assert_eq!(room[..octets], third[..100]);
    assert_eq!(pool.expire(u64::MAX), None);
    // It begins anew.
    assert_eq!(pool.take(61 * SECOND, on(1, 3), &first), Taken::Kept);
}

#[test]
fn packets_are_told_apart() {
    let mut pool = Reassembly::new(1);
    let link_local = 0xfe80 << 112 | 9;
    let others = [
        (SOURCE + 1, 1, on(0, 0)),
        (SOURCE, 2, on(0, 0)),
        (SOURCE, 1, on(0, 1)),
        (link_local, 1, on(0, 0)),
        (link_local, 1, on(1, 0)),
    ];
    assert_eq!(pool.take(0, on(0, 0), &halves(SOURCE, 1)[0]), Taken::Kept);
    for (source, identification, arrival) in others {
        let [_, second] = halves(source, identification);
        assert_eq!(pool.take(0, arrival, &second), Taken::Kept);
    }
    // By another port of the same network they may well come.
    let taken = pool.take(0, on(1, 0), &halves(SOURCE, 1)[1]);
    assert!(matches!(taken, Taken::Whole(_)));
}

#[test]
fn one_source_does_not_fill_the_room() {
    let mut pool = Reassembly::new(1);
    for number in 0..100 {
        // Of one /64.
        let source = SOURCE + u128::from(number);
        assert_eq!(
            pool.take(0, on(0, 0), &halves(source, number)[0]),
            Taken::Kept
        );
    }
    assert_eq!(pool.len(), PER_SOURCE);
    // Its own newest goes through.
    let taken = pool.take(0, on(0, 0), &halves(SOURCE + 99, 99)[1]);
    assert!(matches!(taken, Taken::Whole(_)));
}

#[test]
fn a_flood_of_beginnings_costs_the_busiest_network_its_oldest() {
    let mut pool = Reassembly::new(1);
    let mine = on(1, 5);
    assert_eq!(pool.take(0, mine, &halves(SOURCE, 1)[0]), Taken::Kept);
    for number in 1..200 {
        let [first, _] = halves(stranger(number), 1);
        assert_eq!(pool.take(number as u64, on(0, 0), &first), Taken::Kept);
    }
    assert_eq!(pool.len(), DATAGRAMS);
    // Another network's packet was not touched, old as it is.
    let taken = pool.take(300, mine, &halves(SOURCE, 1)[1]);
    assert!(matches!(taken, Taken::Whole(_)));
    // The flooding network's newest one was not either.
    let taken = pool.take(300, on(0, 0), &halves(stranger(199), 1)[1]);
    assert!(matches!(taken, Taken::Whole(_)));
    // The oldest was.
    assert_eq!(
        pool.take(300, on(0, 0), &halves(stranger(1), 1)[1]),
        Taken::Kept
    );
}

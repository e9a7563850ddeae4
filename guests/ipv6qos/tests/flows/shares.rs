//! What virtual networks can take from each other: nothing of a share.

use pinode_guest_ipv6qos::Vn;
use pinode_guest_ipv6qos::filter::flows::{Flows, Full, Limits};
use pinode_guest_ipv6qos::packet::Fields;
use proptest::prelude::*;

use super::{answer, seeded, udp};

const FAR: u128 = 0x2001_0db8_ffff << 80 | 1;

/// A table for `flows` flows that `vns` virtual networks share.
fn table(flows: u32, vns: usize, per_source: u32) -> Flows {
    let limits = Limits {
        flows,
        per_source,
        ..Limits::default()
    };
    Flows::new(&limits, vns, 42).unwrap()
}

fn packet(vn: u8, number: u32) -> Fields {
    let source = 0x2001_0db8 << 96 | u128::from(number) << 64 | 1;
    udp(vn, source, FAR, (1000, 53))
}

fn find(flows: &mut Flows, packet: &Fields) -> bool {
    let mut found = [false];
    flows.find_burst(0, &[*packet], &mut found);
    found[0]
}

fn establish(flows: &mut Flows, packet: &Fields) -> Result<(), Full> {
    flows.track(0, packet)?;
    assert!(find(flows, &answer(packet)) && find(flows, packet));
    Ok(())
}

/// How many flows a virtual network has.
fn count(flows: &Flows, vn: u8) -> usize {
    let (mut count, mut from) = (0, Some(0));
    while let Some(at) = from {
        let page = flows.list(0, Vn::new(vn), at, 10_000);
        count += page.flows.len();
        from = page.next;
    }
    count
}

#[test]
fn established_flows_of_one_leave_the_others_their_shares() {
    let mut flows = table(4000, 4, 0);
    let of_first = (0..8000).filter(|n| establish(&mut flows, &packet(0, *n)).is_ok());
    // Its own share of 500, and what is common.
    assert_eq!(of_first.count(), 2500);
    for vn in 1..4 {
        let had = (0..8000).filter(|n| establish(&mut flows, &packet(vn, *n)).is_ok());
        assert_eq!(had.count(), 500, "{vn}");
    }
    assert_eq!(flows.track(0, &packet(0, 9000)), Err(Full::Table));
    assert_eq!(flows.tally().displaced, 0);
}

#[test]
fn a_flood_in_one_displaces_nothing_of_another_s_share() {
    let mut flows = table(4000, 4, 0);
    for number in 0..500 {
        flows.track(0, &packet(1, number)).unwrap();
    }
    for number in 0..50_000 {
        let _ = flows.track(0, &packet(0, number));
    }
    assert_eq!((count(&flows, 1), count(&flows, 0)), (500, 2500));
    assert!((0..500).all(|number| find(&mut flows, &packet(1, number))));
    // What the flood has beyond its share gives way to whoever wants it, and its own goes on giving way to itself.
    for number in 0..3000 {
        let _ = flows.track(0, &packet(2, number));
    }
    assert!(count(&flows, 2) > 1000, "{}", count(&flows, 2));
    assert!(count(&flows, 0) >= 500 && flows.len() <= 4000);
}

#[test]
fn one_alone_may_have_all() {
    let mut flows = table(4000, 1, 0);
    let had = (0..5000).filter(|n| establish(&mut flows, &packet(7, *n)).is_ok());
    assert_eq!(had.count(), 4000);
    assert_eq!(flows.flush(Vn::new(7)), 4000);
    assert_eq!(flows.track(0, &packet(7, 9000)), Ok(()));
}

/// Sources at their limit share counters with others, but seldom both: not even where the limit is 1.
#[test]
fn many_sources_at_their_limit_refuse_few_others() {
    for limit in [1, 3, 20] {
        let mut flows = table(20_000, 2, limit);
        let mut source = 0;
        while flows.len() < 15_000 {
            source += 1;
            for port in 0..limit as u16 {
                let mut packet = packet(0, source);
                packet.source_port = port;
                let _ = flows.track(0, &packet);
            }
        }
        let others = (0..4000).map(|number| packet(1, 0x10_0000 + number));
        let refused = others.filter(|packet| flows.track(0, packet).is_err());
        let refused = refused.count();
        assert!(refused < 4000 / 32, "limit {limit}: {refused}");
    }
}

proptest! {
    #![proptest_config(seeded(100))]

    /// Whatever comes: one within its share is not refused, and no other loses of its.
    #[test]
    fn shares_hold(
        limit in 20u32..200,
        vns in 1u8..6,
        steps in proptest::collection::vec((0u8..6, 0u32..300, 0u8..8), 1..600),
    ) {
        let mut flows = table(limit, usize::from(vns), 0);
        let share = limit as usize / 2 / usize::from(vns);
        let counts = |flows: &Flows| -> Vec<usize> { (0..vns).map(|vn| count(flows, vn)).collect() };
        for (vn, number, how) in steps {
            let vn = vn % vns;
            let before = counts(&flows);
            let packet = packet(vn, number);
            let done = match how {
                0 => { flows.flush(Vn::new(vn)); continue; }
                1..4 => establish(&mut flows, &packet),
                _ => flows.track(0, &packet),
            };
            let after = counts(&flows);
            prop_assert!(done.is_ok() || before[usize::from(vn)] >= share);
            for (of, (before, after)) in before.iter().zip(&after).enumerate() {
                prop_assert!(of == usize::from(vn) || *after >= *before.min(&share));
            }
            prop_assert_eq!(after.iter().sum::<usize>(), flows.len() as usize);
            prop_assert!(flows.len() <= limit);
        }
    }
}

//! Equal packets, one behind the other: looked up once, and counted each.

use pinode_guest_ipv6qos::filter::flows::{Flows, Limits};
use pinode_guest_ipv6qos::packet::Fields;

use super::{answer, udp};

const NEAR: u128 = 0x2001_0db8 << 96 | 1;
const FAR: u128 = 0x2001_0db8_ffff << 80 | 1;

/// Packets of the only flow there is.
fn counts(flows: &Flows) -> [u64; 2] {
    let (mut all, mut from) = (Vec::new(), Some(0));
    while let Some(at) = from {
        let page = flows.list(0, None, at, 10_000);
        all.extend(page.flows);
        from = page.next;
    }
    assert_eq!(all.len(), 1);
    all[0].packets
}

/// Of a flow of which nobody answered yet, of one that an answer changes, and of one that nothing changes; by turns,
/// too.
#[test]
fn each_packet_of_a_run_is_counted() {
    let mut flows = Flows::new(&Limits::default(), 1, 42).unwrap();
    let there = udp(0, NEAR, FAR, (1000, 53));
    let back = answer(&there);
    flows.track(0, &there).unwrap();
    let mut expected = [1, 0];
    for packet in [there, back, there, back, there] {
        let run = [packet; 40];
        let mut found = [false; 40];
        flows.find_burst(0, &run, &mut found);
        assert_eq!(found, [true; 40]);
        expected[usize::from(packet == back)] += 40;
        assert_eq!(counts(&flows), expected);
    }
    for length in 1..=40 {
        let turns = |at: usize| [there, back][at / length % 2];
        let mixed: Vec<Fields> = (0..40).map(turns).collect();
        let mut found = [false; 40];
        flows.find_burst(0, &mixed, &mut found);
        assert_eq!(found, [true; 40]);
        let answers = mixed.iter().filter(|packet| **packet == back).count() as u64;
        expected = [expected[0] + 40 - answers, expected[1] + answers];
        assert_eq!(counts(&flows), expected, "{length}");
    }
}

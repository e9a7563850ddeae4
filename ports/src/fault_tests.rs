//! Faults: each is seen where it is counted, the sum always holds, a seed repeats.

use super::*;
use crate::fake::{FakePort, FakeScript};
use proptest::prelude::*;

const ALWAYS: u32 = 1_000_000;

fn faulty(faults: Faults, seed: u64) -> (FaultPort<FakePort>, FakeScript, FaultWatch) {
    let (port, script) = FakePort::new(128);
    let port = FaultPort::new(port, faults, seed);
    let watch = port.watch();
    (port, script, watch)
}

fn receive(port: &mut impl Port) -> Vec<Vec<u8>> {
    let mut burst = RxBurst::new();
    port.rx_burst(0, &mut burst);
    burst.iter().map(|f| f.to_vec()).collect()
}

fn numbered(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|i| vec![i; 60]).collect()
}

#[test]
fn without_faults_nothing_changes() {
    let (mut port, script, watch) = faulty(Faults::default(), 1);
    script.receive(numbered(64));
    assert_eq!(receive(&mut port), numbered(64));
    let expected = FaultCounts {
        received: 64,
        delivered: 64,
        ..FaultCounts::default()
    };
    assert_eq!(watch.counts(), expected);
    // Nor in what the port says of itself, also in a box.
    assert_eq!(port.launch_lead_ns(), None);
    script.have_launch_time(Some(7));
    let boxed: Box<dyn Port> = Box::new(port);
    assert_eq!(boxed.launch_lead_ns(), Some(7));
}

#[test]
fn loss_duplication_and_corruption_are_what_they_are_called() {
    let (mut port, script, watch) = faulty(
        Faults {
            loss_ppm: ALWAYS,
            ..Faults::default()
        },
        1,
    );
    script.receive(numbered(5));
    assert!(receive(&mut port).is_empty());
    assert_eq!(watch.counts().lost, 5);

    let (mut port, script, watch) = faulty(
        Faults {
            duplication_ppm: ALWAYS,
            ..Faults::default()
        },
        1,
    );
    script.receive(numbered(40));
    let got = [receive(&mut port), receive(&mut port)].concat();
    assert_eq!(
        got,
        numbered(40)
            .iter()
            .flat_map(|f| [f.clone(), f.clone()])
            .collect::<Vec<_>>()
    );
    assert_eq!(watch.counts().duplicated, 40);

    let (mut port, script, watch) = faulty(
        Faults {
            corruption_ppm: ALWAYS,
            ..Faults::default()
        },
        1,
    );
    script.receive(numbered(9));
    for (sent, got) in numbered(9).iter().zip(receive(&mut port)) {
        let turned: u32 = sent
            .iter()
            .zip(&got)
            .map(|(a, b)| (a ^ b).count_ones())
            .sum();
        assert_eq!(turned, 1);
    }
    assert_eq!(watch.counts().corrupted, 9);
}

#[test]
fn an_overtaken_frame_comes_behind_the_next_or_in_the_next_burst() {
    let (mut port, script, watch) = faulty(
        Faults {
            reordering_ppm: ALWAYS,
            ..Faults::default()
        },
        1,
    );
    script.receive(numbered(5));
    let order: Vec<u8> = receive(&mut port).iter().map(|f| f[0]).collect();
    assert_eq!(order, [1, 0, 3, 2]);
    assert_eq!((watch.counts().reordered, watch.counts().waiting), (2, 1));
    assert_eq!(receive(&mut port), [[4; 60]]);
    assert_eq!((watch.counts().reordered, watch.counts().waiting), (2, 0));
}

#[test]
fn a_stall_stops_both_directions_for_its_length() {
    let faults = Faults {
        stall_ppm: ALWAYS,
        stall_bursts: 3,
        ..Faults::default()
    };
    let (mut port, script, watch) = faulty(faults, 1);
    script.receive(numbered(2));
    assert!(receive(&mut port).is_empty());
    let mut slots = TxSlots::new();
    port.tx_slots(1, &mut slots);
    assert!(slots.is_empty());
    drop(slots);
    port.set_faults(Faults::default());
    assert!(receive(&mut port).is_empty() && receive(&mut port).is_empty());
    assert_eq!(receive(&mut port).len(), 2);
    let mut slots = TxSlots::new();
    port.tx_slots(1, &mut slots);
    assert_eq!((slots.len(), watch.counts().stalls), (1, 1));
}

proptest! {
    #[test]
    fn the_sum_holds_after_every_burst_and_a_seed_repeats(
        seed: u64,
        ppm in prop::array::uniform6(0u32..400_000), stall_bursts in 1u32..4,
        bursts in prop::collection::vec(0u8..64, 1..20),
    ) {
        let faults = Faults {
            loss_ppm: ppm[0], duplication_ppm: ppm[1], reordering_ppm: ppm[2],
            corruption_ppm: ppm[3], refusal_ppm: ppm[4], stall_ppm: ppm[5], stall_bursts,
        };
        let run = || {
            let (mut port, script, watch) = faulty(faults, seed);
            let (mut got, mut sent, mut offered) = (Vec::new(), 0, 0);
            for count in &bursts {
                script.receive(numbered(*count));
                got.extend(receive(&mut port));
                let mut slots = TxSlots::new();
                port.tx_slots(usize::from(*count), &mut slots);
                let metas = vec![TxMeta { len: 60, start_ns: 0 }; slots.len()];
                drop(slots);
                offered += metas.len() as u64;
                sent += port.tx_commit(&metas) as u64;
                let c = watch.counts();
                assert_eq!(c.received + c.duplicated, c.lost + c.delivered + c.waiting);
                assert_eq!(c.delivered, got.len() as u64);
                assert_eq!(c.refused, offered - sent);
            }
            assert_eq!(script.sent().len() as u64, sent);
            (got, watch.counts())
        };
        prop_assert_eq!(run(), run());
    }
}

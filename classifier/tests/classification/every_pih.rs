//! All 256 values of the PIH against every kind of configuration.

use pinode_classifier::{Drop, GuestForm, Pi, PortClassifier, Table, Trunk, TxDrop};
use proptest::prelude::*;

use crate::{MTU, NODE, pi, seeded, tagged};

/// What the wire format says of a PIH, without a table.
fn expected(pis: &[Pi], raw: u8) -> Result<u8, Drop> {
    let Some(pi) = pis.iter().find(|pi| pi.code.get() == raw >> 5) else {
        return Err(Drop::UnknownPi);
    };
    match pi.vns.iter().any(|vn| vn.get() == raw & 31) {
        true => Ok(pi.slot),
        false => Err(Drop::UnknownVn),
    }
}

fn check_all(pis: &[Pi]) {
    let table = Table::new(pis).expect("valid");
    let port = PortClassifier::from(Trunk::new(NODE, MTU, pis).expect("valid"));
    for raw in 0..=255 {
        let frame = tagged(NODE, raw, 60);
        assert_eq!(table.lookup(raw), expected(pis, raw), "PIH {raw:#04x}");
        assert_eq!(
            port.classify(&frame).map(|v| v.slot),
            expected(pis, raw),
            "PIH {raw:#04x}"
        );
        for slot in 0..=8 {
            let pi = pis.iter().find(|pi| pi.slot == slot);
            let allowed = match pi {
                Some(pi) if pi.code.get() == raw >> 5 => {
                    expected(pis, raw).map(drop).map_err(|_| TxDrop::UnknownVn)
                }
                _ => Err(TxDrop::Spoofed),
            };
            assert_eq!(
                port.to_wire(slot, &frame, 60).map(drop),
                allowed,
                "{slot} {raw:#04x}"
            );
        }
    }
}

/// Every subset of the seven codes, slots in both orders, with three sets of networks.
#[test]
fn every_pih_against_every_subset_of_codes() {
    let all: Vec<u8> = (0..32).collect();
    for vns in [&[0][..], &[0, 5, 31], &all] {
        for subset in 0..128u32 {
            let codes: Vec<u8> = (1..=7)
                .filter(|code| subset >> (code - 1) & 1 == 1)
                .collect();
            let forward: Vec<_> = (0u8..)
                .zip(&codes)
                .map(|(slot, &code)| pi(slot, code, vns, GuestForm::Keep))
                .collect();
            let backward: Vec<_> = (0u8..)
                .zip(codes.iter().rev())
                .map(|(slot, &code)| pi(slot, code, vns, GuestForm::Keep))
                .collect();
            check_all(&forward);
            check_all(&backward);
        }
    }
}

#[test]
fn zeroed_memory_never_classifies() {
    let all: Vec<u8> = (0..32).collect();
    let pis: Vec<_> = (1..=7)
        .map(|code| pi(code - 1, code, &all, GuestForm::Keep))
        .collect();
    let table = Table::new(&pis).unwrap();
    for raw in 0..32 {
        assert_eq!(table.lookup(raw), Err(Drop::UnknownPi));
    }
}

#[test]
fn a_node_without_pis_drops_every_pih() {
    check_all(&[]);
}

proptest! {
    #![proptest_config(seeded(200))]

    #[test]
    fn every_pih_against_random_networks(
        sets in prop::collection::vec(prop::collection::btree_set(0u8..32, 1..32), 7),
        codes in Just(vec![1u8, 2, 3, 4, 5, 6, 7]).prop_shuffle(),
        count in 0usize..=7,
    ) {
        let pis: Vec<_> = (0u8..)
            .zip(codes.iter().zip(&sets))
            .take(count)
            .map(|(slot, (&code, vns))| {
                pi(slot, code, &vns.iter().copied().collect::<Vec<_>>(), GuestForm::Keep)
            })
            .collect();
        check_all(&pis);
    }
}

//! No octets, lengths or slots panic, and every frame has exactly one outcome.

use pinode_classifier::{Access, Drop, GuestForm, PortClassifier, Trunk, TxDrop};
use proptest::prelude::*;

use crate::{IPV6, NODE, pi, seeded, spliced, vn};

fn ports() -> Vec<PortClassifier> {
    let forms = [GuestForm::Keep, GuestForm::Strip { ethertype: IPV6 }];
    forms
        .into_iter()
        .flat_map(|form| {
            let pi = pi(0, 1, &[0], form);
            [
                Trunk::new(NODE, 100, &[pi]).expect("valid").into(),
                Access::new(NODE, IPV6, 100, pi, vn(0))
                    .expect("valid")
                    .into(),
            ]
        })
        .collect()
}

/// Octets of which many are nearly frames of a PI.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let ethertype = prop_oneof![Just(NODE), Just(IPV6), any::<u16>()];
    let pih = prop_oneof![Just(0x20u8), any::<u8>()];
    (prop::collection::vec(any::<u8>(), 0..200), ethertype, pih).prop_map(
        |(mut octets, ethertype, pih)| {
            if let Some(field) = octets.get_mut(12..14) {
                field.copy_from_slice(&ethertype.to_be_bytes());
            }
            if let Some(field) = octets.get_mut(14) {
                *field = pih;
            }
            octets
        },
    )
}

proptest! {
    #![proptest_config(seeded(4_000))]

    #[test]
    fn a_frame_from_the_wire_goes_to_its_pi_or_is_dropped_for_a_cause(frame in octets()) {
        for port in ports() {
            match port.classify(&frame) {
                Ok(verdict) => {
                    prop_assert_eq!(verdict.slot, 0);
                    prop_assert!((15..=114).contains(&frame.len()));
                    let guest = spliced(port.to_guest(verdict, &frame), &frame);
                    prop_assert_eq!(&guest[..12], &frame[..12]);
                    prop_assert!(guest.len().abs_diff(frame.len()) <= 1);
                }
                Err(cause) => prop_assert_eq!(Drop::ALL[cause.index()], cause),
            }
        }
    }

    #[test]
    fn a_frame_from_a_guest_goes_out_as_its_pi_or_is_dropped_for_a_cause(
        frame in octets(),
        slot in prop_oneof![4 => Just(0u8), 1 => any::<u8>()],
        told in prop::option::weighted(0.1, any::<usize>()),
    ) {
        for port in ports() {
            match port.to_wire(slot, &frame, told.unwrap_or(frame.len())) {
                Ok(splice) if told.is_none() => {
                    prop_assert_eq!(slot, 0);
                    let mut wire = spliced(splice, &frame);
                    prop_assert!(wire.len() <= 114);
                    prop_assert_eq!(splice.padded_octets(frame.len()), wire.len().max(60));
                    wire.resize(wire.len().max(60), 0);
                    prop_assert_eq!(port.classify(&wire).map(|v| v.slot), Ok(0));
                }
                Ok(splice) => prop_assert!(splice.octets(told.unwrap_or(0)) <= 114),
                Err(cause) => prop_assert_eq!(TxDrop::ALL[cause.index()], cause),
            }
        }
    }

    #[test]
    fn a_verdict_used_on_another_frame_does_not_panic(frame in octets(), other in octets()) {
        for port in ports() {
            if let Ok(verdict) = port.classify(&frame) {
                let splice = port.to_guest(verdict, &other);
                let _ = (splice.body(&other), splice.octets(other.len()));
            }
        }
    }
}

#[test]
fn causes_have_the_keys_of_the_contract() {
    assert_eq!(
        Drop::ALL.map(Drop::name),
        [
            "truncated",
            "oversize",
            "bad_ethertype",
            "unknown_pi",
            "unknown_vn"
        ]
    );
    assert_eq!(
        TxDrop::ALL.map(TxDrop::name),
        ["spoofed", "unknown_vn", "oversize"]
    );
    assert_eq!((Drop::COUNT, TxDrop::COUNT), (5, 3));
}

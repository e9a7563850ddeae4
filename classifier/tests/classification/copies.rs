//! A whole copy checked at once is judged as its head alone is: `check_copy` against `to_wire`, on
//! ports where PIs share codes, keep or strip, and frames that are nearly right.

use pinode_classifier::{Access, GuestForm, MAX_PIS, PortClassifier, Trunk, TxDrop};
use proptest::prelude::*;

use crate::{IPV6, MTU, NODE, code, pi, seeded, vn};

const LARGEST: usize = 14 + 100;

/// A trunk of four PIs: two share a code, one is stripped, one has the highest slot.
pub(crate) fn trunk() -> PortClassifier {
    let last = (MAX_PIS - 1) as u8;
    let pis = [
        pi(0, 1, &[0, 3], GuestForm::Keep),
        pi(5, 1, &[1, 31], GuestForm::Keep),
        pi(2, 2, &[0], GuestForm::Strip { ethertype: IPV6 }),
        pi(last, 7, &[0], GuestForm::Keep),
    ];
    Trunk::new(NODE, 100, &pis).expect("valid").into()
}

pub(crate) fn access() -> PortClassifier {
    let pi = pi(0, 1, &[0], GuestForm::Keep);
    Access::new(NODE, IPV6, MTU, pi, vn(0))
        .expect("valid")
        .into()
}

fn slots() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => Just(0u8),
        4 => Just(5u8),
        2 => Just(2u8),
        2 => Just((MAX_PIS - 1) as u8),
        1 => any::<u8>(),
    ]
}

/// A frame of a length around those that matter, nearly of a PI.
pub(crate) fn frames() -> impl Strategy<Value = Vec<u8>> {
    let octets = prop_oneof![
        2 => 0usize..20,
        6 => 15usize..=LARGEST,
        2 => LARGEST - 1..LARGEST + 3,
    ];
    let ethertype = prop_oneof![8 => Just(NODE), 1 => Just(IPV6), 1 => any::<u16>()];
    let pih = prop_oneof![
        8 => prop::sample::select(vec![0x20u8, 0x21, 0x22, 0x23, 0x3F, 0x40, 0xE0, 0xE1, 0x00]),
        2 => any::<u8>(),
    ];
    (octets, any::<u8>(), ethertype, pih).prop_map(|(octets, fill, ethertype, pih)| {
        let mut frame = vec![fill; octets];
        if let Some(field) = frame.get_mut(12..14) {
            field.copy_from_slice(&ethertype.to_be_bytes());
        }
        if let Some(field) = frame.get_mut(14) {
            *field = pih;
        }
        frame
    })
}

proptest! {
    #![proptest_config(seeded(20_000))]

    #[test]
    fn a_copy_is_judged_as_its_head_is(frame in frames(), slot in slots()) {
        let port = trunk();
        let head = &frame[..frame.len().min(15)];
        let by_head = port.to_wire(slot, head, frame.len());
        if port.passes_as_is(slot) {
            prop_assert_eq!(port.check_copy(slot, &frame), by_head.map(|_| ()));
            if let Ok(splice) = by_head {
                // It is the same on the wire indeed, and comes back as what it went as.
                prop_assert_eq!([splice.prefix(), splice.body(&frame)].concat(), &frame[..]);
                let verdict = port.classify(&frame).expect("of a PI");
                prop_assert_eq!(verdict.slot, slot);
                let back = port.to_guest(verdict, &frame);
                prop_assert_eq!([back.prefix(), back.body(&frame)].concat(), &frame[..]);
            }
        }
    }

    /// What may not be copied whole is refused if it is copied all the same.
    #[test]
    fn no_copy_passes_where_frames_change(frame in frames(), slot in slots()) {
        let port = access();
        prop_assert!(!port.passes_as_is(slot));
        prop_assert_eq!(port.check_copy(slot, &frame), Err(TxDrop::Spoofed));
    }
}

#[test]
fn only_who_keeps_the_pih_on_a_trunk_passes_as_is() {
    let port = trunk();
    let passing: Vec<u8> = (0..=u8::MAX)
        .filter(|slot| port.passes_as_is(*slot))
        .collect();
    assert_eq!(passing, [0, 5, (MAX_PIS - 1) as u8]);
}

/// Each PIH, from each PI: its own code and networks pass, another's code is spoofed, another's
/// network of its own code is unknown.
#[test]
fn every_pih_of_a_copy() {
    let port = trunk();
    let own = [(0u8, 1u8, &[0u8, 3][..]), (5, 1, &[1, 31])];
    for (slot, number, vns) in own {
        for pih in 0..=u8::MAX {
            let mut frame = [0x5A; 60];
            frame[12..14].copy_from_slice(&NODE.to_be_bytes());
            frame[14] = pih;
            let expected = match (pih >> 5 == code(number).get(), vns.contains(&(pih & 0x1F))) {
                (false, _) => Err(TxDrop::Spoofed),
                (true, false) => Err(TxDrop::UnknownVn),
                (true, true) => Ok(()),
            };
            assert_eq!(port.check_copy(slot, &frame), expected, "PIH {pih:#x}");
        }
    }
}

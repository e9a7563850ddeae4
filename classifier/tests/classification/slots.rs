//! The slot of a frame in short says what classification says at length, and a number that is no slot
//! is nobody's.

use pinode_classifier::{Access, GuestForm, MAX_PIS, PortClassifier};
use proptest::prelude::*;

use crate::copies::{access, frames, trunk};
use crate::{IPV6, MTU, NODE, pi, seeded, tagged, vn};

fn ports() -> [PortClassifier; 3] {
    let strip = pi(31, 1, &[3], GuestForm::Strip { ethertype: IPV6 });
    let stripped = Access::new(NODE, NODE, MTU, strip, vn(3)).expect("valid");
    [trunk(), access(), stripped.into()]
}

/// Nearly a frame, or nothing like one.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => frames(), 1 => prop::collection::vec(any::<u8>(), 0..130)]
}

fn assert_agrees(port: &PortClassifier, frame: &[u8]) {
    let slot = port.slot(frame);
    match port.classify(frame) {
        Ok(verdict) => assert_eq!(slot, verdict.slot),
        Err(cause) => assert!(usize::from(slot) >= MAX_PIS, "{slot}, but {cause}"),
    }
}

proptest! {
    #![proptest_config(seeded(20_000))]

    #[test]
    fn a_slot_is_one_exactly_if_the_frame_is_a_pis(frame in octets()) {
        for port in ports() {
            assert_agrees(&port, &frame);
        }
    }

    #[test]
    fn a_slot_beyond_the_pis_sends_nothing(frame in octets(), slot in MAX_PIS as u8..) {
        for port in ports() {
            for slot in [slot, 32, 254, 255] {
                prop_assert!(!port.passes_as_is(slot));
                prop_assert!(port.check_copy(slot, &frame).is_err());
            }
        }
    }
}

/// Frames for every PIH, of every length around those that matter.
#[test]
fn every_pih_has_one_answer() {
    for port in ports() {
        for pih in 0..=u8::MAX {
            for octets in [15, 60, 114, 115, 1514, 1515] {
                let frame = tagged(NODE, pih, octets);
                assert_agrees(&port, &frame);
                for slot in MAX_PIS as u8..=u8::MAX {
                    assert!(port.check_copy(slot, &frame).is_err(), "{slot}, {pih:#x}");
                }
            }
        }
    }
}

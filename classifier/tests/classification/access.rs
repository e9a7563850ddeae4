//! An access port: push on the way in, pop on the way out.

use pinode_classifier::{Access, Drop, GuestForm, PortClassifier, TxDrop};
use proptest::prelude::*;

use crate::{IPV6, MTU, NODE, pi, plain, seeded, tagged, to_guest, to_wire, vn};

/// VN 9 of PI 1, which also carries VN 0.
fn keep() -> PortClassifier {
    let pi = pi(3, 1, &[0, 9], GuestForm::Keep);
    Access::new(NODE, IPV6, MTU, pi, vn(9))
        .expect("valid")
        .into()
}

fn strip() -> PortClassifier {
    let pi = pi(3, 1, &[0], GuestForm::Strip { ethertype: IPV6 });
    Access::new(NODE, 0x9000, MTU, pi, vn(0))
        .expect("valid")
        .into()
}

#[test]
fn the_pih_is_pushed_behind_the_nodes_ethertype() {
    let frame = plain(IPV6, 60);
    let guest = to_guest(&keep(), &frame);
    assert_eq!(guest.len(), 61);
    assert_eq!(guest[..12], frame[..12]);
    assert_eq!(guest[12..15], [0x88, 0xB5, 0b001_01001]);
    assert_eq!(guest[15..], frame[14..]);
}

#[test]
fn the_prefix_of_a_push_is_15_octets_and_the_body_what_follows_the_ethernet_header() {
    let frame = plain(IPV6, 60);
    let splice = keep().to_guest(keep().classify(&frame).unwrap(), &frame);
    assert_eq!((splice.prefix().len(), splice.skip()), (15, 14));
    assert_eq!(splice.body(&frame), &frame[14..]);
}

#[test]
fn only_frames_of_the_ports_ethertype_and_size_come_in() {
    let classify = |frame: &[u8]| keep().classify(frame).map(|verdict| verdict.slot);
    assert_eq!(classify(&plain(IPV6, 60)), Ok(3));
    assert_eq!(classify(&plain(IPV6, 15)), Ok(3));
    assert_eq!(classify(&plain(IPV6, 1514)), Ok(3));
    assert_eq!(classify(&plain(IPV6, 1515)), Err(Drop::Oversize));
    for octets in 0..15 {
        assert_eq!(classify(&plain(IPV6, 15)[..octets]), Err(Drop::Truncated));
    }
    for ethertype in [0x0800, 0x0806, 0x8100, NODE] {
        assert_eq!(classify(&plain(ethertype, 60)), Err(Drop::BadEthertype));
    }
}

#[test]
fn the_pih_is_popped_and_the_frame_padded() {
    let frame = tagged(NODE, 0b001_01001, 40);
    let wire = to_wire(&keep(), 3, &frame);
    assert_eq!(wire.len(), 60);
    assert_eq!(wire[..12], frame[..12]);
    assert_eq!(wire[12..14], IPV6.to_be_bytes());
    assert_eq!(wire[14..39], frame[15..]);
    assert_eq!(wire[39..], [0; 21]);
}

#[test]
fn the_pih_does_not_count_against_the_mtu_of_the_wire() {
    let send = |octets| {
        let frame = tagged(NODE, 0b001_01001, octets);
        keep().to_wire(3, &frame, octets).map(drop)
    };
    assert_eq!(send(1515), Ok(()));
    assert_eq!(send(1516), Err(TxDrop::Oversize));
}

#[test]
fn only_the_ports_own_pi_and_network_go_out() {
    let send = |slot, frame: &[u8]| keep().to_wire(slot, frame, frame.len()).map(drop);
    assert_eq!(send(3, &tagged(NODE, 0b001_01001, 60)), Ok(()));
    assert_eq!(
        send(3, &tagged(NODE, 0b001_00000, 60)),
        Err(TxDrop::UnknownVn)
    );
    assert_eq!(
        send(3, &tagged(NODE, 0b010_01001, 60)),
        Err(TxDrop::Spoofed)
    );
    assert_eq!(
        send(3, &tagged(NODE, 0b000_01001, 60)),
        Err(TxDrop::Spoofed)
    );
    assert_eq!(send(3, &plain(IPV6, 60)), Err(TxDrop::Spoofed));
    assert_eq!(
        send(2, &tagged(NODE, 0b001_01001, 60)),
        Err(TxDrop::Spoofed)
    );
    assert_eq!(
        send(3, &tagged(NODE, 0b001_01001, 60)[..14]),
        Err(TxDrop::Spoofed)
    );
}

#[test]
fn a_stripped_guest_sees_its_own_ethertype_and_the_wire_the_ports() {
    let frame = plain(0x9000, 70);
    let guest = to_guest(&strip(), &frame);
    assert_eq!(guest, plain(IPV6, 70));
    assert_eq!(to_wire(&strip(), 3, &guest), frame);
    let send = |frame: &[u8]| strip().to_wire(3, frame, frame.len()).map(drop);
    assert_eq!(send(&plain(0x0806, 70)), Err(TxDrop::Spoofed));
    assert_eq!(send(&plain(IPV6, 1514)), Ok(()));
    assert_eq!(send(&plain(IPV6, 1515)), Err(TxDrop::Oversize));
}

proptest! {
    #![proptest_config(seeded(500))]

    #[test]
    fn a_frame_that_crosses_two_access_ports_is_unchanged(octets in 60usize..=1514) {
        let frame = plain(IPV6, octets);
        prop_assert_eq!(&to_wire(&keep(), 3, &to_guest(&keep(), &frame)), &frame);
    }
}

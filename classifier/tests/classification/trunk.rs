//! A trunk port: sizes, EtherTypes, and guests with and without PIH.

use pinode_classifier::{Drop, GuestForm, PortClassifier, Trunk, TxDrop};

use crate::{IPV6, MTU, NDN, NODE, pi, plain, spliced, tagged, to_guest, to_wire};

/// PI 1 keeps its PIH, PI 2 (VN 4) strips it.
fn port() -> PortClassifier {
    let pis = [
        pi(0, 1, &[0, 9], GuestForm::Keep),
        pi(1, 2, &[4], GuestForm::Strip { ethertype: NDN }),
    ];
    Trunk::new(NODE, MTU, &pis).expect("valid").into()
}

#[test]
fn frames_shorter_than_the_pih_are_truncated_whatever_they_hold() {
    for octets in 0..15 {
        assert_eq!(
            port().classify(&tagged(NODE, 0x20, 15)[..octets]),
            Err(Drop::Truncated)
        );
    }
    assert_eq!(
        port().classify(&tagged(NODE, 0x20, 15)).map(|v| v.slot),
        Ok(0)
    );
}

#[test]
fn frames_longer_than_header_and_mtu_are_oversize() {
    assert!(port().classify(&tagged(NODE, 0x20, 1514)).is_ok());
    assert_eq!(
        port().classify(&tagged(NODE, 0x20, 1515)),
        Err(Drop::Oversize)
    );
}

#[test]
fn another_ethertype_is_dropped_before_the_pih_is_read() {
    for ethertype in [IPV6, 0x88B4, 0x88B6, 0xB588, 0x8100, 0] {
        assert_eq!(
            port().classify(&tagged(ethertype, 0x20, 60)),
            Err(Drop::BadEthertype)
        );
    }
    let other = Trunk::new(IPV6, MTU, &[pi(0, 1, &[0], GuestForm::Keep)]).unwrap();
    assert!(other.classify(&tagged(IPV6, 0x20, 60)).is_ok());
}

#[test]
fn several_faults_count_under_the_first_cause() {
    assert_eq!(
        port().classify(&tagged(IPV6, 0xE0, 2000)),
        Err(Drop::Oversize)
    );
    assert_eq!(
        port().classify(&tagged(IPV6, 0xE0, 60)),
        Err(Drop::BadEthertype)
    );
    assert_eq!(
        port().classify(&tagged(NODE, 0xFF, 60)),
        Err(Drop::UnknownPi)
    );
    assert_eq!(
        port().classify(&tagged(NODE, 0x21, 60)),
        Err(Drop::UnknownVn)
    );
}

#[test]
fn a_guest_that_keeps_the_pih_gets_and_sends_every_octet() {
    for octets in [60, 61, 75, 1514] {
        let frame = tagged(NODE, 0x29, octets);
        assert_eq!(to_guest(&port(), &frame), frame);
        assert_eq!(to_wire(&port(), 0, &frame), frame);
    }
}

#[test]
fn what_was_checked_is_what_goes_out_if_the_guest_rewrites_its_memory() {
    let checked = tagged(NODE, 0x20, 60);
    let rewritten = tagged(NODE, 0x40, 60);
    let splice = port().to_wire(0, &checked[..15], 60).unwrap();
    assert_eq!(spliced(splice, &rewritten)[..15], checked[..15]);
}

#[test]
fn a_stripped_guest_gets_plain_ethernet_and_sends_it_back() {
    let frame = tagged(NODE, 0x44, 80);
    let guest = to_guest(&port(), &frame);
    assert_eq!(guest.len(), 79);
    assert_eq!(guest[..12], frame[..12]);
    assert_eq!(guest[12..14], NDN.to_be_bytes());
    assert_eq!(guest[14..], frame[15..]);
    assert_eq!(to_wire(&port(), 1, &guest), frame);
}

#[test]
fn short_frames_are_padded_with_zeros_to_the_least_frame() {
    let wire = to_wire(&port(), 0, &tagged(NODE, 0x20, 15));
    assert_eq!(wire[..15], tagged(NODE, 0x20, 15));
    assert_eq!(wire[15..], [0; 45]);
    assert_eq!(to_wire(&port(), 1, &plain(NDN, 59)).len(), 60);
    assert_eq!(to_wire(&port(), 1, &plain(NDN, 60)).len(), 61);
}

#[test]
fn a_guest_cannot_speak_for_another_pi() {
    let send = |slot, frame: &[u8]| port().to_wire(slot, frame, frame.len()).map(drop);
    assert_eq!(send(0, &tagged(NODE, 0x29, 60)), Ok(()));
    assert_eq!(send(0, &tagged(NODE, 0x44, 60)), Err(TxDrop::Spoofed));
    assert_eq!(send(0, &tagged(NODE, 0x00, 60)), Err(TxDrop::Spoofed));
    assert_eq!(send(0, &tagged(IPV6, 0x20, 60)), Err(TxDrop::Spoofed));
    assert_eq!(send(0, &tagged(NODE, 0x21, 60)), Err(TxDrop::UnknownVn));
    assert_eq!(send(1, &tagged(NODE, 0x44, 60)), Err(TxDrop::Spoofed));
    assert_eq!(send(1, &plain(IPV6, 60)), Err(TxDrop::Spoofed));
    assert_eq!(send(2, &tagged(NODE, 0x20, 60)), Err(TxDrop::Spoofed));
    assert_eq!(send(255, &tagged(NODE, 0x20, 60)), Err(TxDrop::Spoofed));
}

#[test]
fn a_guests_frame_too_short_to_say_whose_it_is_is_spoofed() {
    let frame = tagged(NODE, 0x20, 60);
    for octets in 0..15 {
        assert_eq!(
            port().to_wire(0, &frame[..octets], octets),
            Err(TxDrop::Spoofed)
        );
        // A head that does not match the length told is none to be believed.
        assert_eq!(
            port().to_wire(0, &frame[..octets], 60),
            Err(TxDrop::Spoofed)
        );
        assert_eq!(port().to_wire(0, &frame, octets), Err(TxDrop::Spoofed));
    }
}

#[test]
fn a_guests_frame_may_be_as_long_as_the_wire_allows_with_its_pih() {
    let send = |slot, frame: &[u8]| port().to_wire(slot, frame, frame.len()).map(drop);
    assert_eq!(send(0, &tagged(NODE, 0x20, 1514)), Ok(()));
    assert_eq!(send(0, &tagged(NODE, 0x20, 1515)), Err(TxDrop::Oversize));
    assert_eq!(send(1, &plain(NDN, 1513)), Ok(()));
    assert_eq!(send(1, &plain(NDN, 1514)), Err(TxDrop::Oversize));
}

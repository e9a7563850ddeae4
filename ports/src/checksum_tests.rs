//! Partial checksums against a plain RFC 1071 model; frames with right checksums come out untouched.

use super::*;
use proptest::prelude::*;

/// A frame of TCP or UDP over IPv4 or IPv6 with its checksum field zero.
pub(crate) fn packet(v4: bool, protocol: u8, tagged: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    if tagged {
        frame.extend([0x81, 0, 0, 5]);
    }
    let header = if protocol == TCP { 20 } else { 8 };
    let len = (header + payload.len()) as u16;
    if v4 {
        frame.extend([8, 0, 0x45, 0]);
        frame.extend((20 + len).to_be_bytes());
        frame.extend([
            0x12, 0x34, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ]);
    } else {
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        frame.extend(len.to_be_bytes());
        frame.extend([protocol, 64]);
        frame.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        frame.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    }
    if protocol == TCP {
        frame.extend([
            0x1f, 0x90, 0x30, 0x39, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x18, 1, 0, 0, 0, 0, 0,
        ]);
    } else {
        frame.extend([0x1f, 0x90, 0x30, 0x39]);
        frame.extend(len.to_be_bytes());
        frame.extend([0, 0]);
    }
    frame.extend(payload);
    frame
}

/// True where pseudo header and segment sum to all ones (RFC 1071 1, step 3).
pub(crate) fn verifies(frame: &[u8]) -> bool {
    let found = Internet::find(frame).expect("TCP or UDP over IP");
    let segment = &frame[found.transport..found.transport + found.transport_len];
    let pseudo = u64::from(found.pseudo_sum(frame, found.transport_len));
    fold(pseudo + sum(segment)) == 0xffff
}

fn bare(mut frame: Vec<u8>) -> Vec<u8> {
    let found = Internet::find(&frame).expect("TCP or UDP over IP");
    let pseudo = found.pseudo_sum(&frame, found.transport_len);
    set_be16(&mut frame, found.checksum_field(), pseudo);
    frame
}

#[test]
fn the_sum_of_rfc_1071_section_3() {
    assert_eq!(
        fold(sum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7])),
        0xddf2
    );
    assert_eq!(sum(&[0x12]), 0x1200);
}

#[test]
fn everything_but_whole_tcp_and_udp_is_left_alone() {
    let whole = bare(packet(true, UDP, false, &[1; 30]));
    let mut fragment = whole.clone();
    fragment[20] |= 0x20;
    let mut icmp = whole.clone();
    icmp[23] = 1;
    let mut patch = whole.clone();
    patch[12..14].copy_from_slice(&[0x88, 0xb5]);
    let mut short_header = whole.clone();
    short_header[14] = 0x44;
    for mut frame in [
        fragment,
        icmp,
        patch,
        short_header,
        whole[..60].to_vec(),
        vec![0; 13],
    ] {
        let before = frame.clone();
        assert!(!complete_if_bare(&mut frame));
        assert_eq!(frame, before);
    }
}

#[test]
fn a_field_outside_the_frame_is_refused() {
    let mut frame = vec![1; 60];
    for (start, offset) in [(61, 0), (50, 9), (60, 0), (usize::MAX, 1), (1, usize::MAX)] {
        assert!(!complete(&mut frame, start, offset));
    }
    assert_eq!(frame, [1; 60]);
}

proptest! {
    #[test]
    fn bare_sums_are_finished(
        v4: bool, tcp: bool, tagged: bool,
        payload in prop::collection::vec(any::<u8>(), 0..200), padding in 0usize..6,
    ) {
        let mut frame = bare(packet(v4, if tcp { TCP } else { UDP }, tagged, &payload));
        frame.resize(frame.len() + padding, 0);
        complete_if_bare(&mut frame);
        prop_assert!(verifies(&frame));
        let finished = frame.clone();
        // A second look changes nothing.
        prop_assert!(!complete_if_bare(&mut frame));
        prop_assert_eq!(frame, finished);
    }

    #[test]
    fn a_right_checksum_that_equals_the_bare_sum_stays(v4: bool, tcp: bool, mut payload in prop::collection::vec(any::<u8>(), 2..60)) {
        // Choose the payload's first word so that the right checksum is the sum of the pseudo header.
        let protocol = if tcp { TCP } else { UDP };
        payload[..2].fill(0);
        let mut frame = bare(packet(v4, protocol, false, &payload));
        let found = Internet::find(&frame).expect("TCP or UDP over IP");
        let segment = sum(&frame[found.transport..]) + u64::from(found.pseudo_sum(&frame, found.transport_len));
        let at = frame.len() - payload.len();
        set_be16(&mut frame, at, !fold(segment));
        prop_assume!(verifies(&frame));
        let before = frame.clone();
        complete_if_bare(&mut frame);
        prop_assert_eq!(frame, before);
    }

    #[test]
    fn any_octets_are_survived(mut frame in prop::collection::vec(any::<u8>(), 0..120)) {
        complete_if_bare(&mut frame);
    }
}

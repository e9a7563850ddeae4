//! Super-frames: the segments' payloads join to the original, every header field and checksum is right.

use super::*;
use crate::checksum::tests::{packet, verifies};
use proptest::prelude::*;

fn cut_all(frame: &[u8], offload: &Offload) -> Vec<Vec<u8>> {
    let cut = Cut::plan(frame, offload).expect("a super-frame");
    (0..cut.segments())
        .map(|i| {
            let mut out = vec![0xee; 2048];
            let len = cut.write(frame, i, &mut out).expect("fits");
            out.truncate(len);
            out
        })
        .collect()
}

fn offload(gso_type: u8, gso_size: u16) -> Offload {
    Offload {
        needs_csum: true,
        gso_type,
        gso_size,
        ..Offload::default()
    }
}

#[test]
fn the_header_is_read_field_by_field() {
    let mut header = [1, 0x81, 0, 0, 0, 0, 0, 0, 0, 0];
    header[4..6].copy_from_slice(&1448u16.to_ne_bytes());
    header[6..8].copy_from_slice(&34u16.to_ne_bytes());
    header[8..10].copy_from_slice(&16u16.to_ne_bytes());
    let expected = Offload {
        needs_csum: true,
        gso_type: 0x81,
        gso_size: 1448,
        csum_start: 34,
        csum_offset: 16,
    };
    assert_eq!(Offload::read(&header), Some(expected));
    assert_eq!(Offload::read(&header[..9]), None);
}

#[test]
fn flags_of_tcp_go_to_the_segments_they_belong_to() {
    let mut frame = packet(true, TCP, false, &[7; 250]);
    frame[34 + 13] = 0x80 | 0x10 | 0x08 | 0x01;
    let flags: Vec<u8> = cut_all(&frame, &offload(1, 100))
        .iter()
        .map(|s| s[34 + 13])
        .collect();
    assert_eq!(flags, [0x80 | 0x10, 0x10, 0x10 | 0x08 | 0x01]);
}

#[test]
fn what_is_no_known_super_frame_has_no_plan() {
    let tcp4 = packet(true, TCP, false, &[1; 300]);
    for (frame, kind, size) in [
        (&tcp4, 0, 100),
        (&tcp4, 4, 100),
        (&tcp4, 5, 100),
        (&tcp4, 3, 100),
        (&tcp4, 1, 0),
        (&tcp4[..54].to_vec(), 1, 100),
        (&packet(true, 1, false, &[1; 300]), 1, 100),
        (&vec![0; 10], 1, 100),
    ] {
        assert_eq!(
            Cut::plan(frame, &offload(kind, size)),
            None,
            "kind {kind} size {size}"
        );
    }
}

#[test]
fn a_segment_that_exceeds_the_slot_is_not_written() {
    let frame = packet(true, TCP, false, &[1; 300]);
    let cut = Cut::plan(&frame, &offload(1, 100)).expect("a super-frame");
    assert_eq!(cut.write(&frame, 0, &mut [0; 153]), None);
    assert_eq!(cut.write(&frame, 0, &mut [0; 154]), Some(154));
    assert_eq!(cut.write(&frame, 4, &mut [0; 154]), None);
}

proptest! {
    #[test]
    fn segments_join_to_the_super_frame(
        v4: bool, tcp: bool, tagged: bool, size in 1u16..1461,
        payload in prop::collection::vec(any::<u8>(), 1..9000),
    ) {
        let protocol = if tcp { TCP } else { UDP };
        let kind = match (tcp, v4) { (true, true) => 1, (true, false) => 4, _ => 5 };
        let frame = packet(v4, protocol, tagged, &payload);
        let headers = frame.len() - payload.len();
        let segments = cut_all(&frame, &offload(kind, size));
        let mut joined: Vec<u8> = Vec::new();
        for (i, segment) in segments.iter().enumerate() {
            prop_assert!(segment.len() <= headers + usize::from(size));
            prop_assert!(verifies(segment));
            let found = Internet::find(segment).expect("a whole packet");
            prop_assert_eq!(found.transport + found.transport_len, segment.len());
            if v4 {
                prop_assert_eq!(fold(sum(&segment[found.ip..found.ip + 20])), 0xffff);
                let id = be16(segment, found.ip + 4);
                prop_assert_eq!(id, Some(0x1234u16.wrapping_add(i as u16)));
            }
            if tcp {
                let at = found.transport + 4;
                let sequence = u32::from_be_bytes(segment[at..at + 4].try_into().expect("four"));
                prop_assert_eq!(sequence as usize, 1 + joined.len());
            }
            joined.extend(&segment[headers..]);
        }
        prop_assert_eq!(joined, payload);
    }

    #[test]
    fn any_octets_are_survived(
        frame in prop::collection::vec(any::<u8>(), 0..200), kind: u8, size: u16, index in 0usize..70000,
    ) {
        if let Some(cut) = Cut::plan(&frame, &offload(kind, size)) {
            cut.write(&frame, index, &mut [0; 300]);
        }
    }
}

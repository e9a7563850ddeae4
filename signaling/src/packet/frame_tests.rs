use alloc::vec;

use proptest::prelude::*;

use super::*;

const SOURCE: [u8; 6] = [2, 0, 0, 0, 1, 9];

fn written(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xee; 3];
    write(SOURCE, header, payload, &mut frame);
    frame
}

#[test]
fn octet_by_octet() {
    let header = Header {
        label: 0x12345,
        class: 5,
        ttl: 64,
        sequence: 0x4321,
    };
    let frame = written(header, b"payload");
    assert_eq!(
        frame,
        [
            &[0xff; 6][..],
            &SOURCE,
            &[0x88, 0x47],
            &[0x12, 0x34, 0x5b, 0x40],
            &[0x00, 11, 0x43, 0x21],
            b"payload",
        ]
        .concat()
    );
    let read = read(&frame).unwrap();
    assert_eq!((read.source, read.header), (SOURCE, header));
    assert_eq!(read.payload, b"payload");
}

#[test]
fn signalling_is_for_the_other_end_of_the_link() {
    let frame = written(Header::signalling(), &[7; 100]);
    assert_eq!(&frame[14..22], [0x00, 0x00, 0x1d, 0x01, 0, 0, 0, 0]);
}

#[test]
fn another_reader_of_ethernet_and_labels_agrees() {
    let frame = written(Header::data(0xfedcb, 1), &[0x45; 60]);
    let ethernet = etherparse::Ethernet2Slice::from_slice_without_fcs(&frame).unwrap();
    assert_eq!(ethernet.destination(), [0xff; 6]);
    assert_eq!(ethernet.source(), SOURCE);
    assert_eq!(ethernet.ether_type().0, ETHERTYPE);
    assert_eq!(ethernet.payload_slice().len(), 68);
}

#[test]
fn what_ethernet_pads_is_not_payload() {
    for octets in 0..200 {
        let payload = vec![0xaa; octets];
        let mut frame = written(Header::data(16, 1), &payload);
        // 60 octets, without FCS, are the least that Ethernet carries.
        let padded = frame.len().max(60);
        frame.resize(padded, 0);
        assert_eq!(read(&frame).unwrap().payload, payload);
    }
}

#[test]
fn what_is_no_frame_is_named() {
    let good = written(Header::data(16, 1), b"abc");
    let with = |at: usize, octet: u8| {
        let mut frame = good.clone();
        frame[at] = octet;
        read(&frame).map(|frame| frame.payload.len())
    };
    assert_eq!(with(21, 9), Ok(3));
    assert_eq!(with(18, 0x0f), Ok(3), "flags are not ours to judge");
    for octets in 0..HEADER_OCTETS {
        assert_eq!(read(&good[..octets]), Err(FrameError::Short { octets }));
    }
    assert_eq!(with(13, 0x48), Err(FrameError::EtherType { found: 0x8848 }));
    assert_eq!(with(16, 0x00), Err(FrameError::Stacked));
    assert_eq!(with(18, 0x10), Err(FrameError::ControlWord { found: 1 }));
    assert_eq!(with(19, 0x47), Err(FrameError::Fragment));
    for said in [1, 3, 8, 63] {
        let wrong = FrameError::Length { said, there: 7 };
        assert_eq!(with(19, said as u8), Err(wrong));
    }
    assert_eq!(with(19, 4), Ok(0));
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        label in 0u32..1 << 20,
        class in 0u8..8,
        ttl: u8,
        sequence: u16,
        payload in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let header = Header { label, class, ttl, sequence };
        let frame = written(header, &payload);
        let read = read(&frame).unwrap();
        prop_assert_eq!(read.header, header);
        prop_assert_eq!(read.payload, payload);
    }

    #[test]
    fn any_octets_are_read_without_panic(frame in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = read(&frame);
    }
}

use super::*;
use crate::signature::Signature;
use crate::stream::Stream;
use proptest::prelude::*;

fn spec(encapsulation: Encapsulation, transport: Transport, size: u16) -> StreamSpec {
    StreamSpec {
        encapsulation,
        transport,
        ..StreamSpec::new(0x0203, 1, size, 1.0)
    }
}

const UDP: Transport = Transport::Udp {
    from: 49_184,
    to: TEST_PORT,
};

#[test]
fn offsets_and_smallest_frames_are_as_documented() {
    let of = |encapsulation, transport| {
        let layout = Layout::of(encapsulation, transport);
        (layout.ipv6_at, layout.signature_at, layout.smallest())
    };
    assert_eq!(of(Encapsulation::Pih, Transport::None), (15, 55, 79));
    assert_eq!(of(Encapsulation::Plain, Transport::None), (14, 54, 78));
    assert_eq!(of(Encapsulation::Pih, UDP), (15, 63, 87));
    assert_eq!(of(Encapsulation::Plain, UDP), (14, 62, 86));
    assert_eq!(Layout::of(Encapsulation::Pih, Transport::None), Layout::PIH);
}

#[test]
fn a_plain_udp_frame_is_an_ordinary_one() {
    let mut spec = spec(Encapsulation::Plain, UDP, 90);
    spec.traffic_class = 46 << 2;
    let frame = build(&spec, 86);
    assert_eq!(frame[12..14], [0x86, 0xdd]);
    assert_eq!(
        frame[14..18],
        [0x6b, 0x80, 2, 3],
        "version, class EF, label"
    );
    assert_eq!(frame[18..22], [0, 32, 17, 64]);
    assert_eq!(frame[54..60], [0xc0, 0x20, 0, 7, 0, 32]);
}

/// The checksum by the book: all words of pseudo-header and datagram (RFC 8200 8.1, RFC 1071).
fn sum_of_datagram(frame: &[u8], ipv6_at: usize) -> u16 {
    let (header, datagram) = frame[ipv6_at..].split_at(IPV6_OCTETS);
    let mut octets = header[8..].to_vec();
    octets.extend((datagram.len() as u32).to_be_bytes());
    octets.extend([0, 0, 0, NEXT_HEADER_UDP]);
    octets.extend(datagram);
    octets.resize(octets.len().next_multiple_of(2), 0);
    let mut sum: u64 = octets
        .chunks(2)
        .map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

proptest! {
    #[test]
    fn every_udp_frame_has_the_right_checksum(
        is_plain: bool,
        len in 83usize..9014,
        sequence in 0u64..1 << 48,
        sent_ns: u64,
        from: u16,
        to: u16,
    ) {
        let encapsulation = if is_plain { Encapsulation::Plain } else { Encapsulation::Pih };
        let stream = Stream::new(spec(encapsulation, Transport::Udp { from, to }, 9018)).unwrap();
        let signature = Signature { stream: 0x0203, epoch: 3, sequence, sent_ns };
        let mut frame = vec![0; len];
        stream.write(&mut frame, &signature.encode());
        prop_assert!(stream.is_intact(&frame));
        let ipv6_at = stream.layout().ipv6_at;
        prop_assert_eq!(sum_of_datagram(&frame, ipv6_at), 0xffff);
        let checksum_at = stream.layout().ipv6_end() + UDP_CHECKSUM_AT;
        prop_assert_ne!(&frame[checksum_at..checksum_at + 2], &[0, 0]);
        for at in stream.layout().ipv6_end()..stream.layout().signature_at {
            frame[at] ^= 0x10;
            prop_assert!(!stream.is_intact(&frame), "octet {}", at);
            frame[at] ^= 0x10;
        }
    }
}

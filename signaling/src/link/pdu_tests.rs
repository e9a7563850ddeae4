use proptest::prelude::*;

use super::*;

fn pdu(body: Body<'_>) -> Pdu<'_> {
    Pdu {
        from: 0x0102_0304_0506_0708,
        to: 9,
        body,
    }
}

#[test]
fn octet_by_octet() {
    let octets = pdu(Body::Data {
        number: 0x0a0b_0c0d,
        payload: &[0xee; 3],
    })
    .encode();
    assert_eq!(
        octets,
        [
            1, 8, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9, 10, 11, 12, 13, 0xee, 0xee,
            0xee
        ]
    );
}

#[test]
fn each_and_back_with_padding() {
    for body in [
        Body::Begin,
        Body::BeginAck,
        Body::End,
        Body::Data {
            number: u32::MAX,
            payload: &[1; MOST_PAYLOAD],
        },
        Body::Data {
            number: 0,
            payload: &[],
        },
        Body::Poll,
        Body::Stat {
            expected: 3,
            beyond: 1 << 63,
        },
    ] {
        let mut octets = pdu(body).encode();
        assert!(octets.len() <= MOST_OCTETS);
        octets.extend_from_slice(&[0; 30]);
        assert_eq!(Pdu::decode(&octets), Some(pdu(body)));
    }
}

#[test]
fn what_is_none() {
    let good = pdu(Body::Stat {
        expected: 3,
        beyond: 1,
    })
    .encode();
    for length in 0..good.len() {
        assert_eq!(Pdu::decode(&good[..length]), None, "{length} octets");
    }
    for (at, octet) in [(0, 2), (1, 4), (1, 1), (2, 1), (3, 7)] {
        let mut bad = good.clone();
        bad[at] = octet;
        assert_eq!(Pdu::decode(&bad), None, "octet {at} is {octet}");
    }
    let mut from_nobody = good;
    from_nobody[4..12].fill(0);
    assert_eq!(Pdu::decode(&from_nobody), None);
    let mut long = pdu(Body::Data {
        number: 0,
        payload: &[0; MOST_PAYLOAD],
    })
    .encode();
    long[3] += 1;
    long.push(0);
    assert_eq!(Pdu::decode(&long), None);
}

proptest! {
    #[test]
    fn what_is_read_is_written_the_same(octets: Vec<u8>, kind in 0u8..12, length in 0u16..40) {
        let mut octets = octets;
        for (at, octet) in [1, kind].into_iter().chain(length.to_be_bytes()).enumerate() {
            if let Some(there) = octets.get_mut(at) {
                *there = octet;
            }
        }
        if let Some(pdu) = Pdu::decode(&octets) {
            let again = pdu.encode();
            prop_assert_eq!(&octets[..again.len()], &again[..]);
        }
    }
}

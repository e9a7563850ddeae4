use proptest::prelude::*;

use super::*;

fn sample() -> Vec<Message> {
    vec![
        Message::Ack,
        Message::Hello(Hello {
            name: "a".into(),
            lowest: VERSION,
            highest: VERSION,
            last_region: 15,
            last_m2s: 1,
            last_s2m: 2,
            log2_size: 10,
        }),
        Message::Init(Init {
            version: VERSION,
            id: 0x0403_0201,
            ethernet: true,
            secret: [7; SECRET_OCTETS],
            name: "b".into(),
        }),
        Message::AddRegion {
            index: 3,
            octets: 1 << 40,
        },
        Message::AddRing(AddRing {
            direction: Direction::SlaveToMaster,
            index: 1,
            region: 2,
            offset: 0x0807_0605,
            log2_size: 12,
        }),
        Message::Connect { name: "c".into() },
        Message::Connected { name: "d".into() },
        Message::Disconnect { reason: "e".into() },
    ]
}

#[test]
fn every_message_reads_as_it_was_written() {
    for message in sample() {
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }
}

/// Offsets as in the table of the module, on a little-endian host.
#[test]
#[cfg(target_endian = "little")]
fn fields_are_at_the_offsets_of_the_protocol() {
    let octets: Vec<_> = sample().iter().map(Message::encode).collect();
    assert_eq!(octets[1][..3], [2, 0, b'a']);
    assert_eq!(octets[1][34..45], [0, 2, 0, 2, 15, 0, 1, 0, 2, 0, 10]);
    assert_eq!(octets[2][..10], [3, 0, 0, 2, 1, 2, 3, 4, 0, 7]);
    assert_eq!(octets[2][32..35], [7, b'b', 0]);
    assert_eq!(octets[3][..12], [4, 0, 3, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(octets[4][..14], [5, 0, 1, 0, 1, 0, 2, 0, 5, 6, 7, 8, 12, 0]);
    assert_eq!(octets[7][..8], [8, 0, 0, 0, 0, 0, b'e', 0]);
}

#[test]
fn texts_end_inside_of_their_field() {
    let long = Message::Disconnect {
        reason: "x".repeat(200),
    };
    let octets = long.encode();
    assert_eq!((octets[6 + 94], octets[6 + 95], octets[102]), (b'x', 0, 0));
}

#[test]
fn every_reason_fits_its_field() {
    for refusal in [
        Refusal::RegionSize {
            index: u16::MAX,
            octets: u64::MAX,
            limit: u64::MAX,
        },
        Refusal::RegionSeal { index: u16::MAX },
        Refusal::RingIndex {
            index: u16::MAX,
            last: u16::MAX,
        },
        Refusal::BufferSize {
            length: u32::MAX,
            least: u32::MAX,
        },
        Refusal::RingTooSmall { octets: u32::MAX },
    ] {
        assert!(refusal.to_string().len() < REASON_OCTETS, "{refusal}");
    }
}

proptest! {
    #[test]
    fn any_octets_are_a_message_or_refused(octets in proptest::collection::vec(any::<u8>(), MESSAGE_OCTETS)) {
        let octets: [u8; MESSAGE_OCTETS] = octets.try_into().expect("128");
        match Message::decode(&octets) {
            Ok(message) => prop_assert!(Message::decode(&message.encode()).is_ok()),
            Err(refusal) => prop_assert_eq!(
                refusal,
                Refusal::MessageType { kind: u16::from_ne_bytes([octets[0], octets[1]]) }
            ),
        }
    }
}

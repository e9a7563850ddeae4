//! The layout octet by octet, and that no two strings of octets are the same message.

use pinode_signaling::isp::layout::{BLLI_OCTETS, FIXED_OCTETS, MAX_OCTETS, Malformed};
use pinode_signaling::isp::table::Row;
use pinode_signaling::isp::{Message, ToDemon};
use proptest::prelude::*;

use crate::sample::{blli, of_row, put, vcc};

#[test]
fn every_field_stands_where_the_table_says() {
    let mut connect = of_row(Row::Connect);
    connect.vcc = Some(vcc(0x0807_0605_0403_0201));
    put(&mut connect, pinode_signaling::isp::table::Field::Blli);
    let octets = connect.encode(Row::Connect).expect("its own fields");
    assert_eq!(octets.len(), FIXED_OCTETS + BLLI_OCTETS);
    assert_eq!(octets[..8], [2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(octets[8..16], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(octets[16..36], [0; 20]);
    assert_eq!(octets[36..38], [20, 0x47]);
    assert_eq!(octets[55..60], [0x47, 1, 0, 0, 0]);
    assert_eq!(octets[60..64], [1, 0, 0, 0]);
    // CBR, bits a second, 1280 octets; 10,000,000; 100,000.
    assert_eq!(octets[64..72], [2, 2, 0, 5, 0, 0, 0, 0]);
    assert_eq!(octets[72..80], [0x80, 0x96, 0x98, 0, 0, 0, 0, 0]);
    assert_eq!(octets[80..88], [0xa0, 0x86, 1, 0, 0, 0, 0, 0]);
    // UBR, no peak rate, 64 octets.
    assert_eq!(octets[88..96], [1, 0, 64, 0, 0, 0, 0, 0]);
    assert_eq!(octets[96..112], [0; 16]);
    assert_eq!(octets[112..120], [5, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(octets[120..122], [20, 0x47]);
    assert_eq!(octets[140..144], [2, 0, 0, 0]);
    assert_eq!(octets[144..], [0, 0, 0, 11, 1, 1, 2, 3, 4, 5, 0, 0]);

    let indicate = of_row(Row::Indicate).encode(Row::Indicate);
    let octets = indicate.expect("its own fields");
    assert_eq!(octets[8..16], [0; 8]);
    assert_eq!(octets[16..24], [8, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(octets[28..36], [8, 3, 2, 0, 16, 0, 0, 0]);

    let error = of_row(Row::Error).encode(Row::Error);
    assert_eq!(
        error.expect("its own fields")[24..28],
        (-111i32).to_le_bytes()
    );
}

#[test]
fn the_length_tells_how_many_blli() {
    let mut bind = of_row(Row::Bind);
    for count in 0..=3u8 {
        let octets = bind.encode(Row::Bind).expect("its own fields");
        assert_eq!(
            octets.len(),
            FIXED_OCTETS + usize::from(count) * BLLI_OCTETS
        );
        assert_eq!(Message::decode(&octets), Ok(bind.clone()));
        if count < 3 {
            bind.bllis.push(blli(count));
        }
    }
    let octets = bind.encode(Row::Bind).expect("its own fields");
    for length in (0..MAX_OCTETS).chain([MAX_OCTETS + 1, MAX_OCTETS + BLLI_OCTETS]) {
        let mut cut = octets.clone();
        cut.resize(length, 1);
        let whole = length >= FIXED_OCTETS && (length - FIXED_OCTETS).is_multiple_of(BLLI_OCTETS);
        assert_eq!(
            Message::decode(&cut).is_ok(),
            whole && length <= MAX_OCTETS,
            "{length}"
        );
    }
    assert_eq!(
        Message::decode(&octets[..143])
            .expect_err("too short")
            .to_string(),
        "a message of 143 octets; allowed: 144, and 0 to 3 BLLI descriptors of 12 each"
    );
}

#[test]
fn reserved_types_are_refused_by_name() {
    for (number, what) in [
        (0u32, "message type as_catch_null is reserved"),
        (11, "message type as_modify is reserved"),
        (12, "message type as_identify is reserved"),
        (13, "message type as_terminate is reserved"),
        (14, "message type 14 is unknown"),
        (0x0100_0001, "message type 16777217 is unknown"),
    ] {
        let mut octets = of_row(Row::CloseToDemon)
            .encode(Row::CloseToDemon)
            .expect("its own");
        octets[..4].copy_from_slice(&number.to_le_bytes());
        let text = ToDemon::decode(&octets).expect_err(what).to_string();
        assert!(text.starts_with(what), "{text}");
    }
}

#[test]
fn what_is_not_used_is_zero() {
    let octets = of_row(Row::OkayListen)
        .encode(Row::OkayListen)
        .expect("its own");
    // Behind a family, a presence or a class of 0 all octets are padding.
    for at in (4..8)
        .chain(29..36)
        .chain(37..60)
        .chain(61..112)
        .chain(113..116)
        .chain(121..144)
    {
        let mut other = octets.clone();
        other[at] = 1;
        assert_eq!(
            Message::decode(&other),
            Err(Malformed::Padding { at }),
            "{at}"
        );
    }
    for (at, value) in [(28, 9), (36, 19), (60, 2), (120, 1)] {
        let mut other = octets.clone();
        other[at] = value;
        let error = Message::decode(&other);
        assert!(
            matches!(error, Err(Malformed::Value { at: a, .. }) if a == at),
            "{error:?}"
        );
    }
    let octets = of_row(Row::Connect).encode(Row::Connect).expect("its own");
    for (at, value) in [(64, 3), (65, 3), (88, 9)] {
        let mut other = octets.clone();
        other[at] = value;
        let error = Message::decode(&other);
        assert!(
            matches!(error, Err(Malformed::Value { at: a, .. }) if a == at),
            "{error:?}"
        );
    }
    // No peak rate, yet a number for it; and a BLLI descriptor of no protocol.
    for (at, value) in [(68, 1), (103, 1), (57, 1), (143, 1)] {
        let mut other = octets.clone();
        other[at] = value;
        assert_eq!(Message::decode(&other), Err(Malformed::Padding { at }));
    }
    let mut other = octets;
    other.extend([0; 12]);
    let error = Message::decode(&other);
    assert!(
        matches!(error, Err(Malformed::Value { at: 144, .. })),
        "{error:?}"
    );
}

proptest! {
    #[test]
    fn octets_and_back(
        changes in proptest::collection::vec((0usize..MAX_OCTETS, any::<u8>()), 0..6),
        row in proptest::sample::select(&Row::ALL[..]),
        bllis in 0usize..=3,
    ) {
        let mut octets = of_row(row).encode(row).expect("its own");
        octets.extend((0..bllis).flat_map(|_| [1u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        for (at, value) in changes {
            let length = octets.len();
            octets[at % length] = value;
        }
        if let Ok(typed) = ToDemon::decode(&octets) {
            prop_assert_eq!(typed.encode(), octets);
        }
    }
}

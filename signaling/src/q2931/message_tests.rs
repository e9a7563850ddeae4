use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::address::{Address, OCTETS};
use crate::q2931::{CallState, ConnectionIdentifier, FIRST_LABEL, LAST_LABEL};
use crate::qos::{Class, Peak, Qos, Traffic};

const REFERENCE: CallReference = CallReference {
    to_originator: true,
    value: 0x01_02_03,
};

fn setup() -> Setup {
    Setup {
        called: Address([0x47; OCTETS]),
        calling: Some(Address([0x39; OCTETS])),
        qos: Qos {
            transmit: Some(Traffic {
                class: Class::Cbr,
                peak: Some(Peak::Frames(1000)),
                cdvt_ns: 5,
                max_sdu: 1400,
            }),
            receive: None,
        },
        connection: ConnectionIdentifier::new(3, 0x12345).unwrap(),
        blli: vec![vec![0x46, 0x50]],
        hops: 0,
    }
}

fn message(body: Body) -> Message {
    Message {
        reference: REFERENCE,
        body,
    }
}

fn each() -> [Body; 8] {
    let reason = Reason::new(Cause::RecoveryOnTimerExpiry, b"303");
    [
        Body::Setup(setup()),
        Body::CallProceeding,
        Body::Connect { qos: setup().qos },
        Body::ConnectAcknowledge,
        Body::Release {
            reason: reason.clone(),
        },
        Body::ReleaseComplete { reason: None },
        Body::StatusEnquiry,
        Body::Status {
            reason,
            state: CallState::Active,
        },
    ]
}

/// The octets of a message with the elements that `keep` keeps, and these behind them.
fn with(octets: &[u8], keep: impl Fn(u8) -> bool, behind: &[u8]) -> Vec<u8> {
    let (head, mut rest) = octets.split_at(9);
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let length = 4 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
        if keep(rest[0]) {
            elements.extend_from_slice(&rest[..length]);
        }
        rest = &rest[length..];
    }
    elements.extend_from_slice(behind);
    let mut octets = head[..7].to_vec();
    octets.extend_from_slice(&u16::try_from(elements.len()).unwrap().to_be_bytes());
    octets.extend_from_slice(&elements);
    octets
}

fn wrong(kind: MessageType, element: u8, cause: Cause) -> DecodeError {
    DecodeError::Element {
        reference: REFERENCE,
        kind,
        element,
        cause,
        clear: false,
    }
}

#[test]
fn octet_by_octet() {
    let release = message(Body::Release {
        reason: Reason::new(Cause::RecoveryOnTimerExpiry, b"303"),
    });
    assert_eq!(
        release.encode(),
        [
            9, 3, 0x81, 2, 3, 0x4d, 0x80, 0, 9, 0x08, 0x80, 0, 5, 0x81, 0xe6, b'3', b'0', b'3'
        ]
    );
    let release = message(Body::Release {
        reason: Reason::from(Cause::UserCellRateNotAvailable).saying("west"),
    });
    let words = [0xf1, 0xe0, 0, 4, b'w', b'e', b's', b't'];
    assert_eq!(
        release.encode()[9..],
        [&[0x08, 0x80, 0, 2, 0x81, 0xa5][..], &words].concat()
    );
    let setup = message(Body::Setup(setup())).encode();
    let mut expected = vec![9, 3, 0x81, 2, 3, 0x05, 0x80, 0, 0];
    expected.extend([0x59, 0xe0, 0, 40, 2, 1, 0, 0, 0, 0, 0, 0, 0x03, 0xe8]);
    expected.extend([0, 0, 0, 0, 0, 0, 0, 5, 0x05, 0x78]);
    expected.extend([0; 20]);
    expected.extend([0x5e, 0x80, 0, 2, 0x81, 0x80]);
    expected.extend([0x5f, 0x80, 0, 2, 0x46, 0x50]);
    expected.extend([0x70, 0x80, 0, 21, 0x82]);
    expected.extend([0x47; 20]);
    expected.extend([0x6c, 0x80, 0, 21, 0x82]);
    expected.extend([0x39; 20]);
    expected.extend([0x5a, 0xe0, 0, 5, 0x88, 3, 0x01, 0x23, 0x45]);
    expected.extend([0x5c, 0xe0, 0, 2, 1, 0]);
    let length = u8::try_from(expected.len() - 9).unwrap();
    expected[8] = length;
    assert_eq!(setup, expected);
}

#[test]
fn each_and_back_with_padding() {
    for body in each() {
        let message = message(body);
        let mut octets = message.encode();
        octets.extend_from_slice(&[0; 40]);
        let decoded = Message::decode(&octets).unwrap();
        assert_eq!(decoded.message, message);
        assert_eq!(decoded.report, None);
    }
}

#[test]
fn mandatory_elements() {
    for body in each() {
        let kind = body.kind();
        let octets = message(body).encode();
        for (element, mandatory) in known(kind) {
            let less = with(&octets, |identifier| identifier != *element, &[]);
            let missing = wrong(kind, *element, Cause::MandatoryElementMissing);
            let decoded = Message::decode(&less);
            if *mandatory {
                assert_eq!(decoded, Err(missing));
            } else {
                let report = decoded.unwrap().report;
                let is_due = kind == MessageType::Release && *element == identifier::CAUSE;
                let expected =
                    is_due.then(|| Reason::new(Cause::MandatoryElementMissing, &[*element]));
                assert_eq!(report, expected, "{kind:?} without {element:#04x}");
            }
        }
    }
}

#[test]
fn wrong_contents() {
    for body in each() {
        let kind = body.kind();
        let octets = message(body).encode();
        for (element, mandatory) in known(kind) {
            // No contents; contents beyond the message; another coding standard.
            for bad in [
                &[*element, 0x80, 0, 0][..],
                &[*element, 0x80, 0, 9, 1],
                &[*element, 0xa0, 0, 1, 1],
            ] {
                let changed = with(&octets, |identifier| identifier != *element, bad);
                let decoded = Message::decode(&changed);
                let cause = Cause::InvalidElementContents;
                if *mandatory {
                    assert_eq!(decoded, Err(wrong(kind, *element, cause)));
                } else {
                    let report = decoded.unwrap().report;
                    assert_eq!(report, Some(Reason::new(cause, &[*element])));
                }
            }
        }
    }
}

#[test]
fn contents_that_cannot_be() {
    let octets = message(Body::Setup(setup())).encode();
    let refused = |element: &[u8]| {
        let changed = with(&octets, |identifier| identifier != element[0], element);
        match Message::decode(&changed) {
            Err(DecodeError::Element { cause, .. }) => cause.number(),
            other => panic!("{element:02x?}: {other:?}"),
        }
    };
    assert_eq!(refused(&[0x5a, 0xe0, 0, 5, 0x88, 32, 0, 0, 16]), 100, "VN");
    assert_eq!(
        refused(&[0x5a, 0xe0, 0, 5, 0x88, 0, 0, 0, 15]),
        100,
        "label"
    );
    assert_eq!(
        refused(&[0x5a, 0xe0, 0, 5, 0x88, 0, 16, 0, 0]),
        100,
        "label"
    );
    assert_eq!(
        refused(&[0x5c, 0xe0, 0, 2, 0, 0]),
        100,
        "not the descriptor's"
    );
    assert_eq!(refused(&[0x5e, 0x80, 0, 2, 0x83, 0x80]), 65, "BCOB-C");
    assert_eq!(refused(&[0x5e, 0x80, 0, 2, 0x81, 0x81]), 65, "multipoint");
    let traffic = |at: usize, octet: u8| {
        let mut traffic = vec![0x59, 0xe0, 0, 40];
        traffic.extend(contents::traffic(&setup().qos));
        traffic[4 + at] = octet;
        traffic
    };
    assert_eq!(refused(&traffic(0, 0)), 100, "a rate of nothing");
    assert_eq!(refused(&traffic(0, 3)), 100, "class");
    assert_eq!(refused(&traffic(1, 3)), 100, "unit");
    assert_eq!(refused(&traffic(1, 0)), 100, "a peak rate without unit");
    let mut no_peak = traffic(1, 0);
    no_peak[6..14].fill(0);
    assert_eq!(refused(&no_peak), 100, "CBR without peak rate");
    no_peak[5] = 1;
    assert_eq!(refused(&no_peak), 100, "a peak rate of 0");
}

#[test]
fn unknown_elements_by_their_flags() {
    let connect = message(Body::Connect { qos: setup().qos }).encode();
    let decode = |flags: u8| Message::decode(&with(&connect, |_| true, &[0x33, flags, 0, 1, 0]));
    let not_known = Cause::ElementNonExistent;
    let report = Reason::new(not_known, &[0x33]);
    for flags in [0x80, 0x81, 0x92, 0x97] {
        assert_eq!(decode(flags).unwrap().report, Some(report.clone()));
    }
    assert_eq!(decode(0x91).unwrap().report, None);
    assert_eq!(decode(0x95), Err(DecodeError::Ignored));
    let refused = wrong(MessageType::Connect, 0x33, not_known);
    assert_eq!(decode(0x96), Err(refused));
    match decode(0x90) {
        Err(DecodeError::Element { clear, cause, .. }) => {
            assert_eq!((clear, cause), (true, not_known));
        }
        other => panic!("{other:?}"),
    }
    // What ends a call ends it.
    let release = message(each()[4].clone()).encode();
    for flags in [0x90, 0x95, 0x96] {
        let changed = with(&release, |_| true, &[0x33, flags, 0, 1, 0]);
        assert!(Message::decode(&changed).is_ok());
    }
}

#[test]
fn unknown_types_by_their_flags() {
    let decode = |flags| Message::decode(&[9, 3, 0x81, 2, 3, 0x46, flags, 0, 0]);
    let unknown = |clear| DecodeError::Type {
        reference: REFERENCE,
        found: 0x46,
        clear,
    };
    assert_eq!(decode(0x80), Err(unknown(false)));
    assert_eq!(decode(0x90), Err(unknown(true)));
    assert_eq!(decode(0x91), Err(DecodeError::Ignored));
    assert_eq!(decode(0x92), Err(unknown(false)));
}

#[test]
fn what_is_no_message() {
    assert_eq!(
        Message::decode(&[9, 3, 0, 0, 1, 7, 0x80, 0]),
        Err(DecodeError::Short { octets: 8 })
    );
    assert_eq!(
        Message::decode(&[8, 3, 0, 0, 1, 7, 0x80, 0, 0]),
        Err(DecodeError::Discriminator { found: 8 })
    );
    assert_eq!(
        Message::decode(&[9, 2, 0, 0, 1, 7, 0x80, 0, 0]),
        Err(DecodeError::Reference { octets: 2 })
    );
    assert_eq!(
        Message::decode(&[9, 3, 0, 0, 1, 7, 0x80, 0, 2, 1]),
        Err(DecodeError::Length { said: 2, there: 1 })
    );
    let mut many = vec![9, 3, 0, 0, 1, 0x75, 0x80, 0, 33 * 4];
    many.extend([0x33, 0x91, 0, 0].repeat(33));
    assert_eq!(Message::decode(&many), Err(DecodeError::ManyElements));
}

fn traffic() -> impl Strategy<Value = Option<Traffic>> {
    let peak = prop_oneof![
        (1..=u64::MAX).prop_map(|peak| Some(Peak::Frames(peak))),
        (1..=u64::MAX).prop_map(|peak| Some(Peak::Bits(peak))),
        Just(None),
    ];
    proptest::option::of((any::<bool>(), peak, any::<u64>(), any::<u16>()).prop_map(
        |(constant, peak, cdvt_ns, max_sdu)| Traffic {
            class: if constant && peak.is_some() {
                Class::Cbr
            } else {
                Class::Ubr
            },
            peak,
            cdvt_ns,
            max_sdu,
        },
    ))
}

fn body() -> impl Strategy<Value = Body> {
    let reason = || {
        (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..=8))
            .prop_map(|(cause, octets)| Reason::new(Cause::from_number(cause), &octets))
    };
    // Words stand where a call ends.
    let ending = || (reason(), ".{0,100}").prop_map(|(reason, words)| reason.saying(&words));
    let qos = || (traffic(), traffic()).prop_map(|(transmit, receive)| Qos { transmit, receive });
    let setup = (
        any::<[u8; OCTETS]>(),
        proptest::option::of(any::<[u8; OCTETS]>()),
        qos(),
        0u8..32,
        FIRST_LABEL..=LAST_LABEL,
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..=64), 0..=3),
        any::<u8>(),
    )
        .prop_map(|(called, calling, qos, vn, label, blli, hops)| Setup {
            called: Address(called),
            calling: calling.map(Address),
            qos,
            connection: ConnectionIdentifier::new(vn, label).unwrap(),
            blli,
            hops,
        });
    prop_oneof![
        setup.prop_map(Body::Setup),
        qos().prop_map(|qos| Body::Connect { qos }),
        Just(Body::CallProceeding),
        Just(Body::ConnectAcknowledge),
        Just(Body::StatusEnquiry),
        ending().prop_map(|reason| Body::Release { reason }),
        proptest::option::of(ending()).prop_map(|reason| Body::ReleaseComplete { reason }),
        (reason(), proptest::sample::select(&CallState::ALL[..]))
            .prop_map(|(reason, state)| Body::Status { reason, state }),
    ]
}

proptest! {
    #[test]
    fn octets_and_back(body in body(), to_originator: bool, value in 0..=LAST_REFERENCE) {
        let message = Message { reference: CallReference { to_originator, value }, body };
        let octets = message.encode();
        prop_assert!(octets.len() <= 400);
        prop_assert_eq!(Message::decode(&octets), Ok(Decoded { message, report: None }));
    }

    #[test]
    fn changed_octets_are_read_without_panic(
        body in body(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        length in any::<proptest::sample::Index>(),
    ) {
        let mut octets = message(body).encode();
        for (at, octet) in changes {
            let at = at.index(octets.len());
            octets[at] = octet;
        }
        octets.truncate(length.index(octets.len() + 1));
        if let Ok(decoded) = Message::decode(&octets) {
            // What was understood can be said.
            let again = Message::decode(&decoded.message.encode());
            prop_assert_eq!(again.map(|d| d.message), Ok(decoded.message));
        }
    }
}

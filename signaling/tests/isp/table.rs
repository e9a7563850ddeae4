//! Table 1: every row, every field; what lacks one or has one too many is refused by name, both ways.

use std::ops::Range;

use pinode_signaling::isp::message::{Message, Type};
use pinode_signaling::isp::table::{Field, Refused, Row};
use pinode_signaling::isp::{DecodeError, Request, ToDemon, ToKernel};

use crate::sample::{of_row, put, take};

/// The document's table (its text; `pvc` of as_itf_notify by 5.1), columns as in [`Field::ALL`]:
/// vcc listen_vcc reply aal pvc local qos svc blli session. `*` required, `o` may be left out, `.` not allowed.
const TABLE_1: [(Row, &str); 14] = [
    (Row::Bind, "* . . * . . . * o ."),
    (Row::OkayBind, "* . . . . . . * o ."),
    (Row::Connect, "* . . * . * * * o ."),
    (Row::OkayConnect, "* . . . * * * . . ."),
    (Row::Listen, "* . . * . . * * o ."),
    (Row::OkayListen, "* . . . . . . . . ."),
    (Row::Indicate, ". * . . * . * * o ."),
    (Row::Accept, "* * . . . . . . . ."),
    (Row::OkayAccept, "* . . . . * . . . ."),
    (Row::Reject, ". * * . . . . . . ."),
    (Row::Error, "* . * . . . . . . ."),
    (Row::CloseToDemon, "* . . . . . . . . ."),
    // 0 is a value of its reply: nothing can lack it.
    (Row::CloseToKernel, "* . o . . . . . . ."),
    (Row::ItfNotify, ". . . . * . . . . ."),
];

fn marks(text: &str) -> Vec<(Field, &str)> {
    Field::ALL.into_iter().zip(text.split(' ')).collect()
}

/// What a receiver of a row's message makes of it, and what it would send again.
fn received(row: Row, message: &Message) -> Result<Vec<u8>, DecodeError> {
    // A message that may not be sent has octets all the same: another program's.
    let octets = raw(message);
    let asked = match row {
        Row::OkayBind => Some(Request::Bind),
        Row::OkayConnect => Some(Request::Connect),
        Row::OkayListen => Some(Request::Listen),
        Row::OkayAccept => Some(Request::Accept),
        _ => None,
    };
    if row.to_demon() {
        ToDemon::decode(&octets).map(|typed| typed.encode())
    } else {
        ToKernel::decode(&octets, |_| asked).map(|typed| typed.encode())
    }
}

/// Octets of a message that no row may allow, put together from messages that are allowed: each field's octets from a
/// row that has it.
fn raw(message: &Message) -> Vec<u8> {
    let mut octets = vec![0u8; 144];
    octets[0] = match message.kind {
        Type::Bind => 1,
        Type::Connect => 2,
        Type::Accept => 3,
        Type::Reject => 4,
        Type::Listen => 5,
        Type::Okay => 6,
        Type::Error => 7,
        Type::Indicate => 8,
        Type::Close => 9,
        Type::ItfNotify => 10,
    };
    let copy = |octets: &mut [u8], row: Row, range: Range<usize>, set: &dyn Fn(&mut Message)| {
        let mut donor = of_row(row);
        set(&mut donor);
        let donor = donor.encode(row).expect("the row's own message");
        octets[range.clone()].copy_from_slice(&donor[range]);
    };
    if message.vcc.is_some() {
        copy(&mut octets, Row::OkayListen, 8..16, &|m| {
            m.vcc = message.vcc
        });
    }
    if message.listen_vcc.is_some() {
        copy(&mut octets, Row::Reject, 16..24, &|m| {
            m.listen_vcc = message.listen_vcc
        });
    }
    if message.reply != 0 {
        copy(&mut octets, Row::Error, 24..28, &|_| {});
    }
    if message.pvc.is_some() && message.kind == Type::ItfNotify {
        copy(&mut octets, Row::ItfNotify, 28..36, &|m| {
            m.pvc = message.pvc
        });
    } else if message.pvc.is_some() {
        copy(&mut octets, Row::Indicate, 28..36, &|m| m.pvc = message.pvc);
    }
    if message.local.is_some() {
        copy(&mut octets, Row::Connect, 36..60, &|m| {
            m.local = message.local
        });
    }
    if message.qos.is_some() {
        copy(&mut octets, Row::Connect, 60..112, &|m| m.qos = message.qos);
    }
    if message.aal.is_some() {
        copy(&mut octets, Row::Bind, 112..116, &|m| m.aal = message.aal);
    }
    octets[116..120].copy_from_slice(&message.session.to_le_bytes());
    if message.svc.is_some() {
        copy(&mut octets, Row::Bind, 120..144, &|m| m.svc = message.svc);
    }
    if !message.bllis.is_empty() {
        let mut donor = of_row(Row::Bind);
        donor.bllis = message.bllis.clone();
        octets.extend_from_slice(&donor.encode(Row::Bind).expect("BLLI go with svc")[144..]);
    }
    octets
}

#[test]
fn rows_are_those_of_the_document() {
    assert_eq!(TABLE_1.map(|(row, _)| row), Row::ALL);
}

#[test]
fn a_message_with_its_fields_passes() {
    for (row, text) in TABLE_1 {
        let mut message = of_row(row);
        let octets = message.encode(row).expect("required fields suffice");
        assert_eq!(received(row, &message), Ok(octets), "{row}");
        for (field, _) in marks(text).iter().filter(|(_, mark)| *mark == "o") {
            put(&mut message, *field);
            let octets = message.encode(row).expect("optional fields may be there");
            assert_eq!(received(row, &message), Ok(octets), "{row} with {field}");
        }
    }
}

#[test]
fn every_row_by_every_field() {
    let (mut missing, mut not_allowed) = (0, 0);
    for (row, text) in TABLE_1 {
        for (field, mark) in marks(text) {
            let mut message = of_row(row);
            let refused = match mark {
                "*" => {
                    take(&mut message, field);
                    missing += 1;
                    Refused::Missing { row, field }
                }
                "." => {
                    put(&mut message, field);
                    not_allowed += 1;
                    Refused::NotAllowed { row, field }
                }
                _ => continue,
            };
            assert_eq!(message.encode(row), Err(refused), "sent: {row}, {field}");
            // An okay without vcc is for no socket: that is said of the shortest of its rows.
            let heard = match refused {
                Refused::Missing {
                    field: Field::Vcc, ..
                } if message.kind == Type::Okay => Refused::Missing {
                    row: Row::OkayListen,
                    field,
                },
                refused => refused,
            };
            let result = received(row, &message);
            assert_eq!(result, Err(DecodeError::Refused(heard)), "{row}, {field}");
            let text = heard.to_string();
            assert!(text.contains(&field.to_string()), "{text}");
        }
    }
    assert_eq!((missing, not_allowed), (34, 100));
}

#[test]
fn an_error_code_is_negative() {
    for row in [Row::Error, Row::Reject, Row::CloseToKernel] {
        let mut message = of_row(row);
        message.reply = 1;
        let refused = Refused::Reply { row, reply: 1 };
        assert_eq!(message.encode(row), Err(refused));
        assert!(refused.to_string().contains("reply"), "{refused}");
    }
    let close = of_row(Row::CloseToDemon);
    assert!(close.encode(Row::CloseToKernel).is_ok(), "0: normal");
}

#[test]
fn nothing_but_the_interface_in_itf_notify() {
    let mut message = of_row(Row::ItfNotify);
    put(&mut message, Field::Pvc);
    let mut octets = message.encode(Row::ItfNotify).expect("an interface");
    octets[29] = 1;
    let refused = Refused::NotAllowed {
        row: Row::ItfNotify,
        field: Field::Pvc,
    };
    assert_eq!(ToDemon::decode(&octets), Err(DecodeError::Refused(refused)));
}

#[test]
fn messages_go_one_way() {
    for row in Row::ALL {
        if row.kind() == Type::Close {
            continue;
        }
        let octets = of_row(row).encode(row).expect("its own fields");
        let refused = if row.to_demon() {
            ToKernel::decode(&octets, |_| Some(Request::Bind)).map(|_| ())
        } else {
            ToDemon::decode(&octets).map(|_| ())
        };
        assert!(
            matches!(refused, Err(DecodeError::Refused(Refused::Way { .. }))),
            "{row}: {refused:?}"
        );
    }
    let octets = of_row(Row::OkayListen)
        .encode(Row::OkayListen)
        .expect("its own fields");
    assert_eq!(
        ToKernel::decode(&octets, |_| None),
        Err(DecodeError::Unasked {
            vcc: crate::sample::vcc(7)
        })
    );
    let bind = of_row(Row::Bind);
    let refused = bind.encode(Row::Listen).expect_err("another type");
    assert_eq!(refused.to_string(), "as_listen: the type is as_bind");
}

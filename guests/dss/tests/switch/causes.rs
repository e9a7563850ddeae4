//! Why a frame does not go on: each cause, and that it is counted.

use serde_json::Value;

use crate::bed::{ALL, Bed, Pdu, config, connection, frame, host, port};

fn bed() -> Bed {
    Bed::with(&[connection(0, 0, 16, 1, 16)])
}

fn good() -> Pdu {
    Pdu::to(16)
}

fn of(pdu: Pdu) -> Vec<u8> {
    frame(port(0), host(0), 0, &pdu.octets(&[7; 40]))
}

/// Nothing comes out of `given`, nor is the host told of it, and that is counted as `cause`.
#[track_caller]
fn refused(cause: &str, given: &[u8]) {
    let mut bed = bed();
    assert_eq!(bed.give(0, &of(good())).len(), 1);
    assert_eq!(bed.give(0, given), [], "{cause}");
    assert_eq!(bed.dropped(0, cause), 1, "{cause}");
    assert!(bed.events().is_empty());
    bed.conserves();
}

#[test]
fn what_is_too_short_for_a_header() {
    for octets in [1, 13, 14, 15, 22] {
        refused("truncated", &of(good())[..octets]);
    }
    // A header without payload is whole.
    assert_eq!(bed().give(0, &of(good())[..23]).len(), 1);
}

#[test]
fn what_is_of_another_pi() {
    let mut given = of(good());
    given[14] = 1 << 5;
    refused("foreign", &given);
    let mut given = of(good());
    given[13] = 0xb6;
    refused("foreign", &given);
}

#[test]
fn what_is_of_a_network_that_is_not_carried() {
    let given = frame(port(0), host(0), 1, &good().octets(&[7; 40]));
    refused("unknown_vn", &given);
    let signalling = frame(port(0), host(0), 31, &Pdu::to(1).octets(&[7; 40]));
    refused("unknown_vn", &signalling);
}

#[test]
fn an_access_port_carries_its_own_network_alone() {
    let mut access = config(2, &[0, 5], true, Value::Null);
    access.vifs[0].access = Some(5);
    let mut bed = Bed::new(&access);
    bed.connect(&[connection(1, 0, 16, 1, 16), connection(0, 5, 16, 1, 16)]);
    assert_eq!(bed.give(0, &of(good())), []);
    assert_eq!(bed.dropped(0, "unknown_vn"), 1);
    let given = frame(port(0), host(0), 5, &good().octets(&[7; 40]));
    assert_eq!(bed.give(0, &given).len(), 1);
    bed.conserves();
}

#[test]
fn what_is_for_another_station() {
    let given = frame(host(3), host(0), 0, &good().octets(&[7; 40]));
    refused("other_station", &given);
    let signalling = frame(host(3), host(0), 0, &Pdu::to(1).octets(&[7; 40]));
    refused("other_station", &signalling);
    for group in [ALL, [1, 0, 0x5e, 0x90, 0, 0]] {
        let given = frame(group, host(0), 0, &good().octets(&[7; 40]));
        assert_eq!(bed().give(0, &given).len(), 1);
    }
}

#[test]
fn a_stack_of_labels() {
    for label in [16, 1] {
        let stacked = Pdu {
            bottom: false,
            ..Pdu::to(label)
        };
        refused("stack", &of(stacked));
    }
}

#[test]
fn what_is_no_data() {
    for nibble in 1..=15 {
        let given = Pdu {
            control: nibble << 4,
            ..good()
        };
        refused("control_word", &of(given));
    }
    let signalling = Pdu {
        control: 0x10,
        ..Pdu::to(1)
    };
    refused("control_word", &of(signalling));
    for length in [1, 2, 3, 45] {
        let signalling = Pdu {
            length,
            ..Pdu::to(1)
        };
        refused("control_word", &of(signalling));
    }
}

#[test]
fn labels_that_mean_something_else() {
    for label in (0..16).filter(|label| *label != 1) {
        refused("reserved_label", &of(Pdu::to(label)));
    }
}

#[test]
fn labels_that_no_connection_has() {
    for label in [17, 1039, 1040, 1_048_575] {
        refused("unknown_label", &of(Pdu::to(label)));
    }
    refused(
        "unknown_label",
        &frame(port(0), host(0), 5, &good().octets(&[7; 40])),
    );
}

#[test]
fn what_has_gone_far_enough() {
    for ttl in [0, 1] {
        refused("expired", &of(Pdu { ttl, ..good() }));
    }
    let mut bed = bed();
    for ttl in 2..=255 {
        let out = bed.give(0, &of(Pdu { ttl, ..good() }));
        assert_eq!(out[0].1[18], ttl - 1);
    }
}

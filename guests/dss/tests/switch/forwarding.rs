//! What a frame leaves as, octet for octet.

use serde_json::Value;

use crate::bed::{ALL, Bed, MTU, Pdu, config, connection, frame, host, plain, port};

#[test]
fn a_frame_gets_label_ttl_and_addresses_and_nothing_else_is_touched() {
    for (has_pih, payload) in [true, false]
        .into_iter()
        .flat_map(|has_pih| [0, 37, 52, 1492].map(|octets| (has_pih, octets)))
    {
        let vns: &[u8] = if has_pih { &[0, 5] } else { &[5] };
        let mut bed = Bed::new(&config(2, vns, has_pih, Value::Null));
        bed.connect(&[connection(0, 5, 0x12345, 1, 0xfedcb)]);
        let payload: Vec<u8> = (0..payload).map(|at| at as u8 ^ 0x5a).collect();
        let given = Pdu {
            class: 3,
            ttl: 2,
            control: 0x0a,
            length: 0x3f,
            sequence: 0x1234,
            ..Pdu::to(0x12345)
        };
        let expected = Pdu {
            label: 0xfedcb,
            ttl: 1,
            ..given
        };
        let of = |to, from, pdu: Pdu| match has_pih {
            true => frame(to, from, 5, &pdu.octets(&payload)),
            false => plain(to, from, &pdu.octets(&payload)),
        };
        let out = bed.give(0, &of(port(0), host(0), given));
        assert_eq!(out, [(1, of(ALL, port(1), expected))]);
        bed.conserves();
    }
}

#[test]
fn each_label_leads_its_own_way_in_order() {
    let mut bed = Bed::with(&[
        connection(0, 0, 16, 1, 1_048_575),
        connection(0, 0, 17, 2, 17),
        connection(0, 5, 16, 2, 18),
        connection(1, 0, 16, 0, 16),
        connection(0, 0, 1_048_575, 0, 19),
    ]);
    let ways = [
        (0, 16, 1, 1_048_575),
        (0, 17, 2, 17),
        (5, 16, 2, 18),
        (0, 1_048_575, 0, 19),
    ];
    let given: Vec<Vec<u8>> = (0..60u8)
        .map(|number| {
            let (vn, label, ..) = ways[usize::from(number) % ways.len()];
            frame(port(0), host(0), vn, &Pdu::to(label).octets(&[number; 40]))
        })
        .collect();
    let out = bed.give_all(0, &given);
    assert_eq!(out.len(), given.len());
    for (at, (vn, _, to_port, to_label)) in ways.into_iter().enumerate() {
        let label = |frame: &[u8]| u32::from_be_bytes([0, frame[15], frame[16], frame[17]]) >> 4;
        let numbers: Vec<u8> = out
            .iter()
            .filter(|(port, out)| *port == to_port && label(out) == to_label)
            .map(|(_, out)| {
                assert_eq!(out[14], 3 << 5 | vn);
                out[23]
            })
            .collect();
        let expected: Vec<u8> = (0..60).filter(|n| usize::from(*n) % 4 == at).collect();
        assert_eq!(numbers, expected);
    }
    let back = frame(port(1), host(1), 0, &Pdu::to(16).octets(&[7; 40]));
    assert_eq!(bed.give(1, &back)[0].0, 0);
    bed.conserves();
}

#[test]
fn frames_go_to_who_is_at_the_other_end_once_that_is_known() {
    let mut bed = Bed::with(&[connection(0, 0, 16, 1, 16)]);
    let given = frame(port(0), host(0), 0, &Pdu::to(16).octets(&[7; 40]));
    assert_eq!(bed.give(0, &given)[0].1[..6], ALL);
    // Signalling of the other end says who it is, in whichever network; what else comes does not.
    let other = frame(port(1), host(7), 0, &Pdu::to(16).octets(&[7; 40]));
    assert_eq!(bed.give(1, &other), []);
    assert_eq!(bed.give(0, &given)[0].1[..6], ALL);
    let hello = frame(ALL, host(1), 5, &Pdu::to(1).octets(&[7; 40]));
    assert_eq!(bed.give(1, &hello), []);
    assert_eq!(bed.give(0, &given)[0].1[..6], host(1));
    let replaced = frame(ALL, host(9), 0, &Pdu::to(1).octets(&[7; 40]));
    bed.give(1, &replaced);
    assert_eq!(bed.give(0, &given)[0].1[..6], host(9));
    // A group is nobody.
    let group = frame(ALL, ALL, 0, &Pdu::to(1).octets(&[7; 40]));
    bed.give(1, &group);
    assert_eq!(bed.give(0, &given)[0].1[..6], host(9));
    let counters = bed.counters();
    let peers: Vec<Option<[u8; 6]>> = { counters.ports.iter() }
        .map(|port| port.peer.map(|mac| mac.0))
        .collect();
    assert_eq!(peers, [None, Some(host(9)), None]);
    bed.conserves();
}

#[test]
fn the_largest_frame_goes_and_a_larger_one_does_not() {
    let mut small = config(2, &[0], true, Value::Null);
    small.vifs[1].mtu = 600;
    let mut bed = Bed::new(&small);
    bed.connect(&[connection(0, 0, 16, 1, 16)]);
    let of = |octets: u16| {
        let payload = vec![7; usize::from(octets) - 8];
        frame(port(0), host(0), 0, &Pdu::to(16).octets(&payload))
    };
    assert_eq!(bed.give(0, &of(600)).len(), 1);
    assert_eq!(bed.give(0, &of(601)), []);
    assert_eq!(bed.give(0, &of(MTU)), []);
    assert_eq!(bed.dropped(0, "too_big"), 2);
    bed.conserves();
}

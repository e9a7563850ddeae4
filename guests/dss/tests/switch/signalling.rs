//! Signalling: what the host is told of, and what it says.

use pinode_guest_dss::control::{Mac, Octets, Punted};
use serde_json::{Value, json};

use crate::bed::{ALL, Bed, Pdu, config, connection, frame, host, plain, port};

fn punted(vif: u8, vn: u8, pdu: &[u8]) -> Punted {
    Punted {
        port: vif,
        vn,
        mac: Mac(host(vif)),
        pdu: Octets(pdu.to_vec()),
    }
}

#[test]
fn the_host_is_told_of_what_comes_with_label_1() {
    let mut bed = Bed::three();
    let hello = frame(port(2), host(2), 5, &Pdu::to(1).octets(b"hello"));
    assert_eq!(bed.give(2, &hello), []);
    assert_eq!(bed.events(), [[punted(2, 5, b"hello")]]);
    assert!(bed.events().is_empty());
    // What the link padded is cut off where the length is said; TTL does not matter.
    let mut short = Pdu {
        length: 4 + 5,
        ttl: 0,
        ..Pdu::to(1)
    }
    .octets(b"hello");
    short.resize(46, 0);
    bed.give(2, &frame(port(2), host(2), 0, &short));
    assert_eq!(bed.events(), [[punted(2, 0, b"hello")]]);
    let counters = bed.counters();
    assert_eq!(
        (counters.ports[2].received, counters.ports[2].punted),
        (2, 2)
    );
    bed.conserves();
}

#[test]
fn without_a_pih_it_is_of_the_one_network() {
    let mut bed = Bed::new(&config(2, &[9], false, Value::Null));
    bed.give(0, &plain(ALL, host(0), &Pdu::to(1).octets(b"hello")));
    assert_eq!(bed.events(), [[punted(0, 9, b"hello")]]);
    assert_eq!(bed.send(1, 9, &[vec![7; 100]]), 1);
    let pdu = Pdu {
        class: 6,
        ttl: 1,
        ..Pdu::to(1)
    };
    let expected = plain(ALL, port(1), &pdu.octets(&[7; 100]));
    assert_eq!(bed.run(), [(1, expected)]);
    bed.conserves();
}

#[test]
fn a_port_that_is_flooded_keeps_no_other_from_the_host() {
    let pi = json!({ "punted": 5 });
    let mut bed = Bed::new(&config(3, &[0], true, pi));
    let flood: Vec<Vec<u8>> = (0..50)
        .map(|n| frame(port(0), host(0), 0, &Pdu::to(1).octets(&[n])))
        .collect();
    bed.give_all(0, &flood);
    bed.give(1, &frame(port(1), host(1), 0, &Pdu::to(1).octets(b"one")));
    assert_eq!(bed.dropped(0, "punt_full"), 45);
    assert_eq!(bed.counters().ports[0].untold, 5);
    let events = bed.events();
    let told: Vec<Punted> = events.into_iter().flatten().collect();
    assert_eq!(told.len(), 6);
    // By turns, and each port in its order.
    assert!(told[..2].contains(&punted(1, 0, b"one")));
    let of_0: Vec<Punted> = told.into_iter().filter(|told| told.port == 0).collect();
    let expected: Vec<Punted> = (0..5).map(|n| punted(0, 0, &[n])).collect();
    assert_eq!(of_0, expected);
    // There is room again.
    bed.give(0, &flood[7]);
    assert_eq!(bed.events(), [[punted(0, 0, &[7])]]);
    bed.conserves();
}

#[test]
fn an_event_fits_a_line_however_much_there_is() {
    let mut bed = Bed::new(&config(3, &[0], true, json!({ "punted": 1024 })));
    let large = frame(port(0), host(0), 0, &Pdu::to(1).octets(&[7; 1492]));
    for _ in 0..20 {
        bed.give_all(0, &vec![large.clone(); 50]);
    }
    let events = bed.events();
    assert_eq!(events.iter().map(Vec::len).sum::<usize>(), 1000);
    for event in &events {
        let line = serde_json::to_string(event).unwrap();
        assert!(line.len() < 16 * 1024, "{}", line.len());
    }
    bed.conserves();
}

#[test]
fn what_the_host_says_goes_out_in_frames_of_label_1() {
    let mut bed = Bed::three();
    assert_eq!(bed.send(1, 5, &[b"short".to_vec(), vec![9; 1492]]), 2);
    let out = bed.run();
    let pdu = |length| Pdu {
        class: 6,
        ttl: 1,
        length,
        ..Pdu::to(1)
    };
    let mut short = frame(ALL, port(1), 5, &pdu(9).octets(b"short"));
    short.resize(60, 0);
    let long = frame(ALL, port(1), 5, &pdu(0).octets(&[9; 1492]));
    assert_eq!(out, [(1, short), (1, long)]);
    let counters = bed.counters();
    assert_eq!(
        (counters.ports[1].injected, counters.ports[1].waiting),
        (2, 0)
    );
    // To who is there, once that is known.
    bed.give(1, &frame(ALL, host(1), 0, &Pdu::to(1).octets(b"hello")));
    bed.send(1, 0, &[b"answer".to_vec()]);
    assert_eq!(bed.run()[0].1[..6], host(1));
    bed.conserves();
}

#[test]
fn what_a_switch_says_another_one_hears() {
    let (mut one, mut other) = (Bed::three(), Bed::three());
    for octets in [0, 1, 36, 37, 59, 60, 61, 700, 1492] {
        let pdu: Vec<u8> = (0..octets).map(|at| at as u8).collect();
        one.send(2, 0, std::slice::from_ref(&pdu));
        let out = one.run();
        assert_eq!((out.len(), out[0].0), (1, 2));
        other.give(0, &out[0].1);
        let mut expected = punted(0, 0, &pdu);
        expected.mac = Mac(port(2));
        assert_eq!(other.events(), [[expected]]);
    }
}

#[test]
fn what_does_not_fit_waits_and_what_cannot_wait_is_said() {
    let mut bed = Bed::new(&config(2, &[0], true, json!({ "punted": 7 })));
    let pdus: Vec<Vec<u8>> = (0..10u8).map(|n| vec![n; 60]).collect();
    assert_eq!(bed.send(0, 0, &pdus), 7);
    assert_eq!(bed.send(0, 0, &pdus[..1]), 0);
    assert_eq!(bed.send(1, 0, &pdus[..1]), 1);
    assert_eq!(bed.counters().ports[0].waiting, 7);
    let out = bed.run();
    let of_0: Vec<u8> = { out.iter() }
        .filter(|(vif, _)| *vif == 0)
        .map(|(_, frame)| frame[23])
        .collect();
    assert_eq!(of_0, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(bed.send(0, 0, &pdus), 7);
    bed.run();
    bed.conserves();
}

#[test]
fn what_the_host_says_goes_with_the_next_burst_too() {
    let mut bed = Bed::with(&[connection(0, 0, 16, 1, 16)]);
    bed.send(2, 0, &[b"hello".to_vec()]);
    let out = bed.give(
        0,
        &frame(port(0), host(0), 0, &Pdu::to(16).octets(&[7; 40])),
    );
    assert_eq!(out.len(), 2);
    bed.conserves();
}

//! What the host asks, and what it is answered: also what it should not ask.

use pinode_guest_dss::control::{Answer, Connection, Counts, Key, Kind, Request};
use serde_json::{Value, json};

use crate::bed::{Bed, MTU, Pdu, config, connection, frame, host, key, port};

/// Makes a connection another one.
type Change = fn(&mut Connection);

fn connected(bed: &mut Bed, items: &[Connection]) -> (u32, Option<String>, Option<Kind>) {
    let items = items.to_vec();
    match bed.answer(&Request::Connect { items }) {
        Answer::Connected { done, error, kind } => (done, error, kind),
        answer => panic!("{answer:?}"),
    }
}

fn disconnected(bed: &mut Bed, items: &[Key]) -> Vec<Option<Counts>> {
    let items = items.to_vec();
    match bed.answer(&Request::Disconnect { items }) {
        Answer::Disconnected { counts } => counts,
        answer => panic!("{answer:?}"),
    }
}

/// All connections, by pages of `most`.
fn listed(bed: &mut Bed, most: u32) -> Vec<Connection> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let Answer::Page { connections, next } = bed.answer(&Request::List { after, most }) else {
            panic!("no page");
        };
        assert!(connections.len() <= most as usize);
        all.extend(connections.into_iter().map(|held| held.connection));
        match next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

#[test]
fn what_is_asked_twice_is_done_once() {
    let mut bed = Bed::three();
    let mut one = connection(0, 5, 16, 1, 17);
    (one.rate_bps, one.tolerance_ns, one.police) = (Some(1_000_000), 7, true);
    for _ in 0..2 {
        assert_eq!(connected(&mut bed, &[one]), (1, None, None));
        assert_eq!(listed(&mut bed, 10), [one]);
    }
    let others: [Change; 5] = [
        |other| other.to_port = 2,
        |other| other.to_label = 18,
        |other| other.rate_bps = Some(2_000_000),
        |other| other.tolerance_ns = 8,
        |other| other.police = false,
    ];
    for change in others {
        let mut other = one;
        change(&mut other);
        let (done, error, kind) = connected(&mut bed, &[connection(0, 0, 16, 1, 17), other]);
        let error = error.expect("it is taken");
        assert_eq!((done, kind), (1, Some(Kind::Taken)));
        assert_eq!(error, "label 16 of virtual network 5 of port 0 is taken");
    }
    let counts = disconnected(
        &mut bed,
        &[key(0, 5, 16), key(0, 5, 16), key(9, 99, u32::MAX)],
    );
    assert_eq!(counts, [Some(Counts::default()), None, None]);
    assert_eq!(listed(&mut bed, 10), [connection(0, 0, 16, 1, 17)]);
}

#[test]
fn what_cannot_be_is_refused_and_says_what_can() {
    let good = connection(0, 0, 16, 1, 16);
    let wrong: [(Change, &str); 10] = [
        (|c| c.port = 3, "port: there is no port 3; allowed: 0 to 2"),
        (
            |c| c.to_port = 255,
            "to_port: there is no port 255; allowed: 0 to 2",
        ),
        (|c| c.vn = 1, "vn: port 0 does not carry virtual network 1"),
        (
            |c| c.vn = 32,
            "vn: port 0 does not carry virtual network 32",
        ),
        (
            |c| c.label = 15,
            "label: label 15 is out of range; allowed: 16 to 1048575",
        ),
        (
            |c| c.label = 1 << 20,
            "label: label 1048576 is out of range; allowed: 16 to 1048575",
        ),
        (
            |c| c.to_label = 1,
            "to_label: label 1 is out of range; allowed: 16 to 1048575",
        ),
        (
            |c| c.rate_bps = Some(7),
            "rate_bps: 7 is out of range; allowed: 8 to 1000000000000",
        ),
        (
            |c| c.rate_bps = Some(u64::MAX),
            "rate_bps: 18446744073709551615 is out of range; allowed: 8 to 1000000000000",
        ),
        (|c| c.police = true, "police: needs rate_bps"),
    ];
    let mut bed = Bed::three();
    for (change, what) in wrong {
        let mut bad = good;
        change(&mut bad);
        let answer = connected(&mut bed, &[bad, good]);
        assert_eq!(answer, (0, Some(what.to_owned()), Some(Kind::Invalid)));
    }
    assert_eq!(listed(&mut bed, 10), []);
}

#[test]
fn a_full_table_says_so_and_has_room_again_when_one_goes() {
    let mut bed = Bed::new(&config(2, &[0], true, json!({ "connections": 3 })));
    let items: Vec<Connection> = (16..20).map(|l| connection(0, 0, l, 1, l)).collect();
    let (done, error, kind) = connected(&mut bed, &items);
    assert_eq!((done, kind), (3, Some(Kind::Full)));
    assert!(
        error
            .expect("it is full")
            .starts_with("there are 3 connections already")
    );
    assert_eq!(connected(&mut bed, &items[..3]).0, 3);
    assert_eq!(disconnected(&mut bed, &[key(0, 0, 17)]).len(), 1);
    assert_eq!(connected(&mut bed, &items[3..]), (1, None, None));
    let counters = bed.counters();
    assert_eq!((counters.connections, counters.connections_most), (3, 3));
}

#[test]
fn labels_far_apart_take_more_than_there_is() {
    let mut bed = Bed::new(&config(2, &[0], true, json!({ "connections": 100 })));
    let items: Vec<Connection> = (1..100).map(|n| connection(0, 0, n << 10, 1, 16)).collect();
    let (done, error, kind) = connected(&mut bed, &items);
    let most = bed.counters().blocks_most;
    assert_eq!((done, kind), (most, Some(Kind::Full)));
    assert!(error.expect("it is full").contains("lie closer together"));
    // What shares a block goes.
    assert_eq!(connected(&mut bed, &[connection(0, 0, 1025, 1, 16)]).0, 1);
    disconnected(&mut bed, &[key(0, 0, 1024), key(0, 0, 1025)]);
    assert_eq!(bed.counters().blocks, most - 1);
    assert_eq!(connected(&mut bed, &items[done as usize..]).0, 1);
}

#[test]
fn pages_hold_all_in_order_whatever_their_size() {
    let mut items: Vec<Connection> = (0..500u32)
        .map(|n| {
            let (from, vn) = ((n % 3) as u8, [0, 5][n as usize % 2]);
            connection(from, vn, 16 + n * 503 % 60_000, 1, 16)
        })
        .collect();
    let mut bed = Bed::with(&items);
    items.sort_by_key(Connection::key);
    for most in [1, 7, 128] {
        assert_eq!(listed(&mut bed, most), items);
    }
    assert_eq!(listed(&mut bed, u32::MAX), items);
    let Answer::Page { connections, .. } = bed.answer(&Request::List {
        after: None,
        most: u32::MAX,
    }) else {
        panic!("no page");
    };
    assert!((100..=128).contains(&connections.len()));
}

#[test]
fn clearing_takes_all_down_a_part_at_a_time() {
    let items: Vec<Connection> = (0..2000)
        .map(|n| connection(0, 0, 16 + 7 * n, 1, 16))
        .collect();
    let mut bed = Bed::with(&items);
    bed.connect(&[connection(2, 5, 1_048_575, 1, 16)]);
    bed.begin(&Request::Clear {});
    assert!(!bed.work());
    let Answer::Counters(counters) = bed.begin(&Request::Counters {}) else {
        panic!("no counters");
    };
    assert!((1..2001).contains(&counters.connections));
    let (done, error, kind) = connected_now(&mut bed, connection(1, 0, 16, 0, 16));
    assert_eq!((done, kind), (0, Some(Kind::Clearing)));
    assert!(error.is_some());
    while !bed.work() {}
    let counters = bed.counters();
    assert_eq!((counters.connections, counters.blocks), (0, 0));
    assert_eq!(listed(&mut bed, 10), []);
    let given = frame(port(0), host(0), 0, &Pdu::to(16).octets(&[7; 40]));
    assert_eq!(bed.give(0, &given), []);
    bed.connect(&items);
    assert_eq!(bed.give(0, &given).len(), 1);
}

fn connected_now(bed: &mut Bed, item: Connection) -> (u32, Option<String>, Option<Kind>) {
    match bed.begin(&Request::Connect { items: vec![item] }) {
        Answer::Connected { done, error, kind } => (done, error, kind),
        answer => panic!("{answer:?}"),
    }
}

#[test]
fn a_line_holds_the_longest_answers() {
    let mut widest = config(32, &[31], true, json!({ "connections": 1000 }));
    for vif in &mut widest.vifs {
        vif.name = "p".repeat(15);
    }
    let mut bed = Bed::new(&widest);
    let items: Vec<Connection> = (0..256)
        .map(|n| Connection {
            rate_bps: Some(1_000_000_000_000),
            tolerance_ns: u64::MAX,
            police: true,
            ..connection(31, 31, 1_048_575 - n, 31, 1_048_575)
        })
        .collect();
    let line = serde_json::to_string(&Request::Connect {
        items: items.clone(),
    })
    .unwrap();
    assert!(line.len() < 60_000, "{}", line.len());
    bed.connect(&items);
    // Numbers of 20 digits instead of the one they have.
    let page = bed.ask(&json!({ "list": { "most": 1000 } })).unwrap();
    let longest = page.to_string().len() + 128 * 5 * 19;
    assert!(longest < 60_000, "{longest}");
    let keys: Vec<Value> = items.iter().map(|item| json!(item.key())).collect();
    let gone = bed
        .ask(&json!({ "disconnect": { "items": keys } }))
        .unwrap();
    let longest = gone.to_string().len() + 256 * 5 * 19;
    assert!(longest < 60_000, "{longest}");
    let counters = bed.ask(&json!({ "counters": {} })).unwrap();
    // Twelve causes, of which none was seen, and numbers as above.
    let longest = counters.to_string().len() + 32 * (12 * 40 + 8 * 20 + 20);
    assert!(longest < 60_000, "{longest}");
}

#[test]
fn what_is_no_request_is_refused() {
    let mut bed = Bed::three();
    let items = |count: usize| vec![json!({ "port": 0, "vn": 0, "label": 16 }); count];
    let wrong = [
        (json!(null), ""),
        (json!([]), ""),
        (json!({ "reboot": {} }), "unknown variant `reboot`"),
        (json!({ "clear": { "all": true } }), "unknown field `all`"),
        (
            json!({ "connect": { "items": [{ "port": 0 }] } }),
            "missing field `vn`",
        ),
        (
            json!({ "connect": { "items": [{ "port": 0, "vn": 0, "label": 16, "to_port": 1, "to_label": 16, "speed": 9 }] } }),
            "unknown field `speed`",
        ),
        (json!({ "connect": { "items": [{ "port": 256 }] } }), "256"),
        (
            json!({ "disconnect": { "items": items(257) } }),
            "257 items; allowed: 256 at most",
        ),
        (
            json!({ "send": { "port": 3, "vn": 0, "pdus": [] } }),
            "port: there is no 3; allowed: 0 to 2",
        ),
        (
            json!({ "send": { "port": 0, "vn": 9, "pdus": [] } }),
            "vn: port 0 does not carry 9",
        ),
        (
            json!({ "send": { "port": 0, "vn": 0, "pdus": ["%%"] } }),
            "no base64",
        ),
    ];
    for (request, what) in wrong {
        let error = bed.ask(&request).unwrap_err();
        assert!(error.contains(what), "{request}: {error}");
    }
    let most = usize::from(MTU) - 8;
    let long = Request::Send {
        port: 0,
        vn: 0,
        pdus: vec![pinode_guest_dss::control::Octets(vec![0; most + 1])],
    };
    let error = bed.ask(&serde_json::to_value(long).unwrap()).unwrap_err();
    assert_eq!(error, "pdus[0]: too long; allowed: 1492 octets");
    assert!(bed.run().is_empty());
    bed.conserves();
}

#[test]
fn a_wrong_configuration_is_refused_and_says_what_is_allowed() {
    use pinode_guest_dss::Switch;
    let check = |config| Switch::check(&config).unwrap_err().to_string();
    let with = |pi| check(config(2, &[0], true, pi));
    assert_eq!(
        with(json!({ "speed": 9 })),
        "unknown field `speed`, expected one of `connections`, `punted`, `sockets`; keys are connections, punted and sockets, all of them numbers"
    );
    assert_eq!(
        with(json!({ "connections": 0 })),
        "connections: 0 is out of range; allowed: 1 to 1048576"
    );
    assert_eq!(
        with(json!({ "connections": 1_048_577 })),
        "connections: 1048577 is out of range; allowed: 1 to 1048576"
    );
    assert_eq!(
        with(json!({ "punted": 1025 })),
        "punted: 1025 is out of range; allowed: 1 to 1024"
    );
    assert_eq!(
        check(config(0, &[0], true, json!({}))),
        "0 ports; allowed: 1 to 32"
    );
    assert_eq!(
        check(config(33, &[0], true, json!({}))),
        "33 ports; allowed: 1 to 32"
    );
    assert_eq!(
        check(config(2, &[0, 32], true, json!({}))),
        "virtual network 32 is out of range; allowed: 0 to 31"
    );
    assert_eq!(
        check(config(2, &[0, 1], false, json!({}))),
        "pih = \"strip\": 2 virtual networks are carried; allowed: one"
    );
    let mut group = config(2, &[0], true, json!({}));
    group.vifs[1].mac = "03:00:00:00:00:01".to_owned();
    assert_eq!(
        check(group),
        "port p1: 03:00:00:00:00:01 is a group's address"
    );
    Switch::check(&config(
        32,
        &[0],
        true,
        json!({ "connections": 1 << 20, "punted": 1024 }),
    ))
    .unwrap();
}

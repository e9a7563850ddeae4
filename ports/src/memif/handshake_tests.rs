//! Peers that say what they should not are told why, and the interface serves the next one.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::net::{SendFlags, send};

use super::super::channel::{Arrived, Channel, address, listener};
use super::super::message::{AddRing, Direction, Init, MESSAGE_OCTETS, SECRET_OCTETS, VERSION};
use super::super::{MemifPort, RxBurst};
use super::*;
use crate::port::Port;

const LIMIT: Duration = Duration::from_secs(20);

fn spec(folder: &Path, options: &str) -> MemifSpec {
    let spec = format!("{},{options}", folder.join("s").display());
    spec.parse().expect("parses")
}

fn open(spec: &MemifSpec) -> MemifPort {
    MemifPort::open(spec, 1500, 1).expect("opens").remove(0)
}

/// What the other end says next; `None`: it closed.
fn hear(channel: &Channel) -> Option<Message> {
    let start = Instant::now();
    loop {
        match channel.receive() {
            Arrived::Message(message, _) => return Some(message),
            Arrived::Gone => return None,
            Arrived::Wrong(refusal) => panic!("{refusal}"),
            Arrived::Nothing => assert!(start.elapsed() < LIMIT, "no answer"),
        }
        std::thread::yield_now();
    }
}

fn greeted(spec: &MemifSpec) -> Channel {
    let channel = Channel::connect(&address(spec).expect("an address")).expect("connects");
    assert!(matches!(hear(&channel), Some(Message::Hello(_))));
    channel
}

fn init() -> Init {
    let mut secret = [0; SECRET_OCTETS];
    secret[..4].copy_from_slice(b"hush");
    Init {
        version: VERSION,
        id: 3,
        ethernet: true,
        secret,
        name: "test".into(),
    }
}

fn ring() -> AddRing {
    AddRing {
        direction: Direction::SlaveToMaster,
        index: 0,
        region: 0,
        offset: 0,
        log2_size: 7,
    }
}

fn connected(port: &mut MemifPort, peer: &mut MemifPort) {
    let start = Instant::now();
    while !(port.is_connected() && peer.is_connected()) {
        for port in [&mut *port, &mut *peer] {
            port.rx_burst(0, &mut RxBurst::new());
        }
        assert!(start.elapsed() < LIMIT, "no connection");
        std::thread::yield_now();
    }
}

/// Says `messages` to a master, each with a memfd of 8192 octets where a descriptor is due; gives its last word.
fn dismissed(spec: &MemifSpec, messages: &[(Message, MemfdFlags)]) -> String {
    let channel = greeted(spec);
    for (message, flags) in messages {
        let file = memfd_create("test", *flags).expect("a memfd");
        ftruncate(&file, 8192).expect("sized");
        let due = matches!(message, Message::AddRegion { .. } | Message::AddRing(_));
        let passed = due.then_some(file.as_fd());
        channel.send(message, passed).expect("sent");
        match hear(&channel) {
            Some(Message::Ack) => {}
            Some(Message::Disconnect { reason }) => {
                assert_eq!(hear(&channel), None);
                return reason;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("all was taken");
}

#[test]
fn a_master_says_what_is_wrong_and_serves_the_next_slave() {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = |options| spec(folder.path(), options);
    let master = spec("id=3,secret=hush,ring=128");
    let mut port = open(&master);
    let sealed = MemfdFlags::ALLOW_SEALING;
    let say = |message| (message, sealed);
    let hello = say(Message::Init(init()));
    let region = say(Message::AddRegion {
        index: 0,
        octets: 8192,
    });
    let add = |ring| say(Message::AddRing(ring));
    let connect = say(Message::Connect { name: "x".into() });
    let unsealed = (region.0.clone(), MemfdFlags::empty());
    let long = say(Message::AddRegion {
        index: 0,
        octets: 8193,
    });
    let m2s = AddRing {
        direction: Direction::MasterToSlave,
        ..ring()
    };
    let both = [hello.clone(), region.clone(), add(ring()), add(m2s)];
    let at = |offset| add(AddRing { offset, ..ring() });
    for (messages, said) in [
        (
            vec![say(Message::Init(Init {
                version: 0x300,
                ..init()
            }))],
            "version 3.0",
        ),
        (
            vec![say(Message::Init(Init { id: 4, ..init() }))],
            "id 4 is not here, 3 is",
        ),
        (
            vec![say(Message::Init(Init {
                ethernet: false,
                ..init()
            }))],
            "Ethernet",
        ),
        (
            vec![say(Message::Init(Init {
                secret: [0; SECRET_OCTETS],
                ..init()
            }))],
            "secret",
        ),
        (vec![region.clone()], "before INIT"),
        (vec![hello.clone(), hello.clone()], "second INIT"),
        (
            vec![
                hello.clone(),
                say(Message::AddRegion {
                    index: 1,
                    octets: 1,
                }),
            ],
            "expected: 0",
        ),
        (
            vec![
                hello.clone(),
                add(AddRing {
                    log2_size: 8,
                    ..ring()
                }),
            ],
            "allowed: 1 << 1 to 1 << 7",
        ),
        (
            vec![hello.clone(), add(AddRing { index: 1, ..ring() })],
            "allowed: 0 to 0",
        ),
        (
            vec![hello.clone(), region.clone(), add(ring()), add(ring())],
            "each once",
        ),
        (
            vec![hello.clone(), connect.clone()],
            "ring of each direction",
        ),
        (
            vec![
                hello.clone(),
                unsealed,
                add(ring()),
                add(m2s),
                connect.clone(),
            ],
            "F_SEAL_SHRINK",
        ),
        (
            vec![hello.clone(), long, add(ring()), add(m2s), connect.clone()],
            "shorter than 8193",
        ),
        (
            vec![
                hello.clone(),
                region.clone(),
                at(8000),
                add(m2s),
                connect.clone(),
            ],
            "not inside",
        ),
        (
            vec![
                hello.clone(),
                region.clone(),
                at(4),
                add(m2s),
                connect.clone(),
            ],
            "multiple of 8",
        ),
        (
            [both.as_slice(), std::slice::from_ref(&connect)].concat(),
            "cookie",
        ),
        (vec![hello.clone(), say(Message::Ack)], "not expected"),
    ] {
        let reason = dismissed(&master, &messages);
        assert!(reason.contains(said), "{said}: {reason}");
    }
    let mut peer = open(&spec("role=slave,id=3,secret=hush"));
    connected(&mut port, &mut peer);
    let reason = dismissed(&master, &[hello]);
    assert!(reason.contains("already connected"), "{reason}");
    connected(&mut port, &mut peer);
}

#[test]
fn messages_of_another_size_or_without_descriptor_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let master = spec(folder.path(), "id=3,secret=hush");
    let _port = open(&master);
    for octets in [1, 127, 129, 4096] {
        let channel = greeted(&master);
        send(&channel, &vec![1; octets], SendFlags::empty()).expect("sent");
        let Some(Message::Disconnect { reason }) = hear(&channel) else {
            panic!("{octets} octets were taken");
        };
        assert!(reason.contains("has 128"), "{reason}");
    }
    let channel = greeted(&master);
    for message in [Message::Init(init()), Message::AddRing(ring())] {
        channel.send(&message, None).expect("sent");
    }
    assert_eq!(hear(&channel), Some(Message::Ack));
    assert!(matches!(hear(&channel), Some(Message::Disconnect { .. })));
}

#[test]
fn any_messages_are_survived_by_both_roles() {
    let folder = tempfile::tempdir().expect("a folder");
    let master = spec(folder.path(), "id=3,secret=hush");
    let mut port = open(&master);
    let message = || {
        let octets = proptest::collection::vec(any::<u8>(), MESSAGE_OCTETS);
        // Types that there are; the rest is anything.
        (0..10_u8, octets).prop_map(|(kind, mut octets)| {
            octets[..2].copy_from_slice(&u16::from(kind).to_ne_bytes());
            octets
        })
    };
    let mut runner = TestRunner::new(Config::with_cases(64));
    let talk = |channel: &Channel, said: &[Vec<u8>]| {
        for octets in said {
            if send(channel, octets, SendFlags::NOSIGNAL).is_err() {
                break;
            }
        }
    };
    let several = proptest::collection::vec(message(), 1..6);
    runner
        .run(&several, |said| {
            let channel = greeted(&master);
            channel.send(&Message::Init(init()), None).expect("sent");
            talk(&channel, &said);
            Ok(())
        })
        .expect("survived");
    let slave = spec(folder.path(), "role=slave,id=3,secret=hush");
    let mut peer = open(&slave);
    connected(&mut port, &mut peer);
    drop((port, peer));
    // The other way round: the test listens, slaves come.
    let listening = listener(&address(&master).expect("an address")).expect("listens");
    let mut peer = open(&slave);
    for said in [vec![2, 0], vec![1, 0], vec![7, 0], vec![9, 9], vec![8, 0]] {
        let start = Instant::now();
        let channel = loop {
            match Channel::accept(listening.as_fd()) {
                Ok(channel) => break channel,
                Err(_) => assert!(start.elapsed() < LIMIT, "the slave gave up"),
            }
            std::thread::yield_now();
        };
        let mut octets = said;
        octets.resize(MESSAGE_OCTETS, 0xff);
        talk(&channel, &[octets]);
        assert!(!peer.is_connected());
        drop(channel);
    }
    drop(listening);
    std::fs::remove_file(folder.path().join("s")).expect("removed");
    let mut port = open(&master);
    connected(&mut port, &mut peer);
}

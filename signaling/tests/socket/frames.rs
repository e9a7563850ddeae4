//! What goes over a connection.

use std::time::Duration;

use pinode_signaling::packet::frame::{self, Header};
use pinode_signaling::socket::{Error, Stream};
use pinode_signaling::{Peak, Qos};

use crate::bench::{self, PATIENCE, PATIENT, SDU, call};
use crate::script::daemon;

/// A time in which what is there already is received.
const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

#[test]
fn frames_are_numbered_and_gaps_counted() {
    if !bench::veth("frames_are_numbered_and_gaps_counted") {
        return;
    }
    let pvc = bench::pvc("near", 1_000_001);
    let (signaling, script) = daemon(move |mut daemon| {
        let vcc = daemon.connects(pvc);
        daemon.hears_close(vcc);
    });
    let stream = Stream::connect(&signaling, &call(2), PATIENT).unwrap();
    let far = bench::raw("far", 1_000_001);
    let mut octets = vec![0; 2000];
    for number in 1..=5u16 {
        let payload = vec![number as u8; usize::from(number) * 20];
        stream.send(&payload, PATIENT).unwrap();
        let length = far.receive_within(&mut octets, PATIENCE).unwrap().unwrap();
        let read = frame::read(&octets[..length]).unwrap();
        assert_eq!(read.header, Header::data(1_000_001, number));
        assert_eq!(read.payload, payload);
        assert_eq!(read.source, bench::raw("near", 16).mac());
    }

    let send = |sequence: u16, payload: &[u8]| {
        let mut octets = Vec::new();
        let header = Header::data(1_000_001, sequence);
        frame::write(far.mac(), header, payload, &mut octets);
        // As a link may.
        octets.resize(octets.len().max(60), 0);
        far.send(&octets).unwrap();
    };
    send(3, b"three");
    send(2, b"late");
    send(3, b"twice");
    // More than was granted, and something else: neither is handed on.
    send(4, &[4; SDU as usize + 1]);
    far.send(
        &[
            &[0xff; 12][..],
            &[0x88, 0x47],
            &[0xf4, 0x24, 0x10, 64],
            &[0x10; 50],
        ]
        .concat(),
    )
    .unwrap();
    send(5, &[5; SDU as usize]);
    let mut into = [0; SDU as usize];
    let received = stream.receive(&mut into, PATIENT).unwrap();
    assert_eq!(
        (&into[..received.octets], received.lost),
        (&b"three"[..], 2)
    );
    let received = stream.receive(&mut into, PATIENT).unwrap();
    assert_eq!((received.octets, received.lost), (SDU.into(), 1));
    let error = stream.receive(&mut into, AT_ONCE).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    drop(stream);
    script.join().unwrap();
}

#[test]
fn a_stream_receives_the_frames_of_its_label_alone() {
    if !bench::veth("a_stream_receives_the_frames_of_its_label_alone") {
        return;
    }
    let (one, other) = (bench::pvc("near", 17), bench::pvc("near", 19));
    let (signaling, script) = daemon(move |mut daemon| {
        let vccs = [one, other].map(|pvc| daemon.connects(pvc));
        for vcc in vccs {
            daemon.hears_close(vcc);
        }
    });
    let one = Stream::connect(&signaling, &call(2), PATIENT).unwrap();
    let other = Stream::connect(&signaling, &call(3), PATIENT).unwrap();
    let far = bench::raw("far", 17);
    let mut octets = Vec::new();
    for label in [17, 19, 1, 18] {
        frame::write(
            far.mac(),
            Header::data(label, 1),
            &[label as u8],
            &mut octets,
        );
        far.send(&octets).unwrap();
    }
    let mut into = [0; SDU as usize];
    for (stream, label) in [(&one, 17), (&other, 19)] {
        assert_eq!(stream.receive(&mut into, PATIENT).unwrap().octets, 1);
        assert_eq!(into[0], label);
        assert!(stream.receive(&mut into, AT_ONCE).is_err());
    }
    // Nothing of a stream comes back to it or to its neighbours.
    one.send(b"x", PATIENT).unwrap();
    far.receive_within(&mut [0; 100], PATIENCE)
        .unwrap()
        .unwrap();
    assert!(one.receive(&mut into, AT_ONCE).is_err());
    drop((one, other));
    script.join().unwrap();
}

#[test]
fn what_a_frame_does_not_carry_is_refused() {
    if !bench::veth("what_a_frame_does_not_carry_is_refused") {
        return;
    }
    let pvc = bench::pvc("near", 17);
    let (signaling, script) = daemon(move |mut daemon| {
        for _ in 0..2 {
            let vcc = daemon.connects(pvc);
            daemon.hears_close(vcc);
        }
    });
    let stream = Stream::connect(&signaling, &call(2), PATIENT).unwrap();
    let error = stream.send(&[0; SDU as usize + 1], PATIENT).unwrap_err();
    assert_eq!(
        error.to_string(),
        "101 octets for one frame; allowed on this connection: 100"
    );
    stream.send(&[0; SDU as usize], PATIENT).unwrap();
    let error = stream.receive(&mut [0; 99], PATIENT).unwrap_err();
    assert!(matches!(
        error,
        Error::Room {
            room: 99,
            needed: SDU
        }
    ));
    drop(stream);

    let mut one_way = call(2);
    one_way.qos = Qos {
        transmit: None,
        ..one_way.qos
    };
    let stream = Stream::connect(&signaling, &one_way, PATIENT).unwrap();
    let error = stream.send(b"", PATIENT).unwrap_err();
    assert!(matches!(error, Error::OneWay), "{error}");
    drop(stream);
    script.join().unwrap();
}

#[test]
fn a_frame_waits_for_its_turn() {
    if !bench::veth("a_frame_waits_for_its_turn") {
        return;
    }
    let pvc = bench::pvc("near", 17);
    let (signaling, script) = daemon(move |mut daemon| {
        let vcc = daemon.connects(pvc);
        daemon.hears_close(vcc);
    });
    let mut slow = call(2);
    if let Some(traffic) = &mut slow.qos.transmit {
        traffic.peak = Some(Peak::Bits(1));
    }
    let stream = Stream::connect(&signaling, &slow, PATIENT).unwrap();
    stream.send(b"now", PATIENT).unwrap();
    let error = stream
        .send(b"in minutes", Some(Duration::from_millis(5)))
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    drop(stream);
    script.join().unwrap();
}

#[test]
fn a_connection_has_nothing_of_the_one_before_it() {
    if !bench::veth("a_connection_has_nothing_of_the_one_before_it") {
        return;
    }
    let labels = [17, 19, 17, 17];
    let places = labels.map(|label| bench::pvc("near", label));
    let (signaling, script) = daemon(move |mut daemon| {
        for pvc in places {
            let vcc = daemon.connects(pvc);
            daemon.hears_close(vcc);
        }
    });
    let far = bench::raw("far", 16);
    let mut octets = Vec::new();
    let mut into = [0; SDU as usize];
    for (connection, label) in (0u8..).zip(labels) {
        let stream = Stream::connect(&signaling, &call(2), PATIENT).unwrap();
        let error = stream.receive(&mut into, AT_ONCE).unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
        // Two, of which one is left.
        for number in 1..=2 {
            frame::write(
                far.mac(),
                Header::data(label, number),
                &[connection],
                &mut octets,
            );
            far.send(&octets).unwrap();
        }
        let received = stream.receive(&mut into, PATIENT).unwrap();
        assert_eq!(
            (received.octets, received.lost, into[0]),
            (1, 0, connection)
        );
    }
    script.join().unwrap();
}

#[test]
fn the_kernel_lets_frames_of_one_label_and_without_tag_in() {
    if !bench::veth("the_kernel_lets_frames_of_one_label_and_without_tag_in") {
        return;
    }
    let (near, far) = (bench::raw("near", 17), bench::raw("far", 1));
    let send = |label: u32, payload: &[u8]| {
        let mut octets = Vec::new();
        frame::write(far.mac(), Header::data(label, 1), payload, &mut octets);
        far.send(&octets).unwrap();
        octets
    };
    let frame = send(17, b"first");
    send(16, b"another label");
    send(17 + (1 << 19), b"another label");
    // Behind an 802.1Q tag, of VLAN 5: another network's.
    let tag = [0x81, 0, 0, 5];
    far.send(&[&frame[..12], &tag, &frame[12..]].concat())
        .unwrap();
    // Cut within the label stack entry.
    far.send(&frame[..17]).unwrap();
    let last = send(17, b"last");
    let mut into = [0; 100];
    for expected in [&frame, &last] {
        let octets = near.receive_within(&mut into, PATIENCE).unwrap().unwrap();
        assert_eq!(into[..octets], expected[..]);
    }
    assert_eq!(near.receive(&mut into).unwrap(), None);

    // What came before it is shut is still there; nothing else comes.
    let before = send(17, b"before");
    let open = bench::raw("near", 18);
    bench::readable(&near);
    near.shut().unwrap();
    send(17, b"behind");
    // Frames come in order: what this one is behind has come, or will not.
    send(18, b"");
    bench::readable(&open);
    let octets = near.receive(&mut into).unwrap().unwrap();
    assert_eq!(into[..octets], before[..]);
    assert_eq!(near.receive(&mut into).unwrap(), None);
}

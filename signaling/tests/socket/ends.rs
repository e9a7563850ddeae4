//! How connections end.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pinode_signaling::isp::ErrorCode;
use pinode_signaling::isp::demon::Event;
use pinode_signaling::packet::frame::{self, Header};
use pinode_signaling::socket::{Error, Listener, Signaling, Stream};

use crate::bench::{self, PATIENT, SDU, call};
use crate::script::daemon;

#[test]
fn what_came_before_the_other_end_closed_is_received_first() {
    if !bench::veth("what_came_before_the_other_end_closed_is_received_first") {
        return;
    }
    let pvc = bench::pvc("near", 17);
    let (sent, was_sent) = mpsc::channel();
    let (signaling, script) = daemon(move |mut daemon| {
        let vcc = daemon.connects(pvc);
        was_sent.recv().unwrap();
        let close = daemon.demon.close(vcc, ErrorCode::new(-512 - 27));
        daemon.says(close);
        // Acknowledged by the library, not by whoever reads the stream.
        assert_eq!(daemon.hears(), Event::Gone { vcc });
        daemon.hears_the_end();
    });
    let stream = Stream::connect(&signaling, &call(2), PATIENT).unwrap();
    let far = bench::raw("far", 17);
    let mut octets = Vec::new();
    for sequence in 1..=3 {
        frame::write(far.mac(), Header::data(17, sequence), b"last", &mut octets);
        far.send(&octets).unwrap();
    }
    sent.send(()).unwrap();
    let mut into = [0; SDU as usize];
    for _ in 0..3 {
        let received = stream.receive(&mut into, PATIENT).unwrap();
        assert_eq!((received.octets, received.lost), (4, 0));
    }
    for _ in 0..2 {
        let error = stream.receive(&mut into, PATIENT).unwrap_err();
        assert!(
            matches!(error, Error::Closed { code: Some(_), .. }),
            "{error}"
        );
        let error = stream.send(b"too late", PATIENT).unwrap_err();
        assert!(
            matches!(error, Error::Closed { code: Some(_), .. }),
            "{error}"
        );
    }
    // What comes for the label's next connection is not this one's.
    let next = bench::raw("near", 17);
    frame::write(far.mac(), Header::data(17, 4), b"next", &mut octets);
    far.send(&octets).unwrap();
    bench::readable(&next);
    let error = stream.receive(&mut into, PATIENT).unwrap_err();
    assert!(matches!(error, Error::Closed { .. }), "{error}");
    drop((stream, signaling));
    script.join().unwrap();
}

#[test]
fn whoever_waits_learns_of_the_end() {
    if !bench::veth("whoever_waits_learns_of_the_end") {
        return;
    }
    let pvc = bench::pvc("near", 17);
    let (waits, waiting) = mpsc::channel::<()>();
    let (signaling, script) = daemon(move |mut daemon| {
        let vcc = daemon.connects(pvc);
        // Both have begun, or will find it ended.
        waiting.recv().unwrap();
        let close = daemon.demon.close(vcc, None);
        daemon.says(close);
        assert_eq!(daemon.hears(), Event::Gone { vcc });
    });
    let mut slow = call(2);
    // A frame in an hour and a half.
    slow.qos = bench::qos(1);
    if let Some(traffic) = &mut slow.qos.transmit {
        traffic.peak = Some(pinode_signaling::Peak::Bits(1));
    }
    let stream = Stream::connect(&signaling, &slow, PATIENT).unwrap();
    stream.send(b"first", PATIENT).unwrap();
    thread::scope(|scope| {
        let sender = scope.spawn(|| stream.send(b"second", None));
        let receiver = scope.spawn(|| stream.receive(&mut [0; SDU as usize], None));
        waits.send(()).unwrap();
        let error = sender.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Closed { code: None, .. }), "{error}");
        let error = receiver.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Closed { code: None, .. }), "{error}");
    });
    script.join().unwrap();
}

/// Everything says that the daemon is gone.
fn all_is_unavailable(signaling: &Signaling, stream: &Stream, listener: &Listener) {
    let is_unavailable = |error: Error| assert!(matches!(error, Error::Unavailable), "{error}");
    is_unavailable(stream.receive(&mut [0; SDU as usize], PATIENT).unwrap_err());
    is_unavailable(stream.send(b"x", PATIENT).unwrap_err());
    is_unavailable(listener.accept(PATIENT).unwrap_err());
    is_unavailable(Stream::connect(signaling, &call(2), PATIENT).unwrap_err());
    let (address, qos) = (bench::address(1), call(2).qos);
    is_unavailable(Listener::bind(signaling, address, qos, PATIENT).unwrap_err());
}

#[test]
fn a_daemon_that_dies_takes_all_with_it_at_once() {
    if !bench::veth("a_daemon_that_dies_takes_all_with_it_at_once") {
        return;
    }
    let pvc = bench::pvc("near", 17);
    let (signaling, script) = daemon(move |mut daemon| {
        daemon.listens();
        daemon.connects(pvc);
        daemon.hears_connect();
    });
    let (address, qos) = (bench::address(1), call(2).qos);
    let listener = Listener::bind(&signaling, address, qos, PATIENT).unwrap();
    let stream = Stream::connect(&signaling, &call(2), PATIENT).unwrap();
    let error = Stream::connect(&signaling, &call(3), PATIENT).unwrap_err();
    assert!(matches!(error, Error::Unavailable), "{error}");
    script.join().unwrap();
    all_is_unavailable(&signaling, &stream, &listener);
}

#[test]
fn a_daemon_that_breaks_the_protocol_is_as_good_as_dead() {
    let (signaling, script) = daemon(move |mut daemon| {
        daemon.hears_connect();
        daemon.says_octets(&[0xff; 150]);
        // Left, with what was asked.
        loop {
            let gone = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| daemon.hears()));
            if gone.is_err() {
                return;
            }
        }
    });
    let error = Stream::connect(&signaling, &call(2), PATIENT).unwrap_err();
    assert!(matches!(error, Error::Unavailable), "{error}");
    script.join().unwrap();
    let error = Stream::connect(&signaling, &call(2), Some(Duration::ZERO)).unwrap_err();
    assert!(matches!(error, Error::Unavailable), "{error}");
}

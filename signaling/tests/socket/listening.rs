//! How calls are accepted.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pinode_signaling::isp::demon::Event;
use pinode_signaling::isp::{ErrorCode, Sap};
use pinode_signaling::socket::{Error, Listener, Stream};

use crate::bench::{self, PATIENCE, PATIENT, SDU, call};
use crate::script::{Script, daemon};

impl Script {
    /// Hears that a call is accepted: which, by the number it was indicated with.
    fn accepts(&mut self) -> u64 {
        let Event::Accept { vcc, call, .. } = self.hears() else {
            panic!("no accept");
        };
        let okay = self.demon.okay_accept(vcc, bench::address(1));
        self.says(okay);
        call
    }
}

#[test]
fn calls_are_accepted_in_order_and_the_rest_rejected() {
    if !bench::veth("calls_are_accepted_in_order_and_the_rest_rejected") {
        return;
    }
    let places = [17, 19, 21].map(|label| bench::pvc("far", label));
    let (rejected, was_rejected) = mpsc::channel();
    let (signaling, script) = daemon(move |mut daemon| {
        let listen_vcc = daemon.listens();
        for (number, place) in (0..).zip(places) {
            let (qos, caller) = (call(1).qos, Sap::from(bench::address(10 + number)));
            let call = u64::from(number);
            let indicate = daemon.demon.indicate(listen_vcc, call, place, qos, caller);
            daemon.says(indicate);
        }
        assert_eq!((daemon.accepts(), daemon.accepts()), (0, 1));
        // De-registered, and then what was not accepted is rejected (3.8).
        daemon.hears_close(listen_vcc);
        assert!(matches!(daemon.hears(), Event::Reject { call: 2, .. }));
        rejected.send(()).unwrap();
        for _ in 0..2 {
            let Event::Close { vcc } = daemon.hears() else {
                panic!("no close");
            };
            let close = daemon.demon.close(vcc, None);
            daemon.says(close);
        }
        daemon.hears_the_end();
    });
    let (address, qos) = (bench::address(1), call(1).qos);
    let listener = Listener::bind(&signaling, address, qos, PATIENT).unwrap();
    assert_eq!(listener.local(), address);
    let accepted = [10, 11].map(|caller| {
        let stream = listener.accept(PATIENT).unwrap();
        assert_eq!(stream.peer(), bench::address(caller));
        assert_eq!(stream.local(), address);
        stream
    });
    assert_eq!(accepted.each_ref().map(Stream::pvc), places[..2]);
    drop(listener);
    // The listener is gone; what it accepted is not.
    accepted[0].send(b"still here", PATIENT).unwrap();
    was_rejected.recv_timeout(PATIENCE).unwrap();
    drop((accepted, signaling));
    script.join().unwrap();
}

#[test]
fn a_stream_crosses_a_link_both_ways() {
    const FRAMES: u32 = 500;
    if !bench::veth("a_stream_crosses_a_link_both_ways") {
        return;
    }
    let (near, far) = (bench::pvc("near", 17), bench::pvc("far", 17));
    let (signaling, script) = daemon(move |mut daemon| {
        let listen_vcc = daemon.listens();
        let caller = daemon.hears_connect();
        let (qos, svc) = (call(1).qos, Sap::from(bench::address(2)));
        let indicate = daemon.demon.indicate(listen_vcc, 7, far, qos.turned(), svc);
        daemon.says(indicate);
        assert_eq!(daemon.accepts(), 7);
        let okay = daemon
            .demon
            .okay_connect(caller, near, bench::address(2), qos);
        daemon.says(okay);
        // Whoever closes first, all ends.
        for _ in 0..3 {
            let Event::Close { vcc } = daemon.hears() else {
                panic!("no close");
            };
            let close = daemon.demon.close(vcc, None);
            daemon.says(close);
        }
        daemon.hears_the_end();
    });
    let (address, qos) = (bench::address(1), call(1).qos);
    let listener = Listener::bind(&signaling, address, qos, PATIENT).unwrap();
    let (caller, called) = thread::scope(|scope| {
        let called = scope.spawn(|| listener.accept(PATIENT).unwrap());
        let caller = Stream::connect(&signaling, &call(1), PATIENT).unwrap();
        (caller, called.join().unwrap())
    });
    thread::scope(|scope| {
        for (from, to) in [(&caller, &called), (&called, &caller)] {
            scope.spawn(move || {
                for number in 0..FRAMES {
                    from.send(&number.to_be_bytes(), PATIENT).unwrap();
                }
            });
            let mut into = [0; SDU as usize];
            for number in 0..FRAMES {
                let received = to.receive(&mut into, PATIENT).unwrap();
                assert_eq!(
                    (&into[..received.octets], received.lost),
                    (&number.to_be_bytes()[..], 0)
                );
            }
        }
    });
    drop((listener, caller, called, signaling));
    script.join().unwrap();
}

#[test]
fn an_address_that_is_refused_and_a_caller_that_gives_up() {
    if !bench::veth("an_address_that_is_refused_and_a_caller_that_gives_up") {
        return;
    }
    let far = bench::pvc("far", 17);
    let (signaling, script) = daemon(move |mut daemon| {
        let refused = ErrorCode::new(-98).unwrap();
        let Event::Bind { vcc, .. } = daemon.hears() else {
            panic!("no bind");
        };
        let error = daemon.demon.error(vcc, refused);
        daemon.says(error);
        let listen_vcc = daemon.listens();
        for number in 0..2 {
            let (qos, svc) = (call(1).qos, Sap::from(bench::address(2)));
            let indicate = daemon.demon.indicate(listen_vcc, number, far, qos, svc);
            daemon.says(indicate);
        }
        let Event::Accept { vcc, call: 0, .. } = daemon.hears() else {
            panic!("no accept");
        };
        let error = daemon.demon.error(vcc, ErrorCode::ABORTED);
        daemon.says(error);
        assert_eq!(daemon.accepts(), 1);
        assert!(matches!(daemon.hears(), Event::Close { .. }));
    });
    let (address, qos) = (bench::address(1), call(1).qos);
    let error = Listener::bind(&signaling, address, qos, PATIENT).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    let listener = Listener::bind(&signaling, address, qos, PATIENT).unwrap();
    let error = listener.accept(PATIENT).unwrap_err();
    assert!(matches!(error, Error::Refused { code, .. } if code == ErrorCode::ABORTED));
    let stream = listener.accept(PATIENT).unwrap();
    // No other waits.
    let error = listener.accept(Some(Duration::from_millis(5))).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    drop((stream, listener));
    script.join().unwrap();
}

#[test]
fn a_listener_that_was_given_up_is_closed_when_its_answer_comes() {
    let (gave_up, given_up) = mpsc::channel();
    let (signaling, script) = daemon(move |mut daemon| {
        let Event::Bind { vcc, svc, .. } = daemon.hears() else {
            panic!("no bind");
        };
        let okay = daemon.demon.okay_bind(vcc, svc);
        daemon.says(okay);
        let Event::Listen { vcc, .. } = daemon.hears() else {
            panic!("no listen");
        };
        given_up.recv().unwrap();
        let okay = daemon.demon.okay_listen(vcc);
        daemon.says(okay);
        // Not before the answer (3.7).
        daemon.hears_close(vcc);
    });
    let (address, qos) = (bench::address(1), call(1).qos);
    // Longer than the first answer takes.
    let error = Listener::bind(&signaling, address, qos, Some(Duration::from_secs(1))).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    gave_up.send(()).unwrap();
    script.join().unwrap();
}

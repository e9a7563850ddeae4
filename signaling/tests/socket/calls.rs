//! How calls begin, and how they do not.

use std::sync::mpsc;
use std::time::Duration;

use pinode_signaling::isp::demon::Event;
use pinode_signaling::isp::{ErrorCode, Words};
use pinode_signaling::packet::PacketError;
use pinode_signaling::socket::{Error, Signaling, Stream};

use crate::bench::{self, PATIENT, call};
use crate::script::daemon;

/// Long enough for a request to leave, and no longer than a test should take.
const SHORT: Option<Duration> = Some(Duration::from_millis(20));

fn code(number: i32) -> ErrorCode {
    ErrorCode::new(number).expect("a negative number")
}

#[test]
fn without_a_daemon_there_is_nothing_to_open() {
    let folder = tempfile::tempdir().unwrap();
    let error = Signaling::open(&folder.path().join("none.sock")).unwrap_err();
    assert!(matches!(error, Error::Open { .. }));
    assert!(error.to_string().contains("none.sock"), "{error}");
}

#[test]
fn a_connection_is_made_used_and_closed_by_this_end() {
    if !bench::veth("a_connection_is_made_used_and_closed_by_this_end") {
        return;
    }
    let pvc = bench::pvc("near", 17);
    let (signaling, script) = daemon(move |mut daemon| {
        let vcc = daemon.connects(pvc);
        daemon.hears_close(vcc);
        daemon.hears_the_end();
    });
    let stream = Stream::connect(&signaling, &call(2), PATIENT).unwrap();
    assert_eq!(stream.pvc(), pvc);
    assert_eq!(stream.local(), bench::address(1));
    assert_eq!(stream.peer(), bench::address(2));
    assert_eq!(stream.qos(), call(2).qos);
    // The last of both ends the connection to the daemon.
    drop(signaling);
    stream.close();
    script.join().unwrap();
}

#[test]
fn a_refused_call_says_why() {
    let (signaling, script) = daemon(|mut daemon| {
        for reply in [-111, -512 - 17] {
            let vcc = daemon.hears_connect();
            if reply == -512 - 17 {
                let words = Words::new(vcc, "port west: 1 Mb/s left").unwrap();
                daemon.says_octets(&words.encode());
            }
            let error = daemon.demon.error(vcc, code(reply));
            daemon.says(error);
        }
        daemon.hears_the_end();
    });
    let busy = "cause 17: user busy (port west: 1 Mb/s left)";
    for (reply, why) in [(-111, "Connection refused"), (-512 - 17, busy)] {
        let error = Stream::connect(&signaling, &call(2), PATIENT).unwrap_err();
        assert!(matches!(error, Error::Refused { code: found, .. } if found == code(reply)));
        assert!(error.to_string().contains(why), "{error}");
    }
    drop(signaling);
    script.join().unwrap();
}

#[test]
fn a_call_on_an_interface_that_is_not_here_is_closed_again() {
    let (signaling, script) = daemon(|mut daemon| {
        let mut nowhere = pinode_signaling::isp::Pvc {
            interface: u16::MAX,
            vn: 0,
            label: 17,
        };
        for interface in [0, u16::MAX] {
            nowhere.interface = interface;
            let vcc = daemon.connects(nowhere);
            daemon.hears_close(vcc);
        }
        daemon.hears_the_end();
    });
    for _ in 0..2 {
        let error = Stream::connect(&signaling, &call(2), PATIENT).unwrap_err();
        let Error::Packet(error) = error else {
            panic!("{error}");
        };
        // Who may not open packet sockets learns that before.
        let named = matches!(
            error,
            PacketError::NoInterface { .. } | PacketError::Refused { .. }
        );
        assert!(named, "{error}");
    }
    drop(signaling);
    script.join().unwrap();
}

#[test]
fn a_call_that_takes_too_long_is_given_up() {
    let (gave_up, given_up) = mpsc::channel();
    let (signaling, script) = daemon(move |mut daemon| {
        // Figure 9: the close crosses the okay.
        let vcc = daemon.hears_connect();
        given_up.recv().unwrap();
        let okay = {
            let nowhere = pinode_signaling::isp::Pvc {
                interface: 1,
                vn: 0,
                label: 17,
            };
            let qos = call(2).qos;
            daemon
                .demon
                .okay_connect(vcc, nowhere, bench::address(1), qos)
        };
        daemon.says(okay);
        daemon.hears_close(vcc);
        // Figure 10: the close crosses an error, and nobody answers it.
        let vcc = daemon.hears_connect();
        given_up.recv().unwrap();
        let error = daemon.demon.error(vcc, code(-111));
        daemon.says(error);
        assert_eq!(daemon.hears(), Event::Stray { vcc });
        daemon.hears_the_end();
    });
    for _ in 0..2 {
        let error = Stream::connect(&signaling, &call(2), SHORT).unwrap_err();
        assert!(matches!(error, Error::Timeout { .. }), "{error}");
        gave_up.send(()).unwrap();
    }
    drop(signaling);
    script.join().unwrap();
}

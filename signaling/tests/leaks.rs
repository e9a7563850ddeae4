//! Connections that come and go leave nothing behind: no descriptor, no thread, no state.
//!
//! A process of its own: what it counts is the whole process's. Must stay its only test.

#[path = "socket/bench.rs"]
#[allow(dead_code)] // The other tests' part.
mod bench;
#[path = "socket/script.rs"]
#[allow(dead_code)] // The other tests' part.
mod script;
#[path = "socket/unsafe_namespace.rs"]
#[allow(unsafe_code)] // unshare(2)
mod unsafe_namespace;

use std::fs;
use std::time::Instant;

use pinode_signaling::isp::ErrorCode;
use pinode_signaling::isp::demon::Event;
use pinode_signaling::socket::Stream;

use crate::bench::{PATIENCE, PATIENT, call};

const ROUNDS: u64 = 1000;

/// Descriptors and threads of this process.
fn counted() -> (usize, usize) {
    let count = |folder| fs::read_dir(folder).expect("procfs").count();
    (count("/proc/self/fd"), count("/proc/self/task"))
}

#[test]
fn connections_leave_nothing_behind() {
    if !bench::veth("connections_leave_nothing_behind") {
        return;
    }
    let pvc = bench::pvc("near", 17);
    let before = counted();
    let (signaling, script) = script::daemon(move |mut daemon| {
        for round in 0..ROUNDS {
            match round % 4 {
                // Closed from here, from there, refused.
                0 | 1 => {
                    let vcc = daemon.connects(pvc);
                    daemon.hears_close(vcc);
                }
                2 => {
                    let vcc = daemon.connects(pvc);
                    let close = daemon.demon.close(vcc, None);
                    daemon.says(close);
                    assert!(matches!(daemon.hears(), Event::Gone { .. }));
                }
                _ => {
                    let vcc = daemon.hears_connect();
                    let error = daemon.demon.error(vcc, ErrorCode::TOO_MANY);
                    daemon.says(error);
                }
            }
        }
        daemon.hears_the_end();
    });
    for round in 0..ROUNDS {
        let stream = Stream::connect(&signaling, &call(2), PATIENT);
        assert_eq!(stream.is_err(), round % 4 == 3);
    }
    drop(signaling);
    script.join().unwrap();
    // The thread that listened to the daemon ends by itself.
    let deadline = Instant::now() + PATIENCE;
    while counted() != before {
        assert!(
            Instant::now() < deadline,
            "{:?}, before: {before:?}",
            counted()
        );
        std::thread::yield_now();
    }
}

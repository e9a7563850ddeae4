//! What the tests share: a namespace with a veth pair, addresses, patience.
//!
//! A test that lacks a prerequisite says `skipped: NAME: why and how to get it` on stderr and passes, but fails where
//! CI=true or PINODE_REQUIRE=all.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use pinode_signaling::isp::Pvc;
use pinode_signaling::packet::frame::{self, Header};
use pinode_signaling::packet::{Interface, Socket};
use pinode_signaling::socket::Call;
use pinode_signaling::{Address, Class, Peak, Qos, Traffic};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::unsafe_namespace;

/// Longest that a test waits for anything.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The same, where it is an option.
pub const PATIENT: Option<Duration> = Some(PATIENCE);

/// Payload of the largest frame.
pub const SDU: u16 = 100;

fn required() -> bool {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|v| v == value);
    is("CI", "true") || is("PINODE_REQUIRE", "all")
}

fn skip(test: &str, why: &str) {
    let line = format!("skipped: {test}: {why}\n");
    assert!(!required(), "{line}");
    // Past the harness, which would keep the line of a test that passes.
    if let Ok(mut stderr) = std::fs::OpenOptions::new().write(true).open("/dev/stderr") {
        stderr
            .write_all(line.as_bytes())
            .expect("stderr takes a line");
    }
}

fn run(line: &str) {
    let mut words = line.split_whitespace();
    let program = words.next().expect("a command");
    let output = Command::new(program).args(words).output();
    let output = output.unwrap_or_else(|e| panic!("{line}: {e}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {text}");
}

/// Enters a namespace of the test's own with the veth pair `near` and `far`, both up and silent. False, and said so:
/// not possible here.
pub fn veth(test: &str) -> bool {
    if Command::new("ip").arg("-V").output().is_err() {
        skip(test, "no `ip` command; apt-get install iproute2");
        return false;
    }
    if let Err(error) = unsafe_namespace::enter_new() {
        let why = format!("cannot make a network namespace ({error}); run as root");
        skip(test, &why);
        return false;
    }
    run("ip link add near type veth peer name far");
    for end in ["near", "far"] {
        run(&format!("ip link set dev {end} addrgenmode none"));
        run(&format!("ip link set dev {end} up"));
    }
    carries("near", "far");
    carries("far", "near");
    true
}

/// Waits until frames pass: the kernel drops them without a word until it has noticed the carrier.
fn carries(from: &str, to: &str) {
    const PROBE: u32 = 15;
    let (from, to) = (raw(from, PROBE), raw(to, PROBE));
    let mut probe = Vec::new();
    frame::write(from.mac(), Header::data(PROBE, 0), &[], &mut probe);
    let deadline = Instant::now() + PATIENCE;
    let mut tries = std::iter::repeat_with(|| {
        assert!(
            Instant::now() < deadline,
            "no frame passed within {PATIENCE:?}"
        );
        from.send(&probe).expect("an interface that is up");
        let passed = to.receive_within(&mut [0; 100], Duration::from_millis(10));
        passed.expect("an interface that is up").is_some()
    });
    assert!(tries.any(|passed| passed));
}

/// A packet socket of the test's own.
pub fn raw(interface: &str, label: u32) -> Socket {
    Socket::open(&Interface::Name(interface.into()), label).expect("a packet socket")
}

/// Waits until a frame can be received.
pub fn readable(socket: &Socket) {
    let patience = Timespec::try_from(PATIENCE).expect("a short time");
    let mut polled = [PollFd::new(socket, PollFlags::IN)];
    let ready = poll(&mut polled, Some(&patience)).expect("poll");
    assert_eq!(ready, 1, "no frame within {PATIENCE:?}");
}

/// Where a connection is on an interface.
pub fn pvc(interface: &str, label: u32) -> Pvc {
    let index = raw(interface, label).interface();
    Pvc {
        interface: index.try_into().expect("a small index"),
        vn: 0,
        label,
    }
}

/// An address by its last octet.
pub fn address(last: u8) -> Address {
    let mut address = Address([0x47; 20]);
    address.0[19] = last;
    address
}

/// Both ways, as many frames a second.
pub fn qos(frames: u64) -> Qos {
    Qos::both(Traffic {
        class: Class::Cbr,
        peak: Some(Peak::Frames(frames)),
        cdvt_ns: 0,
        max_sdu: SDU,
    })
}

/// A call to an address by its last octet.
pub fn call(last: u8) -> Call {
    Call {
        called: address(last),
        local: None,
        qos: qos(10_000),
    }
}

//! The test bench: a namespace with a veth pair, a raw peer on its far end, frames to send.
//!
//! A test that lacks a prerequisite says `skipped: NAME: why and how to get it` on stderr and passes,
//! but fails where CI=true or PINODE_REQUIRE=all.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use pinode_ports::{BURST, Port, PortError, RxBurst, TxMeta, TxSlots};

use crate::unsafe_namespace;

/// Longest that a test waits for a frame.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// EtherType of test frames: what else appears on an interface (neighbour discovery) is not theirs.
pub const ETHERTYPE: [u8; 2] = [0x88, 0xb5];

fn required() -> bool {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|v| v == value);
    is("CI", "true") || is("PINODE_REQUIRE", "all")
}

/// Reports a missing prerequisite, past the capture of the test harness.
pub fn skip(test: &str, why: &str) {
    assert!(!required(), "{test} is required here: {why}");
    let line = format!("skipped: {test}: {why}\n");
    if let Ok(mut stderr) = std::fs::OpenOptions::new().write(true).open("/dev/stderr") {
        stderr
            .write_all(line.as_bytes())
            .expect("stderr takes a line");
    }
}

/// Runs a command, which must succeed.
pub fn run(line: &str) {
    let mut words = line.split_whitespace();
    let program = words.next().expect("a command");
    let output = Command::new(program).args(words).output();
    let output = output.unwrap_or_else(|e| panic!("{line}: {e}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {text}");
}

/// What a command prints.
pub fn output(line: &str) -> String {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().expect("a command"))
        .args(words)
        .output();
    String::from_utf8_lossy(&output.unwrap_or_else(|e| panic!("{line}: {e}")).stdout).into_owned()
}

/// Enters a namespace of the test's own. False, and said so: not possible here.
pub fn own_namespace(test: &str) -> bool {
    if Command::new("ip").arg("-V").output().is_err() {
        skip(test, "no `ip` command; apt-get install iproute2");
        return false;
    }
    if let Err(error) = unsafe_namespace::enter_new() {
        skip(
            test,
            &format!("cannot make a network namespace ({error}); run as root"),
        );
        return false;
    }
    true
}

/// Enters a namespace of the test's own with the veth pair `near` and `far`, both up, without IPv6.
pub fn veth(test: &str) -> bool {
    if !own_namespace(test) {
        return false;
    }
    run("ip link add near type veth peer name far");
    run("ip link set dev near addrgenmode none");
    run("ip link set dev far addrgenmode none");
    run("ip link set dev far up");
    true
}

/// A test frame: number, then a pattern of it; `octets` without FCS.
pub fn frame(number: u32, octets: usize) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2];
    frame.extend(ETHERTYPE);
    frame.extend(number.to_be_bytes());
    frame.extend(
        (frame.len()..octets).map(|i| (i as u32).wrapping_mul(31).wrapping_add(number) as u8),
    );
    frame
}

/// Sends frames through a port, in bursts, waiting where it is full; polls as a worker does.
pub fn send_all(port: &mut dyn Port, frames: &[Vec<u8>]) {
    let deadline = Instant::now() + PATIENCE;
    let mut left = frames;
    while !left.is_empty() {
        assert!(
            Instant::now() < deadline,
            "{} frames were not taken",
            left.len()
        );
        let (offered, taken) = offer(port, left);
        assert_eq!(taken, offered);
        left = &left[taken..];
        if taken == 0 {
            port.rx_burst(0, &mut RxBurst::new());
        }
    }
}

/// Offers one burst of frames. Returns how many had a slot, and how many the port took.
pub fn offer(port: &mut dyn Port, frames: &[Vec<u8>]) -> (usize, usize) {
    let mut slots = TxSlots::new();
    port.tx_slots(frames.len().min(BURST), &mut slots);
    let mut metas = Vec::new();
    for (slot, frame) in slots.iter_mut().zip(frames) {
        slot[..frame.len()].copy_from_slice(frame);
        metas.push(TxMeta {
            len: frame.len() as u16,
            start_ns: 0,
        });
    }
    drop(slots);
    (metas.len(), port.tx_commit(&metas))
}

/// Breaks the link under load by `down`: nothing is counted as taken from then on, or it is counted as
/// lost. With `up`, frames pass again; nothing that was refused arrives, and nothing arrives twice.
pub fn link_breaks(near: &mut dyn Port, far: &mut dyn Port, down: &str, up: Option<&str>) {
    let burst = |first: u32| -> Vec<_> { (first..first + 50).map(|n| frame(n, 75)).collect() };
    let before: Vec<_> = (0..4).flat_map(|i| burst(i * 50)).collect();
    for frames in before.chunks(50) {
        assert_eq!(offer(near, frames), (50, 50));
        near.rx_burst(0, &mut RxBurst::new());
    }
    let mut arrived = receive_all(far, before.len());
    run(down);
    // More than any queue of a port holds. Whoever says that it is full loses nothing, and may be asked
    // again: the system learns of a lost carrier a little later.
    let (mut offered, mut taken, lost_before) = (0, 0, near.tx_lost());
    let deadline = Instant::now() + PATIENCE;
    while offered < 5000 || taken as u64 != near.tx_lost() - lost_before {
        let lost = near.tx_lost() - lost_before;
        assert!(
            Instant::now() < deadline,
            "{offered} offered, {taken} taken, {lost} lost later"
        );
        if offered < 5000 {
            let (had_slot, took) = offer(near, &burst(1000 + offered as u32));
            offered += had_slot;
            taken += took;
        }
        near.rx_burst(0, &mut RxBurst::new());
    }
    if let Some(up) = up {
        run(up);
        // The other end's carrier may follow a little later.
        let deadline = Instant::now() + PATIENCE;
        let mut number = 100_000;
        while arrived.len() == before.len() {
            assert!(Instant::now() < deadline, "no frame passes again");
            offer(near, &[frame(number, 75)]);
            near.rx_burst(0, &mut RxBurst::new());
            arrived.extend(receive(far));
            number += 1;
        }
        assert_eq!(arrived[..before.len()], before);
        let number = |f: &Vec<u8>| u32::from_be_bytes([f[14], f[15], f[16], f[17]]);
        let after: Vec<_> = arrived[before.len()..].iter().map(number).collect();
        let fresh = after.iter().all(|number| *number >= 100_000);
        assert!(
            fresh && after.is_sorted_by(|a, b| a < b),
            "refused or twice: {after:?}"
        );
    }
}

/// One burst of test frames.
pub fn receive(port: &mut dyn Port) -> Vec<Vec<u8>> {
    let mut burst = RxBurst::new();
    port.rx_burst(0, &mut burst);
    let ours = |frame: &&&[u8]| frame.get(12..14) == Some(&ETHERTYPE);
    burst
        .iter()
        .filter(ours)
        .map(|frame| frame.to_vec())
        .collect()
}

/// Receives until `count` test frames are there.
pub fn receive_all(port: &mut dyn Port, count: usize) -> Vec<Vec<u8>> {
    let deadline = Instant::now() + PATIENCE;
    let mut frames = Vec::new();
    while frames.len() < count {
        assert!(
            Instant::now() < deadline,
            "{} of {count} frames arrived",
            frames.len()
        );
        frames.extend(receive(port));
    }
    frames
}

/// Every size from 60 to 1514 octets, both ways between two ports, byte for byte and in order.
pub fn all_sizes_both_ways(a: &mut dyn Port, b: &mut dyn Port) {
    let frames: Vec<_> = (60..=1514)
        .map(|octets| frame(octets as u32, octets))
        .collect();
    for chunk in frames.chunks(48) {
        send_all(a, chunk);
        assert_eq!(receive_all(b, chunk.len()), chunk);
        send_all(b, chunk);
        assert_eq!(receive_all(a, chunk.len()), chunk);
    }
}

/// `count` frames of 75 octets at `per_ms` frames a millisecond, from one port to the other: none is lost.
pub fn moderate_rate(from: &mut dyn Port, to: &mut dyn Port, count: u32, per_ms: u32) {
    let begin = Instant::now();
    let (mut sent, mut got) = (0, Vec::new());
    while (got.len() as u32) < count {
        assert!(
            begin.elapsed() < PATIENCE * 3,
            "{} of {count} frames arrived",
            got.len()
        );
        let due = (begin.elapsed().as_micros() as u64 * u64::from(per_ms) / 1000) as u32;
        let burst: Vec<_> = (sent..due.min(count).min(sent + 32))
            .map(|n| frame(n, 75))
            .collect();
        send_all(from, &burst);
        sent += burst.len() as u32;
        from.rx_burst(0, &mut RxBurst::new());
        got.extend(receive(to));
    }
    for (number, got) in got.iter().enumerate() {
        assert_eq!(*got, frame(number as u32, 75));
    }
    assert_eq!((to.missed(), from.tx_lost()), (0, 0));
}

/// Waits until an interface has no XDP program and is not promiscuous. A command that another test starts meanwhile holds the
/// descriptors of this process until it has become that command.
pub fn program_goes(interface: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let link = output(&format!("ip -details link show dev {interface}"));
        let program = link.contains("xdp id") || link.contains("prog/xdp");
        if !program && link.contains("promiscuity 0") {
            return;
        }
        assert!(Instant::now() < deadline, "{link}");
    }
}

/// The one port of an interface that was opened for one.
pub fn one<P>(opened: Result<Vec<P>, PortError>) -> Result<P, PortError> {
    opened.map(|mut ports| {
        assert_eq!(ports.len(), 1);
        ports.remove(0)
    })
}

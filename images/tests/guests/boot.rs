//! Boot: both protocols, what is said on the way, and how long it takes.

use std::time::Duration;

use pinode_vmm::{BootProtocol, MachineEvent};

use crate::node::{Node, PATCH, PATIENCE, config, kvm};

/// A restart may take 50 ms in all. The quickest of a few boots counts: other tests run meanwhile.
const BOOT_MOST: Duration = Duration::from_millis(50);
const BOOTS: usize = 20;

fn image() -> &'static [u8] {
    pinode_images::builtin("patch").unwrap()
}

fn boots(test: &str, protocol: BootProtocol) {
    let Some(host) = kvm(test) else { return };
    let mut quickest = PATIENCE;
    for _ in 0..BOOTS {
        let mut node = Node::boot(&host, config(image(), protocol, 1));
        let returned = node.booted.elapsed();
        node.machine.control().send_line(PATCH).unwrap();
        node.line(r#"{"hello":{"abi":1}}"#);
        let hello = node.booted.elapsed();
        node.line(r#"{"ready":{}}"#);
        let took = node.booted.elapsed();
        let console = String::from_utf8(node.machine.console().tail()).unwrap();
        assert!(
            console.contains("patch: forwarding on 2 vifs"),
            "console: {console}"
        );
        node.machine.stop();
        if took < quickest {
            quickest = took;
            eprintln!("{test}: machine {returned:?}, hello {hello:?}, ready {took:?}");
        }
        if quickest < BOOT_MOST {
            return;
        }
    }
    panic!("the quickest of {BOOTS} boots took {quickest:?}; {BOOT_MOST:?} is the most");
}

#[test]
fn boots_by_pvh() {
    boots("boots_by_pvh", BootProtocol::Pvh);
}

#[test]
fn boots_by_linux64() {
    boots("boots_by_linux64", BootProtocol::Linux64);
}

#[test]
fn answers_pings_and_says_what_it_does() {
    let Some(host) = kvm("answers_pings_and_says_what_it_does") else {
        return;
    };
    let mut node = Node::ready(&host, image(), BootProtocol::Auto);
    for number in [1, 7, u64::MAX] {
        node.machine
            .control()
            .send_line(&format!(r#"{{"ping":{number}}}"#))
            .unwrap();
        node.line(&format!(r#"{{"pong":{number}}}"#));
        let usage = node.any_line();
        assert!(
            usage.starts_with(r#"{"usage":{"up_ns":"#) && usage.contains(r#","busy_ns":"#),
            "{usage}"
        );
    }
    node.machine.control().send_line("nonsense").unwrap();
    let error = node.any_line();
    assert!(
        error.starts_with(r#"{"error":"line not understood"#),
        "{error}"
    );
}

#[test]
fn says_why_it_refuses_a_configuration() {
    let Some(host) = kvm("says_why_it_refuses_a_configuration") else {
        return;
    };
    let mut node = Node::boot(&host, config(image(), BootProtocol::Auto, 1));
    node.machine
        .control()
        .send_line(&PATCH.replace(r#""pi":{}"#, r#""pi":{"x":1}"#))
        .unwrap();
    node.line(r#"{"hello":{"abi":1}}"#);
    node.line(r#"{"error":"patch has nothing to configure; unknown key 'x'"}"#);
}

#[test]
fn runs_with_the_least_memory() {
    let Some(host) = kvm("runs_with_the_least_memory") else {
        return;
    };
    let mut small = config(image(), BootProtocol::Auto, 1);
    small.memory = 6 << 20;
    let mut node = Node::boot(&host, small);
    node.machine.control().send_line(PATCH).unwrap();
    node.line(r#"{"hello":{"abi":1}}"#);
    node.line(r#"{"ready":{}}"#);
    assert!(node.give(0, 0, &[7; 60]));
    assert_eq!(node.await_frames(1, 0), [[7; 60]]);
}

#[test]
fn too_little_memory_is_said() {
    let Some(host) = kvm("too_little_memory_is_said") else {
        return;
    };
    let mut small = config(image(), BootProtocol::Auto, 1);
    small.memory = pinode_vmm::LEAST_MEMORY;
    let mut node = Node::boot(&host, small);
    // Two bursts of 64 frames this large do not fit.
    node.machine
        .control()
        .send_line(&PATCH.replace("1500", "9000"))
        .unwrap();
    node.line(r#"{"hello":{"abi":1}}"#);
    match node.event() {
        MachineEvent::Control(line) => {
            assert!(line.contains("guest memory is too small"), "{line}")
        }
        event => panic!("{event:?}"),
    }
}

#[test]
fn many_restarts_leave_nothing_behind() {
    let Some(host) = kvm("many_restarts_leave_nothing_behind") else {
        return;
    };
    let files = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    Node::ready(&host, image(), BootProtocol::Auto)
        .machine
        .stop();
    let before = files();
    for _ in 0..10 {
        let mut node = Node::ready(&host, image(), BootProtocol::Auto);
        assert!(node.give(0, 0, &[1; 60]));
        node.await_frames(1, 0);
        node.machine.stop();
    }
    // Other tests of this process open and close files meanwhile.
    assert!(
        files() < before + 100,
        "{} files open, {before} before",
        files()
    );
}

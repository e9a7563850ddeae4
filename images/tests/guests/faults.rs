//! Guests that misbehave: what the host is told.

use std::time::{Duration, Instant};

use pinode_virtqueue::{QueueError, Refused};
use pinode_vmm::{BootProtocol, FaultKind};

use crate::node::{Node, PATIENCE, config, kvm};

fn hostile(test: &str, name: &str) -> Option<Node> {
    let host = kvm(test)?;
    Some(Node::ready(
        &host,
        pinode_images::hostile(name).unwrap(),
        BootProtocol::Auto,
    ))
}

/// Sends frames one by one until `enough`, which is asked after each. At most 1,000 come back.
fn provoke(node: &mut Node, frames: u32) {
    for _ in 0..frames {
        assert!(node.give(0, 0, &[1; 60]));
        assert_eq!(node.await_frames(1, 0), [[1; 60]]);
    }
    assert!(node.give(0, 0, &[1; 60]));
}

#[test]
fn a_fault_is_reported_with_vector_and_address() {
    let Some(mut node) = hostile("a_fault_is_reported_with_vector_and_address", "fault") else {
        return;
    };
    provoke(&mut node, 999);
    let report = node.fault();
    let record = report.record.as_ref().expect("a record");
    assert_eq!(
        (record.kind, record.vector, record.cr2),
        (FaultKind::Exception, 14, 0)
    );
    // A write (bit 1) by the program (bit 2) to a page that is not there (bit 0 clear).
    assert_eq!(record.error, 0b110);
    assert!(
        (0x20_0000..0x40_0000).contains(&record.rip),
        "{:#x}",
        record.rip
    );
    assert!(
        (0x1c_0000..0x20_0000).contains(&record.rsp),
        "{:#x}",
        record.rsp
    );
    let text = report.to_string();
    assert!(text.contains("hostile: forwarding on 2 vifs"), "{text}");
}

#[test]
fn a_panic_is_reported_with_its_message() {
    let Some(mut node) = hostile("a_panic_is_reported_with_its_message", "panics") else {
        return;
    };
    provoke(&mut node, 999);
    let report = node.fault();
    let record = report.record.as_ref().expect("a record");
    assert_eq!(record.kind, FaultKind::Panic);
    assert!(
        record.message.contains("enough frames"),
        "{}",
        record.message
    );
    assert!(record.message.contains("panics.rs"), "{}", record.message);
    assert!(report.to_string().contains("enough frames"), "{report}");
}

#[test]
fn a_hang_is_silence_and_can_be_stopped() {
    let Some(mut node) = hostile("a_hang_is_silence_and_can_be_stopped", "hang") else {
        return;
    };
    provoke(&mut node, 999);
    std::thread::sleep(Duration::from_millis(20));
    assert!(node.take(1, 0).is_empty());
    assert!(!node.pairs[0][0].receive.driver_idle(), "it does not sleep");
    let since = Instant::now();
    node.machine.stop();
    assert!(since.elapsed() < PATIENCE);
}

#[test]
fn garbage_in_the_rings_is_an_error_of_the_queue() {
    let Some(mut node) = hostile("garbage_in_the_rings_is_an_error_of_the_queue", "garbage") else {
        return;
    };
    provoke(&mut node, 999);
    let since = Instant::now();
    let broken = |node: &mut Node| -> Option<QueueError> {
        for pair in node.pairs.iter_mut().flatten() {
            match pair.receive.deliver(&[], &[1; 60]) {
                Err(Refused::Broken(error)) => return Some(error),
                Ok(()) => pair.receive.publish(),
                Err(Refused::Full) => {}
            }
            if let Err(error) = pair.transmit.harvest(64, |_| {}) {
                return Some(error);
            }
        }
        None
    };
    while broken(&mut node).is_none() {
        assert!(since.elapsed() < PATIENCE, "the garbage went unnoticed");
    }
    node.machine.stop();
}

#[test]
fn a_silent_guest_says_nothing_and_can_be_stopped() {
    let Some(host) = kvm("a_silent_guest_says_nothing_and_can_be_stopped") else {
        return;
    };
    let image = pinode_images::hostile("silent").unwrap();
    let mut node = Node::boot(&host, config(image, BootProtocol::Auto, 1));
    node.machine.control().send_line(r#"{"ping":1}"#).unwrap();
    assert!(node.quiet(Duration::from_millis(200)));
    node.machine.stop();
}

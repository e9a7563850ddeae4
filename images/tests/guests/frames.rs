//! Frames through the patch image in a virtual machine, its sleep, and what wakes it.

use std::time::{Duration, Instant};

use pinode_vmm::BootProtocol;

use crate::node::{Node, PATCH, PATIENCE, config, kvm};

fn ready(test: &str) -> Option<Node> {
    let host = kvm(test)?;
    Some(Node::ready(
        &host,
        pinode_images::builtin("patch").unwrap(),
        BootProtocol::Auto,
    ))
}

fn frame(octets: usize) -> Vec<u8> {
    (0..octets).map(|at| (at * 7 + octets) as u8).collect()
}

#[test]
fn every_size_crosses_byte_for_byte_both_ways() {
    let Some(mut node) = ready("every_size_crosses_byte_for_byte_both_ways") else {
        return;
    };
    for octets in 60..=1514 {
        let vif = octets % 2;
        assert!(node.give(vif, 0, &frame(octets)));
        assert_eq!(node.await_frames(1 - vif, 0), [frame(octets)]);
    }
    node.machine.stop();
}

#[test]
fn many_frames_cross_in_order_and_none_is_lost() {
    const FRAMES: u32 = 300_000;
    let Some(mut node) = ready("many_frames_cross_in_order_and_none_is_lost") else {
        return;
    };
    let (mut sent, mut received) = (0u32, 0u32);
    let mut progress = Instant::now();
    while received < FRAMES {
        let mut octets = [0u8; 60];
        octets[..4].copy_from_slice(&sent.to_le_bytes());
        if sent < FRAMES && node.give(0, 0, &octets) {
            sent += 1;
        }
        for octets in node.take(1, 0) {
            assert_eq!(octets[..4], received.to_le_bytes());
            received += 1;
            progress = Instant::now();
        }
        assert!(
            progress.elapsed() < PATIENCE,
            "stuck: {sent} sent, {received} received"
        );
    }
}

#[test]
fn a_lone_frame_wakes_it_a_thousand_times() {
    let Some(mut node) = ready("a_lone_frame_wakes_it_a_thousand_times") else {
        return;
    };
    let mut waited = Duration::ZERO;
    let mut wakes = 0;
    for round in 0u64..1000 {
        // From not at all, to long enough to be asleep for sure: the moments in between are what matters.
        let pause = Duration::from_nanos(round * 7919 % 200_000);
        let since = Instant::now();
        while since.elapsed() < pause {
            std::hint::spin_loop();
        }
        let asleep = node.pairs[0][0].receive.driver_idle();
        wakes += u32::from(asleep);
        let since = Instant::now();
        assert!(node.give(0, 0, &[5; 60]));
        assert_eq!(node.await_frames(1, 0), [[5; 60]]);
        waited += since.elapsed();
    }
    eprintln!(
        "a lone frame: {:?} on average, asleep {wakes} of 1000 times",
        waited / 1000
    );
    assert!(wakes > 100, "it slept only {wakes} times");
}

/// Time the vCPU's thread has run, in the kernel's ticks of 10 ms.
fn vcpu_ticks(name: &str) -> u64 {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        let comm = std::fs::read_to_string(task.join("comm")).unwrap_or_default();
        if comm.trim() == name {
            let stat = std::fs::read_to_string(task.join("stat")).unwrap();
            // Behind the name in brackets: state is field 3; utime and stime are 14 and 15 (proc(5)).
            let fields: Vec<&str> = stat
                .rsplit(')')
                .next()
                .unwrap()
                .split_whitespace()
                .collect();
            return fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        }
    }
    panic!("no thread {name}");
}

#[test]
fn idle_uses_no_cpu() {
    let Some(host) = kvm("idle_uses_no_cpu") else {
        return;
    };
    let mut quiet = config(
        pinode_images::builtin("patch").unwrap(),
        BootProtocol::Auto,
        1,
    );
    quiet.name = "quiet".into();
    let mut node = Node::boot(&host, quiet);
    node.machine.control().send_line(PATCH).unwrap();
    node.line(r#"{"hello":{"abi":1}}"#);
    node.line(r#"{"ready":{}}"#);
    let before = vcpu_ticks("vcpu-quiet-0");
    std::thread::sleep(Duration::from_secs(1));
    let used = vcpu_ticks("vcpu-quiet-0") - before;
    assert!(used < 5, "{used} ticks of 10 ms in an idle second");
    // And it is still there.
    assert!(node.give(0, 0, &[5; 60]));
    assert_eq!(node.await_frames(1, 0), [[5; 60]]);
}

#[test]
fn every_queue_pair_carries_frames() {
    let Some(host) = kvm("every_queue_pair_carries_frames") else {
        return;
    };
    let image = pinode_images::builtin("patch").unwrap();
    let mut node = Node::boot(&host, config(image, BootProtocol::Auto, 3));
    node.machine.control().send_line(PATCH).unwrap();
    node.line(r#"{"hello":{"abi":1}}"#);
    node.line(r#"{"ready":{}}"#);
    assert_eq!(node.pairs.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3]);
    for (vif, pair) in (0..300).map(|n| (n % 2, n % 3)) {
        assert!(node.pairs[vif][pair].is_active());
        assert!(node.give(vif, pair, &frame(60 + pair)));
        assert_eq!(node.await_frames(1 - vif, pair), [frame(60 + pair)]);
    }
}

#[test]
fn frames_held_back_come_out_when_there_is_room() {
    let Some(mut node) = ready("frames_held_back_come_out_when_there_is_room") else {
        return;
    };
    let (mut given, mut refused) = (0u32, Instant::now());
    while refused.elapsed() < Duration::from_millis(50) {
        let mut octets = [0u8; 60];
        octets[..4].copy_from_slice(&given.to_le_bytes());
        if node.give(0, 0, &octets) {
            given += 1;
            refused = Instant::now();
        }
    }
    assert!(given > 2 * 250, "{given} frames held");
    let mut received = 0u32;
    while received < given {
        for octets in node.await_frames(1, 0) {
            assert_eq!(octets[..4], received.to_le_bytes());
            received += 1;
        }
    }
}

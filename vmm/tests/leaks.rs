//! Nothing is left behind: one test alone in its process, since it counts the process's descriptors and threads.

mod guest;

use std::fs;

use guest::{Image, Step, kvm, next};
use pinode_vmm::{KvmHost, Machine, MachineConfig, MachineEvent, NetConfig};

const ROUNDS: usize = 50;

fn entries(directory: &str) -> usize {
    fs::read_dir(directory).unwrap().count()
}

fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count()
}

fn round(host: &KvmHost, number: usize) {
    // A third panics, a third halts, a third spins; the odd ones stop before they ran at all.
    let steps = [vec![Step::Out(0x505, 1)], vec![], vec![Step::Spin]];
    let image = Image::of(&steps[number % 3]).with_msi();
    let net = NetConfig {
        mac: [2, 0, 0, 0, 0, 1],
        mtu: 1500,
        queue_pairs: 2,
        queue_size: 64,
    };
    let config = MachineConfig {
        memory: 8 << 20,
        vcpus: 1 + (number % 2) as u8,
        nets: vec![net; 2],
        ..image.config("leak")
    };
    let (sink, events) = guest::events();
    let machine = Machine::boot(host, config, sink).unwrap();
    if number.is_multiple_of(6) {
        assert!(matches!(next(&events), MachineEvent::Fault(_)));
    }
    machine.stop();
}

#[test]
fn nothing_is_left_after_fifty_machines() {
    let Some(host) = kvm("nothing_is_left_after_fifty_machines") else {
        return;
    };
    // The first rounds settle what a process keeps for good (allocator arenas, thread stacks).
    (0..6).for_each(|number| round(&host, number));
    let before = (entries("/proc/self/fd"), entries("/proc/self/task"));
    let mapped = mappings();
    (0..ROUNDS).for_each(|number| round(&host, number));
    let after = (entries("/proc/self/fd"), entries("/proc/self/task"));
    assert_eq!(after, before, "descriptors and threads");
    assert!(
        mappings() <= mapped + 16,
        "{mapped} mappings became {}",
        mappings()
    );
}

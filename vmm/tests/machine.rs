//! Machines on the real KVM: boot by both protocols, console, faults, stop, leaks.

mod guest;

use std::time::{Duration, Instant};

use guest::{Image, PATIENCE, RECORD, Step, kvm, next, record, say};
use pinode_vmm::{BootProtocol, FaultKind, Machine, MachineEvent, StopReason};

/// `hvm_start_info` magic as the PVH guest prints it.
const START_MAGIC: [u8; 4] = 0x336e_c578_u32.to_le_bytes();

fn pvh_image() -> Image {
    let mut image = Image {
        segments: vec![(guest::CODE, guest::PVH_GUEST.to_vec())],
        notes: vec![],
    };
    image.notes.push(("Xen", 18, guest::CODE as u32));
    image.with(RECORD, &record(1, "the end"))
}

#[test]
fn a_linux64_guest_prints_and_panics() {
    let Some(host) = kvm("a_linux64_guest_prints_and_panics") else {
        return;
    };
    let mut steps = say("hello\n");
    steps.push(Step::Out(0x505, 1));
    let image = Image::of(&steps).with(RECORD, &record(0, "page fault"));
    let (sink, events) = guest::events();
    let machine = Machine::boot(&host, image.config("linux64"), sink).unwrap();
    let MachineEvent::Fault(report) = next(&events) else {
        panic!("no fault")
    };
    assert_eq!(report.machine, "linux64");
    assert_eq!(report.console_tail, "hello");
    let found = report.record.as_ref().unwrap();
    assert_eq!((found.kind, found.vector), (FaultKind::Exception, 1));
    assert_eq!(found.message, "page fault");
    assert_eq!(report.registers.unwrap().rdi, RECORD);
    assert_eq!(machine.console().tail(), b"hello\n");
    assert_eq!(machine.memory_octets(), 32 << 20);
    machine.stop();
    assert!(events.try_recv().is_err());
}

#[test]
fn a_pvh_guest_finds_its_start_info_and_command_line() {
    let Some(host) = kvm("a_pvh_guest_finds_its_start_info_and_command_line") else {
        return;
    };
    let mut config = pvh_image().config("pvh");
    config.cmdline = "greeting=hi".into();
    config.boot = BootProtocol::Pvh;
    let (sink, events) = guest::events();
    let machine = Machine::boot(&host, config, sink).unwrap();
    let MachineEvent::Fault(report) = next(&events) else {
        panic!("no fault")
    };
    let printed = machine.console().tail();
    assert_eq!(printed[..4], START_MAGIC, "{report}");
    let line = String::from_utf8_lossy(&printed[4..]);
    assert_eq!(line, "virtio_mmio.device=0x1000@0xd0000000:5 greeting=hi");
    assert_eq!(report.record.unwrap().message, "the end");
    machine.stop();
}

#[test]
fn a_triple_fault_is_reported_with_registers() {
    let Some(host) = kvm("a_triple_fault_is_reported_with_registers") else {
        return;
    };
    let mut steps = say("last words\n");
    steps.push(Step::TripleFault);
    let (sink, events) = guest::events();
    let machine = Machine::boot(&host, Image::of(&steps).config("triple"), sink).unwrap();
    let MachineEvent::Fault(report) = next(&events) else {
        panic!("no fault")
    };
    assert!(report.what.contains("triple fault"), "{report}");
    assert!(report.registers.is_some() && report.record.is_none());
    assert_eq!(report.console_tail, "last words");
    machine.stop();
}

#[test]
fn a_guest_ends_itself() {
    let Some(host) = kvm("a_guest_ends_itself") else {
        return;
    };
    for (port, value, expected) in [
        (0x600, 0x34, StopReason::Shutdown),
        (0x64, 0xfe, StopReason::Reset),
    ] {
        let (sink, events) = guest::events();
        let image = Image::of(&[Step::Out(port, value)]);
        let machine = Machine::boot(&host, image.config("ends"), sink).unwrap();
        match next(&events) {
            MachineEvent::Stopped(reason) => assert_eq!(reason, expected),
            other => panic!("{other:?}"),
        }
        machine.stop();
    }
}

#[test]
fn stop_is_quick_whatever_the_guest_does() {
    let Some(host) = kvm("stop_is_quick_whatever_the_guest_does") else {
        return;
    };
    for steps in [vec![Step::Spin], vec![], vec![Step::Await(0xd000_0070, 1)]] {
        let (sink, _events) = guest::events();
        let mut config = Image::of(&steps).config("busy");
        // The second vCPU waits for a start-up that never comes.
        config.vcpus = 2;
        let machine = Machine::boot(&host, config, sink).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let begin = Instant::now();
        machine.stop();
        assert!(
            begin.elapsed() < Duration::from_secs(2),
            "{:?}",
            begin.elapsed()
        );
    }
}

#[test]
fn typing_does_not_disturb_a_guest() {
    let Some(host) = kvm("typing_does_not_disturb_a_guest") else {
        return;
    };
    // Input while nobody listens must not disturb the guest; what a listener reads is a unit test of the device.
    let (sink, events) = guest::events();
    let mut steps = vec![Step::Await(0x31_0000, 1)];
    steps.extend(say("done\n"));
    let image = Image::of(&steps).with(0x31_0000, &1u32.to_le_bytes());
    let machine = Machine::boot(&host, image.config("typed"), sink).unwrap();
    machine.console().input(b"hello");
    let (mut printed, mut offset) = (Vec::new(), 0);
    let begin = Instant::now();
    while !printed.ends_with(b"done\n") && begin.elapsed() < PATIENCE {
        let (more, next) = machine
            .console()
            .wait_since(offset, Duration::from_millis(100));
        printed.extend(more);
        offset = next;
    }
    assert_eq!(printed, b"done\n");
    machine.stop();
    assert!(events.try_recv().is_err());
}

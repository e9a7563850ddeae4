//! The devices on the real KVM: a hand-made guest drives the registers and rings, kicks go through ioeventfd.

mod guest;

use std::time::{Duration, Instant};

use guest::{Image, PATIENCE, Step, kvm, next, say};
use pinode_vmm::{ControlError, Machine, MachineConfig, MachineEvent, NetConfig};

const CONSOLE: u64 = 0xd000_0000;
const VIF: u64 = 0xd000_1000;
/// The guest's rings and buffers.
const RINGS: u64 = 0x100_0000;
const BUFFER: u64 = 0x110_0000;
const SIZE: u32 = 8;

fn desc(queue: u64) -> u64 {
    RINGS + 0x1_0000 * queue
}
fn avail(queue: u64) -> u64 {
    desc(queue) + 0x1000
}
fn used(queue: u64) -> u64 {
    desc(queue) + 0x2000
}

/// The guest's driver: up to DRIVER_OK with these low features and queues.
fn bring_up(device: u64, features: u32, queues: &[u64]) -> Vec<Step> {
    let put = |register: u64, value: u32| Step::Store(device + register, value);
    let mut steps = vec![put(0x70, 0), put(0x70, 1), put(0x70, 3)];
    steps.extend([
        put(0x24, 0),
        put(0x20, features),
        put(0x24, 1),
        put(0x20, 1),
    ]);
    steps.push(put(0x70, 11));
    for queue in queues {
        steps.extend([
            put(0x30, *queue as u32),
            put(0x38, SIZE),
            put(0x80, desc(*queue) as u32),
            put(0x90, avail(*queue) as u32),
            put(0xa0, used(*queue) as u32),
            put(0x44, 1),
        ]);
    }
    steps.push(put(0x70, 15));
    steps
}

/// Offers descriptor 0 of a queue, the first time.
fn offer(queue: u64, address: u64, octets: u32, device_writes: bool) -> Vec<Step> {
    vec![
        Step::Store(desc(queue), address as u32),
        Step::Store(desc(queue) + 8, octets),
        Step::Store(desc(queue) + 12, if device_writes { 2 } else { 0 }),
        Step::Store16(avail(queue) + 4, 0),
        Step::Store16(avail(queue) + 2, 1),
    ]
}

/// used.idx = 1, read together with the low half of the first entry's id, 0; the flags before it are the device's.
fn one_used(queue: u64) -> Step {
    Step::Await(used(queue) + 2, 1)
}

fn with_vif(image: &Image, name: &str) -> MachineConfig {
    let net = NetConfig {
        mac: [2, 0, 0, 1, 1, 1],
        mtu: 1500,
        queue_pairs: 1,
        queue_size: 256,
    };
    MachineConfig {
        nets: vec![net],
        ..image.config(name)
    }
}

fn wait_for(machine: &Machine, text: &[u8]) {
    let begin = Instant::now();
    while !machine.console().tail().ends_with(text) {
        assert!(begin.elapsed() < PATIENCE, "{:?}", machine.console().tail());
        machine
            .console()
            .wait_since(u64::MAX - 1, Duration::from_millis(5));
    }
}

#[test]
fn a_vif_comes_up_carries_a_frame_each_way_and_goes_down() {
    let Some(host) = kvm("a_vif_comes_up_carries_a_frame_each_way_and_goes_down") else {
        return;
    };
    for msi in [false, true] {
        let mut steps = bring_up(VIF, 0, &[0, 1]);
        steps.extend(offer(0, BUFFER, 2048, true));
        steps.push(one_used(0));
        steps.push(Step::Print(BUFFER + 12));
        // The same buffer back: 12 octets of virtio_net_hdr and 64 of frame; then a kick nobody reads.
        steps.extend(offer(1, BUFFER, 76, false));
        steps.push(Step::Store(VIF + 0x50, 1));
        steps.push(one_used(1));
        steps.push(Step::Store(VIF + 0x70, 0));
        steps.push(Step::Await(VIF + 0x70, 0));
        steps.extend(say("reset\n"));
        let image = Image::of(&steps);
        let image = if msi { image.with_msi() } else { image };
        let (sink, events) = guest::events();
        let machine = Machine::boot(&host, with_vif(&image, "vif"), sink).unwrap();

        let MachineEvent::NetUp { net: 0, mut pairs } = next(&events) else {
            panic!("not up")
        };
        let pair = &mut pairs[0];
        // The guest posts its buffer when it gets there.
        let begin = Instant::now();
        while let Err(refused) = pair.receive.deliver(b"ping", &[7; 60]) {
            assert!(begin.elapsed() < PATIENCE, "{refused:?}");
            std::thread::yield_now();
        }
        pair.receive.publish();
        pair.interrupt.raise();
        let mut frames = Vec::new();
        while frames.is_empty() {
            assert!(begin.elapsed() < PATIENCE, "{:?}", machine.console());
            pair.transmit
                .harvest(64, |frame| frames.push(frame))
                .unwrap();
            std::thread::yield_now();
        }
        let mut copy = [0; 64];
        pair.transmit.read(&frames[0], 0, &mut copy).unwrap();
        assert_eq!((&copy[..4], &copy[4..]), (&b"ping"[..], &[7; 60][..]));
        pair.transmit.complete(frames[0]);
        pair.transmit.publish();

        let MachineEvent::NetDown { net: 0, released } = next(&events) else {
            panic!("not down")
        };
        assert_eq!(machine.console().tail(), b"ping");
        drop(pairs);
        drop(released);
        wait_for(&machine, b"pingreset\n");
        machine.stop();
        assert!(events.try_recv().is_err());
    }
}

#[test]
fn stop_does_not_wait_for_an_owner_that_keeps_the_queues() {
    let Some(host) = kvm("stop_does_not_wait_for_an_owner_that_keeps_the_queues") else {
        return;
    };
    let mut steps = bring_up(VIF, 0, &[0, 1]);
    steps.push(Step::Store(VIF + 0x70, 0));
    let (sink, events) = guest::events();
    let machine = Machine::boot(&host, with_vif(&Image::of(&steps), "keeper"), sink).unwrap();
    let MachineEvent::NetUp { mut pairs, .. } = next(&events) else {
        panic!("not up")
    };
    let MachineEvent::NetDown { released, .. } = next(&events) else {
        panic!("not down")
    };
    machine.stop();
    // The guest's RAM outlives the machine as long as the queues are held.
    assert!(pairs[0].receive.deliver(b"", &[0; 60]).is_err());
    assert_eq!(pairs[0].memory.octets(), 32 << 20);
    drop(released);
}

#[test]
fn control_lines_pass_both_ways() {
    let Some(host) = kvm("control_lines_pass_both_ways") else {
        return;
    };
    let text = b"{\"hello\":{\"abi\":1}}\n";
    let mut steps = bring_up(CONSOLE, 1 << 1, &[0, 1, 2, 3, 4, 5]);
    // PORT_OPEN of port 1: id 1, event 6, value 1.
    steps.extend([Step::Store(BUFFER, 1), Step::Store(BUFFER + 4, 0x0001_0006)]);
    steps.extend(offer(3, BUFFER, 8, false));
    steps.extend(offer(4, BUFFER + 0x1000, 64, true));
    steps.extend(offer(5, BUFFER + 0x2000, text.len() as u32, false));
    for queue in [3, 4, 5] {
        steps.push(Step::Store(CONSOLE + 0x50, queue));
    }
    steps.extend([one_used(4), Step::Print(BUFFER + 0x1000)]);
    let image = Image::of(&steps).with(BUFFER + 0x2000, text);
    let (sink, events) = guest::events();
    let machine = Machine::boot(&host, image.config("lines"), sink).unwrap();
    machine.control().send_line("{\"stop\":{}}").unwrap();
    match next(&events) {
        MachineEvent::Control(line) => assert_eq!(line, "{\"hello\":{\"abi\":1}}"),
        other => panic!("{other:?}"),
    }
    wait_for(&machine, b"{\"st");
    assert!(machine.control().send_line("a\nb").is_err());
    assert!(machine.control().send_line(&"x".repeat(70_000)).is_err());
    let (control, console) = (machine.control().clone(), machine.console().clone());
    machine.stop();
    assert_eq!(control.send_line("late"), Err(ControlError::Gone));
    console.input(b"late");
    assert_eq!(console.tail(), b"{\"st");
}

#[test]
fn a_guest_that_lies_about_its_rings_is_reported() {
    let Some(host) = kvm("a_guest_that_lies_about_its_rings_is_reported") else {
        return;
    };
    let mut steps = vec![Step::Store(VIF + 0x70, 1), Step::Store(VIF + 0x70, 3)];
    steps.extend([Step::Store(VIF + 0x24, 1), Step::Store(VIF + 0x20, 1)]);
    steps.push(Step::Store(VIF + 0x70, 11));
    steps.extend([
        Step::Store(VIF + 0x84, 0xffff_ffff),
        Step::Store(VIF + 0x44, 1),
    ]);
    steps.extend([Step::Store(VIF + 0x30, 1), Step::Store(VIF + 0x44, 1)]);
    steps.push(Step::Store(VIF + 0x70, 15));
    let (sink, events) = guest::events();
    let machine = Machine::boot(&host, with_vif(&Image::of(&steps), "liar"), sink).unwrap();
    let MachineEvent::Fault(report) = next(&events) else {
        panic!("no fault")
    };
    assert!(report.what.contains("vif 0: receive queue 0"), "{report}");
    assert!(report.registers.is_some());
    machine.stop();
}

#[test]
fn weird_accesses_are_ignored_and_counted() {
    let Some(host) = kvm("weird_accesses_are_ignored_and_counted") else {
        return;
    };
    let mut steps = vec![
        Step::Store(CONSOLE + 0x04, 7),      // a read-only register
        Step::Store(CONSOLE + 0xffc, 7),     // behind the configuration space
        Step::Store16(CONSOLE + 0x70, 1),    // 16 bits wide
        Step::Store(CONSOLE + 0x44, 9),      // QueueReady without features
        Step::Store(0xd010_0000, 1),         // no device
        Step::Print(0xd010_0000),            // reads as ones
        Step::Out(0x80, 1),                  // no device
        Step::Store(CONSOLE + 0x70, 0xff00), // no status
    ];
    steps.extend(say("still here\n"));
    let (sink, events) = guest::events();
    let machine = Machine::boot(&host, Image::of(&steps).config("weird"), sink).unwrap();
    wait_for(&machine, b"still here\n");
    assert_eq!(machine.console().tail()[..4], [0xff; 4]);
    assert_eq!(machine.ignored_accesses(), 8);
    machine.stop();
    assert!(events.try_recv().is_err());
}

#[test]
fn machines_share_a_process() {
    let Some(host) = kvm("machines_share_a_process") else {
        return;
    };
    let machines: Vec<_> = (0..4)
        .map(|number| {
            let (sink, events) = guest::events();
            let steps = say(&format!("machine {number}\n"));
            let name = format!("m{number}");
            let image = Image::of(&steps).with_msi();
            (
                Machine::boot(&host, with_vif(&image, &name), sink).unwrap(),
                events,
            )
        })
        .collect();
    for (number, (machine, _)) in machines.iter().enumerate() {
        wait_for(machine, format!("machine {number}\n").as_bytes());
    }
    for (machine, _) in machines {
        machine.stop();
    }
}

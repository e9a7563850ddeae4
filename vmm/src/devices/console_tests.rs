//! The console device against a driver: port discovery, both ports, reset, and rings full of garbage.

use proptest::prelude::*;

use super::*;
use crate::mmio::slot::Slot;
use crate::mmio::transport::Transport;
use crate::testing::{self, Driver};
use std::sync::mpsc::Receiver;

struct Bench {
    device: Arc<ConsoleDevice>,
    driver: Driver,
    events: Receiver<MachineEvent>,
    shared: Arc<Shared>,
}

fn bench() -> Bench {
    let ram = testing::ram();
    let (shared, events) = testing::shared();
    let interrupt = Interrupt::new().unwrap();
    let device = ConsoleDevice::new(
        ram.clone(),
        interrupt.clone(),
        shared.log.clone(),
        shared.clone(),
    );
    let device = Arc::new(device.unwrap());
    let transport = Transport::new(identity(), interrupt);
    let slot = Arc::new(Slot::new(
        "console".into(),
        transport,
        Box::new(device.clone()),
    ));
    Bench {
        device,
        driver: Driver::new(slot, ram),
        events,
        shared,
    }
}

impl Bench {
    fn up(&mut self, features: u64, queues: u32) {
        self.driver.negotiate(features);
        self.driver.queues.clear();
        for index in 0..queues {
            self.driver
                .queue(index, 64, features & feature::EVENT_IDX != 0);
        }
        self.driver.up().unwrap();
    }

    /// Brings up both ports as Linux does; returns the device's control messages.
    fn open(&mut self, features: u64) -> Vec<Vec<u8>> {
        self.up(features | F_MULTIPORT, 6);
        (0..16).for_each(|_| self.driver.offer(2, 64));
        self.tell(u32::MAX, control::DEVICE_READY, 1);
        for port in 0..2 {
            self.tell(port, control::PORT_READY, 1);
            self.tell(port, control::PORT_OPEN, 1);
        }
        self.serve();
        self.driver.received(2)
    }

    fn tell(&mut self, port: u32, event: u16, value: u16) {
        let mut message = port.to_le_bytes().to_vec();
        message.extend(event.to_le_bytes());
        message.extend(value.to_le_bytes());
        self.driver.send(3, &message);
    }

    fn serve(&self) {
        self.device.service().unwrap();
    }

    fn heard(&self) -> Vec<String> {
        let line = |event| match event {
            MachineEvent::Control(line) => line,
            other => panic!("{other:?}"),
        };
        self.events.try_iter().map(line).collect()
    }
}

fn message(port: u8, event: u16, name: &[u8]) -> Vec<u8> {
    [&[port, 0, 0, 0, event as u8, 0, 1, 0], name].concat()
}

#[test]
fn ports_are_discovered() {
    for features in [0, feature::EVENT_IDX] {
        let messages = bench().open(features);
        let expected = [
            message(0, control::DEVICE_ADD, b""),
            message(1, control::DEVICE_ADD, b""),
            message(0, control::CONSOLE_PORT, b""),
            message(0, control::PORT_OPEN, b""),
            message(1, control::PORT_NAME, b"pinode.control"),
            message(1, control::PORT_OPEN, b""),
        ];
        assert_eq!(messages, expected);
    }
}

#[test]
fn output_of_port_0_is_the_console() {
    let mut bench = bench();
    bench.open(0);
    bench.driver.send(1, b"booting\n");
    bench.driver.send(1, b"up\n");
    bench.serve();
    assert_eq!(bench.shared.log.last_lines(9), "booting\nup");
    assert_eq!(bench.driver.received(1).len(), 2);
}

#[test]
fn without_multiport_there_is_port_0_alone() {
    let mut bench = bench();
    bench.up(0, 2);
    bench.driver.send(1, b"plain\n");
    bench.driver.offer(0, 64);
    assert!(bench.device.type_in(b"typed"));
    bench.serve();
    assert_eq!(bench.shared.log.last_lines(1), "plain");
    assert_eq!(bench.driver.received(0), [b"typed"]);
}

#[test]
fn lines_wait_until_the_guest_opens_the_port() {
    let mut bench = bench();
    assert!(bench.device.send_line("{\"config\":{}}"));
    bench.up(F_MULTIPORT, 6);
    bench.driver.offer(4, 8);
    bench.driver.offer(4, 64);
    bench.serve();
    assert!(bench.driver.received(4).is_empty());
    bench.tell(1, control::PORT_OPEN, 1);
    bench.serve();
    assert_eq!(
        bench.driver.received(4),
        [b"{\"config".to_vec(), b"\":{}}\n".to_vec()]
    );
    // More lines than buffers: the rest follows with the next buffer.
    assert!(bench.device.send_line("a") && bench.device.send_line("b"));
    bench.driver.offer(4, 64);
    bench.serve();
    bench.driver.offer(4, 64);
    bench.serve();
    assert_eq!(bench.driver.received(4), [b"a\n", b"b\n"]);
}

#[test]
fn lines_of_the_guest_become_events() {
    let mut bench = bench();
    bench.open(feature::EVENT_IDX);
    bench.driver.send(5, b"{\"hello\":{\"abi\":1}}\n{\"rea");
    bench.driver.send(5, b"dy\":{}}\n");
    bench.serve();
    assert_eq!(bench.heard(), ["{\"hello\":{\"abi\":1}}", "{\"ready\":{}}"]);
}

#[test]
fn typed_octets_need_an_open_port() {
    let mut bench = bench();
    assert!(!bench.device.type_in(b"x"));
    bench.open(0);
    assert!(bench.device.type_in(b"x"));
    bench.driver.offer(0, 64);
    bench.serve();
    assert_eq!(bench.driver.received(0), [b"x"]);
}

#[test]
fn a_reset_forgets_the_driver_and_keeps_the_lines() {
    let mut bench = bench();
    bench.open(0);
    assert!(bench.device.send_line("kept"));
    bench.driver.reset();
    assert_eq!(bench.driver.get(crate::mmio::registers::offset::STATUS), 0);
    bench.serve();
    bench.open(0);
    bench.driver.offer(4, 64);
    bench.serve();
    assert_eq!(bench.driver.received(4), [b"kept\n"]);
}

#[test]
fn rings_outside_memory_break_the_device_at_driver_ok() {
    let bench = bench();
    bench.driver.negotiate(0);
    let far = crate::mmio::registers::offset::QUEUE_DESC_HIGH;
    bench.driver.put(far, 0x7fff_ffff);
    bench
        .driver
        .put(crate::mmio::registers::offset::QUEUE_READY, 1);
    let why = bench.driver.up().unwrap_err();
    assert!(why.contains("console: receiveq of port 0"), "{why}");
    let status = bench.driver.get(crate::mmio::registers::offset::STATUS);
    assert_eq!(status, 15 | 64);
}

#[test]
fn an_available_index_that_runs_ahead_breaks_the_device() {
    let mut bench = bench();
    bench.open(0);
    let avail = bench.driver.layout(5, 64, false).avail;
    bench
        .driver
        .ram
        .write(avail + 2, &30_000u16.to_le_bytes())
        .unwrap();
    let why = bench.device.service().unwrap_err();
    assert!(why.contains("transmitq of port 1"), "{why}");
    // Out of service: quiet from now on.
    bench.serve();
}

/// A descriptor of queue 5 (transmitq of port 1): index, octets, flags, next.
fn describe(bench: &Bench, index: u16, octets: u32, flags: u16, next: u16) {
    let desc = bench.driver.layout(5, 64, false).desc;
    let mut raw = 0x30_0000u64.to_le_bytes().to_vec();
    raw.extend(octets.to_le_bytes());
    raw.extend(flags.to_le_bytes());
    raw.extend(next.to_le_bytes());
    let at = desc + 16 * u64::from(index);
    bench.driver.ram.write(at, &raw).unwrap();
}

/// Makes head 0 available on queue 5 as often as `times`.
fn show(bench: &Bench, times: u16) {
    let avail = bench.driver.layout(5, 64, false).avail;
    let ram = &bench.driver.ram;
    ram.write(avail + 2, &times.to_le_bytes()).unwrap();
}

#[test]
fn chains_that_break_the_rules_break_the_device() {
    const NEXT: u16 = 1;
    const INDIRECT: u16 = 4;
    for (flags, next, expected) in [
        (INDIRECT, 0, "has an indirect descriptor: not negotiated"),
        (NEXT, 0, "has more than 64 descriptors"),
        (NEXT, 64, "names descriptor 64: the queue has 64"),
    ] {
        let mut bench = bench();
        bench.open(0);
        describe(&bench, 0, 16, flags, next);
        show(&bench, 1);
        let why = bench.device.service().unwrap_err();
        assert!(why.contains("transmitq of port 1"), "{why}");
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn a_guest_that_never_stops_printing_gets_a_round_at_a_time() {
    let mut bench = bench();
    bench.open(0);
    let text = vec![b'x'; 64 << 10];
    bench.driver.ram.write(0x30_0000, &text).unwrap();
    for token in 0..20 {
        let (queue, octets) = (&mut bench.driver.queues[1], text.len() as u32);
        queue.post(token, 0x30_0000, octets, false).unwrap();
        queue.publish();
    }
    bench.driver.send(5, b"{\"heard\":{}}\n");
    let mut taken = 0;
    for round in 1..=20 {
        bench.device.event().read().expect("the round before asked");
        bench.serve();
        bench.driver.queues[1].take(64, |_, _| taken += 1).unwrap();
        // A chain begun is finished, none begins behind ROUND_MOST octets.
        assert_eq!(taken, round);
        if round == 1 {
            assert_eq!(bench.heard(), ["{\"heard\":{}}"], "the other port waits");
        }
    }
    bench.device.event().read().unwrap_err();
}

#[test]
fn empty_descriptors_count_too() {
    let mut bench = bench();
    bench.open(0);
    for index in 0..64u16 {
        let more = u16::from(index < 63);
        describe(&bench, index, 0, more, index + 1);
    }
    show(&bench, 64);
    let used = bench.driver.layout(5, 64, false).used + 2;
    let mut octets = [0; 2];
    for round in 1..=8 {
        bench.serve();
        bench.driver.ram.read(used, &mut octets).unwrap();
        assert_eq!(u16::from_le_bytes(octets), 8 * round);
    }
}

#[test]
fn the_owner_never_waits_for_a_round() {
    let mut bench = bench();
    bench.open(0);
    let round = bench.device.state();
    let (sender, receiver) = std::sync::mpsc::channel();
    let device = bench.device.clone();
    std::thread::spawn(move || {
        let _ = sender.send((device.send_line("line"), device.type_in(b"typed")));
    });
    let patience = std::time::Duration::from_secs(10);
    assert_eq!(receiver.recv_timeout(patience), Ok((true, true)));
    drop(round);
    bench.driver.offer(0, 64);
    bench.driver.offer(4, 64);
    bench.serve();
    assert_eq!(bench.driver.received(0), [b"typed"]);
    assert_eq!(bench.driver.received(4), [b"line\n"]);
}

#[test]
fn a_line_longer_than_a_round_arrives_whole() {
    let mut bench = bench();
    bench.open(0);
    let line = "y".repeat(LINE_MOST);
    assert!(bench.device.send_line(&line) && bench.device.send_line("z"));
    (0..64).for_each(|_| bench.driver.offer(4, 4096));
    let mut heard = Vec::new();
    for _ in 0..3 {
        bench.serve();
        heard.extend(bench.driver.received(4).concat());
    }
    assert_eq!(heard, format!("{line}\nz\n").into_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn rings_of_garbage_never_stop_the_host(
        octets in proptest::collection::vec(any::<u8>(), 2048),
        places in proptest::collection::vec((0u64..6, 0u64..3, 0u64..1024), 24),
        ahead in 0u16..80,
    ) {
        let mut bench = bench();
        bench.open(feature::EVENT_IDX);
        let _ = bench.device.send_line("line");
        for (at, (queue, area, offset)) in places.into_iter().enumerate() {
            let layout = bench.driver.layout(queue as u32, 64, true);
            let base = [layout.desc, layout.avail + 4, layout.used][area as usize];
            let _ = bench.driver.ram.write(base + offset, &octets[at * 64..at * 64 + 64]);
        }
        for queue in 0..6 {
            let avail = bench.driver.layout(queue, 64, true).avail;
            let _ = bench.driver.ram.write(avail + 2, &ahead.to_le_bytes());
        }
        for _ in 0..3 {
            let _ = bench.device.service();
        }
    }
}

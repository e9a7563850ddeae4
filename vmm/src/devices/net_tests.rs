//! virtio-net against a driver: what it offers, queues handed out and taken back, the control queue.

use std::sync::mpsc::Receiver;
use std::thread;

use super::*;
use crate::mmio::registers::offset;
use crate::mmio::slot::Slot;
use crate::mmio::transport::Transport;
use crate::testing::{self, Driver};

struct Bench {
    control: Arc<NetControl>,
    driver: Driver,
    events: Receiver<MachineEvent>,
    shared: Arc<Shared>,
}

fn bench(queue_pairs: u16) -> Bench {
    let config = NetConfig {
        mac: [2, 0, 0, 1, 1, 1],
        mtu: 1500,
        queue_pairs,
        queue_size: 256,
    };
    let ram = testing::ram();
    let (shared, events) = testing::shared();
    let interrupt = Interrupt::new().unwrap();
    let control = Arc::new(NetControl::new(interrupt.clone()).unwrap());
    let device = Net::new(
        3,
        &config,
        ram.clone(),
        interrupt.clone(),
        shared.clone(),
        control.clone(),
    );
    let transport = Transport::new(identity(&config), interrupt);
    let slot = Arc::new(Slot::new("vif 3".into(), transport, Box::new(device)));
    Bench {
        control,
        driver: Driver::new(slot, ram),
        events,
        shared,
    }
}

impl Bench {
    fn up(&mut self, features: u64, queues: &[u32]) -> Vec<QueuePair> {
        self.driver.negotiate(features);
        self.driver.queues.clear();
        for index in queues {
            self.driver
                .queue(*index, 64, features & feature::EVENT_IDX != 0);
        }
        self.driver.up().unwrap();
        match self.events.try_recv().unwrap() {
            MachineEvent::NetUp { net: 3, pairs } => pairs,
            other => panic!("{other:?}"),
        }
    }

    fn command(&mut self, queue: usize, command: &[u8]) -> u8 {
        // A command's readable and writable parts are one chain; the driver side posts single descriptors, so the
        // chain is written by hand behind its back: descriptor 0 the command, descriptor 1 the answer.
        let layout = self.driver.layout(4, 64, false);
        let round = queue as u16;
        let ram = &self.driver.ram;
        let (text, answer) = (0x30_0000u64, 0x30_1000u64);
        ram.write(text, command).unwrap();
        ram.write(answer, &[0xee]).unwrap();
        let descriptor = |address: u64, octets: u32, flags: u16, next: u16| {
            let mut raw = address.to_le_bytes().to_vec();
            raw.extend(octets.to_le_bytes());
            raw.extend(flags.to_le_bytes());
            raw.extend(next.to_le_bytes());
            raw
        };
        ram.write(layout.desc, &descriptor(text, command.len() as u32, 1, 1))
            .unwrap();
        ram.write(layout.desc + 16, &descriptor(answer, 1, 2, 0))
            .unwrap();
        ram.write(layout.avail + 4 + 2 * u64::from(round), &0u16.to_le_bytes())
            .unwrap();
        ram.write(layout.avail + 2, &(round + 1).to_le_bytes())
            .unwrap();
        self.control.service().unwrap();
        let mut octet = [0];
        ram.read(answer, &mut octet).unwrap();
        octet[0]
    }
}

#[test]
fn configuration_space_of_5_1_4() {
    let bench = bench(2);
    let mut octets = [0; 12];
    for (at, octet) in (0..).zip(&mut octets) {
        bench
            .driver
            .slot
            .read(offset::CONFIG + at, std::slice::from_mut(octet));
    }
    assert_eq!(octets, [2, 0, 0, 1, 1, 1, 1, 0, 2, 0, 0xdc, 0x05]);
    let features = bench.driver.get(offset::DEVICE_FEATURES);
    let expected = F_MAC | F_MTU | F_STATUS | F_MRG_RXBUF | F_CTRL_VQ | F_MQ | feature::EVENT_IDX;
    assert_eq!(u64::from(features), expected);
}

#[test]
fn several_pairs_are_offered_only_when_configured() {
    let bench = bench(1);
    let features = u64::from(bench.driver.get(offset::DEVICE_FEATURES));
    assert_eq!(features & (F_CTRL_VQ | F_MQ), 0);
    bench.driver.put(offset::QUEUE_SEL, 2);
    assert_eq!(bench.driver.get(offset::QUEUE_NUM_MAX), 0);
}

#[test]
fn mq_without_a_control_queue_is_refused() {
    assert!(!consistent(F_MQ) && consistent(F_MQ | F_CTRL_VQ) && consistent(F_CTRL_VQ));
}

#[test]
fn frames_pass_through_the_pair_handed_out() {
    let mut bench = bench(1);
    let mut pairs = bench.up(feature::EVENT_IDX, &[0, 1]);
    assert_eq!(pairs.len(), 1);
    let pair = &mut pairs[0];
    assert!(pair.is_active());
    bench.driver.offer(0, 2048);
    pair.receive.deliver(b"head", &[7; 60]).unwrap();
    pair.receive.publish();
    let received = bench.driver.received(0);
    assert_eq!(received[0].len(), 12 + 64);
    assert_eq!(&received[0][12..16], b"head");

    bench.driver.send(1, &[&[0; 12][..], &[9; 60][..]].concat());
    let mut frames = Vec::new();
    pair.transmit
        .harvest(64, |frame| frames.push(frame))
        .unwrap();
    let mut copy = [0; 60];
    pair.transmit.read(&frames[0], 0, &mut copy).unwrap();
    assert_eq!(copy, [9; 60]);
    pair.interrupt.raise();
    assert_eq!(bench.driver.get(offset::INTERRUPT_STATUS), 1);
}

#[test]
fn a_reset_waits_for_its_queues() {
    let mut bench = bench(1);
    let pairs = bench.up(0, &[0, 1]);
    let slot = bench.driver.slot.clone();
    let vcpu = thread::spawn(move || slot.write(offset::STATUS, &[0; 4]).unwrap());
    let MachineEvent::NetDown { net: 3, released } = bench.events.recv().unwrap() else {
        panic!("not down")
    };
    // The vCPU waits, its register shows that the reset is not done.
    thread::sleep(Duration::from_millis(20));
    assert!(!vcpu.is_finished());
    assert_eq!(bench.driver.get(offset::STATUS), 15);
    drop(pairs);
    drop(released);
    vcpu.join().unwrap();
    assert_eq!(bench.driver.get(offset::STATUS), 0);
    // A second life.
    assert_eq!(bench.up(0, &[0, 1]).len(), 1);
}

#[test]
fn a_machine_that_stops_does_not_wait_for_the_owner() {
    let mut bench = bench(1);
    let _pairs = bench.up(0, &[0, 1]);
    bench.shared.stopping.store(true, Ordering::Release);
    bench.driver.reset();
    assert_eq!(bench.driver.get(offset::STATUS), 0);
}

#[test]
fn a_pair_half_set_up_breaks_the_device() {
    let mut bench = bench(1);
    bench.driver.negotiate(0);
    bench.driver.queue(0, 64, false);
    let why = bench.driver.up().unwrap_err();
    assert!(why.contains("vif 3: queue pair 0"), "{why}");
    assert_eq!(bench.driver.get(offset::STATUS), 15 | 64);
    assert!(bench.events.try_recv().is_err());
}

#[test]
fn rings_outside_memory_break_the_device() {
    let mut bench = bench(1);
    bench.driver.negotiate(0);
    bench.driver.queue(0, 64, false);
    bench.driver.put(offset::QUEUE_SEL, 1);
    bench.driver.put(offset::QUEUE_DESC_HIGH, 1);
    bench.driver.put(offset::QUEUE_READY, 1);
    let why = bench.driver.up().unwrap_err();
    assert!(why.contains("transmit queue 0"), "{why}");
}

#[test]
fn pairs_become_active_by_the_control_queue() {
    let mut bench = bench(2);
    let pairs = bench.up(F_CTRL_VQ | F_MQ, &[0, 1, 2, 3, 4]);
    let active = || pairs.iter().filter(|pair| pair.is_active()).count();
    assert_eq!((pairs.len(), active()), (2, 1));
    assert_eq!(bench.command(0, &[CLASS, 0, 2, 0]), 0);
    assert_eq!(active(), 2);
    for (round, refused) in (1..).zip([
        &[CLASS, 0, 3, 0][..], // more than there are
        &[CLASS, 0, 0, 0],     // none
        &[CLASS, 1, 1, 0],     // another command
        &[0, 0, 1],            // another class
        &[],                   // nothing
    ]) {
        assert_eq!(bench.command(round, refused), 1, "{refused:?}");
    }
    assert_eq!(active(), 2);
    assert_eq!(bench.command(6, &[CLASS, 0, 1, 0]), 0);
    assert_eq!(active(), 1);
}

#[test]
fn without_mq_there_is_one_pair() {
    let mut bench = bench(2);
    assert_eq!(bench.up(0, &[0, 1, 2, 3]).len(), 1);
}

const CLASS: u8 = 4;

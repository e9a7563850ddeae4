//! A device thread and a driver thread on real atomics: every frame goes host, guest, host, once,
//! in order and whole; and both sides sleep, so that a lost wake-up is a failure after a bounded
//! wait.

mod bell;
mod unsafe_memory;

use std::sync::atomic::{AtomicBool, Ordering};

use bell::Bell;
use pinode_virtqueue::{DriverQueue, QueueLayout, Receiveq, Refused, Transmitq};
use unsafe_memory::Memory;

const FRAMES: u64 = if cfg!(miri) { 200 } else { 1_000_000 };
const SIZE: u16 = if cfg!(miri) { 8 } else { 256 };
const BURST: usize = 64;
const RX: u64 = 0x1000;
const TX: u64 = 0x4000;
const BUFFERS: u64 = 0x1_0000;
const STRIDE: u64 = 256;
/// The frame with this number: the number, then octets that follow from it.
fn frame(number: u64, octets: &mut [u8; 160]) -> usize {
    let len = 60 + (number % 97) as usize;
    octets[..8].copy_from_slice(&number.to_le_bytes());
    for (i, octet) in (0u64..).zip(&mut octets[8..len]) {
        *octet = (number ^ i.wrapping_mul(11)) as u8;
    }
    len
}

/// The guest: moves each buffer from its receive queue to its transmit queue and back.
fn guest(rx: &mut DriverQueue, tx: &mut DriverQueue, irq: &Bell, kick: &Bell, stop: &AtomicBool) {
    let addr = |token: u32| BUFFERS + STRIDE * u64::from(token);
    for token in 0..u32::from(SIZE) {
        rx.post(token, addr(token), STRIDE as u32, true).unwrap();
    }
    rx.publish();
    kick.ring();
    let mut passed_on = Vec::with_capacity(BURST);
    loop {
        rx.disarm();
        tx.disarm();
        let mut done = 0;
        // All buffers may be on the transmit queue at once: it is as long as they are many.
        done += rx
            .take(BURST, |token, len| passed_on.push((token, len)))
            .unwrap();
        for (token, len) in passed_on.drain(..) {
            tx.post(token, addr(token), len, false).unwrap();
        }
        done += tx
            .take(BURST, |token, _| passed_on.push((token, 0)))
            .unwrap();
        for (token, _) in passed_on.drain(..) {
            rx.post(token, addr(token), STRIDE as u32, true).unwrap();
        }
        if rx.publish() | tx.publish() {
            kick.ring();
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if done == 0 && !(rx.arm(1) | tx.arm(1)) {
            irq.sleep("driver");
        }
    }
}

/// The host: sends numbered frames, checks what comes back. Sleeps too when `sleeps`.
fn host(rx: &mut Receiveq, tx: &mut Transmitq, irq: &Bell, kick: &Bell, sleeps: bool) {
    let (mut sent, mut back) = (0, 0);
    let mut held = Vec::with_capacity(BURST);
    let mut octets = [0; 160];
    let mut copy = [0; 160];
    let mut raised = 0u64;
    while back < FRAMES {
        let mut done = 0;
        for _ in 0..BURST {
            if sent == FRAMES {
                break;
            }
            let len = frame(sent, &mut octets);
            match rx.deliver(&octets[..15], &octets[15..len]) {
                Ok(()) => (sent, done) = (sent + 1, done + 1),
                Err(Refused::Full) => break,
                Err(Refused::Broken(error)) => panic!("{error}"),
            }
        }
        rx.publish();
        let harvest = tx.harvest(BURST, |frame| held.push(frame)).unwrap();
        assert_eq!(harvest.malformed, 0);
        for taken in held.drain(..) {
            let len = frame(back, &mut octets);
            assert_eq!(taken.len() as usize, len, "frame {back}");
            tx.read(&taken, 0, &mut copy[..len]).unwrap();
            assert_eq!(copy[..len], octets[..len], "frame {back}");
            tx.complete(taken);
            (back, done) = (back + 1, done + 1);
        }
        tx.publish();
        if rx.wants_interrupt() | tx.wants_interrupt() {
            rx.signalled();
            tx.signalled();
            irq.ring();
            raised += 1;
        }
        if done == 0 && sleeps {
            // A queue with nothing to send needs no kick for new buffers.
            let waiting = tx.ask_kick(true) | (sent < FRAMES && rx.ask_kick(true));
            if !waiting && !(rx.wants_interrupt() | tx.wants_interrupt()) {
                kick.sleep("device");
            }
            tx.ask_kick(false);
            rx.ask_kick(false);
        } else if done == 0 {
            std::thread::yield_now();
        }
    }
    assert!(raised > 0, "the driver never slept: the test shows nothing");
}

fn run(event_idx: bool, sleeps: bool) {
    let memory = Memory::new((BUFFERS + STRIDE * u64::from(SIZE)) as usize);
    let rx = QueueLayout::contiguous(RX, SIZE, event_idx);
    let tx = QueueLayout::contiguous(TX, SIZE, event_idx);
    assert!(rx.end() <= TX && tx.end() <= BUFFERS);
    let mut drivers = [rx, tx].map(|layout| DriverQueue::new(memory.ram(), &layout).unwrap());
    let mut receive = Receiveq::new(memory.ram(), &rx, false).unwrap();
    let mut transmit = Transmitq::new(memory.ram(), &tx).unwrap();
    let (irq, kick, stop) = (Bell::default(), Bell::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let [rx, tx] = &mut drivers;
            guest(rx, tx, &irq, &kick, &stop);
        });
        // Ends the guest however the host ends, so that a failure is no hang.
        struct Stop<'a>(&'a AtomicBool, &'a Bell);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
                self.1.ring();
            }
        }
        let _stop = Stop(&stop, &irq);
        host(&mut receive, &mut transmit, &irq, &kick, sleeps);
    });
    assert_eq!(transmit.outstanding(), 0);
    memory.assert_canaries();
}

#[test]
fn event_idx_device_polls() {
    run(true, false);
}

#[test]
fn event_idx_device_sleeps() {
    run(true, true);
}

#[test]
fn flags_device_polls() {
    run(false, false);
}

#[test]
fn flags_device_sleeps() {
    run(false, true);
}

//! Kicks of a driver that shows without a fence: `expose`, `wants_kick`, `kicked`. A device that
//! sleeps on an entry is kicked for it, whatever the driver did before and however stale its looks
//! were; by a model with counts that never wrap, and by two threads that both sleep.

mod bell;
mod unsafe_memory;

use std::sync::atomic::{AtomicBool, Ordering};

use bell::Bell;
use pinode_virtqueue::{DriverQueue, NET_HEADER, QueueLayout, Transmitq, TxFrame};
use proptest::collection::vec;
use proptest::prelude::*;
use unsafe_memory::Memory;

const CASES: u32 = if cfg!(miri) { 4 } else { 500 };
const OPS: usize = if cfg!(miri) { 60 } else { 500 };
/// Queue sizes, as powers of two.
const SHIFTS: u32 = if cfg!(miri) { 6 } else { 15 };
const RINGS: u64 = 0x1000;
const HEADER: u64 = 0x800;
const BUFFERS: u64 = 0x6_0000; // behind the rings of the largest queue here
const RAM: usize = 0x8_0000;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// The driver posts up to so many.
    Post(u16),
    Expose,
    Publish,
    /// The driver asks, and kicks if it is to. The number: it sees the device's wish as it stood so
    /// many wishes ago, as a CPU without a fence may.
    Look(usize),
    /// The device takes up to so many and gives them back, the driver takes them back.
    Take(u16),
    Sleep,
    Wake,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => prop_oneof![0..5u16, 0..300u16].prop_map(Op::Post),
        3 => Just(Op::Expose),
        1 => Just(Op::Publish),
        2 => Just(Op::Look(0)),
        2 => (0..3usize).prop_map(Op::Look),
        3 => prop_oneof![0..5u16, 0..300u16].prop_map(Op::Take),
        2 => Just(Op::Sleep),
        1 => Just(Op::Wake),
    ]
}

struct Pair<'m> {
    memory: &'m Memory,
    driver: DriverQueue,
    device: Transmitq,
    layout: QueueLayout,
    posted: u64,
    exposed: u64,
    taken: u64,
    /// What the device sleeps on: its next entry when it asked.
    asleep: Option<u64>,
    /// The words of the device's wish as they stood, newest first.
    wishes: Vec<[u16; 2]>,
}

impl<'m> Pair<'m> {
    fn new(memory: &'m Memory, size: u16, event_idx: bool, headed: bool) -> Self {
        let layout = QueueLayout::contiguous(RINGS, size, event_idx);
        let ram = memory.ram();
        let driver = if headed && size > 1 {
            DriverQueue::with_header(ram, &layout, HEADER, NET_HEADER)
        } else {
            DriverQueue::new(ram, &layout)
        };
        let mut pair = Pair {
            memory,
            driver: driver.unwrap(),
            device: Transmitq::new(ram, &layout).unwrap(),
            layout,
            posted: 0,
            exposed: 0,
            taken: 0,
            asleep: None,
            wishes: Vec::new(),
        };
        pair.wished();
        pair
    }

    /// Where the device says what it wishes: `used.flags` and `avail_event`.
    fn wish_at(&self) -> [u64; 2] {
        let used = self.layout.used;
        [used, used + 4 + 8 * u64::from(self.layout.size)]
    }

    fn wished(&mut self) {
        let wish = self.wish_at().map(|at| self.memory.u16(at));
        self.wishes.insert(0, wish);
        self.wishes.truncate(3);
    }

    fn set_wish(&self, wish: [u16; 2]) {
        for (at, value) in self.wish_at().into_iter().zip(wish) {
            self.memory.set_u16(at, value);
        }
    }

    fn post(&mut self, count: u16) {
        for _ in 0..count.min(self.driver.free()) {
            self.driver.post(0, BUFFERS, 72, false).unwrap();
            self.posted += 1;
        }
    }

    /// The driver looks and kicks, seeing the wish of `ago` wishes ago. Returns whether it kicked.
    fn look(&mut self, ago: usize) -> bool {
        let now = self.wish_at().map(|at| self.memory.u16(at));
        let seen = self.wishes.get(ago).copied().unwrap_or(now);
        self.set_wish(seen);
        let wants = self.driver.wants_kick();
        assert_eq!(self.driver.wants_kick(), wants, "true until kicked");
        if wants {
            self.driver.kicked();
            assert!(!self.driver.wants_kick(), "kicked for all that is exposed");
            // The device is awake, or finds the kick when it goes to sleep.
            self.asleep = None;
        }
        self.set_wish(now);
        wants
    }

    fn take(&mut self, max: u16) {
        let mut frames: Vec<TxFrame> = Vec::new();
        self.device
            .harvest(max.into(), |frame| frames.push(frame))
            .unwrap();
        self.taken += frames.len() as u64;
        for frame in frames {
            self.device.complete(frame);
        }
        self.device.publish();
        self.driver.take(usize::MAX, |_, _| ()).unwrap();
        // Looking at the ring may have moved the event away.
        self.wished();
    }

    fn sleep(&mut self) {
        let waiting = self.device.ask_kick(true);
        assert_eq!(waiting, self.exposed > self.taken);
        self.wished();
        self.asleep = (!waiting).then_some(self.taken);
    }

    fn wake(&mut self) {
        self.device.ask_kick(false);
        self.wished();
        self.asleep = None;
    }

    /// What must hold at any time: a device asleep with something to take will be kicked.
    fn assert_nobody_waits_in_vain(&self) {
        if let Some(event) = self.asleep
            && self.exposed > event
        {
            assert!(
                self.driver.wants_kick(),
                "asleep on {event}, {} exposed, and no kick to come",
                self.exposed
            );
        }
    }

    fn step(&mut self, op: Op) {
        match op {
            Op::Post(count) => self.post(count),
            Op::Expose => {
                self.driver.expose();
                self.exposed = self.posted;
            }
            Op::Publish => {
                // The fence is in it: it sees the wish as it stands.
                let due = self.asleep.is_some_and(|event| self.posted > event);
                let wants = self.driver.publish();
                // What was exposed before is `look`'s to find, if there was nothing new.
                assert!(wants || !due || self.exposed == self.posted, "missed");
                if wants {
                    self.asleep = None;
                }
                self.exposed = self.posted;
            }
            Op::Look(ago) => {
                self.look(ago);
            }
            // Asleep it takes nothing.
            Op::Take(max) if self.asleep.is_none() => self.take(max),
            Op::Take(_) => {}
            Op::Sleep => self.sleep(),
            Op::Wake => self.wake(),
        }
        self.assert_nobody_waits_in_vain();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_kick_is_lost(
        shift in 0..SHIFTS, event_idx: bool, headed: bool, spin in 0..600u32,
        ops in vec(op(), 0..OPS),
    ) {
        let memory = Memory::new(RAM);
        let mut pair = Pair::new(&memory, 1 << shift, event_idx, headed);
        // Polling on both sides, over the ends of the indices.
        for _ in 0..if cfg!(miri) { 0 } else { spin } {
            pair.step(Op::Post(300));
            pair.step(Op::Expose);
            prop_assert!(!pair.look(0), "a device that polls is kicked");
            pair.step(Op::Take(300));
        }
        for op in ops {
            pair.step(op);
        }
        memory.assert_canaries();
    }
}

#[test]
fn a_wish_seen_late_is_met_by_a_later_look() {
    let memory = Memory::new(RAM);
    for event_idx in [false, true] {
        let mut pair = Pair::new(&memory, 8, event_idx, true);
        // The device falls asleep; the driver shows a frame, and its look sees the wish of before.
        pair.step(Op::Sleep);
        pair.step(Op::Post(1));
        pair.step(Op::Expose);
        assert!(!pair.look(1), "stale");
        for _ in 0..3 {
            assert!(pair.driver.wants_kick(), "it stays until kicked");
        }
        assert!(pair.look(0));
        assert!(!pair.look(0), "one kick");
        pair.step(Op::Take(8));
        pair.step(Op::Sleep);
        assert!(!pair.look(0), "nothing is exposed since");
    }
}

/// A ring of the least and of the greatest size for which a window of 16 bits can tell old from new.
#[test]
fn a_full_ring_is_kicked_for_its_first_entry() {
    for size in [1u16, 2, if cfg!(miri) { 64 } else { 0x4000 }] {
        for event_idx in [false, true] {
            let memory = Memory::new(RAM);
            let mut pair = Pair::new(&memory, size, event_idx, false);
            for _ in 0..if cfg!(miri) { 2 } else { 9 } {
                pair.step(Op::Sleep);
                for _ in 0..size {
                    pair.step(Op::Post(1));
                    pair.step(Op::Expose);
                }
                assert!(pair.look(0));
                pair.step(Op::Wake);
                pair.step(Op::Take(size));
            }
        }
    }
}

const FRAMES: u64 = if cfg!(miri) { 150 } else { 400_000 };
const SIZE: u16 = if cfg!(miri) { 8 } else { 64 };
/// Sends numbered frames as the guest runtime does: shows and asks every round, arms and asks once
/// more before it sleeps. It sleeps for want of buffers, and now and then of its own accord.
fn driver(queue: &mut DriverQueue, memory: &Memory, irq: &Bell, kick: &Bell, over: &AtomicBool) {
    let slot = |token: u32| BUFFERS + 128 * u64::from(token);
    let mut free: Vec<u32> = (0..u32::from(queue.free())).collect();
    let (mut sent, mut kicks) = (0u64, 0u64);
    let mut ask = |queue: &mut DriverQueue| {
        if queue.wants_kick() {
            queue.kicked();
            kicks += 1;
            kick.ring();
        }
    };
    while !over.load(Ordering::Relaxed) {
        let mut done = queue.take(usize::MAX, |token, _| free.push(token)).unwrap();
        // Bursts of 1 to 8, so that the device often finds the ring empty.
        for _ in 0..1 + sent % 8 {
            if sent == FRAMES {
                break;
            }
            let Some(token) = free.pop() else { break };
            // Where the frame begins: behind the header of another buffer, or of its own.
            for header in [0, u64::from(NET_HEADER)] {
                memory.write(slot(token) + header, &sent.to_le_bytes());
            }
            queue.post(token, slot(token), 80, false).unwrap();
            (sent, done) = (sent + 1, done + 1);
        }
        queue.expose();
        ask(queue);
        if done == 0 {
            let ready = queue.arm(1);
            ask(queue);
            if !ready && !over.load(Ordering::Relaxed) {
                irq.sleep("driver");
            }
            queue.disarm();
        }
    }
    assert!(kicks > 0, "the device never slept: the test shows nothing");
}

/// Takes frames, checks their numbers, sleeps as soon as there are none.
fn device(queue: &mut Transmitq, irq: &Bell, kick: &Bell) {
    let mut next = 0u64;
    let mut held: Vec<TxFrame> = Vec::new();
    while next < FRAMES {
        queue.harvest(16, |frame| held.push(frame)).unwrap();
        let idle = held.is_empty();
        for frame in held.drain(..) {
            let mut number = [0; 8];
            queue.read(&frame, 0, &mut number).unwrap();
            assert_eq!(u64::from_le_bytes(number), next);
            next += 1;
            queue.complete(frame);
        }
        queue.publish();
        if queue.wants_interrupt() {
            queue.signalled();
            irq.ring();
        }
        if idle {
            let waiting = queue.ask_kick(true);
            if queue.wants_interrupt() {
                queue.signalled();
                irq.ring();
            }
            if !waiting {
                kick.sleep("device");
            }
            queue.ask_kick(false);
        }
    }
}

fn both_sleep(event_idx: bool, headed: bool) {
    let memory = Memory::new(RAM);
    let mut pair = Pair::new(&memory, SIZE, event_idx, headed);
    let (irq, kick, over) = (Bell::default(), Bell::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| driver(&mut pair.driver, &memory, &irq, &kick, &over));
        // Ends the driver however the device ends, so that a failure is no hang.
        struct Over<'a>(&'a AtomicBool, &'a Bell);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
                self.1.ring();
            }
        }
        let _over = Over(&over, &irq);
        device(&mut pair.device, &irq, &kick);
    });
    memory.assert_canaries();
}

#[test]
fn threads_that_sleep_on_events() {
    both_sleep(true, true);
    both_sleep(true, false);
}

#[test]
fn threads_that_sleep_on_flags() {
    both_sleep(false, true);
}

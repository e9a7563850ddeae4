//! Interrupts and kicks against a model with indices that never wrap (VIRTIO 1.2, 2.7.7, 2.7.10).

mod unsafe_memory;

use pinode_virtqueue::{DriverQueue, QueueLayout, Receiveq};
use proptest::collection::vec;
use proptest::prelude::*;
use unsafe_memory::Memory;

const CASES: u32 = if cfg!(miri) { 4 } else { 400 };
const OPS: usize = if cfg!(miri) { 60 } else { 600 };
const BUFFERS: u64 = 0x7_0000; // behind the rings of the largest queue here

#[derive(Clone, Copy, Debug)]
enum Op {
    /// The device fills up to so many buffers and publishes.
    Burst(u16),
    /// The driver takes all and posts them again.
    Recycle,
    Arm(u16),
    Disarm,
    Signal,
    AskKick(bool),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (0..300u16).prop_map(Op::Burst),
        3 => Just(Op::Recycle),
        1 => (1..5u16).prop_map(Op::Arm),
        1 => Just(Op::Disarm),
        1 => Just(Op::Signal),
        1 => any::<bool>().prop_map(Op::AskKick),
    ]
}

struct Pair {
    driver: DriverQueue,
    device: Receiveq,
    size: u16,
    /// Buffers published by the device, taken by the driver, posted by the driver, since ever.
    published: u64,
    taken: u64,
    posted: u64,
    /// The device's view: buffers it was shown and has used.
    used: u64,
    /// Published when last signalled.
    signalled: u64,
    /// The driver waits for `published` to reach this.
    event: Option<u64>,
    /// The device waits for `posted` to pass this.
    kick: Option<u64>,
}

impl Pair {
    fn new(memory: &Memory, size: u16, event_idx: bool) -> Self {
        let layout = QueueLayout::contiguous(0x1000, size, event_idx);
        let driver = DriverQueue::new(memory.ram(), &layout).unwrap();
        let device = Receiveq::new(memory.ram(), &layout, false).unwrap();
        let mut pair = Pair {
            driver,
            device,
            size,
            published: 0,
            taken: 0,
            posted: 0,
            used: 0,
            signalled: 0,
            event: None,
            kick: None,
        };
        pair.post();
        pair
    }

    fn post(&mut self) {
        let before = self.posted;
        while self.driver.free() > 0 {
            self.driver.post(0, BUFFERS, 64, true).unwrap();
            self.posted += 1;
        }
        let wants = self.driver.publish();
        let earned = self
            .kick
            .is_some_and(|kick| before <= kick && kick < self.posted);
        assert_eq!(
            wants, earned,
            "kick at {before} to {}, asked for {:?}",
            self.posted, self.kick
        );
    }

    fn burst(&mut self, frames: u16) {
        for _ in 0..frames {
            if self.posted == self.used {
                break;
            }
            self.device.deliver(&[], &[0; 14]).unwrap();
            self.used += 1;
        }
        self.device.publish();
        self.published = self.used;
    }

    fn recycle(&mut self) {
        self.taken += self.driver.take(usize::MAX, |_, _| ()).unwrap() as u64;
        assert_eq!(self.taken, self.published);
        self.post();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() })]

    /// With EVENT_IDX every wish is met exactly, however long the driver polled before, across
    /// the ends of the 16-bit indices, and nobody is woken who did not ask.
    #[test]
    fn event_idx_is_exact(
        shift in 0..15u32, spin in 0..600u32, ops in vec(op(), 0..OPS),
    ) {
        let memory = Memory::new(0x8_0000);
        let mut pair = Pair::new(&memory, 1 << shift, true);
        for _ in 0..if cfg!(miri) { 0 } else { spin } {
            pair.burst(300);
            pair.recycle();
            prop_assert!(!pair.device.wants_interrupt() && !pair.device.driver_idle());
        }
        for op in ops {
            match op {
                Op::Burst(frames) => pair.burst(frames),
                Op::Recycle => pair.recycle(),
                Op::Arm(after) => {
                    let after = after.min(pair.size);
                    let there = pair.driver.arm(after);
                    pair.event = Some(pair.taken + u64::from(after));
                    prop_assert_eq!(there, pair.published - pair.taken >= u64::from(after));
                }
                Op::Disarm => { pair.driver.disarm(); pair.event = None; }
                Op::Signal => { pair.device.signalled(); pair.signalled = pair.published; }
                Op::AskKick(on) => {
                    let waiting = pair.device.ask_kick(on);
                    prop_assert_eq!(waiting, pair.posted > pair.used);
                    pair.kick = on.then_some(pair.used);
                }
            }
            let wants = pair.device.wants_interrupt();
            // A wish that lies further back than the queue is long was met by the driver itself.
            let settled = pair.signalled.max(pair.published.saturating_sub(pair.size.into()));
            let open = |event: u64| settled < event && event <= pair.published;
            prop_assert_eq!(wants, pair.event.is_some_and(open),
                "{:?}, published {}, settled {}", pair.event, pair.published, settled);
            let waits = pair.event.is_some_and(|event| event > pair.published) || wants;
            prop_assert_eq!(pair.device.driver_idle(), waits);
        }
    }

    /// With flags a driver that waits is always woken, and none that has not asked.
    #[test]
    fn flags_lose_no_wake_up(shift in 0..10u32, ops in vec(op(), 0..OPS)) {
        let memory = Memory::new(0x8_0000);
        let mut pair = Pair::new(&memory, 1 << shift, false);
        // Published while the driver was armed, or when it armed and went to sleep.
        let mut owed = false;
        let mut armed = false;
        for op in ops {
            match op {
                Op::Burst(frames) => {
                    let before = pair.published;
                    pair.burst(frames);
                    owed |= armed && pair.published > before;
                }
                Op::Recycle => pair.recycle(),
                Op::Arm(after) => {
                    let there = pair.driver.arm(after);
                    prop_assert_eq!(there, pair.published > pair.taken);
                    armed = true;
                }
                Op::Disarm => { pair.driver.disarm(); armed = false; owed = false; }
                Op::Signal => { pair.device.signalled(); owed = false; }
                Op::AskKick(on) => {
                    prop_assert_eq!(pair.device.ask_kick(on), pair.posted > pair.used);
                    // A flag is no event: any entry earns the kick, until it is taken back.
                    pair.kick = None;
                    if on {
                        prop_assert!(!pair.device.pending() || pair.posted > pair.used);
                        pair.device.ask_kick(false);
                    }
                }
            }
            let wants = pair.device.wants_interrupt();
            prop_assert!(wants || !owed, "a waiting driver is not woken");
            prop_assert!(armed || !wants, "a driver that polls is woken");
            prop_assert_eq!(pair.device.driver_idle(), armed);
        }
    }
}

#[test]
fn a_wake_up_may_be_held_back() {
    let memory = Memory::new(0x8_0000);
    for event_idx in [false, true] {
        let mut pair = Pair::new(&memory, 64, event_idx);
        assert!(!pair.driver.arm(1));
        assert!(pair.device.driver_idle() && !pair.device.wants_interrupt());
        for _ in 0..3 {
            pair.burst(5);
            assert!(pair.device.wants_interrupt(), "until signalled");
        }
        pair.device.signalled();
        assert!(!pair.device.wants_interrupt());
        pair.burst(1);
        assert_eq!(
            pair.device.wants_interrupt(),
            !event_idx,
            "an event is met once"
        );
    }
}

#[test]
fn a_flag_asks_for_every_kick_until_taken_back() {
    let memory = Memory::new(0x8_0000);
    let layout = QueueLayout::contiguous(0x1000, 8, false);
    let mut driver = DriverQueue::new(memory.ram(), &layout).unwrap();
    let mut device = Receiveq::new(memory.ram(), &layout, false).unwrap();
    for on in [false, true, true, false] {
        device.ask_kick(on);
        driver.post(0, BUFFERS, 64, true).unwrap();
        assert_eq!(driver.publish(), on);
        assert!(!driver.publish(), "nothing new to show");
    }
}

//! A port that does what a test tells it, and remembers what it was given.
//!
//! For tests of what stands behind a port. Must never be a node's port: it allocates and locks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::port::{BURST, Port, RxBurst, TxMeta, TxSlots, Wake};

#[derive(Default)]
struct Script {
    bursts: VecDeque<Vec<Vec<u8>>>,
    offers: VecDeque<usize>,
    takes: VecDeque<usize>,
    sent: Vec<(Vec<u8>, TxMeta)>,
    asked_ns: Vec<u64>,
    launch_lead_ns: Option<u64>,
}

/// A port that follows the script of its [`FakeScript`].
pub struct FakePort {
    script: Arc<Mutex<Script>>,
    lent: Vec<Vec<u8>>,
    slots: Box<[u8]>,
    slot_octets: usize,
}

/// The hand of the test on its [`FakePort`].
#[derive(Clone)]
pub struct FakeScript(Arc<Mutex<Script>>);

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakePort {
    /// A port without a script yet: it receives nothing, offers what is wanted, takes what it gets.
    #[must_use]
    pub fn new(slot_octets: usize) -> (Self, FakeScript) {
        let script = Arc::new(Mutex::new(Script::default()));
        let slots = vec![0; slot_octets * BURST].into_boxed_slice();
        let port = Self {
            script: script.clone(),
            lent: Vec::new(),
            slots,
            slot_octets,
        };
        (port, FakeScript(script))
    }
}

impl FakeScript {
    /// Adds a receive burst; it goes to one `rx_burst` call (what exceeds it to the next ones).
    pub fn receive(&self, frames: Vec<Vec<u8>>) {
        lock(&self.0).bursts.push_back(frames);
    }

    /// The next `tx_slots` call without such a word offers at most this many slots.
    pub fn offer(&self, slots: usize) {
        lock(&self.0).offers.push_back(slots);
    }

    /// The next `tx_commit` call without such a word takes at most this many frames.
    pub fn take(&self, frames: usize) {
        lock(&self.0).takes.push_back(frames);
    }

    /// What the port says of launch time, from now on. It only remembers what it is told.
    pub fn have_launch_time(&self, lead_ns: Option<u64>) {
        lock(&self.0).launch_lead_ns = lead_ns;
    }

    /// Takes the frames sent so far.
    #[must_use]
    pub fn sent(&self) -> Vec<(Vec<u8>, TxMeta)> {
        std::mem::take(&mut lock(&self.0).sent)
    }

    /// Takes the instants of the receive bursts so far.
    #[must_use]
    pub fn asked_ns(&self) -> Vec<u64> {
        std::mem::take(&mut lock(&self.0).asked_ns)
    }

    /// Bursts that no `rx_burst` call has taken yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        lock(&self.0).bursts.len()
    }
}

impl Port for FakePort {
    fn rx_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>) {
        let mut script = lock(&self.script);
        script.asked_ns.push(now_ns);
        self.lent = script.bursts.pop_front().unwrap_or_default();
        let room = burst.remaining_capacity().min(self.lent.len());
        let rest = self.lent.split_off(room);
        if !rest.is_empty() {
            script.bursts.push_front(rest);
        }
        burst.extend(self.lent.iter().map(Vec::as_slice));
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        let offer = lock(&self.script).offers.pop_front().unwrap_or(BURST);
        let want = want.min(offer).min(slots.remaining_capacity());
        slots.extend(self.slots.chunks_exact_mut(self.slot_octets).take(want));
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        let mut script = lock(&self.script);
        let take = script.takes.pop_front().unwrap_or(BURST);
        let slots = self
            .slots
            .chunks_exact(self.slot_octets)
            .zip(frames)
            .take(take);
        let mut taken = 0;
        for (slot, meta) in slots {
            let Some(frame) = slot.get(..usize::from(meta.len)) else {
                break;
            };
            script.sent.push((frame.to_vec(), *meta));
            taken += 1;
        }
        taken
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        // A test may add to the script at any time.
        const LOOK_NS: u64 = 100_000;
        match lock(&self.script).bursts.is_empty() {
            true => Wake::At(now_ns.saturating_add(LOOK_NS)),
            false => Wake::Frames,
        }
    }

    fn slot_octets(&self) -> usize {
        self.slot_octets
    }

    fn launch_lead_ns(&self) -> Option<u64> {
        lock(&self.script).launch_lead_ns
    }

    fn describe(&self) -> String {
        "fake: follows a test's script".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_followed_call_by_call() {
        let (mut port, script) = FakePort::new(128);
        script.receive((0..70).map(|i| vec![i; 60]).collect());
        script.receive(vec![vec![99; 60]]);
        for (now_ns, expected) in [(1, 64), (2, 6), (3, 1), (4, 0)] {
            let mut burst = RxBurst::new();
            port.rx_burst(now_ns, &mut burst);
            assert_eq!(burst.len(), expected);
        }
        assert_eq!((script.asked_ns(), script.waiting()), (vec![1, 2, 3, 4], 0));

        script.offer(2);
        script.take(1);
        let metas = [1, 2].map(|start_ns| TxMeta { len: 60, start_ns });
        for (offered, taken) in [(2, 1), (5, 2)] {
            let mut slots = TxSlots::new();
            port.tx_slots(5, &mut slots);
            assert_eq!(slots.len(), offered);
            drop(slots);
            assert_eq!(port.tx_commit(&metas), taken);
        }
        let starts: Vec<u64> = script
            .sent()
            .iter()
            .map(|(_, meta)| meta.start_ns)
            .collect();
        assert_eq!(starts, [1, 1, 2]);
        assert!(script.sent().is_empty());
    }
}

//! Whether a guest does anything with its frames.
//!
//! A guest that speaks our control protocol is asked whether it lives; one that does not shows it in
//! its rings. Stuck is: frames were refused because the receive ring is full, and in the same time
//! not one was taken in, sent by the guest, or waiting for its phase.

use crate::dataplane::counters::PortSnapshot;

/// So many looks in a row (half a second apart) without progress, and the guest is stuck.
const LOOKS: u32 = 4;

/// What a guest did until the last look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    refused: u64,
    done: u64,
    idle_looks: u32,
}

impl Progress {
    /// Looks at the counters of the guest in `slot`; true if it is stuck.
    pub fn is_stuck(&mut self, slot: usize, ports: &[PortSnapshot]) -> bool {
        let (mut refused, mut done, mut queued) = (0, 0, 0);
        for pi in ports.iter().filter_map(|port| port.pis.get(slot)) {
            refused += pi.counters.ring_full;
            done += pi.counters.to_guest + pi.counters.from_guest;
            queued += pi.queued;
        }
        let stands_still = refused > self.refused && done == self.done && queued == 0;
        self.idle_looks = if stands_still { self.idle_looks + 1 } else { 0 };
        (self.refused, self.done) = (refused, done);
        self.idle_looks >= LOOKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(progress: &mut Progress, ring_full: u64, from_guest: u64, queued: u64) -> bool {
        let mut port = PortSnapshot::empty(1);
        port.pis[0].counters.ring_full = ring_full;
        port.pis[0].counters.from_guest = from_guest;
        port.pis[0].queued = queued;
        progress.is_stuck(0, &[port])
    }

    #[test]
    fn a_full_ring_that_nobody_empties_is_stuck() {
        let mut progress = Progress::default();
        let looks: Vec<bool> = (1..=5).map(|i| look(&mut progress, i * 10, 7, 0)).collect();
        assert_eq!(looks, [false, false, false, false, true]);
    }

    #[test]
    fn quiet_slow_and_gated_guests_are_not() {
        let mut progress = Progress::default();
        for _ in 0..10 {
            assert!(!look(&mut progress, 5, 0, 0), "quiet");
        }
        for i in 0..10 {
            assert!(!look(&mut progress, 10 + i, i, 0), "slow");
        }
        for i in 0..10 {
            assert!(!look(&mut progress, 100 + i, 9, 64), "waits for its phase");
        }
    }
}

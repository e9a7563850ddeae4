//! Whether a guest that cannot be asked does anything with its frames.
//!
//! A guest that speaks our control protocol is asked whether it lives; one that does not shows it in
//! its rings. Stuck is: it has taken frames since it was launched (before, it may still be setting its
//! interfaces up), and for ten seconds frames were refused because a receive ring was full while not
//! one was taken in, sent by the guest, or waiting for its phase.

use crate::dataplane::counters::PortSnapshot;

/// So many looks in a row (half a second apart) without progress, and the guest is stuck.
const LOOKS: u32 = 20;

/// What a guest did until the last look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    refused: u64,
    done: u64,
    idle_looks: u32,
    /// Frames taken when it was launched; none yet known.
    at_launch: Option<u64>,
}

impl Progress {
    /// Looks at the counters of the guest in `slot`; true if it is stuck.
    pub fn is_stuck(&mut self, slot: usize, ports: &[PortSnapshot]) -> bool {
        let (mut refused, mut taken, mut done, mut queued) = (0, 0, 0, 0);
        for pi in ports.iter().filter_map(|port| port.pis.get(slot)) {
            refused += pi.counters.ring_full;
            taken += pi.counters.to_guest;
            done += pi.counters.to_guest + pi.counters.from_guest;
            queued += pi.queued;
        }
        let served = taken > *self.at_launch.get_or_insert(taken);
        let stands_still = refused > self.refused && done == self.done && queued == 0 && served;
        self.idle_looks = if stands_still { self.idle_looks + 1 } else { 0 };
        (self.refused, self.done) = (refused, done);
        self.idle_looks >= LOOKS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(progress: &mut Progress, ring_full: u64, to_guest: u64, queued: u64) -> bool {
        let mut port = PortSnapshot::empty(1);
        port.pis[0].counters.ring_full = ring_full;
        port.pis[0].counters.to_guest = to_guest;
        port.pis[0].queued = queued;
        progress.is_stuck(0, &[port])
    }

    #[test]
    fn a_full_ring_that_nobody_empties_is_stuck() {
        let mut progress = Progress::default();
        assert!(!look(&mut progress, 0, 0, 0));
        assert!(!look(&mut progress, 0, 7, 0));
        let looks = (1..).take_while(|i| !look(&mut progress, i * 10, 7, 0));
        assert_eq!(looks.count(), LOOKS as usize - 1);
    }

    #[test]
    fn quiet_slow_and_gated_guests_are_not() {
        let mut progress = Progress::default();
        look(&mut progress, 0, 0, 0);
        for _ in 0..3 * LOOKS {
            assert!(!look(&mut progress, 5, 1, 0), "quiet");
        }
        for i in 0..3 * u64::from(LOOKS) {
            assert!(!look(&mut progress, 10 + i, 1 + i, 0), "slow");
        }
        for i in 0..3 * u64::from(LOOKS) {
            assert!(!look(&mut progress, 100 + i, 9, 64), "waits for its phase");
        }
    }

    #[test]
    fn a_guest_that_is_still_setting_up_is_not() {
        let mut progress = Progress::default();
        for i in 0..3 * u64::from(LOOKS) {
            // Frames of an earlier machine of this guest do not count.
            assert!(!look(&mut progress, i, 1000, 0));
        }
    }
}

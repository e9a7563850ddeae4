//! When frames really leave: a link that carries one after the other, whatever instants were computed for them.
//!
//! Pure: time comes in with the frames. Must never take a computed start for granted: a frame does not leave before
//! it was handed over.

use clap::ValueEnum;
use serde::Serialize;

use super::PIS;

const PS_PER_NS: u64 = 1_000;

/// What the ports can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ports {
    /// They hold a frame until its computed start; one that comes later leaves at once.
    Launch,
    /// A frame leaves as soon as it is handed over and the link is free.
    Immediate,
}

/// A link.
#[derive(Debug)]
pub(crate) struct Link {
    ports: Ports,
    /// What instants are counted from, nanoseconds.
    epoch_ns: u64,
    /// When it is free, picoseconds since the epoch; by PI where frames of the next window may come before
    /// the last of this one.
    free_ps: [u64; PIS],
}

impl Link {
    pub(crate) fn new(ports: Ports, epoch_ns: u64) -> Self {
        Self {
            ports,
            epoch_ns,
            free_ps: [0; PIS],
        }
    }

    /// A frame of `pi` was handed over at `handed_ns`, is to start at `start_ns`, and holds the link for `wire_ps`. Returns
    /// when it leaves, rounded down.
    #[inline]
    pub(crate) fn leave(&mut self, pi: usize, handed_ns: u64, start_ns: u64, wire_ps: u64) -> u64 {
        let since = |ns: u64| ns.saturating_sub(self.epoch_ns).saturating_mul(PS_PER_NS);
        let (lane, wanted_ps) = match self.ports {
            Ports::Launch => (pi, since(start_ns.max(handed_ns))),
            Ports::Immediate => (0, since(handed_ns)),
        };
        let mut left_ps = wanted_ps;
        if let Some(free_ps) = self.free_ps.get_mut(lane) {
            left_ps = wanted_ps.max(*free_ps);
            *free_ps = left_ps.saturating_add(wire_ps);
        }
        self.epoch_ns + left_ps / PS_PER_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launch_time_holds_frames_and_late_ones_leave_at_once() {
        let mut link = Link::new(Ports::Launch, 1_000);
        assert_eq!(link.leave(0, 2_000, 5_000, 792_000), 5_000);
        assert_eq!(link.leave(0, 2_000, 5_792, 792_000), 5_792);
        // Late: at once, and what is behind it waits.
        assert_eq!(link.leave(0, 9_000, 8_000, 792_000), 9_000);
        assert_eq!(link.leave(0, 9_000, 8_792, 792_000), 9_792);
    }

    #[test]
    fn the_next_windows_frames_may_come_first() {
        let mut link = Link::new(Ports::Launch, 0);
        assert_eq!(link.leave(1, 90_000, 100_000, 792_000), 100_000);
        assert_eq!(link.leave(0, 91_000, 99_000, 792_000), 99_000);
    }

    #[test]
    fn without_launch_time_frames_leave_back_to_back() {
        let mut link = Link::new(Ports::Immediate, 0);
        // Computed starts are ahead of what a bare link does.
        assert_eq!(link.leave(0, 1_000, 1_000, 79_200), 1_000);
        assert_eq!(link.leave(0, 1_000, 4_000, 79_200), 1_079);
        assert_eq!(link.leave(1, 1_000, 9_000, 79_200), 1_158);
        assert_eq!(link.leave(1, 7_000, 1_000, 79_200), 7_000);
    }
}

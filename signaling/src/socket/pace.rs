//! When the next frame may go: the peak rate of a connection, held by whoever sends (GCRA, ITU-T I.371 annex A,
//! virtual scheduling).
//!
//! The network drops what comes earlier than the rate and its tolerance allow. Half of the tolerance is used here; the
//! other half is left for what the host does to frames on their way out. A frame that goes late leaves those behind it
//! that half to catch up.
//!
//! Pure: time is given. Must never let more go than the network lets in.

use crate::qos::{OVERHEAD_OCTETS, Peak, Traffic};

/// Octets of the shortest frame on the wire: 64 and preamble and gap.
const SHORTEST_ON_WIRE: u64 = 84;
const NS: u128 = 1_000_000_000;

/// See the module.
#[derive(Debug, Clone)]
pub struct Pace {
    peak: Option<Peak>,
    tolerance_ns: u64,
    /// When the next frame is due by the rate alone ("theoretical arrival time").
    due_ns: u64,
    /// What is left of the nanoseconds, in parts of the rate.
    rest: u64,
}

impl Pace {
    /// The pace of traffic that nothing of was sent yet.
    #[must_use]
    pub fn new(traffic: &Traffic) -> Self {
        Self {
            peak: traffic.peak,
            tolerance_ns: traffic.cdvt_ns / 2,
            due_ns: 0,
            rest: 0,
        }
    }

    /// How long the next frame has to wait, nanoseconds.
    #[must_use]
    pub fn wait_ns(&self, now_ns: u64) -> u64 {
        self.due_ns
            .saturating_sub(self.tolerance_ns)
            .saturating_sub(now_ns)
    }

    /// A frame with a payload of so many octets goes.
    pub fn goes(&mut self, now_ns: u64, payload: usize) {
        // `units` at `rate` units a second.
        let (units, rate) = match self.peak {
            None => return,
            Some(Peak::Frames(rate)) => (1, rate),
            Some(Peak::Bits(rate)) => {
                let octets = OVERHEAD_OCTETS.saturating_add(payload as u64);
                (octets.max(SHORTEST_ON_WIRE).saturating_mul(8), rate)
            }
        };
        if self.due_ns < now_ns {
            (self.due_ns, self.rest) = (now_ns, 0);
        }
        let parts = u128::from(units) * NS + u128::from(self.rest);
        let rate_parts = u128::from(rate);
        // Nothing goes at a rate of 0 after this one.
        let (ns, rest) = match rate {
            0 => (u64::MAX, 0),
            _ => (
                u64::try_from(parts / rate_parts).unwrap_or(u64::MAX),
                // Less than the rate, which fits.
                (parts % rate_parts) as u64,
            ),
        };
        self.due_ns = self.due_ns.saturating_add(ns);
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::qos::Class;

    fn traffic(peak: Option<Peak>, cdvt_ns: u64) -> Traffic {
        Traffic {
            class: Class::Cbr,
            peak,
            cdvt_ns,
            max_sdu: 1000,
        }
    }

    /// Sends as early as it may from `start` on: the times.
    fn eager(pace: &mut Pace, start: u64, payload: usize, frames: usize) -> Vec<u64> {
        let mut now = start;
        let send = |_| {
            now += pace.wait_ns(now);
            pace.goes(now, payload);
            now
        };
        (0..frames).map(send).collect()
    }

    #[test]
    fn frames_go_at_their_rate() {
        let mut pace = Pace::new(&traffic(Some(Peak::Frames(3)), 0));
        let times = eager(&mut pace, 7, 500, 4);
        // The third of a second that is no whole number is not lost.
        assert_eq!(times, [7, 333_333_340, 666_666_673, 1_000_000_007]);
    }

    #[test]
    fn bits_count_on_the_wire_where_no_frame_is_shorter_than_84_octets() {
        let mut pace = Pace::new(&traffic(Some(Peak::Bits(1_000_000)), 0));
        assert_eq!(eager(&mut pace, 0, 0, 2), [0, 84 * 8 * 1000]);
        let mut pace = Pace::new(&traffic(Some(Peak::Bits(1_000_000)), 0));
        assert_eq!(eager(&mut pace, 0, 53, 2), [0, 100 * 8 * 1000]);
    }

    #[test]
    fn half_of_the_tolerance_is_used() {
        let mut pace = Pace::new(&traffic(Some(Peak::Frames(1000)), 5_000_000));
        let times = eager(&mut pace, 0, 1, 5);
        assert_eq!(times, [0, 0, 0, 500_000, 1_500_000]);
    }

    #[test]
    fn what_was_not_sent_is_not_made_up_beyond_the_tolerance() {
        let mut pace = Pace::new(&traffic(Some(Peak::Frames(1000)), 0));
        assert_eq!(eager(&mut pace, 0, 1, 2), [0, 1_000_000]);
        assert_eq!(eager(&mut pace, 90_000_000, 1, 2), [90_000_000, 91_000_000]);
    }

    #[test]
    fn without_a_rate_nothing_waits_and_at_none_all_does() {
        let mut pace = Pace::new(&traffic(None, 0));
        assert_eq!(eager(&mut pace, 5, 1, 3), [5, 5, 5]);
        let mut pace = Pace::new(&traffic(Some(Peak::Frames(0)), 0));
        assert_eq!(eager(&mut pace, 5, 1, 2), [5, u64::MAX]);
    }

    proptest! {
        /// A policer with the whole tolerance (I.371 annex A) drops nothing, however late the sender is now and then.
        #[test]
        fn no_policer_drops_what_is_paced(
            rate in 1u64..10_000_000_000,
            cdvt_ns in 0u64..10_000_000,
            frames in prop::collection::vec((0usize..1500, 0u64..1_000_000), 1..100),
        ) {
            let mut pace = Pace::new(&traffic(Some(Peak::Bits(rate)), cdvt_ns));
            // In billionths of a bit, to be exact.
            let (mut now, mut policer) = (0u64, 0u128);
            for (payload, late) in frames {
                now += pace.wait_ns(now) + late;
                let arrives = u128::from(now) * u128::from(rate);
                let allowed = arrives + u128::from(cdvt_ns) * u128::from(rate);
                // Less than a nanosecond of rounding.
                prop_assert!(policer <= allowed + u128::from(rate));
                let octets = (payload as u64 + OVERHEAD_OCTETS).max(SHORTEST_ON_WIRE);
                policer = policer.max(arrives) + u128::from(octets) * 8 * NS;
                pace.goes(now, payload);
            }
        }
    }
}

//! Launch time through the interface's queueing discipline: the instant that each frame is given.
//!
//! A frame's start is an instant of CLOCK_MONOTONIC. tc-fq(8) takes it as it is. tc-etf(8) counts in
//! CLOCK_TAI, whose distance is measured when the port opens and now and then off the frame path, and it
//! drops what is late, so that:
//! - without offload a frame is given its start plus etf's delta. etf lets it go its delta ahead of that,
//!   which is at its start, and a frame may be late by as much as the delta before it is dropped.
//! - with offload a frame is given its start, and the interface holds it until then. Frames have to come
//!   the delta ahead of it.
//!
//! Must never give a frame an instant before that of the frame before it: etf would drop it.

use rustix::time::{ClockId, DynamicClockId, Timespec, clock_gettime_dynamic};

use super::qdisc::Holder;

/// A distance of the clocks that moved further is one that was set, nanoseconds.
const STEP_NS: u64 = 1_000_000;

/// How the frames of a port are given their instants.
#[derive(Debug)]
pub(super) struct LaunchTime {
    holder: Holder,
    /// From CLOCK_MONOTONIC to the discipline's clock.
    distance_ns: i64,
    shift_ns: u64,
    /// What the last frame was given.
    latest_ns: u64,
}

impl LaunchTime {
    pub(super) fn new(holder: Holder) -> Self {
        let shift_ns = match holder {
            Holder::Etf {
                delta_ns,
                offload: false,
            } => delta_ns.into(),
            Holder::Fq | Holder::Etf { .. } => 0,
        };
        let mut launch = Self {
            holder,
            distance_ns: 0,
            shift_ns,
            latest_ns: 0,
        };
        launch.measure();
        launch
    }

    /// See [`Port::launch_lead_ns`](crate::Port::launch_lead_ns).
    pub(super) fn lead_ns(&self) -> u64 {
        match self.holder {
            Holder::Etf {
                delta_ns,
                offload: true,
            } => delta_ns.into(),
            Holder::Fq | Holder::Etf { .. } => 0,
        }
    }

    /// The clock whose instants frames are given.
    pub(super) fn clock(&self) -> i32 {
        match self.holder {
            Holder::Fq => libc::CLOCK_MONOTONIC,
            Holder::Etf { .. } => libc::CLOCK_TAI,
        }
    }

    /// True where a frame that is late is dropped.
    pub(super) fn drops_late(&self) -> bool {
        matches!(self.holder, Holder::Etf { .. })
    }

    /// The instant to give a frame, nanoseconds of [`clock`](Self::clock).
    #[inline]
    pub(super) fn instant_ns(&mut self, start_ns: u64) -> u64 {
        let instant_ns = start_ns
            .saturating_add(self.shift_ns)
            .saturating_add_signed(self.distance_ns);
        if !self.drops_late() {
            return instant_ns;
        }
        self.latest_ns = self.latest_ns.max(instant_ns);
        self.latest_ns
    }

    /// Measures the distance of the clocks. Not for the frame path.
    pub(super) fn measure(&mut self) {
        if self.drops_late() {
            self.correct(tai_distance_ns());
        }
    }

    fn correct(&mut self, distance_ns: i64) {
        if distance_ns.abs_diff(self.distance_ns) > STEP_NS {
            self.latest_ns = 0;
        }
        self.distance_ns = distance_ns;
    }

    /// For people.
    pub(super) fn describe(&self) -> String {
        match self.holder {
            Holder::Fq => "fq, launch time".to_owned(),
            Holder::Etf { delta_ns, offload } => {
                let by = if offload { " of the interface" } else { "" };
                format!("etf with a delta of {delta_ns} ns, launch time{by}")
            }
        }
    }
}

/// From CLOCK_MONOTONIC to CLOCK_TAI: of several looks the one that was interrupted the least.
fn tai_distance_ns() -> i64 {
    const LOOKS: usize = 8;
    let looks = (0..LOOKS).map(|_| {
        let before = now_ns(DynamicClockId::Known(ClockId::Monotonic));
        let tai = now_ns(DynamicClockId::Tai);
        let after = now_ns(DynamicClockId::Known(ClockId::Monotonic));
        (after - before, tai - before.midpoint(after))
    });
    looks.min().map_or(0, |(_, distance)| distance)
}

fn now_ns(clock: DynamicClockId<'_>) -> i64 {
    // Every kernel with etf has both clocks.
    let zero = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let now = clock_gettime_dynamic(clock).unwrap_or(zero);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETF: Holder = Holder::Etf {
        delta_ns: 200_000,
        offload: false,
    };
    const OFFLOADED: Holder = Holder::Etf {
        delta_ns: 200_000,
        offload: true,
    };

    #[test]
    fn each_discipline_is_given_what_lets_a_frame_go_at_its_start() {
        let of = |holder: Holder| {
            let mut launch = LaunchTime::new(holder);
            launch.distance_ns = 37_000_000_000;
            (
                launch.instant_ns(5_000),
                launch.clock(),
                launch.lead_ns(),
                launch.drops_late(),
            )
        };
        let (monotonic, tai) = (libc::CLOCK_MONOTONIC, libc::CLOCK_TAI);
        assert_eq!(of(ETF), (37_000_205_000, tai, 0, true));
        assert_eq!(of(OFFLOADED), (37_000_005_000, tai, 200_000, true));
        let mut fq = LaunchTime::new(Holder::Fq);
        fq.measure();
        assert_eq!(fq.instant_ns(5_000), 5_000);
        assert_eq!(
            (fq.clock(), fq.lead_ns(), fq.drops_late()),
            (monotonic, 0, false)
        );
    }

    #[test]
    fn a_measurement_lets_no_instant_go_back_but_a_clock_that_was_set_does() {
        let mut launch = LaunchTime::new(ETF);
        launch.shift_ns = 0;
        launch.correct(1_000_000_000);
        assert_eq!(launch.instant_ns(100), 1_000_000_100);
        launch.correct(999_999_900);
        assert_eq!(launch.instant_ns(150), 1_000_000_100);
        assert_eq!(launch.instant_ns(300), 1_000_000_200);
        launch.correct(-5);
        assert_eq!(launch.instant_ns(300), 295);
        assert_eq!(launch.instant_ns(u64::MAX), u64::MAX - 5);
    }

    #[test]
    fn the_distance_to_tai_is_measured() {
        let measured = tai_distance_ns();
        let (monotonic, tai) = (
            now_ns(DynamicClockId::Known(ClockId::Monotonic)),
            now_ns(DynamicClockId::Tai),
        );
        // The clocks run alike; what is between the two looks is a stall of this thread.
        assert!((tai - monotonic - measured).abs() < 1_000_000_000);
    }
}

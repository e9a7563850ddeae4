//! The experiments of the Xen node of 2012 as constants, what it was found to need, and lines through what is
//! measured here.
//!
//! G. Rzym, K. Wajda, "Performance Tests of Xen-based Node for Future Internet IIP Initiative": three streams at
//! once, one of each PI, 10 to 330 Mb/s each, seven sizes and random ones, with phases of 100 us; the CPU use of each
//! virtual machine's first vCPU fitted by a line. Must never measure anything.

use crate::fit::LineFit;
use crate::results::{CpuCheck, CpuFit, CpuPoint, SizeLabel};

/// Names of the PIs, in the order of the table.
pub const PIS: [&str; 3] = ["ipv6qos", "can", "dss"];
/// Frame sizes, octets with FCS (section 6.1).
pub const SIZES: [u16; 7] = [79, 128, 256, 512, 1024, 1280, 1518];
/// Random sizes, each between the two equally likely (section 7.2), octets with FCS.
pub const RANDOM: (u16, u16) = (79, 1518);
/// Lowest and highest rate of each of the three streams, bits per second. 3 x 330 Mb/s of 79-octet frames fit on a
/// link of 1 Gb/s only with preamble and gap counted in, so that is what these rates are: of the wire.
pub const RATES_BPS: (f64, f64) = (10e6, 330e6);
/// Time of one trial, seconds (section 6.1).
pub const TRIAL_S: u64 = 110;
/// Phase of each PI, nanoseconds (section 6.2).
pub const PHASE_NS: u64 = 100_000;
/// Capacity of the links, bits per second.
pub const CAPACITY_BPS: u64 = 1_000_000_000;

/// CPU use of a first vCPU in percent, over thousands of frames per second: CPU = a x + b.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Percent for each thousand frames per second.
    pub a: f64,
    /// Percent.
    pub b: f64,
    /// Coefficient of determination.
    pub r2: f64,
}

const fn line(a: f64, b: f64, r2: f64) -> Line {
    Line { a, b, r2 }
}

/// Table 1 of the paper: by size, as in [`SIZES`], and PI, as in [`PIS`].
pub const TABLE_1: [[Line; 3]; 7] = [
    [
        line(3.2580, 17.4400, 0.9859),
        line(3.8780, 20.7800, 0.9827),
        line(2.5440, 15.9600, 0.9885),
    ],
    [
        line(2.6810, 8.4820, 0.9859),
        line(3.1700, 10.7200, 0.9850),
        line(2.0680, 9.1430, 0.9832),
    ],
    [
        line(1.4670, 9.5110, 0.9832),
        line(1.7810, 12.1500, 0.9882),
        line(1.1080, 10.5500, 0.9626),
    ],
    [
        line(0.9354, 7.4550, 0.9561),
        line(1.0680, 8.9720, 0.9614),
        line(0.7271, 9.0230, 0.9182),
    ],
    [
        line(0.6521, 4.4250, 0.9842),
        line(0.7717, 5.1020, 0.9808),
        line(0.5987, 5.2490, 0.9637),
    ],
    [
        line(0.3863, 4.8230, 0.9646),
        line(0.4427, 4.9360, 0.9117),
        line(0.4262, 4.5550, 0.8367),
    ],
    [
        line(0.3717, 3.9690, 0.9614),
        line(0.3769, 4.7130, 0.8977),
        line(0.4678, 3.3700, 0.9452),
    ],
];

/// What the paper has for a PI and a size; `None` where it has nothing.
#[must_use]
pub fn published(pi: &str, size: &SizeLabel) -> Option<Line> {
    let SizeLabel::Octets(size) = size else {
        return None;
    };
    let row = SIZES.iter().position(|known| known == size)?;
    let column = PIS.iter().position(|known| *known == pi)?;
    Some(TABLE_1[row][column])
}

/// Rates of each stream on the wire, bits per second, rising: the paper's range in steps of 20 Mb/s (it does not say
/// which it had), or six rates for a minute's work.
#[must_use]
pub fn rates_bps(is_quick: bool) -> Vec<f64> {
    let (first, last) = RATES_BPS;
    let steps = if is_quick { 5 } else { 16 };
    let step = (last - first) / f64::from(steps);
    (0..=steps).map(|n| first + f64::from(n) * step).collect()
}

/// Frames per second of `size` octets in the mean (with FCS) that make up `wire_bps` with preamble and gap.
#[must_use]
pub fn frames_per_second(wire_bps: f64, size: f64) -> f64 {
    /// Preamble, start delimiter, inter-packet gap (IEEE 802.3 4.4.2).
    const WIRE_OVERHEAD: f64 = 20.0;
    wire_bps / (8.0 * (size + WIRE_OVERHEAD))
}

/// Points of a line at least: through two each line fits wholly, and says nothing.
pub const LEAST_POINTS: usize = 3;

/// A line for each PI (and the host), isolation and size, through the points without loss alone, in the order in which
/// they first come. None where there are fewer than [`LEAST_POINTS`].
#[must_use]
pub fn fits(points: &[CpuPoint]) -> Vec<CpuFit> {
    let key = |point: &CpuPoint| {
        (
            point.isolation.clone(),
            point.size.clone(),
            point.pi.clone(),
        )
    };
    let mut keys = Vec::new();
    for point in points {
        let key = key(point);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let fit = |of: (String, SizeLabel, String)| {
        let these = points
            .iter()
            .filter(|point| point.lossless && key(point) == of);
        let xy: Vec<(f64, f64)> = these.map(|point| (point.kfps, point.percent)).collect();
        if xy.len() < LEAST_POINTS {
            return None;
        }
        let fit = LineFit::of(&xy)?;
        let (isolation, size, pi) = of;
        Some(CpuFit {
            pi,
            isolation,
            size,
            fit,
        })
    };
    keys.into_iter().filter_map(fit).collect()
}

/// A line of the table that has what was measured beside what was published.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Frames.
    pub size: SizeLabel,
    /// A PI's name, or `host`.
    pub pi: String,
    /// The paper's; none for the host and for random sizes.
    pub published: Option<Line>,
    /// In virtual machines; none: not measured, or too few points without loss.
    pub kvm: Option<LineFit>,
    /// As host threads: the native baseline.
    pub thread: Option<LineFit>,
}

/// The table, in the order in which sizes and PIs first come.
#[must_use]
pub fn beside(fits: &[CpuFit]) -> Vec<Compared> {
    let mut table: Vec<Compared> = Vec::new();
    for of in fits {
        let place = table
            .iter()
            .position(|row| row.size == of.size && row.pi == of.pi);
        let place = place.unwrap_or_else(|| {
            table.push(Compared {
                size: of.size.clone(),
                pi: of.pi.clone(),
                published: published(&of.pi, &of.size),
                kvm: None,
                thread: None,
            });
            table.len() - 1
        });
        match of.isolation.as_str() {
            "kvm" => table[place].kvm = Some(of.fit),
            "thread" => table[place].thread = Some(of.fit),
            _ => {}
        }
    }
    table
}

impl CpuCheck {
    /// CPU time that the kernel has and the accounting has not, nanoseconds: going to sleep and waking up, and in a
    /// VM what its host does for that on the vCPU's thread. Negative: time was accounted in which it did not run.
    #[must_use]
    pub fn remainder_ns(&self) -> f64 {
        self.thread_cpu_ns as f64 - self.busy_ns as f64 - self.poll_ns as f64
    }

    /// The same by wake-up; `None` where there was none.
    #[must_use]
    pub fn remainder_ns_per_wakeup(&self) -> Option<f64> {
        (self.wakeups > 0).then(|| self.remainder_ns() / self.wakeups as f64)
    }
}

#[cfg(test)]
#[path = "seed_tests.rs"]
mod tests;

//! The machine's own noise: what a bare loop that reads the TSC on the worker's core sees of edges and gaps.
//!
//! Must never do more in its loop than read, compare and, behind an edge or a gap, count.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use hdrhistogram::Histogram;
use pinode_measure::stats::{self, Summary};
use serde::Serialize;

use crate::unsafe_tsc::{hz, ticks};

/// Gaps between two readings, by length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Gaps {
    /// 1 to 10 microseconds.
    pub from_1_us: u64,
    /// 10 to 100 microseconds.
    pub from_10_us: u64,
    /// Longer.
    pub from_100_us: u64,
    /// The longest, nanoseconds.
    pub longest_ns: u64,
}

/// What a bare loop saw.
#[derive(Debug, Clone, Serialize)]
pub struct Floor {
    /// Lateness of the first look behind each edge, nanoseconds.
    pub lateness_ns: Summary,
    /// Edges.
    pub edges: u64,
    /// How long it looked.
    pub seconds: f64,
    /// Looks in a second.
    pub looks_per_s: f64,
    /// Gaps between looks.
    pub gaps: Gaps,
}

/// Collects looks at the time, in ticks.
struct Looks {
    step: u64,
    next: u64,
    last: u64,
    /// A gap that counts.
    long: u64,
    ns_per_tick: f64,
    lateness: Histogram<u64>,
    gaps: Gaps,
    looks: u64,
}

impl Looks {
    /// Edges every `step` ticks from `start` on, where the first look is.
    fn new(start: u64, step: u64, hz: u64) -> Self {
        Self {
            step: step.max(1),
            next: start + step.max(1),
            last: start,
            long: hz / 1_000_000,
            ns_per_tick: 1e9 / hz.max(1) as f64,
            lateness: stats::total(),
            gaps: Gaps::default(),
            looks: 0,
        }
    }

    #[inline]
    fn look(&mut self, now: u64) {
        self.looks += 1;
        if now - self.last >= self.long {
            self.gap(now - self.last);
        }
        self.last = now;
        if now >= self.next {
            self.edge(now);
        }
    }

    #[cold]
    fn gap(&mut self, ticks: u64) {
        let ns = (ticks as f64 * self.ns_per_tick) as u64;
        match ns {
            0..10_000 => self.gaps.from_1_us += 1,
            10_000..100_000 => self.gaps.from_10_us += 1,
            _ => self.gaps.from_100_us += 1,
        }
        self.gaps.longest_ns = self.gaps.longest_ns.max(ns);
    }

    /// The first look behind an edge, or behind several.
    #[cold]
    fn edge(&mut self, now: u64) {
        while self.next <= now {
            let late = (now - self.next) as f64 * self.ns_per_tick;
            self.lateness.saturating_record(late as u64);
            self.next += self.step;
        }
    }

    fn floor(&self, took: u64) -> Floor {
        let seconds = took as f64 * self.ns_per_tick / 1e9;
        Floor {
            lateness_ns: Summary::of(&self.lateness),
            edges: self.lateness.len(),
            seconds,
            looks_per_s: self.looks as f64 / seconds,
            gaps: self.gaps,
        }
    }
}

impl Floor {
    /// Looks for edges `every` on `cpu` for `span`; where `beside` names a CPU, while that one is kept busy.
    ///
    /// # Errors
    ///
    /// The CPU is not to be had.
    pub fn measure(
        cpu: usize,
        beside: Option<usize>,
        every: Duration,
        span: Duration,
    ) -> anyhow::Result<Self> {
        let end = Arc::new(AtomicBool::new(false));
        let neighbour = beside.map(|cpu| {
            let end = Arc::clone(&end);
            std::thread::spawn(move || {
                let pinned = pin(cpu);
                while !end.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
                pinned
            })
        });
        let looked = std::thread::spawn(move || pin(cpu).map(|()| look(every, span))).join();
        end.store(true, Ordering::Relaxed);
        if let Some(neighbour) = neighbour {
            neighbour.join().ok().context("the busy loop panicked")??;
        }
        looked.ok().context("the bare loop panicked")?
    }
}

fn pin(cpu: usize) -> anyhow::Result<()> {
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set)
        .with_context(|| format!("no thread can be pinned to CPU {cpu}"))
}

fn look(every: Duration, span: Duration) -> Floor {
    let hz = hz();
    let in_ticks = |time: Duration| (time.as_secs_f64() * hz as f64) as u64;
    let start = ticks();
    let end = start + in_ticks(span);
    let mut looks = Looks::new(start, in_ticks(every), hz);
    loop {
        let now = ticks();
        looks.look(now);
        if now >= end {
            return looks.floor(now - start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_behind_an_edge_says_how_late_it_is() {
        let mut looks = Looks::new(1_000, 100_000, 1_000_000_000);
        for now in [50_000, 100_999, 101_000, 101_040, 200_900, 201_030, 201_050] {
            looks.look(now);
        }
        let floor = looks.floor(200_050);
        assert_eq!((floor.edges, floor.lateness_ns.max), (2, 30));
        assert_eq!(
            floor.lateness_ns.min, 0,
            "a look at the very edge is not late"
        );
    }

    #[test]
    fn every_edge_in_a_gap_is_as_late_as_the_gap_leaves_it() {
        let mut looks = Looks::new(0, 100_000, 1_000_000_000);
        looks.look(99_000);
        looks.look(330_000);
        let floor = looks.floor(330_000);
        assert_eq!((floor.edges, floor.lateness_ns.min), (3, 30_000));
        // Three digits of the histogram.
        assert!(floor.lateness_ns.max.abs_diff(230_000) < 230);
    }

    #[test]
    fn ticks_are_not_nanoseconds() {
        // 2.5 GHz: 250,000 ticks are 100 us.
        let mut looks = Looks::new(0, 250_000, 2_500_000_000);
        looks.look(250_500);
        assert_eq!(looks.floor(250_500).lateness_ns.max, 200);
    }

    #[test]
    fn gaps_are_told_apart_by_length() {
        let mut looks = Looks::new(0, u64::MAX / 2, 1_000_000_000);
        for now in [999, 1_999, 11_999, 12_000, 111_999, 211_999] {
            looks.look(now);
        }
        let expected = Gaps {
            from_1_us: 1,
            from_10_us: 2,
            from_100_us: 1,
            longest_ns: 100_000,
        };
        assert_eq!(looks.gaps, expected);
    }
}

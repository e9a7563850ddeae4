//! What comes out, how late, and what is lost, over what is offered: the seed's figures 5, 6, 10 and 11, and the
//! frame loss rate of RFC 2544 26.3.
//!
//! Points are trials of the tests `loss` and `latency`, which hold a rate for the whole trial; a search for the
//! throughput holds none.

use super::super::chart::{Chart, Series, WHOLE};
use super::super::number::fixed;
use super::super::svg::distinct;
use super::super::table::{Cell, Table};
use super::order::{Order, is_hollow, isolation_words, size_words};
use super::section::Section;
use crate::results::{Results, SizeLabel, Test, TrialRecord};

/// A trial as a point: means of its streams.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Offered to each stream, bits per second with FCS; none: the mean size of a mix is not known.
    pub offered_bps: Option<f64>,
    /// Offered to each stream, frames per second.
    pub offered_fps: f64,
    /// Received of each stream, bits per second.
    pub received_bps: f64,
    /// Received of each stream, frames per second.
    pub received_fps: f64,
    /// Part of what was sent, 0.0 to 1.0.
    pub loss_ratio: f64,
    /// Of the frames of all streams; none: no frame arrived.
    pub mean_latency_ns: Option<f64>,
    trials: f64,
}

/// Points of one size and isolation by rising load.
#[derive(Debug, Clone)]
pub struct Sweep<'a> {
    /// Frames.
    pub size: &'a SizeLabel,
    /// How guest functions ran; empty: nothing is known of that.
    pub isolation: &'a str,
    /// By rising load.
    pub points: Vec<Point>,
}

impl Point {
    fn of(trial: &TrialRecord) -> Option<Self> {
        if trial.streams.is_empty() {
            return None;
        }
        let n = trial.streams.len() as f64;
        let sum = |of: &dyn Fn(&crate::results::StreamRecord) -> f64| {
            trial.streams.iter().map(of).sum::<f64>()
        };
        let received_fps = sum(&|s| s.received_fps);
        let received_bps = sum(&|s| s.received_l2_bps);
        let octets = match &trial.size {
            SizeLabel::Octets(octets) => Some(f64::from(*octets)),
            // What was received has the mix of what was sent but for a few frames.
            SizeLabel::Mix(_) => (received_fps > 0.0).then(|| received_bps / received_fps / 8.0),
        };
        let offered_fps = sum(&|s| s.offered_fps) / n;
        let (sent, received) = (sum(&|s| s.sent as f64), sum(&|s| s.received as f64));
        let lost = sum(&|s| s.lost as f64);
        Some(Self {
            offered_bps: octets.map(|octets| offered_fps * octets * 8.0),
            offered_fps,
            received_bps: received_bps / n,
            received_fps: received_fps / n,
            loss_ratio: if sent > 0.0 { lost / sent } else { 0.0 },
            mean_latency_ns: (received > 0.0)
                .then(|| sum(&|s| s.latency_ns.mean * s.received as f64) / received),
            trials: 1.0,
        })
    }

    /// The mean of this and another at the same load.
    fn with(&self, other: &Self) -> Self {
        let n = self.trials + other.trials;
        let mean = |a: f64, b: f64| (a * self.trials + b * other.trials) / n;
        let either = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(mean(a, b)),
            _ => a.or(b),
        };
        Self {
            offered_bps: either(self.offered_bps, other.offered_bps),
            offered_fps: mean(self.offered_fps, other.offered_fps),
            received_bps: mean(self.received_bps, other.received_bps),
            received_fps: mean(self.received_fps, other.received_fps),
            loss_ratio: mean(self.loss_ratio, other.loss_ratio),
            mean_latency_ns: either(self.mean_latency_ns, other.mean_latency_ns),
            trials: n,
        }
    }
}

/// Sweeps with at least two loads, in the order of the report.
pub fn sweeps<'a>(results: &'a Results, order: &'a Order) -> Vec<Sweep<'a>> {
    // What is known of no isolation (another device, another tester) is a kind of its own.
    let trials = results.trials.iter();
    let isolations = distinct(trials.map(|t| t.isolation.as_deref().unwrap_or_default()));
    let mut sweeps = Vec::new();
    for size in &order.sizes {
        for isolation in &isolations {
            let of_sweep = |t: &&TrialRecord| {
                matches!(t.test, Test::Loss | Test::Latency)
                    && !t.refused
                    && t.size == *size
                    && t.isolation.as_deref().unwrap_or_default() == *isolation
            };
            let mut points: Vec<Point> = results
                .trials
                .iter()
                .filter(of_sweep)
                .filter_map(Point::of)
                .collect();
            points.sort_by(|a, b| a.offered_fps.total_cmp(&b.offered_fps));
            let mut merged: Vec<Point> = Vec::new();
            for point in points {
                match merged.last_mut() {
                    Some(last) if point.offered_fps <= last.offered_fps * (1.0 + 1e-6) => {
                        *last = last.with(&point);
                    }
                    _ => merged.push(point),
                }
            }
            if merged.len() > 1 {
                sweeps.push(Sweep {
                    size,
                    isolation,
                    points: merged,
                });
            }
        }
    }
    sweeps
}

/// What of a point is drawn over what: axes, whether by powers of ten, and the place of a point.
struct Shown {
    title: &'static str,
    about: &'static str,
    x: &'static str,
    y: &'static str,
    logarithmic: bool,
    place: fn(&Point) -> Option<(f64, f64)>,
}

const OFFERED: &str = "offered to each PI, Mb/s";

const IN_BITS: Shown = Shown {
    title: "Throughput over offered load",
    about: "Received from each PI over offered to each PI, means of the PIs, in Mb/s.",
    x: OFFERED,
    y: "Mb/s",
    logarithmic: false,
    place: |p| Some((p.offered_bps? / 1e6, p.received_bps / 1e6)),
};
const IN_FRAMES: Shown = Shown {
    title: "Throughput in frames over offered load",
    about: "Received from each PI in thousands of frames per second over offered to each PI in Mb/s, means of the PIs.",
    x: OFFERED,
    y: "kframes/s",
    logarithmic: false,
    place: |p| Some((p.offered_bps? / 1e6, p.received_fps / 1e3)),
};
const LATENCY: Shown = Shown {
    title: "Mean latency over offered load",
    about: "Mean latency of the frames of all PIs over offered to each PI in Mb/s; upwards by powers of ten.",
    x: OFFERED,
    y: "µs",
    logarithmic: true,
    place: |p| Some((p.offered_bps? / 1e6, p.mean_latency_ns? / 1e3)),
};
const LOSS: Shown = Shown {
    title: "Frame loss over offered load",
    about: "Frames lost of those sent, all PIs, in percent, over offered to each PI in Mb/s.",
    x: OFFERED,
    y: "% lost",
    logarithmic: false,
    place: |p| Some((p.offered_bps? / 1e6, p.loss_ratio * 100.0)),
};

/// The section, if there is a sweep.
pub fn section(results: &Results, order: &Order) -> Option<Section> {
    let sweeps = sweeps(results, order);
    let fixed_sizes = |s: &&Sweep<'_>| matches!(s.size, SizeLabel::Octets(_));
    let (one_size, mixes): (Vec<_>, Vec<_>) = sweeps.iter().partition(fixed_sizes);
    let mut section = Section::new("load", "Over offered load");
    section.say("Each point is the trials at one load; loads and rates are means of the streams, which are offered their load at the same time. Figures have the numbers that they have in the seed, the Xen node of 2012.");
    for (shown, number) in [
        (&IN_BITS, "5a"),
        (&IN_FRAMES, "5b"),
        (&LATENCY, "6"),
        (&LOSS, ""),
    ] {
        section.figure(
            shown.title,
            draw(shown, &one_size, order),
            caption(shown, number, "by size of frames"),
        );
    }
    let mixed = "sizes mixed";
    for (shown, number) in [(&IN_BITS, "10"), (&LATENCY, "11"), (&LOSS, "")] {
        let label = format!("{}, {mixed}", shown.title);
        section.figure(
            label,
            draw(shown, &mixes, order),
            caption(shown, number, mixed),
        );
    }
    section.folded(table(&sweeps));
    section.shown()
}

fn caption(shown: &Shown, number: &str, what: &str) -> String {
    let seed = if number.is_empty() {
        String::new()
    } else {
        format!(" (the seed's figure {number})")
    };
    format!("{}, {what}{seed}. {}", shown.title, shown.about)
}

fn draw(shown: &Shown, sweeps: &[&Sweep<'_>], order: &Order) -> Option<String> {
    let series = |sweep: &&Sweep<'_>| Series {
        name: size_words(sweep.size),
        style: order.style_of_size(sweep.size),
        hollow: is_hollow(sweep.isolation),
        marked: true,
        joined: true,
        points: sweep.points.iter().filter_map(shown.place).collect(),
    };
    Chart {
        title: shown.title,
        about: shown.about,
        x: shown.x,
        y: shown.y,
        logarithmic: shown.logarithmic,
        width: WHOLE,
        reach: (0.0, 0.0),
        kinds: order.kinds(),
        series: sweeps.iter().map(series).collect(),
    }
    .draw()
}

fn table(sweeps: &[Sweep<'_>]) -> Table {
    let mut table = Table::new(
        "The points of these figures: means of the streams of a trial",
        &[
            "Size (octets)",
            "<In",
            "Offered (Mb/s)",
            "Offered (kframes/s)",
            "Received (Mb/s)",
            "Received (kframes/s)",
            "Lost (%)",
            "Mean latency (µs)",
        ],
    );
    for sweep in sweeps {
        for p in &sweep.points {
            table.row([
                sweep.size.to_string().into(),
                isolation_words(sweep.isolation).into(),
                p.offered_bps
                    .map_or("–".to_owned(), |bps| fixed(bps / 1e6, 1))
                    .into(),
                fixed(p.offered_fps / 1e3, 2).into(),
                fixed(p.received_bps / 1e6, 1).into(),
                fixed(p.received_fps / 1e3, 2).into(),
                Cell::marked(fixed(p.loss_ratio * 100.0, 4), p.loss_ratio > 0.0),
                p.mean_latency_ns
                    .map_or("–".to_owned(), |ns| fixed(ns / 1e3, 1))
                    .into(),
            ]);
        }
    }
    table
}

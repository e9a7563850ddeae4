//! Latencies of the latency test, and the rates of all streams above their ceilings.

use super::super::distribution::{Axes, Curve, Distribution};
use super::super::number::{count, fixed, signed};
use super::super::table::{Cell, Table};
use super::order::{Order, is_hollow, isolation_words, size_words};
use super::section::{Figure, Section};
use crate::results::{Results, SizeLabel, StreamRecord, Test, TrialRecord};

/// The same stream in all repetitions of a trial.
pub struct Repeated<'a> {
    /// Frames.
    pub size: &'a SizeLabel,
    /// How guest functions ran.
    pub isolation: &'a str,
    /// One for each repetition, at least one.
    pub streams: Vec<&'a StreamRecord>,
}

impl Repeated<'_> {
    /// The first of them.
    pub fn first(&self) -> &StreamRecord {
        self.streams[0]
    }

    fn with_frames(&self) -> impl Iterator<Item = &StreamRecord> {
        self.streams.iter().copied().filter(|s| s.received > 0)
    }

    /// Mean of the repetitions in which frames arrived (RFC 2544 26.2).
    pub fn mean_ns(&self) -> Option<f64> {
        let n = self.with_frames().count();
        (n > 0).then(|| self.with_frames().map(|s| s.latency_ns.mean).sum::<f64>() / n as f64)
    }

    /// The smallest of the repetitions.
    pub fn least(&self, of: fn(&StreamRecord) -> u64) -> Option<u64> {
        self.with_frames().map(of).min()
    }

    /// The largest of the repetitions.
    pub fn most(&self, of: fn(&StreamRecord) -> u64) -> Option<u64> {
        self.with_frames().map(of).max()
    }

    /// Over all repetitions.
    pub fn sum(&self, of: fn(&StreamRecord) -> u64) -> u64 {
        self.streams.iter().map(|s| of(s)).sum()
    }
}

/// Streams of trials of `test` that were not refused, repetitions together, in the order of the report.
pub fn repeated<'a>(results: &'a Results, order: &Order, test: Test) -> Vec<Repeated<'a>> {
    let mut all: Vec<Repeated<'a>> = Vec::new();
    for trial in results
        .trials
        .iter()
        .filter(|t| t.test == test && !t.refused)
    {
        let isolation = trial.isolation.as_deref().unwrap_or_default();
        for stream in &trial.streams {
            let same = |known: &&mut Repeated<'_>| {
                let first = known.first();
                known.size == &trial.size
                    && known.isolation == isolation
                    && (&first.pi, &first.from, &first.to) == (&stream.pi, &stream.from, &stream.to)
                    && (first.offered_fps - stream.offered_fps).abs() <= first.offered_fps * 1e-6
            };
            match all.iter_mut().find(same) {
                Some(known) => known.streams.push(stream),
                None => all.push(Repeated {
                    size: &trial.size,
                    isolation,
                    streams: vec![stream],
                }),
            }
        }
    }
    let isolation = |r: &Repeated<'_>| order.isolations.iter().position(|i| i == r.isolation);
    all.sort_by(|a, b| {
        let key = |r: &Repeated<'_>| (order.place_of(&r.first().pi), isolation(r));
        (a.size.cmp(b.size)).then_with(|| key(a).cmp(&key(b)))
    });
    all
}

/// The section, if the latency test was made.
pub fn section(results: &Results, order: &Order) -> Option<Section> {
    let mut section = Section::new("latency", "Latency");
    section.say("From the instant a frame was due to its last bit on the far link. The computed wait is that of a lone frame for its phase of the cycle; what the mean is above it is the node's own. A distribution is read as: this share of the frames was not slower than that.");
    section.table(table(&repeated(results, order, Test::Latency)));
    section.pairs(distributions(results, order));
    section.shown()
}

fn way(stream: &StreamRecord) -> String {
    match (stream.from.as_str(), stream.to.as_str()) {
        ("", "") => String::new(),
        (from, to) => format!("{from} → {to}"),
    }
}

fn table(all: &[Repeated<'_>]) -> Table {
    let mut table = Table::new(
        "Latency in µs. Of several trials: the mean of means, the smallest minimum, the largest of each other figure.",
        &[
            "Size (octets)",
            "<PI",
            "<In",
            "<Way",
            "Trials",
            "Offered (kframes/s)",
            "Lost",
            "Min",
            "Mean",
            "p50",
            "p99",
            "p99.9",
            "Max",
            "Mean wait, computed",
            "Mean above it",
        ],
    );
    for repeated in all {
        let first = repeated.first();
        let us = |ns: Option<f64>| ns.map_or("–".to_owned(), |ns| fixed(ns / 1e3, 1));
        let whole = |ns: Option<u64>| us(ns.map(|ns| ns as f64));
        let lost = repeated.sum(|s| s.lost);
        let mean = repeated.mean_ns();
        let above = mean
            .zip(first.mean_wait_ns)
            .map(|(mean, wait)| signed((mean - wait) / 1e3, 1));
        table.row([
            repeated.size.to_string().into(),
            first.pi.as_str().into(),
            isolation_words(repeated.isolation).into(),
            way(first).into(),
            repeated.streams.len().to_string().into(),
            fixed(first.offered_fps / 1e3, 2).into(),
            Cell::marked(count(lost), lost > 0),
            whole(repeated.least(|s| s.latency_ns.min)).into(),
            us(mean).into(),
            whole(repeated.most(|s| s.latency_ns.p50)).into(),
            whole(repeated.most(|s| s.latency_ns.p99)).into(),
            whole(repeated.most(|s| s.latency_ns.p999)).into(),
            whole(repeated.most(|s| s.latency_ns.max)).into(),
            first
                .mean_wait_ns
                .map_or_else(String::new, |ns| fixed(ns / 1e3, 1))
                .into(),
            above.unwrap_or_default().into(),
        ]);
    }
    table
}

/// A plot for each size: the last trial of each isolation at the highest load of the latency test.
fn distributions(results: &Results, order: &Order) -> Vec<Figure> {
    let chosen: Vec<(&SizeLabel, Vec<&TrialRecord>)> = order
        .sizes
        .iter()
        .map(|size| (size, highest(results, size)))
        .filter(|(_, trials)| !trials.is_empty())
        .collect();
    let streams = || {
        chosen
            .iter()
            .flat_map(|(_, trials)| trials)
            .flat_map(|t| &t.streams)
    };
    let points = streams().flat_map(|s| &s.quantiles);
    let axes = Axes::of(points, streams().filter_map(|s| s.longest_wait_ns));
    let figure = |(size, trials): &(&SizeLabel, Vec<&TrialRecord>)| {
        let label = format!("Latency distribution, {}", size_words(size));
        let svg = Distribution {
            title: label.clone(),
            width: super::super::chart::HALF,
            axes: &axes,
            curves: trials
                .iter()
                .flat_map(|trial| curves(trial, order))
                .collect(),
            waits: waits(trials),
        };
        Figure {
            svg: svg.draw(),
            caption: format!("{label}."),
            label,
        }
    };
    chosen.iter().map(figure).collect()
}

fn highest<'a>(results: &'a Results, size: &SizeLabel) -> Vec<&'a TrialRecord> {
    let mut best: Vec<&TrialRecord> = Vec::new();
    let drawn = |t: &&TrialRecord| {
        t.test == Test::Latency
            && !t.refused
            && t.size == *size
            && t.streams.iter().any(|s| !s.quantiles.is_empty())
    };
    let load = |t: &TrialRecord| t.streams.iter().map(|s| s.offered_fps).sum::<f64>();
    for trial in results.trials.iter().filter(drawn) {
        match best.iter_mut().find(|t| t.isolation == trial.isolation) {
            Some(known) if load(trial) >= load(known) => *known = trial,
            Some(_) => {}
            None => best.push(trial),
        }
    }
    best
}

fn curves(trial: &TrialRecord, order: &Order) -> Vec<Curve> {
    let isolation = trial.isolation.as_deref().unwrap_or_default();
    let several_ways = trial
        .streams
        .iter()
        .any(|s| way(s) != way(&trial.streams[0]));
    let curve = |stream: &StreamRecord| {
        let mut name = stream.pi.clone();
        if several_ways {
            name = format!("{name}, {}", way(stream));
        }
        if order.isolations.len() > 1 {
            name = format!("{name}, {}", isolation_words(isolation));
        }
        // Two directions of one PI have marks of their own.
        let place = trial
            .streams
            .iter()
            .position(|s| std::ptr::eq(s, stream))
            .unwrap_or(0);
        Curve {
            name,
            style: if several_ways {
                place % 7
            } else {
                order.style_of(&stream.pi)
            },
            dashed: is_hollow(isolation),
            marked: true,
            quantiles: stream.quantiles.clone(),
        }
    };
    trial
        .streams
        .iter()
        .filter(|s| !s.quantiles.is_empty())
        .map(curve)
        .collect()
}

/// Waits that differ by less than a tenth of a microsecond are one.
fn waits(trials: &[&TrialRecord]) -> Vec<(f64, String)> {
    let mut out: Vec<(f64, String)> = Vec::new();
    for stream in trials.iter().flat_map(|t| &t.streams) {
        let Some(us) = stream.longest_wait_ns.map(|ns| ns / 1e3) else {
            continue;
        };
        if !out.iter().any(|(known, _)| (known - us).abs() < 0.05) {
            out.push((us, stream.pi.clone()));
        }
    }
    out
}

/// All streams above their ceilings, if that was measured.
pub fn saturation(results: &Results, order: &Order) -> Option<Section> {
    let mut section = Section::new("saturation", "All streams above their ceilings");
    section.say("What comes out when every PI is offered more than it may send: no PI may take from another.");
    let mut table = Table::new(
        "Saturation",
        &[
            "Size (octets)",
            "<PI",
            "<In",
            "<Way",
            "Offered (kframes/s)",
            "Received (kframes/s)",
            "Received (Mb/s)",
            "Ceiling (kframes/s)",
            "Share of ceiling (%)",
            "Lost",
        ],
    );
    for repeated in repeated(results, order, Test::Saturation) {
        let n = repeated.streams.len() as f64;
        let mean =
            |of: fn(&StreamRecord) -> f64| repeated.streams.iter().map(|s| of(s)).sum::<f64>() / n;
        let (first, received) = (repeated.first(), mean(|s| s.received_fps));
        let share = first
            .ceiling_fps
            .filter(|c| *c > 0.0)
            .map(|c| fixed(received / c * 100.0, 2));
        table.row([
            repeated.size.to_string().into(),
            first.pi.as_str().into(),
            isolation_words(repeated.isolation).into(),
            way(first).into(),
            fixed(first.offered_fps / 1e3, 2).into(),
            fixed(received / 1e3, 2).into(),
            fixed(mean(|s| s.received_l2_bps) / 1e6, 1).into(),
            first
                .ceiling_fps
                .map_or_else(String::new, |c| fixed(c / 1e3, 2))
                .into(),
            share.unwrap_or_default().into(),
            count(repeated.sum(|s| s.lost)).into(),
        ]);
    }
    section.table(table);
    section.shown()
}

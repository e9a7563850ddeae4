//! Which figures of results are compared, and what makes two of them the same figure.
//!
//! Steps of a search are no figures: each has another load. Must never count a trial that the tester refused, nor a
//! latency of no frame.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::CompareError;
use super::data::Values;
use crate::results::{Results, SizeLabel, StreamRecord, Test, TrialRecord};

/// A kind of figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// What a search found.
    Throughput,
    /// Mean of a trial's latencies.
    LatencyMean,
    /// What 99 % of a trial's frames did not exceed.
    LatencyP99,
    /// Lost of sent frames.
    Loss,
    /// Rate of the frames that came through.
    Received,
    /// Longest burst without loss.
    BackToBack,
    /// Time to be itself again, after overload or a reset.
    Recovery,
    /// Time spent on frames.
    Cpu,
    /// Of a file of plain numbers.
    #[serde(rename = "values")]
    Number,
}

/// Those that results have.
const METRICS: [Metric; 8] = [
    Metric::Throughput,
    Metric::LatencyMean,
    Metric::LatencyP99,
    Metric::Loss,
    Metric::Received,
    Metric::BackToBack,
    Metric::Recovery,
    Metric::Cpu,
];

impl Metric {
    /// As on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::LatencyMean => "latency_mean",
            Self::LatencyP99 => "latency_p99",
            Self::Loss => "loss",
            Self::Received => "received",
            Self::BackToBack => "back_to_back",
            Self::Recovery => "recovery",
            Self::Cpu => "cpu",
            Self::Number => "values",
        }
    }

    /// Of its values.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Throughput | Self::Received => "frames/s",
            Self::LatencyMean | Self::LatencyP99 => "ns",
            Self::Loss => "of 1",
            Self::BackToBack => "frames",
            Self::Recovery => "s",
            Self::Cpu => "% of a CPU",
            Self::Number => "",
        }
    }

    /// All names, for messages and help.
    #[must_use]
    pub fn names() -> String {
        METRICS.map(Self::name).join(", ")
    }

    /// What a trial of `test` is made to show.
    fn shown_by(self, test: Test) -> bool {
        matches!(
            (self, test),
            (Self::LatencyMean | Self::LatencyP99, Test::Latency)
                | (Self::Loss, Test::Loss)
                | (Self::Received, Test::Saturation)
                | (Self::LatencyP99 | Self::Loss, Test::Demand)
        )
    }
}

impl FromStr for Metric {
    type Err = CompareError;

    fn from_str(text: &str) -> Result<Self, CompareError> {
        let found = METRICS.into_iter().find(|metric| metric.name() == text);
        found.ok_or_else(|| CompareError::Metric {
            text: text.to_owned(),
        })
    }
}

/// What was measured: values of equal keys are repetitions of one measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The figure.
    pub metric: Metric,
    /// Of trials: of which test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// Frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<SizeLabel>,
    /// The PI, or `host`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pi: Option<String>,
    /// Where frames entered and came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<String>,
    /// How guest functions ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolation: Option<String>,
    /// How it was found: the search and the loss that it allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// What was offered, where a data set has several loads: frames per second, of CPU use bits per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<u64>,
}

impl Key {
    pub(super) fn plain(metric: Metric) -> Self {
        Self {
            metric,
            test: None,
            size: None,
            pi: None,
            way: None,
            isolation: None,
            method: None,
            load: None,
        }
    }

    fn of(metric: Metric, size: &SizeLabel, pi: &str, isolation: Option<&str>) -> Self {
        Self {
            size: Some(size.clone()),
            pi: Some(pi.to_owned()),
            isolation: isolation.map(str::to_owned),
            ..Self::plain(metric)
        }
    }

    /// The same whatever the load.
    fn without_load(&self) -> Self {
        Self {
            load: None,
            ..self.clone()
        }
    }
}

impl fmt::Display for Key {
    /// `latency_mean of 79 octets, ipv6qos, kvm, at 1000 frames/s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric.name())?;
        match &self.size {
            Some(SizeLabel::Octets(size)) => write!(f, " of {size} octets")?,
            Some(SizeLabel::Mix(name)) => write!(f, " of {name}")?,
            None => {}
        }
        let parts = [&self.pi, &self.way, &self.isolation, &self.method];
        for part in parts.into_iter().flatten() {
            write!(f, ", {part}")?;
        }
        // Of these the metric does not tell the test.
        match self.test {
            Some(Test::Reset) => f.write_str(", reset")?,
            Some(Test::Loss) if self.metric != Metric::Loss => f.write_str(", loss test")?,
            Some(Test::Saturation) => f.write_str(", saturation")?,
            Some(Test::Demand) => f.write_str(", demand")?,
            _ => {}
        }
        let unit = match self.metric {
            Metric::Cpu => "bit/s",
            _ => "frames/s",
        };
        self.load
            .map_or(Ok(()), |load| write!(f, ", at {load} {unit}"))
    }
}

/// The values of each data set, whose files are `sets`; `chosen`: of these kinds alone.
pub(super) fn values(sets: &[&[Results]], chosen: &[Metric]) -> Vec<Values> {
    let found: Vec<Vec<Vec<(Key, f64)>>> = sets
        .iter()
        .map(|files| files.iter().map(|file| of_file(file, chosen)).collect())
        .collect();
    // A load that a search found is another one in each file, and no part of the figure; loads that were laid out
    // beforehand are several in a file, and each is a figure of its own.
    let mut several: Vec<Key> = Vec::new();
    for file in found.iter().flatten() {
        for (index, (key, _)) in file.iter().enumerate() {
            let base = key.without_load();
            let before = file.iter().take(index);
            let another = before
                .filter(|(other, _)| other.without_load() == base)
                .any(|(other, _)| other.load != key.load);
            if another && !several.contains(&base) {
                several.push(base);
            }
        }
    }
    let collect = |files: Vec<Vec<(Key, f64)>>| {
        let mut values = Values::default();
        for (key, value) in files.into_iter().flatten() {
            let base = key.without_load();
            let key = if several.contains(&base) { key } else { base };
            values.add(key, value);
        }
        values
    };
    found.into_iter().map(collect).collect()
}

/// Every value of a file with what it is of.
fn of_file(results: &Results, chosen: &[Metric]) -> Vec<(Key, f64)> {
    let mut found = Vec::new();
    let wanted = |metric| chosen.is_empty() || chosen.contains(&metric);
    if wanted(Metric::Throughput) {
        for search in &results.throughput {
            let loss = search.goal_loss_ratio;
            let allowed = (loss > 0.0).then(|| format!("{} % lost", 100.0 * loss));
            let parts = [Some(search.method.clone()), allowed];
            let parts: Vec<String> = parts
                .into_iter()
                .flatten()
                .filter(|p| !p.is_empty())
                .collect();
            let key = Key {
                method: (!parts.is_empty()).then(|| parts.join(" ")),
                ..Key::of(
                    Metric::Throughput,
                    &search.size,
                    &search.pi,
                    search.isolation.as_deref(),
                )
            };
            found.push((key, search.fps));
        }
    }
    for trial in results.trials.iter().filter(|trial| !trial.refused) {
        for stream in &trial.streams {
            found.extend(of_stream(trial, stream, chosen));
        }
    }
    if wanted(Metric::BackToBack) {
        for bursts in &results.back_to_back {
            let key = Key::of(Metric::BackToBack, &bursts.size, &bursts.pi, None);
            found.extend(
                bursts
                    .bursts
                    .iter()
                    .map(|&frames| (key.clone(), frames as f64)),
            );
        }
    }
    if wanted(Metric::Recovery) {
        for recovery in &results.recovery {
            let key = Key {
                test: Some(recovery.test),
                ..Key::of(Metric::Recovery, &recovery.size, &recovery.pi, None)
            };
            found.extend(
                recovery
                    .seconds
                    .iter()
                    .map(|&seconds| (key.clone(), seconds)),
            );
        }
    }
    if wanted(Metric::Cpu) {
        for point in &results.cpu {
            let key = Key {
                load: Some(point.offered_l2_bps.round() as u64),
                ..Key::of(Metric::Cpu, &point.size, &point.pi, Some(&point.isolation))
            };
            found.push((key, point.percent));
        }
    }
    found.retain(|(_, value)| value.is_finite());
    found
}

fn of_stream(trial: &TrialRecord, stream: &StreamRecord, chosen: &[Metric]) -> Vec<(Key, f64)> {
    if !matches!(
        trial.test,
        Test::Latency | Test::Loss | Test::Saturation | Test::Demand
    ) {
        return Vec::new();
    }
    let came = stream.received > 0;
    let latency = |ns: f64| came.then_some(ns);
    let figures = [
        (Metric::LatencyMean, latency(stream.latency_ns.mean)),
        (Metric::LatencyP99, latency(stream.latency_ns.p99 as f64)),
        (
            Metric::Loss,
            (stream.sent > 0).then(|| stream.lost as f64 / stream.sent as f64),
        ),
        (Metric::Received, Some(stream.received_fps)),
    ];
    let wanted = |metric: Metric| match chosen {
        [] => metric.shown_by(trial.test),
        chosen => chosen.contains(&metric),
    };
    let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let way = match (named(&stream.from), named(&stream.to)) {
        (Some(from), Some(to)) => Some(format!("{from} to {to}")),
        (from, to) => from.or(to),
    };
    figures
        .into_iter()
        .filter(|(metric, _)| wanted(*metric))
        .filter_map(|(metric, value)| {
            let key = Key {
                test: Some(trial.test),
                way: way.clone(),
                load: Some(stream.offered_fps.round() as u64),
                ..Key::of(metric, &trial.size, &stream.pi, trial.isolation.as_deref())
            };
            Some((key, value?))
        })
        .collect()
}

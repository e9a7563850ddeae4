//! `results.csv`: the same results as lines, for spreadsheets and statistics programs (RFC 4180, UTF-8).
//!
//! One table. The column `record` says what a line is; a column that such a record does not have is empty:
//!
//! | `record` | a line is |
//! |---|---|
//! | `trial` | a stream of a trial; `trial` counts trials from 0 as in `results.json` |
//! | `throughput` | what a throughput search found for a stream |
//! | `back_to_back` | RFC 9004, a stream |
//! | `recovery`, `reset` | a repetition of a recovery or reset test |
//! | `demand` | what was demanded of a PI, and what came of exactly that |
//! | `cpu` | a point of CPU use over rate |
//! | `cpu_fit` | CPU percent = `a` * kframes/s + `b` |
//!
//! So `record == "throughput"` is the throughput table. Columns end in their unit. Must never leave a column out,
//! and none is renamed: programs find them by their name.

use serde::Serialize;

use super::{DemandRecord, Recovery, Results, ResultsError, StreamRecord, Test, TrialRecord};

/// A line. The names of the columns, in order, are these.
#[derive(Debug, Default, Serialize)]
struct Line<'a> {
    record: &'static str,
    trial: Option<usize>,
    test: Option<Test>,
    /// Octets with FCS, or the name of a mix.
    size_octets: String,
    pi: &'a str,
    isolation: &'a str,
    from: &'a str,
    to: &'a str,
    duration_s: Option<f64>,
    refused: Option<bool>,
    offered_fps: Option<f64>,
    sent_frames: Option<u64>,
    unsent_frames: Option<u64>,
    received_frames: Option<u64>,
    lost_frames: Option<u64>,
    reordered_frames: Option<u64>,
    duplicated_frames: Option<u64>,
    corrupted_frames: Option<u64>,
    received_fps: Option<f64>,
    received_l2_bps: Option<f64>,
    latency_min_ns: Option<u64>,
    latency_mean_ns: Option<f64>,
    latency_p50_ns: Option<u64>,
    latency_p99_ns: Option<u64>,
    latency_p999_ns: Option<u64>,
    latency_max_ns: Option<u64>,
    mean_wait_ns: Option<f64>,
    longest_wait_ns: Option<f64>,
    ceiling_fps: Option<f64>,
    method: &'a str,
    goal_loss_ratio: Option<f64>,
    throughput_fps: Option<f64>,
    throughput_l2_bps: Option<f64>,
    lower_fps: Option<f64>,
    upper_fps: Option<f64>,
    share_of_ceiling: Option<f64>,
    trials: Option<u32>,
    limited_by: &'a str,
    burst_mean_frames: Option<f64>,
    burst_min_frames: Option<u64>,
    burst_max_frames: Option<u64>,
    burst_stddev_frames: Option<f64>,
    burst_fps: Option<f64>,
    implied_buffer_s: Option<f64>,
    corrected_buffer_s: Option<f64>,
    is_at_least: Option<bool>,
    repetition: Option<usize>,
    after_fps: Option<f64>,
    recovery_s: Option<f64>,
    offered_l2_bps: Option<f64>,
    kfps: Option<f64>,
    cpu_percent: Option<f64>,
    lossless: Option<bool>,
    a: Option<f64>,
    b: Option<f64>,
    r2: Option<f64>,
    points: Option<u32>,
    from_kfps: Option<f64>,
    to_kfps: Option<f64>,
    paused_s: Option<f64>,
    longest_pause_s: Option<f64>,
    demanded_fps: Option<f64>,
    burst_frames: Option<u32>,
    bound_ns: Option<u64>,
    repetitions: Option<u32>,
    held: Option<u32>,
    share_within: Option<f64>,
    host_percent: Option<f64>,
    met: Option<bool>,
}

/// The results as CSV: a header, then the lines, each ended by CR LF.
///
/// # Errors
///
/// None that results can cause; what the library says otherwise.
pub fn to_csv(results: &Results) -> Result<String, ResultsError> {
    let fault = |e: &dyn std::fmt::Display| ResultsError::Csv(e.to_string());
    let mut writer = ::csv::WriterBuilder::new()
        .terminator(::csv::Terminator::CRLF)
        .has_headers(false)
        .from_writer(Vec::new());
    // By hand: a file without a line has its header, too.
    writer.write_record(columns()).map_err(|e| fault(&e))?;
    for line in lines(results) {
        writer.serialize(line).map_err(|e| fault(&e))?;
    }
    let octets = writer.into_inner().map_err(|e| fault(&e))?;
    String::from_utf8(octets).map_err(|e| fault(&e))
}

/// The names of the columns.
#[must_use]
pub fn columns() -> Vec<String> {
    // A writer that makes its own header makes it of the fields of the first line.
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let octets = match writer.serialize(Line::default()) {
        Ok(()) => writer.into_inner().unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let header = octets
        .split(|octet| *octet == b'\n')
        .next()
        .unwrap_or_default();
    let names = header.split(|octet| *octet == b',');
    names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect()
}

fn lines(results: &Results) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for (index, trial) in results.trials.iter().enumerate() {
        lines.extend(trial.streams.iter().map(|s| of_stream(index, trial, s)));
    }
    lines.extend(results.throughput.iter().map(|t| Line {
        record: "throughput",
        test: Some(Test::Throughput),
        size_octets: t.size.to_string(),
        pi: &t.pi,
        isolation: t.isolation.as_deref().unwrap_or_default(),
        ceiling_fps: Some(t.ceiling_fps),
        method: &t.method,
        goal_loss_ratio: Some(t.goal_loss_ratio),
        throughput_fps: Some(t.fps),
        throughput_l2_bps: Some(t.l2_bps),
        lower_fps: Some(t.lower_fps),
        upper_fps: t.upper_fps,
        share_of_ceiling: Some(t.share_of_ceiling),
        trials: Some(t.trials),
        limited_by: &t.limited_by,
        ..Line::default()
    }));
    lines.extend(results.back_to_back.iter().map(|b| Line {
        record: "back_to_back",
        test: Some(Test::BackToBack),
        size_octets: b.size.to_string(),
        pi: &b.pi,
        burst_mean_frames: Some(b.mean_frames),
        burst_min_frames: Some(b.min_frames),
        burst_max_frames: Some(b.max_frames),
        burst_stddev_frames: Some(b.stddev_frames),
        burst_fps: Some(b.burst_fps),
        implied_buffer_s: Some(b.implied_buffer_s),
        corrected_buffer_s: b.corrected_buffer_s,
        is_at_least: Some(b.is_at_least),
        ..Line::default()
    }));
    lines.extend(results.recovery.iter().flat_map(of_recovery));
    lines.extend(results.demands.iter().map(of_demand));
    lines.extend(results.cpu.iter().map(|point| Line {
        record: "cpu",
        size_octets: point.size.to_string(),
        pi: &point.pi,
        isolation: &point.isolation,
        offered_l2_bps: Some(point.offered_l2_bps),
        kfps: Some(point.kfps),
        cpu_percent: Some(point.percent),
        lossless: Some(point.lossless),
        ..Line::default()
    }));
    lines.extend(results.cpu_fit.iter().map(|fit| Line {
        record: "cpu_fit",
        size_octets: fit.size.to_string(),
        pi: &fit.pi,
        isolation: &fit.isolation,
        a: Some(fit.fit.a),
        b: Some(fit.fit.b),
        r2: Some(fit.fit.r2),
        points: Some(fit.fit.points),
        from_kfps: Some(fit.fit.from),
        to_kfps: Some(fit.fit.to),
        ..Line::default()
    }));
    lines
}

fn of_stream<'a>(index: usize, trial: &'a TrialRecord, stream: &'a StreamRecord) -> Line<'a> {
    // No frame, no latency: a 0 would be averaged by whoever reads it.
    let latency = (stream.received > 0).then_some(stream.latency_ns);
    Line {
        record: "trial",
        trial: Some(index),
        test: Some(trial.test),
        size_octets: trial.size.to_string(),
        pi: &stream.pi,
        isolation: trial.isolation.as_deref().unwrap_or_default(),
        from: &stream.from,
        to: &stream.to,
        duration_s: Some(trial.duration_s),
        refused: Some(trial.refused),
        offered_fps: Some(stream.offered_fps),
        sent_frames: Some(stream.sent),
        unsent_frames: Some(stream.unsent),
        received_frames: Some(stream.received),
        lost_frames: Some(stream.lost),
        reordered_frames: Some(stream.reordered),
        duplicated_frames: Some(stream.duplicated),
        corrupted_frames: Some(stream.corrupted),
        received_fps: Some(stream.received_fps),
        received_l2_bps: Some(stream.received_l2_bps),
        latency_min_ns: latency.map(|l| l.min),
        latency_mean_ns: latency.map(|l| l.mean),
        latency_p50_ns: latency.map(|l| l.p50),
        latency_p99_ns: latency.map(|l| l.p99),
        latency_p999_ns: latency.map(|l| l.p999),
        latency_max_ns: latency.map(|l| l.max),
        mean_wait_ns: stream.mean_wait_ns,
        longest_wait_ns: stream.longest_wait_ns,
        ceiling_fps: stream.ceiling_fps,
        paused_s: Some(trial.paused_s),
        longest_pause_s: Some(trial.longest_pause_s),
        ..Line::default()
    }
}

fn of_demand(demand: &DemandRecord) -> Line<'_> {
    let latency = (demand.received > 0).then_some(demand.latency_ns);
    Line {
        record: "demand",
        test: Some(Test::Demand),
        size_octets: demand.size.to_string(),
        pi: &demand.pi,
        isolation: demand.isolation.as_deref().unwrap_or_default(),
        from: &demand.from,
        to: &demand.to,
        duration_s: Some(demand.duration_s),
        offered_fps: Some(demand.offered_fps),
        sent_frames: Some(demand.sent),
        unsent_frames: Some(demand.unsent),
        received_frames: Some(demand.received),
        lost_frames: Some(demand.lost),
        received_fps: Some(demand.received_fps),
        latency_min_ns: latency.map(|l| l.min),
        latency_mean_ns: latency.map(|l| l.mean),
        latency_p50_ns: latency.map(|l| l.p50),
        latency_p99_ns: latency.map(|l| l.p99),
        latency_p999_ns: latency.map(|l| l.p999),
        latency_max_ns: latency.map(|l| l.max),
        cpu_percent: demand.cpu_percent,
        demanded_fps: Some(demand.demanded_fps),
        burst_frames: Some(demand.burst_frames),
        bound_ns: demand.bound_ns,
        repetitions: Some(demand.repetitions),
        held: Some(demand.held),
        share_within: demand.share_within,
        host_percent: demand.host_percent,
        met: Some(demand.met),
        ..Line::default()
    }
}

fn of_recovery(recovery: &Recovery) -> impl Iterator<Item = Line<'_>> {
    let [before, after] = recovery.offered_fps;
    let times = recovery.seconds.iter().enumerate();
    times.map(move |(repetition, seconds)| Line {
        record: match recovery.test {
            Test::Reset => "reset",
            _ => "recovery",
        },
        test: Some(recovery.test),
        size_octets: recovery.size.to_string(),
        pi: &recovery.pi,
        offered_fps: Some(before),
        after_fps: Some(after),
        repetition: Some(repetition),
        recovery_s: Some(*seconds),
        lost_frames: recovery.lost.get(repetition).copied(),
        ..Line::default()
    })
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;

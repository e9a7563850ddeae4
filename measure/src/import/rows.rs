//! Lines become trials, throughputs and points of CPU use.
//!
//! A line with a `record` is of our own `results.csv`; another is a trial, a throughput, or both: what a tester that
//! searched says of the rate it found.

use super::columns::{Columns, Field, what};
use super::line::{Line, octets};
use super::sheet::{Row, Sheet};
use super::{Fault, Options};
use crate::fit::LineFit;
use crate::results::{
    CpuFit, CpuPoint, Results, SCHEMA, SizeLabel, StreamRecord, Throughput, TrialRecord,
};
use crate::stats::Summary;

pub(super) fn results(
    sheet: &Sheet,
    columns: &Columns,
    options: &Options,
) -> Result<Results, Fault> {
    let mut reader = Reader {
        columns,
        options,
        results: empty(),
        trials: Vec::new(),
        not_taken: 0,
        more_than_sent: 0,
        bounds_only: 0,
    };
    for row in &sheet.rows {
        reader.row(row)?;
    }
    let Reader {
        mut results,
        not_taken,
        more_than_sent,
        bounds_only,
        ..
    } = reader;
    let mut note = |lines: u64, what: &str| {
        if lines > 0 {
            results
                .notes
                .push(format!("{lines} imported lines {what}."));
        }
    };
    note(
        not_taken,
        "are of records that are not taken from CSV; results.json has them",
    );
    note(
        more_than_sent,
        "say that more frames arrived than were sent: their loss is given as 0",
    );
    note(
        bounds_only,
        "have no quantiles of latency: p50, p99 and p99.9 are given as the longest latency, which bounds them",
    );
    Ok(results)
}

fn empty() -> Results {
    Results {
        schema: SCHEMA.into(),
        host: crate::results::Host::default(),
        profile: "import".into(),
        path: None,
        path_description: "imported".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        command: String::new(),
        finished: String::new(),
        partial: false,
        tester: None,
        frames: None,
        notes: Vec::new(),
        trials: Vec::new(),
        throughput: Vec::new(),
        back_to_back: Vec::new(),
        recovery: Vec::new(),
        demands: Vec::new(),
        cpu: Vec::new(),
        cpu_fit: Vec::new(),
        cpu_check: Vec::new(),
    }
}

struct Reader<'a> {
    columns: &'a Columns,
    options: &'a Options,
    results: Results,
    /// Number in the file and first line of each trial.
    trials: Vec<(Option<String>, u64)>,
    not_taken: u64,
    more_than_sent: u64,
    bounds_only: u64,
}

impl Reader<'_> {
    fn row(&mut self, row: &Row) -> Result<(), Fault> {
        let (columns, options) = (self.columns, self.options);
        let line = Line {
            row,
            columns,
            options,
        };
        match line.text(Field::Record) {
            Some("trial") => self.trial(&line),
            Some("throughput") => self.throughput(&line),
            Some("cpu") => self.cpu(&line),
            Some("cpu_fit") => self.cpu_fit(&line),
            Some("back_to_back" | "recovery" | "reset" | "demand") => {
                self.not_taken += 1;
                Ok(())
            }
            Some(_) => Err(line.refuse(
                Field::Record,
                "trial, throughput, back_to_back, recovery, reset, demand, cpu or cpu_fit",
            )),
            None => {
                let has_throughput = line.has_throughput();
                if has_throughput {
                    self.throughput(&line)?;
                }
                if !has_throughput || line.text(Field::Sent).is_some() {
                    self.trial(&line)?;
                }
                Ok(())
            }
        }
    }

    fn trial(&mut self, line: &Line<'_>) -> Result<(), Fault> {
        let (test, size) = (line.test()?, line.size()?);
        let duration_s = line.needed(Field::Duration, "is what rates are reckoned by")?;
        if duration_s <= 0.0 {
            return Err(line.refuse(Field::Duration, "more than 0"));
        }
        let stream = self.stream(line, &size, duration_s)?;
        let number = line.text(Field::Trial).map(str::to_owned);
        let known = self
            .trials
            .iter()
            .position(|(known, _)| number.is_some() && *known == number);
        if let Some(at) = known {
            let (trial, first) = (&mut self.results.trials[at], self.trials[at].1);
            let what = [
                (trial.test != test, what(Field::Test)),
                (trial.size != size, what(Field::Size)),
                (trial.duration_s != duration_s, what(Field::Duration)),
            ];
            if let Some((_, what)) = what.into_iter().find(|(differs, _)| *differs) {
                return Err(Fault::Contradiction {
                    line: line.row.line,
                    trial: number.unwrap_or_default(),
                    what,
                    first,
                });
            }
            trial.streams.push(stream);
            return Ok(());
        }
        self.trials.push((number, line.row.line));
        self.results.trials.push(TrialRecord {
            test,
            size,
            isolation: line.text(Field::Isolation).map(str::to_owned),
            duration_s,
            paused_s: line.number(Field::Paused)?.unwrap_or(0.0),
            longest_pause_s: line.number(Field::LongestPause)?.unwrap_or(0.0),
            refused: line.truth(Field::Refused)?.unwrap_or(false),
            foreign: 0,
            stale: 0,
            pacing_error_ns: Summary::default(),
            streams: vec![stream],
        });
        Ok(())
    }

    fn stream(
        &mut self,
        line: &Line<'_>,
        size: &SizeLabel,
        duration_s: f64,
    ) -> Result<StreamRecord, Fault> {
        let why = "is what loss is reckoned by";
        let sent = line
            .count(Field::Sent)?
            .ok_or_else(|| line.absent(Field::Sent, why))?;
        let received = line.count(Field::Received)?;
        let received = received.ok_or_else(|| line.absent(Field::Received, why))?;
        let unsent = line.count(Field::Unsent)?.unwrap_or(0);
        if received > sent {
            self.more_than_sent += 1;
        }
        let received_fps = line.number(Field::ReceivedFps)?;
        let received_fps = received_fps.unwrap_or(received as f64 / duration_s);
        let received_l2_bps = line.number(Field::ReceivedBps)?;
        let by_size = octets(size).map(|octets| received_fps * octets * 8.0);
        Ok(StreamRecord {
            pi: line.pi(),
            from: line.text(Field::From).unwrap_or_default().into(),
            to: line.text(Field::To).unwrap_or_default().into(),
            offered_fps: match line.offered_fps(size)? {
                Some(fps) => fps,
                None => (sent as f64 + unsent as f64) / duration_s,
            },
            sent,
            unsent,
            received,
            lost: line
                .count(Field::Lost)?
                .unwrap_or(sent.saturating_sub(received)),
            reordered: line.count(Field::Reordered)?.unwrap_or(0),
            duplicated: line.count(Field::Duplicated)?.unwrap_or(0),
            corrupted: line.count(Field::Corrupted)?.unwrap_or(0),
            received_fps,
            received_l2_bps: received_l2_bps.or(by_size).unwrap_or(0.0),
            ceiling_fps: line.number(Field::CeilingFps)?,
            latency_ns: self.latency(line)?,
            mean_wait_ns: line.number(Field::MeanWait)?,
            longest_wait_ns: line.number(Field::LongestWait)?,
            quantiles: Vec::new(),
        })
    }

    fn latency(&mut self, line: &Line<'_>) -> Result<Summary, Fault> {
        let whole = |field| -> Result<Option<u64>, Fault> {
            // Up to centuries of nanoseconds; a number in other units may have a fraction of one.
            Ok(line.number(field)?.map(|ns| ns.round() as u64))
        };
        let (min, max) = (whole(Field::LatencyMin)?, whole(Field::LatencyMax)?);
        let mean = line.number(Field::LatencyMean)?;
        let (Some(max), Some(mean)) = (
            max.or(mean.map(|m| m.ceil() as u64)),
            mean.or(max.map(|m| m as f64)),
        ) else {
            return Ok(Summary::default());
        };
        let quantiles = [Field::LatencyP50, Field::LatencyP99, Field::LatencyP999].map(whole);
        let [p50, p99, p999] = quantiles;
        let (p50, p99, p999) = (p50?, p99?, p999?);
        if p50.is_none() || p99.is_none() || p999.is_none() {
            self.bounds_only += 1;
        }
        let min = min.unwrap_or(0);
        // A mean is rounded by whoever wrote it: by a part in a thousand it may be outside.
        let slack = 1.0 + max as f64 * 1e-3;
        if min > max || mean > max as f64 + slack || mean + slack < min as f64 {
            return Err(line.refuse(
                Field::LatencyMean,
                "from the shortest latency to the longest",
            ));
        }
        Ok(Summary {
            min,
            mean,
            p50: p50.unwrap_or(max),
            p99: p99.unwrap_or(max),
            p999: p999.unwrap_or(max),
            max,
        })
    }

    fn throughput(&mut self, line: &Line<'_>) -> Result<(), Fault> {
        let size = line.size()?;
        let line_fps = line.line_rate_fps(&size)?;
        let percent = line.number(Field::ThroughputPercent)?;
        let bps = line.number(Field::ThroughputBps)?;
        let fps = match (
            line.number(Field::ThroughputFps)?,
            percent,
            bps,
            octets(&size),
        ) {
            (Some(fps), ..) => fps,
            (_, Some(percent), ..) => {
                let why = "(or --capacity, or offered load in percent with frames sent and time) is what percent are of";
                line_fps.ok_or_else(|| line.absent(Field::CeilingFps, why))? * percent / 100.0
            }
            (_, _, Some(bps), Some(octets)) => bps / (8.0 * octets),
            _ => return Err(line.absent(Field::ThroughputFps, "is what the line is about")),
        };
        let ceiling_fps = line_fps.ok_or_else(|| {
            line.absent(
                Field::CeilingFps,
                "(or --capacity) is what a throughput is a share of",
            )
        })?;
        if ceiling_fps <= 0.0 {
            return Err(line.refuse(Field::CeilingFps, "more than 0"));
        }
        let l2_bps = bps
            .or(octets(&size).map(|octets| fps * octets * 8.0))
            .unwrap_or(0.0);
        self.results.throughput.push(Throughput {
            pi: line.pi(),
            isolation: line.text(Field::Isolation).map(str::to_owned),
            method: line.text(Field::Method).unwrap_or_default().into(),
            goal_loss_ratio: line.number(Field::GoalLossRatio)?.unwrap_or(0.0),
            fps,
            l2_bps,
            lower_fps: line.number(Field::LowerFps)?.unwrap_or(fps),
            upper_fps: line.number(Field::UpperFps)?,
            ceiling_fps,
            share_of_ceiling: line.number(Field::Share)?.unwrap_or(fps / ceiling_fps),
            trials: line.small(Field::Trials)?.unwrap_or(0),
            limited_by: line.text(Field::LimitedBy).unwrap_or_default().into(),
            confirmations: 0,
            size,
        });
        Ok(())
    }

    fn cpu(&mut self, line: &Line<'_>) -> Result<(), Fault> {
        let why = "is a part of a point";
        self.results.cpu.push(CpuPoint {
            pi: line.pi(),
            isolation: line.text(Field::Isolation).unwrap_or_default().into(),
            size: line.size()?,
            offered_l2_bps: line.number(Field::OfferedBps)?.unwrap_or(0.0),
            kfps: line.needed(Field::Kfps, why)?,
            percent: line.needed(Field::CpuPercent, why)?,
            lossless: line.truth(Field::Lossless)?.unwrap_or(false),
        });
        Ok(())
    }

    fn cpu_fit(&mut self, line: &Line<'_>) -> Result<(), Fault> {
        let why = "is a part of a fit";
        self.results.cpu_fit.push(CpuFit {
            pi: line.pi(),
            isolation: line.text(Field::Isolation).unwrap_or_default().into(),
            size: line.size()?,
            fit: LineFit {
                a: line
                    .signed(Field::FitA)?
                    .ok_or_else(|| line.absent(Field::FitA, why))?,
                b: line
                    .signed(Field::FitB)?
                    .ok_or_else(|| line.absent(Field::FitB, why))?,
                r2: line
                    .signed(Field::FitR2)?
                    .ok_or_else(|| line.absent(Field::FitR2, why))?,
                points: line.small(Field::FitPoints)?.unwrap_or(0),
                from: line.number(Field::FitFrom)?.unwrap_or(0.0),
                to: line.number(Field::FitTo)?.unwrap_or(0.0),
            },
        });
        Ok(())
    }
}

//! Lines become trials, throughputs and points of CPU use.
//!
//! A line with a `record` is of our own `results.csv`; another is a trial, a throughput, or both: what a tester that
//! searched says of the rate it found.

use std::str::FromStr;

use super::columns::{Column, Columns, Field, missing, what};
use super::sheet::{Row, Sheet};
use super::{Fault, Options};
use crate::fit::LineFit;
use crate::results::{
    CpuFit, CpuPoint, Results, SCHEMA, SizeLabel, StreamRecord, Test, Throughput, TrialRecord,
};
use crate::stats::Summary;

/// Smallest and largest frame that is believed, octets with FCS.
const SIZES: std::ops::RangeInclusive<u16> = 46..=16_384;
/// Numbers other than 0 that are believed, in our units: so far apart that no ratio of two leaves what a file can hold.
const NUMBERS: std::ops::RangeInclusive<f64> = 1e-15..=1e24;
/// Largest count that is exact where it was written as a number with a point.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

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
        notes: Vec::new(),
        trials: Vec::new(),
        throughput: Vec::new(),
        back_to_back: Vec::new(),
        recovery: Vec::new(),
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
            Some("back_to_back" | "recovery" | "reset") => {
                self.not_taken += 1;
                Ok(())
            }
            Some(_) => Err(line.refuse(
                Field::Record,
                "trial, throughput, back_to_back, recovery, reset, cpu or cpu_fit",
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
                let why = "or offered load in percent with frames sent and time, or --link, is what percent are of";
                line_fps.ok_or_else(|| line.absent(Field::CeilingFps, why))? * percent / 100.0
            }
            (_, _, Some(bps), Some(octets)) => bps / (8.0 * octets),
            _ => return Err(line.absent(Field::ThroughputFps, "is what the line is about")),
        };
        let ceiling_fps = line_fps.ok_or_else(|| {
            line.absent(
                Field::CeilingFps,
                "(or --link) is what a throughput is a share of",
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

/// Octets of frames that are all alike.
fn octets(size: &SizeLabel) -> Option<f64> {
    match size {
        SizeLabel::Octets(octets) => Some(f64::from(*octets)),
        SizeLabel::Mix(_) => None,
    }
}

/// A line and what its values mean.
struct Line<'a> {
    row: &'a Row,
    columns: &'a Columns,
    options: &'a Options,
}

impl Line<'_> {
    /// The value of a column as it is written. `None`: no such column, or nothing in it.
    fn value(&self, field: Field) -> Option<(&Column, &str)> {
        let column = self.columns.get(field)?;
        let value = self.row.values.get(column.at)?.as_str();
        let is_nothing =
            ["", "-", "--", "n/a", "na", "null"].contains(&value.to_lowercase().as_str());
        (!is_nothing).then_some((column, value))
    }

    fn text(&self, field: Field) -> Option<&str> {
        self.value(field).map(|(_, value)| value)
    }

    fn refuse(&self, field: Field, allowed: &'static str) -> Fault {
        let column = self.columns.get(field);
        Fault::Value {
            line: self.row.line,
            column: column.map_or_else(|| what(field).into(), |column| column.name.clone()),
            found: self.text(field).unwrap_or_default().into(),
            allowed,
        }
    }

    fn absent(&self, field: Field, why: &'static str) -> Fault {
        match self.columns.get(field) {
            Some(_) => Fault::Absent {
                line: self.row.line,
                what: what(field),
                why,
            },
            None if field == Field::CeilingFps => Fault::Absent {
                line: self.row.line,
                what: "ceiling_fps or line_rate_fps",
                why,
            },
            None => missing(field),
        }
    }

    /// A number in our unit.
    fn signed(&self, field: Field) -> Result<Option<f64>, Fault> {
        let Some((column, value)) = self.value(field) else {
            return Ok(None);
        };
        let number = f64::from_str(value)
            .ok()
            .map(|number| number * column.factor);
        match number.filter(|number| *number == 0.0 || NUMBERS.contains(&number.abs())) {
            Some(number) => Ok(Some(number)),
            None => Err(self.refuse(
                field,
                "a number from 1e-15 to 1e24, with a decimal point and without separators of thousands",
            )),
        }
    }

    fn number(&self, field: Field) -> Result<Option<f64>, Fault> {
        match self.signed(field)? {
            Some(number) if number < 0.0 => Err(self.refuse(field, "0 or more")),
            number => Ok(number),
        }
    }

    fn needed(&self, field: Field, why: &'static str) -> Result<f64, Fault> {
        self.number(field)?.ok_or_else(|| self.absent(field, why))
    }

    fn count(&self, field: Field) -> Result<Option<u64>, Fault> {
        let Some((_, value)) = self.value(field) else {
            return Ok(None);
        };
        if let Ok(count) = u64::from_str(value) {
            return Ok(Some(count));
        }
        match f64::from_str(value) {
            Ok(count) if (0.0..=MOST_EXACT).contains(&count) && count.fract() == 0.0 => {
                Ok(Some(count as u64))
            }
            _ => Err(self.refuse(field, "a whole number without separators of thousands")),
        }
    }

    fn small(&self, field: Field) -> Result<Option<u32>, Fault> {
        self.count(field)?
            .map(|count| {
                u32::try_from(count).map_err(|_| self.refuse(field, "a number below 2^32"))
            })
            .transpose()
    }

    fn truth(&self, field: Field) -> Result<Option<bool>, Fault> {
        match self.text(field).map(str::to_lowercase).as_deref() {
            None => Ok(None),
            Some("true" | "yes" | "1") => Ok(Some(true)),
            Some("false" | "no" | "0") => Ok(Some(false)),
            Some(_) => Err(self.refuse(field, "true or false")),
        }
    }

    fn size(&self) -> Result<SizeLabel, Fault> {
        let Some(size) = self.text(Field::Size) else {
            return Err(self.absent(Field::Size, "every line has"));
        };
        match f64::from_str(size) {
            // A name: a mix.
            Err(_) => Ok(SizeLabel::Mix(size.into())),
            Ok(octets) => {
                let range = f64::from(*SIZES.start())..=f64::from(*SIZES.end());
                match octets.fract() == 0.0 && range.contains(&octets) {
                    true => Ok(SizeLabel::Octets(octets as u16)),
                    false => Err(self.refuse(
                        Field::Size,
                        "46 to 16384 octets with FCS, or the name of a mix",
                    )),
                }
            }
        }
    }

    fn test(&self) -> Result<Test, Fault> {
        const TESTS: [(&str, Test); 7] = [
            ("throughput", Test::Throughput),
            ("latency", Test::Latency),
            ("loss", Test::Loss),
            ("back_to_back", Test::BackToBack),
            ("recovery", Test::Recovery),
            ("reset", Test::Reset),
            ("saturation", Test::Saturation),
        ];
        match self.text(Field::Test).map(str::to_lowercase) {
            Some(name) => (TESTS.iter().find(|(known, _)| *known == name))
                .map(|(_, test)| *test)
                .ok_or_else(|| {
                    self.refuse(
                        Field::Test,
                        "throughput, latency, loss, back_to_back, recovery, reset or saturation",
                    )
                }),
            // A rate offered and what became of it: RFC 2544 26.3.
            None => Ok(self.options.test.unwrap_or(match self.has_throughput() {
                true => Test::Throughput,
                false => Test::Loss,
            })),
        }
    }

    fn pi(&self) -> String {
        let named = self.text(Field::Pi).or(self.options.pi.as_deref());
        named.unwrap_or("all").to_owned()
    }

    fn has_throughput(&self) -> bool {
        [
            Field::ThroughputFps,
            Field::ThroughputPercent,
            Field::ThroughputBps,
        ]
        .iter()
        .any(|field| self.text(*field).is_some())
    }

    fn offered_fps(&self, size: &SizeLabel) -> Result<Option<f64>, Fault> {
        if let Some(fps) = self.number(Field::OfferedFps)? {
            return Ok(Some(fps));
        }
        Ok(match (self.number(Field::OfferedBps)?, octets(size)) {
            (Some(bps), Some(octets)) => Some(bps / (8.0 * octets)),
            _ => None,
        })
    }

    /// What the line carries of such frames: as it is given, by the rate of the link, or by what was sent at which
    /// percentage.
    fn line_rate_fps(&self, size: &SizeLabel) -> Result<Option<f64>, Fault> {
        /// Preamble, start delimiter, inter-packet gap (IEEE 802.3 4.4.2).
        const WIRE_OVERHEAD: f64 = 20.0;
        if let Some(fps) = self.number(Field::CeilingFps)? {
            return Ok(Some(fps));
        }
        if let (Some(bps), Some(octets)) = (self.options.link_bps, octets(size)) {
            return Ok(Some(bps as f64 / (8.0 * (octets + WIRE_OVERHEAD))));
        }
        let (percent, duration_s) = (
            self.number(Field::OfferedPercent)?,
            self.number(Field::Duration)?,
        );
        let offered_fps = match (
            self.offered_fps(size)?,
            self.count(Field::Sent)?,
            duration_s,
        ) {
            (Some(fps), ..) => Some(fps),
            (None, Some(sent), Some(duration_s)) if duration_s > 0.0 => {
                Some(sent as f64 / duration_s)
            }
            _ => None,
        };
        Ok(match (offered_fps, percent) {
            (Some(fps), Some(percent)) if percent > 0.0 => Some(fps / percent * 100.0),
            _ => None,
        })
    }
}

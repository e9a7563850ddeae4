//! A line of the file and what its values mean: numbers in our units, sizes, tests, what a line rate is.

use std::str::FromStr;

use super::columns::{Column, Columns, Field, missing, what};
use super::sheet::Row;
use super::{Fault, Options};
use crate::results::{SizeLabel, Test};

/// Smallest and largest frame that is believed, octets with FCS.
const SIZES: std::ops::RangeInclusive<u16> = 46..=16_384;
/// Numbers other than 0 that are believed, in our units: so far apart that no ratio of two leaves what a file can hold.
const NUMBERS: std::ops::RangeInclusive<f64> = 1e-15..=1e24;
/// Largest count that is exact where it was written as a number with a point.
const MOST_EXACT: f64 = 9_007_199_254_740_992.0;

/// Octets of frames that are all alike.
pub(super) fn octets(size: &SizeLabel) -> Option<f64> {
    match size {
        SizeLabel::Octets(octets) => Some(f64::from(*octets)),
        SizeLabel::Mix(_) => None,
    }
}

/// A line and what its values mean.
pub(super) struct Line<'a> {
    pub(super) row: &'a Row,
    pub(super) columns: &'a Columns,
    pub(super) options: &'a Options,
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

    pub(super) fn text(&self, field: Field) -> Option<&str> {
        self.value(field).map(|(_, value)| value)
    }

    pub(super) fn refuse(&self, field: Field, allowed: &'static str) -> Fault {
        let column = self.columns.get(field);
        Fault::Value {
            line: self.row.line,
            column: column.map_or_else(|| what(field).into(), |column| column.name.clone()),
            found: self.text(field).unwrap_or_default().into(),
            allowed,
        }
    }

    pub(super) fn absent(&self, field: Field, why: &'static str) -> Fault {
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
    pub(super) fn signed(&self, field: Field) -> Result<Option<f64>, Fault> {
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

    pub(super) fn number(&self, field: Field) -> Result<Option<f64>, Fault> {
        match self.signed(field)? {
            Some(number) if number < 0.0 => Err(self.refuse(field, "0 or more")),
            number => Ok(number),
        }
    }

    pub(super) fn needed(&self, field: Field, why: &'static str) -> Result<f64, Fault> {
        self.number(field)?.ok_or_else(|| self.absent(field, why))
    }

    pub(super) fn count(&self, field: Field) -> Result<Option<u64>, Fault> {
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

    pub(super) fn small(&self, field: Field) -> Result<Option<u32>, Fault> {
        self.count(field)?
            .map(|count| {
                u32::try_from(count).map_err(|_| self.refuse(field, "a number below 2^32"))
            })
            .transpose()
    }

    pub(super) fn truth(&self, field: Field) -> Result<Option<bool>, Fault> {
        match self.text(field).map(str::to_lowercase).as_deref() {
            None => Ok(None),
            Some("true" | "yes" | "1") => Ok(Some(true)),
            Some("false" | "no" | "0") => Ok(Some(false)),
            Some(_) => Err(self.refuse(field, "true or false")),
        }
    }

    pub(super) fn size(&self) -> Result<SizeLabel, Fault> {
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

    pub(super) fn test(&self) -> Result<Test, Fault> {
        const TESTS: [(&str, Test); 8] = [
            ("throughput", Test::Throughput),
            ("latency", Test::Latency),
            ("loss", Test::Loss),
            ("back_to_back", Test::BackToBack),
            ("recovery", Test::Recovery),
            ("reset", Test::Reset),
            ("saturation", Test::Saturation),
            ("demand", Test::Demand),
        ];
        match self.text(Field::Test).map(str::to_lowercase) {
            Some(name) => (TESTS.iter().find(|(known, _)| *known == name))
                .map(|(_, test)| *test)
                .ok_or_else(|| {
                    self.refuse(
                        Field::Test,
                        "throughput, latency, loss, back_to_back, recovery, reset, saturation or demand",
                    )
                }),
            // A rate offered and what became of it: RFC 2544 26.3.
            None => Ok(self.options.test.unwrap_or(match self.has_throughput() {
                true => Test::Throughput,
                false => Test::Loss,
            })),
        }
    }

    pub(super) fn pi(&self) -> String {
        let named = self.text(Field::Pi).or(self.options.pi.as_deref());
        named.unwrap_or("all").to_owned()
    }

    pub(super) fn has_throughput(&self) -> bool {
        [
            Field::ThroughputFps,
            Field::ThroughputPercent,
            Field::ThroughputBps,
        ]
        .iter()
        .any(|field| self.text(*field).is_some())
    }

    pub(super) fn offered_fps(&self, size: &SizeLabel) -> Result<Option<f64>, Fault> {
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
    pub(super) fn line_rate_fps(&self, size: &SizeLabel) -> Result<Option<f64>, Fault> {
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

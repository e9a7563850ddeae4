//! A comparison for people, in the columns and words of ministat(1).

use std::fmt;

use super::number::general;
use super::student::{CONFIDENCE, Difference};
use super::{Comparison, Figure, SIGNS, Statistics, Verdict};

const HEAD: &str = "    N           Min           Max        Median           Avg        Stddev";

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, sign) in self.sets.iter().zip(SIGNS) {
            writeln!(f, "{sign} {name}")?;
        }
        for figure in &self.figures {
            writeln!(f)?;
            if !figure.unit.is_empty() {
                writeln!(f, "{} ({})", figure.key, figure.unit)?;
            }
            write_figure(f, figure)?;
        }
        if !self.unmatched.is_empty() {
            writeln!(f)?;
        }
        for lone in &self.unmatched {
            let names: Vec<&str> = lone
                .sets
                .iter()
                .filter_map(|&set| self.sets.get(set).map(String::as_str))
                .collect();
            writeln!(
                f,
                "not compared: {} is in {} alone",
                lone.key,
                names.join(" and ")
            )?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

fn write_figure(f: &mut fmt::Formatter<'_>, figure: &Figure) -> fmt::Result {
    writeln!(f, "{HEAD}")?;
    write_statistics(f, 0, &figure.reference)?;
    for other in &figure.others {
        write_statistics(f, other.set, &other.statistics)?;
        write_verdict(f, &other.verdict)?;
    }
    Ok(())
}

fn write_statistics(f: &mut fmt::Formatter<'_>, set: usize, of: &Statistics) -> fmt::Result {
    let sign = SIGNS.get(set).copied().unwrap_or('?');
    write!(f, "{sign} {:>3}", of.n)?;
    for value in [of.min, of.max, of.median, of.average, of.stddev] {
        write!(f, " {:>13}", general(value, 8))?;
    }
    writeln!(f)
}

fn write_verdict(f: &mut fmt::Formatter<'_>, verdict: &Verdict) -> fmt::Result {
    let confidence = 100.0 * CONFIDENCE;
    match verdict {
        Verdict::Difference(found) => {
            writeln!(f, "Difference at {confidence:.1}% confidence")?;
            write_difference(f, found)
        }
        Verdict::NoDifferenceProven(_) => {
            writeln!(f, "No difference proven at {confidence:.1}% confidence")
        }
        Verdict::NoTest { values } => {
            let said = match values {
                [1, 1] => "1 value each".to_owned(),
                [other, reference] => format!("{reference} and {other} values"),
            };
            writeln!(
                f,
                "{said}: no test possible; repeat the measurement with --repeat N"
            )
        }
    }
}

fn write_difference(f: &mut fmt::Formatter<'_>, found: &Difference) -> fmt::Result {
    let six = |value: f64| general(value, 6);
    writeln!(f, "\t{} +/- {}", six(found.difference), six(found.interval))?;
    if let (Some(percent), Some(interval)) = (found.percent, found.percent_interval) {
        writeln!(f, "\t{}% +/- {}%", six(percent), six(interval))?;
    }
    writeln!(
        f,
        "\t(Student's t, pooled s = {})",
        six(found.pooled_stddev)
    )
}

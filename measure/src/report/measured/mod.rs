//! The report of a measurement: what was measured on what, what was found, and the seed's figures and table with
//! what was measured here.
//!
//! Each file below has one part of it and says what it takes for it. A part that has nothing to show is not there.

mod bursts;
mod cpu;
pub(super) mod demand;
pub(super) mod fits;
mod head;
pub(super) mod latency;
pub(super) mod load;
pub(super) mod order;
mod section;
pub(super) mod throughput;

use minijinja::value::Serde;
use minijinja::{Value, context};

use super::page::{self, ReportError};
use crate::results::Results;
use order::Order;
use section::Section;

/// The report as one HTML document, UTF-8. Needs no network and no script; shows what `results` has and says what
/// is partial or refused.
///
/// # Errors
///
/// [`ReportError`]: a mistake of this crate.
pub fn render(results: &Results) -> Result<String, ReportError> {
    let order = Order::of(results);
    let mut env = page::environment()?;
    env.add_template("measured.html", include_str!("measured.html"))?;
    let html = env.get_template("measured.html")?.render(context! {
        r => Value::from(Serde(results)),
        head => Value::from(Serde(head::head(results))),
        sections => Value::from(Serde(sections(results, &order))),
    })?;
    Ok(html + "\n")
}

fn sections(results: &Results, order: &Order) -> Vec<Section> {
    let all = [
        demand::section(results, order),
        throughput::section(results, order),
        latency::section(results, order),
        latency::saturation(results, order),
        load::section(results, order),
        fits::section(results, order),
        cpu::section(results, order),
        cpu::check(results),
        bursts::back_to_back(results, order),
        bursts::recovery(results, order),
        bursts::reset(results, order),
        head::trials(results),
    ];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;

//! What was demanded of each PI, and whether it was met (ITU-T Y.1564).

use super::super::number::{count, fixed};
use super::super::table::{Cell, Table};
use super::order::{Order, isolation_words};
use super::section::Section;
use crate::results::{DemandRecord, Results};

/// Demands, if they were measured.
pub fn section(results: &Results, order: &Order) -> Option<Section> {
    let mut section = Section::new("demand", "Demands");
    section.say("Each PI is offered exactly what was demanded for it, all of them at once: a burst at the beginning of each repetition, then the rate. A repetition holds if nothing is lost and 99 % of the frames come within the bound; a demand is met if more than half of the repetitions hold.");
    section.say("Within: of all frames sent, those that came within the bound. Worker away: how long the one who moves the frames was away itself at most, which no schedule can help; in memory it is in the latencies, as a frame is due then all the same.");
    section.table(table(results, order));
    section.table(missed(results, order));
    section.shown()
}

fn sorted<'a>(results: &'a Results, order: &Order) -> Vec<&'a DemandRecord> {
    let mut all: Vec<_> = results.demands.iter().collect();
    // Rounds stay together: all PIs in one size each, then in another.
    let place = |d: &DemandRecord| results.demands.iter().position(|o| std::ptr::eq(o, d));
    all.sort_by_key(|d| (order.place_of(&d.pi), place(d)));
    all
}

/// The table of the page and of the terminal: 100 columns are enough.
pub fn table(results: &Results, order: &Order) -> Table {
    let mut table = Table::new(
        "Demands (kframes/s, delays in us; within: % of all frames sent; away: the worker itself, at most)",
        &[
            "<PI", "<in", "<to", "size", "asked", "sent", "came", "lost", "bound", "p50", "p99",
            "p99.9", "max", "within", "away", "CPU %", "held", "<met",
        ],
    );
    for d in sorted(results, order) {
        let us = |ns: u64| match d.received {
            0 => String::new(),
            _ => fixed(ns as f64 / 1e3, 0),
        };
        let kilo = |fps: f64| fixed(fps / 1e3, 2);
        table.row([
            d.pi.as_str().into(),
            isolation_words(d.isolation.as_deref().unwrap_or_default()).into(),
            d.to.as_str().into(),
            d.size.to_string().into(),
            kilo(d.demanded_fps).into(),
            kilo(d.offered_fps).into(),
            kilo(d.received_fps).into(),
            Cell::marked(count(d.lost), d.lost > 0),
            d.bound_ns
                .map_or_else(|| "-".to_owned(), |ns| fixed(ns as f64 / 1e3, 0))
                .into(),
            us(d.latency_ns.p50).into(),
            us(d.latency_ns.p99).into(),
            us(d.latency_ns.p999).into(),
            us(d.latency_ns.max).into(),
            d.share_within
                .map_or_else(String::new, |share| fixed(floor(share * 100.0), 2))
                .into(),
            fixed(d.pacing_error_ns.max as f64 / 1e3, 0).into(),
            d.cpu_percent
                .map_or_else(String::new, |percent| fixed(percent, 1))
                .into(),
            format!("{}/{}", d.held, d.repetitions).into(),
            Cell::marked(if d.met { "yes" } else { "NO" }.to_owned(), !d.met),
        ]);
    }
    table
}

/// Down to two decimals: 100 is said where all frames came in time, and nowhere else.
fn floor(percent: f64) -> f64 {
    (percent * 100.0 + 1e-9).floor() / 100.0
}

fn missed(results: &Results, order: &Order) -> Table {
    let mut table = Table::new(
        "Repetitions that did not hold",
        &["<PI", "<To", "Size (octets)", "<By what"],
    );
    for d in sorted(results, order) {
        for why in &d.missed {
            table.row([
                d.pi.as_str().into(),
                d.to.as_str().into(),
                d.size.to_string().into(),
                why.as_str().into(),
            ]);
        }
    }
    table
}

//! The results as plain tables for the end of a run on a terminal of 100 columns: the figures that one looks for
//! first. All of them are in the report.

use std::fmt::Write as _;

use super::measured::demand;
use super::measured::fits::compared;
use super::measured::latency::repeated;
use super::measured::load::sweeps;
use super::measured::order::{Order, isolation_words};
use super::measured::throughput::{is_gated, sorted};
use super::number::fixed;
use super::table::Table;
use crate::results::{Results, Test};

/// Columns of the terminal.
const WIDTH: usize = 100;

/// Throughput, latency, loss and fits, as far as there are any: plain letters, no tabs, lines of up to 100 columns
/// where names leave room. Ends with a newline, or is empty where nothing was found.
#[must_use]
pub fn tables(results: &Results) -> String {
    let order = Order::of(results);
    let all = [
        demand::table(results, &order),
        throughput(results, &order),
        latency(results, &order),
        loss(results, &order),
        saturation(results, &order),
        fits(results, &order),
    ];
    let mut out = String::new();
    for table in all.into_iter().filter(|t| !t.rows.is_empty()) {
        if !out.is_empty() {
            out.push('\n');
        }
        // Writing to a String does not fail.
        let _ = write(&mut out, &table.without_empty_columns());
    }
    out
}

fn throughput(results: &Results, order: &Order) -> Table {
    let share = if is_gated(results) {
        "ceiling %"
    } else {
        "line %"
    };
    let mut table = Table::new(
        "Throughput (kframes/s, Mb/s with FCS)",
        &[
            "size",
            "<PI",
            "<in",
            "<search",
            "loss %",
            "kframes/s",
            "Mb/s",
            share,
            "bounds",
            "trials",
            "<limit",
        ],
    );
    let short = |fps: f64| fixed(fps / 1e3, 1);
    for found in sorted(results, order) {
        table.row([
            found.size.to_string().into(),
            found.pi.as_str().into(),
            isolation_words(found.isolation.as_deref().unwrap_or_default()).into(),
            match found.method.as_str() {
                "mlrsearch" => "mlr".into(),
                other => other.into(),
            },
            fixed(found.goal_loss_ratio * 100.0, 2).into(),
            fixed(found.fps / 1e3, 2).into(),
            fixed(found.l2_bps / 1e6, 1).into(),
            fixed(found.share_of_ceiling * 100.0, 2).into(),
            found
                .upper_fps
                .map_or_else(
                    || format!("{}-", short(found.lower_fps)),
                    |upper| format!("{}-{}", short(found.lower_fps), short(upper)),
                )
                .into(),
            found.trials.to_string().into(),
            found.limited_by.as_str().into(),
        ]);
    }
    table
}

fn latency(results: &Results, order: &Order) -> Table {
    let mut table = Table::new(
        "Latency (us); wait: the mean one, computed for a lone frame",
        &[
            "size",
            "<PI",
            "<in",
            "kframes/s",
            "lost",
            "min",
            "mean",
            "p50",
            "p99",
            "p99.9",
            "max",
            "wait",
            "above it",
        ],
    );
    for repeated in repeated(results, order, Test::Latency) {
        let first = repeated.first();
        let us = |ns: Option<f64>| ns.map_or("-".to_owned(), |ns| fixed(ns / 1e3, 1));
        let whole = |ns: Option<u64>| us(ns.map(|ns| ns as f64));
        let mean = repeated.mean_ns();
        let above = mean
            .zip(first.mean_wait_ns)
            .map(|(mean, wait)| fixed((mean - wait) / 1e3, 1));
        table.row([
            repeated.size.to_string().into(),
            first.pi.as_str().into(),
            isolation_words(repeated.isolation).into(),
            fixed(first.offered_fps / 1e3, 2).into(),
            repeated.sum(|s| s.lost).to_string().into(),
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

/// Of each sweep the highest load without loss, the lowest with loss, and the most.
fn loss(results: &Results, order: &Order) -> Table {
    let mut table = Table::new(
        "Frame loss over offered load (kframes/s to each PI, means of the PIs)",
        &[
            "size",
            "<in",
            "loads",
            "clean up to",
            "lossy from",
            "lost % there",
            "highest load",
            "lost % there",
        ],
    );
    for sweep in sweeps(results, order) {
        let kilo = |p: &super::measured::load::Point| fixed(p.offered_fps / 1e3, 2);
        let percent = |p: &super::measured::load::Point| fixed(p.loss_ratio * 100.0, 4);
        let lossy = sweep.points.iter().position(|p| p.loss_ratio > 0.0);
        let clean = lossy.unwrap_or(sweep.points.len()).checked_sub(1);
        let lossy = lossy.map(|i| &sweep.points[i]);
        let last = sweep.points.last();
        table.row([
            sweep.size.to_string().into(),
            isolation_words(sweep.isolation).into(),
            sweep.points.len().to_string().into(),
            clean
                .map_or("-".to_owned(), |i| kilo(&sweep.points[i]))
                .into(),
            lossy.map_or("-".to_owned(), kilo).into(),
            lossy.map_or("-".to_owned(), percent).into(),
            last.map_or_else(String::new, kilo).into(),
            last.map_or_else(String::new, percent).into(),
        ]);
    }
    table
}

fn saturation(results: &Results, order: &Order) -> Table {
    let mut table = Table::new(
        "All streams above their ceilings (kframes/s)",
        &[
            "size",
            "<PI",
            "<in",
            "offered",
            "received",
            "ceiling",
            "of ceiling %",
        ],
    );
    for repeated in repeated(results, order, Test::Saturation) {
        let first = repeated.first();
        let n = repeated.streams.len() as f64;
        let received = repeated.streams.iter().map(|s| s.received_fps).sum::<f64>() / n;
        let ceiling = first.ceiling_fps.filter(|c| *c > 0.0);
        table.row([
            repeated.size.to_string().into(),
            first.pi.as_str().into(),
            isolation_words(repeated.isolation).into(),
            fixed(first.offered_fps / 1e3, 2).into(),
            fixed(received / 1e3, 2).into(),
            ceiling
                .map_or_else(String::new, |c| fixed(c / 1e3, 2))
                .into(),
            ceiling
                .map_or_else(String::new, |c| fixed(received / c * 100.0, 2))
                .into(),
        ]);
    }
    table
}

fn fits(results: &Results, order: &Order) -> Table {
    let mut table = Table::new(
        "CPU % = a x + b, x in kframes/s: Table 1 of the seed (2012), and measured here in VMs and as threads",
        &[
            "size", "<PI", "seed a", "b", "R2", "VM a", "b", "R2", "thread a", "b", "R2",
        ],
    );
    let words = |line: Option<[f64; 3]>| {
        let digits = |i: usize, digits| line.map_or_else(String::new, |l| fixed(l[i], digits));
        [digits(0, 4), digits(1, 3), digits(2, 4)].map(Into::into)
    };
    for row in compared(results, order) {
        let [sa, sb, sr] = words(row.published.map(|l| [l.a, l.b, l.r2]));
        let [va, vb, vr] = words(row.kvm.map(|f| [f.a, f.b, f.r2]));
        let [ta, tb, tr] = words(row.thread.map(|f| [f.a, f.b, f.r2]));
        let (size, pi) = (row.size.to_string().into(), row.pi.as_str().into());
        table.row([size, pi, sa, sb, sr, va, vb, vr, ta, tb, tr]);
    }
    table
}

/// Columns as wide as what is in them, two spaces apart if that fits and one otherwise.
fn write(out: &mut String, table: &Table) -> std::fmt::Result {
    let plain = |text: &str| {
        let kept = text.chars().filter(|c| *c != '\u{202f}' && !c.is_control());
        kept.map(|c| if matches!(c, '−' | '–') { '-' } else { c })
            .collect::<String>()
    };
    let head = table.columns.iter().map(|c| plain(&c.head)).collect();
    let mut rows: Vec<Vec<String>> = vec![head];
    rows.extend(
        table
            .rows
            .iter()
            .map(|row| row.iter().map(|cell| plain(&cell.text)).collect()),
    );
    let width = |i: usize| {
        rows.iter()
            .map(|row| row[i].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let wide = widths.iter().sum::<usize>() + 2 * widths.len() <= WIDTH;
    let apart = if wide { "  " } else { " " };
    writeln!(out, "{}", table.caption)?;
    for row in &rows {
        let mut line = String::new();
        for (i, ((cell, width), column)) in row.iter().zip(&widths).zip(&table.columns).enumerate()
        {
            let before = if i == 0 { "" } else { apart };
            if column.words {
                write!(line, "{before}{cell:<width$}")?;
            } else {
                write!(line, "{before}{cell:>width$}")?;
            }
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;

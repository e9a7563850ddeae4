//! The demo's closing table on the terminal, which is taken to be 79 columns wide.

use std::fmt::Write as _;
use std::path::Path;

use pinode_measure::report::{DemoReport, Flow, Section};

use crate::words::{WIDTH, wrapped};

const COLUMNS: usize = 10;
type Row = [String; COLUMNS];
/// Columns of words, on the left.
const WORDS: usize = 2;
const HEAD: [[&str; COLUMNS]; 2] = [
    [
        "PI", "way", "octets", "offered", "received", "lost", "share", "mean", "p99", "wait",
    ],
    [
        "", "", "", "frames", "frames", "frames", "%", "us", "us", "us",
    ],
];
const LEGEND: &str = "Share: received rate of what the schedule lets out at most; mean, p99: \
                      latency; wait: the mean one, computed for a lone frame.";

/// The table, and where the report is.
pub fn closing(report: &DemoReport, html: &Path) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut out, report, html);
    out
}

fn write(out: &mut String, report: &DemoReport, html: &Path) -> std::fmt::Result {
    let host = &report.host;
    let machine = format!(
        "pinode demo on {}, {} CPUs, KVM: {}, Linux {}",
        host.cpu, host.cores, host.kvm, host.kernel
    );
    writeln!(out, "\n{}", wrapped(&machine, "  "))?;
    let boots: Vec<String> = report
        .node
        .guests
        .iter()
        .map(|guest| format!("{} {:.1} ms", guest.pi, guest.boot_us as f64 / 1e3))
        .collect();
    let ready = format!(
        "all guests forwarding after {:.0} ms (boot: {})",
        report.node.ready_ms,
        boots.join(", ")
    );
    writeln!(out, "{}", wrapped(&ready, "  "))?;
    for section in &report.sections {
        let phases: Vec<String> = section
            .phases
            .iter()
            .map(|phase| {
                let pi = phase.pi.as_deref().unwrap_or("none");
                format!("{pi}={}us", phase.duration_ns / 1000)
            })
            .collect();
        let heading = format!(
            "{} ({:.1} to {:.1} s): {}",
            section.name,
            section.from_s,
            section.to_s,
            phases.join(" ")
        );
        writeln!(out, "\n{}", wrapped(&heading, "  "))?;
        table(out, section)?;
    }
    writeln!(out, "{}\n", wrapped(LEGEND, ""))?;
    let unsent: u64 = report
        .sections
        .iter()
        .flat_map(|section| &section.flows)
        .map(|flow| flow.figures.unsent)
        .sum();
    if unsent > 0 {
        let late = format!(
            "- The tester itself came too late for {unsent} frames, which were never sent and are \
             in no other figure."
        );
        writeln!(out, "{}", wrapped(&late, "  "))?;
    }
    for note in &report.notes {
        writeln!(out, "{}", wrapped(&format!("- {note}"), "  "))?;
    }
    writeln!(out, "\nreport: {} (open it in a browser)", html.display())?;
    for step in &report.next_steps {
        let what = format!("next: {}", step.what);
        writeln!(out, "{}\n  {}", wrapped(&what, "  "), step.command)?;
    }
    Ok(())
}

/// Columns as wide as what is in them, two spaces apart if that fits and one otherwise.
fn table(out: &mut String, section: &Section) -> std::fmt::Result {
    let mut rows: Vec<Row> = HEAD.map(|head| head.map(str::to_owned)).into();
    rows.extend(section.flows.iter().map(cells));
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let fits = widths.iter().sum::<usize>() + 2 * (COLUMNS - 1) <= WIDTH;
    let apart = if fits { "  " } else { " " };
    for row in &rows {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let before = if column == 0 { "" } else { apart };
            if column < WORDS {
                write!(out, "{before}{cell:<width$}")?;
            } else {
                write!(out, "{before}{cell:>width$}")?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn cells(flow: &Flow) -> Row {
    let figures = &flow.figures;
    [
        flow.pi.clone(),
        format!("{}>{}", initial(&flow.from), initial(&flow.to)),
        flow.size.to_string(),
        figures.sent.to_string(),
        figures.received.to_string(),
        figures.lost.to_string(),
        format!("{:.1}", flow.share_of_ceiling() * 100.0),
        micros(figures.latency_ns.mean),
        micros(figures.latency_ns.p99 as f64),
        micros(flow.mean_wait_ns),
    ]
}

fn initial(name: &str) -> &str {
    name.char_indices()
        .nth(1)
        .map_or(name, |(second, _)| &name[..second])
}

/// Nanoseconds in microseconds; a decimal where it says something.
fn micros(ns: f64) -> String {
    let us = ns / 1e3;
    if us < 9999.95 {
        format!("{us:.1}")
    } else {
        format!("{us:.0}")
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

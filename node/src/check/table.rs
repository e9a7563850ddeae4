//! The report for people.

use std::fmt::Write as _;

use super::{DemandReport, FlowOf, FlowReport, Level2Report, PiReport, Report};
use crate::config::{BitRate, Nanoseconds, Octets};

/// As wide as what a line begins with.
const PAD: &str = "            ";

/// Connections of a port that people are shown one by one; the document has all.
const SHOWN: usize = 16;

/// A block for each port, in it a table for each PI. Frame sizes count the FCS.
#[must_use]
pub fn report_table(report: &Report) -> String {
    let mut out = String::new();
    for port in &report.ports {
        let _ = write!(
            out,
            "port {}: capacity {}, cycle {}, guard {}",
            port.name,
            BitRate(port.capacity_bps),
            Nanoseconds(port.cycle_ns),
            Nanoseconds(port.guard_ns)
        );
        for (what, ns) in [
            ("base time", port.base_tai_ns),
            ("extension", port.extension_ns),
        ] {
            if ns > 0 {
                let _ = write!(out, ", {what} {}", Nanoseconds(ns));
            }
        }
        out.push('\n');
        for (name, pi) in &port.pi {
            let _ = writeln!(
                out,
                "\n  pi {name}: phase {}, largest frame {} octets\n    \
                 guaranteed  {:.1} Mb/s of wire after {:.1} us at most",
                Nanoseconds(pi.phase_ns),
                pi.largest_frame,
                pi.guaranteed_bps / 1e6,
                pi.latency_ns / 1e3,
            );
            if let (Some(flow), Some(demand)) = (&pi.flow, &pi.demand) {
                out.push_str(&demand_lines(flow, demand));
            }
            let _ = writeln!(out, "    delay       of {}\n", delay_of(pi.flow.as_ref()));
            indented(&mut out, &size_table(pi));
            if let Some(level2) = &pi.level2 {
                out.push_str(&level2_lines(level2, pi));
            }
        }
        out.push('\n');
    }
    for note in &report.notes {
        let _ = writeln!(out, "note: {}: {}", note.at, note.what);
    }
    out
}

fn demand_lines(flow: &FlowReport, demand: &DemandReport) -> String {
    let allowed = match demand.allowed_ns {
        Some(ns) => format!(" of {} allowed", Nanoseconds(ns)),
        None => String::new(),
    };
    format!(
        "    demand      {} in frames of {} octets needs {:.1} Mb/s of wire: ok\n    \
         {PAD}bursts of {}: delay {:.1} us{allowed}, up to {} frames wait: ok\n",
        BitRate(flow.rate_bps),
        demand.size,
        demand.needs_bps / 1e6,
        Octets(flow.burst_bytes),
        demand.delay_ns / 1e3,
        demand.backlog_frames,
    )
}

fn delay_of(flow: Option<&FlowReport>) -> String {
    let Some(flow) = flow else {
        return "a lone frame, from its arrival to its end".to_owned();
    };
    let whose = match flow.of {
        FlowOf::Demand => "the demand",
        FlowOf::Police => "what the policer of one port lets in",
    };
    format!(
        "{whose} ({} with bursts of {}) in frames of one size",
        BitRate(flow.rate_bps),
        Octets(flow.burst_bytes)
    )
}

/// Two lines of heads, so that nine columns stand in 80.
fn size_table(pi: &PiReport) -> String {
    let lines = [
        [
            "size",
            "frames",
            "ceiling",
            "ceiling",
            "longest",
            "mean",
            "guaranteed",
            "delay",
            "frames",
        ],
        [
            "octets",
            "/phase",
            "Mb/s",
            "kframes/s",
            "wait us",
            "wait us",
            "Mb/s",
            "us",
            "waiting",
        ],
    ];
    let mut rows = heads(lines);
    rows.extend(pi.sizes.iter().map(|s| {
        vec![
            s.size.to_string(),
            s.frames_per_phase.to_string(),
            format!("{:.1}", s.ceiling_bps / 1e6),
            format!("{:.1}", s.ceiling_fps / 1e3),
            format!("{:.1}", s.longest_wait_ns / 1e3),
            format!("{:.1}", s.mean_wait_ns / 1e3),
            format!("{:.1}", s.guaranteed_bps / 1e6),
            s.delay_ns
                .map_or_else(|| "unbounded".to_owned(), |ns| format!("{:.1}", ns / 1e3)),
            s.backlog_frames.to_string(),
        ]
    }));
    columns(&rows)
}

fn level2_lines(level2: &Level2Report, pi: &PiReport) -> String {
    let (said, rows, more) = match level2 {
        Level2Report::Diffserv {
            size,
            lookahead_ns,
            nc,
            rt,
            assured,
            be,
        } => {
            let mut rows = heads([
                ["class", "policed to", "burst", "of wire", "delay"],
                ["", "Mb/s", "octets", "Mb/s", "us"],
            ]);
            rows.extend([("nc", nc), ("rt", rt)].map(|(name, class)| {
                vec![
                    name.to_owned(),
                    format!("{:.1}", class.rate_bps as f64 / 1e6),
                    class.burst_bytes.to_string(),
                    format!("{:.1}", class.needs_bps / 1e6),
                    format!("{:.1}", class.delay_ns / 1e3),
                ]
            }));
            let all = u32::from(assured.weight) + u32::from(be.weight);
            rows.extend([("as", assured), ("be", be)].map(|(name, class)| {
                vec![
                    name.to_owned(),
                    format!("{}/{all} of rest", class.weight),
                    "-".to_owned(),
                    format!("{:.1}", class.guaranteed_bps / 1e6),
                    "-".to_owned(),
                ]
            }));
            let said = format!(
                "diffserv, nc and rt at most and in frames of {size} octets, as and be at least;\n    \
                 {PAD}delays with a frame of another class and a lookahead of {}",
                Nanoseconds(*lookahead_ns)
            );
            (said, rows, 0)
        }
        Level2Report::Streams {
            lookahead_ns,
            needs_bps,
            signalling_bps,
            base_ns,
            octet_ns,
            connections,
            ..
        } => {
            let mut rows = heads([
                [
                    "vn",
                    "label",
                    "peak rate",
                    "tolerance",
                    "interval",
                    "delay",
                    "variation",
                ],
                ["", "", "Mb/s", "us", "us", "us", "us"],
            ]);
            rows.extend(connections.iter().take(SHOWN).map(|c| {
                vec![
                    c.vn.to_string(),
                    c.label.to_string(),
                    format!("{:.3}", c.rate_bps as f64 / 1e6),
                    format!("{:.1}", c.tolerance_ns as f64 / 1e3),
                    format!("{:.1}", c.interval_ns / 1e3),
                    format!("{:.1}", c.delay_ns / 1e3),
                    match c.variation_ns {
                        Some(ns) => format!("{:.1}", ns / 1e3),
                        None => "unbounded".to_owned(),
                    },
                ]
            }));
            let said = format!(
                "streams, {} with {:.1} and signalling with {:.1} of {:.1} Mb/s of wire: ok;\n    \
                 {PAD}delay of the first frame of a connection once it conforms, with a turn of\n    \
                 {PAD}every other, a frame on its way and a lookahead of {}; for others:\n    \
                 {PAD}{:.1} us and {:.1} ns for each octet of wire of the largest frames of all",
                match connections.len() {
                    1 => "1 connection".to_owned(),
                    more => format!("{more} connections"),
                },
                *needs_bps as f64 / 1e6,
                *signalling_bps as f64 / 1e6,
                pi.guaranteed_bps / 1e6,
                Nanoseconds(*lookahead_ns),
                base_ns / 1e3,
                octet_ns
            );
            (said, rows, connections.len().saturating_sub(SHOWN))
        }
    };
    let mut out = format!("\n    level 2     {said}\n\n");
    indented(&mut out, &columns(&rows));
    if more > 0 {
        let _ = writeln!(out, "    and {more} more; with --json all");
    }
    out
}

fn indented(out: &mut String, table: &str) {
    for line in table.lines() {
        let _ = writeln!(out, "    {line}");
    }
}

fn heads<const N: usize>(lines: [[&str; N]; 2]) -> Vec<Vec<String>> {
    let line = |words: &[&str; N]| words.iter().map(|&word| word.to_owned()).collect();
    lines.iter().map(line).collect()
}

/// Each column as wide as its widest cell, all to the right.
fn columns(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(String::len).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows.first().map_or(0, Vec::len)).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, &width)| format!("{cell:>width$}"))
            .collect();
        let _ = writeln!(out, "{}", cells.join("  "));
    }
    out
}

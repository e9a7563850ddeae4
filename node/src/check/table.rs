//! The report for people.

use std::fmt::Write as _;

use super::{DemandReport, FlowOf, FlowReport, PiReport, Report};
use crate::config::{BitRate, Nanoseconds, Octets};

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
            for line in size_table(pi).lines() {
                let _ = writeln!(out, "    {line}");
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
    let pad = "            ";
    format!(
        "    demand      {} in frames of {} octets needs {:.1} Mb/s of wire: ok\n    \
         {pad}bursts of {}: delay {:.1} us{allowed}, up to {} frames wait: ok\n",
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
    let heads = [
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
    let mut rows: Vec<Vec<String>> = heads
        .iter()
        .map(|head| head.iter().map(|&word| word.to_owned()).collect())
        .collect();
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
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(String::len).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads[0].len()).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, &width)| format!("{cell:>width$}"))
            .collect();
        let _ = writeln!(out, "{}", cells.join("  "));
    }
    out
}

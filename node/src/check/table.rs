//! The report for people.

use std::fmt::Write as _;

use super::{PiReport, Report};
use crate::config::{BitRate, Nanoseconds};
use crate::status::columns;

/// A block for each port, in it a table for each PI. Frame sizes count the FCS.
#[must_use]
pub fn report_table(report: &Report) -> String {
    let mut out = String::new();
    for port in &report.ports {
        let _ = writeln!(
            out,
            "port {}: capacity {}, cycle {}, guard {}",
            port.name,
            BitRate(port.capacity_bps),
            Nanoseconds(port.cycle_ns),
            Nanoseconds(port.guard_ns)
        );
        for (name, pi) in &port.pi {
            let _ = writeln!(
                out,
                "\n  pi {name}: phase {}, guaranteed {:.1} Mb/s of wire after {:.1} us at most, \
                 largest frame {} octets",
                Nanoseconds(pi.phase_ns),
                pi.guaranteed_bps / 1e6,
                pi.latency_ns / 1e3,
                pi.largest_frame
            );
            for line in size_table(pi).lines() {
                let _ = writeln!(out, "    {line}");
            }
        }
        out.push('\n');
    }
    out
}

fn size_table(pi: &PiReport) -> String {
    let head = [
        "size",
        "frames/phase",
        "Mb/s",
        "kframes/s",
        "longest wait us",
        "mean wait us",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(pi.sizes.iter().map(|s| {
        vec![
            s.size.to_string(),
            s.frames_per_phase.to_string(),
            format!("{:.1}", s.ceiling_bps / 1e6),
            format!("{:.1}", s.ceiling_fps / 1e3),
            format!("{:.1}", s.longest_wait_ns / 1e3),
            format!("{:.1}", s.mean_wait_ns / 1e3),
        ]
    }));
    columns(&rows)
}

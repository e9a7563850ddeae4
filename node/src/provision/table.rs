//! Plans and refusals for people.

use std::fmt::Write as _;

use super::part::cpu_words;
use super::plan::Plan;
use super::refusal::Refusal;
use crate::config::{BitRate, Nanoseconds};

/// A block for each port, then the CPUs.
#[must_use]
pub fn plan_table(plan: &Plan) -> String {
    let mut out = String::new();
    for port in &plan.ports {
        let _ = writeln!(
            out,
            "port {}: capacity {}, guard {}, cycle {}, {:.1} % of it left\n",
            port.name,
            BitRate(port.capacity_bps),
            Nanoseconds(port.guard_ns),
            Nanoseconds(port.cycle_ns),
            100.0 * port.spare_ns as f64 / port.cycle_ns as f64
        );
        let mut rows = vec![
            [
                "PI",
                "phase",
                "guaranteed",
                "in frames",
                "ceiling",
                "delay",
                "waiting",
                "queue",
            ]
            .map(str::to_owned),
            [
                "",
                "us",
                "Mb/s of wire",
                "kframes/s",
                "kframes/s",
                "us",
                "frames",
                "",
            ]
            .map(str::to_owned),
        ];
        for phase in &port.phases {
            let has = port.pi.get(&phase.pi);
            let pi = plan.pi.get(&phase.pi);
            let Some((has, pi)) = has.zip(pi) else {
                continue;
            };
            rows.push([
                phase.pi.clone(),
                format!("{:.3}", phase.duration_ns as f64 / 1e3),
                format!("{:.1}", has.guaranteed_bps / 1e6),
                format!("{:.1}", has.guaranteed_fps / 1e3),
                format!("{:.1}", has.ceiling_fps / 1e3),
                format!("{:.1}", has.with_own_ns / 1e3),
                has.backlog_frames.to_string(),
                pi.queue.to_string(),
            ]);
        }
        columns(&mut out, &rows);
        out.push('\n');
    }
    for (name, pi) in &plan.pi {
        let pinned = pi
            .pinned
            .map_or_else(String::new, |cpu| format!(", on CPU {cpu}"));
        let weight = pi
            .weight
            .map_or_else(String::new, |weight| format!(", weight {weight}"));
        let cpu = pi.cpu.map_or_else(|| "CPU not known".to_owned(), cpu_words);
        let _ = writeln!(out, "pi {name}: {}; {cpu}{pinned}{weight}", pi.demand);
    }
    let pinned = plan
        .worker
        .pinned
        .map_or_else(String::new, |cpu| format!(", on CPU {cpu}"));
    let cpu = plan
        .worker
        .cpu
        .map_or_else(|| "CPU not known".to_owned(), cpu_words);
    let _ = writeln!(out, "worker: {cpu}{pinned}");
    for note in &plan.notes {
        let _ = writeln!(out, "note: {note}");
    }
    out
}

/// A line for each constraint that fails, as of a configuration that does not hold.
#[must_use]
pub fn refusal_lines(file: &str, refusal: &Refusal) -> String {
    let mut out = String::new();
    for problem in &refusal.problems {
        let _ = writeln!(out, "{file}: {}: {}", problem.at, problem.what);
    }
    out
}

/// The first column to the left, the others to the right, each as wide as its widest cell.
fn columns<const N: usize>(out: &mut String, rows: &[[String; N]]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(String::len).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let _ = match column {
                0 => write!(out, "  {cell:<width$}"),
                _ => write!(out, "  {cell:>width$}"),
            };
        }
        out.push('\n');
    }
}

//! A node.toml that holds what was demanded, with what is predicted as comments.
//!
//! Complete: `check` takes it as it is, and `run` too where its backends are there.

use std::fmt::Write as _;

use super::plan::{CpuPlan, Plan, Predicted, Sketch};
use crate::config::{BitRate, Nanoseconds, Octets};

/// The file; without a plan what it says is not commented.
pub(super) fn text(sketch: &Sketch<'_>, plan: Option<&Plan>) -> String {
    let mut out = String::new();
    let demands = sketch.demands;
    if plan.is_some() {
        out.push_str(
            "# Dimensioned by `pinode provision`. Comments are predictions; `pinode check` prints the guarantees.\n\n",
        );
    }
    let _ = writeln!(out, "[node]\nname = {}", quoted(&demands.name));
    let _ = writeln!(out, "isolation = {}", quoted(demands.isolation.as_str()));
    if !sketch.cpu.worker_on.is_empty() {
        let _ = writeln!(
            out,
            "cpus = {{ workers = {:?}, guests = {:?} }}",
            sketch.cpu.worker_on, sketch.cpu.guests_on
        );
    }
    if let Some(cpu) = plan.and_then(|plan| plan.worker.cpu) {
        let _ = writeln!(out, "# worker: {}", cpu_words(cpu));
    }
    for (index, port) in demands.ports.iter().enumerate() {
        let Some(schedule) = sketch.schedules.get(index) else {
            continue;
        };
        let _ = write!(
            out,
            "\n[[port]]\nname = {}\nbackend = {}\nmode = \"trunk\"\ncapacity = \"{}\"\nmtu = {}\n[port.cycle]\n\
             guard = \"{}\"\nphases = [\n",
            quoted(&port.name),
            quoted(&port.backend),
            BitRate(port.capacity_bps),
            port.mtu,
            Nanoseconds(port.guard_ns),
        );
        for (_, pi, demand) in sketch.ordered() {
            let phase_ns = schedule.phases_ns.get(pi).copied().unwrap_or(0);
            let name = quoted(&demand.name);
            let _ = writeln!(
                out,
                "  {{ pi = {name}, for = \"{}\" }},",
                Nanoseconds(phase_ns)
            );
        }
        if schedule.spare_ns() > 0 {
            let spare = Nanoseconds(schedule.spare_ns());
            let _ = writeln!(out, "  {{ pi = \"none\", for = \"{spare}\" }},");
        }
        let _ = write!(out, "]");
        if plan.is_some() {
            let share = 100.0 * schedule.spare_ns() as f64 / schedule.cycle_ns as f64;
            let cycle = Nanoseconds(schedule.cycle_ns);
            let _ = write!(out, " # a cycle of {cycle}, {share:.1} % of it left");
        }
        out.push('\n');
    }
    for (_, index, pi) in sketch.ordered() {
        let demand = pi.as_configured();
        let _ = write!(
            out,
            "\n[pi.{}]\ncode = {}\nguest = {}\nmax_sdu = {}\nqueue = {}\n",
            pi.name,
            pi.code,
            quoted(&pi.guest),
            pi.max_sdu(),
            sketch.queues.get(index).map_or(0, |(_, queue)| *queue),
        );
        if let Some(weight) = sketch.weight(index) {
            let _ = writeln!(out, "cpu = {{ weight = {weight} }}");
        }
        if let Some(plan) = plan {
            comments(&mut out, plan, &pi.name);
        }
        let _ = write!(
            out,
            "demand = {{ rate = \"{}\", burst = \"{}\", size = {}",
            BitRate(demand.rate_bps),
            Octets(demand.burst),
            demand.size
        );
        if let Some(frames) = demand.frames {
            let _ = write!(out, ", frames = {frames}");
        }
        if let Some(delay_ns) = sketch.delay_ns(index) {
            let _ = write!(out, ", delay = \"{}\"", Nanoseconds(delay_ns));
            if let Some(own_ns) = sketch.own_ns.get(index).copied().flatten() {
                let _ = write!(out, ", own_latency = \"{}\"", Nanoseconds(own_ns));
            }
        }
        out.push_str(" }\n");
    }
    out
}

fn comments(out: &mut String, plan: &Plan, name: &str) {
    let Some(pi) = plan.pi.get(name) else {
        return;
    };
    let _ = writeln!(out, "# asked for: {}", pi.demand);
    // Ports that are alike are told of together.
    let mut told: Vec<(Vec<&str>, &Predicted)> = Vec::new();
    for port in &plan.ports {
        let Some(has) = port.pi.get(name) else {
            continue;
        };
        match told.iter_mut().find(|(_, other)| *other == has) {
            Some((ports, _)) => ports.push(&port.name),
            None => told.push((vec![&port.name], has)),
        }
    }
    for (ports, has) in told {
        let _ = writeln!(
            out,
            "# {}: {:.1} Mb/s of wire guaranteed, {:.1} thousand frames of {} octets a second ({:.1} at most);\n\
             #   delay {:.1} us at most, {} frames wait",
            ports.join(", "),
            has.guaranteed_bps / 1e6,
            has.guaranteed_fps / 1e3,
            pi.size,
            has.ceiling_fps / 1e3,
            has.delay_ns / 1e3,
            has.backlog_frames,
        );
    }
    if let Some(own_ns) = pi.own_latency_ns {
        let _ = writeln!(
            out,
            "# the node itself was measured to take {:.1} us more, which the demand below leaves it (own_latency)",
            own_ns as f64 / 1e3
        );
    }
    if let Some(cpu) = pi.cpu {
        let _ = writeln!(out, "# guest: {}", cpu_words(cpu));
    }
}

/// `12.3 % of a CPU at 100.000 thousand frames a second (R-square 0.991)`.
pub(super) fn cpu_words(cpu: CpuPlan) -> String {
    format!(
        "{:.1} % of a CPU at {:.3} thousand frames a second (R-square {:.3})",
        cpu.percent, cpu.kfps, cpu.r2
    )
}

/// As TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

//! The demo's closing table on the terminal.

use std::fmt::Write as _;
use std::path::Path;

use pinode_measure::report::{DemoReport, Flow};

/// The table, and where the report is.
pub fn closing(report: &DemoReport, html: &Path) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(&mut out, report, html);
    out
}

fn write(out: &mut String, report: &DemoReport, html: &Path) -> std::fmt::Result {
    let host = &report.host;
    writeln!(
        out,
        "\npinode demo on {}, {} CPUs, {}, Linux {}",
        host.cpu, host.cores, host.kvm, host.kernel
    )?;
    let boots: Vec<String> = report
        .node
        .guests
        .iter()
        .map(|guest| format!("{} {:.1} ms", guest.pi, guest.boot_us as f64 / 1e3))
        .collect();
    writeln!(
        out,
        "all guests forwarding after {:.0} ms (boot: {})",
        report.node.ready_ms,
        boots.join(", ")
    )?;
    for section in &report.sections {
        let phases: Vec<String> = section
            .phases
            .iter()
            .map(|phase| {
                format!(
                    "{}={}us",
                    phase.pi.as_deref().unwrap_or("none"),
                    phase.duration_ns / 1000
                )
            })
            .collect();
        writeln!(
            out,
            "\n{} ({:.0} to {:.0} s): {}",
            section.name,
            section.from_s,
            section.to_s,
            phases.join(" ")
        )?;
        writeln!(
            out,
            "{:<9}{:<14}{:>6}{:>11}{:>11}{:>10}{:>9}{:>11}{:>11}{:>12}",
            "PI",
            "way",
            "octets",
            "offered",
            "received",
            "lost",
            "ceiling",
            "wait mean",
            "lat mean",
            "lat p99",
        )?;
        writeln!(
            out,
            "{:<9}{:<14}{:>6}{:>11}{:>11}{:>10}{:>9}{:>11}{:>11}{:>12}",
            "", "", "", "frames", "frames", "frames", "%", "us", "us", "us",
        )?;
        for flow in &section.flows {
            row(out, flow)?;
        }
    }
    writeln!(out)?;
    for note in &report.notes {
        writeln!(out, "{note}")?;
    }
    writeln!(out, "\nreport: {} (open it in a browser)", html.display())?;
    for step in &report.next_steps {
        writeln!(out, "next: {:<52} {}", step.what, step.command)?;
    }
    Ok(())
}

fn row(out: &mut String, flow: &Flow) -> std::fmt::Result {
    let figures = &flow.figures;
    writeln!(
        out,
        "{:<9}{:<14}{:>6}{:>11}{:>11}{:>10}{:>9.1}{:>11.1}{:>11.1}{:>12.1}",
        flow.pi,
        format!("{} > {}", flow.from, flow.to),
        flow.size,
        figures.sent,
        figures.received,
        figures.lost,
        flow.share_of_ceiling() * 100.0,
        flow.mean_wait_ns / 1e3,
        figures.latency_ns.mean / 1e3,
        figures.latency_ns.p99 as f64 / 1e3,
    )
}

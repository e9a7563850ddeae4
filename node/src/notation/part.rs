//! `[port.cycle]` of node.toml, to be put below a port.

use std::fmt::Write as _;

use crate::config::{Nanoseconds, PortConfig};
use crate::status::PhaseEntry;

/// The cycle of `port` as the configuration has it; `phases` are its phases by name.
#[must_use]
pub fn write_part(port: &PortConfig, phases: &[PhaseEntry]) -> String {
    let mut out = String::from("[port.cycle]\n");
    let durations = [
        ("guard", port.guard_ns),
        ("base_time", port.base_tai_ns),
        ("extension", port.extension_ns),
    ];
    for (key, ns) in durations {
        if ns > 0 {
            let _ = writeln!(out, "{key} = \"{}\"", Nanoseconds(ns));
        }
    }
    out.push_str("phases = [\n");
    for phase in phases {
        let duration = Nanoseconds(phase.duration_ns);
        let _ = writeln!(out, "  {{ pi = \"{}\", for = \"{duration}\" }},", phase.pi);
    }
    out.push_str("]\n");
    out
}

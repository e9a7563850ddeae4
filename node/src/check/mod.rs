//! `pinode check`: what a configuration guarantees, before anything runs.
//!
//! The figures come from the same arithmetic as the gate's decisions ([`pinode_scheduler::bounds`]);
//! nothing is measured here and no interface, image or KVM is looked at.

mod table;

use indexmap::IndexMap;
use pinode_scheduler::{Cycle, CycleError, LinkRate, Phase, RateError, bounds};
use serde::Serialize;
use thiserror::Error;

use crate::config::{NodeConfig, PortConfig, PortMode, Problem};

pub use table::report_table;

/// Frame sizes in octets with FCS: those of RFC 2544 9.1 from the smallest that a tester can sign
/// on (79 octets) up.
pub const SIZES: [u32; 7] = [79, 128, 256, 512, 1024, 1280, 1518];

/// The document of `pinode check --json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether the configuration holds.
    pub ok: bool,
    /// In the order of the configuration.
    pub ports: Vec<PortReport>,
    /// Why it does not hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PortReport {
    /// Its name.
    pub name: String,
    /// C.
    pub capacity_bps: u64,
    /// T_c.
    pub cycle_ns: u64,
    /// g.
    pub guard_ns: u64,
    /// By name of the PI; those that can send here.
    pub pi: IndexMap<String, PiReport>,
}

/// A PI on a port.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PiReport {
    /// T_p, summed over its phases.
    pub phase_ns: u64,
    /// R of the rate-latency service curve, on the wire.
    pub guaranteed_bps: f64,
    /// The curve's latency.
    pub latency_ns: f64,
    /// Octets with FCS.
    pub largest_frame: u32,
    /// For frames all of one size.
    pub sizes: Vec<SizeReport>,
}

/// What a PI gets if all its frames have one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SizeReport {
    /// Octets with FCS.
    pub size: u32,
    /// n, summed over the PI's phases.
    pub frames_per_phase: u64,
    /// Most frames in a second.
    pub ceiling_fps: f64,
    /// Goodput of those.
    pub ceiling_bps: f64,
    /// Of a lone frame, from its arrival to its start.
    pub longest_wait_ns: f64,
    /// Over all instants of the cycle.
    pub mean_wait_ns: f64,
}

/// What the scheduler refuses of a port; the configuration's own checks find it first, with lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum PortError {
    #[error(transparent)]
    Rate(#[from] RateError),
    #[error(transparent)]
    Cycle(#[from] CycleError),
}

impl Report {
    /// What `config` guarantees, or why it cannot hold.
    #[must_use]
    pub fn of(config: &NodeConfig) -> Self {
        let (mut ports, mut problems) = (Vec::new(), Vec::new());
        for port in &config.ports {
            match port_report(config, port) {
                Ok(report) => ports.push(report),
                Err(error) => {
                    let at = format!("port.{}.cycle", port.name);
                    problems.push(Problem {
                        line: None,
                        at,
                        what: error.to_string(),
                    });
                }
            }
        }
        Self {
            ok: problems.is_empty(),
            ports,
            problems,
        }
    }

    /// A configuration that cannot hold.
    #[must_use]
    pub fn refused(problems: Vec<Problem>) -> Self {
        Self {
            ok: false,
            ports: Vec::new(),
            problems,
        }
    }
}

fn size_report(bounds: bounds::SizeBounds) -> SizeReport {
    SizeReport {
        size: bounds.size,
        frames_per_phase: bounds.frames_per_phase,
        ceiling_fps: bounds.ceiling_fps,
        ceiling_bps: bounds.ceiling_bps,
        longest_wait_ns: bounds.longest_wait_ns,
        mean_wait_ns: bounds.mean_wait_ns,
    }
}

fn port_report(config: &NodeConfig, port: &PortConfig) -> Result<PortReport, PortError> {
    let largest = port.largest_frame();
    let phases: Vec<Phase> = port
        .phases
        .iter()
        .map(|phase| Phase {
            owner: phase.owner,
            duration_ns: phase.duration_ns,
        })
        .collect();
    let link = LinkRate::new(port.capacity_bps)?;
    let cycle = Cycle::new(&phases, port.guard_ns, link, |_slot| largest)?;

    let mut sizes: Vec<u32> = SIZES.into_iter().filter(|&size| size <= largest).collect();
    if sizes.last() != Some(&largest) {
        sizes.push(largest);
    }
    let mut pi = IndexMap::new();
    for (slot, config) in (0u8..).zip(&config.pis) {
        if matches!(port.mode, PortMode::Access { slot: only, .. } if only != slot) {
            continue;
        }
        let Some(all) = bounds::of_pi(&cycle, slot, largest) else {
            continue;
        };
        let of_size = |size: &u32| bounds::of_size(&cycle, slot, *size);
        let report = PiReport {
            phase_ns: all.phase_ns,
            guaranteed_bps: all.guaranteed_bps,
            latency_ns: all.latency_ns,
            largest_frame: all.largest_frame,
            sizes: sizes.iter().filter_map(of_size).map(size_report).collect(),
        };
        pi.insert(config.name.clone(), report);
    }
    Ok(PortReport {
        name: port.name.clone(),
        capacity_bps: port.capacity_bps,
        cycle_ns: cycle.length_ns(),
        guard_ns: port.guard_ns,
        pi,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    fn report(cycle: &str) -> Report {
        let text = format!(
            r#"
            [node]
            name = "n1"
            [[port]]
            name = "west"
            backend = "memory:w"
            mode = "trunk"
            capacity = "1Gbps"
            cycle = {cycle}
            [pi.ipv6qos]
            code = 1
            guest = "x.elf"
            [pi.can]
            code = 2
            guest = "x.elf"
            [pi.dss]
            code = 3
            guest = "x.elf"
            "#
        );
        let config = config::parse("node.toml", Path::new(""), &text, &[]);
        Report::of(&config.unwrap())
    }

    fn thirds() -> Report {
        report(
            r#"{ phases = [{ pi = "ipv6qos", for = "100us" }, { pi = "can", for = "100us" },
                { pi = "dss", for = "100us" }] }"#,
        )
    }

    /// The table of the design document: 1 Gb/s, three phases of 100 us, no guard.
    const DESIGN: [(u32, u64, &str, &str, &str, &str); 7] = [
        (79, 126, "265.4", "420.0", "200.8", "67.2"),
        (128, 84, "286.7", "280.0", "201.2", "67.5"),
        (256, 45, "307.2", "150.0", "202.2", "68.1"),
        (512, 23, "314.0", "76.7", "204.3", "69.5"),
        (1024, 11, "300.4", "36.7", "208.4", "72.4"),
        (1280, 9, "307.2", "30.0", "210.4", "73.8"),
        (1518, 8, "323.8", "26.7", "212.3", "75.1"),
    ];

    #[test]
    fn the_table_of_the_design_to_the_last_digit() {
        let report = thirds();
        assert!(report.ok);
        assert_eq!(
            report.ports[0].pi.keys().collect::<Vec<_>>(),
            ["ipv6qos", "can", "dss"]
        );
        for pi in report.ports[0].pi.values() {
            let digit = |value: f64| format!("{value:.1}");
            let rows = pi.sizes.iter().map(|s| {
                let (mbps, kfps) = (digit(s.ceiling_bps / 1e6), digit(s.ceiling_fps / 1e3));
                let (longest, mean) = (digit(s.longest_wait_ns / 1e3), digit(s.mean_wait_ns / 1e3));
                (s.size, s.frames_per_phase, mbps, kfps, longest, mean)
            });
            let design = DESIGN.map(|(size, n, mbps, kfps, longest, mean)| {
                (
                    size,
                    n,
                    mbps.into(),
                    kfps.into(),
                    longest.into(),
                    mean.into(),
                )
            });
            assert_eq!(rows.collect::<Vec<_>>(), design);
        }
    }

    #[test]
    fn the_document_of_the_contract() {
        let document = serde_json::to_value(thirds()).unwrap();
        assert_eq!(document["ok"], true);
        assert_eq!(document.get("problems"), None);
        let west = &document["ports"][0];
        assert_eq!(west["name"], "west");
        assert_eq!(west["capacity_bps"], 1_000_000_000);
        assert_eq!(west["cycle_ns"], 300_000);
        let pi = &west["pi"]["ipv6qos"];
        assert_eq!(
            (&pi["phase_ns"], &pi["largest_frame"]),
            (&100_000.into(), &1518.into())
        );
        // S = 100 us - 12.304 us; R = S / T_c; latency T_c - S.
        let near = |value: &serde_json::Value, expected: f64| {
            (value.as_f64().unwrap() - expected).abs() < expected * 1e-12
        };
        assert!(near(&pi["guaranteed_bps"], 1e9 * 87_696.0 / 300_000.0));
        assert!(near(&pi["latency_ns"], 212_304.0));
        let size = &pi["sizes"][0];
        assert_eq!(
            (&size["size"], &size["frames_per_phase"]),
            (&79.into(), &126.into())
        );
        assert_eq!(size["ceiling_fps"], 420_000.0);
        assert_eq!(size["ceiling_bps"], 265_440_000.0);
        assert_eq!(size["longest_wait_ns"], 200_792.0);
        // (T_c - T_p + t_L)^2 / (2 T_c) with t_L = 792 ns.
        assert!(near(
            &size["mean_wait_ns"],
            200_792.0 * 200_792.0 / 600_000.0
        ));
    }

    #[test]
    fn the_largest_frame_of_the_port_is_the_last_size() {
        let sizes = |mtu: &str| {
            let text = format!(
                "[node]\nname = \"n1\"\n[[port]]\nname = \"w\"\nbackend = \"memory:w\"\n\
                 mode = \"access\"\npi = \"can\"\ncapacity = \"1Gbps\"\nmtu = {mtu}\n\
                 cycle = {{ phases = [{{ pi = \"can\", for = \"1ms\" }}, {{ pi = \"dss\", for = \"1ms\" }}] }}\n\
                 [pi.can]\ncode = 2\nguest = \"x.elf\"\n[pi.dss]\ncode = 3\nguest = \"x.elf\"\n"
            );
            let config = config::parse("node.toml", Path::new(""), &text, &[]).unwrap();
            let report = Report::of(&config);
            // Only the access port's own PI can send there, whatever phases there are.
            assert_eq!(report.ports[0].pi.keys().collect::<Vec<_>>(), ["can"]);
            report.ports[0].pi["can"]
                .sizes
                .iter()
                .map(|s| s.size)
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes("1500"), SIZES);
        assert_eq!(sizes("110"), [79, 128]);
        assert_eq!(sizes("200"), [79, 128, 218]);
        assert_eq!(sizes("9000"), [79, 128, 256, 512, 1024, 1280, 1518, 9018]);
    }

    #[test]
    fn several_phases_of_a_pi_add_up() {
        let report = report(
            r#"{ phases = [{ pi = "ipv6qos", for = "50us" }, { pi = "can", for = "100us" },
                { pi = "ipv6qos", for = "50us" }, { pi = "dss", for = "100us" }] }"#,
        );
        let pi = &report.ports[0].pi["ipv6qos"];
        assert_eq!((pi.phase_ns, pi.sizes[0].frames_per_phase), (100_000, 126));
        assert_eq!(pi.sizes[0].longest_wait_ns, 100_792.0);
    }
}

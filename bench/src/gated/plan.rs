//! What a gated run is made of, the configuration that it stands for, and what that promises.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use pinode_node::config::{self, NodeConfig};
use pinode_scheduler::bounds::{self, SizeBounds};
use pinode_scheduler::{Cycle, LinkRate, Phase};

use super::Ports;

/// Parallel Internets of every run.
pub const PIS: usize = 3;

/// One run of the node.
#[derive(Debug, Clone)]
pub struct Plan {
    /// C, gigabits per second.
    pub capacity_gbps: u32,
    /// Phase of each PI, microseconds.
    pub phase_us: u32,
    /// Octets of a frame, with FCS.
    pub size: u16,
    /// What the ports can do.
    pub ports: Ports,
    /// Descriptors of each ring.
    pub queue: u16,
    /// Host threads instead of virtual machines.
    pub threads: bool,
    /// Policers, as multiples of the ceiling, of the PIs that have one.
    pub police: [Option<f64>; PIS],
    /// Least time between two wake-ups of a guest; microseconds.
    pub wake_interval_us: Option<u32>,
    /// CPU of the worker, CPU of the guests.
    pub cpus: (usize, usize),
}

impl Plan {
    /// The name of a PI in configuration and status.
    #[must_use]
    pub fn pi(index: usize) -> String {
        format!("pi{index}")
    }

    /// C, bits per second.
    #[must_use]
    pub fn capacity_bps(&self) -> u64 {
        u64::from(self.capacity_gbps) * 1_000_000_000
    }

    /// T_c, nanoseconds.
    #[must_use]
    pub fn cycle_ns(&self) -> u64 {
        u64::from(self.phase_us) * 1_000 * PIS as u64
    }

    /// What the schedule promises each PI for frames of this size.
    ///
    /// # Errors
    ///
    /// A schedule that cannot hold.
    pub fn bounds(&self) -> anyhow::Result<SizeBounds> {
        /// Of the MTU of both ports: Ethernet header, PIH, FCS.
        const LARGEST: u32 = 14 + 1 + 1500 + 4;
        let phases = [0, 1, 2].map(|slot| Phase {
            owner: Some(slot),
            duration_ns: u64::from(self.phase_us) * 1_000,
        });
        let link = LinkRate::new(self.capacity_bps())?;
        let cycle = Cycle::new(&phases, 0, link, |_slot| LARGEST)?;
        bounds::of_size(&cycle, 0, u32::from(self.size)).context("no such frame fits in a phase")
    }

    /// The node's configuration.
    ///
    /// # Errors
    ///
    /// What the node says against it.
    pub fn config(&self) -> anyhow::Result<NodeConfig> {
        let text = self.toml(self.bounds()?.ceiling_bps);
        let builtins = pinode_images::BUILTIN_NAMES;
        Ok(config::parse("gated.toml", Path::new(""), &text, builtins)?)
    }

    fn toml(&self, ceiling_bps: f64) -> String {
        let isolation = if self.threads { "thread" } else { "kvm" };
        let (worker, guests) = self.cpus;
        let mut toml = format!(
            "[node]\nname = \"gated\"\nisolation = \"{isolation}\"\ncpus = {{ workers = [{worker}], guests = [{guests}] }}\n"
        );
        if let Some(interval) = self.wake_interval_us {
            let _ = writeln!(toml, "wake_interval = \"{interval}us\"");
        }
        let phase = |pi| {
            format!(
                "{{ pi = \"{}\", for = \"{}us\" }}",
                Self::pi(pi),
                self.phase_us
            )
        };
        let phases: Vec<String> = (0..PIS).map(phase).collect();
        for port in ["west", "east"] {
            let _ = write!(
                toml,
                "[[port]]\nname = \"{port}\"\nbackend = \"memory:{port}\"\nmode = \"trunk\"\n\
                 capacity = \"{}Gbps\"\nmtu = 1500\ncycle = {{ phases = [{}] }}\n",
                self.capacity_gbps,
                phases.join(", ")
            );
        }
        for (pi, police) in self.police.iter().enumerate() {
            let _ = write!(
                toml,
                "[pi.{}]\ncode = {}\nguest = \"builtin:patch\"\nqueue = {}\n",
                Self::pi(pi),
                pi + 1,
                self.queue
            );
            if let Some(times) = police {
                let rate = (times * ceiling_bps).round();
                let _ = writeln!(
                    toml,
                    "police = {{ rate = \"{rate:.0}bps\", burst = \"16KiB\" }}"
                );
            }
        }
        toml
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            capacity_gbps: 1,
            phase_us: 100,
            size: 79,
            ports: Ports::Launch,
            queue: 4096,
            threads: false,
            police: [None, Some(1.05), None],
            wake_interval_us: None,
            cpus: (0, 1),
        }
    }

    #[test]
    fn the_ceiling_is_the_published_one() {
        let bounds = plan().bounds().unwrap();
        assert_eq!(bounds.frames_per_phase, 126);
        assert_eq!(bounds.ceiling_fps, 420_000.0);
        assert_eq!(plan().cycle_ns(), 300_000);
    }

    #[test]
    fn policers_are_multiples_of_the_ceiling() {
        let config = plan().config().unwrap();
        let rates: Vec<_> = config
            .pis
            .iter()
            .map(|pi| pi.police.map(|police| police.rate_bps))
            .collect();
        // 420,000 frames of 79 octets, and a twentieth.
        assert_eq!(rates, [None, Some(278_712_000), None]);
    }
}

//! What a run is made of, and the configuration that it stands for.

use std::fmt::Write;
use std::path::Path;

use pinode_node::config::{self, NodeConfig};

/// One run of the node.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Guests, each of a PI of its own.
    pub guests: usize,
    /// Octets of a frame, with FCS.
    pub size: u16,
    /// Policers, far above the rate.
    pub policed: bool,
    /// Phase of each PI, microseconds.
    pub phase_us: u32,
    /// Capacity of a link, gigabits per second.
    pub capacity_gbps: u32,
    /// Host threads instead of virtual machines.
    pub threads: bool,
    /// Descriptors of each ring.
    pub queue: u16,
    /// Least time between two wake-ups of a guest, for CPUs that something else runs on; microseconds.
    pub wake_interval_us: Option<u32>,
    /// CPUs of worker and guests.
    pub cpus: (Vec<usize>, Vec<usize>),
}

impl Setup {
    /// One guest on one core, the worker on another, and no policer.
    #[must_use]
    pub fn one(size: u16) -> Self {
        Self {
            guests: 1,
            size,
            policed: false,
            phase_us: 100,
            capacity_gbps: 100,
            threads: false,
            queue: 1024,
            wake_interval_us: None,
            cpus: (vec![0], vec![1]),
        }
    }

    /// The node's configuration.
    ///
    /// # Errors
    ///
    /// What the node says against it.
    pub fn config(&self) -> anyhow::Result<NodeConfig> {
        let text = self.toml();
        let builtins = pinode_images::BUILTIN_NAMES;
        Ok(config::parse("bench.toml", Path::new(""), &text, builtins)?)
    }

    fn toml(&self) -> String {
        let isolation = if self.threads { "thread" } else { "kvm" };
        let (workers, guests) = &self.cpus;
        let mut toml = format!(
            "[node]\nname = \"bench\"\nisolation = \"{isolation}\"\ncpus = {{ workers = {workers:?}, guests = {guests:?} }}\n"
        );
        if let Some(interval) = self.wake_interval_us {
            let _ = writeln!(toml, "wake_interval = \"{interval}us\"");
        }
        let phases: Vec<String> = (0..self.guests)
            .map(|pi| format!("{{ pi = \"pi{pi}\", for = \"{}us\" }}", self.phase_us))
            .collect();
        for port in ["west", "east"] {
            let _ = write!(
                toml,
                "[[port]]\nname = \"{port}\"\nbackend = \"memory:{port}\"\nmode = \"trunk\"\n\
                 capacity = \"{}Gbps\"\nmtu = 1500\ncycle = {{ phases = [{}] }}\n",
                self.capacity_gbps,
                phases.join(", ")
            );
        }
        for pi in 0..self.guests {
            let _ = write!(
                toml,
                "[pi.pi{pi}]\ncode = {}\nguest = \"builtin:patch\"\nqueue = {}\n",
                pi + 1,
                self.queue
            );
            if self.policed {
                toml.push_str("police = { rate = \"100Gbps\", burst = \"1MiB\" }\n");
            }
        }
        toml
    }
}

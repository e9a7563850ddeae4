//! How many guests, workers and ports a node has, and the configuration that it stands for.

use std::fmt::Write;
use std::path::Path;

use pinode_node::config::{self, NodeConfig};

/// Codes that PIs may have; those beyond share a code and differ in the virtual network.
const CODES: usize = 6;

/// The size of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Guests, each of a PI of its own.
    pub guests: usize,
    /// Workers, which is queue pairs of each vif.
    pub workers: usize,
    /// Ports, an even number: frames go from each even one to the one behind it.
    pub ports: usize,
    /// Guests as host threads.
    pub threads: bool,
    /// Octets of a frame, with FCS.
    pub size: u16,
}

impl Shape {
    /// The PIH of the frames of a guest: code in bits 7 to 5, virtual network below.
    #[must_use]
    pub fn pih(guest: usize) -> u8 {
        let (code, vn) = Self::network(guest);
        (code << 5 | vn) as u8
    }

    fn network(guest: usize) -> (usize, usize) {
        (1 + guest % CODES, guest / CODES)
    }

    /// Cores of the workers, and of the guests: workers from core 0 on, guests on the rest; where
    /// none is left, all on all.
    #[must_use]
    pub fn cores(&self, machine: usize) -> (Vec<usize>, Vec<usize>) {
        if self.workers < machine {
            return (
                (0..self.workers).collect(),
                (self.workers..machine).collect(),
            );
        }
        let workers = (0..self.workers).map(|worker| worker % machine);
        (workers.collect(), (0..machine).collect())
    }

    /// Whether each worker and each vCPU can have a core.
    #[must_use]
    pub fn fits(&self, machine: usize) -> bool {
        self.workers + self.guests <= machine
    }

    /// The node's configuration.
    ///
    /// # Errors
    /// What the node says against it.
    pub fn config(&self) -> anyhow::Result<NodeConfig> {
        let machine = std::thread::available_parallelism().map_or(1, usize::from);
        let text = self.toml(machine);
        let builtins = pinode_images::BUILTIN_NAMES;
        Ok(config::parse(
            "growth.toml",
            Path::new(""),
            &text,
            builtins,
        )?)
    }

    fn toml(&self, machine: usize) -> String {
        let isolation = if self.threads { "thread" } else { "kvm" };
        let (workers, guests) = self.cores(machine);
        let mut toml = format!(
            "[node]\nname = \"growth\"\nisolation = \"{isolation}\"\nworkers = {}\n\
             cpus = {{ workers = {workers:?}, guests = {guests:?} }}\n",
            self.workers
        );
        let phases: Vec<String> = (0..self.guests)
            .map(|guest| format!("{{ pi = \"pi{guest}\", for = \"10us\" }}"))
            .collect();
        for port in 0..self.ports {
            let _ = write!(
                toml,
                "[[port]]\nname = \"p{port}\"\nbackend = \"memory:p{port}\"\nmode = \"trunk\"\n\
                 capacity = \"100Gbps\"\nmtu = 1500\ncycle = {{ phases = [{}] }}\n",
                phases.join(", ")
            );
        }
        for guest in 0..self.guests {
            let (code, vn) = Self::network(guest);
            let _ = write!(
                toml,
                "[pi.pi{guest}]\ncode = {code}\nvns = [{vn}]\nguest = \"builtin:patch\"\n\
                 memory = \"32MiB\"\nqueue = 256\n"
            );
        }
        toml
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        write!(
            f,
            "{} guest{}{}, {} worker{}, {} ports",
            self.guests,
            plural(self.guests),
            if self.threads { " (threads)" } else { "" },
            self.workers,
            plural(self.workers),
            self.ports
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(guests: usize, workers: usize) -> Shape {
        Shape {
            guests,
            workers,
            ports: 2,
            threads: true,
            size: 79,
        }
    }

    #[test]
    fn guests_differ_in_their_pih() {
        let mut pihs: Vec<_> = (0..32).map(Shape::pih).collect();
        assert_eq!((pihs[0], pihs[1], pihs[6]), (0x20, 0x40, 0x21));
        pihs.sort_unstable();
        pihs.dedup();
        assert_eq!(pihs.len(), 32);
        assert!(pihs.iter().all(|pih| (1..=6).contains(&(pih >> 5))));
    }

    #[test]
    fn workers_and_guests_have_cores_of_their_own_while_there_are_any() {
        assert_eq!(shape(3, 1).cores(2), (vec![0], vec![1]));
        assert_eq!(shape(3, 2).cores(8), (vec![0, 1], (2..8).collect()));
        assert_eq!(shape(1, 2).cores(2), (vec![0, 1], vec![0, 1]));
        assert!(shape(1, 1).fits(2) && !shape(3, 1).fits(2));
    }

    #[test]
    fn the_node_takes_the_largest_shape() {
        for (guests, ports) in [(1, 2), (32, 2), (3, 8)] {
            let shape = Shape {
                ports,
                ..shape(guests, 1)
            };
            let config = shape.config().expect("a configuration");
            assert_eq!((config.pis.len(), config.ports.len()), (guests, ports));
        }
    }
}

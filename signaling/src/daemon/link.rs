//! A link of the daemon: the neighbour's signalling, and which labels are in use.

use super::configuration::PortConfiguration;
use super::labels::Labels;
use crate::entity::{Entity, Limits};

/// A link.
#[derive(Debug)]
pub(super) struct Link {
    pub port: PortConfiguration,
    pub entity: Entity,
    pub labels: Labels,
}

impl Link {
    /// The network that a call over this link is of, which names this one; none: none that there is.
    pub fn network(&self, named: u8) -> Option<u8> {
        match self.port.vn {
            Some(vn) => (named == 0).then_some(vn),
            None => Some(named),
        }
    }

    /// What a call of this network names over this link; none: it does not go there.
    pub fn name(&self, vn: u8) -> Option<u8> {
        match self.port.vn {
            Some(only) => (only == vn).then_some(0),
            None => Some(vn),
        }
    }

    /// `instance`: a random number, for this life of the daemon.
    pub fn new(port: PortConfiguration, limits: Limits, instance: u64) -> Self {
        // A neighbour may still hold what an earlier life of ours took last.
        let mut labels = Labels::beginning_at(instance);
        for range in &port.labels {
            labels.keep(range.vn, range.first..=range.last);
        }
        Self {
            port,
            entity: Entity::new(limits, instance),
            labels,
        }
    }
}

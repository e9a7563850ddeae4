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
    /// `instance`: a random number, for this life of the daemon.
    pub fn new(port: PortConfiguration, limits: Limits, instance: u64) -> Self {
        Self {
            port,
            entity: Entity::new(limits, instance),
            labels: Labels::default(),
        }
    }
}

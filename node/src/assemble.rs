//! From a configuration to what workers run: classifiers, policers, gates and lanes.

use std::sync::Arc;

use pinode_classifier::{
    Access, ConfigError, GuestForm, Pi, Policer, PolicerError, PortClassifier, Trunk,
};
use pinode_ports::Port;
use pinode_scheduler::{Cycle, CycleError, Gate, LinkRate, Phase, RateError};
use thiserror::Error;

use crate::config::{NodeConfig, PhaseConfig, PiConfig, PihMode, PortConfig, PortMode};
use crate::dataplane::lane::{Outbound, PiIn, PiOut, PortLane};
use crate::dataplane::layout::Layout;

/// How far ahead of now the computed start of a frame may lie (docs/adr/0004-gate-lookahead.md).
pub const LOOKAHEAD_NS: u64 = 20_000;

/// A configuration that passed its own checks and still cannot be run.
#[derive(Debug, Error)]
pub enum AssembleError {
    /// The port's classification.
    #[error("port.{port}: {error}")]
    Classifier {
        /// The port's name.
        port: String,
        /// What is wrong.
        error: ConfigError,
    },
    /// The PI's policer.
    #[error("pi.{pi}.police: {error}")]
    Policer {
        /// The PI's name.
        pi: String,
        /// What is wrong.
        error: PolicerError,
    },
    /// The port's capacity is no rate.
    #[error("port.{port}.capacity: {error}")]
    Capacity {
        /// The port's name.
        port: String,
        /// What is wrong.
        error: RateError,
    },
    /// The port's schedule.
    #[error("port.{port}.cycle: {error}")]
    Cycle {
        /// The port's name.
        port: String,
        /// What is wrong.
        error: CycleError,
    },
}

/// The lanes of the port `index`, each with its worker: one for each of its `queues`, and at the
/// owner all that sends. `tai_offset_ns`: how far CLOCK_TAI is ahead of the workers' clock; gates are
/// aligned to it, so that nodes of one configuration open theirs together.
///
/// # Errors
///
/// See [`AssembleError`].
pub fn lanes(
    config: &NodeConfig,
    layout: &Layout,
    index: usize,
    port: &PortConfig,
    queues: Vec<Box<dyn Port>>,
    tai_offset_ns: i128,
) -> Result<Vec<(usize, PortLane)>, AssembleError> {
    let shape = classifier(config, port).map_err(|error| AssembleError::Classifier {
        port: port.name.clone(),
        error,
    })?;
    let cycle = cycle(port, &port.phases)?;
    let base_ns = epoch_ns(tai_offset_ns, port.cycle_ns());
    let gate = Gate::new(cycle, base_ns, LOOKAHEAD_NS);
    let policers = config
        .pis
        .iter()
        .map(policer)
        .collect::<Result<Vec<_>, _>>()?;
    let rings = usize::from(config.workers);
    let out = |pi: &PiConfig| PiOut::new(usize::from(pi.queue) * rings);
    let mut outbound = Some(Outbound::new(gate, config.pis.iter().map(out).collect()));
    let lane = |(queue, backend)| {
        let worker = layout.receives(index, queue);
        let owns = worker == layout.owner(index);
        let outbound = outbound.take_if(|_| owns);
        let inbound = policers.iter().cloned().map(PiIn::new).collect();
        let lane = PortLane::new(index, backend, shape.clone(), inbound, outbound);
        (worker, lane)
    };
    Ok(queues.into_iter().enumerate().map(lane).collect())
}

/// The schedule of `phases` on `port`.
///
/// # Errors
///
/// The schedule cannot hold.
pub fn cycle(port: &PortConfig, phases: &[PhaseConfig]) -> Result<Cycle, AssembleError> {
    let link = LinkRate::new(port.capacity_bps).map_err(|error| AssembleError::Capacity {
        port: port.name.clone(),
        error,
    })?;
    let phases: Vec<Phase> = phases
        .iter()
        .map(|phase| Phase {
            owner: phase.owner,
            duration_ns: phase.duration_ns,
        })
        .collect();
    let largest = port.largest_frame();
    Cycle::new(&phases, port.guard_ns, link, |_slot| largest).map_err(|error| {
        AssembleError::Cycle {
            port: port.name.clone(),
            error,
        }
    })
}

/// The first instant of the worker's clock at which a cycle that counts from the epoch of
/// CLOCK_TAI begins.
#[must_use]
pub fn epoch_ns(tai_offset_ns: i128, cycle_ns: u64) -> u64 {
    let into_cycle = tai_offset_ns.rem_euclid(i128::from(cycle_ns.max(1)));
    u64::try_from((i128::from(cycle_ns) - into_cycle).rem_euclid(i128::from(cycle_ns.max(1))))
        .unwrap_or(0)
}

fn classifier(config: &NodeConfig, port: &PortConfig) -> Result<PortClassifier, ConfigError> {
    let pis: Vec<Pi> = (0u8..)
        .zip(&config.pis)
        .map(|(slot, pi)| classified(slot, pi))
        .collect();
    Ok(match port.mode {
        PortMode::Trunk => Trunk::new(config.ethertype, port.mtu, &pis)?.into(),
        PortMode::Access {
            slot,
            vn,
            ethertype,
        } => {
            let pi = pis
                .get(usize::from(slot))
                .ok_or(ConfigError::EtherType { ethertype })?;
            Access::new(config.ethertype, ethertype, port.mtu, *pi, vn)?.into()
        }
    })
}

fn classified(slot: u8, pi: &PiConfig) -> Pi {
    let form = match pi.pih {
        PihMode::Keep => GuestForm::Keep,
        PihMode::Strip { ethertype } => GuestForm::Strip { ethertype },
    };
    Pi {
        slot,
        code: pi.code,
        vns: pi.vns,
        form,
    }
}

/// One for all workers: the rate is the port's, however many receive from it.
fn policer(pi: &PiConfig) -> Result<Option<Arc<Policer>>, AssembleError> {
    let Some(police) = pi.police else {
        return Ok(None);
    };
    let burst = u32::try_from(police.burst).unwrap_or(u32::MAX);
    let policer = Policer::new(police.rate_bps, burst).map_err(|error| AssembleError::Policer {
        pi: pi.name.clone(),
        error,
    })?;
    Ok(Some(Arc::new(policer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_count_from_the_tai_epoch() {
        for offset in [0i128, 1, 299_999, 300_000, 1_700_000_000_123_456_789, -5] {
            let base = epoch_ns(offset, 300_000);
            assert!(base < 300_000);
            assert_eq!(
                (i128::from(base) + offset).rem_euclid(300_000),
                0,
                "offset {offset}"
            );
        }
    }
}

//! From a configuration to what workers run: classifiers, policers, gates and lanes.

mod level2;

use std::sync::Arc;

use pinode_classifier::{
    Access, ConfigError, GuestForm, Pi, Policer, PolicerError, PortClassifier, Trunk,
};
use pinode_ports::Port;
use pinode_scheduler::level2::streams::ConnectError;
use pinode_scheduler::{Cycle, Gate, RateError};
use thiserror::Error;

use crate::config::{
    NodeConfig, PhaseConfig, PiConfig, PihMode, PortConfig, PortMode, ScheduleError,
};
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
    /// A class's rate is none.
    #[error("pi.{pi}.level2: {error}")]
    ClassRate {
        /// The PI's name.
        pi: String,
        /// What is wrong.
        error: RateError,
    },
    /// A connection that cannot be set up.
    #[error("pi.{pi}.level2.connections: label {label} on port {port}: {error}")]
    Connection {
        /// The PI's name.
        pi: String,
        /// The port's name.
        port: String,
        /// The connection's label.
        label: u32,
        /// What is wrong.
        error: ConnectError,
    },
    /// The port's schedule.
    #[error("port.{port}.cycle: {error}")]
    Cycle {
        /// The port's name.
        port: String,
        /// What is wrong.
        error: ScheduleError,
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
    let cycle = cycle(config, port, &port.phases)?;
    let out = |(slot, pi): (u8, &PiConfig)| {
        let frames = pi.ring_frames(config.workers);
        let queue = level2::queue(pi, slot, port, &cycle, frames)?;
        let out = PiOut::new(frames as usize).ordered_by(queue, pi.plain_vn());
        Ok(out.with_max_sdu(port.sdu_of(pi.needs)))
    };
    let out = (0u8..).zip(&config.pis).map(out);
    let out = out.collect::<Result<Vec<_>, AssembleError>>()?;
    let gate = Gate::new(cycle, base_ns(port, tai_offset_ns), LOOKAHEAD_NS);
    let policers = config
        .pis
        .iter()
        .map(policer)
        .collect::<Result<Vec<_>, _>>()?;
    let mut outbound = Some(Outbound::new(gate, out));
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
pub fn cycle(
    config: &NodeConfig,
    port: &PortConfig,
    phases: &[PhaseConfig],
) -> Result<Cycle, AssembleError> {
    let planned = PortConfig {
        phases: phases.to_vec(),
        ..port.clone()
    };
    let cycle = planned.schedule(&config.needs());
    cycle.map_err(|error| AssembleError::Cycle {
        port: port.name.clone(),
        error,
    })
}

/// How far ahead of now a base time may lie, in nanoseconds: a year of 366 days. What lies beyond is a
/// mistake of units, and would keep every gate of the port closed until then.
pub const FURTHEST_BASE_NS: u64 = 366 * 24 * 3600 * 1_000_000_000;

/// A base time that is further ahead than [`FURTHEST_BASE_NS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{base_tai_ns} ns of CLOCK_TAI is more than a year ahead; allowed: up to {latest_tai_ns}, now is \
     {now_tai_ns}"
)]
pub struct FarBase {
    base_tai_ns: u64,
    latest_tai_ns: u64,
    now_tai_ns: u64,
}

/// Refuses a base time too far ahead of now, both in nanoseconds of CLOCK_TAI. One in the past is
/// right however far: a schedule counts its cycles from it.
///
/// # Errors
///
/// [`FarBase`].
pub fn check_base_time(base_tai_ns: u64, now_tai_ns: u64) -> Result<(), FarBase> {
    let latest_tai_ns = now_tai_ns.saturating_add(FURTHEST_BASE_NS);
    if base_tai_ns <= latest_tai_ns {
        return Ok(());
    }
    Err(FarBase {
        base_tai_ns,
        latest_tai_ns,
        now_tai_ns,
    })
}

/// Where the base time of `port` lies on the worker's clock. One before the clock's own start gives
/// the same windows as the first of the cycles that follow it there (IEEE 802.1Q-2018 8.6.9.1).
#[must_use]
pub fn base_ns(port: &PortConfig, tai_offset_ns: i128) -> u64 {
    let base = i128::from(port.base_tai_ns) - tai_offset_ns;
    let cycle = i128::from(port.cycle_ns().max(1));
    let base = if base < 0 {
        base.rem_euclid(cycle)
    } else {
        base
    };
    u64::try_from(base).unwrap_or(u64::MAX)
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

    fn port(base_tai_ns: u64) -> PortConfig {
        let text = format!(
            "[node]\nname = \"n\"\n[[port]]\nname = \"w\"\nbackend = \"memory:w\"\n\
             mode = \"trunk\"\ncapacity = \"1Gbps\"\n\
             cycle = {{ base_time = {base_tai_ns}, phases = [{{ pi = \"a\", for = \"300us\" }}] }}\n\
             [pi.a]\ncode = 1\nguest = \"x.elf\"\n"
        );
        let config = crate::config::parse("n.toml", std::path::Path::new(""), &text, &[]);
        config.unwrap().ports.swap_remove(0)
    }

    #[test]
    fn cycles_count_from_the_base_time() {
        for offset in [0i128, 1, 299_999, 300_000, 1_700_000_000_123_456_789] {
            for into in [0u64, 1, 123_456, 299_999] {
                // Long before the clock's own start: whole cycles later, as early as there is one.
                let base = base_ns(&port(into), offset + 300_000);
                assert!(base < 300_000);
                let tai = i128::from(base) + offset;
                assert_eq!(
                    (tai - i128::from(into)).rem_euclid(300_000),
                    0,
                    "{offset} {into}"
                );
            }
        }
        // Ahead of it: that instant, and nothing before.
        assert_eq!(base_ns(&port(5_000_000), 1_000_000), 4_000_000);
    }

    #[test]
    fn a_base_time_may_lie_a_year_ahead_and_any_time_back() {
        let now = 1_795_000_000_000_000_000;
        assert_eq!(check_base_time(0, now), Ok(()));
        assert_eq!(check_base_time(now + FURTHEST_BASE_NS, now), Ok(()));
        let far = check_base_time(now + FURTHEST_BASE_NS + 1, now).unwrap_err();
        assert_eq!(
            far.to_string(),
            "1826622400000000001 ns of CLOCK_TAI is more than a year ahead; allowed: up to \
             1826622400000000000, now is 1795000000000000000"
        );
        assert!(check_base_time(u64::MAX, now).is_err());
    }
}

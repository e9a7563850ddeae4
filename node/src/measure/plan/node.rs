//! The node that is measured: its configuration, made fit for a tester at both of its ports.

use std::path::Path;

use pinode_classifier::Vn;
use pinode_guest_ipv6qos::control::item::Neighbour;
use pinode_measure::method::TrafficStream;
use pinode_measure::stream::{SMALLEST, StreamSpec};
use pinode_measure::trial::Side;
use pinode_ports::BackendSpec;
use pinode_scheduler::Cycle;
use serde_json::Value;

use super::PlanError;
use super::bound::Bound;
use super::routed::Consulted;
use crate::assemble;
use crate::config::{
    self, BitRate, GuestImage, Isolation, NodeConfig, PiConfig, PihMode, PortConfig, PortMode,
};
use crate::facts;
use crate::ipv6;
use crate::measure::asked::FrameSize;

/// Where the built-in configuration is from, in errors.
const BUILT_IN: &str = "the built-in configuration";
/// EtherType of IPv6 (RFC 2464 3), of which plain frames are.
const IPV6: u16 = 0x86DD;

/// A node that is to be measured.
#[derive(Debug, Clone)]
pub struct NodePlan {
    /// Its configuration.
    pub config: NodeConfig,
    /// What was changed of it, and what should be known.
    pub notes: Vec<String>,
}

impl NodePlan {
    /// The configuration in `file`, or three PIs through `builtin:patch`.
    ///
    /// # Errors
    ///
    /// A configuration that is wrong, or one that a tester has no two ends of.
    pub fn read(file: Option<&Path>, isolation: Option<Isolation>) -> Result<Self, PlanError> {
        let images = pinode_images::BUILTIN_NAMES;
        let mut config = match file {
            Some(file) => config::load(file, images)?,
            None => config::parse(BUILT_IN, Path::new(""), include_str!("node.toml"), images)?,
        };
        if let Some(isolation) = isolation {
            config.isolation = isolation;
        }
        let mut notes = Vec::new();
        let [west, east] = &config.ports[..] else {
            return Err(PlanError::Ports {
                found: config.ports.len(),
            });
        };
        for port in [west, east] {
            if !matches!(port.backend, BackendSpec::Memory { .. }) {
                notes.push(format!(
                    "Port {} is measured in memory, not on {}: what its backend costs is not in these figures.",
                    port.name, port.backend
                ));
            }
        }
        for port in [west, east] {
            if let PortMode::Access { ethertype, .. } = port.mode
                && ethertype != IPV6
            {
                return Err(PlanError::Ethertype {
                    port: port.name.clone(),
                    found: ethertype,
                });
            }
        }
        match (west.mode, east.mode) {
            (PortMode::Trunk, PortMode::Trunk) => {}
            (
                PortMode::Access { slot, vn, .. },
                PortMode::Access {
                    slot: other,
                    vn: far,
                    ..
                },
            ) if (slot, vn) == (other, far) => {}
            _ => return Err(PlanError::Modes),
        }
        facts::spread(&mut config.cpus);
        Ok(Self { config, notes })
    }

    /// One line for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let [west, east] = [Side::West, Side::East].map(|side| self.port(side));
        let pis: Vec<String> = self
            .slots()
            .map(|(_, pi)| format!("{} ({})", pi.name, pi.guest))
            .collect();
        format!(
            "node {} in this process, isolation {}: {} ({}) to {} ({}), PIs {}",
            self.config.name,
            self.config.isolation.as_str(),
            west.name,
            BitRate(west.capacity_bps),
            east.name,
            BitRate(east.capacity_bps),
            pis.join(", ")
        )
    }

    /// The port at `side`.
    #[must_use]
    pub fn port(&self, side: Side) -> &PortConfig {
        &self.config.ports[side as usize]
    }

    /// The slots of the PIs that both ports carry.
    pub fn slots(&self) -> impl Iterator<Item = (u8, &PiConfig)> {
        let carried =
            |(slot, _): &(u8, _)| self.config.ports.iter().all(|port| port.carries(*slot));
        (0u8..).zip(&self.config.pis).filter(carried)
    }

    /// Whether the guest of `pi` forwards frames unchanged.
    #[must_use]
    pub fn is_transparent(pi: &PiConfig) -> bool {
        matches!(&pi.guest, GuestImage::Builtin(name) if name == "patch") && pi.pih == PihMode::Keep
    }

    /// Puts the tester into the configurations of routers as the neighbour that each of these streams is sent to, and
    /// says so: source and sink in memory ports answer no neighbour solicitation.
    ///
    /// # Errors
    ///
    /// A router refuses one.
    pub fn tell_neighbours<'s>(
        &mut self,
        streams: impl Iterator<Item = &'s TrafficStream> + Clone,
    ) -> Result<Vec<String>, PlanError> {
        let mut notes = Vec::new();
        for slot in 0..self.config.pis.len() {
            let pi = &self.config.pis[slot];
            if !ipv6::is_router(pi) {
                continue;
            }
            let mut router = Consulted::of(self, pi)?;
            let mut told: Vec<Neighbour> = Vec::new();
            let own = streams.clone().filter(|stream| stream.pi == pi.name);
            for TrafficStream { stream, .. } in own {
                let spec = &stream.spec;
                let destinations = std::iter::once(spec.address.0);
                let destinations = destinations.chain(spec.other_destinations.iter().copied());
                let far = StreamSpec::new(spec.id, spec.pi_code, SMALLEST, spec.rate_fps)
                    .mac
                    .0;
                let vn = pinode_guest_ipv6qos::Vn::new(spec.vn).unwrap_or_default();
                for unknown in router.unknown(vn, destinations, far)? {
                    let is_it =
                        |of: &Neighbour| (of.address, &of.dev) == (unknown.address, &unknown.dev);
                    if !told.iter().any(is_it) {
                        told.push(unknown);
                    }
                }
            }
            if told.is_empty() {
                continue;
            }
            notes.push(format!(
                "The router of PI {} was told of {} where the tester is: {}. In a node that runs, `pinode ipv6 neigh \
                 add` does that.",
                pi.name,
                if told.len() == 1 { "a neighbour" } else { "the neighbours" },
                named(&told)
            ));
            let pi = &mut self.config.pis[slot];
            let known = &mut pi.config["neighbour"];
            if known.is_null() {
                *known = Value::Array(Vec::new());
            }
            if let Value::Array(known) = known {
                known.extend(
                    told.iter()
                        .filter_map(|told| serde_json::to_value(told).ok()),
                );
            }
            // All of it at once may be more than it takes.
            Consulted::of(self, &self.config.pis[slot])?;
        }
        Ok(notes)
    }

    /// What a stream of the PI in `slot` that enters at `from` can get at most.
    ///
    /// # Errors
    ///
    /// Some frame of `size` fits in no phase of the PI.
    pub fn bound(&self, slot: u8, from: Side, size: &FrameSize) -> Result<Bound, PlanError> {
        let out = self.port(other(from));
        let cycle: Cycle = assemble::cycle(&self.config, out, &out.phases)?;
        Bound::of_gate(&cycle, slot, size).ok_or_else(|| PlanError::NoRoom {
            pi: self.config.pis[usize::from(slot)].name.clone(),
            size: size.label.clone(),
            port: out.name.clone(),
        })
    }

    /// The VN that frames of `pi` carry where the user names none: the port's own, or the lowest there is.
    #[must_use]
    pub fn first_vn(&self, pi: &PiConfig) -> u8 {
        if let PortMode::Access { vn, .. } = self.port(Side::West).mode {
            return vn.get();
        }
        let carried = (0..=31).find(|vn| Vn::new(*vn).is_ok_and(|vn| pi.vns.contains(vn)));
        carried.unwrap_or(0)
    }
}

/// Neighbours in a line: the first few.
fn named(neighbours: &[Neighbour]) -> String {
    const SHOWN: usize = 3;
    let one = |of: &Neighbour| format!("{} lladdr {} dev {}", of.address, of.lladdr, of.dev);
    let mut shown: Vec<String> = neighbours.iter().take(SHOWN).map(one).collect();
    if neighbours.len() > SHOWN {
        shown.push(format!("and {} more", neighbours.len() - SHOWN));
    }
    shown.join(", ")
}

/// The side that frames from `side` leave at.
#[must_use]
pub fn other(side: Side) -> Side {
    match side {
        Side::West => Side::East,
        Side::East => Side::West,
    }
}

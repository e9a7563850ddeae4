//! What a rule wants of a packet, with names resolved: the meaning of rules, one packet and one rule at a time.
//!
//! What finds rules fast must find what this says.

use super::error::RuleError;
use super::members::Members;
use super::tables::{TableId, Tables};
use crate::control::matching::{Addresses, Match, Range};
use crate::packet::Fields;
use crate::packet::fields::{Upper, protocol};
use crate::prefix::Prefix;
use crate::vn::{InterfaceId, Vn};

/// Finds the interface of a name.
///
/// # Errors
///
/// There is none; which there are.
pub type Names<'a> = &'a dyn Fn(&str) -> Result<InterfaceId, alloc::string::String>;

/// Protocols with ports.
pub(super) const WITH_PORTS: [u8; 4] = [
    protocol::TCP,
    protocol::UDP,
    protocol::UDP_LITE,
    protocol::SCTP,
];

/// What a rule wants of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Nothing.
    Any,
    /// To be in a prefix.
    Prefix(Prefix),
    /// To be in a table.
    Table(TableId),
}

/// What a rule wants of the upper layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// Nothing.
    Any,
    /// This protocol, in any packet whose chain of headers is whole.
    Protocol(u8),
    /// This protocol with its header, where ports or a type are.
    Header(u8),
    /// A protocol with ports, and its header.
    Ports,
}

/// What a rule wants of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Condition {
    pub vn: Option<Vn>,
    pub interface: Option<InterfaceId>,
    pub local: Option<bool>,
    pub from: Of,
    pub to: Of,
    pub layer: Layer,
    /// Of the source port, or of the ICMPv6 type: `layer` says of which.
    pub source_port: Option<Range>,
    pub destination_port: Option<Range>,
    pub dscp: Option<u8>,
    /// A fragment behind the first, or anything else.
    pub later_fragment: Option<bool>,
}

impl Condition {
    /// Resolves names. Tables that are named are referenced: [`release`](Self::release) them.
    ///
    /// # Errors
    ///
    /// A name is unknown, or no packet could match.
    pub fn resolve(
        wanted: &Match,
        tables: &mut Tables,
        names: Names<'_>,
    ) -> Result<Self, RuleError> {
        let interface = wanted.dev.as_deref().map(names).transpose();
        let interface = interface.map_err(RuleError::Interface)?;
        if let (Some(vn), Some(dev), Some(interface)) = (wanted.vn, &wanted.dev, interface)
            && interface.vn() != vn
        {
            return Err(RuleError::OtherVn {
                dev: dev.clone(),
                of: interface.vn(),
                vn,
            });
        }
        let layer = layer(wanted)?;
        let from = of(wanted.from.as_ref(), tables)?;
        let to = of(wanted.to.as_ref(), tables).inspect_err(|_| release(from, tables))?;
        Ok(Condition {
            vn: wanted.vn,
            interface,
            local: wanted.local,
            from,
            to,
            layer,
            source_port: wanted.sport.or(wanted.icmp_type),
            destination_port: wanted.dport,
            dscp: wanted.dscp.map(crate::control::matching::Dscp::get),
            later_fragment: wanted.fragment,
        })
    }

    /// Gives back the tables that it names.
    pub fn release(&self, tables: &mut Tables) {
        release(self.from, tables);
        release(self.to, tables);
    }

    /// The tables that it wants addresses to be in.
    pub fn members(&self) -> Members {
        let mut members = Members::default();
        if let Of::Table(table) = self.from {
            members.add_source(table);
        }
        if let Of::Table(table) = self.to {
            members.add_destination(table);
        }
        members
    }

    /// Whether `packet`, whose addresses are in the tables `members`, matches.
    pub fn matches(&self, packet: &Fields, members: Members) -> bool {
        let in_range = |range: Option<Range>, port: u16| {
            range.is_none_or(|range| (range.from..=range.to).contains(&port))
        };
        let in_prefix = |of: Of, address: u128| match of {
            Of::Prefix(prefix) => prefix.contains(address),
            Of::Any | Of::Table(_) => true,
        };
        self.layer.matches(packet.upper, packet.protocol)
            && in_range(self.source_port, packet.source_port)
            && in_range(self.destination_port, packet.destination_port)
            && in_prefix(self.from, packet.source)
            && in_prefix(self.to, packet.destination)
            && members.contains(self.members())
            && self.vn.is_none_or(|vn| vn == packet.interface.vn())
            && self.interface.is_none_or(|of| of == packet.interface)
            && self.local.is_none_or(|local| local == packet.local)
            && self.dscp.is_none_or(|dscp| dscp == packet.dscp())
            && self.matches_fragment(packet.upper)
    }

    /// Whether it is no fragment behind the first where none is wanted, or one where one is.
    pub fn matches_fragment(&self, upper: Upper) -> bool {
        self.later_fragment
            .is_none_or(|later| later == (upper == Upper::LaterFragment))
    }
}

impl Layer {
    /// Whether a packet of `protocol` of which `upper` could be read matches.
    pub fn matches(self, upper: Upper, protocol: u8) -> bool {
        match self {
            Layer::Any => true,
            Layer::Protocol(wanted) => upper != Upper::Broken && wanted == protocol,
            Layer::Header(wanted) => upper == Upper::Read && wanted == protocol,
            Layer::Ports => upper == Upper::Read && WITH_PORTS.contains(&protocol),
        }
    }
}

/// What is wanted of the upper layer, if any packet could match.
fn layer(wanted: &Match) -> Result<Layer, RuleError> {
    let ports = [("sport", wanted.sport), ("dport", wanted.dport)];
    let port = ports.iter().find(|(_, range)| range.is_some());
    let port = port.map(|(field, _)| *field);
    let header = port.or(wanted.icmp_type.map(|_| "type"));
    if let (Some(field), Some(true)) = (header, wanted.fragment) {
        return Err(RuleError::Fragment(field));
    }
    if let (Some(field), Some(_)) = (port, wanted.icmp_type) {
        return Err(RuleError::PortsAndType(field));
    }
    if let Some(types) = wanted.icmp_type {
        if types.to > 255 {
            return Err(RuleError::Type(types));
        }
        return match wanted.protocol {
            Some(other) if other.0 != protocol::ICMPV6 => Err(RuleError::TypeOf(other)),
            _ => Ok(Layer::Header(protocol::ICMPV6)),
        };
    }
    match (port, wanted.protocol) {
        (Some(field), Some(protocol)) if !WITH_PORTS.contains(&protocol.0) => {
            Err(RuleError::PortsOf { field, protocol })
        }
        (Some(_), Some(protocol)) => Ok(Layer::Header(protocol.0)),
        (Some(_), None) => Ok(Layer::Ports),
        (None, Some(protocol)) => Ok(Layer::Protocol(protocol.0)),
        (None, None) => Ok(Layer::Any),
    }
}

fn of(wanted: Option<&Addresses>, tables: &mut Tables) -> Result<Of, RuleError> {
    Ok(match wanted {
        None | Some(Addresses::Prefix(Prefix::DEFAULT)) => Of::Any,
        Some(Addresses::Prefix(prefix)) => Of::Prefix(*prefix),
        Some(Addresses::Table(name)) => Of::Table(tables.reference(name)?),
    })
}

fn release(of: Of, tables: &mut Tables) {
    if let Of::Table(table) = of {
        tables.release(table);
    }
}

//! What rules mean, plainly: a list gone through from the first, sets gone through from the first.

use std::collections::{BTreeMap, BTreeSet};

use pinode_guest_ipv6qos::control::matching::{Addresses, Match, Range};
use pinode_guest_ipv6qos::packet::Fields;
use pinode_guest_ipv6qos::packet::fields::{Upper, protocol};
use pinode_guest_ipv6qos::{InterfaceId, Prefix, Vn};
use pinode_guest_runtime::VifIndex;

/// Rules by priority, each with a number that no other has.
pub(crate) type List = BTreeMap<u32, (Match, u32)>;
/// Prefixes of tables.
pub(crate) type Sets = BTreeMap<String, BTreeSet<Prefix>>;

/// `west.N` and `east.N` of virtual networks 0 to 3.
pub(crate) fn interface(name: &str) -> Result<InterfaceId, String> {
    let unknown = || format!("{name:?} is no interface");
    let (vif, vn) = name.split_once('.').ok_or_else(unknown)?;
    let vif = ["west", "east"].iter().position(|known| *known == vif);
    let vn: u8 = vn.parse().map_err(|_| unknown())?;
    let vif = VifIndex(vif.ok_or_else(unknown)? as u8);
    let vn = Vn::new(vn).filter(|vn| vn.get() < 4).ok_or_else(unknown)?;
    Ok(InterfaceId::new(vif, vn))
}

/// The number of the first rule that `packet` matches.
pub(crate) fn first(list: &List, sets: &Sets, packet: &Fields) -> Option<u32> {
    let mut rules = list.values();
    rules
        .find(|(wanted, _)| matches(wanted, sets, packet))
        .map(|(_, number)| *number)
}

pub(crate) fn matches(wanted: &Match, sets: &Sets, packet: &Fields) -> bool {
    let addresses = |wanted: &Option<Addresses>, address: u128| match wanted {
        None => true,
        Some(Addresses::Prefix(prefix)) => prefix.contains(address),
        Some(Addresses::Table(name)) => sets
            .get(name)
            .is_some_and(|set| set.iter().any(|prefix| prefix.contains(address))),
    };
    let read = packet.upper == Upper::Read;
    let with_ports = [
        protocol::TCP,
        protocol::UDP,
        protocol::UDP_LITE,
        protocol::SCTP,
    ];
    let in_range = |wanted: Option<Range>, is_there: bool, number: u16| {
        wanted.is_none_or(|range| is_there && range.from <= number && number <= range.to)
    };
    let ports = read && with_ports.contains(&packet.protocol);
    let is_icmp = read && packet.protocol == protocol::ICMPV6;
    wanted.vn.is_none_or(|vn| packet.interface.vn() == vn)
        && { &wanted.dev }
            .as_ref()
            .is_none_or(|dev| interface(dev) == Ok(packet.interface))
        && wanted.local.is_none_or(|local| packet.local == local)
        && addresses(&wanted.from, packet.source)
        && addresses(&wanted.to, packet.destination)
        && wanted
            .protocol
            .is_none_or(|protocol| packet.upper != Upper::Broken && packet.protocol == protocol.0)
        && in_range(wanted.sport, ports, packet.source_port)
        && in_range(wanted.dport, ports, packet.destination_port)
        && in_range(wanted.icmp_type, is_icmp, packet.source_port)
        && wanted.dscp.is_none_or(|dscp| packet.dscp() == dscp.get())
        && wanted
            .fragment
            .is_none_or(|later| (packet.upper == Upper::LaterFragment) == later)
}

//! What there is, with state and counters, as it is listed.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::item::{ClassRule, FilterRule, Mac, Policer, Route};
use crate::prefix::{InterfaceAddress, Prefix};
use crate::units::Duration;
use crate::vn::Vn;

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum View {
    /// An interface.
    Interface(InterfaceView),
    /// An address.
    Address(AddressView),
    /// A route.
    Route(RouteView),
    /// A neighbour.
    Neighbour(NeighbourView),
    /// A table.
    Table(TableView),
    /// A prefix of a table.
    TableEntry(super::item::TableEntry),
    /// A policer.
    Policer(PolicerView),
    /// A rule of the classifier.
    Class(ClassView),
    /// A filter rule.
    Filter(FilterView),
    /// A flow.
    Flow(FlowView),
    /// A counter.
    Counter(CounterView),
}

/// Packets and their octets (IPv6 header and payload).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Octets.
    pub octets: u64,
}

impl Count {
    /// One more packet.
    #[inline]
    pub fn add(&mut self, octets: u16) {
        // At 100 Gb/s they wrap after decades: nothing is checked for each packet.
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(octets.into());
    }

    /// More packets.
    #[inline]
    pub fn merge(&mut self, other: Count) {
        self.packets += other.packets;
        self.octets += other.octets;
    }
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceView {
    /// `west`, `west.5`.
    pub interface: String,
    /// Its virtual network.
    pub vn: Vn,
    /// Its MAC address.
    pub mac: Mac,
    /// Octets of the largest IPv6 packet.
    pub mtu: u16,
    /// Its addresses, the link-local one first.
    pub addresses: Vec<InterfaceAddress>,
    /// Whether it advertises itself as a router.
    pub advertises: bool,
    /// Received.
    pub received: Count,
    /// Sent.
    pub sent: Count,
}

/// Where an address is in its life (RFC 4862).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressState {
    /// Its uniqueness is being verified; it is not used yet.
    Tentative,
    /// In use.
    Preferred,
    /// Somebody else has it; it is not used.
    Duplicated,
}

/// An address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressView {
    /// Address and length of the prefix.
    pub address: InterfaceAddress,
    /// The interface.
    pub dev: String,
    /// Its virtual network.
    pub vn: Vn,
    /// Where it is in its life.
    pub state: AddressState,
}

/// Whom a route comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// An address of the router itself.
    Local,
    /// The prefix of an address: the link.
    Connected,
    /// Configuration or an operator.
    Static,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteView {
    /// The route, with its virtual network and interface.
    #[serde(flatten)]
    pub route: Route,
    /// Whom it comes from.
    pub origin: Origin,
}

/// Where a packet goes (`route get`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The route it takes.
    #[serde(flatten)]
    pub route: RouteView,
    /// The neighbour it is sent to, if it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<Ipv6Addr>,
    /// That neighbour's MAC address, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lladdr: Option<Mac>,
    /// Octets of the largest packet that can go there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u16>,
}

/// What is known of a neighbour's reachability (RFC 4861 7.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reachability {
    /// Its MAC address is being asked for.
    Incomplete,
    /// It answered lately.
    Reachable,
    /// It has not been heard of for long.
    Stale,
    /// The same, and a packet was sent to it: it may yet be heard of.
    Delay,
    /// It is being asked whether it is there.
    Probe,
    /// It did not answer; packets to it are refused for a while.
    Failed,
    /// It was configured.
    Permanent,
}

/// A neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourView {
    /// Its address.
    pub address: Ipv6Addr,
    /// The interface.
    pub dev: String,
    /// Its virtual network.
    pub vn: Vn,
    /// Its MAC address, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lladdr: Option<Mac>,
    /// What is known of its reachability.
    pub state: Reachability,
    /// Whether it says that it is a router.
    pub router: bool,
    /// How long it has been in that state, nanoseconds.
    pub age_ns: u64,
}

/// A table of prefixes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableView {
    /// Its name.
    pub table: String,
    /// Prefixes in it.
    pub prefixes: u64,
}

/// A policer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicerView {
    /// The policer.
    #[serde(flatten)]
    pub policer: Policer,
    /// Packets that were green.
    pub green_count: Count,
    /// Packets that were yellow.
    pub yellow_count: Count,
    /// Packets that were red.
    pub red_count: Count,
}

/// A rule of the classifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassView {
    /// The rule.
    #[serde(flatten)]
    pub rule: ClassRule,
    /// Packets it was the first to match.
    pub count: Count,
}

/// A filter rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterView {
    /// The rule.
    #[serde(flatten)]
    pub rule: FilterRule,
    /// Packets it was the first to match.
    pub count: Count,
}

/// A flow that is let pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowView {
    /// Its virtual network.
    pub vn: Vn,
    /// Who sent its first packet.
    pub from: Ipv6Addr,
    /// To whom.
    pub to: Ipv6Addr,
    /// Upper-layer protocol.
    pub protocol: super::matching::Protocol,
    /// Source port of the first packet, or ICMPv6 identifier.
    pub sport: u16,
    /// Its destination port.
    pub dport: u16,
    /// New, established, closing.
    pub state: String,
    /// Packets of the direction of the first, and of the other.
    pub packets: [u64; 2],
    /// It is forgotten after this time without packets.
    pub expires: Duration,
}

/// A counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CounterView {
    /// Its name, such as `forwarded`, `dropped.hop_limit`, `class.ef`.
    pub counter: String,
    /// What it says.
    #[serde(flatten)]
    pub count: Count,
}

/// A prefix: what pages of routes and tables are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The routing instance.
    pub vn: Vn,
    /// The prefix.
    pub prefix: Prefix,
}

//! What there is one or many of: addresses, routes, neighbours, prefix tables, policers, classes, filter rules.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::matching::{Dscp, Match};
use crate::prefix::{InterfaceAddress, Prefix};
use crate::units::{BitRate, Octets};
use crate::vn::Vn;

/// One thing that can be added, replaced, deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// An address of an interface.
    Address(Address),
    /// A route.
    Route(Route),
    /// A neighbour that is not asked for.
    Neighbour(Neighbour),
    /// A prefix of a table that filter rules and classes name.
    Table(TableEntry),
    /// A policer that classes name.
    Policer(Policer),
    /// A rule that gives packets a class.
    Class(ClassRule),
    /// A rule that lets packets pass or not.
    Filter(FilterRule),
}

/// An address of an interface; its prefix is a route to the link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Address and length of the prefix.
    pub address: InterfaceAddress,
    /// The interface: `west`, or `west.5` for virtual network 5 of a trunk.
    pub dev: String,
}

/// What becomes of packets that take a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// They are forwarded.
    #[default]
    Unicast,
    /// They are dropped without a word.
    Blackhole,
    /// The sender is told: no route to destination.
    Unreachable,
    /// The sender is told: communication administratively prohibited.
    Prohibit,
}

/// A route: one per prefix and virtual network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Where to.
    pub prefix: Prefix,
    /// The routing instance; if left out that of `dev`, or the lowest virtual network carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vn: Option<Vn>,
    /// The next router; if left out, destinations are on the link of `dev`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<Ipv6Addr>,
    /// The interface; must be there where `via` is link-local or left out, else found by `via`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// What becomes of packets.
    #[serde(default, rename = "type", skip_serializing_if = "is_unicast")]
    pub kind: RouteKind,
}

fn is_unicast(kind: &RouteKind) -> bool {
    *kind == RouteKind::Unicast
}

/// A MAC address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Whether it is a group's (IEEE 802: the lowest bit of the first octet).
    #[inline]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for Mac {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut mac = [0; 6];
        let mut parts = text.split(':');
        let read = mac.iter_mut().all(|octet| match parts.next() {
            Some(part) if part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()) => {
                u8::from_str_radix(part, 16)
                    .map(|read| *octet = read)
                    .is_ok()
            }
            _ => false,
        });
        if read && parts.next().is_none() {
            return Ok(Mac(mac));
        }
        Err(format!(
            "{text:?} is no MAC address; allowed: six octets such as 02:00:00:01:01:01"
        ))
    }
}

impl TryFrom<String> for Mac {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> String {
        mac.to_string()
    }
}

/// A neighbour whose MAC address is given, never asked for and never forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// Its address, unicast.
    pub address: Ipv6Addr,
    /// Its MAC address, no group's.
    pub lladdr: Mac,
    /// The interface.
    pub dev: String,
}

/// A prefix of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEntry {
    /// Name of the table; it exists as long as it has entries or rules name it.
    pub table: String,
    /// The prefix.
    pub prefix: Prefix,
}

/// How a policer tells colours apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meter {
    /// Single rate three color marker (RFC 2697): cir, cbs, ebs.
    Srtcm,
    /// Two rate three color marker (RFC 2698): cir, cbs, pir, pbs.
    Trtcm,
}

/// What becomes of packets of a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColourAction {
    /// As if there were no policer.
    Pass,
    /// The drop precedence of an AF class becomes the colour's: AFx1 green, AFx2 yellow, AFx3 red (RFC 2597).
    /// Packets of other classes pass.
    Precedence,
    /// They get this DSCP.
    Dscp(Dscp),
    /// They are dropped.
    Drop,
}

/// A policer. Rates and bursts count octets of IPv6 packets, header and payload (RFC 2697 1, RFC 2698 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policer {
    /// Its name, unique in the router.
    pub name: String,
    /// The algorithm.
    pub meter: Meter,
    /// Committed information rate.
    pub cir: BitRate,
    /// Committed burst size.
    pub cbs: Octets,
    /// Excess burst size; srTCM only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ebs: Option<Octets>,
    /// Peak information rate, not below `cir`; trTCM only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pir: Option<BitRate>,
    /// Peak burst size; trTCM only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pbs: Option<Octets>,
    /// Colour-aware: a packet's drop precedence is the colour it comes with.
    #[serde(default)]
    pub aware: bool,
    /// What becomes of green packets; they pass if left out.
    #[serde(default = "pass")]
    pub green: ColourAction,
    /// Of yellow ones; their drop precedence follows if left out.
    #[serde(default = "precedence")]
    pub yellow: ColourAction,
    /// Of red ones; they are dropped if left out.
    #[serde(default = "drop")]
    pub red: ColourAction,
}

fn pass() -> ColourAction {
    ColourAction::Pass
}

fn precedence() -> ColourAction {
    ColourAction::Precedence
}

fn drop() -> ColourAction {
    ColourAction::Drop
}

/// A rule of the multi-field classifier (RFC 2475 2.3.1): the first that matches is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRule {
    /// Its place among the rules, the lowest first, and its name; behind all others, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// What it matches.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// The DSCP that packets get; theirs, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dscp: Option<Dscp>,
    /// The policer they pass, after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policer: Option<String>,
}

/// What a filter rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FilterAction {
    /// The packet passes.
    Accept,
    /// It is dropped without a word.
    Drop,
    /// It is dropped and the sender told: communication administratively prohibited.
    Reject,
    /// It passes, and so do all packets of its flow in both directions, before any rule.
    Track,
}

/// A filter rule: the first that matches decides; a packet that none matches passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterRule {
    /// Its place among the rules, the lowest first, and its name; behind all others, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// What it matches.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// What it does.
    pub action: FilterAction,
}

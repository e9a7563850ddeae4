//! What names an item: of two with the same key there is only one in a router.

use std::fmt;
use std::net::Ipv6Addr;

use pinode_guest_ipv6qos::control::Item;
use pinode_guest_ipv6qos::control::item::{
    Address, ClassRule, ColourAction, FilterAction, FilterRule, Mac, Meter, Neighbour, Policer,
    Route, RouteKind, TableEntry,
};
use pinode_guest_ipv6qos::control::matching::Match;
use pinode_guest_ipv6qos::prefix::InterfaceAddress;
use pinode_guest_ipv6qos::units::{BitRate, Octets};
use pinode_guest_ipv6qos::{Prefix, Vn};
use serde::{Deserialize, Serialize};

/// What names an item. Ordered by kind, in the order in which kinds need each other, then by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// A prefix of a table.
    Table(TableKey),
    /// A policer.
    Policer(PolicerKey),
    /// An address of an interface.
    Address(AddressKey),
    /// A neighbour of an interface.
    Neighbour(NeighbourKey),
    /// A route.
    Route(RouteKey),
    /// A rule of the classifier.
    Class(RuleKey),
    /// A filter rule.
    Filter(RuleKey),
}

/// Names a prefix of a table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableKey {
    /// The table.
    pub table: String,
    /// The prefix.
    pub prefix: Prefix,
}

/// Names a policer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicerKey {
    /// Its name.
    pub name: String,
}

/// Names an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressKey {
    /// The interface.
    pub dev: String,
    /// The address; its length is not looked at.
    pub address: InterfaceAddress,
}

/// Names a neighbour.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighbourKey {
    /// The interface.
    pub dev: String,
    /// Its address.
    pub address: Ipv6Addr,
}

/// Names a route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteKey {
    /// The routing instance; the lowest virtual network carried, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vn: Option<Vn>,
    /// The prefix.
    pub prefix: Prefix,
}

/// Names a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleKey {
    /// Its place among the rules.
    pub priority: u32,
}

impl Key {
    /// What names this item; none: a rule whose priority the router is to choose.
    #[must_use]
    pub fn of(item: &Item) -> Option<Self> {
        let rule = |priority: Option<u32>| priority.map(|priority| RuleKey { priority });
        Some(match item {
            Item::Table(TableEntry { table, prefix }) => Self::Table(TableKey {
                table: table.clone(),
                prefix: *prefix,
            }),
            Item::Policer(Policer { name, .. }) => Self::Policer(PolicerKey { name: name.clone() }),
            Item::Address(Address { address, dev }) => Self::Address(AddressKey {
                dev: dev.clone(),
                address: *address,
            }),
            Item::Neighbour(Neighbour { address, dev, .. }) => Self::Neighbour(NeighbourKey {
                dev: dev.clone(),
                address: *address,
            }),
            Item::Route(Route { prefix, vn, .. }) => Self::Route(RouteKey {
                vn: *vn,
                prefix: *prefix,
            }),
            Item::Class(ClassRule { priority, .. }) => Self::Class(rule(*priority)?),
            Item::Filter(FilterRule { priority, .. }) => Self::Filter(rule(*priority)?),
        })
    }

    /// An item of this name, to be deleted: what is not its name means nothing.
    #[must_use]
    pub fn to_item(&self) -> Item {
        match self.clone() {
            Self::Table(TableKey { table, prefix }) => Item::Table(TableEntry { table, prefix }),
            Self::Policer(PolicerKey { name }) => Item::Policer(Policer {
                name,
                meter: Meter::Srtcm,
                cir: BitRate(8),
                cbs: Octets(1),
                ebs: Some(Octets(1)),
                pir: None,
                pbs: None,
                aware: false,
                green: ColourAction::Pass,
                yellow: ColourAction::Pass,
                red: ColourAction::Drop,
            }),
            Self::Address(AddressKey { dev, address }) => Item::Address(Address { address, dev }),
            Self::Neighbour(NeighbourKey { dev, address }) => Item::Neighbour(Neighbour {
                address,
                lladdr: Mac([2, 0, 0, 0, 0, 0]),
                dev,
            }),
            Self::Route(RouteKey { vn, prefix }) => Item::Route(Route {
                prefix,
                vn,
                via: None,
                dev: None,
                kind: RouteKind::Unicast,
            }),
            Self::Class(RuleKey { priority }) => Item::Class(ClassRule {
                priority: Some(priority),
                matches: Match::default(),
                dscp: None,
                policer: None,
            }),
            Self::Filter(RuleKey { priority }) => Item::Filter(FilterRule {
                priority: Some(priority),
                matches: Match::default(),
                action: FilterAction::Accept,
            }),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(TableKey { table, prefix }) => write!(f, "table {table} {prefix}"),
            Self::Policer(PolicerKey { name }) => write!(f, "policer {name}"),
            Self::Address(AddressKey { dev, address }) => write!(f, "address {address} dev {dev}"),
            Self::Neighbour(NeighbourKey { dev, address }) => {
                write!(f, "neighbour {address} dev {dev}")
            }
            Self::Route(RouteKey { vn, prefix }) => {
                write!(f, "route {prefix}")?;
                vn.map_or(Ok(()), |vn| write!(f, " vn {vn}"))
            }
            Self::Class(RuleKey { priority }) => write!(f, "class {priority}"),
            Self::Filter(RuleKey { priority }) => write!(f, "filter {priority}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_an_item_of_that_name() {
        for item in [
            r#"{"table":{"table":"bad","prefix":"2001:db8::/32"}}"#,
            r#"{"policer":{"name":"p","meter":"srtcm","cir":"1Mbps","cbs":"1500B","ebs":"1500B"}}"#,
            r#"{"address":{"address":"2001:db8::1/64","dev":"west"}}"#,
            r#"{"neighbour":{"address":"fe80::1","lladdr":"02:00:00:00:00:01","dev":"west"}}"#,
            r#"{"route":{"prefix":"::/0","vn":3,"via":"2001:db8::1"}}"#,
            r#"{"class":{"priority":10,"dscp":"EF"}}"#,
            r#"{"filter":{"priority":10,"action":"drop"}}"#,
        ] {
            let item: Item = serde_json::from_str(item).unwrap();
            let key = Key::of(&item).unwrap();
            assert_eq!(Key::of(&key.to_item()), Some(key));
        }
        let nameless = r#"{"filter":{"action":"drop"}}"#;
        assert_eq!(Key::of(&serde_json::from_str(nameless).unwrap()), None);
    }
}

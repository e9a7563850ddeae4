//! Words of items, to be added, replaced or deleted; those of rules are elsewhere.

use std::net::Ipv6Addr;

use pinode_guest_ipv6qos::Prefix;
use pinode_guest_ipv6qos::control::Item;
use pinode_guest_ipv6qos::control::item::{Address, Mac, Neighbour, Route, RouteKind, TableEntry};
use pinode_guest_ipv6qos::control::request::Op;
use pinode_guest_ipv6qos::prefix::InterfaceAddress;

use super::command::{Command, Object, no_verb, read_name, read_vn};
use super::rule;
use super::words::{WordError, Words, once};
use crate::ipv6::key::{AddressKey, Key, NeighbourKey, PolicerKey, RouteKey, RuleKey, TableKey};

/// What is to be added or replaced.
pub(super) fn set(object: Object, op: Op, mut words: Words<'_>) -> Result<Command, WordError> {
    let item = match object {
        Object::Address => {
            let address: InterfaceAddress = words.read("an address")?;
            let dev = dev_needed(&mut words)?;
            words.end()?;
            Item::Address(Address { address, dev })
        }
        Object::Route => Item::Route(route(words)?),
        Object::Neighbour => Item::Neighbour(neighbour(words)?),
        Object::Table => {
            let table = read_name(&mut words, "table")?;
            let mut items = vec![table_entry(&table, &mut words)?];
            while words.peek().is_some() {
                items.push(table_entry(&table, &mut words)?);
            }
            return Ok(Command::Set(op, items));
        }
        Object::Policer => Item::Policer(rule::policer(words)?),
        Object::Class => Item::Class(rule::class(words)?),
        Object::Filter => Item::Filter(rule::filter(words)?),
        Object::Link | Object::Flow | Object::Counters => return Err(no_verb(object)),
    };
    Ok(Command::Set(op, vec![item]))
}

fn table_entry(table: &str, words: &mut Words<'_>) -> Result<Item, WordError> {
    Ok(Item::Table(TableEntry {
        table: table.to_owned(),
        prefix: words.read("a prefix")?,
    }))
}

/// `dev D`, or D alone where nothing else can stand.
fn dev_needed(words: &mut Words<'_>) -> Result<String, WordError> {
    let Some(()) = words.key(&[("dev", ())])? else {
        return Err(WordError(
            "dev is missing; needed: dev with an interface".to_owned(),
        ));
    };
    Ok(words.needed("an interface")?.to_owned())
}

#[derive(Clone, Copy)]
enum RouteWord {
    Via,
    Dev,
    Vn,
    Type(RouteKind),
}

const ROUTE_WORDS: &[(&str, RouteWord)] = &[
    ("via", RouteWord::Via),
    ("dev", RouteWord::Dev),
    ("vn", RouteWord::Vn),
    ("unicast", RouteWord::Type(RouteKind::Unicast)),
    ("blackhole", RouteWord::Type(RouteKind::Blackhole)),
    ("unreachable", RouteWord::Type(RouteKind::Unreachable)),
    ("prohibit", RouteWord::Type(RouteKind::Prohibit)),
];

fn route(mut words: Words<'_>) -> Result<Route, WordError> {
    let (mut via, mut dev, mut vn, mut kind) = (None, None, None, None);
    // `ip` has the type in front of the prefix.
    let first = ROUTE_WORDS
        .iter()
        .find(|(name, _)| Some(*name) == words.peek());
    if let Some((name, RouteWord::Type(of))) = first {
        words.next();
        once(&mut kind, name, *of)?;
    }
    let prefix: Prefix = words.read("a prefix")?;
    while let Some(word) = words.key(ROUTE_WORDS)? {
        match word {
            RouteWord::Via => {
                let address =
                    words.read_as::<Ipv6Addr>("via", "an IPv6 address such as fe80::1")?;
                once(&mut via, "via", address)?;
            }
            RouteWord::Dev => once(&mut dev, "dev", words.needed("an interface")?.to_owned())?,
            RouteWord::Vn => once(&mut vn, "vn", read_vn(&mut words)?)?,
            RouteWord::Type(of) => once(&mut kind, "the type", of)?,
        }
    }
    Ok(Route {
        prefix,
        vn,
        via,
        dev,
        kind: kind.unwrap_or_default(),
    })
}

fn neighbour(mut words: Words<'_>) -> Result<Neighbour, WordError> {
    let address = neighbour_address(&mut words)?;
    let (mut lladdr, mut dev) = (None, None);
    while let Some(is_dev) = words.key(&[("lladdr", false), ("dev", true)])? {
        if is_dev {
            once(&mut dev, "dev", words.needed("an interface")?.to_owned())?;
        } else {
            once(&mut lladdr, "lladdr", words.read::<Mac>("lladdr")?)?;
        }
    }
    let missing = |key: &str| {
        WordError(format!(
            "{key} is missing; needed: lladdr MAC dev INTERFACE"
        ))
    };
    Ok(Neighbour {
        address,
        lladdr: lladdr.ok_or_else(|| missing("lladdr"))?,
        dev: dev.ok_or_else(|| missing("dev"))?,
    })
}

fn neighbour_address(words: &mut Words<'_>) -> Result<Ipv6Addr, WordError> {
    words.read_as("an address", "an IPv6 address such as fe80::1")
}

/// What is to be deleted.
pub(super) fn delete(object: Object, mut words: Words<'_>) -> Result<Vec<Key>, WordError> {
    let key = match object {
        Object::Address => {
            let address = words.read("an address")?;
            let dev = dev_needed(&mut words)?;
            Key::Address(AddressKey { dev, address })
        }
        Object::Route => {
            // What is said of the route beside its name is read and not looked at, as what `show` prints.
            let Route { prefix, vn, .. } = route(words)?;
            return Ok(vec![Key::Route(RouteKey { vn, prefix })]);
        }
        Object::Neighbour => {
            let address = neighbour_address(&mut words)?;
            let mut dev = None;
            while let Some(is_dev) = words.key(&[("dev", true), ("lladdr", false)])? {
                match is_dev {
                    true => once(&mut dev, "dev", words.needed("an interface")?.to_owned())?,
                    false => drop(words.read::<Mac>("lladdr")?),
                }
            }
            let dev = dev.ok_or_else(|| {
                WordError("dev is missing; needed: dev with an interface".to_owned())
            })?;
            Key::Neighbour(NeighbourKey { dev, address })
        }
        Object::Table => {
            let table = read_name(&mut words, "table")?;
            let mut keys = Vec::new();
            while keys.is_empty() || words.peek().is_some() {
                let prefix = words.read("a prefix")?;
                let table = table.clone();
                keys.push(Key::Table(TableKey { table, prefix }));
            }
            return Ok(keys);
        }
        Object::Policer => Key::Policer(PolicerKey {
            name: read_name(&mut words, "policer")?,
        }),
        Object::Class => Key::Class(rule_key(&mut words)?),
        Object::Filter => Key::Filter(rule_key(&mut words)?),
        Object::Link | Object::Flow | Object::Counters => return Err(no_verb(object)),
    };
    words.end()?;
    Ok(vec![key])
}

/// `prio N`, or N alone.
fn rule_key(words: &mut Words<'_>) -> Result<RuleKey, WordError> {
    if matches!(words.peek(), Some("prio" | "priority")) {
        words.next();
    }
    let priority = words.read_as("prio", rule::PRIORITIES)?;
    Ok(RuleKey { priority })
}

//! What commands ask of the API.

use pinode_guest_ipv6qos::control::Item;
use pinode_guest_ipv6qos::control::request::{Kind, Op};
use serde_json::Value;

use super::batch::Items;
use crate::ipv6::key::Key;

/// A change of things of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) op: Op,
    pub(super) resource: &'static str,
    pub(super) items: Items,
}

impl Change {
    /// All of one kind.
    pub(super) fn set(op: Op, items: &[Item]) -> Self {
        let resource = items.first().map_or("", |item| match item {
            Item::Address(_) => "addresses",
            Item::Route(_) => "routes",
            Item::Neighbour(_) => "neighbours",
            Item::Table(_) => "tables",
            Item::Policer(_) => "policers",
            Item::Class(_) => "classes",
            Item::Filter(_) => "filters",
        });
        let items = items.iter().map(|item| inside(serde_json::to_value(item)));
        Self {
            op,
            resource,
            items: items.collect(),
        }
    }

    /// All of one kind.
    pub(super) fn delete(keys: &[Key]) -> Self {
        let resource = keys.first().map_or("", |key| match key {
            Key::Address(_) => "addresses",
            Key::Route(_) => "routes",
            Key::Neighbour(_) => "neighbours",
            Key::Table(_) => "tables",
            Key::Policer(_) => "policers",
            Key::Class(_) => "classes",
            Key::Filter(_) => "filters",
        });
        let items = keys.iter().map(|key| inside(serde_json::to_value(key)));
        Self {
            op: Op::Delete,
            resource,
            items: items.collect(),
        }
    }
}

/// What stands inside of the name of its kind.
fn inside(tagged: serde_json::Result<Value>) -> Value {
    match tagged {
        Ok(Value::Object(kinds)) => kinds.into_iter().next().map_or(Value::Null, |(_, it)| it),
        // Items and keys are objects that JSON can carry.
        Ok(_) | Err(_) => Value::Null,
    }
}

/// Where lists of this kind are.
pub(super) fn resource(what: Kind) -> &'static str {
    match what {
        Kind::Interface => "interfaces",
        Kind::Address => "addresses",
        Kind::Route => "routes",
        Kind::Neighbour => "neighbours",
        Kind::Table => "tables",
        Kind::Policer => "policers",
        Kind::Class => "classes",
        Kind::Filter => "filters",
        Kind::Flow => "flows",
        Kind::Counter => "counters",
    }
}

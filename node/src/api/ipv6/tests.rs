//! The document says of each type what the type is.

use std::collections::BTreeSet;

use pinode_guest_ipv6qos::control::item::{
    Address, ClassRule, FilterRule, Neighbour, Policer, Route, TableEntry,
};
use pinode_guest_ipv6qos::control::matching::Match;
use pinode_guest_ipv6qos::control::view;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::schema;

/// The keys of an object's schema, those of its parts included.
fn documented(schema: &Value, keys: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        keys.extend(properties.keys().cloned());
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        documented(part, keys);
    }
}

/// `full`, which has every key, is a `T`, and `S` documents just its keys.
fn same<T: DeserializeOwned + Serialize, S: PartialSchema + ToSchema>(full: Value) {
    let read: T = serde_json::from_value(full.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), full);
    let mut keys = BTreeSet::new();
    documented(&serde_json::to_value(S::schema()).unwrap(), &mut keys);
    let has: BTreeSet<String> = full.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, has, "{}", S::name());
}

fn with(mut value: Value, more: Value) -> Value {
    let Value::Object(more) = more else {
        panic!("no object")
    };
    value.as_object_mut().unwrap().extend(more);
    value
}

#[test]
fn the_document_has_the_keys_of_the_types() {
    let count = json!({ "packets": 1, "octets": 2 });
    let address = json!({ "address": "2001:db8::1/64", "dev": "west" });
    same::<Address, schema::Address>(address.clone());
    same::<view::AddressView, schema::AddressEntry>(with(
        address,
        json!({ "vn": 0, "state": "preferred" }),
    ));
    let route =
        json!({ "prefix": "::/0", "vn": 1, "via": "fe80::1", "dev": "west", "type": "blackhole" });
    same::<Route, schema::Route>(route.clone());
    let listed = with(route, json!({ "origin": "static" }));
    same::<view::RouteView, schema::RouteEntry>(listed.clone());
    same::<view::Hop, schema::Hop>(with(
        listed,
        json!({ "next_hop": "fe80::1", "lladdr": "02:00:00:00:00:01", "mtu": 1500 }),
    ));
    let neighbour = json!({ "address": "fe80::1", "lladdr": "02:00:00:00:00:01", "dev": "west" });
    same::<Neighbour, schema::Neighbour>(neighbour.clone());
    same::<view::NeighbourView, schema::NeighbourEntry>(with(
        neighbour,
        json!({ "vn": 0, "state": "stale", "router": true, "age_ns": 1_000_000_000 }),
    ));
    same::<TableEntry, schema::TablePrefix>(json!({ "table": "t", "prefix": "::/0" }));
    same::<view::TableView, schema::Table>(json!({ "table": "t", "prefixes": 1 }));
    let policer = json!({
        "name": "p", "meter": "trtcm", "cir": "1Mbps", "cbs": "1KiB", "ebs": "1KiB", "pir": "2Mbps",
        "pbs": "1KiB", "aware": true, "green": "pass", "yellow": "precedence", "red": { "dscp": "DF" },
    });
    same::<Policer, schema::Policer>(policer.clone());
    let counts = json!({ "green_count": count, "yellow_count": count, "red_count": count });
    same::<view::PolicerView, schema::PolicerEntry>(with(policer, counts));
    let matches = json!({
        "vn": 0, "dev": "west", "local": true, "from": "table:t", "to": "::/0", "protocol": "tcp",
        "sport": "1-2", "dport": "80", "type": "128", "dscp": "EF", "fragment": false,
    });
    same::<Match, schema::Match>(matches.clone());
    let class = json!({ "priority": 1, "match": matches, "dscp": "EF", "policer": "p" });
    same::<ClassRule, schema::Class>(class.clone());
    same::<view::ClassView, schema::ClassEntry>(with(class, json!({ "count": count })));
    let filter = json!({ "priority": 1, "match": matches, "action": "track" });
    same::<FilterRule, schema::Filter>(filter.clone());
    same::<view::FilterView, schema::FilterEntry>(with(filter, json!({ "count": count })));
    same::<view::InterfaceView, schema::Interface>(json!({
        "interface": "west", "vn": 0, "mac": "02:00:00:00:00:01", "mtu": 1500, "addresses": ["fe80::1/64"],
        "advertises": true, "received": count, "sent": count,
    }));
    same::<view::FlowView, schema::Flow>(json!({
        "vn": 0, "from": "::1", "to": "::2", "protocol": "tcp", "sport": 1, "dport": 2, "state": "new",
        "packets": [1, 2], "expires": "30s",
    }));
    same::<view::CounterView, schema::Counter>(with(json!({ "counter": "forwarded" }), count));
}

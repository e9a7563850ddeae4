//! Mistakes of a configuration: each is told with its place and what is allowed.

use pinode_guest_ipv6qos::Router;
use pinode_guest_runtime::Function;
use serde_json::{Value, json};

use crate::bed::config;

/// Places and messages of all that is wrong.
fn problems(pi: Value) -> Vec<(String, String)> {
    let config = config(2, &[0, 5], false, pi);
    let problems = Router::check(&config).err().unwrap_or_default();
    let refused = Router::default().configure(&config).is_err();
    assert_eq!(refused, !problems.is_empty(), "guest and host agree");
    problems
        .into_iter()
        .map(|problem| (problem.place, problem.what))
        .collect()
}

#[test]
fn what_is_right_is_taken() {
    for pi in [
        Value::Null,
        json!({}),
        json!({ "interface": { "west": { "address": ["2001:db8::1/64"], "mac": "02:00:00:00:00:77", "mtu": 1280 } } }),
        json!({ "interface": { "west.5": {} }, "limits": { "routes": 10 }, "icmp": { "rate": 5 } }),
        json!({ "filter": { "flows": { "limit": 100 }, "rule": [{ "action": "track" }] } }),
    ] {
        assert_eq!(problems(pi.clone()), [], "{pi}");
    }
}

#[test]
fn each_mistake_has_its_place() {
    let cases = [
        (json!({ "routes": [] }), "routes", "unknown field `routes`"),
        (
            json!({ "route": [{ "prefix": "2001:db8::/129" }] }),
            "route[0].prefix",
            "allowed:",
        ),
        (
            json!({ "route": [{ "prefix": "::/0", "via": "1.2.3.4" }] }),
            "route[0].via",
            "IPv6",
        ),
        (
            json!({ "route": [{ "prefix": "::/0", "vai": "::2" }] }),
            "route[0].vai",
            "unknown field `vai`; allowed: ",
        ),
        (
            json!({ "route": [{ "prefix": "::/0", "via": "2001:db8::2" }] }),
            "route[0].via",
            "is on no link of virtual network 0; allowed:",
        ),
        (
            json!({ "route": [{ "prefix": "::/0", "dev": "north" }] }),
            "route[0].dev",
            "allowed: west, west.5, east, east.5",
        ),
        (
            json!({ "route": [{ "prefix": "::/0", "vn": 7, "dev": "west" }] }),
            "route[0].vn",
            "allowed: 0, 5",
        ),
        (
            json!({ "route": [{ "prefix": "ff00::/8", "dev": "west" }] }),
            "route[0].prefix",
            "allowed:",
        ),
        (
            json!({ "interface": { "north": {} } }),
            "interface.north",
            "allowed: west",
        ),
        (
            json!({ "interface": { "west": { "mtu": 1200 } } }),
            "interface.west.mtu",
            "allowed: 1280 to 1500",
        ),
        (
            json!({ "interface": { "west": { "mac": "01:00:00:00:00:00" } } }),
            "interface.west.mac",
            "allowed:",
        ),
        (
            json!({ "interface": { "west": { "address": ["::1/64"] } } }),
            "interface.west.address[0]",
            "allowed:",
        ),
        (
            json!({ "interface": { "west": {}, "west.0": {} } }),
            "interface.west.0",
            "another of its names",
        ),
        (
            json!({ "interface": { "west": { "ra": { "interval": "1s" } } } }),
            "interface.west.ra",
            "allowed",
        ),
        (
            json!({ "neighbour": [{ "address": "fe80::1", "lladdr": "02:00:00:00:00:1", "dev": "west" }] }),
            "neighbour[0].lladdr",
            "allowed:",
        ),
        (
            json!({ "table": { "a b": ["::/0"] } }),
            "table.a b[0]",
            "allowed:",
        ),
        (
            json!({ "class": [{ "policer": "p" }] }),
            "class[0].policer",
            "p",
        ),
        (
            json!({ "filter": { "rule": [{ "action": "pass" }] } }),
            "filter.rule[0].action",
            "accept",
        ),
        (
            json!({ "filter": { "flows": { "limit": 0 } } }),
            "filter.flows",
            "allowed: 1 to",
        ),
        (
            json!({ "limits": { "routes": 5_000_000 } }),
            "limits.routes",
            "allowed: 0 to 4000000",
        ),
        (
            json!({ "limits": { "neighbours": 65_536 } }),
            "limits.neighbours",
            "allowed: 16 to 32768",
        ),
        (
            json!({ "limits": { "neighbours": 15 } }),
            "limits.neighbours",
            "allowed: 16 to 32768",
        ),
        (
            json!({ "icmp": { "rate": 0 } }),
            "icmp.rate",
            "allowed: 1 to 1000000",
        ),
    ];
    let wrong: Vec<_> = cases
        .into_iter()
        .map(|(pi, place, what)| (problems(pi), place, what))
        .filter(|(problems, place, what)| match &problems[..] {
            [(found, message)] => found != place || !message.contains(what),
            _ => true,
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let pi = json!({
        "interface": { "west": { "mtu": 1 }, "north": {} },
        "route": [{ "prefix": "x" }, { "prefix": "y" }],
    });
    assert_eq!(problems(pi).len(), 4);
}

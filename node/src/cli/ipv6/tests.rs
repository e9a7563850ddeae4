//! What can be written, and what is said of what cannot.

use super::command::{Command, parse};
use super::request::Change;
use super::show;

use pinode_guest_ipv6qos::control::Item;
use pinode_guest_ipv6qos::control::request::{Kind, Op};
use serde_json::{Value, json};

fn words(text: &str) -> Result<Command, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    parse(&words).map_err(|error| error.0)
}

/// What the API is told: operation, resource, items.
fn change(text: &str) -> (Op, &'static str, Value) {
    let change = match words(text).unwrap() {
        Command::Set(op, items) => Change::set(op, &items),
        Command::Delete(keys) => Change::delete(&keys),
        other => panic!("{text}: {other:?}"),
    };
    (change.op, change.resource, Value::Array(change.items))
}

#[test]
fn changes_are_as_they_are_written() {
    for (text, op, resource, items) in [
        (
            "route add 2001:db8:9::/48 via 2001:db8:2::9",
            Op::Add,
            "routes",
            json!([{ "prefix": "2001:db8:9::/48", "via": "2001:db8:2::9" }]),
        ),
        (
            "r r default via fe80::1 dev east vn 5",
            Op::Replace,
            "routes",
            json!([{ "prefix": "::/0", "via": "fe80::1", "dev": "east", "vn": 5 }]),
        ),
        (
            "ro add blackhole 2001:db8::/32",
            Op::Add,
            "routes",
            json!([{ "prefix": "2001:db8::/32", "type": "blackhole" }]),
        ),
        (
            "route del 2001:db8:9::/48 via fe80::1 dev east vn 3",
            Op::Delete,
            "routes",
            json!([{ "prefix": "2001:db8:9::/48", "vn": 3 }]),
        ),
        (
            "a a 2001:db8:1::1/64 dev west",
            Op::Add,
            "addresses",
            json!([{ "address": "2001:db8:1::1/64", "dev": "west" }]),
        ),
        (
            "address delete 2001:db8:1::1/64 dev west",
            Op::Delete,
            "addresses",
            json!([{ "address": "2001:db8:1::1/64", "dev": "west" }]),
        ),
        (
            "n replace fe80::9 dev east lladdr 02:00:00:00:00:09",
            Op::Replace,
            "neighbours",
            json!([{ "address": "fe80::9", "lladdr": "02:00:00:00:00:09", "dev": "east" }]),
        ),
        (
            "neighbour del fe80::9 dev east",
            Op::Delete,
            "neighbours",
            json!([{ "address": "fe80::9", "dev": "east" }]),
        ),
        (
            "table add bad 2001:db8::/32 2001:db8::1",
            Op::Add,
            "tables",
            json!([
                { "table": "bad", "prefix": "2001:db8::/32" },
                { "table": "bad", "prefix": "2001:db8::1/128" },
            ]),
        ),
        (
            "policer add gold trtcm cir 1Mbps cbs 3000B pir 2Mbps pbs 6000B aware yellow AF12",
            Op::Add,
            "policers",
            json!([{
                "name": "gold", "meter": "trtcm", "cir": "1Mbps", "cbs": "3000B", "pir": "2Mbps", "pbs": "6000B",
                "aware": true, "green": "pass", "yellow": { "dscp": "AF12" }, "red": "drop",
            }]),
        ),
        (
            "p d gold",
            Op::Delete,
            "policers",
            json!([{ "name": "gold" }]),
        ),
        (
            "class add prio 10 from table:x proto udp dport 5004-5005 dscp DF local no mark EF policer gold",
            Op::Add,
            "classes",
            json!([{
                "priority": 10, "dscp": "EF", "policer": "gold",
                "match": { "from": "table:x", "protocol": "udp", "dport": "5004-5005", "dscp": "DF", "local": false },
            }]),
        ),
        (
            "filter replace vn 1 dev west type 128 fragment no reject prio 7",
            Op::Replace,
            "filters",
            json!([{
                "priority": 7, "action": "reject",
                "match": { "vn": 1, "dev": "west", "type": "128", "fragment": false },
            }]),
        ),
        (
            "filter del 7",
            Op::Delete,
            "filters",
            json!([{ "priority": 7 }]),
        ),
        (
            "class del prio 7",
            Op::Delete,
            "classes",
            json!([{ "priority": 7 }]),
        ),
    ] {
        assert_eq!(change(text), (op, resource, items), "{text}");
    }
}

#[test]
fn the_commands_of_the_documentation_are_right() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ipv6.md");
    let page = std::fs::read_to_string(page).unwrap();
    let help = include_str!("args.rs");
    let lines = page.lines().chain(help.lines()).map(str::trim_start);
    let commands = lines.filter_map(|line| line.strip_prefix("pinode ipv6 "));
    let commands: Vec<&str> = commands
        .filter(|line| !line.starts_with("batch "))
        .collect();
    assert!(commands.len() > 30, "{commands:?}");
    for command in commands {
        let text = command.split(['#', '"']).next().unwrap_or_default();
        let said = words(&text.replace("--json", ""));
        assert!(said.is_ok(), "{command}: {said:?}");
    }
}

#[test]
fn lists_and_flushes() {
    let Ok(Command::Show(routes)) = words("route") else {
        panic!("an object alone is shown")
    };
    assert_eq!((routes.what, routes.all), (Kind::Route, false));
    let Ok(Command::Show(shown)) = words("l s west vn 3") else {
        panic!("not shown")
    };
    assert_eq!(
        (shown.what, shown.dev.as_deref()),
        (Kind::Interface, Some("west"))
    );
    assert_eq!(shown.vn.map(|vn| vn.get()), Some(3));
    let Ok(Command::Show(table)) = words("table list bad") else {
        panic!("not shown")
    };
    assert_eq!(table.table.as_deref(), Some("bad"));
    assert!(matches!(words("counters vn 1"), Ok(Command::Show(_))));
    assert!(matches!(
        words("route get 2001:db8::1 vn 2"),
        Ok(Command::RouteGet { .. })
    ));
    assert!(matches!(words("neigh flush all"), Ok(Command::Flush(_))));
    assert!(matches!(
        words("route flush dev east"),
        Ok(Command::Flush(_))
    ));
}

#[test]
fn what_is_wrong_names_the_word_and_what_is_allowed() {
    for (text, said) in [
        ("", "one of addr, route, neigh, ... is missing"),
        ("f show", "\"f\" may be filter or flow"),
        (
            "rout3",
            "\"rout3\" is not allowed here; allowed: addr, route",
        ),
        (
            "route ad 2001:db8::/32 vai x",
            "\"vai\" is not allowed here; allowed: via, dev, vn, unicast",
        ),
        ("route add", "a prefix is missing at the end"),
        ("route add 2001:db8::1/32", "allowed: 2001:db8::/32"),
        ("route add 10.0.0.0/8", "allowed: ADDRESS/LENGTH"),
        ("route add ::/0 via", "via is missing at the end"),
        (
            "route add ::/0 via 1.2.3.4",
            "via: \"1.2.3.4\" is not allowed; allowed: an IPv6 address",
        ),
        (
            "route add ::/0 vn 32",
            "vn: 32 is not allowed; allowed: 0 to 31",
        ),
        ("route add ::/0 dev a dev b", "dev is said twice"),
        (
            "route mend ::/0",
            "allowed: add, replace, del, show, get, flush",
        ),
        ("route flush", "needed: all, vn N, dev INTERFACE"),
        ("addr add 2001:db8::1/64", "dev is missing"),
        ("addr add ff02::1/64 dev west", "allowed: a unicast address"),
        ("addr del ::2/64 dev west x", "\"x\" is one word too many"),
        (
            "addr flush all",
            "\"flush\" is not allowed here; allowed: add, replace, del, show",
        ),
        ("link delete west", "allowed: show"),
        ("neigh add fe80::1 dev west", "lladdr is missing"),
        (
            "neigh add fe80::1 lladdr 2:0:0:0:0:9 dev west",
            "allowed: six octets",
        ),
        ("table add bad", "a prefix is missing"),
        ("table add b,d ::/0", "allowed: 1 to 32 letters"),
        ("table flush", "needed: the name of a table"),
        ("policer add p srtcm cir 1Mbps", "cbs is missing"),
        ("policer add p leaky", "allowed: srtcm, trtcm"),
        ("policer add p srtcm cir 1 cbs 1", "cir: \"1\" is no"),
        (
            "policer add p srtcm cir 1bps cbs 1B red blue",
            "red: \"blue\" is not allowed; allowed: pass, precedence",
        ),
        (
            "class add from ::/0",
            "needed: mark DSCP, policer NAME, or both",
        ),
        ("class add mark XX", "mark: \"XX\" is no DSCP; allowed: DF"),
        (
            "filter add from ::/0",
            "needed: accept, drop, reject or track",
        ),
        ("filter add from x drop", "or table:NAME"),
        (
            "filter add local maybe drop",
            "\"maybe\" is not allowed here; allowed: yes, no",
        ),
        (
            "filter del x",
            "prio: \"x\" is not allowed; allowed: 0 to 4294967295",
        ),
    ] {
        let error = words(text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn what_is_shown_can_be_written_again() {
    for text in [
        "policer add gold srtcm cir 10Mbps cbs 64KiB ebs 1KiB aware green AF11 yellow precedence red drop",
        "filter add vn 1 dev west local yes from ::/0 to table:t proto tcp sport 1-2 dport 80 dscp EF fragment no drop",
    ] {
        let Ok(Command::Set(_, items)) = words(text) else {
            panic!("{text}")
        };
        let shown = match &items[0] {
            Item::Policer(policer) => format!("policer add {}", show::policer(policer)),
            Item::Filter(rule) => {
                format!(
                    "filter add{} {}",
                    show::matches(&rule.matches),
                    show::action(rule.action)
                )
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(shown, text);
    }
}

#[test]
fn lists_look_like_those_of_iproute2() {
    fn shown<E: super::Shown + serde::de::DeserializeOwned>(entries: Value) -> String {
        show::text(&serde_json::from_value::<Vec<E>>(entries).unwrap())
    }
    use pinode_guest_ipv6qos::control::view::*;
    assert_eq!(
        shown::<RouteView>(json!([
            { "prefix": "::/0", "vn": 0, "via": "fe80::1", "dev": "east", "origin": "static" },
            { "prefix": "2001:db8:1::/64", "vn": 0, "dev": "west", "origin": "connected" },
            { "prefix": "2001:db8::7/128", "vn": 5, "type": "blackhole", "origin": "static" },
        ])),
        "default via fe80::1 dev east vn 0 proto static\n\
         2001:db8:1::/64 dev west vn 0 proto connected\n\
         blackhole 2001:db8::7 vn 5 proto static\n"
    );
    assert_eq!(
        shown::<AddressView>(json!([
            { "address": "fe80::1/64", "dev": "west", "vn": 0, "state": "preferred" },
            { "address": "2001:db8:1::1/64", "dev": "west", "vn": 0, "state": "tentative" },
            { "address": "fe80::2/64", "dev": "east.5", "vn": 5, "state": "duplicated" },
        ])),
        "west: vn 0\n    inet6 fe80::1/64 scope link\n    inet6 2001:db8:1::1/64 scope global tentative\n\
         east.5: vn 5\n    inet6 fe80::2/64 scope link dadfailed\n"
    );
    assert_eq!(
        shown::<NeighbourView>(json!([
            { "address": "fe80::9", "dev": "east", "vn": 0, "lladdr": "02:00:00:00:00:09", "state": "reachable",
              "router": true, "age_ns": 12_345_678_901u64 },
            { "address": "fe80::8", "dev": "east", "vn": 0, "state": "failed", "router": false, "age_ns": 5_000_000 },
        ])),
        "fe80::9 dev east lladdr 02:00:00:00:00:09 router REACHABLE 12.345s\nfe80::8 dev east FAILED 0.005s\n"
    );
}

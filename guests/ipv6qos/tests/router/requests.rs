//! Changes and questions at run time: what is added is in force, what is wrong is named and nothing is done.

use serde_json::{Value, json};

use crate::bed::{Bed, frame, host, port, udp};

/// The error of a change; none: it was done.
fn change(bed: &mut Bed, op: &str, item: &Value) -> Option<String> {
    let answer = bed.ask(json!({ "change": { "op": op, "items": [item] } }));
    answer["changed"]["error"].as_str().map(str::to_owned)
}

#[test]
fn each_kind_of_item_is_added_once_replaced_and_deleted_once() {
    let mut bed = Bed::pair(json!({}));
    let items = [
        json!({ "route": { "prefix": "2001:db8:a::/48", "via": "2001:db8:2::9" } }),
        json!({ "address": { "address": "2001:db8:7::1/64", "dev": "east" } }),
        json!({ "neighbour": { "address": "2001:db8:2::8", "lladdr": "02:00:00:00:01:08", "dev": "east" } }),
        json!({ "table": { "table": "t", "prefix": "2001:db8:b::/48" } }),
        json!({ "policer": { "name": "p", "meter": "srtcm", "cir": "1Mbps", "cbs": "64KiB", "ebs": "0B" } }),
        json!({ "class": { "priority": 5, "match": { "protocol": "udp" }, "dscp": "EF" } }),
        json!({ "filter": { "priority": 5, "match": { "protocol": "tcp" }, "action": "drop" } }),
    ];
    for item in &items {
        assert_eq!(change(&mut bed, "add", item), None, "{item}");
        let again = change(&mut bed, "add", item).unwrap();
        let named = ["already", "there is a rule with priority 5"];
        assert!(named.iter().any(|words| again.contains(words)), "{again}");
        for _ in 0..2 {
            assert_eq!(change(&mut bed, "replace", item), None, "{item}");
        }
        assert_eq!(change(&mut bed, "delete", item), None, "{item}");
        let again = change(&mut bed, "delete", item).unwrap();
        assert!(!again.is_empty());
        assert_eq!(change(&mut bed, "replace", item), None, "{item}");
        assert_eq!(change(&mut bed, "delete", item), None, "{item}");
    }
}

#[test]
fn the_first_mistake_ends_a_change_and_what_was_before_stays() {
    let mut bed = Bed::pair(json!({}));
    let route = |prefix: &str, via: &str| json!({ "route": { "prefix": prefix, "via": via } });
    let items = [
        route("2001:db8:a::/48", "2001:db8:2::9"),
        route("2001:db8:b::/48", "2001:db8:9::9"),
        route("2001:db8:c::/48", "2001:db8:2::9"),
    ];
    let answer = bed.ask(json!({ "change": { "op": "add", "items": items } }));
    let changed = &answer["changed"];
    assert_eq!(changed["items"][0]["route"]["vn"], 0);
    assert_eq!(changed["items"].as_array().unwrap().len(), 1);
    let error = changed["error"].as_str().unwrap();
    assert!(
        error.starts_with("via: 2001:db8:9::9 is on no link"),
        "{error}"
    );
    assert!(error.contains("allowed:"), "{error}");
    assert_eq!(get(&mut bed, "2001:db8:c::1"), Value::Null);
}

#[test]
fn a_mistake_is_told_from_what_is_in_the_way() {
    let mut bed = Bed::pair(json!({
        "limits": { "routes": 9, "policers": 1, "next_hops": 1 },
        "policer": [{ "name": "p", "meter": "srtcm", "cir": "1Mbps", "cbs": "64KiB", "ebs": "0B" }],
        "class": [{ "priority": 5, "policer": "p" }],
    }));
    let policer = |name: &str| json!({ "policer": { "name": name, "meter": "srtcm", "cir": "1Mbps", "cbs": "64KiB", "ebs": "0B" } });
    let route = |prefix: &str, via: &str| json!({ "route": { "prefix": prefix, "via": via } });
    let address = |address: &str| json!({ "address": { "address": address, "dev": "east" } });
    let neighbour = |address: &str| json!({ "neighbour": { "address": address, "lladdr": "02:00:00:00:01:00", "dev": "west" } });
    let rule = |rule: Value| json!({ "filter": rule });
    for (op, item, kind) in [
        ("add", address("2001:db8:2::1/64"), "conflict"),
        ("delete", address("2001:db8:2::2/64"), "conflict"),
        ("delete", address("2001:db8:2::1/65"), "invalid"),
        ("add", neighbour("2001:db8:1::9"), "conflict"),
        ("delete", neighbour("2001:db8:1::8"), "conflict"),
        ("add", neighbour("ff02::1"), "invalid"),
        (
            "delete",
            route("2001:db8:a::/48", "2001:db8:2::9"),
            "conflict",
        ),
        (
            "delete",
            route("2001:db8:1::/64", "2001:db8:2::9"),
            "conflict",
        ),
        ("add", route("2001:db8:a::/48", "2001:db8:9::9"), "invalid"),
        ("add", route("ff00::/8", "2001:db8:2::9"), "invalid"),
        ("add", policer("q"), "conflict"),
        ("add", policer("p"), "conflict"),
        ("delete", policer("p"), "conflict"),
        ("add", policer("p q"), "invalid"),
        (
            "delete",
            json!({ "table": { "table": "t", "prefix": "::/0" } }),
            "conflict",
        ),
        (
            "add",
            json!({ "table": { "table": "t t", "prefix": "::/0" } }),
            "invalid",
        ),
        ("add", json!({ "class": { "priority": 5 } }), "conflict"),
        ("add", json!({ "class": { "policer": "q" } }), "conflict"),
        (
            "delete",
            rule(json!({ "priority": 7, "action": "drop" })),
            "conflict",
        ),
        ("delete", rule(json!({ "action": "drop" })), "invalid"),
        (
            "add",
            rule(json!({ "match": { "dev": "north" }, "action": "drop" })),
            "invalid",
        ),
    ] {
        let answer = bed.ask(json!({ "change": { "op": op, "items": [item] } }));
        assert_eq!(answer["changed"]["kind"], kind, "{op} {item}: {answer}");
    }
    // Limits: six routes come with the addresses.
    for (n, kind) in [
        (0, Value::Null),
        (1, Value::Null),
        (2, Value::Null),
        (3, json!("conflict")),
    ] {
        let item = route(&format!("2001:db8:a{n}::/48"), "2001:db8:2::9");
        let answer = bed.ask(json!({ "change": { "op": "add", "items": [item] } }));
        assert_eq!(answer["changed"]["kind"], kind, "{n}: {answer}");
    }
    let item = route("2001:db8:a0::/48", "2001:db8:2::8");
    let answer = bed.ask(json!({ "change": { "op": "replace", "items": [item] } }));
    assert_eq!(answer["changed"]["kind"], "conflict", "{answer}");
}

fn get(bed: &mut Bed, to: &str) -> Value {
    bed.ask(json!({ "route_get": { "to": to } }))["route"].clone()
}

#[test]
fn where_a_packet_would_go() {
    let mut bed =
        Bed::pair(json!({ "route": [{ "prefix": "2001:db8:a::/48", "via": "2001:db8:2::9" }] }));
    let hop = get(&mut bed, "2001:db8:a::1");
    assert_eq!(
        (&hop["prefix"], &hop["via"], &hop["dev"]),
        (
            &json!("2001:db8:a::/48"),
            &json!("2001:db8:2::9"),
            &json!("east")
        )
    );
    assert_eq!(
        (&hop["origin"], &hop["next_hop"], &hop["mtu"]),
        (&json!("static"), &json!("2001:db8:2::9"), &json!(1500))
    );
    assert_eq!(hop["lladdr"], "02:00:00:00:01:01");
    assert_eq!(get(&mut bed, "2001:db8:1::77")["origin"], "connected");
    assert_eq!(get(&mut bed, "2001:db8:1::1")["origin"], "local");
    assert_eq!(get(&mut bed, "2001:db8:b::1"), Value::Null);
}

#[test]
fn routes_follow_the_links_of_their_next_routers() {
    let mut bed =
        Bed::pair(json!({ "route": [{ "prefix": "2001:db8:a::/48", "via": "2001:db8:2::9" }] }));
    let east = json!({ "address": { "address": "2001:db8:2::1/64", "dev": "east" } });
    let west = json!({ "address": { "address": "2001:db8:2::1/64", "dev": "west" } });
    assert_eq!(change(&mut bed, "delete", &east), None);
    let given = udp("2001:db8:1::9", "2001:db8:a::1", 9, 1);
    let sent = bed.give(0, &frame(port(0), host(0), 0, &given));
    assert_eq!(crate::bed::icmp(crate::bed::packet(&sent[0].1)), (1, 0));
    assert_eq!(change(&mut bed, "add", &west), None);
    assert_eq!(get(&mut bed, "2001:db8:a::1")["dev"], "west");
    assert_eq!(change(&mut bed, "delete", &west), None);
    assert_eq!(change(&mut bed, "add", &east), None);
    assert_eq!(get(&mut bed, "2001:db8:a::1")["dev"], "east");
}

#[test]
fn lists_come_in_pages_and_lose_nothing() {
    let mut bed = Bed::pair(json!({}));
    let route = |n: u32| json!({ "route": { "prefix": format!("2001:db8:{n:x}::/48"), "type": "blackhole" } });
    let routes: Vec<Value> = (0x100..0x200).map(route).collect();
    bed.ask(json!({ "change": { "op": "add", "items": routes } }));
    for most in [1, 7, 64] {
        let all = bed.list(json!({ "what": "route" }), most);
        let fixed = all
            .iter()
            .filter(|entry| entry["origin"] == "static")
            .count();
        assert_eq!((fixed, all.len()), (256, 262));
        assert_eq!(bed.list(json!({ "what": "interface" }), most).len(), 2);
        assert_eq!(bed.list(json!({ "what": "address" }), most).len(), 4);
        assert_eq!(bed.list(json!({ "what": "neighbour" }), most).len(), 2);
        assert_eq!(
            bed.list(json!({ "what": "neighbour", "of": "east" }), most)
                .len(),
            1
        );
        assert_eq!(
            bed.list(json!({ "what": "route", "of": "east" }), most)
                .len(),
            3
        );
    }
}

#[test]
fn a_filter_rule_is_in_force_at_once_and_neighbour_discovery_goes_on() {
    let mut bed = Bed::pair(json!({}));
    let given = frame(
        port(0),
        host(0),
        0,
        &udp("2001:db8:1::9", "2001:db8:2::9", 9, 1),
    );
    assert_eq!(bed.give(0, &given).len(), 1);
    let rule = json!({ "filter": { "priority": 1, "action": "reject" } });
    assert_eq!(change(&mut bed, "add", &rule), None);
    for _ in 0..10 {
        bed.pass(1_000_000);
    }
    let sent = bed.give(0, &given);
    assert_eq!(crate::bed::icmp(crate::bed::packet(&sent[0].1)), (1, 1));
    let held = frame(
        port(0),
        host(0),
        0,
        &udp("2001:db8:1::9", "2001:db8:1::77", 9, 1),
    );
    assert_eq!(bed.give(0, &held).len(), 1);
    assert_eq!(change(&mut bed, "delete", &rule), None);
    for _ in 0..10 {
        bed.pass(1_000_000);
    }
    assert_eq!(bed.give(0, &given).len(), 1);
}

#[test]
fn flows_pass_in_both_directions_and_errors_about_them() {
    let mut bed = Bed::pair(json!({ "filter": { "rule": [
        { "match": { "dev": "west", "protocol": "udp" }, "action": "track" },
        { "action": "drop" },
    ] } }));
    let out = udp("2001:db8:1::9", "2001:db8:2::9", 9, 1);
    let mut back = udp("2001:db8:2::9", "2001:db8:1::9", 9, 1);
    assert_eq!(bed.give(1, &frame(port(1), host(1), 0, &back)), []);
    assert_eq!(bed.give(0, &frame(port(0), host(0), 0, &out)).len(), 1);
    assert_eq!(
        bed.give(1, &frame(port(1), host(1), 0, &back)),
        [],
        "the ports are not swapped"
    );
    let ports = [back[42], back[43], back[40], back[41]];
    back[40..44].copy_from_slice(&ports);
    assert_eq!(bed.give(1, &frame(port(1), host(1), 0, &back)).len(), 1);
    // An error about a packet of the flow passes, and one about another does not.
    let error_to = |to: &str, quoted: &[u8]| {
        let from = crate::bed::address("2001:db8:2::9").octets();
        let to = crate::bed::address(to).octets();
        let mut packet = Vec::new();
        let builder = etherparse::PacketBuilder::ipv6(from, to, 9).icmpv6_raw(1, 4, [0; 4]);
        builder.write(&mut packet, quoted).unwrap();
        frame(port(1), host(1), 0, &packet)
    };
    let error = |quoted: &[u8]| error_to("2001:db8:1::9", quoted);
    assert_eq!(bed.give(1, &error(&out)).len(), 1);
    // To anybody but the sender of the packet it is no answer.
    assert_eq!(bed.give(1, &error_to("2001:db8:1::8", &out)), []);
    let other = udp("2001:db8:1::9", "2001:db8:2::7", 9, 1);
    assert_eq!(bed.give(1, &error(&other)), []);
    assert_eq!(bed.list(json!({ "what": "flow" }), 64).len(), 1);
    assert_eq!(
        bed.ask(json!({ "flush": { "what": "flow" } })),
        json!({ "flushed": 1 })
    );
    assert_eq!(bed.give(1, &frame(port(1), host(1), 0, &back)), []);
}

#[test]
fn an_address_that_finds_no_room_takes_nothing_along() {
    let routes = Bed::pair(json!({}))
        .list(json!({ "what": "route" }), 64)
        .len();
    let mut bed = Bed::pair(json!({ "limits": { "routes": routes } }));
    let before = bed.list(json!({ "what": "route" }), 64);
    let second = json!({ "address": { "address": "2001:db8:1::7/64", "dev": "west" } });
    let answer = bed.ask(json!({ "change": { "op": "add", "items": [second] } }));
    assert!(!answer["changed"]["error"].is_null(), "{answer}");
    assert_eq!(bed.list(json!({ "what": "route" }), 64), before);
}

#[test]
fn rules_that_are_answered_judge_the_next_frame() {
    let mut bed = Bed::pair(json!({ "limits": { "filter_rules": 4096, "class_rules": 1024 } }));
    let given = udp("2001:db8:1::9", "2001:db8:2::9", 9, 1);
    let passes = |bed: &mut Bed| !bed.give(0, &frame(port(0), host(0), 0, &given)).is_empty();
    // So many that they are not in force after one slice.
    let rule = |n: u32| {
        let wanted =
            json!({ "from": format!("2001:db8:ffff:{n:x}::/64"), "dport": format!("{n}") });
        json!({ "filter": { "priority": n, "match": wanted, "action": "drop" } })
    };
    let many: Vec<Value> = (1..2000).map(rule).collect();
    bed.ask(json!({ "change": { "op": "add", "items": many } }));
    assert!(passes(&mut bed));
    let last =
        json!({ "filter": { "priority": 3000, "match": { "protocol": "udp" }, "action": "drop" } });
    for op in ["add", "delete", "replace"] {
        let before = passes(&mut bed);
        let asked = json!({ "change": { "op": op, "items": [last] } });
        let (answer, slices) = bed.ask_between(asked, |bed| assert_eq!(passes(bed), before));
        assert_eq!(answer["changed"]["error"], Value::Null);
        assert!(slices > 20, "{slices}");
        assert_eq!(passes(&mut bed), op == "delete", "{op}");
    }
    // Rules of the classifier likewise.
    assert_eq!(change(&mut bed, "delete", &last), None);
    let policer = json!({ "policer": { "name": "p", "meter": "srtcm", "cir": "1Mbps", "cbs": "64KiB", "ebs": "0B", "green": "drop" } });
    assert_eq!(change(&mut bed, "add", &policer), None);
    assert!(passes(&mut bed));
    let class = json!({ "class": { "priority": 1, "policer": "p" } });
    assert_eq!(change(&mut bed, "add", &class), None);
    assert!(!passes(&mut bed));
}

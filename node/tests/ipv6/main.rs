//! A router of a running node told and asked at run time, by the command line as a script would.

mod node;
mod restart;

use std::fmt::Write as _;

use node::{Node, TOML};
use serde_json::json;

#[test]
fn routes_and_addresses_come_and_go() {
    let node = Node::start(TOML);
    node.done("ipv6 addr add 2001:db8:3::1/64 dev east");
    node.done("ipv6 route add 2001:db8:30::/48 via 2001:db8:3::9");
    node.done("ipv6 r a blackhole 2001:db8:bad::/48 vn 5");
    let routes = node.text("ipv6 route show");
    for line in [
        "2001:db8:9::/48 via 2001:db8:2::9 dev east vn 0 proto static\n",
        "2001:db8:30::/48 via 2001:db8:3::9 dev east vn 0 proto static\n",
        "2001:db8:3::/64 dev east vn 0 proto connected\n",
        "blackhole 2001:db8:bad::/48 vn 5 proto static\n",
    ] {
        assert!(routes.contains(line), "{line} is not in\n{routes}");
    }
    assert!(!routes.contains("proto local"), "{routes}");
    assert!(node.text("ipv6 route show all").contains("proto local"));
    assert!(!node.text("ipv6 route show vn 5").contains("vn 0"));
    let addresses = node.text("ipv6 addr show east");
    assert!(
        addresses.starts_with("east: vn 0\n    inet6 "),
        "{addresses}"
    );
    assert!(
        addresses.contains("2001:db8:3::1/64 scope global"),
        "{addresses}"
    );
    assert!(!addresses.contains("west"), "{addresses}");

    let hop = node.json("ipv6 route get 2001:db8:30::77");
    assert_eq!(hop["prefix"], "2001:db8:30::/48");
    assert_eq!(
        (&hop["next_hop"], &hop["dev"]),
        (&json!("2001:db8:3::9"), &json!("east"))
    );
    let (code, err) = node.refused("ipv6 route get 2001:db8:ffff::1 vn 5");
    assert_eq!(code, 2);
    assert!(
        err.contains("there is no route to 2001:db8:ffff::1"),
        "{err}"
    );

    node.done("ipv6 route replace 2001:db8:30::/48 via 2001:db8:2::8");
    let hop = node.json("ipv6 route get 2001:db8:30::77");
    assert_eq!(hop["next_hop"], "2001:db8:2::8");
    node.done("ipv6 route del 2001:db8:30::/48");
    assert!(!node.text("ipv6 route").contains("2001:db8:30::"));
    assert_eq!(node.text("ipv6 route flush vn 5"), "1 flushed\n");
    node.done("ipv6 addr del 2001:db8:3::1/64 dev east");
    assert!(!node.text("ipv6 route").contains("2001:db8:3::"));
}

#[test]
fn what_is_there_already_or_not_there_is_a_failure_and_what_cannot_be_a_mistake() {
    let node = Node::start(TOML);
    for (command, code, says) in [
        ("route add 2001:db8:9::/48 dev east", 1, "already"),
        (
            "route del 2001:db8:77::/48",
            1,
            "there is no route to 2001:db8:77::/48",
        ),
        ("addr add 2001:db8:1::1/64 dev west", 1, "already"),
        ("filter del 99", 1, "there is no rule with priority 99"),
        ("policer del nobody", 1, "there is no policer nobody"),
        (
            "route add 2001:db8:77::/48 via 2001:db8:55::1",
            2,
            "allowed: an address in the prefix",
        ),
        (
            "route add 2001:db8:77::/48 dev north",
            2,
            "allowed: west, west.5, east, east.5",
        ),
        ("route add 2001:db8:77::/48 dev east vn 7", 2, "vn"),
        (
            "route add 2001:db8:77::/48 vai 2001:db8:2::9",
            2,
            "\"vai\" is not allowed here",
        ),
        (
            "route show --guest can",
            2,
            "there is no IPv6 router \"can\"; there are: ipv6qos",
        ),
        (
            "route show --guest nobody",
            2,
            "there is no guest \"nobody\"",
        ),
    ] {
        let (found, err) = node.refused(&format!("ipv6 {command}"));
        assert_eq!(found, code, "{command}: {err}");
        assert!(err.contains(says), "{command}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
}

#[test]
fn rules_tables_and_policers() {
    let node = Node::start(TOML);
    node.done("ipv6 table add bad 2001:db8:bad::/48 2001:db8:6::6");
    node.done("ipv6 policer add gold srtcm cir 10Mbps cbs 64KiB ebs 64KiB");
    node.done("ipv6 class add prio 10 from 2001:db8:1::/64 proto udp dport 5004-5005 mark AF11 policer gold");
    node.done("ipv6 filter add prio 20 from table:bad drop");
    let added = node.json("ipv6 filter add dev west proto tcp dport 80 track");
    let priority = added[0]["priority"].as_u64().unwrap();
    assert!(priority > 20, "behind all others: {added}");

    assert_eq!(node.text("ipv6 table show"), "bad 2 prefixes\n");
    assert_eq!(
        node.text("ipv6 table show bad"),
        "bad 2001:db8:6::6/128\nbad 2001:db8:bad::/48\n"
    );
    let policers = node.text("ipv6 policer show");
    assert!(
        policers.starts_with("gold srtcm cir 10Mbps cbs 64KiB ebs 64KiB green pass"),
        "{policers}"
    );
    assert!(node.text("ipv6 class").contains(
        "prio 10 from 2001:db8:1::/64 proto udp dport 5004-5005 mark AF11 policer gold\n    0 packets 0 octets\n"
    ));
    assert!(
        node.text("ipv6 filter")
            .starts_with("prio 20 from table:bad drop\n")
    );
    let (code, err) = node.refused("ipv6 policer del gold");
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("delete those first"), "{err}");
    node.done("ipv6 class del 10");
    node.done("ipv6 policer del gold");
    node.done(&format!("ipv6 filter del {priority}"));
    assert_eq!(node.text("ipv6 table flush bad"), "2 flushed\n");
    let counters = node.json("ipv6 counters vn 5");
    assert!(!counters.as_array().unwrap().is_empty());
    assert_eq!(node.json("ipv6 flow show"), json!([]));
    let links = node.text("ipv6 link show west");
    assert!(links.contains("link/ether 02:00:00:01:01:01"), "{links}");
}

#[test]
fn what_was_changed_outlives_the_guest() {
    let node = Node::start(TOML);
    node.done("ipv6 route del 2001:db8:9::/48");
    node.done("ipv6 addr add 2001:db8:3::1/64 dev east");
    node.done("ipv6 route add 2001:db8:30::/48 via 2001:db8:3::9");
    node.done("ipv6 neigh add 2001:db8:3::9 lladdr 02:00:00:00:00:09 dev east");
    node.done("ipv6 table add bad 2001:db8:bad::/48");
    node.done("ipv6 policer add gold srtcm cir 10Mbps cbs 64KiB ebs 64KiB");
    node.done("ipv6 class add mark AF11 policer gold");
    node.done("ipv6 filter add from table:bad drop");
    let mut lines = String::new();
    for n in 0..3000 {
        writeln!(
            lines,
            "route add 2001:db8:1000:{n:x}::/64 via 2001:db8:2::9"
        )
        .unwrap();
    }
    node.write("many.txt", &lines);
    node.done("ipv6 batch many.txt");
    let shown = || {
        ["route", "table", "policer", "class", "filter"].map(|of| node.text(&format!("ipv6 {of}")))
    };
    let before = shown();
    assert_eq!(before[0].matches("2001:db8:1000:").count(), 3000);

    node.text("guest restart ipv6qos");
    node.until_running();
    assert_eq!(shown(), before);
    assert!(
        node.text("ipv6 neigh")
            .contains("2001:db8:3::9 dev east lladdr 02:00:00:00:00:09 ")
    );

    node.text("guest stop ipv6qos");
    let (code, err) = node.refused("ipv6 route");
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("guest.ipv6qos: is stopped"), "{err}");
    node.text("guest start ipv6qos");
    node.until_running();
    assert_eq!(shown(), before);
    assert_eq!(node.text("ipv6 route flush all"), "3001 flushed\n");
}

#[test]
fn a_batch_says_which_line_is_wrong_and_what_was_done() {
    let node = Node::start(TOML);
    let good =
        "route add 2001:db8:70::/48 dev east\nroute add 2001:db8:71::/48 dev east # one more\n";
    node.write(
        "b.txt",
        &format!("{good}\nroute add 2001:db8:72::/48 dve east\n"),
    );
    let (code, err) = node.refused("ipv6 batch b.txt");
    assert_eq!(code, 2);
    assert!(
        err.contains("b.txt:4: \"dve\" is not allowed here; allowed: via, dev"),
        "{err}"
    );
    assert!(
        !node.text("ipv6 route").contains("2001:db8:70::"),
        "nothing was done"
    );

    node.write(
        "b.txt",
        &format!("{good}route add 2001:db8:9::/48 dev east\n"),
    );
    let (code, err) = node.refused("ipv6 batch b.txt");
    assert_eq!(code, 1);
    assert!(
        err.contains("b.txt:3: there is a static route to 2001:db8:9::/48"),
        "{err}"
    );
    assert!(err.contains("all lines before it are done"), "{err}");
    assert!(node.text("ipv6 route").contains("2001:db8:71::"));

    node.write(
        "b.txt",
        "route del 2001:db8:70::/48\nroute del 2001:db8:71::/48\n",
    );
    assert_eq!(node.json("ipv6 batch b.txt"), json!({ "done": 2 }));
    let (code, err) = node.refused("ipv6 batch none.txt");
    assert_eq!(code, 1);
    assert!(err.contains("cannot read none.txt"), "{err}");
}

#[test]
fn a_configuration_that_the_router_would_refuse_is_refused_with_its_place() {
    let wrong = TOML.replace("2001:db8:9::/48", "2001:db8:9::1/48");
    let (code, err) = node::check(&wrong);
    assert_eq!(code, 2);
    assert!(err.contains("node.toml:"), "{err}");
    assert!(err.contains("pi.ipv6qos.config.route[0].prefix"), "{err}");
    assert!(err.contains("allowed: 2001:db8:9::/48"), "{err}");
}

#[test]
fn the_configuration_of_the_documentation_is_right() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ipv6.md");
    let page = std::fs::read_to_string(page).unwrap();
    let examples: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(!examples.is_empty());
    for example in examples {
        assert_eq!(node::check(example), (0, String::new()), "{example}");
    }
}

//! What a router is configured with is checked with the node's file.

use std::path::Path;

use super::{ConfigError, GuestImage, NodeConfig, parse};

const NODE: &str = r#"[node]
name = "n1"
[[port]]
name = "west"
backend = "memory:west"
mode = "trunk"
capacity = "1Gbps"
[port.cycle]
phases = [{ pi = "ipv6qos", for = "100us" }]
[[port]]
name = "east"
backend = "memory:east"
mode = "access"
pi = "ipv6qos"
capacity = "1Gbps"
[port.cycle]
phases = [{ pi = "ipv6qos", for = "100us" }]
[pi.ipv6qos]
code = 1
vns = [0, 5]
"#;

fn read(more: &str) -> Result<NodeConfig, ConfigError> {
    let builtins = &["patch", "ipv6qos"];
    parse(
        "node.toml",
        Path::new(""),
        &format!("{NODE}{more}"),
        builtins,
    )
}

fn problems(more: &str) -> Vec<(Option<usize>, String, String)> {
    let error = read(more).expect_err("a mistake");
    let problems = error.problems.into_iter();
    problems.map(|p| (p.line, p.at, p.what)).collect()
}

#[test]
fn a_pi_of_code_1_is_a_router_if_nothing_else_is_said() {
    let node = read("").unwrap();
    assert_eq!(node.pis[0].guest, GuestImage::Builtin("ipv6qos".to_owned()));
    let node = read("guest = \"builtin:patch\"").unwrap();
    assert_eq!(node.pis[0].guest, GuestImage::Builtin("patch".to_owned()));
    let [(_, at, what)] = &problems("cmdline = \"quiet\"")[..] else {
        panic!("one problem")
    };
    assert_eq!(at, "pi.ipv6qos.cmdline");
    assert!(what.contains("not allowed with a built-in guest"));
    // Where there is no such image it has to be named, as that of another code.
    let error = parse("node.toml", Path::new(""), NODE, &["patch"]).unwrap_err();
    assert!(
        error.to_string().contains("pi.ipv6qos.guest: is missing"),
        "{error}"
    );
    let can = NODE.replace("code = 1", "code = 2");
    let error = parse("node.toml", Path::new(""), &can, &["patch", "ipv6qos"]).unwrap_err();
    assert!(
        error.to_string().contains("pi.ipv6qos.guest: is missing"),
        "{error}"
    );
}

/// The MAC addresses of the router's vifs.
fn macs(text: &str) -> Vec<String> {
    let node = parse("node.toml", Path::new(""), text, &["patch", "ipv6qos"]).unwrap();
    let vifs = node.guest_config(&node.pis[0], 0).vifs;
    vifs.into_iter().map(|vif| vif.mac).collect()
}

#[test]
fn no_two_nodes_have_a_mac_address_in_common() {
    let named = |name: &str| NODE.replace("name = \"n1\"", &format!("name = {name:?}"));
    let of_machine = macs(NODE);
    assert_eq!(of_machine, macs(NODE), "the same at each start");
    // Two nodes of a machine, and two of one name on machines whose ids do not tell them apart.
    let others = [
        macs(&named("n2")),
        macs(&NODE.replace("[node]", "[node]\nidentity = \"left\"")),
        macs(&NODE.replace("[node]", "[node]\nidentity = \"right\"")),
    ];
    let mut all: Vec<&String> = others.iter().chain([&of_machine]).flatten().collect();
    assert!(all.iter().all(|mac| mac[1..].starts_with("2:")), "{all:?}");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8);
    // Who has a virtual network of a PI to itself has an address of its own too.
    let [west, _] = &macs(&NODE.replace("vns = [0, 5]", "vns = [7]").replace(
        "pi = \"ipv6qos\"\ncapacity",
        "pi = \"ipv6qos\"\nvn = 7\ncapacity",
    ))[..] else {
        panic!("two vifs")
    };
    assert_eq!(west[..11], of_machine[0][..11]);
    assert_eq!(west[12..], *"39:00");
}

#[test]
fn an_identity_is_a_name() {
    let text = NODE.replace("[node]", "[node]\nidentity = \"\"");
    let error = parse("node.toml", Path::new(""), &text, &["ipv6qos"]).unwrap_err();
    assert!(error.to_string().contains("node.identity: "), "{error}");
}

#[test]
fn mistakes_have_their_place_and_line() {
    for (config, line, at, what) in [
        (
            "[pi.ipv6qos.config]\nrouts = []",
            22,
            "pi.ipv6qos.config",
            "unknown field `routs`",
        ),
        (
            "[pi.ipv6qos.config.interface]\nnorth = {}",
            22,
            "pi.ipv6qos.config.interface.north",
            "allowed: west",
        ),
        (
            "[pi.ipv6qos.config.interface]\n\"west.5\" = { address = [\"2001:db8::1/64\", \"x\"] }",
            22,
            "pi.ipv6qos.config.interface.west.5.address[1]",
            "\"x\" is no IPv6 prefix; allowed",
        ),
        (
            "[[pi.ipv6qos.config.route]]\nprefix = \"2001:db8:9::/48\"\ndev = \"west\"\n\
             [[pi.ipv6qos.config.route]]\nprefix = \"2001:db8:9::1/48\"\ndev = \"west\"",
            25,
            "pi.ipv6qos.config.route[1].prefix",
            "allowed: 2001:db8:9::/48",
        ),
        (
            "[[pi.ipv6qos.config.route]]\nprefix = \"2001:db8:9::/48\"\nvia = \"2001:db8:2::9\"",
            23,
            "pi.ipv6qos.config.route[0].via",
            "is on no link",
        ),
        (
            "[[pi.ipv6qos.config.class]]\npriority = 1\ndscp = \"XX\"",
            23,
            "pi.ipv6qos.config.class[0].dscp",
            "allowed: DF",
        ),
    ] {
        let found = problems(config);
        let [(at_line, place, says)] = &found[..] else {
            panic!("{config}: {found:?}")
        };
        assert!(place.starts_with(at), "{place}: {says}");
        assert!(says.contains(what), "{place}: {says}");
        assert_eq!(*at_line, Some(line), "{place}: {says}");
    }
}

#[test]
fn a_right_one_is_taken() {
    let config = r#"
[pi.ipv6qos.config.interface]
west = { mac = "02:00:00:01:01:01", address = ["2001:db8:1::1/64"] }
"west.5" = { address = ["2001:db8:1::1/64"] }
east = { mac = "02:00:00:01:02:01", address = ["2001:db8:2::1/64"] }
[[pi.ipv6qos.config.route]]
prefix = "2001:db8:9::/48"
via = "2001:db8:2::9"
"#;
    read(config).unwrap();
}

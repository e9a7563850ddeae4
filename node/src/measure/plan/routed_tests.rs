//! Where streams through a router go, by its configuration alone.

use std::collections::BTreeSet;
use std::path::PathBuf;

use pinode_guest_ipv6qos::Prefix;
use pinode_measure::results::Test;
use pinode_measure::stream::{Compare, Encapsulation, StreamSpec, Transport};
use pinode_measure::trial::Side;

use super::super::{Asked, Plan, PlanError, Target};
use crate::measure::asked::FrameSize;

/// A node whose only PI is the default guest of code 1, with this below `[pi.ipv6qos.config]`.
fn node(mode: &str, config: &str) -> String {
    let port = |name| {
        format!(
            "[[port]]\nname = \"{name}\"\nbackend = \"memory:{name}\"\n{mode}\ncapacity = \"1Gbps\"\n\
             [port.cycle]\nphases = [{{ pi = \"ipv6qos\", for = \"100us\" }}]\n"
        )
    };
    let (west, east) = (port("west"), port("east"));
    format!("[node]\nname = \"n\"\n{west}{east}[pi.ipv6qos]\ncode = 1\nvns = [0, 5]\n{config}")
}

const TRUNK: &str = "mode = \"trunk\"";

/// The plan of a measurement of such a node.
fn planned(text: &str, change: impl FnOnce(&mut Asked)) -> Result<Plan, PlanError> {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("node.toml");
    std::fs::write(&file, text).unwrap();
    let mut asked = Asked::of_node(Some(&file));
    asked.tests = vec![Test::Latency];
    asked.sizes = vec![FrameSize::octets(79)];
    change(&mut asked);
    Plan::of(&asked)
}

fn specs(plan: &Plan) -> Vec<(Side, StreamSpec)> {
    let streams = plan.rounds[0].traffic.streams.iter();
    streams
        .map(|of| (of.stream.from, of.stream.spec.clone()))
        .collect()
}

fn destinations(spec: &StreamSpec) -> Vec<u128> {
    let all = std::iter::once(spec.address.0).chain(spec.other_destinations.iter().copied());
    all.map(u128::from).collect()
}

/// The neighbours that the guest is told of.
fn neighbours(plan: &Plan) -> Vec<(String, String)> {
    let Target::Node(node) = &plan.target else {
        panic!("no node")
    };
    let known = node.config.pis[0].config["neighbour"].as_array();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let known = known.into_iter().flatten();
    known
        .map(|of| (text(&of["address"]), text(&of["dev"])))
        .collect()
}

const PLAIN: &str = r#"
[pi.ipv6qos.config.interface]
west = { mac = "02:00:00:01:01:01", address = ["2001:db8:1::1/64"] }
east = { mac = "02:00:00:01:02:01", address = ["2001:db8:2::1/64"] }
"west.5" = { address = ["2001:db8:5::1/64"] }
"#;

#[test]
fn hosts_of_both_links_where_there_is_no_more() {
    let plan = planned(&node(TRUNK, PLAIN), |asked| asked.bidirectional = true).unwrap();
    let streams = specs(&plan);
    let [(Side::West, there), (Side::East, back)] = &streams[..] else {
        panic!("{streams:?}")
    };
    assert_eq!(there.mac.0, [2, 0, 0, 1, 1, 1]);
    assert_eq!(back.mac.0, [2, 0, 0, 1, 2, 1]);
    let hosts = ["2001:db8:2::2", "2001:db8:1::2"].map(|host| host.parse().unwrap());
    assert_eq!(there.address, hosts.into());
    assert_eq!(back.address, (hosts[1], hosts[0]));
    for spec in [there, back] {
        assert_eq!(spec.compare, Compare::Payload);
        assert_eq!(spec.transport, Transport::None, "79 octets hold no UDP");
        assert!(spec.other_destinations.is_empty());
    }
    let told = [("2001:db8:2::2", "east"), ("2001:db8:1::2", "west")];
    let told = told.map(|(address, dev)| (address.to_owned(), dev.to_owned()));
    assert_eq!(neighbours(&plan), told);
    assert!(plan.notes.iter().any(|note| note.contains("2001:db8:2::2")));
}

#[test]
fn networks_of_benchmarks_where_the_default_route_leads_there() {
    let text = node(TRUNK, PLAIN)
        + "[[pi.ipv6qos.config.route]]\nprefix = \"default\"\nvia = \"2001:db8:2::9\"\n\
           [[pi.ipv6qos.config.route]]\nprefix = \"2001:2:0:7::/64\"\ntype = \"blackhole\"\n";
    let plan = planned(&text, |asked| asked.sizes = vec![FrameSize::octets(87)]).unwrap();
    let spec = &specs(&plan)[0].1;
    assert!(matches!(spec.transport, Transport::Udp { to: 7, .. }));
    let to = destinations(spec);
    let networks: BTreeSet<u128> = to.iter().map(|to| to >> 64).collect();
    // 256, but the one that leads nowhere.
    assert_eq!((to.len(), networks.len()), (255, 255));
    let benchmark: Prefix = "2001:2::/48".parse().unwrap();
    assert!(to.iter().all(|to| benchmark.contains(*to)));
    assert!(!networks.contains(&0x2001_0002_0000_0007));
    assert_eq!(
        neighbours(&plan),
        [("2001:db8:2::9".to_owned(), "east".to_owned())]
    );
}

#[test]
fn each_route_in_turn_where_the_block_is_not_routed() {
    let text = node(TRUNK, PLAIN)
        + r#"
[[pi.ipv6qos.config.route]]
prefix = "2001:db8:a::/48"
via = "2001:db8:2::9"
[[pi.ipv6qos.config.route]]
prefix = "2001:db8:b::7/128"
via = "fe80::9"
dev = "east"
[[pi.ipv6qos.config.route]]
prefix = "2001:db8:c::/48"
via = "2001:db8:1::9"
[[pi.ipv6qos.config.neighbour]]
address = "2001:db8:2::9"
lladdr = "02:00:00:00:00:09"
dev = "east"
"#;
    let plan = planned(&text, |_| {}).unwrap();
    let to = destinations(&specs(&plan)[0].1);
    let within = |prefix: &str| {
        let prefix: Prefix = prefix.parse().unwrap();
        to.iter().filter(|to| prefix.contains(**to)).count()
    };
    assert_eq!(
        (within("2001:db8:a::/48"), within("2001:db8:b::7/128")),
        (255, 1)
    );
    let told = neighbours(&plan);
    // The one that stood there stays the only one of its address.
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1], ("fe80::9".to_owned(), "east".to_owned()));
}

#[test]
fn what_the_user_says_goes_before() {
    let text = node(TRUNK, PLAIN);
    let plan = planned(&text, |asked| {
        let stream =
            "dst=02:00:00:00:00:0a,dst_ip=2001:db8:2::77,src_ip=2001:db8:1::66,udp,size=90";
        asked.streams = vec![stream.parse().unwrap()];
    });
    let plan = plan.unwrap();
    let spec = &specs(&plan)[0].1;
    assert_eq!(spec.mac.0, [2, 0, 0, 0, 0, 10]);
    let address = |text: &str| text.parse().unwrap();
    assert_eq!(
        spec.address,
        (address("2001:db8:2::77"), address("2001:db8:1::66"))
    );
    assert_eq!(
        neighbours(&plan),
        [("2001:db8:2::77".to_owned(), "east".to_owned())]
    );
}

#[test]
fn what_comes_out_of_no_other_port_is_refused() {
    let only_west = "[pi.ipv6qos.config.interface]\nwest = { address = [\"2001:db8:1::1/64\"] }\n";
    let said = planned(&node(TRUNK, only_west), |_| {}).unwrap_err();
    let said = said.to_string();
    assert!(
        said.contains("comes in at west out of east")
            && said.contains("allowed: an address on east"),
        "{said}"
    );
    // Network 5 has a link on west alone.
    let said = planned(&node(TRUNK, PLAIN), |asked| {
        asked.streams = vec!["vn=5".parse().unwrap()];
    });
    let said = said.unwrap_err().to_string();
    assert!(said.contains("out of east.5 (virtual network 5)"), "{said}");
    for (to, goes) in [
        ("2001:db8:1::7", "a route out of west"),
        ("2001:db8:9::7", "no route"),
        ("2001:db8:2::1", "an address of its own"),
    ] {
        let said = planned(&node(TRUNK, PLAIN), |asked| {
            asked.streams = vec![format!("dst_ip={to}").parse().unwrap()];
        });
        let said = said.unwrap_err().to_string();
        assert!(
            said.contains(&format!("--stream dst_ip={to}: ")) && said.contains(goes),
            "{said}"
        );
    }
}

#[test]
fn access_ports_have_plain_frames() {
    let text = node("mode = \"access\"\npi = \"ipv6qos\"\nvn = 0", PLAIN);
    let text = text.replace("\"west.5\" = { address = [\"2001:db8:5::1/64\"] }\n", "");
    let plan = planned(&text, |asked| asked.sizes = vec![FrameSize::octets(86)]).unwrap();
    let spec = &specs(&plan)[0].1;
    assert_eq!(spec.encapsulation, Encapsulation::Plain);
    assert!(matches!(spec.transport, Transport::Udp { .. }));
}

//! Changes at run time by `pinode ipv6`, under traffic that must not notice: nothing is lost, and the guest is never restarted.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::host::Host;
use pinode_tests::node::Node;
use pinode_tests::ping::Ping;
use pinode_tests::poll::until;
use pinode_tests::router::is_linux;
use serde_json::Value;

use super::bed::{Bed, PREFIXES};
use super::evidence::unharmed;
use super::hosts::PACKET;
use super::services::{Iperf, WebServer, ping, result};
use super::{CURL, IPERF3, PYTHON, with};
use crate::Case;

pub fn cases() -> Vec<Case> {
    if is_linux() {
        return Vec::new();
    }
    vec![
        Case::new(
            "ipv6::control::changes_of_every_kind_under_traffic_lose_nothing",
            &with(&[IPERF3]),
            changes,
        ),
        Case::new(
            "ipv6::control::two_hundred_thousand_routes_by_batch_under_traffic",
            &with(&[]),
            batch,
        ),
        Case::new(
            "ipv6::control::a_filter_blocks_and_unblocks_a_port",
            &with(&[CURL, PYTHON]),
            filter,
        ),
        Case::new(
            "ipv6::control::an_address_is_advertised_once_it_is_added",
            &with(&[]),
            address,
        ),
        Case::new(
            "ipv6::control::what_was_changed_outlives_a_restart_of_the_guest",
            &with(&[]),
            restart,
        ),
    ]
}

/// What `pinode ipv6 WORDS --json` lists.
pub fn entries(node: &Node, words: &[&str]) -> Result<Vec<Value>> {
    let listed = node.json(&[&["ipv6"], words, &["--json"]].concat())?;
    listed
        .as_array()
        .cloned()
        .with_context(|| format!("pinode ipv6 {words:?}: no list: {listed}"))
}

/// `pinode ipv6` with the words of a line.
fn ipv6(node: &Node, line: &str) -> Result<String> {
    let words: Vec<&str> = ["ipv6"]
        .into_iter()
        .chain(line.split_whitespace())
        .collect();
    node.succeed(&words)
}

/// Adds, replaces and deletes one of everything. What is added is gone at the end.
const CHANGES: [&str; 22] = [
    "route add 2001:db8:9::/48 via 2001:db8:b::ff:fe00:b",
    "route add 2001:db8:9:1::/64 via fe80::ff:fe00:c dev carol",
    "route replace blackhole 2001:db8:9::/48",
    "route replace 2001:db8:9::/48 dev bob",
    "addr add 2001:db8:aa::1/64 dev alice",
    "neigh add 2001:db8:aa::9 lladdr 02:00:00:00:00:99 dev alice",
    "table add bad 2001:db8:bad::/48 2001:db8:666::/48",
    "table add bad 2001:db8:667::1",
    "policer add gold srtcm cir 1Mbps cbs 64KiB ebs 64KiB",
    "class add prio 20 from table:bad policer gold",
    "class add prio 10 proto udp dport 5201 mark EF",
    "filter add prio 10 from table:bad drop",
    "filter add prio 20 proto tcp dport 81 reject",
    "filter del 20",
    "filter del 10",
    "class del 20",
    "policer del gold",
    "table del bad 2001:db8:bad::/48 2001:db8:666::/48 2001:db8:667::1",
    "neigh del 2001:db8:aa::9 dev alice",
    "addr del 2001:db8:aa::1/64 dev alice",
    "route del 2001:db8:9:1::/64",
    "route del 2001:db8:9::/48",
];

fn changes() -> Result<()> {
    let bed = Bed::start(PACKET)?;
    let node = bed.router.node()?;
    let [_, bob, carol] = bed.addresses();
    let before = listed(node)?;
    let pings = Ping::start(&bed.alice().namespace, &bob, "0.01", 56)?;
    let server = Iperf::serve(bed.carol(), &carol)?;
    let mut client = server.start(bed.bob(), &["-u", "-b", "4M", "-l", "1200", "-t", "3"])?;
    let mut rounds = 0;
    while !client.ended()? {
        for line in CHANGES {
            ipv6(node, line)?;
        }
        ipv6(node, "class del 10")?;
        rounds += 1;
    }
    let end = result(&client.finish(Duration::from_secs(10))?)?;
    ensure!(
        rounds > 0 && end["sum"]["lost_packets"] == 0,
        "{rounds} rounds: {}",
        end["sum"]
    );
    pings.finish()?.whole()?;
    // Nothing is left, and what was marked came marked: traffic class of EF.
    ensure!(listed(node)? == before, "{:?}\n{before:?}", listed(node)?);
    let marked = bed.evidence.received(2, |frame| {
        let first = frame.get(12..16).unwrap_or_default();
        // EtherType; version, traffic class, and the first bits of the flow label.
        matches!(first, [0x86, 0xdd, 0x6b, more] if more >> 4 == 8) && frame.get(20) == Some(&17)
    });
    ensure!(marked > 0, "no packet came as EF");
    bed.finish()
}

/// What can be changed, as it is, but for counters and whether addresses are verified yet.
fn listed(node: &Node) -> Result<Vec<Vec<Value>>> {
    ["route", "addr", "table", "policer", "class", "filter"]
        .iter()
        .map(|object| {
            let mut entries = entries(node, &[object])?;
            for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                entry.remove("count");
                entry.remove("state");
            }
            Ok(entries)
        })
        .collect()
}

fn batch() -> Result<()> {
    const ROUTES: usize = 200_000;
    let bed = Bed::start_with(PACKET, |plan| {
        plan.pi = "memory = \"256MiB\"".into();
        plan.config = format!("limits = {{ routes = {} }}\n", ROUTES + 100);
    })?;
    let node = bed.router.node()?;
    let [alice, bob, carol] = bed.addresses();
    let there = Ping::start(&bed.alice().namespace, &bob, "0.005", 56)?;
    let back = Ping::start(&bed.carol().namespace, &alice, "0.005", 1200)?;
    // Of every length from /33 to /64, by two next routers.
    let (mut add, mut del) = (String::new(), String::new());
    for number in 0..ROUTES {
        let length = 33 + number % 32;
        let bits = ((number as u32 + 1).wrapping_mul(0x9e37_79b1)) & (u32::MAX << (64 - length));
        // Below 3000::/12, apart by their length: 3LLx:xxxx, the bits behind.
        let group = 0x3000 | (length as u16) << 4;
        let prefix = format!(
            "{group:x}:{:x}:{:x}:{:x}::/{length}",
            number / 32,
            bits >> 16,
            bits & 0xffff
        );
        let via = if number % 2 == 0 { &bob } else { &carol };
        let _ = writeln!(add, "route add {prefix} via {via}");
        let _ = writeln!(del, "route del {prefix}");
    }
    let folder = tempfile::tempdir()?;
    for (name, lines, count) in [("add", add, ROUTES), ("del", del, 0)] {
        let file = folder.path().join(name);
        fs::write(&file, lines)?;
        node.succeed(&["ipv6", "batch", &file.to_string_lossy()])?;
        let routes = entries(node, &["route"])?;
        let static_routes = routes.iter().filter(|route| route["origin"] == "static");
        ensure!(static_routes.count() == count, "{} routes", routes.len());
        // What the guest itself says of packets to some of them, found among all.
        for route in routes
            .iter()
            .filter(|route| route["origin"] == "static")
            .step_by(2_001)
        {
            let prefix = route["prefix"].as_str().unwrap_or_default();
            let network = prefix.split('/').next().unwrap_or_default();
            let hop = node.json(&["ipv6", "route", "get", network, "--json"])?;
            ensure!(
                hop["prefix"] == prefix && hop["next_hop"] == route["via"],
                "{route}: {hop}"
            );
        }
    }
    there.finish()?.whole()?;
    back.finish()?.whole()?;
    bed.finish()
}

fn filter() -> Result<()> {
    let bed = Bed::start(PACKET)?;
    let node = bed.router.node()?;
    let [alice, bob, _] = bed.addresses();
    let web = WebServer::serve(bed.bob(), &bob, 1 << 16)?;
    let page = format!("http://[{bob}]/file");
    let fetch = |seconds: &str| {
        web.fetched(|copy| {
            let curl = ["curl", "-sS", "--fail", "-m", seconds, "-o", copy, &page];
            bed.alice().namespace.run(&curl)
        })
    };
    let pings = Ping::start(&bed.alice().namespace, &bob, "0.01", 56)?;
    fetch("20")?;
    ipv6(node, "filter add prio 10 dev alice proto tcp dport 80 drop")?;
    let timeout = fetch("1").err().context("a page came past a drop")?;
    ensure!(
        format!("{timeout:#}").contains("exit status: 28"),
        "{timeout:#}"
    );
    // Told at once: communication administratively prohibited.
    ipv6(
        node,
        "filter replace prio 10 dev alice proto tcp dport 80 reject",
    )?;
    let refused = fetch("20").err().context("a page came past a reject")?;
    ensure!(
        format!("{refused:#}").contains("exit status: 7"),
        "{refused:#}"
    );
    let rules = entries(node, &["filter"])?;
    ensure!(
        rules.len() == 1 && rules[0]["count"]["packets"].as_u64() > Some(0),
        "{rules:?}"
    );
    ipv6(node, "filter del 10")?;
    fetch("20")?;
    pings.finish()?.whole()?;

    // Stateful: whom Alice speaks to may answer, and nobody may begin.
    ipv6(node, "filter add prio 10 dev alice track")?;
    ipv6(node, "filter add prio 20 to 2001:db8:a::/64 drop")?;
    ping(bed.alice(), &bob, 56)?;
    fetch("20")?;
    ensure!(!answered(bed.bob(), &alice)?, "Bob began");
    let flows = entries(node, &["flow"])?;
    ensure!(
        flows.len() >= 2 && flows.iter().all(|flow| flow["from"] == alice.as_str()),
        "{flows:?}"
    );
    ipv6(node, "filter del 20")?;
    ping(bed.bob(), &alice, 56)?;
    bed.finish()
}

/// Whether one ping is answered within a second.
fn answered(from: &Host, to: &str) -> Result<bool> {
    let mut ping = from.namespace.command("ping")?;
    ping.args(["-6", "-n", "-c", "1", "-W", "1", to]);
    Ok(ping.output()?.status.success())
}

/// A second prefix on Alice's link: she takes an address of it, and Bob reaches her there.
fn address() -> Result<()> {
    let bed = Bed::start(PACKET)?;
    let node = bed.router.node()?;
    let bob = &bed.addresses()[1];
    let pings = Ping::start(&bed.alice().namespace, bob, "0.01", 56)?;
    ipv6(node, "addr add 2001:db8:aa::1/64 dev alice")?;
    bed.alice().wait_configured("2001:db8:aa::")?;
    ping(bed.bob(), &bed.alice().address_in("2001:db8:aa::"), 56)?;
    ipv6(node, "addr del 2001:db8:aa::1/64 dev alice")?;
    ensure!(
        !answered(bed.bob(), "2001:db8:aa::1")?,
        "an address that was deleted answers"
    );
    pings.finish()?.whole()?;
    bed.finish()
}

fn restart() -> Result<()> {
    let bed = Bed::start(PACKET)?;
    let node = bed.router.node()?;
    let bob = &bed.addresses()[1];
    for line in [
        "route add 2001:db8:9::/48 via 2001:db8:b::ff:fe00:b",
        "addr add 2001:db8:b::5/64 dev bob",
        "table add bad 2001:db8:c::/64",
        "filter add prio 10 from table:bad to 2001:db8:b::/64 drop",
        "class add prio 10 proto icmpv6 mark CS2",
    ] {
        ipv6(node, line)?;
    }
    let before = listed(node)?;
    node.succeed(&["guest", "restart", "ipv6qos"])?;
    node.wait_guest("ipv6qos", "running", 1)?;
    until(
        "the router after its restart",
        Duration::from_secs(20),
        || match answered(bed.alice(), bob) {
            Ok(true) => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )?;
    let after = listed(node)?;
    ensure!(after == before, "{before:?}\n{after:?}");
    ping(bed.alice(), "2001:db8:b::5", 56)?;
    ping(bed.alice(), bob, 56)?;
    ensure!(!answered(bed.carol(), bob)?, "the filter is gone");
    ping(bed.carol(), &format!("{}1", PREFIXES[0]), 56)?;
    // The only restart was the operator's.
    ensure!(unharmed(node).is_err() && node.guest("ipv6qos")?["restarts"] == 1);
    bed.evidence.judge()
}

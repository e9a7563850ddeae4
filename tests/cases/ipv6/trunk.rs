//! Two nodes joined by a trunk with PIH: hosts on both reach each other, while PIs can and dss are offered more than their
//! phases carry.
//!
//! ```text
//! alice, carol - [n1] ===== trunk ===== [n2] - bob, dave
//!          load => can, dss by builtin:patch => load
//! ```

use std::time::Duration;

use anyhow::{Result, ensure};
use pinode_tests::host::Host;
use pinode_tests::load::{Load, Stream};
use pinode_tests::namespace::Namespace;
use pinode_tests::node::Node;
use pinode_tests::poll::until;
use pinode_tests::router::{Router, RouterPlan, RouterPort, StaticRoute, is_linux};

use super::evidence::{Evidence, unharmed};
use super::hosts::too_long_once;
use super::services::{Iperf, NameServer, WebServer, hops, learned_mtu, ping};
use super::{CURL, DIG, DNSMASQ, IPERF3, PYTHON, TRACEPATH, TRACEROUTE, with};
use crate::Case;
use crate::frames::port_of;

/// Name, last octet of the MAC address, and prefix of each host; the first two are on n1.
const HOSTS: [(&str, u8, &str); 4] = [
    ("alice", 0xa, "2001:db8:1:a::"),
    ("carol", 0xc, "2001:db8:1:c::"),
    ("bob", 0xb, "2001:db8:2:b::"),
    ("dave", 0xd, "2001:db8:2:d::"),
];
const TRUNK: [&str; 2] = ["2001:db8:ff::1", "2001:db8:ff::2"];
/// Largest frames of the load on the trunk, which are those of the hosts as well.
const FULL: u32 = 1500;
/// A phase holds two full frames: 2.7 k/s. The load has twice that, and its frames are no shorter than two thirds.
const RATE: u64 = 5500;
/// How long that may take to fill rings of 4,096 frames: two seconds where the machine does not stand still.
const OVERLOADED: Duration = Duration::from_secs(60);

pub fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "ipv6::trunk::ping_and_traceroute_beside_overloaded_pis",
            &with(&[TRACEROUTE]),
            ping_and_traceroute,
        ),
        Case::new(
            "ipv6::trunk::iperf3_tcp_and_udp_beside_overloaded_pis",
            &with(&[IPERF3]),
            iperf3,
        ),
        Case::new(
            "ipv6::trunk::dns_and_http_by_name_beside_overloaded_pis",
            &with(&[DNSMASQ, DIG, CURL, PYTHON]),
            dns_and_http,
        ),
        Case::new(
            "ipv6::trunk::path_mtu_discovery_through_a_smaller_trunk",
            &with(&[TRACEPATH, CURL, PYTHON]),
            path_mtu,
        ),
    ]
}

/// Fields are dropped in order: what runs goes before its interfaces.
struct Site {
    load: Option<Load>,
    routers: [Router; 2],
    hosts: [Host; 4],
    evidence: Evidence,
    _labs: [Namespace; 2],
}

impl Site {
    /// Packets of `mtu` octets fit the trunk.
    fn start(mtu: u32) -> Result<Self> {
        let labs = [Namespace::new()?, Namespace::new()?];
        labs[0].ip(&[
            "link",
            "add",
            "trunk",
            "mtu",
            "1600",
            "type",
            "veth",
            "peer",
            "name",
            "trunk",
            "mtu",
            "1600",
            "netns",
            labs[1].name(),
        ])?;
        let plans = [plan(0, mtu), plan(1, mtu)];
        for lab in &labs {
            lab.set("trunk", "disable_ipv6", "1")?;
            lab.offloads_off("trunk")?;
            lab.ip(&["link", "set", "trunk", "up"])?;
            lab.veth("load", "load-far", 1600)?;
        }
        let mut evidence = Evidence::new()?;
        let mut plug = |index: usize| {
            let (name, number, _) = HOSTS[index];
            let host = Host::plug(&labs[index / 2], &format!("p-{name}"), number)?;
            evidence.record(&host, name)?;
            anyhow::Ok(host)
        };
        let hosts = [plug(0)?, plug(1)?, plug(2)?, plug(3)?];
        let routers = [
            Router::start(&plans[0], &labs[0])?,
            Router::start(&plans[1], &labs[1])?,
        ];
        for router in &routers {
            if let Router::Node(node) = router {
                // Its frames alone: with their PIH, from the trunk and to it.
                evidence.capture(node, "ipv6qos/trunk")?;
            }
        }
        let load = if is_linux() {
            None
        } else {
            let [from, to] = [0, 1].map(|index: usize| labs[index].packet_socket("load-far"));
            let stream = |code| Stream {
                code,
                size: 1000,
                rate: RATE,
            };
            Some(Load::start(from?, to?, &[stream(2), stream(3)]))
        };
        for host in &hosts {
            host.switch_on(false)?;
        }
        for (host, (.., prefix)) in hosts.iter().zip(HOSTS) {
            host.wait_configured(prefix)?;
        }
        Ok(Self {
            load,
            routers,
            hosts,
            evidence,
            _labs: labs,
        })
    }

    fn addresses(&self) -> [String; 4] {
        std::array::from_fn(|index| self.hosts[index].address_in(HOSTS[index].2))
    }

    fn node(&self, index: usize) -> Result<&Node> {
        self.routers[index].node()
    }

    /// The other PIs lost what their phases do not carry and go on; the router's PI lost nothing on its way through the nodes, unless
    /// TCP filled its queues.
    fn finish(mut self, tcp_filled_queues: bool) -> Result<()> {
        if let Some(load) = self.load.take() {
            for code in [2, 3] {
                load.flows(code, 100)?;
            }
            // What they are offered too much fills their rings first.
            let node = self.node(0)?;
            until("can and dss to be overloaded", OVERLOADED, || {
                let status = node.status().map_err(|error| format!("{error:#}"))?;
                let port = port_of(&status, "load").map_err(|error| format!("{error:#}"))?;
                let full = |pi: &str| port["pi"][pi]["drops"]["ring_full"].as_u64() > Some(0);
                let all = full("can") && full("dss");
                all.then_some(()).ok_or_else(|| port.to_string())
            })?;
            for account in load.finish()? {
                ensure!(
                    account.received < account.sent
                        && account.received > 100
                        && account.corrupted == 0,
                    "no overload: {account:?}"
                );
            }
            for router in self.routers.iter().filter(|_| !tcp_filled_queues) {
                unharmed(router.node()?)?;
            }
        }
        self.evidence.judge()
    }
}

/// Router `index`: two hosts, and the trunk to the other, by whose link-local or global address it is reached.
fn plan(index: usize, mtu: u32) -> RouterPlan {
    let number = if index == 0 { 1 } else { 2 };
    let mut trunk = RouterPort::access(
        "trunk",
        "trunk",
        &format!("{}/64", TRUNK[index]),
        [number, 0xff, 1],
    );
    trunk.access = None;
    trunk.mtu = mtu;
    let load = RouterPort {
        name: "load",
        interface: "load".into(),
        access: None,
        mtu: FULL - 1,
        addresses: Vec::new(),
        mac: [number, 0xfe, 1],
    };
    let mut ports = vec![load, trunk];
    for (name, octet, prefix) in &HOSTS[2 * index..2 * index + 2] {
        let address = format!("{prefix}1/64");
        let mac = [number, *octet, 1];
        ports.push(RouterPort::access(name, format!("p-{name}"), &address, mac));
    }
    let route = if index == 0 {
        StaticRoute {
            prefix: "2001:db8:2::/48",
            via: "fe80::ff:fe02:ff01".into(),
            dev: Some("trunk"),
        }
    } else {
        StaticRoute {
            prefix: "2001:db8:1::/48",
            via: TRUNK[0].into(),
            dev: None,
        }
    };
    let mut plan = RouterPlan::new("af_packet", ports);
    plan.name = ["n1", "n2"][index];
    plan.others = true;
    plan.capacity = "100Mbps";
    // Two nodes on one machine: each leaves the CPUs to the other.
    plan.node = "wake_interval = \"1ms\"";
    plan.routes.push(route);
    plan
}

fn ping_and_traceroute() -> Result<()> {
    let site = Site::start(FULL)?;
    let addresses = site.addresses();
    for (from, to) in [(0, 2), (2, 0), (1, 3), (0, 1)] {
        for size in [0, 56, 1452] {
            ping(&site.hosts[from], &addresses[to], size)?;
        }
    }
    let [alice, _, bob, _] = &addresses;
    let [alice_router, _, bob_router, _] = HOSTS.map(|(.., prefix)| format!("{prefix}1"));
    for probe in ["-p33434", "-I", "-T"] {
        let there = hops(&site.hosts[0], probe, bob)?;
        ensure!(there == [&*alice_router, TRUNK[1], bob], "{there:?}");
        let back = hops(&site.hosts[2], probe, alice)?;
        ensure!(back == [&*bob_router, TRUNK[0], alice], "{back:?}");
    }
    site.finish(false)
}

fn iperf3() -> Result<()> {
    let site = Site::start(FULL)?;
    let [_, _, bob, _] = site.addresses();
    let server = Iperf::serve(&site.hosts[2], &bob)?;
    server.udp(&site.hosts[0])?;
    server.tcp(&site.hosts[1])?;
    site.finish(true)
}

fn dns_and_http() -> Result<()> {
    let site = Site::start(FULL)?;
    let addresses = site.addresses();
    let names: Vec<(&str, &str)> = HOSTS
        .iter()
        .zip(&addresses)
        .map(|((name, ..), address)| (*name, &**address))
        .collect();
    let [alice, carol, bob, dave] = &site.hosts;
    let server = NameServer::serve(dave, &addresses[3], &names)?;
    server.asked_by(alice, &names)?;
    server.asked_by(carol, &names)?;
    let web = WebServer::serve(bob, &addresses[2], 3 << 20)?;
    web.fetched(|copy| server.run(alice, &WebServer::by_name("bob", copy)))?;
    site.finish(true)
}

/// The trunk takes 1280 octets, the least that IPv6 has (RFC 8200 5): the near router of each end says so.
fn path_mtu() -> Result<()> {
    const LEAST: u32 = 1280;
    let site = Site::start(LEAST)?;
    let [alices, carols, bobs, daves] = site.addresses();
    let [alice, carol, bob, dave] = &site.hosts;
    let [near, _, far, _] = HOSTS.map(|(.., prefix)| format!("{prefix}1"));
    too_long_once(alice, &bobs, &near, LEAST)?;
    too_long_once(bob, &alices, &far, LEAST)?;
    ping(alice, &bobs, LEAST - 48)?;
    ping(alice, &bobs, 1452)?;
    let printed = carol.namespace.run(&["tracepath", "-6", "-n", &daves])?;
    ensure!(printed.contains(&format!("pmtu {LEAST}")), "{printed}");
    // TCP finds out by itself, where neither end knows yet.
    carol.namespace.ip(&["-6", "route", "flush", "cache"])?;
    let web = WebServer::serve(dave, &daves, 3 << 20)?;
    ensure!(learned_mtu(dave, &carols)?.is_none());
    let page = format!("http://[{daves}]/file");
    web.fetched(|copy| {
        let curl = ["curl", "-sS", "--fail", "-o", copy, &page];
        carol.namespace.run(&curl)
    })?;
    let learned = learned_mtu(dave, &carols)?;
    ensure!(learned == Some(LEAST.into()), "{learned:?}");
    site.finish(true)
}

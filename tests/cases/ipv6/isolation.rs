//! Virtual networks: two pairs of hosts with the same addresses, and nothing crosses from one to the other.

use anyhow::{Result, ensure};
use pinode_tests::host::Host;
use pinode_tests::namespace::Namespace;
use pinode_tests::ping::Ping;
use pinode_tests::router::{Router, RouterPlan, RouterPort, is_linux};

use super::control::entries;
use super::evidence::{Evidence, unharmed};
use super::services::{WebServer, ping};
use super::{CURL, PYTHON, with};
use crate::Case;

const PREFIXES: [&str; 2] = ["2001:db8:a::", "2001:db8:b::"];
/// Port, virtual network, and which of the two links: the same addresses in both networks.
const PORTS: [(&str, u8, usize); 4] = [
    ("alice-red", 0, 0),
    ("bob-red", 0, 1),
    ("alice-blue", 7, 0),
    ("bob-blue", 7, 1),
];

pub fn cases() -> Vec<Case> {
    if is_linux() {
        return Vec::new();
    }
    vec![Case::new(
        "ipv6::isolation::the_same_addresses_in_two_networks_never_meet",
        &with(&[CURL, PYTHON]),
        never_meet,
    )]
}

fn never_meet() -> Result<()> {
    let lab = Namespace::new()?;
    let ports: Vec<RouterPort> = PORTS
        .iter()
        .enumerate()
        .map(|(index, &(name, vn, link))| {
            let number = if link == 0 { 0xa } else { 0xb };
            let address = format!("{}1/64", PREFIXES[link]);
            let mut port = RouterPort::access(name, format!("p-{index}"), &address, [1, number, 1]);
            port.access = Some(vn);
            port.addresses[0].0 = vn;
            port
        })
        .collect();
    let mut plan = RouterPlan::new("af_packet", ports);
    plan.pi = "vns = [0, 7]".into();
    let mut evidence = Evidence::new()?;
    let mut hosts = Vec::new();
    for (index, (name, _, link)) in PORTS.into_iter().enumerate() {
        let host = Host::plug(&lab, &format!("p-{index}"), [0xa, 0xb][link])?;
        evidence.record(&host, name)?;
        hosts.push(host);
    }
    let router = Router::start(&plan, &lab)?;
    for host in &hosts {
        host.switch_on(false)?;
    }
    for (host, (.., link)) in hosts.iter().zip(PORTS) {
        host.wait_configured(PREFIXES[link])?;
    }
    let [alice, bob] = [0, 1].map(|link: usize| hosts[link].address_in(PREFIXES[link]));

    // Each network pings with octets of its own, and serves a page of its own size.
    for (index, pattern) in [(0, "red!"), (2, "blue")] {
        let octets: String = pattern
            .bytes()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        let printed = hosts[index].namespace.run(&[
            "ping", "-6", "-n", "-c", "20", "-i", "0.01", "-W", "5", "-p", &octets, &bob,
        ])?;
        ensure!(printed.contains(" 0% packet loss"), "{printed}");
    }
    let webs = [
        WebServer::serve(&hosts[1], &bob, 1000)?,
        WebServer::serve(&hosts[3], &bob, 2000)?,
    ];
    let page = format!("http://[{bob}]/file");
    for (web, index) in webs.iter().zip([0, 2]) {
        web.fetched(|copy| {
            let curl = ["curl", "-sS", "--fail", "-o", copy, &page];
            hosts[index].namespace.run(&curl)
        })?;
    }
    let has = |frame: &[u8], word: &[u8]| frame.windows(word.len()).any(|at| at == word);
    for (host, own, other) in [
        (0, b"red!red!", b"blueblue"),
        (1, b"red!red!", b"blueblue"),
        (2, b"blueblue", b"red!red!"),
        (3, b"blueblue", b"red!red!"),
    ] {
        ensure!(evidence.received(host, |frame| has(frame, own)) >= 20);
        ensure!(evidence.received(host, |frame| has(frame, other)) == 0);
    }

    // Without Bob in blue there is none, though there is one in red, who goes on.
    let node = router.node()?;
    let red = Ping::start(&hosts[0].namespace, &bob, "0.01", 56)?;
    hosts[3].set("disable_ipv6", "1")?;
    node.succeed(&["ipv6", "neigh", "flush", "vn", "7"])?;
    let mut blue = hosts[2].namespace.command("ping")?;
    blue.args(["-6", "-n", "-c", "2", "-W", "1", &bob]);
    ensure!(!blue.output()?.status.success(), "blue reached Bob in red");
    red.finish()?.whole()?;

    // A route of one network is none of the other.
    node.succeed(&[
        "ipv6",
        "route",
        "add",
        "2001:db8:9::/48",
        "via",
        &alice,
        "vn",
        "7",
    ])?;
    ensure!(entries(node, &["route", "show", "vn", "0"])?.len() == 2);
    ensure!(entries(node, &["route", "show", "vn", "7"])?.len() == 3);
    ping(&hosts[0], &bob, 56)?;
    unharmed(node)?;
    evidence.judge()
}

//! Ordinary hosts on access ports: they know nothing of PIs, and everything works.

use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::config::{NodeToml, Pi, Port};
use pinode_tests::namespace::Namespace;
use pinode_tests::need::Need;
use pinode_tests::node::Node;
use pinode_tests::poll::until;
use serde_json::Value;

use crate::Case;

const NEEDS: [Need; 6] = [
    Need::Kvm,
    Need::Root,
    Need::Command("ip", "iproute2"),
    Need::Command("ethtool", "ethtool"),
    Need::Command("ping", "iputils-ping"),
    Need::Command("iperf3", "iperf3"),
];

pub fn cases() -> Vec<Case> {
    let mut xdp = NEEDS.to_vec();
    xdp.push(Need::AfXdp);
    vec![
        Case::new(
            "hosts::ping_and_iperf3_between_access_ports_af_packet",
            &NEEDS,
            || ping_and_iperf3("af_packet"),
        ),
        Case::new(
            "hosts::ping_and_iperf3_between_access_ports_af_xdp",
            &xdp,
            || ping_and_iperf3("af_xdp"),
        ),
    ]
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ping_and_iperf3(driver: &str) -> Result<()> {
    let (lab, alice, bob) = (Namespace::new()?, Namespace::new()?, Namespace::new()?);
    lab.veth_to_host("near-w", &alice, "2001:db8:7::a/64")?;
    lab.veth_to_host("near-e", &bob, "2001:db8:7::b/64")?;
    let access = |name, interface| Port {
        name,
        backend: format!("{driver}:{interface}"),
        access: Some("ipv6qos"),
    };
    let config = NodeToml {
        isolation: "kvm",
        ports: vec![access("west", "near-w"), access("east", "near-e")],
        pis: vec![Pi::patch("ipv6qos", 1)],
    };
    let node = Node::start(&config.text(), Some(&lab))?;

    // Full-sized packets too: 1452 + 8 + 40 = 1500.
    for size in ["56", "1452"] {
        let printed = alice.run(&[
            "ping",
            "-6",
            "-c",
            "5",
            "-i",
            "0.05",
            "-W",
            "2",
            "-s",
            size,
            "2001:db8:7::b",
        ])?;
        ensure!(printed.contains(" 0% packet loss"), "{printed}");
    }

    let server = bob
        .command("iperf3")?
        .args(["-s", "-1", "-B", "2001:db8:7::b", "-p", "5201"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("start iperf3")?;
    let server = Killed(server);
    until("iperf3 to listen", Duration::from_secs(5), || {
        let listening = bob
            .run(&["cat", "/proc/net/tcp6"])
            .map_err(|e| format!("{e:#}"))?
            .lines()
            .any(|line| line.contains(":1451 ") && line.contains(" 0A "));
        if listening {
            Ok(())
        } else {
            Err("not listening".into())
        }
    })?;
    let printed = alice.run(&[
        "iperf3",
        "-6",
        "-c",
        "2001:db8:7::b",
        "-p",
        "5201",
        "-t",
        "3",
        "-J",
    ])?;
    drop(server);
    let result: Value = serde_json::from_str(&printed).context("iperf3's JSON")?;
    let received = result["end"]["sum_received"]["bytes"]
        .as_f64()
        .unwrap_or(0.0);
    // A working path carries far more in 3 s; a broken one stalls after the first window.
    ensure!(
        received > 1e6,
        "iperf3 moved {received} octets: {}",
        result["end"]["sum_received"]
    );
    node.status()?;
    Ok(())
}

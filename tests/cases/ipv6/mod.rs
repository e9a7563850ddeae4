//! The IPv6 router with real peers: Linux hosts, Linux tools, tshark, Scapy.
//!
//! ```text
//! bed        three hosts on access ports of one router, everything recorded
//! evidence   the records of a case, and their judge
//! kernel_routes  longest-prefix match as Linux does it
//! services   what hosts do with each other: ping, iperf3, names, pages
//! hosts      they configure themselves and reach each other, as on any network
//! trunk      the same over two nodes and a trunk that the other PIs overload
//! control    changes at run time, and traffic that does not notice
//! isolation  virtual networks with the same addresses
//! hostile    a host that throws malformed packets and floods, and the others go on
//! ```

mod bed;
mod control;
mod evidence;
mod hostile;
mod hosts;
mod isolation;
mod kernel_routes;
mod services;
mod trunk;

use pinode_tests::need::Need;
use pinode_tests::router::is_linux;

use crate::Case;

const CURL: Need = Need::Command("curl", "curl");
const DIG: Need = Need::Command("dig", "bind9-dnsutils");
const DNSMASQ: Need = Need::Command("dnsmasq", "dnsmasq-base");
const IPERF3: Need = Need::Command("iperf3", "iperf3");
/// Scapy, and its interpreter, which also serves pages.
const PYTHON: Need = Need::Command("scapy", "python3-scapy");
const TRACEPATH: Need = Need::Command("tracepath", "iputils-tracepath");
const TRACEROUTE: Need = Need::Command("traceroute", "traceroute");

/// What every case needs.
fn needs() -> Vec<Need> {
    let mut needs = vec![
        Need::Root,
        Need::Command("ip", "iproute2"),
        Need::Command("ethtool", "ethtool"),
        Need::Command("ping", "iputils-ping"),
        Need::Command("tshark", "tshark"),
    ];
    needs.push(if is_linux() {
        Need::Command("radvd", "radvd")
    } else {
        Need::Kvm
    });
    needs
}

/// These and some more.
fn with(more: &[Need]) -> Vec<Need> {
    let mut needs = needs();
    needs.extend_from_slice(more);
    needs
}

pub fn cases() -> Vec<Case> {
    [
        kernel_routes::cases(),
        hosts::cases(),
        trunk::cases(),
        control::cases(),
        isolation::cases(),
        hostile::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

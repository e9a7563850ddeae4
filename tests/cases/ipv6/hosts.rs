//! Three ordinary hosts and their router: nothing is configured on them, and everything works.

use anyhow::{Result, ensure};
use pinode_tests::host::Host;
use pinode_tests::need::Need;

use super::bed::{Bed, CAROLS_MTU, HOSTS, PREFIXES, Wanted};
use super::services::{Iperf, NameServer, WebServer, hops, learned_mtu, ping};
use super::{CURL, DIG, DNSMASQ, IPERF3, PYTHON, TRACEPATH, TRACEROUTE, with};
use crate::Case;

pub const PACKET: Wanted = Wanted {
    driver: "af_packet",
    dad: false,
};
const XDP: Wanted = Wanted {
    driver: "af_xdp",
    dad: false,
};

pub fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "ipv6::hosts::configure_themselves_from_advertisements",
            &with(&[]),
            configure_themselves,
        ),
        Case::new("ipv6::hosts::ping_small_and_full_size", &with(&[]), pings),
        Case::new(
            "ipv6::hosts::traceroute_shows_the_router",
            &with(&[TRACEROUTE]),
            traceroute,
        ),
        Case::new(
            "ipv6::hosts::iperf3_tcp_and_udp_af_packet",
            &with(&[IPERF3]),
            || iperf3(PACKET),
        ),
        Case::new(
            "ipv6::hosts::iperf3_tcp_and_udp_af_xdp",
            &with(&[IPERF3, Need::AfXdp]),
            || iperf3(XDP),
        ),
        Case::new(
            "ipv6::hosts::path_mtu_discovery_through_a_smaller_link",
            &with(&[TRACEPATH, CURL, PYTHON]),
            path_mtu,
        ),
        Case::new(
            "ipv6::hosts::dns_and_http_by_name",
            &with(&[DNSMASQ, DIG, CURL, PYTHON]),
            dns_and_http,
        ),
    ]
}

/// RFC 4862, RFC 4861 6.3.4: address, default route and MTU come from the router alone.
fn configure_themselves() -> Result<()> {
    let bed = Bed::start(Wanted {
        dad: true,
        ..PACKET
    })?;
    let names = HOSTS.map(|(name, _)| name);
    for (index, host) in bed.hosts.iter().enumerate() {
        let (name, prefix, port) = (names[index], PREFIXES[index], &bed.plan.ports[index]);
        let shown = host.shown()?;
        let global: Vec<_> = shown
            .addresses
            .iter()
            .filter(|address| address["scope"] == "global")
            .collect();
        ensure!(global.len() == 1, "{name}: {global:?}");
        let address = global[0];
        ensure!(
            address["local"] == host.address_in(prefix).as_str()
                && address["prefixlen"] == 64
                && address["dynamic"] == true
                && address["valid_life_time"].as_u64() > address["preferred_life_time"].as_u64(),
            "{name}: {address}"
        );
        let route = shown.default_route.unwrap_or_default();
        ensure!(
            route["gateway"] == port.link_local().as_str() && route["protocol"] == "ra",
            "{name}: {route}"
        );
        let mtu = host
            .namespace
            .run(&["cat", "/proc/sys/net/ipv6/conf/eth0/mtu"])?;
        ensure!(mtu.trim() == port.mtu.to_string(), "{name}: MTU {mtu}");
        // The router itself, by both its addresses.
        ping(host, &format!("{}%eth0", port.link_local()), 56)?;
        ping(host, &format!("{prefix}1"), 56)?;
    }
    bed.finish()
}

fn pings() -> Result<()> {
    let bed = Bed::start(PACKET)?;
    let addresses = bed.addresses();
    for (from, host) in bed.hosts.iter().enumerate() {
        for (to, address) in addresses.iter().enumerate().filter(|(to, _)| *to != from) {
            // As much as Carol's link takes, and full size between the others.
            let full = if from == 2 || to == 2 {
                CAROLS_MTU - 48
            } else {
                1452
            };
            for size in [0, 56, full] {
                ping(host, address, size)?;
            }
        }
    }
    // In fragments of full size (RFC 8200 4.5), which the router leaves alone.
    ping(bed.alice(), &addresses[1], 4000)?;
    // The router itself puts them together, and answers in fragments of its own; Carol's link takes smaller ones.
    for (index, host) in bed.hosts.iter().enumerate() {
        let link_local = format!("{}%eth0", bed.plan.ports[index].link_local());
        for size in [2000, 8000] {
            ping(host, &format!("{}1", PREFIXES[index]), size)?;
            ping(host, &link_local, size)?;
            ping(host, &format!("{}1", PREFIXES[(index + 1) % 3]), size)?;
        }
    }
    bed.finish()
}

/// One hop, which is the router's address on the sender's link, by each kind of probe.
fn traceroute() -> Result<()> {
    let bed = Bed::start(PACKET)?;
    let [alice, bob, _] = bed.addresses();
    for (host, prefix, target) in [
        (bed.alice(), PREFIXES[0], bob),
        (bed.bob(), PREFIXES[1], alice),
    ] {
        for probe in ["-p33434", "-I", "-T"] {
            let shown = hops(host, probe, &target)?;
            ensure!(
                shown == [format!("{prefix}1"), target.clone()],
                "{probe}: {shown:?}"
            );
        }
    }
    // Where there is no route the router says so: destination unreachable, code 0 (RFC 4443 3.1).
    let shown = hops(bed.alice(), "-p33434", "2001:db8:dead::1")?;
    ensure!(shown == [format!("{}1 !N", PREFIXES[0])], "{shown:?}");
    bed.finish()
}

fn iperf3(wanted: Wanted) -> Result<()> {
    let bed = Bed::start(wanted)?;
    let [_, bob, _] = bed.addresses();
    let server = Iperf::serve(bed.bob(), &bob)?;
    server.udp(bed.alice())?;
    server.udp(bed.carol())?;
    server.tcp(bed.alice())?;
    bed.evidence.judge()
}

/// RFC 8201: the router tells the sender what fits Carol's link, and the sender keeps to it.
fn path_mtu() -> Result<()> {
    let bed = Bed::start(PACKET)?;
    let [_, bobs, carols] = bed.addresses();
    let (alice, bob) = (bed.alice(), bed.bob());
    too_long_once(alice, &carols, &format!("{}1", PREFIXES[0]), CAROLS_MTU)?;
    ping(alice, &carols, CAROLS_MTU - 48)?;
    ping(alice, &carols, 1452)?;

    let printed = bob.namespace.run(&["tracepath", "-6", "-n", &carols])?;
    ensure!(
        printed.contains(&format!("pmtu {CAROLS_MTU}"))
            && printed.contains(&format!("{}1 ", PREFIXES[1])),
        "{printed}"
    );
    bob.namespace.ip(&["-6", "route", "flush", "cache"])?;

    // Carol says that she takes segments for 1500 octets, so that TCP too has to find out.
    let gateway = bed.plan.ports[2].link_local();
    bed.carol().namespace.ip(&[
        "-6",
        "route",
        "add",
        "2001:db8::/32",
        "via",
        &gateway,
        "dev",
        "eth0",
        "advmss",
        "1440",
    ])?;
    let web = WebServer::serve(bob, &bobs, 3 << 20)?;
    let page = format!("http://[{bobs}]/file");
    ensure!(learned_mtu(bob, &carols)?.is_none());
    web.fetched(|copy| {
        let curl = ["curl", "-sS", "--fail", "-o", copy, &page];
        bed.carol().namespace.run(&curl)
    })?;
    let learned = learned_mtu(bob, &carols)?;
    ensure!(learned == Some(CAROLS_MTU.into()), "{learned:?}");
    bed.finish()
}

/// Sends one packet of 1500 octets, too long for the path: `router` says so, and what fits is learned.
pub fn too_long_once(from: &Host, to: &str, router: &str, mtu: u32) -> Result<()> {
    ensure!(learned_mtu(from, to)?.is_none());
    let mut ping = from.namespace.command("ping")?;
    ping.args([
        "-6", "-n", "-c", "1", "-W", "5", "-M", "do", "-s", "1452", to,
    ]);
    let ping = ping.output()?;
    let said = String::from_utf8_lossy(&ping.stdout).into_owned();
    ensure!(
        !ping.status.success()
            && said.contains(&format!("From {router} "))
            && said.contains(&format!("Packet too big: mtu={mtu}")),
        "{said}"
    );
    let learned = learned_mtu(from, to)?;
    ensure!(learned == Some(mtu.into()), "{learned:?}");
    Ok(())
}

/// Carol serves names and Bob a page; Alice and Bob ask, Alice reads.
fn dns_and_http() -> Result<()> {
    let bed = Bed::start(PACKET)?;
    let [alice, bob, carol] = bed.addresses();
    let names = [("alice", &*alice), ("bob", &bob), ("carol", &carol)];
    let server = NameServer::serve(bed.carol(), &carol, &names)?;
    server.asked_by(bed.alice(), &names)?;
    server.asked_by(bed.bob(), &names)?;
    let web = WebServer::serve(bed.bob(), &bob, 3 << 20)?;
    web.fetched(|copy| server.run(bed.alice(), &WebServer::by_name("bob", copy)))?;
    bed.finish()
}

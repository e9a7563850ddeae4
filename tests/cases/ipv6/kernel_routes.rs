//! Linux as the reference of longest-prefix match: the same 200,000 prefixes in the kernel's table and in the router's,
//! and a million addresses, for each of which both must match the same prefix.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};
use pinode_guest_ipv6qos::lpm::Lpm;
use pinode_guest_ipv6qos::lpm::sample::{Random, prefixes};
use pinode_guest_ipv6qos::{Prefix, Vn};
use pinode_tests::namespace::Namespace;
use pinode_tests::need::Need;
use pinode_tests::routing_socket::{BATCH, RoutingSocket};

use crate::Case;

const PREFIXES: usize = 200_000;
const ADDRESSES: usize = 1_000_000;

pub fn cases() -> Vec<Case> {
    vec![Case::new(
        "ipv6::a_million_addresses_match_what_linux_matches",
        &[Need::Root, Need::Command("ip", "iproute2")],
        same_as_the_kernel,
    )]
}

fn same_as_the_kernel() -> Result<()> {
    let namespace = Namespace::new()?;
    // An interface that is up, and without an address, so that it has no routes of its own but ff00::/8.
    namespace.ip(&["link", "add", "near", "type", "veth", "peer", "name", "far"])?;
    for end in ["near", "far"] {
        namespace.ip(&["link", "set", end, "addrgenmode", "none"])?;
        namespace.ip(&["link", "set", end, "up"])?;
    }
    let mut table = prefixes(PREFIXES, 11);
    // Also the short ones, above all others.
    for (place, text) in ["2000::/3", "2a00::/9", "2a00::/17", "2600::/12"]
        .iter()
        .enumerate()
    {
        table[place] = text.parse().map_err(anyhow::Error::msg)?;
    }
    let vn = Vn::default();
    let mut lpm = Lpm::new();
    let mut batch = String::new();
    let mut there = BTreeSet::new();
    for (value, prefix) in (1..).zip(&table) {
        ensure!(there.insert(*prefix), "{prefix} twice");
        lpm.insert(vn, *prefix, value)?;
        writeln!(batch, "route add {prefix} dev near")?;
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("routes");
    fs::write(&file, batch)?;
    let file = file.to_str().context("a path that is text")?;
    namespace.ip(&["-6", "-batch", file])?;

    let mut kernel = RoutingSocket::open(&namespace)?;
    let mut random = Random(4);
    let (mut asked, mut without) = (0, 0);
    while asked < ADDRESSES {
        // Half of the short ones go on the way: what they covered is asked again without them.
        if asked >= ADDRESSES / 2 && lpm.len() == PREFIXES {
            for prefix in &table[..2] {
                lpm.remove(vn, *prefix).context("a prefix put in before")?;
                namespace.ip(&["-6", "route", "delete", &prefix.to_string(), "dev", "near"])?;
            }
        }
        let count = BATCH.min(ADDRESSES - asked);
        let addresses: Vec<u128> = (0..count).map(|_| address(&mut random, &table)).collect();
        let keys: Vec<_> = addresses.iter().map(|address| (vn, *address)).collect();
        let mut values = vec![0; count];
        lpm.lookup_burst(&keys, &mut values);
        for ((address, value), route) in
            addresses.iter().zip(values).zip(kernel.routes(&addresses)?)
        {
            let matched = route.map(|(bits, length)| Prefix::of(bits, length));
            let ours = (value as usize)
                .checked_sub(1)
                .and_then(|place| table.get(place).copied());
            let address = std::net::Ipv6Addr::from(*address);
            ensure!(
                ours == matched,
                "{address}: Linux matches {matched:?}, the router {ours:?}"
            );
            without += usize::from(matched.is_none());
        }
        asked += count;
    }
    ensure!(without > 0, "no address without a route was asked for");
    Ok(())
}

/// An address of a prefix, or one near it, or any that is global unicast.
fn address(random: &mut Random, table: &[Prefix]) -> u128 {
    let place = random.below(table.len() as u64) as usize;
    let near = random.address_in(table[place]);
    match random.below(8) {
        0 => 1 << 125 | random.bits() >> 3,
        1 => near ^ 1 << (64 + random.below(40)),
        _ => near,
    }
}

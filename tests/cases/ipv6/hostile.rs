//! A hostile host: Alice throws malformed and forged packets and floods at the router (`hostile.py`, by Scapy), while Bob and Carol
//! go on. Nothing of theirs is lost, the guest lives, its tables keep to their bounds, and so do the errors that it sends.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pinode_tests::background::Background;
use pinode_tests::ping::Ping;
use pinode_tests::program::repository;
use pinode_tests::router::{RouterPlan, is_linux};

use super::bed::{Bed, HOSTS, PREFIXES};
use super::control::entries;
use super::evidence::drops;
use super::hosts::PACKET;
use super::services::{PYTHON, ping};
use super::with;
use crate::Case;
use crate::frames::port_of;

/// What the tables may hold here: small, so that floods fill them.
const NEIGHBOURS: usize = 64;
const FLOWS: usize = 512;
/// ICMPv6 errors a second, and at once.
const ERRORS: (f64, f64) = (100.0, 20.0);

/// The MAC address that `hostile.py` puts into what it forges.
const FORGED: &str = "02:00:00:66:66:66";

pub fn cases() -> Vec<Case> {
    if is_linux() {
        return Vec::new();
    }
    let needs = with(&[super::PYTHON]);
    vec![
        Case::new(
            "ipv6::hostile::lengths_that_lie_and_every_truncation",
            &needs,
            || malformed("lengths"),
        ),
        Case::new(
            "ipv6::hostile::chains_of_hundreds_of_headers",
            &needs,
            || malformed("chains"),
        ),
        Case::new(
            "ipv6::hostile::tiny_overlapping_and_endless_fragments",
            &needs,
            || malformed("fragments"),
        ),
        Case::new(
            "ipv6::hostile::forged_neighbour_discovery",
            &needs,
            forged_discovery,
        ),
        Case::new(
            "ipv6::hostile::flood_of_unresolved_neighbours",
            &needs,
            || flood("flood_of_neighbours"),
        ),
        Case::new("ipv6::hostile::flood_of_new_flows", &needs, || {
            flood("flood_of_flows")
        }),
        Case::new(
            "ipv6::hostile::flood_that_asks_for_errors_and_echoes",
            &needs,
            || flood("flood_of_errors"),
        ),
    ]
}

fn small(plan: &mut RouterPlan) {
    plan.config = format!(
        "limits = {{ neighbours = {NEIGHBOURS} }}\nicmp = {{ rate = {}, burst = {} }}\n",
        ERRORS.0, ERRORS.1
    );
    // Everything that is forwarded is tracked.
    plan.tables = format!(
        "[pi.ipv6qos.config.filter.flows]\nlimit = {FLOWS}\n\
         [[pi.ipv6qos.config.filter.rule]]\nmatch = {{ local = false }}\naction = \"track\"\n"
    );
}

/// What was thrown, when all is over.
struct Thrown {
    bed: Bed,
    /// Frames.
    sent: u64,
    /// The most neighbours and flows that were seen at once.
    most: (usize, usize),
}

/// Throws `kind`, `rounds` times over, while Bob pings Carol.
fn thrown(kind: &str, rounds: u32) -> Result<Thrown> {
    let bed = Bed::start_with(PACKET, small)?;
    let [alice, bob, carol] = bed.addresses();
    // Whoever is to be forwarded to is known before.
    ping(bed.alice(), &bob, 56)?;
    let mut others = Ping::start(&bed.bob().namespace, &carol, "0.01", 56)?;

    let router = &bed.plan.ports[0];
    let mut command = bed.alice().namespace.command(PYTHON)?;
    command
        .arg(repository().join("tests/cases/ipv6/hostile.py"))
        .arg(kind)
        .args(["--interface", "eth0"])
        .args(["--mac", &format!("02:00:00:00:00:{:02x}", HOSTS[0].1)])
        .args(["--source", &alice])
        .args(["--router-mac", &router.mac()])
        .args(["--router", &format!("{}1", PREFIXES[0])])
        .args(["--router-local", &router.link_local()])
        .args(["--victim", &bob])
        .args(["--silent", PREFIXES[1]])
        .args(["--rounds", &rounds.to_string()])
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let begun = Instant::now();
    let mut hostile = Background::start(format!("hostile.py {kind}"), command)?;
    // While it goes on the tables are looked at, and pings answered.
    let mut most = (0, 0);
    let mut look = || {
        let (neighbours, flows) = within_bounds(&bed)?;
        most = (most.0.max(neighbours), most.1.max(flows));
        anyhow::Ok(())
    };
    let said = hostile.wait_for("its end", Duration::from_secs(120), |hostile| {
        let sent = hostile.stdout();
        look().map_or_else(
            |e| Some(Err(e)),
            |()| sent.contains("sent ").then_some(Ok(sent)),
        )
    })??;
    others.answers(20)?;
    look()?;
    let took = begun.elapsed().as_secs_f64();

    // Time exceeded and the like from the router, to anybody on Alice's link.
    let errors = bed.evidence.received(0, |frame| {
        frame.get(12..14) == Some(&[0x86, 0xdd])
            && frame.get(6..12) == Some(&[2, 0, 0, 1, HOSTS[0].1, 1])
            && frame.get(20) == Some(&58)
            && frame.get(54).is_some_and(|kind| *kind < 128)
    });
    let allowed = ERRORS.1 + ERRORS.0 * took;
    ensure!(
        (errors as f64) <= allowed,
        "{kind}: {errors} ICMPv6 errors in {took:.1} s; allowed are {allowed:.0}"
    );
    let sent = said.strip_prefix("sent ").and_then(|rest| {
        let number = rest.split_whitespace().next()?;
        number.parse().ok()
    });
    let sent = sent.with_context(|| said.clone())?;

    // Nothing of the others was lost, and Alice is served again as if nothing had been. What she forged in her own name
    // is forgotten first: it harmed none but her.
    others.finish()?.whole().context(kind.to_owned())?;
    let forgotten = known(&bed);
    if let Ok(node) = bed.router.node() {
        node.succeed(&["ipv6", "neigh", "flush", "dev", "alice"])?;
    }
    ping(bed.alice(), &bob, 1452).with_context(|| format!("{forgotten}\n{}", known(&bed)))?;
    ping(bed.alice(), &format!("{}1", PREFIXES[0]), 56)?;
    if let Ok(node) = bed.router.node() {
        let guest = node.guest("ipv6qos")?;
        ensure!(
            guest["state"] == "running" && guest["restarts"] == 0,
            "{kind}: {guest}"
        );
    }
    Ok(Thrown { bed, sent, most })
}

/// What the router knows of its neighbours, for a message.
fn known(bed: &Bed) -> String {
    match bed.router.node() {
        Ok(node) => format!("{:?}", node.succeed(&["ipv6", "neigh"])),
        Err(_) => String::new(),
    }
}

/// Neighbours and flows there are, which are not more than there may be.
fn within_bounds(bed: &Bed) -> Result<(usize, usize)> {
    let Ok(node) = bed.router.node() else {
        return Ok((0, 0));
    };
    let neighbours = entries(node, &["neigh"])?.len();
    let flows = entries(node, &["flow"])?.len();
    ensure!(
        neighbours <= NEIGHBOURS && flows <= FLOWS,
        "{neighbours} neighbours, {flows} flows"
    );
    Ok((neighbours, flows))
}

/// Each of these packets reached the guest.
fn malformed(kind: &str) -> Result<()> {
    let Thrown { bed, .. } = thrown(kind, 1)?;
    if let Ok(node) = bed.router.node() {
        ensure!(drops(node, "alice")? == 0, "{}", node.status()?);
        // None of them is neighbour discovery to be believed (RFC 6980 for that in fragments).
        let known = known(&bed);
        ensure!(!known.contains(FORGED), "{known}");
    }
    Ok(())
}

/// What was forged changed nothing: the router has its addresses, its neighbours theirs, and no route or prefix is new.
fn forged_discovery() -> Result<()> {
    let Thrown { bed, .. } = thrown("discovery", 1)?;
    let Ok(node) = bed.router.node() else {
        return Ok(());
    };
    ensure!(drops(node, "alice")? == 0, "{}", node.status()?);
    for (index, (name, _)) in HOSTS.iter().enumerate() {
        let of_link = entries(node, &["addr", "show", "dev", name])?;
        let global = format!("{}1/64", PREFIXES[index]);
        ensure!(
            of_link.len() == 2
                && of_link
                    .iter()
                    .all(|address| address["state"] == "preferred")
                && of_link
                    .iter()
                    .any(|address| address["address"] == global.as_str()),
            "{of_link:?}"
        );
    }
    let bob = bed.addresses()[1].clone();
    for neighbour in entries(node, &["neigh"])? {
        let forged = neighbour["lladdr"] == FORGED;
        let elsewhere = neighbour["dev"] != "alice";
        ensure!(
            !(forged && (elsewhere || neighbour["address"] == bob.as_str())),
            "{neighbour}"
        );
    }
    let routes = entries(node, &["route"])?;
    ensure!(
        routes.iter().all(|route| route["origin"] != "static"),
        "{routes:?}"
    );
    Ok(())
}

/// It was a flood: of what was thrown most reached the guest, and the table that it is aimed at was filled, so that
/// keeping to the bound was not for want of trying.
fn flood(kind: &str) -> Result<()> {
    let Thrown { bed, sent, most } = thrown(kind, 20)?;
    let Ok(node) = bed.router.node() else {
        return Ok(());
    };
    let status = node.status()?;
    let reached = port_of(&status, "alice")?["pi"]["ipv6qos"]["to_guest"].as_u64();
    let reached = reached.unwrap_or(0);
    ensure!(
        sent > 10_000 && reached >= sent / 2,
        "{kind}: {reached} of {sent} frames reached the guest"
    );
    // Part of a table may be kept for others.
    let filled = match kind {
        "flood_of_neighbours" => most.0 >= NEIGHBOURS / 2,
        "flood_of_flows" => most.1 >= FLOWS / 2,
        _ => true,
    };
    ensure!(
        filled,
        "{kind}: at most {} neighbours, {} flows",
        most.0,
        most.1
    );
    Ok(())
}

//! Frames of the Parallel Internets over real interfaces, octet for octet, and every frame counted.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pinode_tests::frame::{ETHERTYPE, PIS, numbered, pih, plain};
use pinode_tests::lab::Lab;
use pinode_tests::load::{Load, Stream};
use pinode_tests::need::Need;
use pinode_tests::poll::until;
use pinode_tests::sweep::sweep;
use serde_json::Value;

use crate::Case;

const IP: Need = Need::Command("ip", "iproute2");
const XDP: [Need; 4] = [Need::Kvm, Need::Root, Need::AfXdp, IP];
const PACKET: [Need; 3] = [Need::Kvm, Need::Root, IP];
const THREAD: [Need; 2] = [Need::Root, IP];

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("frames::af_xdp_all_sizes_unchanged_both_ways", &XDP, || {
            unchanged("kvm", "af_xdp")
        }),
        Case::new(
            "frames::af_packet_all_sizes_unchanged_both_ways",
            &PACKET,
            || unchanged("kvm", "af_packet"),
        ),
        Case::new(
            "frames::thread_isolation_all_sizes_unchanged_both_ways",
            &THREAD,
            || unchanged("thread", "af_packet"),
        ),
        Case::new(
            "frames::af_xdp_malformed_counted_under_their_cause",
            &XDP,
            || malformed("kvm", "af_xdp"),
        ),
        Case::new(
            "frames::af_packet_malformed_counted_under_their_cause",
            &PACKET,
            || malformed("kvm", "af_packet"),
        ),
        Case::new(
            "frames::thread_isolation_malformed_counted_under_their_cause",
            &THREAD,
            || malformed("thread", "af_packet"),
        ),
        Case::new(
            "frames::af_xdp_sums_hold_at_every_poll_under_load",
            &XDP,
            || sums("af_xdp"),
        ),
        Case::new(
            "frames::af_packet_sums_hold_at_every_poll_under_load",
            &PACKET,
            || sums("af_packet"),
        ),
    ]
}

/// Every size from the smallest to the largest frame of Ethernet, for each PI, both ways.
fn unchanged(isolation: &'static str, driver: &str) -> Result<()> {
    let lab = Lab::start(isolation, driver)?;
    let (west, east) = (lab.west()?, lab.east()?);
    let codes = PIS.map(|(_, code)| code);
    let sent = sweep(&west, &east, &codes, 60..=1514)?;
    let back = sweep(&east, &west, &codes, 60..=1514)?;
    let status = lab.node.status()?;
    ensure!(
        status["isolation"] == isolation,
        "isolation is {}",
        status["isolation"]
    );
    for (port, frames) in [("west", sent), ("east", back)] {
        let port = port_of(&status, port)?;
        ensure!(
            port["rx_frames"] == frames && port["tx_frames"] == frames,
            "{frames} frames went each way, the port counts {port}"
        );
    }
    let (ended, printed) = lab.node.stop()?;
    ensure!(
        ended.success(),
        "after SIGTERM the node ended with {ended}\n{printed}"
    );
    Ok(())
}

/// Each malformed kind, its own number of frames, under its own key; nothing of them comes out.
fn malformed(isolation: &'static str, driver: &str) -> Result<()> {
    let lab = Lab::start(isolation, driver)?;
    let (west, east) = (lab.west()?, lab.east()?);
    let kinds: [(&str, Vec<Vec<u8>>); 5] = [
        (
            "bad_ethertype",
            vec![
                plain(0x0800, &[pih(1, 0)], 60),
                plain(0x86dd, &[pih(1, 0)], 1514),
            ],
        ),
        // 0 is invalid by definition, 4 to 6 are not configured, 7 is management.
        (
            "unknown_pi",
            [0, 4, 5, 6, 7].map(|code| numbered(code, 0, 1, 60)).into(),
        ),
        (
            "unknown_vn",
            (1..=31).map(|vn| numbered(2, vn, 1, 79)).collect(),
        ),
        // Ethernet's header is whole, the PIH is missing.
        ("truncated", vec![plain(ETHERTYPE, &[], 14); 3]),
        (
            "oversize",
            [1515, 1516, 1600, 1700]
                .map(|size| numbered(1, 0, 1, size))
                .into(),
        ),
    ];
    for frame in kinds.iter().flat_map(|(_, frames)| frames) {
        west.send(frame)?;
    }
    let total: usize = kinds.iter().map(|(_, frames)| frames.len()).sum();
    until(
        "all malformed frames counted",
        Duration::from_secs(5),
        || {
            let status = lab.node.status().map_err(|e| format!("{e:#}"))?;
            let port = port_of(&status, "west").map_err(|e| format!("{e:#}"))?;
            let exact = kinds
                .iter()
                .all(|(cause, frames)| port["drops"][cause] == frames.len())
                && port["rx_frames"] == total;
            if exact {
                Ok(())
            } else {
                Err(format!(
                    "rx_frames {} of {total}, drops {}",
                    port["rx_frames"], port["drops"]
                ))
            }
        },
    )?;
    // What comes out next is this sweep's and nothing else.
    sweep(&west, &east, &[1, 2, 3], [60, 1514].into_iter())?;
    let status = lab.node.status()?;
    ensure!(
        port_of(&status, "east")?["tx_frames"] == 6,
        "{}",
        port_of(&status, "east")?
    );
    Ok(())
}

/// Load of all PIs both ways while `status` is asked again and again: each answer adds up, each frame arrives.
fn sums(driver: &str) -> Result<()> {
    let lab = Lab::start("kvm", driver)?;
    let streams = PIS.map(|(_, code)| Stream {
        code,
        size: 79,
        rate: 1500,
    });
    let there = Load::start(lab.west()?, lab.east()?, &streams);
    let back = Load::start(lab.east()?, lab.west()?, &streams);
    there.flows(3, 100)?;
    let start = Instant::now();
    let mut polls = 0;
    let mut last = 0;
    while start.elapsed() < Duration::from_secs(3) {
        // `status` checks the sums.
        let status = lab.node.status()?;
        last = port_of(&status, "west")?["rx_frames"].as_u64().unwrap_or(0);
        polls += 1;
    }
    ensure!(polls >= 10, "only {polls} answers in {:?}", start.elapsed());
    ensure!(last > 1000, "the load did not run: {last} frames");
    for account in there.finish()?.into_iter().chain(back.finish()?) {
        ensure!(account.sent > 1000 && account.whole(), "{account:?}");
    }
    // At rest nothing is left inside.
    let status = lab.node.status()?;
    for port in ["west", "east"] {
        for (pi, _) in PIS {
            let account = &port_of(&status, port)?["pi"][pi];
            ensure!(
                account["queued"] == 0 && account["window_overruns"] == 0,
                "{port}/{pi}: {account}"
            );
        }
    }
    Ok(())
}

/// The account of a port in a status document.
pub fn port_of<'a>(status: &'a Value, name: &str) -> Result<&'a Value> {
    status["ports"]
        .as_array()
        .and_then(|ports| ports.iter().find(|port| port["name"] == name))
        .ok_or_else(|| anyhow::anyhow!("status names no port {name}"))
}

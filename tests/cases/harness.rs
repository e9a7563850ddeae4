//! The tests' own instruments, on a bare cable: what they say of a node rests on this.

use anyhow::{Result, ensure};
use pinode_tests::conservation;
use pinode_tests::frame::PIS;
use pinode_tests::load::{Load, Stream};
use pinode_tests::namespace::Namespace;
use pinode_tests::need::Need;
use pinode_tests::sweep::sweep;
use serde_json::json;

use crate::Case;

pub fn cases() -> Vec<Case> {
    let cable = [Need::Root, Need::Command("ip", "iproute2")];
    vec![
        Case::new(
            "harness::a_bare_cable_carries_sweep_and_load_whole",
            &cable,
            bare_cable,
        ),
        Case::new(
            "harness::sums_that_do_not_hold_are_noticed",
            &[],
            sums_noticed,
        ),
    ]
}

fn bare_cable() -> Result<()> {
    let namespace = Namespace::new()?;
    namespace.veth("near", "far", 1500)?;
    let ends = || -> Result<_> {
        Ok((
            namespace.packet_socket("near")?,
            namespace.packet_socket("far")?,
        ))
    };
    let (near, far) = ends()?;
    ensure!(sweep(&near, &far, &[1, 2, 3], 60..=1514)? == 3 * 1455);
    let streams = PIS.map(|(_, code)| Stream {
        code,
        size: 79,
        rate: 2000,
    });
    let (near, far) = ends()?;
    let load = Load::start(near, far, &streams);
    load.flows(3, 1000)?;
    for account in load.finish()? {
        ensure!(account.sent >= 900 && account.whole(), "{account:?}");
    }
    Ok(())
}

fn sums_noticed() -> Result<()> {
    let status = |rx: u64, to_guest: u64, queued: u64| {
        json!({ "ports": [ { "name": "west", "rx_frames": rx, "drops": { "unknown_pi": 2 }, "pi": { "can": {
            "classified": 8, "to_guest": to_guest, "drops": { "policed": 1 },
            "from_guest": 5, "sent": 3, "queued": queued, "tx_drops": { "spoofed": 1 } } } } ] })
    };
    ensure!(conservation::check(&status(10, 7, 1)) == Ok(()));
    for (wrong, sum) in [
        (status(11, 7, 1), "rx_frames"),
        (status(10, 8, 1), "to_guest"),
        (status(10, 7, 0), "from_guest"),
    ] {
        let said = conservation::check(&wrong);
        ensure!(said.as_ref().is_err_and(|e| e.contains(sum)), "{said:?}");
    }
    ensure!(conservation::check(&json!({})).is_err());
    Ok(())
}

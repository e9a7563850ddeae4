//! Guests that stop, restart or go wrong, under load: the other Parallel Internets lose nothing.

use anyhow::{Result, ensure};
use pinode_tests::frame::PIS;
use pinode_tests::lab::Lab;
use pinode_tests::load::{Account, Load, Stream};
use pinode_tests::need::Need;

use crate::Case;
use crate::frames::port_of;

const NEEDS: [Need; 3] = [Need::Kvm, Need::Root, Need::Command("ip", "iproute2")];

pub fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "guests::stop_and_start_under_load_cost_others_nothing",
            &NEEDS,
            stop_and_start,
        ),
        Case::new(
            "guests::restart_under_load_costs_others_nothing",
            &NEEDS,
            restart,
        ),
    ]
}

/// Load of all three PIs, west to east.
pub fn load(lab: &Lab) -> Result<Load> {
    let streams = PIS.map(|(_, code)| Stream {
        code,
        size: 79,
        rate: 1000,
    });
    Ok(Load::start(lab.west()?, lab.east()?, &streams))
}

/// Ends the load; every frame of the PIs other than `code` came. Gives the account of `code`.
pub fn others_lost_nothing(load: Load, code: u8) -> Result<Account> {
    let accounts = load.finish()?;
    let mut own = None;
    for account in accounts {
        if account.code == code {
            own = Some(account);
        } else {
            ensure!(
                account.sent > 100 && account.whole(),
                "another PI was hurt: {account:?}"
            );
        }
    }
    own.ok_or_else(|| anyhow::anyhow!("no stream of code {code}"))
}

fn stop_and_start() -> Result<()> {
    let lab = Lab::start("kvm", "af_packet")?;
    let load = load(&lab)?;
    load.flows(2, 100)?;
    lab.node.succeed(&["guest", "stop", "can"])?;
    lab.node.wait_guest("can", "stopped", 0)?;
    load.flows(1, 500)?;
    let status = lab.node.status()?;
    let drops = &port_of(&status, "west")?["pi"]["can"]["drops"];
    ensure!(
        drops["guest_down"].as_u64() > Some(0),
        "frames of a stopped guest are not counted: {drops}"
    );
    lab.node.succeed(&["guest", "start", "can"])?;
    lab.node.wait_guest("can", "running", 0)?;
    load.flows(2, 100)?;
    let can = others_lost_nothing(load, 2)?;
    ensure!(
        can.received < can.sent && can.corrupted == 0 && can.duplicated == 0,
        "{can:?}"
    );
    // Conservation: what was sent into the node and did not come out is accounted for, to the frame.
    let status = lab.node.status()?;
    let west = &port_of(&status, "west")?["pi"]["can"];
    ensure!(
        west["classified"] == can.sent,
        "sent {} but counted {west}",
        can.sent
    );
    Ok(())
}

fn restart() -> Result<()> {
    let lab = Lab::start("kvm", "af_packet")?;
    let load = load(&lab)?;
    for round in 1..=3 {
        load.flows(2, 100)?;
        lab.node.succeed(&["guest", "restart", "can"])?;
        let guest = lab.node.wait_guest("can", "running", round)?;
        ensure!(guest["restarts"] == round, "{guest}");
        load.flows(2, 100)?;
    }
    for pi in ["ipv6qos", "dss"] {
        let guest = lab.node.guest(pi)?;
        ensure!(
            guest["restarts"] == 0 && guest["state"] == "running",
            "{guest}"
        );
    }
    others_lost_nothing(load, 2)?;
    Ok(())
}

//! Guests that go wrong under load. Each of these images forwards 999 frames and misbehaves on the next, again and again
//! as it is restarted: the node quarantines it, says what happened, restarts it with back-off; the other PIs lose nothing.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::frame::PIS;
use pinode_tests::lab::Lab;
use pinode_tests::load::{Load, Stream};
use pinode_tests::need::Need;
use pinode_tests::poll::until;
use serde_json::Value;
use tempfile::TempDir;

use crate::Case;
use crate::guests::others_lost_nothing;

const NEEDS: [Need; 3] = [Need::Kvm, Need::Root, Need::Command("ip", "iproute2")];

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("hostile::a_guest_that_faults", &NEEDS, || {
            misbehaves("fault", "#pf")
        }),
        Case::new("hostile::a_guest_that_panics", &NEEDS, || {
            misbehaves("panics", "panic")
        }),
        Case::new("hostile::a_guest_that_hangs", &NEEDS, || {
            misbehaves("hang", "")
        }),
        Case::new(
            "hostile::a_guest_that_hangs_holds_up_no_status",
            &NEEDS,
            a_guest_that_hangs_holds_up_no_status,
        ),
        Case::new(
            "hostile::a_guest_that_writes_garbage_into_its_rings",
            &NEEDS,
            || misbehaves("garbage", ""),
        ),
    ]
}

/// A node with the guest `image` as `can`, under load. The folder has the image, for its restarts.
fn under_load(image: &str) -> Result<(Lab, Load, TempDir)> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(image);
    let bytes =
        pinode_images::hostile(image).with_context(|| format!("no hostile image {image}"))?;
    fs::write(&file, bytes)?;
    let lab = Lab::start_with("kvm", "af_packet", |config| {
        config.pis[1].guest = file.to_string_lossy().into_owned();
    })?;
    let streams = PIS.map(|(_, code)| Stream {
        code,
        size: 79,
        rate: if code == 2 { 2000 } else { 1000 },
    });
    let load = Load::start(lab.west()?, lab.east()?, &streams);
    Ok((lab, load, folder))
}

/// `status` asks all guests what they do with their time. One that does not answer is shown as of its last answer,
/// and the others as of now.
fn a_guest_that_hangs_holds_up_no_status() -> Result<()> {
    let (lab, load, _folder) = under_load("hang")?;
    load.flows(2, 100)?;
    let read = || -> Result<[(u64, u64); 2]> {
        let status = lab.node.status()?;
        let guests = status["guests"].as_array().context("guests")?;
        let of = |pi: &str| -> Result<(u64, u64)> {
            let guest = guests.iter().find(|guest| guest["pi"] == pi);
            let guest = guest.with_context(|| format!("no guest {pi}"))?;
            let number = |value: &Value| value.as_u64().unwrap_or(0);
            Ok((number(&guest["restarts"]), number(&guest["usage"]["at_ns"])))
        };
        Ok([of("can")?, of("dss")?])
    };
    // Before it is given up, more than a second later, several readings go by without it.
    let mut last = read()?;
    let mut without = 0;
    until(
        "readings without the guest that hangs",
        Duration::from_secs(30),
        || {
            let now = read().map_err(|error| format!("{error:#}"))?;
            let [(can, dss), (can_then, dss_then)] = [(now[0], now[1]), (last[0], last[1])];
            let silent = can == can_then && can.1 > 0;
            without = if silent && dss.1 > dss_then.1 {
                without + 1
            } else {
                0
            };
            last = now;
            if without >= 2 {
                Ok(())
            } else {
                Err(format!("{now:?}"))
            }
        },
    )?;
    others_lost_nothing(load, 2).map(drop)
}

/// What is said of the failure of the guest `image` must have `word` (in any case).
fn misbehaves(image: &str, word: &str) -> Result<()> {
    let (lab, load, _folder) = under_load(image)?;

    // Three lives, and frames of the fourth: it was restarted and forwards again each time.
    for restarts in 1..=3 {
        let guest = lab.node.wait_guest("can", "running", restarts)?;
        ensure!(
            guest["restarts"].as_u64() <= Some(100),
            "no back-off: {guest}"
        );
        load.flows(2, 100)?;
    }
    // The back-off doubles, so the quarantine gets long enough to be seen.
    until("the guest in quarantine", Duration::from_secs(30), || {
        let guest = lab.node.guest("can").map_err(|e| format!("{e:#}"))?;
        if guest["state"] == "quarantined" {
            Ok(())
        } else {
            Err(guest.to_string())
        }
    })?;
    let guest = lab.node.guest("can")?;
    let said = guest["last_fault"]
        .as_str()
        .unwrap_or_default()
        .to_lowercase();
    ensure!(
        !said.is_empty() && said.contains(word),
        "the report of the failure: {guest}"
    );
    lab.node.succeed(&["guest", "console", "can"]).map(drop)?;

    // The others were never restarted and lost nothing.
    for pi in ["ipv6qos", "dss"] {
        let guest = lab.node.guest(pi)?;
        ensure!(
            guest["state"] == "running" && guest["restarts"] == 0,
            "{guest}"
        );
    }
    let can = others_lost_nothing(load, 2)?;
    ensure!(can.duplicated == 0, "{can:?}");

    // An operator's stop ends it for good.
    lab.node.succeed(&["guest", "stop", "can"])?;
    lab.node.wait_guest("can", "stopped", 3).map(drop)
}

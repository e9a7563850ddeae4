//! `pcap:` ports: a recorded trace in, a trace out that other programs read.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use pinode_tests::config::NodeToml;
use pinode_tests::frame::{PIS, numbered};
use pinode_tests::need::Need;
use pinode_tests::node::Node;
use pinode_tests::pcap;
use pinode_tests::poll::until;
use pinode_tests::program::{repository, system};

use crate::Case;
use crate::frames::port_of;

pub fn cases() -> Vec<Case> {
    let tshark = Need::Command("tshark", "tshark");
    vec![
        Case::new(
            "traces::recorded_trace_through_the_node_kvm",
            &[Need::Kvm],
            || through_the_node("kvm").map(drop),
        ),
        Case::new(
            "traces::recorded_trace_through_the_node_thread",
            &[],
            || through_the_node("thread").map(drop),
        ),
        Case::new(
            "traces::tshark_reads_it_and_shows_the_pih",
            &[tshark],
            tshark_reads,
        ),
    ]
}

/// Frames of all PIs and sizes in a file on `west`; the file of `east` then has exactly these, unchanged, each PI's in
/// order. Gives the folder with `east-out.pcap`.
fn through_the_node(isolation: &'static str) -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let at = |name: &str| folder.path().join(name);
    let frames: Vec<Vec<u8>> = (0..300u64)
        .map(|i| {
            let (_, code) = PIS[(i % 3) as usize];
            numbered(code, 0, i, 60 + (i as usize * 37) % 1455)
        })
        .collect();
    pcap::write(&at("west-in.pcap"), &frames, 100)?;
    pcap::write(&at("east-in.pcap"), &[], 0)?;
    let port = |name: &str| {
        format!(
            "pcap:{},{}",
            at(&format!("{name}-in.pcap")).display(),
            at(&format!("{name}-out.pcap")).display()
        )
    };
    let node = Node::start(
        &NodeToml::patch(isolation, port("west"), port("east")).text(),
        None,
    )?;
    until(
        "all frames of the trace sent",
        Duration::from_secs(20),
        || {
            let status = node.status().map_err(|e| format!("{e:#}"))?;
            let sent = port_of(&status, "east").map_err(|e| format!("{e:#}"))?["tx_frames"].clone();
            if sent == frames.len() {
                Ok(())
            } else {
                Err(format!("{sent} of {}: {status}", frames.len()))
            }
        },
    )?;
    let (ended, printed) = node.stop()?;
    ensure!(ended.success(), "the node ended with {ended}\n{printed}");
    let came = pcap::read(&at("east-out.pcap"))?;
    for (name, code) in PIS {
        let of = |frames: &[Vec<u8>]| -> Vec<Vec<u8>> {
            frames
                .iter()
                .filter(|f| f[14] >> 5 == code)
                .cloned()
                .collect()
        };
        ensure!(
            of(&came) == of(&frames),
            "frames of {name} were changed, lost or reordered"
        );
    }
    ensure!(
        came.len() == frames.len(),
        "{} frames came of {}",
        came.len(),
        frames.len()
    );
    Ok(folder)
}

fn tshark_reads() -> Result<()> {
    let folder = through_the_node("thread")?;
    let script = repository().join("docs/wireshark/pinode.lua");
    let printed = dissect(&script, &folder.path().join("east-out.pcap"))?;
    ensure!(
        printed
            .lines()
            .filter(|line| line.starts_with("Frame "))
            .count()
            == 300,
        "{printed}"
    );
    for (name, _) in PIS {
        ensure!(
            printed.to_lowercase().contains(name),
            "tshark shows no {name}:\n{printed}"
        );
    }
    ensure!(
        !printed.contains("Lua Error") && !printed.contains("Malformed"),
        "{printed}"
    );
    Ok(())
}

/// All details that tshark shows of a trace.
pub fn dissect(script: &Path, trace: &Path) -> Result<String> {
    system(
        "tshark",
        &[
            "-X",
            &format!("lua_script:{}", script.display()),
            "-r",
            &trace.to_string_lossy(),
            "-V",
        ],
    )
}

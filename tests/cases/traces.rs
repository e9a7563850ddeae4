//! `pcap:` ports: a recorded trace in, a trace out that other programs read.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use pinode_tests::config::NodeToml;
use pinode_tests::frame::{PIS, numbered};
use pinode_tests::lab::Lab;
use pinode_tests::need::Need;
use pinode_tests::node::Node;
use pinode_tests::pcap;
use pinode_tests::poll::until;
use pinode_tests::program::{pinode, repository, system};
use pinode_tests::sweep::sweep;
use rustix::process::{Pid, Signal, kill_process};

use crate::Case;
use crate::frames::port_of;

pub fn cases() -> Vec<Case> {
    let tshark = Need::Command("tshark", "tshark");
    let captures = [tshark, Need::Root, Need::Command("ip", "iproute2")];
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
        Case::new("traces::capture_of_a_port_and_of_a_vif", &captures, capture),
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
    pcap::write(&at("west-in.pcap"), frames.iter().cloned(), 100)?;
    pcap::write(&at("east-in.pcap"), [], 0)?;
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
    let trace = folder.path().join("east-out.pcap");
    let shown = dissect(&trace)?;
    let wanted: Vec<(u8, u8, usize)> = pcap::read(&trace)?.iter().map(|f| shape(f)).collect();
    ensure!(
        shown == wanted,
        "tshark shows {shown:?}\nthe frames are {wanted:?}"
    );
    Ok(())
}

/// PI code, VN and length of a frame.
fn shape(frame: &[u8]) -> (u8, u8, usize) {
    (frame[14] >> 5, frame[14] & 0x1f, frame.len())
}

/// What tshark shows of each frame of a trace: PI code and VN by the dissector, and the frame's length.
fn dissect(trace: &Path) -> Result<Vec<(u8, u8, usize)>> {
    let script = repository().join("docs/wireshark/pinode.lua");
    let printed = system(
        "tshark",
        &[
            "-X",
            &format!("lua_script:{}", script.display()),
            "-r",
            &trace.to_string_lossy(),
            "-T",
            "fields",
            "-e",
            "pinode.pi",
            "-e",
            "pinode.vn",
            "-e",
            "frame.len",
        ],
    )?;
    printed
        .lines()
        .map(|line| {
            let mut fields = line.split('\t');
            let mut next = || fields.next().and_then(|field| field.parse::<usize>().ok());
            match (next(), next(), next()) {
                (Some(pi), Some(vn), Some(length)) => {
                    Ok((u8::try_from(pi)?, u8::try_from(vn)?, length))
                }
                _ => bail!("tshark shows no PIH: {line:?}"),
            }
        })
        .collect()
}

/// `pinode capture` at a port and at a guest's vif: pcapng that tshark reads, with every frame that passed.
fn capture() -> Result<()> {
    let lab = Lab::start("thread", "af_packet")?;
    let (west, east) = (lab.west()?, lab.east()?);
    for (point, codes) in [("west", &[1, 2, 3][..]), ("can/west", &[2])] {
        let file = lab.node.folder().join("capture.pcapng");
        let mut child = Command::new(pinode()?)
            .args(["capture", point, "-w"])
            .arg(&file)
            .env("PINODE_SOCKET", lab.node.socket())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let started = until(
            "the capture to begin",
            Duration::from_secs(5),
            || match fs::metadata(&file).map(|m| m.len()) {
                Ok(octets) if octets > 0 => Ok(()),
                other => Err(format!("{other:?}")),
            },
        );
        let swept = started.and_then(|()| sweep(&west, &east, codes, (60..=1514).step_by(100)));
        // All blocks are in the file before the capture is told to end.
        let written = until("the frames in the file", Duration::from_secs(5), || {
            let octets = fs::metadata(&file).map_err(|e| e.to_string())?.len();
            // 15 sizes, 787 octets each on the average.
            let wanted = 15 * 787 * codes.len() as u64;
            if octets > wanted {
                Ok(())
            } else {
                Err(format!("{octets} octets"))
            }
        });
        kill_process(Pid::from_child(&child), Signal::INT)?;
        let ended = child.wait()?;
        swept?;
        written?;
        ensure!(ended.success(), "capture ended with {ended}");
        let shown = dissect(&file)?;
        let sizes = (60..=1514).step_by(100).count();
        for code in codes {
            let of: Vec<usize> = shown
                .iter()
                .filter(|(pi, vn, _)| pi == code && *vn == 0)
                .map(|(.., len)| *len)
                .collect();
            ensure!(
                of.len() >= sizes,
                "{} frames of {sizes} of PI {code} at {point}: {shown:?}",
                of.len()
            );
        }
        fs::remove_file(&file)?;
    }
    Ok(())
}

//! What passed, recorded: each frame that a host receives, and what nodes capture at their ports. tshark judges it all.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use pinode_tests::background::Background;
use pinode_tests::host::Host;
use pinode_tests::node::Node;
use pinode_tests::program::pinode;
use pinode_tests::recorder::Recorder;
use pinode_tests::tshark;
use serde_json::Value;
use tempfile::TempDir;

use crate::frames::port_of;

/// See the module.
pub struct Evidence {
    records: Vec<(PathBuf, Recorder)>,
    captures: Vec<(PathBuf, Background)>,
    folder: TempDir,
}

impl Evidence {
    pub fn new() -> Result<Self> {
        Ok(Self {
            records: Vec::new(),
            captures: Vec::new(),
            folder: tempfile::Builder::new().prefix("pinode-test-").tempdir()?,
        })
    }

    /// Records what a host receives.
    pub fn record(&mut self, host: &Host, name: &str) -> Result<()> {
        let socket = host.namespace.packet_socket("eth0")?;
        let file = self.folder.path().join(format!("{name}.pcap"));
        self.records.push((file, Recorder::start(socket)));
        Ok(())
    }

    /// Has the node capture what passes one of its points.
    pub fn capture(&mut self, node: &Node, point: &str) -> Result<()> {
        let number = self.captures.len();
        let file = self.folder.path().join(format!("capture-{number}.pcapng"));
        let capture = capture(node, point, &file)?;
        self.captures.push((file, capture));
        Ok(())
    }

    /// Frames that a host received so far and that are as `wanted` says; hosts count as they were recorded.
    pub fn received(&self, host: usize, wanted: impl Fn(&[u8]) -> bool) -> usize {
        self.records[host].1.count(wanted)
    }

    /// Ends all records and captures. There are frames in each, and nothing is malformed.
    pub fn judge(self) -> Result<()> {
        let mut files = Vec::new();
        for (file, recorder) in self.records {
            recorder.finish(&file)?;
            files.push(file);
        }
        for (file, capture) in self.captures {
            capture.interrupt()?;
            files.push(file);
        }
        tshark::nothing_malformed(&files)
    }
}

fn capture(node: &Node, point: &str, file: &Path) -> Result<Background> {
    let mut command = Command::new(pinode()?);
    command.args(["capture", point, "-w"]).arg(file);
    command.env("PINODE_SOCKET", node.socket());
    let mut capture = Background::start(format!("capture of {point}"), command)?;
    capture.wait_for("the capture to begin", Duration::from_secs(10), |_| {
        fs::metadata(file).is_ok_and(|m| m.len() > 0).then_some(())
    })?;
    Ok(capture)
}

/// The guest that routes was never restarted, and nothing was lost on the way to it and from it.
pub fn unharmed(node: &Node) -> Result<()> {
    let guest = node.guest("ipv6qos")?;
    ensure!(
        guest["state"] == "running" && guest["restarts"] == 0,
        "{guest}"
    );
    let status = node.status()?;
    for port in status["ports"].as_array().into_iter().flatten() {
        ensure!(lost(port) == 0, "drops at {}: {port}", port["name"]);
    }
    Ok(())
}

/// Frames of the PI that were lost at a port, on the way to the guest or from it.
pub fn drops(node: &Node, port: &str) -> Result<u64> {
    Ok(lost(port_of(&node.status()?, port)?))
}

fn lost(port: &Value) -> u64 {
    let account = &port["pi"]["ipv6qos"];
    ["drops", "tx_drops"]
        .into_iter()
        .filter_map(|drops| account[drops].as_object())
        .flat_map(|causes| causes.values())
        .filter_map(Value::as_u64)
        .sum()
}

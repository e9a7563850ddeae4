//! Connections of devices that do not signal: the nodes signal for them, and again after whatever dies.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use pinode_tests::namespace::Namespace;
use pinode_tests::node::Node;
use pinode_tests::poll::until;
use pinode_tests::unsafe_packet_socket::PacketSocket;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::bed::{Quiet, SOON, address, left, shown};
use super::needs;
use crate::Case;

/// What the devices use, whoever signals.
const CAMERA: u32 = 100;
const SCREEN: u32 = 200;
const MPLS: [u8; 2] = [0x88, 0x47];
/// Ethernet header, label stack entry and control word.
const HEADERS: usize = 14 + 8;

pub fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "dss::permanent::silent_devices_are_joined_and_joined_again_whatever_dies",
            &needs(),
            joined_again,
        ),
        Case::new(
            "dss::permanent::ends_come_and_go_at_run_time_and_leave_nothing",
            &needs(),
            come_and_go,
        ),
    ]
}

fn camera() -> String {
    format!(
        "[[pi.dss.signaling.permanent]]\nname = \"camera\"\nport = \"west\"\nlabel = {CAMERA}\n\
         called = \"{}\"\nrate = \"10Mbps\"\nback = \"1Mbps\"\n",
        address(2, 9)
    )
}

fn screen() -> String {
    format!(
        "[[pi.dss.signaling.permanent]]\nname = \"screen\"\nport = \"east\"\nlabel = {SCREEN}\n\
         listen = \"{}\"\n",
        address(2, 9)
    )
}

/// A frame of a device, octet for octet (RFC 3032 2.1, RFC 4385 3).
fn frame(label: u32, payload: &[u8]) -> Vec<u8> {
    let entry = label << 12 | 1 << 8 | 64;
    [
        &[0xff; 6][..],
        &[2, 0, 0, 0, 0, 1],
        &MPLS,
        &entry.to_be_bytes(),
        &[0; 4],
        payload,
    ]
    .concat()
}

/// Label and payload of a frame that a device hears; none: it is another's.
fn heard(frame: &[u8]) -> Option<(u32, &[u8])> {
    let behind = frame.get(12..).filter(|rest| rest.starts_with(&MPLS))?;
    let entry = u32::from_be_bytes(behind.get(2..6)?.try_into().ok()?);
    Some((entry >> 12, frame.get(HEADERS..)?))
}

/// A permanent end of a node, as it is shown.
fn end(node: &Node, name: &str) -> Result<Value> {
    let all = node.json(&["dss", "permanent", "list", "--json"])?;
    let found = all.as_array().into_iter().flatten();
    let mut found = found.filter(|one| one["permanent"]["name"] == name);
    found
        .next()
        .cloned()
        .with_context(|| format!("no {name}: {all}"))
}

/// Waits until an end is in this state.
fn wait(node: &Node, name: &str, state: &str) -> Result<Value> {
    until(&format!("{name} to be {state}"), SOON, || {
        let end = end(node, name).map_err(|error| format!("{error:#}"))?;
        if end["state"] == state {
            Ok(end)
        } else {
            Err(end.to_string())
        }
    })
}

/// A device on its cable.
struct Device {
    socket: PacketSocket,
    label: u32,
}

impl Device {
    fn new(namespace: &Namespace, label: u32) -> Result<Self> {
        let socket = namespace.packet_socket("eth0")?;
        Ok(Self { socket, label })
    }

    fn send(&self, what: &str) -> Result<()> {
        self.socket.send(&frame(self.label, &payload(what)))
    }
}

fn payload(what: &str) -> Vec<u8> {
    [what.as_bytes(), &[0x5a; 100]].concat()
}

/// Frames that one device sends come out at the other, with its label; of what was sent before it `not` does not.
fn carries(from: &Device, to: &Device, what: &str, not: &str) -> Result<()> {
    let (wanted, unwanted) = (payload(what), payload(not));
    let mut buffer = [0; 2048];
    // The other node may not have heard yet that the connection is there.
    let label = until(&format!("frames, {what}"), SOON, || {
        let failed = |error: anyhow::Error| format!("{error:#}");
        from.send(what).map_err(failed)?;
        let wait = Duration::from_millis(200);
        while let Some(octets) = to.socket.receive(&mut buffer, wait).map_err(failed)? {
            // The node looks for neighbours, too.
            match heard(octets) {
                Some((label, found)) if found == wanted => return Ok(Some(label)),
                Some((_, found)) if found == unwanted => return Ok(None),
                _ => {}
            }
        }
        Err("none came".to_owned())
    })?;
    ensure!(label == Some(to.label), "{label:?}, {what}");
    Ok(())
}

fn wait_nothing_left(quiet: &Quiet) -> Result<()> {
    for node in &quiet.nodes {
        until("nothing to be left of calls", SOON, || {
            let left = left(node).map_err(|error| format!("{error:#}"))?;
            if left.is_empty() { Ok(()) } else { Err(left) }
        })?;
    }
    Ok(())
}

fn kill_daemon(node: &Node) -> Result<()> {
    let process = shown(node)?["process"].as_i64().context("no process")?;
    let process = Pid::from_raw(i32::try_from(process)?).context("no process")?;
    kill_process(process, Signal::KILL)?;
    until("another daemon", SOON, || {
        let shown = shown(node).map_err(|error| format!("{error:#}"))?;
        let other = shown["process"] != i64::from(process.as_raw_nonzero().get());
        other.then_some(()).ok_or(shown.to_string())
    })
}

/// Both ends are there, and frames go both ways.
fn is_joined(quiet: &Quiet, what: &str) -> Result<()> {
    let [first, second] = &quiet.nodes;
    let near = Device::new(&quiet.devices[0], CAMERA)?;
    let far = Device::new(&quiet.devices[1], SCREEN)?;
    wait(second, "screen", "listening")?;
    until(&format!("one call, {what}"), SOON, || {
        let failed = |error: anyhow::Error| format!("{error:#}");
        let camera = end(first, "camera").map_err(failed)?;
        let screen = end(second, "screen").map_err(failed)?;
        let is_active = |end: &Value| {
            let calls = end["calls"].as_array();
            calls.is_some_and(|calls| calls.len() == 1 && calls[0]["state"] == "active")
        };
        let joined = camera["state"] == "up" && is_active(&camera) && is_active(&screen);
        joined.then_some(()).ok_or(format!("{camera}; {screen}"))
    })?;
    carries(&near, &far, what, "nothing")?;
    carries(&far, &near, what, "nothing")
}

fn joined_again() -> Result<()> {
    let quiet = Quiet::start([&camera(), &screen()])?;
    let [first, second] = &quiet.nodes;
    is_joined(&quiet, "at first")?;
    // What was granted, and the bounds of now.
    let camera = end(first, "camera")?;
    let call = &camera["calls"][0];
    ensure!(
        call["qos"]["transmit"]["peak"]["bits"] == 10_000_000,
        "{camera}"
    );
    ensure!(
        call["qos"]["receive"]["peak"]["bits"] == 1_000_000,
        "{camera}"
    );
    for bound in ["transmit_delay_ns", "receive_delay_ns"] {
        ensure!(
            call[bound].as_u64().is_some_and(|ns| ns > 500_000),
            "{camera}"
        );
    }
    let text = first.succeed(&["dss", "list"])?;
    ensure!(
        text.contains("camera: west/100 calls 47.02") && text.contains(": up"),
        "{text}"
    );
    for node in &quiet.nodes {
        let shown = shown(node)?;
        ensure!(shown["reserved"] == 2 && shown["switched"] == 2, "{shown}");
    }
    for (number, node) in quiet.nodes.iter().enumerate() {
        kill_daemon(node)?;
        is_joined(&quiet, &format!("after daemon {number} was killed"))?;
    }
    for (number, node) in quiet.nodes.iter().enumerate() {
        let before = node.guest("dss")?;
        let restarts = before["restarts"].as_u64().unwrap_or(0);
        node.succeed(&["guest", "restart", "dss"])?;
        node.wait_guest("dss", "running", restarts + 1)?;
        is_joined(&quiet, &format!("after guest {number} was restarted"))?;
    }
    // A link that fails outlives what it carries, or takes it along; then it comes back.
    for state in ["down", "up"] {
        quiet.labs[0].ip(&["link", "set", "trunk", state])?;
        until(&format!("the trunk to be {state}"), SOON, || {
            let shown = shown(second).map_err(|error| format!("{error:#}"))?;
            let links = shown["daemon"]["links"].as_array().cloned();
            let trunk = links
                .into_iter()
                .flatten()
                .find(|link| link["port"] == "west");
            let is_so = trunk.is_some_and(|link| link["up"] == (state == "up"));
            is_so.then_some(()).ok_or(shown.to_string())
        })?;
    }
    is_joined(&quiet, "after the trunk failed")?;
    // Released by an operator of either node, it comes back too.
    for node in [first, second] {
        let call = shown(node)?["daemon"]["calls"][0]["id"].to_string();
        node.succeed(&["dss", "close", &call])?;
        is_joined(&quiet, "after it was released")?;
    }
    // Those of the file stay.
    let kept = first.command(&["dss", "permanent", "del", "camera"])?;
    ensure!(!kept.status.success(), "it was taken away");
    for node in &quiet.nodes {
        let shown = shown(node)?;
        ensure!(shown["reserved"] == 2 && shown["switched"] == 2, "{shown}");
        ensure!(shown["daemon"]["call_count"] == 1, "{shown}");
    }
    Ok(())
}

fn come_and_go() -> Result<()> {
    let quiet = Quiet::start(["", ""])?;
    let [first, second] = &quiet.nodes;
    let near = Device::new(&quiet.devices[0], CAMERA)?;
    let far = Device::new(&quiet.devices[1], SCREEN)?;
    let to = address(2, 9);
    let label = CAMERA.to_string();
    let add = [
        "dss",
        "permanent",
        "add",
        "camera",
        "west",
        &label,
        "--called",
        &to,
        "--rate",
    ];
    first.succeed(&[&add[..], &["10Mbps"]].concat())?;
    // Nobody listens there, or the other node is not heard yet: it is said, and tried again.
    let refused = wait(first, "camera", "down")?;
    ensure!(
        refused["cause"] == 18 || refused["cause"] == 27,
        "{refused}"
    );
    ensure!(
        refused["again_in_ns"].is_u64() && refused["why"].is_string(),
        "{refused}"
    );
    // Dropped: there is no connection.
    near.send("too early")?;
    let listen = SCREEN.to_string();
    let listen = [
        "dss",
        "permanent",
        "add",
        "screen",
        "east",
        &listen,
        "--listen",
        &to,
    ];
    second.succeed(&listen)?;
    wait(first, "camera", "up")?;
    carries(&near, &far, "one way", "too early")?;
    // The one name and the one label are taken.
    let refused = |name: &str, words: &str| -> Result<()> {
        let mut other = add;
        other[3] = name;
        let refused = first.command(&[&other[..], &["10Mbps"]].concat())?;
        let said = String::from_utf8_lossy(&refused.stderr);
        ensure!(!refused.status.success() && said.contains(words), "{said}");
        Ok(())
    };
    refused("camera", "there is a permanent end \"camera\" already")?;
    refused("second", "its labels are those of \"camera\" too")?;
    // Whoever is taken away first, the other end waits for it, and nothing is left in between.
    second.succeed(&["dss", "permanent", "del", "screen"])?;
    wait(first, "camera", "down")?;
    wait_nothing_left(&quiet)?;
    near.send("in between")?;
    second.succeed(&listen)?;
    wait(first, "camera", "up")?;
    carries(&near, &far, "again", "in between")?;
    first.succeed(&["dss", "permanent", "del", "camera"])?;
    wait_nothing_left(&quiet)?;
    wait(second, "screen", "listening")?;
    second.succeed(&["dss", "permanent", "del", "screen"])?;
    until("nobody to listen", SOON, || {
        let shown = shown(second).map_err(|error| format!("{error:#}"))?;
        let none = shown["daemon"]["listening"]
            .as_array()
            .is_some_and(Vec::is_empty);
        none.then_some(()).ok_or(shown.to_string())
    })?;
    wait_nothing_left(&quiet)
}

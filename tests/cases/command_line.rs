//! The commands as a user meets them: help, check, demo, the documents that scripts read.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::config::NodeToml;
use pinode_tests::frame::PIS;
use pinode_tests::need::Need;
use pinode_tests::node::Node;
use pinode_tests::poll::until;
use pinode_tests::program::{self, pinode};
use serde_json::Value;

use crate::Case;
use crate::frames::port_of;

pub fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "command_line::help_of_every_command_has_an_example",
            &[],
            help,
        ),
        Case::new(
            "command_line::check_gives_the_ceilings_and_waits_of_the_cycle",
            &[],
            check,
        ),
        Case::new(
            "command_line::status_has_every_key_of_the_contract",
            &[],
            status_keys,
        ),
        Case::new(
            "command_line::guest_list_stop_start_and_console",
            &[],
            guest_commands,
        ),
        Case::new("command_line::sigint_stops_cleanly", &[], sigint),
        Case::new(
            "command_line::demo_ends_with_json_and_a_report_kvm",
            &[Need::Kvm],
            || demo(&[]),
        ),
        Case::new(
            "command_line::demo_ends_with_json_and_a_report_thread",
            &[],
            || demo(&["--isolation", "thread"]),
        ),
    ]
}

fn thread_node() -> Result<Node> {
    Node::start(
        &NodeToml::patch("thread", "memory:w", "memory:e").text(),
        None,
    )
}

fn help() -> Result<()> {
    let plain = program::run::<&str>(&[])?;
    let text = String::from_utf8_lossy(&plain.stdout).into_owned()
        + &String::from_utf8_lossy(&plain.stderr);
    ensure!(
        text.contains("demo") && text.contains("run"),
        "pinode alone printed:\n{text}"
    );
    let commands: [&[&str]; 14] = [
        &["demo"],
        &["run"],
        &["check"],
        &["status"],
        &["phases", "show"],
        &["phases", "set"],
        &["guest", "list"],
        &["guest", "restart"],
        &["guest", "console"],
        &["capture"],
        &["measure"],
        &["measure", "compare"],
        &["measure", "serve"],
        &["measure", "export"],
    ];
    for command in commands {
        let mut arguments = command.to_vec();
        arguments.push("--help");
        let output = program::run(&arguments)?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "{command:?} --help ended with {}",
            output.status
        );
        ensure!(
            text.to_lowercase().contains("example")
                && text.contains(&format!("pinode {}", command[0])),
            "{command:?} --help shows no example:\n{text}"
        );
    }
    Ok(())
}

/// Size in octets with FCS, frames a phase, goodput of a PI in Mb/s, longest and mean wait in us:
/// 1 Gb/s, three phases of 100 us, no guard; by hand from n = floor(T_p / t_L), t_L = 8 (L + 20) / C.
const CEILINGS: [(u64, u64, f64, f64, f64); 7] = [
    (79, 126, 265.44, 200.792, 67.195),
    (128, 84, 286.72, 201.184, 67.458),
    (256, 45, 307.2, 202.208, 68.147),
    (512, 23, 314.027, 204.256, 69.534),
    (1024, 11, 300.373, 208.352, 72.351),
    (1280, 9, 307.2, 210.4, 73.780),
    (1518, 8, 323.84, 212.304, 75.122),
];

fn check() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("node.toml");
    fs::write(&file, NodeToml::patch("kvm", "memory:w", "memory:e").text())?;
    let output = program::run(&["check", "-c", &file.to_string_lossy(), "--json"])?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let document: Value = serde_json::from_slice(&output.stdout).context("check --json")?;
    ensure!(document["ok"] == true, "{document}");
    for port in ["west", "east"] {
        let port = port_of(&document, port)?;
        ensure!(
            port["capacity_bps"] == 1_000_000_000 && port["cycle_ns"] == 300_000,
            "{port}"
        );
        for (pi, _) in PIS {
            let pi = &port["pi"][pi];
            ensure!(
                pi["phase_ns"] == 100_000 && pi["largest_frame"] == 1518,
                "{pi}"
            );
            // S = T_p - t_max = 100 - 12.304 us; R = C S / T_c; latency T_c - S.
            near(&pi["guaranteed_bps"], 292_320_000.0)?;
            near(&pi["latency_ns"], 212_304.0)?;
            for (size, frames, goodput, longest, mean) in CEILINGS {
                let row = pi["sizes"]
                    .as_array()
                    .and_then(|rows| rows.iter().find(|row| row["size"] == size))
                    .with_context(|| format!("no row of size {size} in {pi}"))?;
                ensure!(row["frames_per_phase"] == frames, "{row}");
                near(&row["ceiling_bps"], goodput * 1e6)?;
                near(&row["ceiling_fps"], frames as f64 / 300e-6)?;
                near(&row["longest_wait_ns"], longest * 1e3)?;
                near(&row["mean_wait_ns"], mean * 1e3)?;
            }
        }
    }
    Ok(())
}

/// Within the rounding of the figures above.
fn near(value: &Value, wanted: f64) -> Result<()> {
    let close = value
        .as_f64()
        .is_some_and(|v| (v - wanted).abs() <= wanted * 1e-4);
    ensure!(close, "{value} is not {wanted}");
    Ok(())
}

fn status_keys() -> Result<()> {
    let node = thread_node()?;
    let status = node.status()?;
    keys(
        &status,
        "",
        &["node", "uptime_s", "isolation", "kvm", "guests", "ports"],
    )?;
    keys(
        &status["guests"][0],
        "guests",
        &["pi", "state", "restarts", "boot_us", "memory_bytes"],
    )?;
    let port = port_of(&status, "west")?;
    keys(
        port,
        "port",
        &[
            "name",
            "rx_frames",
            "rx_bytes",
            "tx_frames",
            "tx_bytes",
            "drops",
            "pi",
        ],
    )?;
    let causes = [
        "bad_ethertype",
        "unknown_pi",
        "unknown_vn",
        "truncated",
        "oversize",
    ];
    keys(&port["drops"], "drops", &causes)?;
    for (pi, _) in PIS {
        let account = &port["pi"][pi];
        let wanted = [
            "classified",
            "to_guest",
            "drops",
            "from_guest",
            "sent",
            "sent_bytes",
            "queued",
            "tx_drops",
            "phase_ns",
            "windows",
            "window_overruns",
            "guard_idle_ns",
            "empty_idle_ns",
            "gate_error_ns",
        ];
        keys(account, pi, &wanted)?;
        keys(
            &account["drops"],
            "drops",
            &["policed", "guest_down", "ring_full"],
        )?;
        keys(
            &account["tx_drops"],
            "tx_drops",
            &["spoofed", "unknown_vn", "class_full", "port_error"],
        )?;
        keys(
            &account["gate_error_ns"],
            "gate_error_ns",
            &["p50", "p99", "p999", "max"],
        )?;
    }
    ensure!(
        status["node"] == "n1" && status["isolation"] == "thread",
        "{status}"
    );
    Ok(())
}

fn keys(object: &Value, at: &str, wanted: &[&str]) -> Result<()> {
    for key in wanted {
        ensure!(object.get(key).is_some(), "{at} has no key {key}: {object}");
    }
    Ok(())
}

fn guest_commands() -> Result<()> {
    let node = thread_node()?;
    let list = node.json(&["guest", "list", "--json"])?;
    ensure!(
        list.as_array()
            .or_else(|| list["guests"].as_array())
            .is_some_and(|l| l.len() == 3),
        "{list}"
    );
    let shown = node.succeed(&["guest", "list"])?;
    ensure!(PIS.iter().all(|(pi, _)| shown.contains(pi)), "{shown}");
    node.succeed(&["guest", "stop", "dss"])?;
    node.wait_guest("dss", "stopped", 0)?;
    node.succeed(&["guest", "start", "dss"])?;
    node.wait_guest("dss", "running", 0)?;
    node.succeed(&["guest", "restart", "dss"])?;
    node.wait_guest("dss", "running", 1)?;
    let ended = node.command(&["status"])?;
    ensure!(ended.status.success() && !ended.stdout.is_empty());
    Ok(())
}

fn sigint() -> Result<()> {
    let mut node = thread_node()?;
    let socket = node.socket();
    let pid = rustix::process::Pid::from_raw(i32::try_from(node.pid())?).context("pid")?;
    rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
    let ended = node.wait_end(Duration::from_secs(10))?;
    ensure!(ended.success(), "after SIGINT: {ended}\n{}", node.printed());
    ensure!(!socket.exists(), "the socket was left behind");
    Ok(())
}

/// `demo --seconds 4 --json`: nothing but one document on stdout, a report that stands alone, exit code 0.
fn demo(more: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("demo");
    let mut child = Command::new(pinode()?)
        .args(["demo", "--seconds", "4", "--json", "--out"])
        .arg(&out)
        .args(more)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(fs::File::create(folder.path().join("stdout"))?)
        .stderr(fs::File::create(folder.path().join("stderr"))?)
        .spawn()
        .context("start the demo")?;
    let ended = until("the demo's end", Duration::from_secs(60), || {
        match child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("still running".into()),
            Err(e) => Err(e.to_string()),
        }
    });
    if ended.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    let stderr = fs::read_to_string(folder.path().join("stderr"))?;
    let ended = ended.with_context(|| stderr.clone())?;
    ensure!(ended.success(), "the demo ended with {ended}\n{stderr}");
    let stdout = fs::read_to_string(folder.path().join("stdout"))?;
    let document: Value = serde_json::from_str(&stdout)
        .with_context(|| format!("not one JSON document: {stdout}"))?;
    for (pi, _) in PIS {
        ensure!(stdout.contains(pi), "the result names no {pi}: {document}");
    }
    let pages: Vec<_> = fs::read_dir(&out)
        .with_context(|| format!("{}", out.display()))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "html"))
        .collect();
    ensure!(!pages.is_empty(), "no report in {}", out.display());
    let page = fs::read_to_string(&pages[0])?;
    ensure!(
        page.contains("<html") && PIS.iter().all(|(pi, _)| page.contains(pi)),
        "an empty report"
    );
    // It opens without a network.
    ensure!(
        !page.contains("src=\"http") && !page.contains("@import"),
        "the report loads things"
    );
    Ok(())
}

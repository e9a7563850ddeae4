//! `pinode measure --tx --rx`: what the kernel counted of the same frames, and a device that is not ours.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::namespace::Namespace;
use pinode_tests::poll::until;
use pinode_tests::program::pinode;
use serde_json::Value;

use super::{array, delivered, number, said, sums_hold};

/// `pinode measure` inside a namespace.
fn measure_in(namespace: &Namespace, arguments: &[&str], out: &Path) -> Result<Output> {
    let mut command = namespace.command(pinode()?)?;
    command.arg("measure").args(arguments).arg("--out").arg(out);
    command
        .stdin(Stdio::null())
        .output()
        .context("start pinode measure")
}

pub fn interface_missing() -> Result<()> {
    let namespace = Namespace::new()?;
    namespace.veth("w0", "w1", 1500)?;
    let output = measure_in(
        &namespace,
        &["--tx", "w0", "--rx", "nosuch"],
        Path::new("nowhere"),
    )?;
    let stderr = said(&output);
    ensure!(
        output.status.code() == Some(1),
        "{}: {stderr}",
        output.status
    );
    ensure!(
        stderr.contains("--rx nosuch") && stderr.contains("w0, w1"),
        "{stderr}"
    );
    ensure!(!Path::new("nowhere").exists());
    Ok(())
}

/// Frames that the kernel counted at an interface: received, sent.
fn counted(namespace: &Namespace, interface: &str) -> Result<(u64, u64)> {
    let text = namespace.ip(&["-s", "-j", "link", "show", interface])?;
    let links: Value = serde_json::from_str(&text)?;
    let stats = &links[0]["stats64"];
    Ok((
        number(&stats["rx"], "packets")?,
        number(&stats["tx"], "packets")?,
    ))
}

/// Frames that the trials say were sent.
fn sent_in_trials(results: &Value) -> Result<u64> {
    let mut sent = 0;
    for trial in array(results, "trials")? {
        for stream in array(trial, "streams")? {
            sent += number(stream, "sent")?;
        }
    }
    Ok(sent)
}

pub fn kernel_counts(backend: &str) -> Result<()> {
    let namespace = Namespace::new()?;
    namespace.veth("w", "e", 1500)?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("results");
    let before = (counted(&namespace, "w")?, counted(&namespace, "e")?);
    let output = measure_in(
        &namespace,
        &[
            "--tx",
            "w",
            "--rx",
            "e",
            "--backend",
            backend,
            "--capacity",
            "1Gbps",
            "--test",
            "loss",
            "--sizes",
            "79",
            "--rate",
            "5kfps",
            "--duration",
            "300ms",
            "--quick",
        ],
        &out,
    )?;
    ensure!(
        output.status.success(),
        "{}: {}",
        output.status,
        said(&output)
    );
    let results = delivered(&out)?;
    sums_hold(&results)?;
    ensure!(results["path"] == backend, "{}", results["path"]);
    // With those that warmed up, which are in no trial.
    let (sent, received) = (
        number(&results["frames"], "sent")?,
        number(&results["frames"], "received")?,
    );
    let in_trials = sent_in_trials(&results)?;
    let after = (counted(&namespace, "w")?, counted(&namespace, "e")?);
    let (tx, rx) = (after.0.1 - before.0.1, after.1.0 - before.1.0);
    ensure!(
        in_trials > 1000 && sent > in_trials,
        "{sent} frames, {in_trials} of them in trials"
    );
    ensure!(tx == sent, "the kernel sent {tx}, the tester {sent}");
    ensure!(
        rx == tx && received == rx,
        "the kernel received {rx}, the tester {received}"
    );
    Ok(())
}

/// A Linux bridge between two veth pairs: the tester has the outer ends.
pub fn bridge() -> Result<()> {
    let namespace = Namespace::new()?;
    namespace.veth("w", "bw", 1500)?;
    namespace.veth("e", "be", 1500)?;
    namespace.ip(&[
        "link",
        "add",
        "name",
        "br0",
        "type",
        "bridge",
        "mcast_snooping",
        "0",
    ])?;
    namespace.run(&[
        "sh",
        "-c",
        "echo 1 > /proc/sys/net/ipv6/conf/br0/disable_ipv6",
    ])?;
    for port in ["bw", "be"] {
        namespace.ip(&["link", "set", port, "master", "br0"])?;
    }
    namespace.ip(&["link", "set", "br0", "up"])?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("results");
    let output = measure_in(
        &namespace,
        &[
            "--tx",
            "w",
            "--rx",
            "e",
            "--capacity",
            "100Mbps",
            "--test",
            "latency,loss",
            "--sizes",
            "79,512",
            "--rate",
            "2kfps",
            "--duration",
            "300ms",
            "--quick",
            "--bidirectional",
            "--stream",
            "encap=plain",
        ],
        &out,
    )?;
    ensure!(
        output.status.success(),
        "{}: {}",
        output.status,
        said(&output)
    );
    let results = delivered(&out)?;
    sums_hold(&results)?;
    for trial in array(&results, "trials")? {
        ensure!(
            trial.get("isolation").is_none(),
            "a bridge has no guests: {trial}"
        );
        let streams = array(trial, "streams")?;
        ensure!(
            streams.len() == 2 && streams[0]["from"] == "west" && streams[1]["from"] == "east",
            "{trial}"
        );
        for stream in streams {
            ensure!(
                number(stream, "lost")? == 0 && number(stream, "duplicated")? == 0,
                "{stream}"
            );
            ensure!(number(stream, "received")? > 0, "{stream}");
        }
    }
    // It has learnt where the tester's addresses are: each on the side that sends from it.
    let learnt = namespace.run(&["bridge", "fdb", "show", "br", "br0", "dynamic"])?;
    for port in ["bw", "be"] {
        ensure!(
            learnt
                .lines()
                .any(|line| line.contains(&format!("dev {port}"))),
            "nothing learnt at {port}:\n{learnt}"
        );
    }
    Ok(())
}

/// A kernel that takes away one frame in 256 and doubles another, by the lowest octet of its number, and counts them.
pub fn known_faults() -> Result<()> {
    let namespace = Namespace::new()?;
    namespace.veth("w", "dw", 1500)?;
    namespace.veth("e", "de", 1500)?;
    namespace.veth("away", "lost", 1500)?;
    namespace.run(&["tc", "qdisc", "add", "dev", "dw", "clsact"])?;
    // From the end of Ethernet's header: PIH 1, IPv6 40, 3 of the signature, 5 of the number.
    const NUMBER: &str = "49";
    let filter = |prio: &str, octet: &[&str], actions: &[&str]| {
        let begin = "tc filter add dev dw ingress protocol all prio";
        let mut words: Vec<&str> = begin.split(' ').collect();
        words.extend([prio, "u32", "match"]);
        words.extend(octet);
        for (index, action) in actions.iter().enumerate() {
            words.extend(["action", "mirred", "egress"].iter());
            words.extend(action.split(' '));
            if index + 1 < actions.len() {
                words.push("pipe");
            }
        }
        namespace.run(&words)
    };
    let away = ["u8", "0x07", "0xff", "at", NUMBER];
    let twice = ["u8", "0x13", "0xff", "at", NUMBER];
    filter("1", &away, &["redirect dev away"])?;
    filter("2", &twice, &["mirror dev de", "redirect dev de"])?;
    filter("3", &["u32", "0", "0"], &["redirect dev de"])?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("results");
    let line = "--tx w --rx e --backend af_packet --capacity 1Gbps --test latency --sizes 79 --rate 9kfps --duration 300ms --repeat 1";
    let arguments: Vec<&str> = line.split(' ').collect();
    let output = measure_in(&namespace, &arguments, &out)?;
    ensure!(
        output.status.success(),
        "{}: {}",
        output.status,
        said(&output)
    );
    let results = delivered(&out)?;
    sums_hold(&results)?;
    let valid = array(&results, "trials")?
        .iter()
        .filter(|trial| trial["refused"] == false);
    ensure!(valid.clone().count() > 0, "every trial was refused");
    for trial in valid {
        for stream in array(trial, "streams")? {
            let sent = number(stream, "sent")?;
            // Of the numbers 0 to sent - 1, those that end so.
            let with = |octet: u64| (sent + 255 - octet) / 256;
            let found = |key| number(stream, key);
            ensure!(
                sent > 300 && found("lost")? == with(0x07) && found("duplicated")? == with(0x13),
                "{stream}"
            );
            ensure!(
                found("reordered")? == 0 && found("corrupted")? == 0,
                "{stream}"
            );
        }
    }
    // All of them, with those that warmed up, in the kernel's own counts.
    let (came, left) = (counted(&namespace, "dw")?.0, counted(&namespace, "away")?.1);
    let (sent, received) = (
        number(&results["frames"], "sent")?,
        number(&results["frames"], "received")?,
    );
    let passed = counted(&namespace, "de")?.1;
    ensure!(
        came == sent && passed == received,
        "{came} of {sent}, {passed} of {received}"
    );
    ensure!(left > 0 && left < sent / 100, "{left} of {sent} taken away");
    Ok(())
}

/// Without a carrier there is nothing to measure: said at once, with the interface, and nothing is left.
pub fn no_carrier() -> Result<()> {
    let namespace = Namespace::new()?;
    namespace.veth("w", "dw", 1500)?;
    namespace.veth("e", "de", 1500)?;
    namespace.ip(&["link", "set", "de", "down"])?;
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("results");
    let output = measure_in(
        &namespace,
        &["--tx", "w", "--rx", "e", "--capacity", "1Gbps"],
        &out,
    )?;
    let stderr = said(&output);
    ensure!(
        output.status.code() == Some(1),
        "{}: {stderr}",
        output.status
    );
    ensure!(stderr.contains("e: the link is down"), "{stderr}");
    ensure!(!out.exists(), "{} is left", out.display());
    Ok(())
}

/// An interface that goes away while frames pass ends the measurement; what was measured before is kept.
pub fn gone(backend: &str) -> Result<()> {
    let namespace = Namespace::new()?;
    namespace.veth("w", "e", 1500)?;
    let folder = tempfile::tempdir()?;
    let (out, log) = (folder.path().join("results"), folder.path().join("log"));
    let mut command = namespace.command(pinode()?)?;
    command
        .args(["measure", "--tx", "w", "--rx", "e", "--backend", backend])
        .args(["--capacity", "1Gbps", "--test", "latency", "--quick"])
        .args(["--sizes", "128", "--rate", "1kfps", "--duration", "200ms"])
        .args(["--repeat", "1000", "--out"])
        .arg(&out)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log)?);
    let mut child = command.spawn()?;
    // A trial has three streams of 200 frames: some have ended by then.
    let passed = until(
        "frames of some trials pass",
        Duration::from_secs(60),
        || {
            let (received, _) = counted(&namespace, "e").map_err(|error| error.to_string())?;
            (received > 3_000)
                .then_some(())
                .ok_or_else(|| format!("{received} frames"))
        },
    );
    let gone = passed.and_then(|()| namespace.ip(&["link", "del", "w"]));
    let ended = gone.and_then(|_| {
        until("the measurement ends", Duration::from_secs(60), || {
            let status = child.try_wait().map_err(|error| error.to_string())?;
            status.ok_or_else(|| fs::read_to_string(&log).unwrap_or_default())
        })
    });
    if ended.is_err() {
        // Nothing may be left running.
        let _ = child.kill();
        let _ = child.wait();
    }
    let status = ended?;
    let stderr = fs::read_to_string(&log)?;
    ensure!(status.code() == Some(1), "{status}: {stderr}");
    ensure!(stderr.contains("the link is down"), "{stderr}");
    let results = delivered(&out)?;
    sums_hold(&results)?;
    ensure!(results["partial"] == true, "not marked as partial");
    Ok(())
}

/// A source alone at one end of a cable, a sink alone at the other, in two processes.
pub fn served() -> Result<()> {
    let namespace = Namespace::new()?;
    namespace.veth("w", "e", 1500)?;
    let common = ["--backend", "af_packet", "--json"];
    let mut sink = namespace.command(pinode()?)?;
    sink.args(["measure", "serve", "--rx", "e", "--duration", "3s"])
        .args(common);
    let sink = sink
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    until("the sink listens", Duration::from_secs(20), || {
        let sockets = namespace
            .run(&["cat", "/proc/net/packet"])
            .map_err(|error| error.to_string())?;
        (sockets.lines().count() > 1).then_some(()).ok_or(sockets)
    })?;
    let mut source = namespace.command(pinode()?)?;
    source.args([
        "measure",
        "serve",
        "--tx",
        "w",
        "--capacity",
        "1Gbps",
        "--rate",
        "1kfps",
        "--duration",
        "500ms",
    ]);
    let sent = source
        .args(common)
        .stdin(Stdio::null())
        .output()
        .context("start the source");
    let heard = sink.wait_with_output()?;
    let sent = sent?;
    ensure!(
        sent.status.success() && heard.status.success(),
        "{}{}",
        said(&sent),
        said(&heard)
    );
    let sent: Value = serde_json::from_slice(&sent.stdout)?;
    let heard: Value = serde_json::from_slice(&heard.stdout)?;
    let (mut frames, mut due) = (Vec::new(), Vec::new());
    for stream in array(&sent, "sent")? {
        frames.push(number(stream, "frames")?);
        due.push(number(stream, "frames")? + number(stream, "unsent")?);
    }
    // Half a second of a thousand a second; the streams begin in turn.
    ensure!(
        due.len() == 3 && due.iter().all(|due| (499..=500).contains(due)),
        "{sent}"
    );
    for stream in array(&heard, "heard")? {
        let all = number(stream, "received")? + number(stream, "missing")?;
        ensure!(
            frames.contains(&all) && number(stream, "corrupted")? == 0,
            "{stream} of {frames:?}"
        );
    }
    ensure!(array(&heard, "heard")?.len() == 3, "{heard}");
    Ok(())
}

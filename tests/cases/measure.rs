//! `pinode measure` as a user meets it: what is refused before anything is sent, what the kernel counted of the same
//! run, a device that is not ours, and what is left behind when it is interrupted.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::namespace::Namespace;
use pinode_tests::need::Need;
use pinode_tests::poll::until;
use pinode_tests::program::{self, pinode};
use serde_json::Value;

use crate::Case;

pub fn cases() -> Vec<Case> {
    let links = [Need::Root, Need::Command("ip", "iproute2")];
    let xdp = [Need::Root, Need::Command("ip", "iproute2"), Need::AfXdp];
    vec![
        Case::new(
            "measure::what_cannot_be_is_refused_before_anything_starts",
            &[],
            refused,
        ),
        Case::new(
            "measure::a_configuration_that_is_wrong_is_refused",
            &[],
            configuration,
        ),
        Case::new(
            "measure::results_that_are_none_are_refused",
            &[],
            no_results,
        ),
        Case::new("measure::folder_that_cannot_be_written", &[], unwritable),
        Case::new("measure::one_test_of_a_node_thread", &[], || {
            whole("thread")
        }),
        Case::new("measure::one_test_of_a_node_kvm", &[Need::Kvm], || {
            whole("kvm")
        }),
        Case::new("measure::json_is_the_only_output", &[], json_only),
        Case::new("measure::interrupted_keeps_what_is_done", &[], interrupted),
        Case::new("measure::reset_of_the_guests_is_seen", &[], reset),
        Case::new("measure::interface_missing", &links, interface_missing),
        Case::new(
            "measure::the_kernel_counts_the_same_frames_af_packet",
            &links,
            || kernel_counts("af_packet"),
        ),
        Case::new(
            "measure::the_kernel_counts_the_same_frames_af_xdp",
            &xdp,
            || kernel_counts("af_xdp"),
        ),
        Case::new(
            "measure::a_linux_bridge_is_measured_end_to_end",
            &links,
            bridge,
        ),
    ]
}

/// Keys of results.json that others rely on.
const KEYS: [&str; 7] = [
    "schema",
    "host",
    "profile",
    "path",
    "trials",
    "throughput",
    "cpu_fit",
];

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The command ended with `code` and said all of `words` in one line; nothing is in `out`.
fn expect(arguments: &[&str], code: i32, words: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");
    let out_text = out.to_string_lossy().into_owned();
    let mut all = vec!["measure"];
    all.extend(arguments);
    all.extend(["--out", &out_text]);
    let output = program::run(&all)?;
    let stderr = said(&output);
    ensure!(
        output.status.code() == Some(code),
        "{arguments:?} ended with {}, not {code}: {stderr}",
        output.status
    );
    let has = |line: &str| words.iter().all(|word| line.contains(word));
    // clap tells what is allowed on a line of its own.
    ensure!(
        stderr.lines().any(has) || has(&stderr.replace('\n', " ")),
        "{arguments:?}: nothing says {words:?}:\n{stderr}"
    );
    ensure!(
        output.stdout.is_empty() && !stderr.contains("panicked"),
        "{stderr}"
    );
    ensure!(!out.exists(), "{arguments:?} left {} behind", out.display());
    Ok(())
}

fn refused() -> Result<()> {
    let tests = ["throughput", "back_to_back", "saturation"];
    expect(&["--test", "speed"], 2, &[&["speed"][..], &tests].concat())?;
    expect(
        &["--profile", "fast"],
        2,
        &["fast", "quick", "rfc2544", "seed"],
    )?;
    expect(&["--sizes", "40"], 2, &["--sizes", "40", "octets with FCS"])?;
    expect(&["--sizes", "78"], 2, &["78", "79 to 9018"])?;
    expect(&["--sizes", "1519"], 2, &["1519", "up to 1518"])?;
    expect(&["--sizes", "imix:"], 2, &["imix:", "allowed"])?;
    expect(&["--rate", "2Gbps"], 2, &["--rate", "1Gbps"])?;
    expect(&["--rate", "fast"], 2, &["fast", "allowed", "100Mbps"])?;
    expect(&["--duration", "0s"], 2, &["--duration", "more than 0"])?;
    expect(&["--loss-ratio", "1"], 2, &["--loss-ratio", "below 1"])?;
    expect(&["--resolution", "0"], 2, &["--resolution", "above 0"])?;
    expect(&["--repeat", "0"], 2, &["--repeat", "1..=1000"])?;
    expect(&["--stream", "pi=atm"], 2, &["pi=atm", "ipv6qos, can, dss"])?;
    expect(
        &["--stream", "colour=red"],
        2,
        &["colour", "allowed", "rate="],
    )?;
    expect(&["--tx", "a"], 2, &["--rx"])?;
    expect(&["--capacity", "1Gbps"], 2, &["--tx"])?;
    expect(
        &["-c", "node.toml", "--tx", "a", "--rx", "b"],
        2,
        &["--config", "cannot be used with"],
    )
}

fn configuration() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("node.toml");
    let text = file.to_string_lossy().into_owned();
    expect(&["-c", &text], 2, &["node.toml", "cannot be read"])?;
    fs::write(&file, "[node]\nname = \"n\"\ncolour = 1\n")?;
    expect(&["-c", &text], 2, &["node.colour"])
}

fn no_results() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (other, cut, good) = (path("other.json"), path("cut.json"), path("good.json"));
    let right = r#"{"schema":"pinode-results/1","host":{"cpu":"","cores":1,"kvm":"","kernel":""},"profile":"quick","path":"memory","trials":[],"throughput":[],"cpu_fit":[]}"#;
    fs::write(&good, right)?;
    fs::write(&other, right.replace("results/1", "results/9"))?;
    fs::write(&cut, &right[..right.len() / 2])?;
    for (arguments, words) in [
        (
            vec!["compare", &good, &other],
            vec!["other.json", "pinode-results/9", "pinode-results/1"],
        ),
        (vec!["compare", &good, &cut], vec!["cut.json", "cut off"]),
        (
            vec!["compare", &good, "/nowhere.json"],
            vec!["/nowhere.json", "cannot be read"],
        ),
    ] {
        let mut all = vec!["measure"];
        all.extend(arguments);
        let output = program::run(&all)?;
        let stderr = said(&output);
        ensure!(
            matches!(output.status.code(), Some(1 | 2)),
            "{all:?}: {}",
            output.status
        );
        ensure!(
            words.iter().all(|word| stderr.contains(word)),
            "{all:?}: {stderr}"
        );
        ensure!(
            output.stdout.is_empty() && !stderr.contains("panicked"),
            "{stderr}"
        );
    }
    Ok(())
}

fn unwritable() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    fs::write(&file, "kept")?;
    // Not even root writes below a file.
    let out = file.join("out").to_string_lossy().into_owned();
    let output = program::run(&["measure", "--isolation", "thread", "--out", &out])?;
    let stderr = said(&output);
    ensure!(
        output.status.code() == Some(1),
        "{}: {stderr}",
        output.status
    );
    ensure!(
        stderr.contains(&out) && stderr.contains("--out"),
        "{stderr}"
    );
    ensure!(fs::read_to_string(&file)? == "kept");
    Ok(())
}

fn interface_missing() -> Result<()> {
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

/// `pinode measure` inside a namespace.
fn measure_in(namespace: &Namespace, arguments: &[&str], out: &Path) -> Result<Output> {
    let mut command = namespace.command(pinode()?)?;
    command.arg("measure").args(arguments).arg("--out").arg(out);
    command
        .stdin(Stdio::null())
        .output()
        .context("start pinode measure")
}

/// The three files are in `out`, whole; the document of results.json.
fn delivered(out: &Path) -> Result<Value> {
    let text = fs::read_to_string(out.join("results.json"))?;
    let results: Value = serde_json::from_str(&text).context("results.json")?;
    for key in KEYS {
        ensure!(
            results.get(key).is_some(),
            "results.json lacks {key}: {text}"
        );
    }
    ensure!(
        results["schema"] == "pinode-results/1",
        "{}",
        results["schema"]
    );
    let csv = fs::read_to_string(out.join("results.csv"))?;
    ensure!(
        csv.lines().count() >= 2 && csv.ends_with('\n'),
        "results.csv:\n{csv}"
    );
    let html = fs::read_to_string(out.join("report.html"))?;
    ensure!(
        html.trim_end().ends_with("</html>"),
        "report.html is cut off"
    );
    let files = fs::read_dir(out)?.count();
    ensure!(files == 3, "{files} files in {}", out.display());
    Ok(results)
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value[key]
        .as_array()
        .with_context(|| format!("{key} in {value}"))
}

fn number(value: &Value, key: &str) -> Result<u64> {
    value[key]
        .as_u64()
        .with_context(|| format!("{key} in {value}"))
}

/// Of every stream of every trial: sent = received + lost.
fn sums_hold(results: &Value) -> Result<()> {
    for trial in array(results, "trials")? {
        for stream in array(trial, "streams")? {
            let (sent, received) = (number(stream, "sent")?, number(stream, "received")?);
            ensure!(sent == received + number(stream, "lost")?, "{stream}");
        }
    }
    Ok(())
}

fn whole(isolation: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("results");
    let out_text = out.to_string_lossy().into_owned();
    let output = program::run(&[
        "measure",
        "--test",
        "latency,loss,saturation",
        "--sizes",
        "79",
        "--duration",
        "200ms",
        "--quick",
        "--isolation",
        isolation,
        "--rate",
        "10kfps",
        "--out",
        &out_text,
    ])?;
    let stderr = said(&output);
    ensure!(output.status.success(), "{}: {stderr}", output.status);
    let results = delivered(&out)?;
    sums_hold(&results)?;
    ensure!(
        results["profile"] == "single" && results["path"] == "memory",
        "{results}"
    );
    ensure!(results["partial"] == false);
    ensure!(
        results["tester"]["memory_fps"]
            .as_f64()
            .is_some_and(|fps| fps > 0.0),
        "no limits of the tester"
    );
    let trials = array(&results, "trials")?;
    for test in ["latency", "loss", "saturation"] {
        let of_test = trials.iter().filter(|trial| trial["test"] == test);
        ensure!(of_test.count() > 0, "no trial of {test}");
    }
    for trial in trials {
        ensure!(trial["isolation"] == isolation, "{trial}");
        let streams = array(trial, "streams")?;
        let pis: Vec<_> = streams
            .iter()
            .filter_map(|stream| stream["pi"].as_str())
            .collect();
        ensure!(pis == ["ipv6qos", "can", "dss"], "{pis:?}");
        for stream in streams {
            let ceiling = stream["ceiling_fps"].as_f64().context("ceiling_fps")?;
            ensure!((ceiling - 420e3).abs() < 1.0, "{stream}");
            ensure!(
                stream["mean_wait_ns"]
                    .as_f64()
                    .is_some_and(|ns| (ns - 67_195.0).abs() < 1.0),
                "{stream}"
            );
            ensure!(
                number(stream, "received")? > 0 && number(stream, "corrupted")? == 0,
                "{stream}"
            );
        }
    }
    let stdout = String::from_utf8_lossy(&output.stdout);
    ensure!(
        stdout.contains("report.html"),
        "does not say where the report is:\n{stdout}"
    );
    Ok(())
}

fn json_only() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("results");
    let out_text = out.to_string_lossy().into_owned();
    let output = program::run(&[
        "measure",
        "--json",
        "--test",
        "latency",
        "--duration",
        "100ms",
        "--quick",
        "--isolation",
        "thread",
        "--rate",
        "1kfps",
        "--out",
        &out_text,
    ])?;
    ensure!(output.status.success(), "{}", said(&output));
    ensure!(output.stderr.is_empty(), "{}", said(&output));
    let printed: Value =
        serde_json::from_slice(&output.stdout).context("stdout is one document")?;
    ensure!(printed == delivered(&out)?, "stdout is not results.json");
    Ok(())
}

/// A measurement that would take long, and its standard error.
fn long(out: &Path) -> Result<(Child, std::path::PathBuf)> {
    let log = out.with_extension("log");
    let child = Command::new(pinode()?)
        .args([
            "measure",
            "--test",
            "latency",
            "--sizes",
            "79,128",
            "--duration",
            "400ms",
            "--repeat",
            "500",
            "--quick",
            "--isolation",
            "thread",
            "--rate",
            "1kfps",
            "--out",
        ])
        .arg(out)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log)?)
        .spawn()?;
    Ok((child, log))
}

fn interrupted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("results");
    let (mut child, log) = long(&out)?;
    let began = until("the latency test begins", Duration::from_secs(60), || {
        let text = fs::read_to_string(&log).map_err(|error| error.to_string())?;
        text.contains("latency, 79 octets")
            .then_some(())
            .ok_or(text)
    });
    let began = began.and_then(|()| {
        // Some trials have ended by then: a trial of 400 ms shows in a second.
        std::thread::sleep(Duration::from_secs(3));
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).context("SIGINT")
    });
    let ended = began.and_then(|()| {
        until("the measurement ends", Duration::from_secs(30), || {
            let status = child.try_wait().map_err(|error| error.to_string())?;
            status.ok_or_else(|| "it runs".to_owned())
        })
    });
    if ended.is_err() {
        // Nothing may be left running.
        let _ = child.kill();
        let _ = child.wait();
    }
    let status = ended?;
    let stderr = fs::read_to_string(&log)?;
    ensure!(status.code() == Some(130), "{status}: {stderr}");
    let results = delivered(&out)?;
    sums_hold(&results)?;
    ensure!(results["partial"] == true, "not marked as partial");
    let trials = array(&results, "trials")?.len();
    ensure!((1..500).contains(&trials), "{trials} trials");
    ensure!(stderr.contains("interrupted"), "{stderr}");
    Ok(())
}

fn reset() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("results");
    let out_text = out.to_string_lossy().into_owned();
    let output = program::run(&[
        "measure",
        "--test",
        "reset",
        "--sizes",
        "79",
        "--quick",
        "--isolation",
        "thread",
        "--rate",
        "20kfps",
        "--out",
        &out_text,
    ])?;
    ensure!(output.status.success(), "{}", said(&output));
    let results = delivered(&out)?;
    let found = array(&results, "recovery")?;
    ensure!(found.len() == 3, "{found:?}");
    for of in found {
        ensure!(
            of["test"] == "reset" && of["mean_s"].as_f64().is_some_and(|s| s > 0.0),
            "{of}"
        );
        ensure!(
            of["lost"]
                .as_array()
                .is_some_and(|lost| lost.iter().all(|n| n.as_u64() > Some(0))),
            "{of}"
        );
    }
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

fn kernel_counts(backend: &str) -> Result<()> {
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
fn bridge() -> Result<()> {
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

//! `pinode measure` as a user meets it: what is refused before anything is sent, what the kernel counted of the same
//! run, a device that is not ours, and what is left behind when it is interrupted.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pinode_tests::need::Need;
use pinode_tests::poll::until;
use pinode_tests::program::{self, pinode};
use serde_json::Value;

use crate::Case;

mod links;
mod refused;
mod routed;

pub fn cases() -> Vec<Case> {
    let links = [Need::Root, Need::Command("ip", "iproute2")];
    let xdp = [Need::Root, Need::Command("ip", "iproute2"), Need::AfXdp];
    let tc = [Need::Root, Need::Command("tc", "iproute2")];
    vec![
        Case::new(
            "measure::what_cannot_be_is_refused_before_anything_starts",
            &[],
            refused::refused,
        ),
        Case::new(
            "measure::a_configuration_that_is_wrong_is_refused",
            &[],
            refused::configuration,
        ),
        Case::new(
            "measure::results_that_are_none_are_refused",
            &[],
            refused::no_results,
        ),
        Case::new(
            "measure::table_that_was_cut_off",
            &[],
            refused::truncated_table,
        ),
        Case::new(
            "measure::folder_that_cannot_be_written",
            &[],
            refused::unwritable,
        ),
        Case::new("measure::one_test_of_a_node_thread", &[], || {
            whole("thread")
        }),
        Case::new("measure::one_test_of_a_node_kvm", &[Need::Kvm], || {
            whole("kvm")
        }),
        Case::new(
            "measure::nothing_is_lost_through_a_router_thread",
            &[],
            || routed::nothing_lost("thread"),
        ),
        Case::new(
            "measure::nothing_is_lost_through_a_router_kvm",
            &[Need::Kvm],
            || routed::nothing_lost("kvm"),
        ),
        Case::new(
            "measure::a_router_that_leads_nowhere_is_refused",
            &[],
            routed::unrouted,
        ),
        Case::new("measure::json_is_the_only_output", &[], json_only),
        Case::new("measure::interrupted_keeps_what_is_done", &[], interrupted),
        Case::new("measure::reset_of_the_guests_is_seen", &[], reset),
        Case::new("measure::the_seed_s_experiments_give_lines", &[], seed),
        Case::new(
            "measure::results_are_compared_with_themselves",
            &[],
            compared,
        ),
        Case::new(
            "measure::one_end_alone_sends_and_counts",
            &links,
            links::served,
        ),
        Case::new(
            "measure::interface_missing",
            &links,
            links::interface_missing,
        ),
        Case::new(
            "measure::losses_and_doubles_by_the_kernel_are_found_to_the_frame",
            &tc,
            links::known_faults,
        ),
        Case::new(
            "measure::a_link_without_carrier_is_refused",
            &links,
            links::no_carrier,
        ),
        Case::new(
            "measure::an_interface_that_goes_away_ends_it_af_packet",
            &links,
            || links::gone("af_packet"),
        ),
        Case::new(
            "measure::an_interface_that_goes_away_ends_it_af_xdp",
            &xdp,
            || links::gone("af_xdp"),
        ),
        Case::new(
            "measure::the_kernel_counts_the_same_frames_af_packet",
            &links,
            || links::kernel_counts("af_packet"),
        ),
        Case::new(
            "measure::the_kernel_counts_the_same_frames_af_xdp",
            &xdp,
            || links::kernel_counts("af_xdp"),
        ),
        Case::new(
            "measure::a_linux_bridge_is_measured_end_to_end",
            &links,
            links::bridge,
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

/// All of the seed's experiments with one size, short: a point for each rate and PI, and lines where points suffice.
fn seed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("results");
    let out_text = out.to_string_lossy().into_owned();
    let output = program::run(&[
        "measure",
        "--profile",
        "seed",
        "--quick",
        "--isolation",
        "thread",
        "--sizes",
        "512",
        "--duration",
        "60ms",
        "--out",
        &out_text,
    ])?;
    ensure!(
        output.status.success(),
        "{}: {}",
        output.status,
        said(&output)
    );
    let results = delivered(&out)?;
    sums_hold(&results)?;
    ensure!(results["profile"] == "seed", "{}", results["profile"]);
    let points = array(&results, "cpu")?;
    for pi in ["ipv6qos", "can", "dss", "host"] {
        let own: Vec<_> = points.iter().filter(|point| point["pi"] == pi).collect();
        ensure!(!own.is_empty(), "no point of {pi}");
        for point in own {
            ensure!(
                point["percent"]
                    .as_f64()
                    .is_some_and(|y| (0.0..=101.0).contains(&y)),
                "{point}"
            );
        }
    }
    for fit in array(&results, "cpu_fit")? {
        ensure!(
            fit["r2"].is_number() && fit["isolation"] == "thread",
            "{fit}"
        );
    }
    ensure!(
        !array(&results, "cpu_check")?.is_empty(),
        "no check of the accounting"
    );
    Ok(())
}

fn compared() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("results");
    let out_text = out.to_string_lossy().into_owned();
    let output = program::run(&[
        "measure",
        "--test",
        "latency",
        "--quick",
        "--duration",
        "100ms",
        "--repeat",
        "3",
        "--isolation",
        "thread",
        "--rate",
        "1kfps",
        "--out",
        &out_text,
    ])?;
    ensure!(output.status.success(), "{}", said(&output));
    let file = out.join("results.json").to_string_lossy().into_owned();
    let output = program::run(&["measure", "compare", &file, &file])?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{}", said(&output));
    ensure!(
        text.contains("No difference proven at 95.0% confidence"),
        "{text}"
    );
    Ok(())
}

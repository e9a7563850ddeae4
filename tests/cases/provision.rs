//! Provision, then measure: what `pinode provision` makes of demands, `pinode check` takes, and a node of it meets them;
//! what cannot be met is refused with the constraint that fails.
//!
//! Whether a delay is kept is for a measurement on a machine of one's own: no test here looks at the clock.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use pinode_tests::need::Need;
use pinode_tests::program::{self, repository};
use serde_json::Value;

use crate::Case;

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("provision::campus_then_measured", &[Need::Kvm], || {
            measured("campus", &["can", "dss", "ipv6qos"])
        }),
        Case::new("provision::thirds_then_measured", &[Need::Kvm], || {
            measured("thirds", &["can", "dss", "ipv6qos"])
        }),
        Case::new("provision::backbone_then_measured", &[Need::Kvm], || {
            measured("backbone", &["can", "dss"])
        }),
        Case::new("provision::what_is_impossible_is_refused", &[], impossible),
    ]
}

/// A machine that others use, too, loses frames of some tries.
const TRIES: usize = 5;

fn demands(name: &str) -> String {
    let file = repository().join(format!("examples/provision/{name}.toml"));
    file.to_string_lossy().into_owned()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Some try has to lose nothing, and every sum of each to hold.
fn measured(name: &str, pis: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let part = text(&folder.path().join("part.toml"));
    let output = program::run(&["provision", "--demands", &demands(name), "-o", &part])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "provision: {said}");
    let output = program::run(&["check", "-c", &part])?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "check: {said}");

    let mut lost = Vec::new();
    for attempt in 0..TRIES {
        let out = folder.path().join(format!("results-{attempt}"));
        let output = program::run(&[
            "measure",
            "-c",
            &part,
            "--test",
            "demand",
            "--quick",
            "--duration",
            "200ms",
            "--repeat",
            "2",
            "--out",
            &text(&out),
        ])?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "measure: {said}");
        let results: Value = serde_json::from_slice(&fs::read(out.join("results.json"))?)?;
        let table = String::from_utf8_lossy(&output.stdout);
        ensure!(table.contains("Demands ("), "{table}");
        let of_try = records(&results, pis)?;
        if of_try == Some(0) {
            return Ok(());
        }
        lost.push(of_try);
    }
    anyhow::bail!("no try of {TRIES} without loss (none: some PI was not measured): {lost:?}")
}

/// What the records of demands say in themselves; frames lost of all PIs, or none where the tester could not send.
fn records(results: &Value, pis: &[&str]) -> Result<Option<u64>> {
    let notes = results["notes"].as_array().context("notes")?;
    let held = |note: &Value| {
        let text = note.as_str().unwrap_or_default();
        text.starts_with("Every frame is accounted for")
    };
    ensure!(notes.iter().any(held), "conservation: {notes:?}");
    let records = results["demands"].as_array().context("demands")?;
    let mut lost = 0;
    for record in records {
        let number = |key: &str| {
            let value = record[key].as_u64();
            value.with_context(|| format!("{key} of {record}"))
        };
        ensure!(
            number("sent")? == number("received")? + number("lost")?,
            "{record}"
        );
        ensure!(number("held")? <= number("repetitions")?, "{record}");
        // Both need more than half of the repetitions.
        let met = record["met"].as_bool().context("met")?;
        ensure!(
            met == (2 * number("held")? > number("repetitions")?),
            "{record}"
        );
        let missed = record["missed"].as_array().map_or(0, Vec::len) as u64;
        ensure!(
            missed == number("repetitions")? - number("held")?,
            "{record}"
        );
        ensure!(
            number("burst_frames")? >= 1 && number("sent")? > 0,
            "{record}"
        );
        let bounded = record.get("bound_ns").is_some();
        ensure!(bounded == record.get("share_within").is_some(), "{record}");
        lost += number("lost")?;
    }
    let mut names: Vec<&str> = records.iter().filter_map(|r| r["pi"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Ok((names == pis).then_some(lost))
}

fn impossible() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let part = folder.path().join("part.toml");
    let file = demands("impossible");
    let output = program::run(&["provision", "--demands", &file, "-o", &text(&part)])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2), "{}: {said}", output.status);
    ensure!(
        said.contains("pi.dss.delay: ") && said.contains("late by"),
        "{said}"
    );
    let left = fs::read_dir(folder.path())?.count();
    ensure!(left == 0, "{left} files were written");
    Ok(())
}

//! What stands first: how sound the measurement is, on what it was made, and what the tester itself can do.

use serde::Serialize;

use super::super::number::{count, fixed};
use super::super::table::{Cell, Table};
use super::order::size_words;
use super::section::Section;
use crate::results::{Results, Test, TrialRecord};
use crate::trial::PathKind;

/// The head.
#[derive(Debug, Serialize)]
pub struct Head {
    /// Heading.
    pub title: String,
    /// The first sentence.
    pub verdict: String,
    /// It is not good news.
    pub bad: bool,
    /// Name and value of what was measured, on what.
    pub facts: Vec<(&'static str, String)>,
    /// What the tester can do on this machine.
    pub tester: Vec<(&'static str, String)>,
}

/// The head of the report.
pub fn head(results: &Results) -> Head {
    let profile = match results.profile.as_str() {
        "" => "a measurement".to_owned(),
        "rfc2544" => "RFC 2544".to_owned(),
        "seed" => "the seed's experiments".to_owned(),
        other => other.to_owned(),
    };
    let (verdict, bad) = verdict(results);
    Head {
        title: format!("pinode measure: {profile}"),
        verdict,
        bad,
        facts: facts(results),
        tester: tester(results),
    }
}

fn sum(results: &Results, of: fn(&crate::results::StreamRecord) -> u64) -> u64 {
    let sound = results.trials.iter().filter(|t| !t.refused);
    sound.flat_map(|t| &t.streams).map(of).sum()
}

fn verdict(results: &Results) -> (String, bool) {
    let trials = results.trials.len();
    let refused = results.trials.iter().filter(|t| t.refused).count();
    let unclean = sum(results, |s| s.reordered + s.duplicated + s.corrupted);
    let mut words = Vec::new();
    if results.partial {
        words.push("Ended before its time: only what was done by then is here.".to_owned());
    }
    words.push(match trials {
        0 => "No trial was made.".to_owned(),
        _ => format!(
            "{} of {} frames sent, {} received; {} reordered, duplicated or changed.",
            plural(trials, "trial", "trials"),
            count(sum(results, |s| s.sent)),
            count(sum(results, |s| s.received)),
            if unclean == 0 {
                "none".to_owned()
            } else {
                count(unclean)
            }
        ),
    });
    if refused > 0 {
        words.push(format!(
            "{} refused, because the tester fell short of what it was to send, stood still for too long or lost frames itself: in no result.",
            if refused == 1 {
                "1 trial was".to_owned()
            } else {
                format!("{} trials were", count(refused as u64))
            }
        ));
    }
    (words.join(" "), results.partial || unclean > 0)
}

fn plural(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(n as u64), if n == 1 { one } else { many })
}

fn facts(results: &Results) -> Vec<(&'static str, String)> {
    let host = &results.host;
    let path = match results.path {
        None => "imported from another tester",
        Some(PathKind::Memory) => "memory ports",
        Some(PathKind::AfXdp) => "AF_XDP",
        Some(PathKind::AfPacket) => "AF_PACKET",
    };
    let path = match results.path_description.as_str() {
        "" => path.to_owned(),
        words => format!("{path}: {words}"),
    };
    let cores = match host.cores {
        0 => String::new(),
        1 => ", 1 core".to_owned(),
        n => format!(", {n} cores"),
    };
    let facts = [
        ("Path", path),
        (
            "CPU",
            if host.cpu.is_empty() {
                String::new()
            } else {
                format!("{}{cores}", host.cpu)
            },
        ),
        ("KVM", host.kvm.clone()),
        ("Kernel", host.kernel.clone()),
    ];
    facts
        .into_iter()
        .filter(|(_, words)| !words.is_empty())
        .collect()
}

fn tester(results: &Results) -> Vec<(&'static str, String)> {
    let Some(tester) = &results.tester else {
        return Vec::new();
    };
    let us = |ns: f64| fixed(ns / 1e3, 2);
    let spread = |s: &crate::stats::Summary| {
        format!(
            "mean {} µs, p50 {}, p99 {}, p99.9 {}, max {}",
            us(s.mean),
            us(s.p50 as f64),
            us(s.p99 as f64),
            us(s.p999 as f64),
            us(s.max as f64)
        )
    };
    vec![
        (
            "Rate",
            format!(
                "{} million frames/s of {} octets, source to sink over a memory port on one core",
                fixed(tester.memory_fps / 1e6, 2),
                tester.size
            ),
        ),
        (
            "Pacing error",
            format!(
                "{} after the frame was due, at a tenth of that rate",
                spread(&tester.pacing_error_ns)
            ),
        ),
        (
            "Latency floor",
            format!(
                "{} over a cable ({})",
                spread(&tester.latency_floor_ns),
                tester.floor_path
            ),
        ),
    ]
}

/// Every trial counted, and those that were refused.
pub fn trials(results: &Results) -> Option<Section> {
    let mut section = Section::new("trials", "Trials");
    section.table(by_test(results));
    section.table(refused(results));
    section.shown()
}

/// A test for people.
pub fn test_words(test: Test) -> &'static str {
    match test {
        Test::Throughput => "throughput",
        Test::Latency => "latency",
        Test::Loss => "loss",
        Test::BackToBack => "back to back",
        Test::Recovery => "recovery",
        Test::Reset => "reset",
        Test::Saturation => "saturation",
        Test::Demand => "demand",
    }
}

fn by_test(results: &Results) -> Table {
    const TESTS: [Test; 8] = [
        Test::Throughput,
        Test::Latency,
        Test::Loss,
        Test::BackToBack,
        Test::Recovery,
        Test::Reset,
        Test::Saturation,
        Test::Demand,
    ];
    let mut table = Table::new(
        "Trials by test, without those that were refused. Lost frames are what tests look for; reordered, duplicated and changed ones should not be. Foreign: of no stream of the trial; stale: of an earlier trial.",
        &[
            "<Test",
            "Trials",
            "Seconds",
            "Sent",
            "Received",
            "Lost",
            "Reordered",
            "Duplicated",
            "Changed",
            "Foreign",
            "Stale",
        ],
    );
    for test in TESTS {
        let trials: Vec<&TrialRecord> = results
            .trials
            .iter()
            .filter(|t| t.test == test && !t.refused)
            .collect();
        if trials.is_empty() {
            continue;
        }
        let sum = |of: fn(&crate::results::StreamRecord) -> u64| {
            trials.iter().flat_map(|t| &t.streams).map(of).sum::<u64>()
        };
        let should_not = |n: u64| Cell::marked(count(n), n > 0);
        table.row([
            test_words(test).into(),
            count(trials.len() as u64).into(),
            fixed(trials.iter().map(|t| t.duration_s).sum(), 1).into(),
            count(sum(|s| s.sent)).into(),
            count(sum(|s| s.received)).into(),
            count(sum(|s| s.lost)).into(),
            should_not(sum(|s| s.reordered)),
            should_not(sum(|s| s.duplicated)),
            should_not(sum(|s| s.corrupted)),
            count(trials.iter().map(|t| t.foreign).sum()).into(),
            count(trials.iter().map(|t| t.stale).sum()).into(),
        ]);
    }
    table
}

fn refused(results: &Results) -> Table {
    let mut table = Table::new(
        "Trials that were refused: the tester sent less than it was to, stood still for too long, or lost frames itself, so they say nothing about the device and are in no other table or figure.",
        &[
            "<Test",
            "<Size",
            "<In",
            "Offered (kframes/s)",
            "Sent",
            "Due, but not sent",
        ],
    );
    for trial in results.trials.iter().filter(|t| t.refused) {
        let sum = |of: fn(&crate::results::StreamRecord) -> u64| {
            trial.streams.iter().map(of).sum::<u64>()
        };
        let offered: f64 = trial.streams.iter().map(|s| s.offered_fps).sum();
        table.row([
            test_words(trial.test).into(),
            size_words(&trial.size).into(),
            super::order::isolation_words(trial.isolation.as_deref().unwrap_or_default()).into(),
            fixed(offered / 1e3, 2).into(),
            count(sum(|s| s.sent)).into(),
            Cell::marked(count(sum(|s| s.unsent)), true),
        ]);
    }
    table
}

//! The protocol's model under SPIN, and the code against the model.
//!
//! SPIN finds no deadlock, no violated rule and nothing unreached in `model/`; it notices each rule that is removed; and
//! the messages of its runs, replayed through the code's state machines, are the code's, one by one.

mod replay;
#[path = "../isp/sample.rs"]
#[allow(dead_code)]
mod sample;
mod spin;

use std::collections::BTreeSet;

use replay::{Replay, kinds};
use spin::Model;

/// States that a correct model does not reach: no message violates a rule, and those who serve never end.
const MEANT: [&str; 5] = [
    "CallControl: -end-",
    "Demon: -end-",
    "Demon: made = violation",
    "Kernel: -end-",
    "Kernel: made = violation",
];

fn nothing_found(test: &str, model: &str, defines: &[&str]) {
    let Some(model) = Model::new(test, model, defines) else {
        return;
    };
    let found = model.verify();
    assert!(found.complete, "the search was cut short:\n{}", found.text);
    assert_eq!(found.errors, 0, "{}", found.text);
    assert!(found.states > 10_000, "too few states to be the protocol's");
    let unreached: BTreeSet<&str> = found.unreached.iter().map(String::as_str).collect();
    assert_eq!(unreached, BTreeSet::from(MEANT), "{}", found.text);
}

#[test]
fn nothing_is_found_in_active_opens() {
    nothing_found("active-opens", "caller.pml", &[]);
}

#[test]
fn nothing_is_found_in_passive_opens() {
    nothing_found("passive-opens", "called.pml", &[]);
}

#[test]
fn nothing_is_found_with_two_listening_sockets() {
    nothing_found(
        "two-listening",
        "called.pml",
        &["-DONLY_CALLED", "-DSOCKETS=4", "-DLISTENERS=2"],
    );
}

#[test]
fn nothing_is_found_where_the_demon_speaks_synchronously() {
    nothing_found("synchronous-caller", "caller.pml", &["-DANSWERS=0"]);
    nothing_found("synchronous-called", "called.pml", &["-DANSWERS=0"]);
}

/// A rule that is removed is noticed by SPIN, and its trail by the code.
fn broken(model: &str, rule: &str) {
    let Some(model) = Model::new(rule, model, &[&format!("-D{rule}")]) else {
        return;
    };
    let found = model.verify();
    assert_eq!(found.errors, 1, "{rule}: {}", found.text);
    let trail = model.trail();
    assert!(trail.len() > 2, "{rule}: {trail:?}");
    let mut replay = Replay::new();
    let result = trail.iter().try_for_each(|line| replay.step(line));
    let why = result.expect_err("the code must not do what the broken model does");
    println!("{rule}: {why}");
}

#[test]
fn a_stray_close_that_is_answered_is_noticed() {
    broken("caller.pml", "BROKEN_STRAY");
}

#[test]
fn a_second_close_is_noticed() {
    broken("caller.pml", "BROKEN_CLOSE");
}

#[test]
fn a_close_that_is_not_acknowledged_is_noticed() {
    broken("caller.pml", "BROKEN_ACK");
}

#[test]
fn a_close_before_the_answer_to_bind_is_noticed() {
    broken("caller.pml", "BROKEN_WAIT");
}

#[test]
fn calls_answered_out_of_order_are_noticed() {
    broken("called.pml", "BROKEN_ORDER");
}

#[test]
fn a_listen_queue_emptied_too_early_is_noticed() {
    broken("called.pml", "BROKEN_QUEUE");
}

#[test]
fn runs_of_the_model_are_runs_of_the_code() {
    let mut seen = BTreeSet::new();
    let (mut lines, mut ended) = (0, 0);
    let many = ["-DSOCKETS=12", "-DCALLS=8", "-DLISTENERS=3", "-DQUEUE=8"];
    let patient = ["-DSOCKETS=12", "-DCALLS=8", "-DLISTENERS=3", "-DPATIENT"];
    for (model, defines) in [
        ("caller.pml", &many[..1]),
        ("caller.pml", &["-DSOCKETS=6", "-DPATIENT"]),
        ("called.pml", &many),
        ("called.pml", &patient),
    ] {
        let Some(model) = Model::new("runs", model, defines) else {
            return;
        };
        for seed in 1..=40 {
            let run = model.run(seed);
            let mut replay = Replay::new();
            for (number, line) in run.iter().enumerate() {
                let done = replay.step(line);
                assert_eq!(
                    done,
                    Ok(()),
                    "{}, seed {seed}, message {number}",
                    model.name
                );
            }
            lines += run.len();
            ended += usize::from(replay.ended());
            seen.extend(run.iter().filter_map(|line| kinds(line)));
        }
    }
    let wanted: BTreeSet<String> = replay::ALL_KINDS.iter().map(|k| (*k).to_owned()).collect();
    let missing: Vec<_> = wanted.difference(&seen).collect();
    assert!(missing.is_empty(), "no run had {missing:?}");
    let unknown: Vec<_> = seen.difference(&wanted).collect();
    assert!(unknown.is_empty(), "the list lacks {unknown:?}");
    assert!(ended >= 140, "{ended} of 160 runs ended with all closed");
    println!("{lines} lines of 160 runs replayed, {ended} to their end");
}

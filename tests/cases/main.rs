//! End-to-end tests of pinode, one named test each: `cargo test -p pinode-tests` or, with everything, `cargo test
//! --workspace`. A test whose prerequisite is missing is named with the reason and the remedy; with `CI=true` or
//! `PINODE_REQUIRE=all` it fails. Tests run one after another: a node polls, and two would time each other out.

use std::process::ExitCode;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};
use pinode_tests::need::{Need, all_required};
use pinode_tests::node::take_transcript;

mod bad_input;
mod command_line;
mod dss;
mod export;
mod frames;
mod guests;
mod harness;
mod hostile;
mod hosts;
mod ipv6;
mod launch_time;
mod licences;
mod measure;
mod memif;
mod phases;
mod provision;
mod report;
mod resources;
mod stock_kvm;
mod taprio;
mod traces;

/// A test: its name, what it needs, what it does.
struct Case {
    name: &'static str,
    needs: Vec<Need>,
    run: fn() -> Result<()>,
}

impl Case {
    fn new(name: &'static str, needs: &[Need], run: fn() -> Result<()>) -> Self {
        Self {
            name,
            needs: needs.to_vec(),
            run,
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(arguments.test_threads.unwrap_or(1));
    let cases = [
        harness::cases(),
        licences::cases(),
        report::cases(),
        command_line::cases(),
        bad_input::cases(),
        traces::cases(),
        export::cases(),
        frames::cases(),
        measure::cases(),
        provision::cases(),
        memif::cases(),
        hosts::cases(),
        ipv6::cases(),
        dss::cases(),
        guests::cases(),
        hostile::cases(),
        phases::cases(),
        resources::cases(),
        stock_kvm::cases(),
        launch_time::cases(),
        taprio::cases(),
    ]
    .into_iter()
    .flatten();

    let mut skipped = Vec::new();
    let trials = cases
        .map(|case| {
            let missing: Vec<String> = case
                .needs
                .iter()
                .filter_map(|need| need.missing())
                .collect();
            let run = case.run;
            if missing.is_empty() {
                return Trial::test(case.name, move || report(run));
            }
            let why = missing.join("; ");
            if !all_required() {
                skipped.push((case.name, why.clone()));
            }
            Trial::test(case.name, move || {
                Err(Failed::from(format!("cannot run: {why}")))
            })
            .with_ignored_flag(!all_required())
        })
        .collect();

    let listing = arguments.list;
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !listing && !skipped.is_empty() {
        for (name, why) in &skipped {
            println!("skipped: {name}: {why}");
        }
        println!(
            "{} end-to-end tests skipped for want of a prerequisite (PINODE_REQUIRE=all makes that a failure)",
            skipped.len()
        );
    }
    conclusion.exit_code()
}

/// Runs a test; a failure carries what its nodes printed.
fn report(run: fn() -> Result<()>) -> Result<(), Failed> {
    drop(take_transcript());
    let outcome = std::panic::catch_unwind(run);
    let transcript = take_transcript();
    let why = match outcome {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "panicked".into()),
    };
    Err(Failed::from(format!("{why}\n{transcript}")))
}

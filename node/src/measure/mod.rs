//! `pinode measure`: the tester of `pinode_measure`, put to this node or to what is between two interfaces.
//!
//! ```text
//! asked     what the user wants, as it is written
//! plan      the same checked: streams, ceilings, tests
//! times     how long each test takes, by profile
//! device    the node in this process, as what trials are made on; interfaces likewise
//! counted   its frames over all trials
//! ledger    CPU time of the trials of demands
//! course    test after test
//! seed      the seed's experiments, cpu what they read of the node; experiments puts them to it
//! watch     who sees each trial, progress how it shows
//! results   what is written down
//! ```

pub mod asked;
mod counted;
mod course;
pub mod cpu;
mod device;
mod experiments;
mod interfaces;
mod ledger;
mod linked;
mod plan;
mod progress;
mod results;
pub mod seed;
pub mod serve;
mod times;
mod watch;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use pinode_measure::deliver::{self, Delivered};
use pinode_measure::export::Named;
use pinode_measure::limits;
use pinode_measure::method::TrafficStream;
use pinode_measure::report::tables;
use pinode_measure::results::{Results, json};
use pinode_measure::trial::{Device as _, Reset};
use pinode_vmm::KvmHost;
use thiserror::Error;

use crate::config::Isolation;
use crate::words::wrapped;

use asked::{Asked, FrameSize, Profile, Rate, StreamAsked};
use counted::Counted;
use course::Findings;
use cpu::CpuReading;
use device::NodeUnderTest;
use ledger::{Accounted, Ledger};
use linked::Linked;
use plan::{Plan, Target};
use progress::Shown;
use results::{Known, document};
use times::Times;
use watch::Watch;

pub use plan::PlanError;

/// How long the tester measures itself for.
const LIMITS_TIME: Duration = Duration::from_secs(1);
/// Where results go unless told otherwise.
pub const DEFAULT_OUT: &str = "pinode-measure";

/// A measurement that has ended.
#[derive(Debug)]
pub struct Ended {
    /// What to print on stdout.
    pub text: String,
    /// By a signal; what was measured by then is written down.
    pub is_partial: bool,
}

/// Why there are no results.
#[derive(Debug, Error)]
pub enum MeasureError {
    /// Nothing was begun.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// By a signal, before there was anything to keep.
    #[error("interrupted before the first trial ended; nothing was written")]
    Interrupted,
    /// It was right, and did not work.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

/// Measures what is asked and writes it down.
///
/// # Errors
///
/// What is asked cannot be, or did not work; what was measured before something failed is written down all the same.
pub fn run(asked: &Asked) -> Result<Ended, MeasureError> {
    let plan = Plan::of(asked)?;
    if let Target::Node(node) = &plan.target
        && node.config.isolation == Isolation::Kvm
    {
        KvmHost::open().map_err(|error| {
            anyhow!("{error}; `pinode measure --isolation thread` needs no KVM")
        })?;
    }
    let was_there = asked.out.exists();
    deliver::prepare(&asked.out).map_err(anyhow::Error::from)?;
    let outcome = measured(asked, &plan);
    if outcome.is_err() && !was_there {
        // Only where nothing is in it.
        let _ = std::fs::remove_dir(&asked.out);
    }
    outcome
}

fn measured(asked: &Asked, plan: &Plan) -> Result<Ended, MeasureError> {
    let interrupted = crate::run::end_on_signals()?;
    let mut watch = Watch::new(&interrupted, Shown::new(asked.json));
    let (mut known, mut findings) = (Known::default(), Findings::default());
    let outcome = on_target(asked, plan, &mut watch, &mut known, &mut findings);
    watch.shown.finish();
    findings.is_partial |= outcome.is_err() || watch.is_interrupted();
    if watch.is_interrupted() {
        findings
            .notes
            .push("Interrupted: the results are those of what was measured until then.".to_owned());
    }
    if watch.trials.is_empty() {
        outcome?;
        return Err(MeasureError::Interrupted);
    }
    if let Err(error) = &outcome {
        findings
            .notes
            .push(format!("Ended before its time: {error:#}."));
    }
    let results = document(asked, plan, known, &watch, findings);
    let is_partial = results.partial;
    let text = deliver(&asked.out, results, asked.json)?;
    if watch.is_interrupted() {
        watch
            .shown
            .say("interrupted: the results are those of what was measured until then");
    }
    // What was measured is written down; that it is not all is said now.
    outcome.with_context(|| format!("{} holds what was measured before", asked.out.display()))?;
    if !is_partial && watch.trials.iter().all(|trial| trial.refused) {
        let why = "every trial was refused, so nothing is known of the device: the tester itself fell short";
        return Err(anyhow!("{why}; {} says how", asked.out.display()).into());
    }
    Ok(Ended { text, is_partial })
}

/// The path, and all tests on it.
fn on_target(
    asked: &Asked,
    plan: &Plan,
    watch: &mut Watch<'_>,
    known: &mut Known,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let times = Times::of(asked, plan.is_quick);
    watch.shown.does("limits of the tester itself", LIMITS_TIME);
    known.tester = Some(limits::of_smallest());
    match &plan.target {
        Target::Node(planned) if asked.profile == Some(Profile::Seed) => {
            experiments::run(asked, plan, planned, watch, known, findings)
        }
        Target::Node(planned) => {
            let mut node = NodeUnderTest::boot(planned, plan.target.largest(), watch.flag())?;
            if let Some(command) = &asked.reset_command {
                node.wires
                    .reset_by(Reset::Command, device::reset_by_command(command.clone()));
            }
            let outcome = on_node(plan, &times, &mut node, watch, known, findings);
            node.stop();
            outcome
        }
        Target::Links(links) => {
            let (mut path, notes) = interfaces::open(links)?;
            if let Some(command) = &asked.reset_command {
                path.reset_by(Reset::Command, device::reset_by_command(command.clone()));
            }
            known.notes.extend(notes);
            known.path = Some(path.path().clone());
            let mut path = Linked::new(&mut path, &links.names);
            let mut path = Counted::new(&mut path, &mut known.frames);
            Ok(course::run(
                plan,
                &times,
                &mut path,
                &Ledger::default(),
                watch,
                findings,
            )?)
        }
    }
}

fn on_node(
    plan: &Plan,
    times: &Times,
    node: &mut NodeUnderTest,
    watch: &mut Watch<'_>,
    known: &mut Known,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    known.path = Some(node.wires.path().clone());
    known.kvm = node.kvm()?;
    let operator = node.operator();
    let mut read = || CpuReading::take(&*operator);
    let ledger = Ledger::default();
    let mut path = Counted::new(&mut node.wires, &mut known.frames);
    let mut path = Accounted::new(&mut path, &mut read, &ledger);
    course::run(plan, times, &mut path, &ledger, watch, findings)?;
    known.notes.push(node.sums_note()?);
    Ok(())
}

/// Writes the three files into `folder` and gives what is to be printed: the document, or tables.
///
/// # Errors
///
/// A file cannot be written; then those that were there are still there.
pub fn deliver(folder: &Path, results: Results, as_json: bool) -> anyhow::Result<String> {
    let results = json::sound(results);
    let delivered = deliver::deliver(folder, &results)?;
    match as_json {
        true => Ok(json::to_json(&results)?),
        false => Ok(closing(&results, &delivered)),
    }
}

/// The streams that a measurement of a node would send with frames of `size`, one of each PI or those of the user, and
/// what should be known of them, such as the neighbours that a router has to be told of.
///
/// # Errors
///
/// They cannot be.
pub fn streams(
    config: Option<&Path>,
    size: &FrameSize,
    rate: Option<Rate>,
    streams: Vec<StreamAsked>,
) -> Result<(Vec<Named>, Vec<String>), MeasureError> {
    let asked = Asked {
        sizes: vec![size.clone()],
        rate,
        streams,
        ..Asked::of_node(config)
    };
    let plan = Plan::of(&asked)?;
    let streams = plan
        .rounds
        .into_iter()
        .flat_map(|round| round.traffic.streams);
    let named = |stream: TrafficStream| Named {
        name: stream.pi,
        spec: stream.stream.spec,
    };
    Ok((streams.map(named).collect(), plan.notes))
}

/// The end of a measurement on a terminal.
fn closing(results: &Results, delivered: &Delivered) -> String {
    let mut text = tables(results);
    for note in &results.notes {
        text += &format!("{}\n", wrapped(&format!("- {note}"), "  "));
    }
    text += &format!(
        "\nreport: {} (open it in a browser)\nresults: {}, {}\n",
        delivered.html.display(),
        delivered.json.display(),
        delivered.csv.display()
    );
    text
}

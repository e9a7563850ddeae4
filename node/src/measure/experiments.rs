//! The seed's experiments on a node in this process: guests as virtual machines, then as threads of the host, the
//! baseline that the paper calls native.

use anyhow::Context as _;
use pinode_measure::trial::Device as _;

use super::asked::{Asked, Under};
use super::counted::Counted;
use super::course::Findings;
use super::cpu::CpuReading;
use super::device::NodeUnderTest;
use super::plan::{NodePlan, Plan};
use super::results::Known;
use super::seed::{self, Found, Settings};
use super::watch::Watch;
use crate::config::Isolation;

/// How the experiments are made.
#[must_use]
pub fn settings(asked: &Asked) -> Settings {
    let mut settings = match asked.quick {
        true => Settings::quick(),
        false => Settings::full(),
    };
    settings.timing.trial = asked.duration.unwrap_or(settings.timing.trial);
    settings
}

/// Which isolations are measured: both, or the one that was named.
#[must_use]
pub fn isolations(asked: &Asked) -> Vec<Isolation> {
    match &asked.under {
        Under::Node {
            isolation: Some(only),
            ..
        } => vec![*only],
        _ => vec![Isolation::Kvm, Isolation::Thread],
    }
}

/// Makes all experiments; `findings` and `watch` keep what was found, whatever ends them.
///
/// # Errors
///
/// The node cannot be booted, or a trial not be made.
pub fn run(
    asked: &Asked,
    plan: &Plan,
    node: &NodePlan,
    watch: &mut Watch<'_>,
    known: &mut Known,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let (settings, isolations) = (settings(asked), isolations(asked));
    for (index, isolation) in isolations.iter().enumerate() {
        if findings.is_partial || watch.is_interrupted() {
            break;
        }
        let behind = isolations.len() - index - 1;
        let each = settings.estimate(plan.rounds.len());
        watch
            .shown
            .follows(each * u32::try_from(behind).unwrap_or(u32::MAX));
        let outcome = in_isolation(*isolation, plan, node, &settings, watch, known, findings);
        outcome.with_context(|| format!("isolation {}", isolation.as_str()))?;
    }
    Ok(())
}

fn in_isolation(
    isolation: Isolation,
    plan: &Plan,
    node: &NodePlan,
    settings: &Settings,
    watch: &mut Watch<'_>,
    known: &mut Known,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let mut planned = node.clone();
    planned.config.isolation = isolation;
    let traffic: Vec<_> = (plan.rounds.iter())
        .map(|round| round.traffic.clone())
        .map(|mut traffic| {
            traffic.isolation = Some(isolation.as_str().to_owned());
            traffic
        })
        .collect();
    let mut node = NodeUnderTest::boot(&planned, plan.target.largest(), watch.flag())?;
    let mut found = Found::default();
    let outcome = node.kvm().and_then(|kvm| {
        known.kvm = known.kvm.take().or(kvm);
        known.path.get_or_insert_with(|| node.wires.path().clone());
        let operator = node.operator();
        let mut read = || CpuReading::take(&*operator);
        let mut path = Counted::new(&mut node.wires, &mut known.frames);
        seed::run(&mut path, &traffic, settings, &mut read, watch, &mut found)?;
        known.notes.push(node.sums_note()?);
        Ok(())
    });
    node.stop();
    findings.cpu.extend(found.cpu);
    findings.cpu_check.extend(found.checks);
    findings.notes.extend(found.notes);
    findings.is_partial |= found.is_partial;
    outcome
}

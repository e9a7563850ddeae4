//! From what was planned, seen and found to the results file.

use pinode_measure::results::{Frames, Host, Results, SCHEMA, TesterLimits};
use pinode_measure::seed::fits;
use pinode_measure::trial::Path;

use super::asked::Asked;
use super::course::Findings;
use super::plan::Plan;
use super::watch::Watch;
use crate::facts;

/// What is known of the path beside what was measured on it.
#[derive(Debug, Default)]
pub struct Known {
    /// The path; none: nothing was opened.
    pub path: Option<Path>,
    /// Flavour of KVM, where guests are machines.
    pub kvm: Option<String>,
    /// What the tester itself can do.
    pub tester: Option<TesterLimits>,
    /// Frames of all trials.
    pub frames: Frames,
    /// What should be known.
    pub notes: Vec<String>,
}

/// The document.
#[must_use]
pub fn document(
    asked: &Asked,
    plan: &Plan,
    known: Known,
    watch: &Watch<'_>,
    findings: Findings,
) -> Results {
    let host = facts::host(known.kvm.as_deref());
    let mut notes = Vec::new();
    for note in plan.notes.iter().chain(&known.notes).chain(&findings.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    notes.extend(refusals(watch));
    Results {
        schema: SCHEMA.to_owned(),
        host: Host {
            cpu: host.cpu,
            cores: host.cores,
            kvm: known.kvm.unwrap_or_default(),
            kernel: host.kernel,
        },
        profile: plan.profile.to_owned(),
        path: known.path.as_ref().map(|path| path.kind),
        path_description: known.path.map(|path| path.description).unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: asked.command.clone(),
        finished: facts::now_rfc3339(),
        partial: findings.is_partial,
        tester: known.tester,
        frames: Some(known.frames),
        notes,
        trials: watch.trials.clone(),
        throughput: findings.throughput,
        back_to_back: findings.back_to_back,
        recovery: findings.recovery,
        demands: findings.demands,
        cpu_fit: fits(&findings.cpu),
        cpu: findings.cpu,
        cpu_check: findings.cpu_check,
    }
}

/// How many trials say nothing, if any does.
fn refusals(watch: &Watch<'_>) -> Option<String> {
    let refused = watch.trials.iter().filter(|trial| trial.refused).count();
    (refused > 0).then(|| {
        format!(
            "{refused} of {} trials were refused: the tester itself did not send what was due, or lost frames that \
             came; they say nothing about the device and are in no result.",
            watch.trials.len()
        )
    })
}

//! What the figures say, in sentences. Must never say what the figures do not show: each sentence is
//! chosen by the counts that it speaks of.

use std::collections::BTreeMap;

use pinode_measure::report::Section;

/// Of what was sent: so few frames may be lost while a full ring drains.
const DRAINING_SHARE: f64 = 0.01;

/// A PI in a section, both directions together.
struct Pi<'a> {
    name: &'a str,
    sent: u64,
    lost: u64,
    /// Offered rate over ceiling, the larger of the two directions.
    load: f64,
    /// Latencies in ns: the larger median, the larger maximum.
    median: u64,
    longest: u64,
}

fn pis(section: &Section) -> Vec<Pi<'_>> {
    let mut all: Vec<Pi<'_>> = Vec::new();
    for flow in &section.flows {
        let load = flow.offered_fps / flow.ceiling_fps.max(f64::MIN_POSITIVE);
        let known = all.iter().position(|pi| pi.name == flow.pi);
        let at = known.unwrap_or_else(|| {
            all.push(Pi {
                name: &flow.pi,
                sent: 0,
                lost: 0,
                load: 0.0,
                median: 0,
                longest: 0,
            });
            all.len() - 1
        });
        let (pi, figures) = (&mut all[at], &flow.figures);
        pi.sent += figures.sent;
        pi.lost += figures.lost;
        pi.load = pi.load.max(load);
        pi.median = pi.median.max(figures.latency_ns.p50);
        pi.longest = pi.longest.max(figures.latency_ns.max);
    }
    all
}

/// One to three sentences for each section. `dropped_before`: by PI, frames that the node had
/// dropped when the second section began.
pub fn of_flows(sections: &[Section], dropped_before: &BTreeMap<String, u64>) -> Vec<String> {
    let Some(first) = sections.first() else {
        return Vec::new();
    };
    let first = pis(first);
    let mut notes = vec![first_half(&first)];
    if let Some(second) = sections.get(1) {
        notes.extend(second_half(&first, &pis(second), dropped_before));
    }
    notes
}

fn first_half(pis: &[Pi<'_>]) -> String {
    let (over, within): (Vec<&Pi<'_>>, Vec<&Pi<'_>>) = pis.iter().partition(|pi| pi.load > 1.0);
    let offered: Vec<String> = over
        .iter()
        .map(|pi| {
            format!(
                "{} is offered {:.1} times what its phase carries",
                pi.name, pi.load
            )
        })
        .collect();
    let offered = offered.join(", ");
    let over_lost = over.iter().any(|pi| pi.lost > 0);
    let losers: Vec<&str> = losers(&within);
    match (losers.is_empty(), over_lost) {
        (true, true) => {
            format!("With equal phases {offered}: it alone loses; the other PIs do not notice.")
        }
        (true, false) => format!("With equal phases {offered}; no frame was lost yet."),
        (false, _) => format!(
            "With equal phases {offered}, but {} lost frames too: {KEPT_UP_NOT}",
            and(&losers)
        ),
    }
}

fn second_half(
    first: &[Pi<'_>],
    second: &[Pi<'_>],
    dropped_before: &BTreeMap<String, u64>,
) -> Vec<String> {
    let mut notes = Vec::new();
    let mut slow = Vec::new();
    let mut late_losses = 0;
    for (before, after) in first.iter().zip(second) {
        // The sink misses a frame when a later one comes, and that may be after the change.
        let dropped = dropped_before.get(after.name).copied().unwrap_or(0);
        let late = dropped.saturating_sub(before.lost).min(after.lost);
        let rest = after.lost - late;
        late_losses += late;
        // What was full at the change is still seen in the latencies behind it, and has all but
        // ceased to lose.
        let draining = before.load > 1.0
            && dropped > 0
            && before.median > 0
            && after.longest >= before.median / 2
            && rest as f64 <= after.sent as f64 * DRAINING_SHARE;
        let name = after.name;
        if late > 0 && before.load > 1.0 {
            let behind = match rest {
                0 => String::new(),
                _ if draining => {
                    format!("; the other {rest} were while its full ring began to drain")
                }
                _ => format!("; the other {rest} were not"),
            };
            notes.push(format!(
                "Of the {} frames of {name} lost after the change, {late} were dropped before it: a \
                 lost frame counts when the sink receives a later one{behind}.",
                after.lost
            ));
        }
        if draining {
            notes.push(format!(
                "At the change the queue of {name} was a full ring, and it drains first: the \
                 latencies of {name} after the change hold that."
            ));
        }
        if rest > 0 && !draining && after.load <= 1.0 {
            slow.push(name);
        }
    }
    let (sent, lost) = second
        .iter()
        .fold((0, 0), |(sent, lost), pi| (sent + pi.sent, lost + pi.lost));
    let all_fit = second.iter().all(|pi| pi.load <= 1.0);
    if !slow.is_empty() {
        notes.push(format!(
            "After the change {} lost frames within what their phases carry: {KEPT_UP_NOT}",
            and(&slow)
        ));
    } else if all_fit && lost == late_losses && sent > 0 {
        notes.push(
            "After the change each phase carries what its PI is offered, and no frame was lost \
             any more."
                .to_owned(),
        );
    }
    notes
}

const KEPT_UP_NOT: &str =
    "this machine did not keep up; the worker shares its cores with other work.";

fn losers<'a>(pis: &[&Pi<'a>]) -> Vec<&'a str> {
    pis.iter()
        .filter(|pi| pi.lost > 0)
        .map(|pi| pi.name)
        .collect()
}

fn and(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
#[path = "notes_tests.rs"]
mod tests;

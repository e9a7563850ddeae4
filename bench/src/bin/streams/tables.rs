//! What is printed: first what is promised, then what came of it.

use std::fmt::Write as _;

use pinode_bench::streams::{Arm, Connection, Measured, Plan, Run};

use super::{Document, Floors};

fn ms(ns: u64) -> String {
    format!("{:.3}", ns as f64 / 1e6)
}

fn floors(of: &Floors) -> String {
    let one = |at: usize| {
        let gaps = of[at].gaps;
        let longer = gaps.from_10_us + gaps.from_100_us;
        format!(
            "{} ms at most ({longer} gaps above 10 us in {:.0} s)",
            ms(gaps.longest_ns),
            of[at].seconds
        )
    };
    format!("worker's core {}, guests' core {}", one(0), one(1))
}

/// Before there is a node.
pub(super) fn machine(plan: &Plan, floor: &Floors) {
    println!(
        "a bare loop is kept from its core: {}; jitter is set to {} ms",
        floors(floor),
        ms(plan.jitter_ns)
    );
}

/// Before there is a frame.
pub(super) fn before(arm: &Arm) {
    let plan = &arm.plan;
    let rates: u64 = arm.connections.iter().map(|one| one.rate_bps).sum();
    let apart = || arm.connections.iter().map(|one| one.interval_ps() / 1_000);
    let (least, most) = (apart().min().unwrap_or(0), apart().max().unwrap_or(0));
    println!(
        "{} Mb/s, 3 x {} us; guaranteed to dss {:.1} Mb/s of wire, of which signalling has {:.1}",
        plan.capacity_mbps,
        plan.phase_us,
        arm.guaranteed_bps as f64 / 1e6,
        arm.signalling_bps as f64 / 1e6
    );
    println!(
        "{} connections of {:.1} Mb/s in all ({:.1} %), a frame each {} to {} ms, {}; the others offered {} times what \
         their phases hold, best effort {} times",
        arm.connections.len(),
        rates as f64 / 1e6,
        rates as f64 / arm.guaranteed_bps as f64 * 100.0,
        ms(least),
        ms(most),
        if plan.together {
            "beginning together"
        } else {
            "beginning anywhere"
        },
        plan.others,
        plan.best_effort
    );
    println!("\nPromised before there is a frame:\n");
    println!(
        "| octets | connections | Mb/s each | by the schedule, ms | by the machine, ms | delay, ms | variation, ms |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut sizes: Vec<u16> = arm.connections.iter().map(|one| one.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for size in sizes {
        let all = arm.connections.iter().zip(&arm.granted_ns);
        let of: Vec<(&Connection, &u64)> = all.filter(|(one, _)| one.size == size).collect();
        let granted_ns = of.iter().map(|(_, granted)| **granted).max().unwrap_or(0);
        let rate = of.iter().map(|(one, _)| one.rate_bps).sum::<u64>() / of.len().max(1) as u64;
        let wire_ns = of.first().map_or(0, |(one, _)| {
            one.wire_bits() * 1_000_000_000 / plan.capacity_bps()
        });
        let bound_ns = granted_ns + arm.allowed_ns();
        println!(
            "| {size} | {} | {:.3} | {} | {} | {} | {} |",
            of.len(),
            rate as f64 / 1e6,
            ms(granted_ns),
            ms(arm.allowed_ns()),
            ms(bound_ns),
            ms(bound_ns - wire_ns)
        );
    }
    println!();
}

/// While it is measured.
pub(super) fn run(round: usize, run: &Run) {
    eprintln!(
        "round {}, {}: {} sent, {} lost, {} policed; delay at most {} ms, worker away {} ms at most; {:?}",
        round + 1,
        kind(run),
        run.sent(),
        run.lost(),
        run.policed(),
        ms(run.delay_ns.max),
        ms(run.away.longest_ns),
        run.stages
    );
}

fn kind(run: &Run) -> String {
    match run.excess {
        None => "all as they may".to_owned(),
        Some(excess) => format!("one {} times as fast", excess.times),
    }
}

/// When all is over.
pub(super) fn after(document: &Document<'_>) {
    println!(
        "| run | frames | lost | out of order | policed | delay p50, ms | p99 | most | worst variation, ms | of its bound | of the schedule's alone |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for run in document.runs {
        let mut row = format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            kind(run),
            run.sent(),
            run.lost(),
            run.disordered(),
            run.policed(),
            ms(run.delay_ns.p50),
            ms(run.delay_ns.p99),
            ms(run.delay_ns.max)
        );
        if let Some(worst) = run.worst() {
            let bound_ns = worst.variation_bound_ns();
            let schedule_ns = bound_ns.saturating_sub(document.allowed_ns).max(1);
            let part = |of: u64| worst.variation_ns() as f64 / of.max(1) as f64;
            let _ = write!(
                row,
                " {} | {:.3} | {:.3} |",
                ms(worst.variation_ns()),
                part(bound_ns),
                part(schedule_ns)
            );
        }
        println!("{row}");
    }
    println!(
        "\n| run | stolen of both cores, ms | worker away at most, ms | together, less 2 % | share of the time | put in late, ms | left after the computed start, ms | put in to computed end p50, p99, most, ms | others: offered, left, by their ceiling |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for run in document.runs {
        let others = run
            .others
            .iter()
            .map(|one| format!("{} {:.2}, {:.3}", one.name, one.offered, one.left));
        println!(
            "| {} | {}, {} | {} | {} | {:.2} % | {} | {} | {}, {}, {} | {} |",
            kind(run),
            run.stolen_ns[0] / 1_000_000,
            run.stolen_ns[1] / 1_000_000,
            ms(run.away.longest_ns),
            ms(run.away.together_ns),
            run.away.total_ns as f64 / 1e7 / run.seconds,
            ms(run.put_late_ns),
            ms(run.left_late_ns),
            ms(run.node_ns.p50),
            ms(run.node_ns.p99),
            ms(run.node_ns.max),
            others.collect::<Vec<_>>().join("; ")
        );
    }
    println!();
    for run in document.runs {
        let Some(excess) = run.excess else { continue };
        let Some(one) = run.connections.get(excess.connection) else {
            continue;
        };
        let Measured {
            sent,
            policed,
            received,
            ..
        } = *one;
        println!(
            "connection {} at {} times its peak rate: {sent} sent, {policed} policed, {received} came; policed of all others: {}",
            excess.connection,
            excess.times,
            run.policed() - policed
        );
    }
    for one in document.one_more {
        let cause = one.cause.map_or_else(
            || "none: it was taken".to_owned(),
            |cause| cause.to_string(),
        );
        println!(
            "one connection more, of {} bit/s where {} are left: cause {cause}: {}",
            one.asked_bps, one.spare_bps, one.why
        );
    }
    for (at, floor) in document.floors.iter().enumerate() {
        let when = if at == 0 { "before" } else { "after" };
        println!(
            "a bare loop was kept from its core {when}: {}",
            floors(floor)
        );
    }
    println!(
        "{}",
        if document.holds {
            "all held"
        } else {
            "NOT all held"
        }
    );
}

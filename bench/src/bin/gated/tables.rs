//! What was measured, as tables for people. Must never leave a round out.

use pinode_bench::compare::{Spread, ratios};
use pinode_bench::gated::{Floor, Goodput, Lone, Others, Phase, PiGoodput, Precision};
use pinode_measure::stats::Summary;

use super::{Args, Case, Run, phases};

/// Those of `pinode check`.
pub(super) const SIZES: [u16; 7] = [79, 128, 256, 512, 1024, 1280, 1518];

fn cell(values: &[f64], digits: usize) -> String {
    Spread::of(values).map_or("-".to_owned(), |s| format!("{s:.digits$}"))
}

fn median(values: &[f64]) -> f64 {
    Spread::of(values).map_or(f64::NAN, |s| s.median)
}

/// The runs of a case, in the order of the rounds.
fn of<T>(runs: &[Run<T>], case: Case) -> Vec<&T> {
    let mut of: Vec<_> = runs.iter().filter(|run| run.case == case).collect();
    of.sort_by_key(|run| run.round);
    of.into_iter().map(|run| &run.found).collect()
}

/// Links and sizes that there are runs of, in the order in which they were asked for.
fn cases<T>(args: &Args, sizes: &[u16], runs: &[Run<T>]) -> Vec<Case> {
    let mut cases = args.cases(sizes);
    cases.retain(|case| !of(runs, *case).is_empty());
    cases
}

pub(super) fn goodput(args: &Args, runs: &[Run<Goodput>]) {
    println!("\n## Goodput\n");
    println!(
        "Each PI is offered {} times its ceiling. Share: frames that left by the ceiling, over whole cycles, least of the PIs of",
        args.load
    );
    println!(
        "each round: median (smallest to largest). Times are of a window of the worst PI, microseconds, mean: what the guard rule"
    );
    println!(
        "leaves at least (must), before the first frame, between frames, behind the last. Outside of their window when they left,"
    );
    println!(
        "above C by their computed starts: frames of all rounds. Late: left later than computed. Away: time between two\nlooks of the worker at the port beyond the lookahead of 20 us, of all rounds. Last: earliest start behind an opening,"
    );
    println!("latest end behind a close, both as far as the base is known (some ten ns)\n");
    println!(
        "| link | ports | octets | offered | share of the ceiling | frames short of each 1000 windows | must | before | between | behind | empty windows | overruns | outside | above C | late % | away % | starts, ends ns |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for case in cases(args, &SIZES, runs) {
        let of = of(runs, case);
        let least: Vec<f64> = of.iter().map(|g| g.least_share()).collect();
        let worst: Vec<&PiGoodput> = of.iter().filter_map(|g| worst(g)).collect();
        let mean = |what: fn(&PiGoodput) -> f64| {
            median(&worst.iter().map(|pi| what(pi)).collect::<Vec<_>>()) / 1e3
        };
        let sum = |what: fn(&Goodput) -> u64| of.iter().map(|g| what(g)).sum::<u64>();
        let frames = of.first().map_or(0, |g| g.frames_per_window) as f64;
        let held_ns =
            f64::from(u32::from(case.size) + 20) * 8.0 / f64::from(case.link.capacity_gbps);
        let offered = of.iter().flat_map(|g| &g.pis).map(|pi| pi.offered);
        let extremes = (
            of.iter().filter_map(|g| g.fit.earliest_start_ns).min(),
            of.iter().filter_map(|g| g.fit.latest_end_ns).max(),
        );
        println!(
            "| {case} | {:.2} | {} | {:.1} | {:.2} | {:.2} | {:.2} | {:.2} | {} | {} | {} | {} | {:.2} | {:.2} | {:+}, {:+} |",
            offered.fold(f64::INFINITY, f64::min),
            cell(&least, 4),
            (1.0 - median(&least)) * frames * 1e3,
            f64::from(case.link.phase_us) - frames * held_ns / 1e3,
            mean(|pi| pi.before_ns),
            mean(|pi| pi.between_ns),
            mean(|pi| pi.behind_ns),
            sum(|g| g.pis.iter().map(|pi| pi.windows_empty).sum()),
            sum(Goodput::overruns),
            sum(|g| g.fit.outside),
            sum(|g| g.overlaps),
            sum(|g| g.late) as f64 * 100.0 / sum(Goodput::frames).max(1) as f64,
            of.iter().map(|g| g.away).sum::<f64>() * 100.0 / of.len().max(1) as f64,
            extremes.0.unwrap_or(0),
            extremes.1.unwrap_or(0),
        );
    }
    println!(
        "\nThe gates' own account for about the same time, of the same PI, by window: guard and empty, microseconds\n"
    );
    println!("| link | ports | octets | windows | guard | empty |\n|---|---|---|---|---|---|");
    for case in cases(args, &SIZES, runs) {
        let of = of(runs, case);
        let worst: Vec<&PiGoodput> = of.iter().filter_map(|g| worst(g)).collect();
        let by_window = |what: fn(&PiGoodput) -> u64| {
            let us = |pi: &&PiGoodput| what(pi) as f64 / pi.gate.windows.max(1) as f64 / 1e3;
            median(&worst.iter().map(us).collect::<Vec<_>>())
        };
        println!(
            "| {case} | {} | {:.2} | {:.2} |",
            worst.iter().map(|pi| pi.gate.windows).sum::<u64>(),
            by_window(|pi| pi.gate.guard_idle_ns),
            by_window(|pi| pi.gate.empty_idle_ns),
        );
    }
}

fn worst(goodput: &Goodput) -> Option<&PiGoodput> {
    goodput
        .pis
        .iter()
        .min_by(|a, b| a.share.total_cmp(&b.share))
}

pub(super) fn isolation(args: &Args, runs: &[Run<Phase>]) {
    println!("\n## Isolation\n");
    println!(
        "A PI at half of its ceiling; the other two are offered nothing and {} times their ceilings in turn{}.",
        args.others,
        args.police
            .map_or(String::new(), |p| format!(", behind policers at {p} times"))
    );
    println!(
        "Latency from the instant a frame is due to its last bit, microseconds: median (smallest to largest) of the rounds;"
    );
    println!(
        "the ratio is loaded to idle, round by round; unsent: due while the worker was away for longer than a ring lasts\n"
    );
    println!(
        "| link | ports | octets | others | offered | frames | lost | unsent | p50 | p99 | p99 to idle | max |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for case in cases(args, &[79, 512], runs) {
        let idle = phases(runs, case, Others::Idle);
        for others in [Others::Idle, Others::Loaded] {
            let of = phases(runs, case, others);
            let us = |of: &[&Phase], what: fn(&Summary) -> u64| -> Vec<f64> {
                of.iter()
                    .map(|p| what(&p.latency_ns) as f64 / 1e3)
                    .collect()
            };
            let sum = |what: fn(&Phase) -> u64| of.iter().map(|p| what(p)).sum::<u64>();
            let pairs = ratios(&us(&of, |l| l.p99), &us(&idle, |l| l.p99));
            println!(
                "| {case} | {} | {:.2} | {} | {} | {} | {} | {} | {} | {} |",
                match others {
                    Others::Idle => "idle",
                    Others::Loaded => "loaded",
                },
                median(&of.iter().map(|p| p.offered).collect::<Vec<_>>()),
                sum(|p| p.sent),
                sum(|p| p.lost),
                sum(|p| p.unsent),
                cell(&us(&of, |l| l.p50), 1),
                cell(&us(&of, |l| l.p99), 1),
                match others {
                    Others::Idle => "-".to_owned(),
                    Others::Loaded => cell(&pairs, 2),
                },
                cell(&us(&of, |l| l.max), 0),
            );
        }
    }
}

pub(super) fn precision(args: &Args, runs: &[Run<Precision>]) {
    println!("\n## Precision of the edges\n");
    println!(
        "Saturated PIs ({} times the ceiling). Lateness, nanoseconds, median (smallest to largest) of the rounds: what the node counts",
        args.load
    );
    println!(
        "(worst PI); first frames of windows, when they leave and when the port got them; a bare loop that looks for the"
    );
    println!("same edges on the same core, before and after (alone, and beside a busy core)\n");
    println!(
        "| link | ports | octets | what | p50 | p99 | p99.9 | max |\n|---|---|---|---|---|---|---|---|"
    );
    for case in cases(args, &[79, 1518], runs) {
        let of = of(runs, case);
        let rows: [(&str, Quantiles); 5] = [
            ("gate error", gate_error),
            ("first frame leaves", |p| vec![four(&p.first_left_ns)]),
            ("first frame at the port", |p| {
                vec![four(&p.first_handed_ns)]
            }),
            ("floor", |p| floors(&p.floors)),
            ("floor beside a busy core", |p| floors(&p.busy_floors)),
        ];
        for (name, what) in rows {
            let all: Vec<[u64; 4]> = of.iter().flat_map(|p| what(p)).collect();
            let column = |at: usize| cell(&all.iter().map(|q| q[at] as f64).collect::<Vec<_>>(), 0);
            println!(
                "| {case} | {name} | {} | {} | {} | {} |",
                column(0),
                column(1),
                column(2),
                column(3)
            );
        }
        let ratio: Vec<f64> = of.iter().map(|p| p.ratio()).collect();
        println!(
            "| {case} | p99 of the gate error by the floor's | | {} | | |",
            cell(&ratio, 2)
        );
    }
    gaps(runs);
    lone(args, runs);
}

/// p50, p99, p99.9 and the largest of each measurement.
type Quantiles = fn(&Precision) -> Vec<[u64; 4]>;

fn gate_error(p: &Precision) -> Vec<[u64; 4]> {
    let q = p.gate_error_ns;
    vec![[q.p50, q.p99, q.p999, q.max]]
}

fn four(s: &Summary) -> [u64; 4] {
    [s.p50, s.p99, s.p999, s.max]
}

fn floors(floors: &[Floor]) -> Vec<[u64; 4]> {
    floors.iter().map(|f| four(&f.lateness_ns)).collect()
}

fn gaps(runs: &[Run<Precision>]) {
    println!("\nGaps between looks of the bare loop, a second: median (smallest to largest)\n");
    println!(
        "| beside | M looks | 1 to 10 us | 10 to 100 us | longer | longest us |\n|---|---|---|---|---|---|"
    );
    let found = || runs.iter().map(|run| &run.found);
    let alone: Vec<&Floor> = found().flat_map(|p| &p.floors).collect();
    let beside: Vec<&Floor> = found().flat_map(|p| &p.busy_floors).collect();
    for (name, all) in [("nothing", alone), ("a busy core", beside)] {
        let column = |what: &dyn Fn(&Floor) -> f64, digits| {
            cell(&all.iter().map(|f| what(f)).collect::<Vec<_>>(), digits)
        };
        // As long as its looks lasted.
        let rate = |f: &Floor, n: u64| n as f64 / f.seconds;
        println!(
            "| {name} | {} | {} | {} | {} | {} |",
            column(&|f| f.looks_per_s / 1e6, 1),
            column(&|f| rate(f, f.gaps.from_1_us), 0),
            column(&|f| rate(f, f.gaps.from_10_us), 0),
            column(&|f| rate(f, f.gaps.from_100_us), 1),
            column(&|f| f.gaps.longest_ns as f64 / 1e3, 0),
        );
    }
}

fn lone(args: &Args, runs: &[Run<Precision>]) {
    println!(
        "\nLone frames, spread evenly over all instants of the cycle: latency from the instant a frame is due to its last bit on the far link,"
    );
    println!(
        "less the computed mean wait (to the frame's start) and the frame's own time on the wire; microseconds, median (smallest to largest)"
    );
    println!("of all PIs and rounds\n");
    println!(
        "| link | ports | octets | load % | frames | lost | mean latency | mean wait | wire | above | p99 | max |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for case in cases(args, &[79, 1518], runs) {
        let all: Vec<&Lone> = of(runs, case).into_iter().flat_map(|p| &p.lone).collect();
        let us =
            |what: fn(&Lone) -> f64| -> Vec<f64> { all.iter().map(|l| what(l) / 1e3).collect() };
        println!(
            "| {case} | {:.2} | {} | {} | {} | {:.2} | {:.3} | {} | {} | {} |",
            median(&all.iter().map(|l| l.load * 100.0).collect::<Vec<_>>()),
            all.iter().map(|l| l.frames).sum::<u64>(),
            all.iter().map(|l| l.lost).sum::<u64>(),
            cell(&us(|l| l.latency_ns.mean), 2),
            median(&us(|l| l.mean_wait_ns)),
            median(&us(|l| l.wire_ns)),
            cell(&us(|l| l.above_ns), 2),
            cell(&us(|l| l.latency_ns.p99 as f64), 1),
            cell(&us(|l| l.latency_ns.max as f64), 0),
        );
    }
}

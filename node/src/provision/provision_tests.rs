//! Demands in; what `check` accepts, or the constraint that fails, out.

use pinode_measure::results::SCHEMA;
use serde_json::json;

use super::read::parse;
use super::*;

#[path = "feasible_tests.rs"]
mod feasible;

/// A document of results with these lists.
fn results(lists: serde_json::Value) -> Results {
    let mut document = json!({
        "schema": SCHEMA, "host": { "cpu": "", "cores": 2, "kvm": "", "kernel": "" }, "profile": "seed",
        "path": "memory", "trials": [], "throughput": [], "cpu_fit": [],
    });
    for (key, list) in lists.as_object().unwrap() {
        document[key] = list.clone();
    }
    serde_json::from_value(document).unwrap()
}

fn fit(pi: &str, size: u16, a: f64, b: f64) -> serde_json::Value {
    json!({
        "pi": pi, "isolation": "kvm", "size": size, "a": a, "b": b, "r2": 0.99, "points": 9, "from": 1.0, "to": 900.0,
    })
}

const PORTS: &str = "[[port]]\nname = \"west\"\ncapacity = \"1Gbps\"\n[[port]]\nname = \"east\"\ncapacity = \"1Gbps\"\n";

/// Two ports of 1 Gb/s, more tables before, and PIs of (name, what they ask for).
fn demands(more: &str, pis: &[(&str, &str)]) -> Demands {
    let mut text = format!("{more}\n{PORTS}");
    for (code, (name, asked)) in (1..).zip(pis) {
        text += &format!("[pi.{name}]\ncode = {code}\nguest = \"builtin:patch\"\n{asked}\n");
    }
    parse("demands.toml", &text).unwrap()
}

fn unmet(demands: &Demands, measured: Option<&Results>) -> Vec<Unmet> {
    let measured = measured.map(|results| ("results.json", results));
    provision(demands, measured).unwrap_err().problems
}

/// What the plan says is accepted by `check`, each demand on each port, and nothing that was demanded is missing.
fn accepted(demands: &Demands, plan: &Plan) -> Result<NodeConfig, String> {
    let builtins = pinode_images::BUILTIN_NAMES;
    let config = config::parse("node.toml", Path::new(""), &plan.node_toml, builtins);
    let config = config.map_err(|error| error.to_string())?;
    let report = Report::of(&config);
    for pi in &demands.pis {
        for port in &report.ports {
            let flow = port.pi[&pi.name].flow.ok_or("no flow")?;
            let held = port.pi[&pi.name].demand.ok_or("no demand")?;
            let asked = pi.as_configured();
            let same = (flow.rate_bps, flow.burst_bytes, held.size)
                == (asked.rate_bps, asked.burst, asked.size);
            let in_time = asked
                .delay_ns
                .is_none_or(|allowed| held.delay_ns <= allowed as f64);
            let slot = config
                .pis
                .iter()
                .find(|other| other.name == pi.name)
                .ok_or("no PI")?;
            let queued = held.backlog_frames <= u64::from(slot.queue);
            if !(report.ok && same && in_time && queued) {
                return Err(format!("{}: {same} {in_time} {queued}", pi.name));
            }
        }
    }
    Ok(config)
}

#[test]
fn rates_that_no_link_carries() {
    // 700 Mb/s of 79 octets are 877.2 Mb/s of wire, 200 Mb/s of 1518 are 202.6.
    let demands = demands(
        "",
        &[
            ("can", "rate = \"700Mbps\"\nsizes = 79"),
            ("dss", "rate = \"200Mbps\"\nsizes = 1518"),
        ],
    );
    let problems = unmet(&demands, None);
    let [problem] = problems.as_slice() else {
        panic!("one for both ports, which are alike: {problems:?}");
    };
    assert_eq!(
        (problem.constraint, problem.unit),
        (Constraint::Rate, Some("bits/s"))
    );
    assert!(
        (problem.short_by.unwrap() - 79.85e6).abs() < 1e4,
        "{problem:?}"
    );
    assert_eq!(
        problem.what,
        "rates sum up to 1079.9 Mb/s of wire, preambles and gaps among them (can 877.2, dss 202.6), and port west \
         carries 1Gbps: short by 79.9 Mb/s"
    );
}

/// What is said to be possible is: the same demands with that delay are met, with less they are not.
#[test]
fn a_delay_below_the_least_there_is() {
    let of = |delay_ns: u64| {
        demands(
            "[cycle]\nfrom = \"20us\"\nto = \"2ms\"",
            &[
                ("can", "rate = \"600Mbps\"\nsizes = 1518\nburst = \"64KiB\""),
                (
                    "dss",
                    &format!("rate = \"50Mbps\"\nsizes = 512\ndelay = \"{delay_ns}ns\""),
                ),
            ],
        )
    };
    let problems = unmet(&of(20_000), None);
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    assert_eq!(
        (problem.constraint, problem.at.as_str()),
        (Constraint::Delay, "pi.dss.delay")
    );
    let least = 20_000 + problem.short_by.unwrap().ceil() as u64;
    assert!(
        problem
            .what
            .contains(&format!("the least is {:.1} us", least as f64 / 1e3)),
        "{problem:?}"
    );
    assert!(provision(&of(least), None).is_ok());
    assert!(provision(&of(least - 2), None).is_err());
}

/// 3 times 300 Mb/s are less than the link carries, but the guard and a largest frame of each phase take 42 us of a cycle
/// of 100 us at most.
#[test]
fn demands_that_are_too_much_together() {
    let asked = "rate = \"300Mbps\"\nsizes = 1518";
    let pis = [("ipv6qos", asked), ("can", asked), ("dss", asked)];
    let of = |to: &str| demands(&format!("[cycle]\nfrom = \"50us\"\nto = \"{to}\""), &pis);
    let problems = unmet(&of("100us"), None);
    let [problem] = problems.as_slice() else {
        panic!("{problems:?}");
    };
    assert_eq!(
        (problem.constraint, problem.unit),
        (Constraint::Phases, Some("ns"))
    );
    // Each needs S = 30.396 us and 14.304 us beside: 44.7 us, in the longest cycle.
    assert_eq!(
        problem.what,
        "each demand could be met, and not all of them in one cycle of port west: in the nearest, of 100us, the phases \
         would be ipv6qos 44.7, can 44.7, dss 44.7 us: short by 34.1 us"
    );
    assert!(provision(&of("10ms"), None).is_ok());
}

/// Either could have it, and not both: each is told of what the other leaves.
#[test]
fn delays_that_are_too_short_together() {
    let asked = "rate = \"300Mbps\"\nsizes = 1518\nburst = \"8KiB\"";
    let urgent = format!("{asked}\ndelay = \"230us\"");
    let grid = "[cycle]\nfrom = \"50us\"\nto = \"400us\"";
    assert!(provision(&demands(grid, &[("can", &urgent), ("dss", asked)]), None).is_ok());
    let problems = unmet(&demands(grid, &[("can", &urgent), ("dss", &urgent)]), None);
    let keys: Vec<_> = problems
        .iter()
        .map(|p| (p.constraint, p.at.as_str()))
        .collect();
    assert_eq!(
        keys,
        [
            (Constraint::Delay, "pi.can.delay"),
            (Constraint::Delay, "pi.dss.delay")
        ]
    );
}

#[test]
fn frames_larger_than_the_port_lets_out() {
    let problems = unmet(
        &demands("", &[("can", "frames = 10\nsizes = [79, 1519]")]),
        None,
    );
    assert_eq!(problems[0].constraint, Constraint::Frame);
    assert_eq!(
        problems[0].what,
        "a frame of 1519 octets is larger than the 1518 that port west with its mtu of 1500 lets out: by 1 octets"
    );
}

#[test]
fn more_frames_than_a_ring_holds() {
    let demands = demands(
        "[node]\nstall = \"50ms\"",
        &[("can", "frames = 100000\nsizes = 79")],
    );
    let problems = unmet(&demands, None);
    assert_eq!(
        (problems[0].constraint, problems[0].unit),
        (Constraint::Buffer, Some("frames"))
    );
    assert!(
        problems[0]
            .what
            .contains("(5000), and the largest ring holds 4096"),
        "{problems:?}"
    );
}

#[test]
fn one_that_cannot_be_had_with_the_whole_link() {
    // A guard of 90 us in cycles of 100 us at most leaves 10 us: 100 Mb/s of the 500.
    let mut demands = demands(
        "[cycle]\nto = \"100us\"",
        &[("can", "rate = \"500Mbps\"\nsizes = 64")],
    );
    for port in &mut demands.ports {
        port.guard_ns = 90_000;
    }
    let problems = unmet(&demands, None);
    assert_eq!(problems[0].constraint, Constraint::Rate);
    assert!(
        problems[0]
            .what
            .contains("a cycle of 100us all of which is its own guarantees"),
        "{problems:?}"
    );
}

#[test]
fn caps_need_fits_and_hold() {
    let pis = [
        ("can", "frames = 100000\nsizes = 79\ncpu_cap = 30"),
        ("dss", "frames = 50000\nsizes = 79"),
    ];
    let demands = demands("[node]\ncpus = [0, 1]\nworker_cap = 90", &pis);
    let problems = unmet(&demands, None);
    let keys: Vec<&str> = problems.iter().map(|problem| problem.at.as_str()).collect();
    assert_eq!(keys, ["pi.can.cpu_cap", "node.worker_cap"]);
    assert!(
        problems
            .iter()
            .all(|problem| problem.what.contains("--fits results.json"))
    );

    // 200 and 100 thousand frames a second: both ports.
    let fits = |can: f64, host: f64| {
        results(
            json!({ "cpu_fit": [fit("can", 79, can, 5.0), fit("dss", 79, 0.2, 5.0), fit("host", 79, host, 10.0)] }),
        )
    };
    let plan = provision(&demands, Some(("r.json", &fits(0.1, 0.2)))).unwrap();
    let percent = |name: &str| plan.pi[name].cpu.unwrap().percent;
    assert_eq!((percent("can"), percent("dss")), (25.0, 25.0));
    assert_eq!(plan.worker.cpu.unwrap().percent, 70.0);
    assert_eq!(
        (plan.worker.pinned, plan.pi["can"].pinned),
        (Some(0), Some(1))
    );
    let config = accepted(&demands, &plan).unwrap();
    assert_eq!(
        (config.cpus.workers, config.cpus.guests),
        (vec![0], vec![1])
    );
    assert!(
        plan.node_toml
            .contains("# guest: 25.0 % of a CPU at 200.000 thousand frames a second")
    );
    assert!(plan.node_toml.contains("cpu = { weight = 100 }"));

    let problems = unmet(&demands, Some(&fits(0.2, 0.2)));
    assert_eq!(
        (problems[0].constraint, problems[0].at.as_str()),
        (Constraint::CpuCap, "pi.can.cpu_cap")
    );
    assert!((problems[0].short_by.unwrap() - 15.0).abs() < 1e-9);
    let problems = unmet(&demands, Some(&fits(0.1, 0.3)));
    assert_eq!(
        (problems[0].constraint, problems[0].at.as_str()),
        (Constraint::CpuCap, "node.worker_cap")
    );
}

#[test]
fn a_cpu_has_no_more_than_all_of_it() {
    let pis = [
        ("can", "frames = 100000\nsizes = 79"),
        ("dss", "frames = 100000\nsizes = 79"),
    ];
    let fits = results(
        json!({ "cpu_fit": [fit("can", 79, 0.3, 0.0), fit("dss", 79, 0.3, 0.0), fit("host", 79, 0.1, 0.0)] }),
    );
    let of = |cpus: &str| {
        provision(
            &demands(&format!("[node]\ncpus = {cpus}"), &pis),
            Some(("r.json", &fits)),
        )
    };
    let problem = &of("[0, 1]").unwrap_err().problems[0];
    assert_eq!(
        (problem.constraint, problem.at.as_str()),
        (Constraint::CpuShare, "node.cpus")
    );
    assert!(
        problem
            .what
            .starts_with("CPU 1 would be 120.0 % busy (can 60.0 %, dss 60.0 %)"),
        "{problem:?}"
    );
    let plan = of("[0, 1, 2]").unwrap();
    assert_eq!(
        (plan.pi["can"].pinned, plan.pi["dss"].pinned),
        (Some(1), Some(2))
    );
    assert_eq!(plan.pi["can"].weight, None, "a CPU of its own");
    let problem = &of("[5]").unwrap_err().problems[0];
    assert!(
        problem
            .what
            .starts_with("CPU 5 would be 160.0 % busy (the worker 40.0 %,"),
        "{problem:?}"
    );
}

/// What the node takes of a delay is left to it.
#[test]
fn the_nodes_own_latency_comes_off_the_delay() {
    let stream = |fps: f64, lost: u64, mean: f64, p99: u64| {
        json!({
            "pi": "can", "offered_fps": fps, "sent": 1000, "received": 1000 - lost, "lost": lost, "reordered": 0,
            "duplicated": 0, "corrupted": 0, "mean_wait_ns": 60000.0, "longest_wait_ns": 200000.0,
            "latency_ns": { "min": 0, "mean": mean, "p50": 0, "p99": p99, "p999": 0, "max": 0 },
        })
    };
    let trial = |stream: serde_json::Value| json!({ "test": "latency", "size": 79, "isolation": "kvm", "duration_s": 1.0, "streams": [stream] });
    let measured = results(json!({
        "trials": [
            trial(stream(1e4, 0, 80_000.0, 210_000)),
            trial(stream(4e4, 0, 85_000.0, 230_000)),
            trial(stream(9e4, 0, 99_000.0, 290_000)), // above the demanded rate
            trial(stream(4e4, 1, 9e6, 9_000_000)),    // lost a frame
            trial(stream(2e4, 0, 8e5, 9_000_000)),    // the machine stood still
        ],
        "cpu_fit": [fit("can", 79, 0.1, 0.0)],
    }));
    let of = |delay: &str| {
        demands(
            "",
            &[(
                "can",
                &format!("frames = 50000\nsizes = 79\ndelay = \"{delay}\""),
            )],
        )
    };
    let plan = provision(&of("500us"), Some(("r.json", &measured))).unwrap();
    assert_eq!(plan.pi["can"].own_latency_ns, Some(30_000));
    assert_eq!(plan.pi["can"].delay_ns, Some(470_000));
    let has = plan.ports[0].pi["can"];
    assert!(has.delay_ns <= 470_000.0 && has.with_own_ns == has.delay_ns + 30_000.0);
    assert!(
        plan.node_toml.contains("delay = \"470us\""),
        "{}",
        plan.node_toml
    );
    let problems = unmet(&of("25us"), Some(&measured));
    assert_eq!(problems[0].constraint, Constraint::Delay);
    assert!(
        problems[0]
            .what
            .contains("(less 25.0 us that the node itself was measured to take)"),
        "{problems:?}"
    );
}

#[test]
fn what_node_toml_would_not_hold_is_told() {
    let pis = [("can", "frames = 10\nsizes = 79")];
    let mut odd = demands("", &pis);
    odd.ports.truncate(1);
    let problems = unmet(&odd, None);
    assert_eq!(
        (problems[0].constraint, problems[0].at.as_str()),
        (Constraint::Configuration, "pi.can.guest")
    );
    assert!(problems[0].what.contains("joins ports in pairs"));
}

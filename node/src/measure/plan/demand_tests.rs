//! What is offered of demands.

use pinode_measure::results::Test;

use super::super::Plan;
use super::*;
use crate::measure::asked::Under;

const DEMANDS: [&str; 3] = [
    // 60000 frames of 79 to 300 octets a second, as `provision` tells it.
    "max_sdu = 282\ndemand = { rate = \"122569697bps\", burst = \"4KiB\", size = 79, frames = 60000, delay = \"400us\" }",
    "demand = { rate = \"100Mbps\", burst = \"16KiB\", size = 128 }",
    "max_sdu = 494\ndemand = { rate = \"50Mbps\", burst = \"512B\", size = 512, delay = \"420us\", own_latency = \"80us\" }",
];

/// The built-in node with these lines for its PIs.
fn plan(lines: [&str; 3], change: impl FnOnce(&mut Asked)) -> Result<Plan, PlanError> {
    let mut text = include_str!("node.toml").to_owned();
    for (pi, line) in ["ipv6qos", "can", "dss"].into_iter().zip(lines) {
        let head = format!("[pi.{pi}]\n");
        assert!(text.contains(&head), "{text}");
        text = text.replace(&head, &format!("{head}{line}\n"));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.toml");
    std::fs::write(&file, text).unwrap();
    let mut asked = Asked::of_node(Some(&file));
    asked.tests = vec![Test::Demand];
    change(&mut asked);
    assert!(matches!(&asked.under, Under::Node { .. }));
    Plan::of(&asked)
}

/// PI, octets, frames a second, frames of the burst, bound.
fn offered(plan: &Plan, round: usize) -> Vec<(&str, f64, f64, u32, Option<u64>)> {
    let round = &plan.rounds[round];
    let streams = round.traffic.streams.iter().zip(&round.demanded);
    let of = |(stream, demanded): (&pinode_measure::method::TrafficStream, &Demanded)| {
        let octets = stream.stream.spec.sizes.mean();
        (
            octets,
            demanded.fps.round(),
            demanded.burst,
            demanded.bound_ns,
        )
    };
    streams
        .map(|(stream, demanded)| {
            let (octets, fps, burst, bound_ns) = of((stream, demanded));
            (stream.pi.as_str(), octets, fps, burst, bound_ns)
        })
        .collect()
}

#[test]
fn smallest_frames_and_then_the_largest_and_never_more_than_is_demanded() {
    let plan = plan(DEMANDS, |_| {}).unwrap();
    assert_eq!(plan.rounds.len(), 2);
    assert_eq!(plan.rounds[0].traffic.size.to_string(), "79/128/512");
    assert_eq!(
        offered(&plan, 0),
        [
            ("ipv6qos", 79.0, 60_000.0, 51, Some(400_000)),
            ("can", 128.0, 97_656.0, 128, None),
            ("dss", 512.0, 12_207.0, 1, Some(500_000)),
        ]
    );
    assert_eq!(
        offered(&plan, 1),
        [
            ("ipv6qos", 300.0, 60_000.0, 13, Some(400_000)),
            ("can", 1518.0, 8_235.0, 10, None),
            ("dss", 512.0, 12_207.0, 1, Some(500_000)),
        ]
    );
}

#[test]
fn frames_of_one_size_are_one_round() {
    let line = "max_sdu = 494\ndemand = { rate = \"50Mbps\", burst = \"2KiB\", size = 512 }";
    let plan = plan([line, "", ""], |_| {}).unwrap();
    assert_eq!(plan.rounds.len(), 1, "and of PIs without a demand nothing");
    assert_eq!(offered(&plan, 0), [("ipv6qos", 512.0, 12_207.0, 4, None)]);
    assert_eq!(plan.rounds[0].traffic.size, SizeLabel::Octets(512));
}

#[test]
fn sizes_of_the_user_are_taken_where_the_demand_reckons_with_them() {
    let three = |lines: [&str; 3], size: &str| {
        plan(lines, |asked| asked.sizes = vec![size.parse().unwrap()])
    };
    let plan = three(DEMANDS, "1024").unwrap();
    assert_eq!(offered(&plan, 0)[1].2, 12_207.0);
    // 60000 of them would be more of the wire than the demand's.
    assert!(offered(&plan, 0)[0].2 < 60_000.0 && offered(&plan, 0)[0].2 > 18_000.0);
    let refused = three(DEMANDS, "79").unwrap_err().to_string();
    assert!(
        refused.contains("--sizes 79: the demand of PI can reckons with frames of 128"),
        "{refused}"
    );
}

#[test]
fn both_ways_each_has_its_demand_and_two_of_a_way_share_it() {
    let both = plan(DEMANDS, |asked| asked.bidirectional = true).unwrap();
    let all = offered(&both, 0);
    assert_eq!((all.len(), all[0], all[3].2), (6, all[3], 60_000.0));
    let two = plan(DEMANDS, |asked| {
        asked.streams = ["pi=can", "pi=can"]
            .map(|text| text.parse().unwrap())
            .into();
    });
    let two = two.unwrap();
    assert_eq!(offered(&two, 0)[1], ("can", 128.0, 48_828.0, 64, None));
}

#[test]
fn without_a_demand_there_is_nothing_to_meet() {
    let refused = |lines, streams: &[&str]| {
        let streams = streams.iter().map(|text| text.parse().unwrap()).collect();
        let plan = plan(lines, |asked| asked.streams = streams);
        plan.unwrap_err().to_string()
    };
    let none = refused(["", "", ""], &[]);
    assert!(none.contains("demands nothing of any PI"), "{none}");
    let one = refused(["", DEMANDS[1], ""], &["pi=dss"]);
    assert!(one.contains("nothing is demanded of PI dss"), "{one}");
}

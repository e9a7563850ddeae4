use pinode_measure::meter::FlowFigures;
use pinode_measure::report::Flow;
use pinode_measure::stats::Summary;

use super::*;

/// Both directions of each PI: name, offered over ceiling, lost, median and longest latency.
fn section(pis: &[(&str, f64, u64, u64, u64)]) -> Section {
    let flow = |&(pi, load, lost, p50, max): &(&str, f64, u64, u64, u64), way: (&str, &str)| Flow {
        pi: pi.into(),
        from: way.0.into(),
        to: way.1.into(),
        size: 512,
        offered_fps: load * 1000.0,
        ceiling_fps: 1000.0,
        mean_wait_ns: 70_000.0,
        longest_wait_ns: 200_000.0,
        figures: FlowFigures {
            sent: 10_000,
            received: 10_000 - lost,
            lost,
            latency_ns: Summary {
                p50,
                max,
                ..Summary::default()
            },
            ..FlowFigures::default()
        },
    };
    Section {
        name: "section".into(),
        from_s: 0.0,
        to_s: 1.0,
        guard_ns: 0,
        phases: Vec::new(),
        flows: [("west", "east"), ("east", "west")]
            .into_iter()
            .flat_map(|way| pis.iter().map(move |pi| flow(pi, way)))
            .collect(),
    }
}

fn first(can: u64, dss: u64) -> Section {
    section(&[
        ("ipv6qos", 0.7, 0, 100_000, 300_000),
        ("can", 1.3, can, 190_000_000, 250_000_000),
        ("dss", 0.7, dss, 100_000, 300_000),
    ])
}

fn second(can: u64, dss: u64, longest: u64) -> Section {
    section(&[
        ("ipv6qos", 0.9, 0, 100_000, 300_000),
        ("can", 0.9, can, 100_000, longest),
        ("dss", 0.9, dss, 100_000, 300_000),
    ])
}

fn notes(sections: &[Section], can_dropped: u64) -> String {
    of_flows(sections, &BTreeMap::from([("can".into(), can_dropped)])).join("\n")
}

#[test]
fn that_others_do_not_notice_is_said_only_where_they_lost_nothing() {
    let alone = notes(&[first(500, 0)], 1000);
    assert!(
        alone.contains("can is offered 1.3 times what its phase carries: it alone loses"),
        "{alone}"
    );
    let both = notes(&[first(500, 3)], 1000);
    assert!(
        !both.contains("alone") && !both.contains("do not notice"),
        "{both}"
    );
    assert!(
        both.contains("dss lost frames too: this machine did not keep up"),
        "{both}"
    );
    let none = notes(&[first(0, 0)], 0);
    assert!(
        none.contains("no frame was lost yet") && !none.contains("loses"),
        "{none}"
    );
}

#[test]
fn frames_dropped_before_the_change_and_missed_after_it_are_told_apart() {
    // Of both directions 1000 were missed and 1200 dropped before; 200 are missed later.
    let all = notes(&[first(500, 0), second(100, 0, 240_000_000)], 1200);
    assert!(
        all.contains("Of the 200 frames of can lost after the change, 200 were dropped before it"),
        "{all}"
    );
    assert!(all.contains("drains first"), "{all}");
    assert!(all.contains("no frame was lost any more"), "{all}");
    let some = notes(&[first(500, 0), second(110, 0, 240_000_000)], 1200);
    assert!(
        some.contains("the other 20 were while its full ring began to drain"),
        "{some}"
    );
    assert!(
        !some.contains("any more") && !some.contains("keep up"),
        "{some}"
    );
}

#[test]
fn losses_within_the_ceilings_are_the_machines() {
    let can = notes(&[first(500, 0), second(2000, 0, 240_000_000)], 1200);
    assert!(can.contains("the other 3800 were not"), "{can}");
    assert!(!can.contains("drains first"), "{can}");
    assert!(
        can.contains("After the change can lost frames within what their phases carry"),
        "{can}"
    );
    let two = notes(&[first(500, 0), second(2000, 1, 240_000_000)], 1200);
    assert!(two.contains("can and dss lost frames"), "{two}");
    assert!(!two.contains("any more"), "{two}");
}

#[test]
fn a_queue_that_is_not_seen_is_not_told_of() {
    let quick = notes(&[first(500, 0), second(0, 0, 400_000)], 1000);
    assert!(!quick.contains("drains"), "{quick}");
    let unlost = notes(&[first(0, 0), second(0, 0, 240_000_000)], 0);
    assert!(!unlost.contains("full ring"), "{unlost}");
    assert_eq!(notes(&[], 0), "");
}

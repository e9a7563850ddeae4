use pinode_measure::meter::FlowFigures;
use pinode_measure::report::{GuestFacts, HostFacts, NextStep, NodeFacts, PhaseFacts};
use pinode_measure::stats::Summary;

use super::*;

fn report(frames: u64, unsent: u64) -> DemoReport {
    let flow = |pi: &str| Flow {
        pi: pi.into(),
        from: "west".into(),
        to: "east".into(),
        size: 1280,
        offered_fps: 39_000.0,
        ceiling_fps: 30_000.0,
        mean_wait_ns: 73_780.0,
        longest_wait_ns: 210_400.0,
        figures: FlowFigures {
            sent: frames,
            unsent,
            received: frames - frames / 4,
            lost: frames / 4,
            received_fps: 30_000.0,
            latency_ns: Summary {
                mean: 194_141_900.0,
                p99: 1_257_163_300,
                ..Summary::default()
            },
            ..FlowFigures::default()
        },
    };
    DemoReport {
        title: "pinode demo".into(),
        finished: "now".into(),
        version: "0".into(),
        command: "pinode demo".into(),
        host: HostFacts {
            cpu: "Some CPU with a name as long as makers of CPUs like them to be @ 2.9 GHz".into(),
            cores: 2,
            kvm: "kvm_intel".into(),
            kernel: "6.12.0".into(),
        },
        node: NodeFacts {
            isolation: "kvm".into(),
            ready_ms: 389.0,
            ports: Vec::new(),
            guests: vec![GuestFacts {
                pi: "ipv6qos".into(),
                code: 1,
                image: "builtin:patch".into(),
                memory_bytes: 1,
                boot_us: 382_100,
            }],
        },
        sections: vec![Section {
            name: "equal phases".into(),
            from_s: 0.0,
            to_s: 10.0,
            guard_ns: 0,
            phases: vec![PhaseFacts {
                pi: None,
                duration_ns: 100_000,
            }],
            flows: vec![flow("ipv6qos"), flow("can")],
        }],
        rates: Vec::new(),
        drops: Vec::new(),
        notes: vec!["many words ".repeat(30)],
        next_steps: vec![NextStep {
            what: "words ".repeat(30),
            command: "target/release/pinode status".into(),
        }],
    }
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    for frames in [0, 7, 67_639, 5_800_000, 100_000_000, 999_999_999] {
        let text = closing(
            &report(frames, 1_000_000),
            Path::new("pinode-demo/report.html"),
        );
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{frames}: {line}");
        }
    }
}

#[test]
fn a_row_holds_its_figures() {
    let text = closing(&report(67_640, 0), Path::new("report.html"));
    let row: Vec<&str> = text
        .lines()
        .find(|line| line.starts_with("can"))
        .map(|line| line.split_whitespace().collect())
        .unwrap_or_default();
    let expected = [
        "can", "w>e", "1280", "67640", "50730", "16910", "100.0", "194142", "1257163", "73.8",
    ];
    assert_eq!(row, expected, "{text}");
    assert!(
        text.contains("\n  target/release/pinode status\n"),
        "{text}"
    );
    assert!(!text.contains("too late"), "{text}");
}

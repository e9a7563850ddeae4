use super::*;
use crate::stats;

/// A report as a demonstration makes it, from a seeded distribution.
fn sample() -> DemoReport {
    let pis = ["ipv6qos", "can", "dss"];
    let section = |name: &str, from_s: f64, to_s: f64, phases: [u64; 3]| {
        let cycle: u64 = phases.iter().sum();
        let flow = |i: usize, (from, to): (&str, &str)| {
            let longest = (cycle - phases[i]) as f64 + 792.0;
            let share = phases[i] as f64 / cycle as f64;
            let ceiling_fps = (phases[i] as f64 / 792.0).floor() * 1e9 / cycle as f64;
            let mut latency = stats::total();
            for n in 0..200_000u64 {
                // Evenly spread over the cycle, a frame waits for the others' phases; then a few host stalls.
                let place = (n * 7_919 % 100_000) as f64 / 1e5;
                let wait = if place < share {
                    0.0
                } else {
                    (place - share) / (1.0 - share) * longest
                };
                let stall = if n % 20_011 == 7 {
                    900_000.0
                } else {
                    (n % 97) as f64 * 120.0
                };
                latency.record((9_000.0 + wait + stall) as u64).unwrap();
            }
            let received_fps = ceiling_fps.min(200_000.0);
            let sent = (received_fps * (to_s - from_s)) as u64;
            let figures = FlowFigures {
                sent,
                received: sent,
                received_fps,
                latency_ns: crate::stats::Summary::of(&latency),
                quantiles: stats::quantiles(&latency),
                ..FlowFigures::default()
            };
            Flow {
                pi: pis[i].into(),
                from: from.into(),
                to: to.into(),
                size: 79,
                offered_fps: 200_000.0,
                ceiling_fps,
                mean_wait_ns: longest * longest / (2.0 * cycle as f64),
                longest_wait_ns: longest,
                figures,
            }
        };
        let ways = [("west", "east"), ("east", "west")];
        Section {
            name: name.into(),
            from_s,
            to_s,
            guard_ns: 0,
            phases: (0..3)
                .map(|i| PhaseFacts {
                    pi: Some(pis[i].into()),
                    duration_ns: phases[i],
                })
                .collect(),
            flows: ways
                .into_iter()
                .flat_map(|way| (0..3).map(move |i| (i, way)))
                .map(|(i, way)| flow(i, way))
                .collect(),
        }
    };
    let rate = |flow: usize| {
        (1..=200).map(move |n| RatePoint {
            at_s: f64::from(n) / 10.0,
            sent_fps: 200_000.0,
            received_fps: 200_000.0 + f64::from((n * 31 + flow as i32 * 7) % 11 - 5) * 300.0,
        })
    };
    let port = |name: &str| PortFacts {
        name: name.into(),
        backend: "memory inline".into(),
        capacity_bps: 1_000_000_000,
    };
    DemoReport {
        title: "pinode demo: three Parallel Internets on one link".into(),
        finished: "2026-11-20 14:00 UTC".into(),
        version: "0.1.0".into(),
        command: "pinode demo --seconds 20".into(),
        host: HostFacts { cpu: "Some CPU @ 2.9 GHz".into(), cores: 2, kvm: "kvm_pvm".into(), kernel: "6.12.0".into() },
        node: NodeFacts {
            isolation: "kvm".into(),
            ready_ms: 143.0,
            ports: vec![port("west"), port("east")],
            guests: (0..3).map(|i| GuestFacts {
                pi: pis[i].into(),
                code: i as u8 + 1,
                image: "builtin:patch".into(),
                memory_bytes: 32 << 20,
                boot_us: 900 + i as u64 * 17,
            }).collect(),
        },
        sections: vec![
            section("before the phase change", 0.0, 10.0, [100_000, 100_000, 100_000]),
            section("after the phase change", 10.0, 20.0, [150_000, 80_000, 70_000]),
        ],
        rates: (0..6).map(|flow| rate(flow).collect()).collect(),
        drops: vec![DropCount {
            port: "west".into(),
            pi: Some("can".into()),
            counter: "ring_full".into(),
            frames: 12_345,
            meaning: "The guest's receive ring had no buffer: it was offered more than its phase lets out.".into(),
        }],
        notes: vec!["Source and sink run inside the port's bursts on the worker's core.".into()],
        next_steps: vec![NextStep { what: "Run it between two interfaces".into(), command: "pinode run -c node.toml".into() }],
    }
}

/// The document's elements, if it is well-formed as XML (it is written so on purpose).
fn parse(html: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    roxmltree::Document::parse_with_options(html, options).unwrap_or_else(|e| panic!("{e}\n{html}"))
}

#[test]
fn it_is_well_formed_and_needs_nothing_else() {
    let html = render_demo(&sample()).unwrap();
    if let Ok(path) = std::env::var("PINODE_SAMPLE_REPORT") {
        std::fs::write(path, &html).unwrap();
    }
    let document = parse(&html);
    for node in document.descendants().filter(|n| n.is_element()) {
        for attribute in node.attributes() {
            let loads = ["src", "href", "srcset", "data", "action"].contains(&attribute.name());
            assert!(!loads, "{}: {}", attribute.name(), attribute.value());
        }
        assert!(!["script", "link", "iframe", "img", "object"].contains(&node.tag_name().name()));
    }
    for outside in ["http:", "https:", "url(", "@import", "//cdn"] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn it_shows_what_was_measured() {
    let html = render_demo(&sample()).unwrap();
    let document = parse(&html);
    let text: String = document
        .descendants()
        .filter(|n| n.is_text())
        .filter_map(|n| n.text())
        .collect();
    for words in [
        "Some CPU",
        "kvm_pvm",
        "6.12.0",
        "Before the phase change",
        "ring_full",
        "12\u{202f}345",
        "pinode run -c node.toml",
    ] {
        assert!(text.contains(words), "{words}");
    }
    assert!(text.contains("none lost"), "the verdict");
    let count = |tag: &str, class: &str| {
        document
            .descendants()
            .filter(|n| n.tag_name().name() == tag && n.attribute("class") == Some(class))
            .count()
    };
    assert_eq!(
        count("svg", "plot"),
        3 + 2,
        "a rate plot for each PI, a distribution for each section"
    );
    assert_eq!(
        count("line", "change"),
        3,
        "the phase change in each rate plot"
    );
}

#[test]
fn every_plot_is_described_and_stays_inside_its_frame() {
    let html = render_demo(&sample()).unwrap();
    let document = parse(&html);
    for svg in document
        .descendants()
        .filter(|n| n.tag_name().name() == "svg")
    {
        assert_eq!(svg.attribute("role"), Some("img"));
        assert!(svg.descendants().any(|n| n.tag_name().name() == "title"));
        let size: Vec<f64> = svg
            .attribute("viewBox")
            .unwrap()
            .split(' ')
            .map(|v| v.parse().unwrap())
            .collect();
        for line in svg
            .descendants()
            .filter(|n| n.tag_name().name() == "polyline")
        {
            let points = line.attribute("points").unwrap();
            assert!(!points.contains("NaN") && !points.contains("inf"));
            for point in points.split_whitespace() {
                let (x, y) = point.split_once(',').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!(
                    (0.0..=size[2]).contains(&x) && (0.0..=size[3]).contains(&y),
                    "{point}"
                );
            }
        }
    }
}

#[test]
fn values_are_escaped() {
    let mut report = sample();
    let evil = "<script>alert('1')</script>&\"";
    report.title = evil.into();
    report.host.cpu = evil.into();
    report.node.guests[0].pi = evil.into();
    report.node.ports[0].name = evil.into();
    report.sections[0].name = evil.into();
    report.sections[0].phases[0].pi = Some(evil.into());
    for section in &mut report.sections {
        section.flows[0].pi = evil.into();
        section.flows[0].from = evil.into();
    }
    report.drops[0].meaning = evil.into();
    report.next_steps[0].command = evil.into();
    let html = render_demo(&report).unwrap();
    assert!(!html.contains("<script"));
    let document = parse(&html);
    assert!(
        !document
            .descendants()
            .any(|n| n.tag_name().name() == "script")
    );
}

#[test]
fn loss_is_said_first() {
    let mut report = sample();
    report.sections[0].flows[0].figures.lost = 7;
    let html = render_demo(&report).unwrap();
    assert!(
        html.contains("verdict bad") && html.contains("7 lost"),
        "{html}"
    );
}

#[test]
fn an_empty_run_is_a_report_too() {
    let mut report = sample();
    report
        .sections
        .iter_mut()
        .flat_map(|s| &mut s.flows)
        .for_each(|f| {
            f.figures = FlowFigures::default();
            f.ceiling_fps = 0.0;
        });
    report.rates.clear();
    report.drops.clear();
    let html = render_demo(&report).unwrap();
    parse(&html);
    assert!(
        html.contains("No frame was sent")
            && html.contains("every drop counter of every port is 0")
    );
    report.sections.clear();
    report.node.guests.clear();
    report.node.ports.clear();
    parse(&render_demo(&report).unwrap());
}

#[test]
fn the_share_follows_the_loss_and_what_is_unclean_is_added_up() {
    let mut report = sample();
    let flow = &mut report.sections[0].flows[0];
    (flow.figures.received_fps, flow.ceiling_fps) = (30_000.0, 40_000.0);
    (
        flow.figures.reordered,
        flow.figures.duplicated,
        flow.figures.corrupted,
    ) = (1, 20, 300);
    let html = render_demo(&report).unwrap();
    let document = parse(&html);
    let region = document
        .descendants()
        .find(|n| n.attribute("aria-label") == Some("Frames before the phase change"))
        .unwrap();
    let cells = |section: &str, row: usize| -> Vec<String> {
        let part = region
            .descendants()
            .find(|n| n.tag_name().name() == section)
            .unwrap();
        let row = part.children().filter(|n| n.is_element()).nth(row).unwrap();
        row.children()
            .filter(|n| n.is_element())
            .map(|cell| {
                cell.descendants()
                    .filter(|n| n.is_text())
                    .filter_map(|n| n.text())
                    .collect()
            })
            .collect()
    };
    let heads = cells("thead", 0);
    let lost = heads.iter().position(|head| head == "Lost").unwrap();
    assert_eq!(heads[lost + 1], "Share (%)");
    let row = cells("tbody", 0);
    assert_eq!(row[lost..=lost + 1], ["0", "75.0"]);
    assert_eq!(row.last().map(String::as_str), Some("321"));
}

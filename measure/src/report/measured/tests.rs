use super::*;
use crate::results::{SizeLabel, Test, sample};

/// The document's elements, if it is well-formed as XML (it is written so on purpose).
fn parse(html: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..Default::default()
    };
    roxmltree::Document::parse_with_options(html, options).unwrap_or_else(|e| panic!("{e}"))
}

fn words(node: roxmltree::Node<'_, '_>) -> String {
    let texts = node.descendants().filter(|n| n.is_text());
    texts.filter_map(|n| n.text()).collect()
}

fn by_id<'a>(document: &'a roxmltree::Document<'a>, id: &str) -> roxmltree::Node<'a, 'a> {
    let found = document
        .descendants()
        .find(|n| n.attribute("id") == Some(id));
    found.unwrap_or_else(|| panic!("no section {id}"))
}

/// Heads and rows of the tables of a section.
fn tables(section: roxmltree::Node<'_, '_>) -> Vec<Vec<Vec<String>>> {
    let named = |n: roxmltree::Node<'_, '_>, name: &str| n.tag_name().name() == name;
    let cells = |row: roxmltree::Node<'_, '_>| {
        row.children()
            .filter(|n| n.is_element())
            .map(words)
            .collect::<Vec<String>>()
    };
    let rows = |table: roxmltree::Node<'_, '_>| {
        table
            .descendants()
            .filter(|n| named(*n, "tr"))
            .map(cells)
            .collect()
    };
    section
        .descendants()
        .filter(|n| named(*n, "table"))
        .map(rows)
        .collect()
}

fn cell<'t>(table: &'t [Vec<String>], row: usize, head: &str) -> &'t str {
    let column = table[0].iter().position(|h| h == head);
    let column = column.unwrap_or_else(|| panic!("no column {head}: {:?}", table[0]));
    &table[row][column]
}

#[test]
fn it_is_well_formed_and_needs_nothing_else() {
    let html = render(&sample::full()).unwrap();
    let document = parse(&html);
    for node in document.descendants().filter(|n| n.is_element()) {
        for attribute in node.attributes() {
            let loads = ["src", "srcset", "data", "action"].contains(&attribute.name());
            let leaves = attribute.name() == "href" && !attribute.value().starts_with('#');
            assert!(
                !loads && !leaves,
                "{}: {}",
                attribute.name(),
                attribute.value()
            );
        }
        assert!(!["script", "link", "iframe", "img", "object"].contains(&node.tag_name().name()));
    }
    for outside in [
        "http:", "https:", "url(", "@import", "//cdn", "NaN", ">inf", ">−inf",
    ] {
        assert!(!html.contains(outside), "{outside}");
    }
    for link in document.descendants().filter_map(|n| n.attribute("href")) {
        by_id(&document, &link[1..]);
    }
}

#[test]
fn the_head_says_what_was_measured_and_by_what() {
    let html = render(&sample::full()).unwrap();
    let document = parse(&html);
    let head = document
        .descendants()
        .find(|n| n.tag_name().name() == "header")
        .unwrap();
    let text = words(head);
    for words in [
        "Sample CPU",
        "kvm_pvm",
        "6.12.0-sample",
        "cycle of 3 x 100 us",
        "pinode measure --profile seed --out measured",
        "2026-11-21T16:20:00Z",
        "pinode 0.1.0",
        "11.87 million frames/s of 79 octets",
        "mean 0.23 µs",
        "inside the port's bursts",
        "none reordered, duplicated or changed",
        "1 trial was refused",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn the_tables_have_what_was_found() {
    let results = sample::full();
    let html = render(&results).unwrap();
    let document = parse(&html);
    let throughput = &tables(by_id(&document, "throughput"))[0];
    assert_eq!(throughput.len(), results.throughput.len() + 1);
    // 79 octets of ipv6qos in a VM, binary: 0.992 of 420 kframes/s.
    for (head, value) in [
        ("kframes/s", "416.64"),
        ("Mb/s", "263.3"),
        ("Share of ceiling (%)", "99.20"),
        ("Bounds (kframes/s)", "416.22 to 417.89"),
        ("Trials", "11"),
        ("Limited by", "device"),
    ] {
        assert_eq!(cell(throughput, 1, head), value, "{head}");
    }
    let latency = &tables(by_id(&document, "latency"))[0];
    let stream = &results.trials[0].streams[0];
    let us = |ns: f64| format!("{:.1}", ns / 1e3);
    assert_eq!(cell(latency, 1, "Mean"), us(stream.latency_ns.mean));
    assert_eq!(cell(latency, 1, "p99.9"), us(stream.latency_ns.p999 as f64));
    let above = stream.latency_ns.mean - stream.mean_wait_ns.unwrap();
    assert_eq!(cell(latency, 1, "Mean above it"), format!("+{}", us(above)));
    let fits = &tables(by_id(&document, "fits"))[0];
    assert_eq!(cell(fits, 2, "PI"), "can");
    assert_eq!(cell(fits, 2, "Seed a"), "3.8780");
    let is = |f: &&crate::results::CpuFit| f.pi == "can" && f.isolation == "thread";
    let fit = results.cpu_fit.iter().find(is).unwrap().fit;
    assert_eq!(cell(fits, 2, "Thread a"), format!("{:.4}", fit.a));
    assert_eq!(cell(fits, 2, "Thread R²"), format!("{:.4}", fit.r2));
    assert_eq!(
        fits.len(),
        1 + 8 * 4,
        "seven sizes and a mix, three PIs and the host"
    );
    let check = &tables(by_id(&document, "cpu-check"))[0];
    assert_eq!(cell(check, 1, "Accounted (%)"), "94.3");
    assert_eq!(
        cell(
            &tables(by_id(&document, "back-to-back"))[0],
            1,
            "Implied buffer (µs)"
        ),
        "3\u{202f}244.0"
    );
    assert_eq!(
        cell(&tables(by_id(&document, "recovery"))[0], 1, "Mean"),
        "12.495"
    );
    assert_eq!(
        cell(
            &tables(by_id(&document, "reset"))[0],
            1,
            "Mean by frames lost"
        ),
        "32.136"
    );
    let trials = tables(by_id(&document, "trials"));
    assert_eq!(
        cell(&trials[0], 2, "Lost").replace('\u{202f}', ""),
        lost(&results).to_string()
    );
    assert_eq!(cell(&trials[1], 1, "Due, but not sent"), "12\u{202f}963");
}

fn lost(results: &Results) -> u64 {
    let loss = results.trials.iter().filter(|t| t.test == Test::Loss);
    loss.flat_map(|t| &t.streams).map(|s| s.lost).sum()
}

/// Every figure of the seed that is a plot: 5 to 12, with a line or points for all that was measured.
#[test]
fn the_seeds_figures_are_there_with_every_line() {
    let html = render(&sample::full()).unwrap();
    let document = parse(&html);
    let captions: Vec<String> = document
        .descendants()
        .filter(|n| n.tag_name().name() == "figcaption")
        .map(words)
        .collect();
    for figure in ["5a", "5b", "6", "7", "8", "9", "10", "11", "12"] {
        let sign = format!("(the seed's figure {figure})");
        assert_eq!(
            captions.iter().filter(|c| c.contains(&sign)).count(),
            1,
            "{sign}"
        );
    }
    let lines = |caption: &str| {
        let figure = document
            .descendants()
            .filter(|n| n.tag_name().name() == "figure")
            .find(|n| words(*n).contains(caption))
            .unwrap();
        let lines = figure
            .descendants()
            .filter(|n| n.tag_name().name() == "polyline");
        let dashed = lines
            .clone()
            .filter(|n| n.attribute("class").unwrap().contains("d1"));
        (lines.clone().count(), dashed.count())
    };
    assert_eq!(
        lines("the seed's figure 5a"),
        (14, 7),
        "seven sizes in VMs and as threads"
    );
    assert_eq!(
        lines("the seed's figure 7"),
        (8, 4),
        "three PIs and the host, twice"
    );
    assert_eq!(lines("the seed's figure 10"), (2, 1));
    assert_eq!(lines("the seed's figure 12"), (2, 1));
    assert_eq!(lines("Latency distribution, 79 B"), (6, 3));
}

#[test]
fn every_plot_is_described_and_stays_inside_its_frame() {
    let html = render(&sample::full()).unwrap();
    let document = parse(&html);
    let drawings = document
        .descendants()
        .filter(|n| n.tag_name().name() == "svg");
    let mut drawn = 0;
    for svg in drawings {
        drawn += 1;
        assert_eq!(svg.attribute("role"), Some("img"));
        for part in ["title", "desc"] {
            let part = svg.children().find(|n| n.tag_name().name() == part);
            assert!(part.and_then(|n| n.text()).is_some_and(|t| !t.is_empty()));
        }
        let size: Vec<f64> = svg
            .attribute("viewBox")
            .unwrap()
            .split(' ')
            .map(|v| v.parse().unwrap())
            .collect();
        let inside = |x: f64, y: f64| (0.0..=size[2]).contains(&x) && (0.0..=size[3]).contains(&y);
        for node in svg.descendants() {
            let number = |name: &str| node.attribute(name).map(|v| v.parse::<f64>().unwrap());
            if let (Some(x), Some(y)) = (number("x"), number("y")) {
                assert!(inside(x, y), "{node:?}");
            }
            for point in node
                .attribute("points")
                .unwrap_or_default()
                .split_whitespace()
            {
                let (x, y) = point.split_once(',').unwrap();
                assert!(inside(x.parse().unwrap(), y.parse().unwrap()), "{point}");
            }
        }
    }
    // Throughput; 8 distributions; 4 over load and 3 of the mix; fits: 1 and 8; 8 of CPU use.
    assert_eq!(drawn, 1 + 8 + 7 + 9 + 8);
}

#[test]
fn little_is_shown_as_little() {
    let html = render(&sample::empty()).unwrap();
    let document = parse(&html);
    assert!(words(document.root()).contains("No trial was made."));
    assert!(
        !document
            .descendants()
            .any(|n| ["svg", "table", "nav"].contains(&n.tag_name().name()))
    );

    // Another device: nothing known of isolation, ceilings or CPU use.
    let mut results = sample::full();
    results
        .trials
        .retain(|t| t.isolation.as_deref() == Some("kvm"));
    results
        .throughput
        .retain(|t| t.isolation.as_deref() == Some("kvm"));
    results
        .throughput
        .iter_mut()
        .for_each(|t| t.isolation = None);
    for trial in &mut results.trials {
        trial.isolation = None;
        for stream in &mut trial.streams {
            (
                stream.ceiling_fps,
                stream.mean_wait_ns,
                stream.longest_wait_ns,
            ) = (None, None, None);
        }
    }
    (results.cpu, results.cpu_fit, results.cpu_check) = (vec![], vec![], vec![]);
    results.partial = true;
    let html = render(&results).unwrap();
    let document = parse(&html);
    let body = document
        .descendants()
        .find(|n| n.tag_name().name() == "body")
        .unwrap();
    let text = words(body);
    assert!(text.contains("Ended before its time") && html.contains("verdict bad"));
    assert!(text.contains("Share of line rate") && !text.contains("ceiling"));
    let ids: Vec<_> = document
        .descendants()
        .filter_map(|n| n.attribute("id"))
        .collect();
    assert!(
        ids.contains(&"load") && !ids.contains(&"cpu") && !ids.contains(&"fits"),
        "{ids:?}"
    );
    let latency = &tables(by_id(&document, "latency"))[0];
    assert!(
        !latency[0]
            .iter()
            .any(|h| h == "In" || h == "Mean wait, computed"),
        "{:?}",
        latency[0]
    );
}

/// A trial in which nothing arrived has no latency, and a single load is no curve.
#[test]
fn what_did_not_arrive_has_no_latency() {
    let mut results = sample::empty();
    results
        .trials
        .extend(sample::full().trials.into_iter().take(1));
    for stream in &mut results.trials[0].streams {
        (stream.received, stream.lost) = (0, stream.sent);
        stream.latency_ns = crate::stats::Summary::default();
        stream.quantiles.clear();
    }
    let html = render(&results).unwrap();
    let document = parse(&html);
    let latency = &tables(by_id(&document, "latency"))[0];
    assert_eq!(cell(latency, 1, "Mean"), "–");
    assert!(!html.contains("<svg"));
}

#[test]
fn repetitions_are_one_row() {
    let mut results = sample::empty();
    let trial = sample::full().trials.swap_remove(0);
    results.trials = vec![trial.clone(), trial.clone(), trial];
    results.trials[1].streams[0].latency_ns.mean += 3_000.0;
    results.trials[2].streams[0].latency_ns.max += 5_000;
    let html = render(&results).unwrap();
    let latency = &tables(by_id(&parse(&html), "latency"))[0];
    assert_eq!(latency.len(), 1 + 3);
    assert_eq!(cell(latency, 1, "Trials"), "3");
    let us = |ns: f64| format!("{:.1}", ns / 1e3);
    let first = results.trials[0].streams[0].latency_ns;
    assert_eq!(cell(latency, 1, "Mean"), us(first.mean + 1_000.0));
    assert_eq!(cell(latency, 1, "Max"), us(first.max as f64 + 5_000.0));
}

#[test]
fn values_are_escaped() {
    let evil = "<script>alert('1')</script>&\"{{ r }}";
    let mut results = sample::full();
    for word in [
        &mut results.profile,
        &mut results.path_description,
        &mut results.version,
        &mut results.command,
        &mut results.finished,
        &mut results.host.cpu,
        &mut results.host.kvm,
    ] {
        *word = evil.into();
    }
    results.notes.push(evil.into());
    for trial in &mut results.trials {
        trial.size = SizeLabel::Mix(evil.into());
        trial.isolation = Some(evil.into());
        trial
            .streams
            .iter_mut()
            .for_each(|s| (s.pi, s.from) = (evil.into(), evil.into()));
    }
    for found in &mut results.throughput {
        (found.pi, found.limited_by, found.method) = (evil.into(), evil.into(), evil.into());
    }
    results.cpu.iter_mut().for_each(|p| p.pi = evil.into());
    results.cpu_fit.iter_mut().for_each(|f| f.pi = evil.into());
    results
        .cpu_check
        .iter_mut()
        .for_each(|c| c.pi = evil.into());
    results
        .back_to_back
        .iter_mut()
        .for_each(|b| b.pi = evil.into());
    results.recovery.iter_mut().for_each(|r| r.pi = evil.into());
    let html = render(&results).unwrap();
    assert!(!html.contains("<script"));
    parse(&html);
}

#[test]
fn it_is_written_where_it_is_asked_for() {
    let html = render(&sample::full()).unwrap();
    if let Ok(path) = std::env::var("PINODE_SAMPLE_MEASURED") {
        std::fs::write(path, &html).unwrap();
    }
    assert!(html.ends_with("</html>\n"));
}

//! Plots as inline SVG: rates over time for each PI, and latency distributions for each section.
//!
//! Plots of one kind share their scales, so that they can be compared; rates start at 0; colours come
//! from the page's style, and no line is told from another by colour alone.

use super::axis::{Scale, label, ticks};
use super::demo::{DemoReport, Flow, colour};
use super::distribution::{Axes, Curve, Distribution};
use super::legend::{Entry, Legend};
use super::svg::{LEFT, RIGHT, WIDTH, distinct, line, open, polyline, text};

fn flows(report: &DemoReport) -> &[Flow] {
    report.sections.first().map_or(&[], |s| &s.flows)
}

/// Solid for the first direction, dashed for the second, and so on.
fn dash(report: &DemoReport, flow: &Flow) -> usize {
    let ways = distinct(flows(report).iter().map(|f| f.from.as_str()));
    ways.iter().position(|w| *w == flow.from).unwrap_or(0) % 2
}

/// One plot for each PI: frames per second, in and out, against the ceiling; the phase change marked.
pub fn rates(report: &DemoReport) -> Vec<String> {
    let end_s = report.sections.iter().map(|s| s.to_s).fold(0.0, f64::max);
    let measured = report
        .rates
        .iter()
        .flatten()
        .map(|p| p.sent_fps.max(p.received_fps));
    let ceilings = report
        .sections
        .iter()
        .flat_map(|s| &s.flows)
        .map(|f| f.ceiling_fps);
    let y_ticks = ticks(measured.chain(ceilings).fold(0.0, f64::max) / 1e3, 5);
    let pis = distinct(flows(report).iter().map(|f| f.pi.as_str()));
    pis.into_iter()
        .map(|pi| rate_plot(report, pi, end_s, &y_ticks))
        .collect()
}

fn rate_plot(report: &DemoReport, pi: &str, end_s: f64, y_ticks: &[f64]) -> String {
    const HEIGHT: f64 = 216.0;
    let (top, bottom) = (44.0, HEIGHT - 36.0);
    let x_ticks = ticks(end_s, 10);
    let x = Scale::new((0.0, end_s), (LEFT, WIDTH - RIGHT));
    let y = Scale::new((0.0, y_ticks.last().copied().unwrap_or(1.0)), (bottom, top));
    let mut svg = String::new();
    let about = "Frames per second sent into the node and received from it, with the ceiling of the schedule.";
    open(
        &mut svg,
        (WIDTH, HEIGHT),
        &format!("Rate of {pi} over time"),
        about,
    );
    for tick in y_ticks {
        line(
            &mut svg,
            "grid",
            (LEFT, y.at(*tick)),
            (WIDTH - RIGHT, y.at(*tick)),
        );
        text(
            &mut svg,
            "tick end",
            (LEFT - 8.0, y.at(*tick) + 4.0),
            &label(*tick),
        );
    }
    for tick in x_ticks.iter().filter(|t| **t <= end_s) {
        line(
            &mut svg,
            "axis",
            (x.at(*tick), bottom),
            (x.at(*tick), bottom + 4.0),
        );
        text(
            &mut svg,
            "tick middle",
            (x.at(*tick), bottom + 18.0),
            &label(*tick),
        );
    }
    line(&mut svg, "axis", (LEFT, bottom), (WIDTH - RIGHT, bottom));
    text(&mut svg, "unit", (4.0, 14.0), "kframes/s");
    text(
        &mut svg,
        "unit end",
        (WIDTH - RIGHT, HEIGHT - 2.0),
        "seconds since the start",
    );

    for pair in report.sections.windows(2) {
        let at = x.at(pair[1].from_s);
        line(&mut svg, "change", (at, top - 12.0), (at, bottom));
        text(
            &mut svg,
            "change-label",
            (at + 6.0, top - 4.0),
            &pair[1].name,
        );
    }
    let colour = colour(report, pi);
    let mut entries = Vec::new();
    for (i, flow) in flows(report).iter().enumerate().filter(|(_, f)| f.pi == pi) {
        let class = format!("line c{colour} d{}", dash(report, flow));
        let points = report.rates.get(i).map_or(&[][..], |p| p);
        if dash(report, flow) == 0 {
            polyline(
                &mut svg,
                "line sent",
                points
                    .iter()
                    .map(|p| (x.at(p.at_s), y.at(p.sent_fps / 1e3))),
            );
            entries.push(("line sent".to_owned(), "sent".to_owned()));
        }
        polyline(
            &mut svg,
            &class,
            points
                .iter()
                .map(|p| (x.at(p.at_s), y.at(p.received_fps / 1e3))),
        );
        entries.push((
            class,
            format!("{pi} received, {} to {}", flow.from, flow.to),
        ));
    }
    for section in &report.sections {
        let way = section.flows.iter().find(|f| f.pi == pi);
        if let Some(flow) = way {
            let height = y.at(flow.ceiling_fps / 1e3);
            line(
                &mut svg,
                "ceiling",
                (x.at(section.from_s), height),
                (x.at(section.to_s), height),
            );
        }
    }
    entries.push(("ceiling".to_owned(), "ceiling of the schedule".to_owned()));
    // The legend stands beside the unit, above the plot.
    let entry = |(class, words)| Entry {
        line: Some(class),
        words,
        ..Entry::default()
    };
    Legend::of(entries.into_iter().map(entry), LEFT + 24.0, WIDTH).draw(&mut svg);
    svg.push_str("</svg>");
    svg
}

/// One plot for each section: latency of each share of the frames.
pub fn latencies(report: &DemoReport) -> Vec<String> {
    let all = || report.sections.iter().flat_map(|s| &s.flows);
    let waits = || all().map(|f| f.longest_wait_ns);
    let axes = Axes::of(all().flat_map(|f| &f.figures.quantiles), waits());
    let plot = |section: &super::Section| {
        let curve = |flow: &Flow| Curve {
            name: format!("{}, {} to {}", flow.pi, flow.from, flow.to),
            style: colour(report, &flow.pi),
            dashed: dash(report, flow) == 1,
            marked: false,
            quantiles: flow.figures.quantiles.clone(),
        };
        Distribution {
            title: format!("Latency distribution, {}", section.name),
            width: WIDTH,
            axes: &axes,
            curves: section.flows.iter().map(curve).collect(),
            waits: waits_of(section),
        }
        .draw()
    };
    report.sections.iter().map(plot).collect()
}

/// Longest waits in microseconds, to a tenth, and whose they are; longest first.
fn waits_of(section: &super::Section) -> Vec<(f64, String)> {
    let mut out: Vec<(f64, Vec<&str>)> = Vec::new();
    for flow in &section.flows {
        let us = (flow.longest_wait_ns / 100.0).round() / 10.0;
        match out.iter_mut().find(|(other, _)| (*other - us).abs() < 0.05) {
            Some((_, pis)) if pis.contains(&flow.pi.as_str()) => {}
            Some((_, pis)) => pis.push(&flow.pi),
            None => out.push((us, vec![&flow.pi])),
        }
    }
    out.sort_by(|a, b| b.0.total_cmp(&a.0));
    out.into_iter()
        .map(|(us, pis)| (us, pis.join(", ")))
        .collect()
}

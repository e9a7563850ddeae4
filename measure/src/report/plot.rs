//! Plots as inline SVG: rates over time for each PI, and latency distributions for each section.
//!
//! Plots of one kind share their scales, so that they can be compared; rates start at 0; colours come
//! from the page's style, and no line is told from another by colour alone.

use std::fmt::Write;

use super::axis::{Scale, label, log_ticks, ticks};
use super::demo::{DemoReport, Flow, colour};
use super::number::fixed;
use super::svg::{LEFT, RIGHT, WIDTH, distinct, legend, line, open, polyline, text};
use crate::stats::Quantile;

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
    open(&mut svg, HEIGHT, &format!("Rate of {pi} over time"), about);
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
    let mut above = String::new();
    legend(&mut above, 14.0, &entries);
    let _ = write!(svg, r#"<g transform="translate(24 0)">{above}</g>"#);
    svg.push_str("</svg>");
    svg
}

/// One plot for each section: latency of each share of the frames.
pub fn latencies(report: &DemoReport) -> Vec<String> {
    let all = || report.sections.iter().flat_map(|s| &s.flows);
    let points = || {
        all()
            .flat_map(|f| &f.figures.quantiles)
            .map(|q| q.ns as f64 / 1e3)
    };
    let waits = || all().map(|f| f.longest_wait_ns / 1e3);
    let max = points().chain(waits()).fold(0.0, f64::max);
    let min = points()
        .chain(waits())
        .filter(|us| *us > 0.0)
        .fold(max, f64::min);
    let nines = all()
        .flat_map(|f| &f.figures.quantiles)
        .filter_map(nines)
        .fold(1.0, f64::max);
    let shared = LatencyAxes {
        ticks_us: log_ticks(min, max),
        nines,
    };
    report
        .sections
        .iter()
        .map(|s| latency_plot(report, s, &shared))
        .collect()
}

struct LatencyAxes {
    ticks_us: Vec<f64>,
    nines: f64,
}

/// 90 % is 1, 99 % is 2; none for the longest, which has no such place.
fn nines(point: &Quantile) -> Option<f64> {
    (point.share < 1.0).then(|| -(1.0 - point.share).log10())
}

fn latency_plot(report: &DemoReport, section: &super::Section, axes: &LatencyAxes) -> String {
    const HEIGHT: f64 = 356.0;
    const MAX_COLUMN: f64 = 40.0;
    let (top, bottom) = (62.0, HEIGHT - 40.0);
    let end = WIDTH - RIGHT - MAX_COLUMN;
    let x = Scale::new((0.0, axes.nines), (LEFT, end));
    let low = axes.ticks_us.first().copied().unwrap_or(1.0);
    let high = axes.ticks_us.last().copied().unwrap_or(10.0);
    let y = Scale::new((low.log10(), high.log10()), (bottom, top));
    let y_at = |us: f64| y.at(us.max(low).log10());
    let mut svg = String::new();
    let about =
        "For each share of the frames the latency that it did not exceed; both scales logarithmic.";
    open(
        &mut svg,
        HEIGHT,
        &format!("Latency distribution, {}", section.name),
        about,
    );
    let right = WIDTH - RIGHT;
    for us in &axes.ticks_us {
        line(&mut svg, "grid", (LEFT, y_at(*us)), (right, y_at(*us)));
        text(
            &mut svg,
            "tick end",
            (LEFT - 8.0, y_at(*us) + 4.0),
            &label(*us),
        );
    }
    let mut shares = vec![(0.0, "0 %".to_owned()), (0.5, "50 %".to_owned())];
    for nine in 1..=axes.nines as usize {
        let words = match nine {
            1 => "90 %".to_owned(),
            2 => "99 %".to_owned(),
            more => format!("99.{} %", "9".repeat(more - 2)),
        };
        shares.push((1.0 - 0.1f64.powi(nine as i32), words));
    }
    for (share, words) in &shares {
        let at = x.at(-(1.0 - share).log10());
        line(&mut svg, "grid", (at, top), (at, bottom));
        text(&mut svg, "tick middle", (at, bottom + 18.0), words);
    }
    line(&mut svg, "grid", (right, top), (right, bottom));
    text(&mut svg, "tick middle", (right, bottom + 18.0), "max");
    line(&mut svg, "axis", (LEFT, bottom), (right, bottom));
    text(&mut svg, "unit", (4.0, 14.0), "µs");
    text(
        &mut svg,
        "unit end",
        (right, HEIGHT - 4.0),
        "share of the frames that were not slower",
    );

    let mut entries = Vec::new();
    for flow in &section.flows {
        let class = format!("line c{} d{}", colour(report, &flow.pi), dash(report, flow));
        let place = |q: &Quantile| (nines(q).map_or(right, |n| x.at(n)), y_at(q.ns as f64 / 1e3));
        polyline(&mut svg, &class, flow.figures.quantiles.iter().map(place));
        entries.push((class, format!("{}, {} to {}", flow.pi, flow.from, flow.to)));
    }
    let waits = waits(section);
    for (us, _) in &waits {
        line(&mut svg, "ceiling", (LEFT, y_at(*us)), (right, y_at(*us)));
    }
    let words: Vec<_> = waits
        .iter()
        .map(|(us, pis)| format!("{pis} {} µs", fixed(*us, 1)))
        .collect();
    let words = format!(
        "longest computed wait of a lone frame: {}",
        words.join("; ")
    );
    legend(&mut svg, top - 10.0, &[("ceiling".to_owned(), words)]);
    let half = entries.len().div_ceil(2).max(3);
    for (row, entries) in entries.chunks(half).enumerate() {
        legend(&mut svg, 14.0 + 18.0 * row as f64, entries);
    }
    svg.push_str("</svg>");
    svg
}

/// Longest waits in microseconds, to a tenth, and whose they are; longest first.
fn waits(section: &super::Section) -> Vec<(f64, String)> {
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

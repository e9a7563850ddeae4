//! Pictures as inline SVG: the way of a frame through this node, and a cycle to scale.

use std::fmt::Write;

use minijinja::HtmlEscape;

use super::demo::{DemoReport, Section, colour};
use super::number::fixed;

const WIDTH: f64 = 960.0;
const LANE: f64 = 58.0;
const BOX: f64 = 40.0;

/// A box with one or two lines of words.
fn boxed(svg: &mut String, class: &str, (x, y, w, h): (f64, f64, f64, f64), words: &[&str]) {
    let _ = write!(
        svg,
        r#"<rect class="{class}" x="{x}" y="{y}" width="{w}" height="{h}" rx="4"/>"#
    );
    let (cx, mut cy) = (
        x + w / 2.0,
        y + h / 2.0 + 4.0 - 8.0 * (words.len() as f64 - 1.0),
    );
    for (i, line) in words.iter().enumerate() {
        let class = if i == 0 {
            "middle strong"
        } else {
            "middle small"
        };
        let line = HtmlEscape(line);
        let _ = write!(
            svg,
            r#"<text class="{class}" x="{cx}" y="{cy}">{line}</text>"#
        );
        cy += 16.0;
    }
}

fn arrow(svg: &mut String, class: &str, from: (f64, f64), to: f64) {
    let ((x1, y), x2) = (from, to);
    let _ = write!(
        svg,
        r#"<path class="arrow {class}" d="M{x1} {y} H{x2} m-7 -4 l7 4 l-7 4"/>"#
    );
}

/// The way of a frame from the first port to the last, a lane for each guest.
pub fn way_of_a_frame(report: &DemoReport) -> String {
    let node = &report.node;
    let lanes = node.guests.len().max(1) as f64;
    let (top, height) = (34.0, lanes * LANE - (LANE - BOX));
    let total = top + height + 34.0;
    let middle = top + height / 2.0;
    let port = |port: Option<&super::PortFacts>| port.map_or("", |p| p.name.as_str()).to_owned();
    let (west, east) = (port(node.ports.first()), port(node.ports.last()));
    let guest_kind = if node.isolation == "kvm" {
        "virtual machine"
    } else {
        "host thread"
    };
    let mut svg = String::new();
    let _ = write!(
        svg,
        r#"<svg class="picture" viewBox="0 0 {WIDTH} {total}" role="img"><title>The way of a frame</title><desc>From port {w} the host classifies a frame on its Parallel Internet Header and copies it into the ring of its guest. What the guest sends waits in its queue until the gate of its phase opens, and leaves at port {e}.</desc>"#,
        w = HtmlEscape(&west),
        e = HtmlEscape(&east),
    );
    let _ = write!(
        svg,
        r#"<rect class="host" x="96" y="10" width="768" height="{}" rx="8"/>"#,
        total - 20.0
    );
    for (x, words) in [(108.0, "host"), (382.0, guest_kind)] {
        let _ = write!(svg, r#"<text class="small" x="{x}" y="26">{words}</text>"#);
    }
    boxed(
        &mut svg,
        "plain",
        (8.0, middle - 24.0, 76.0, 48.0),
        &[&west, "port in"],
    );
    boxed(
        &mut svg,
        "plain",
        (124.0, top, 112.0, height),
        &["classify", "on the PIH"],
    );
    boxed(
        &mut svg,
        "plain",
        (724.0, top, 112.0, height),
        &["gate", "phase of the cycle"],
    );
    boxed(
        &mut svg,
        "plain",
        (876.0, middle - 24.0, 76.0, 48.0),
        &[&east, "port out"],
    );
    arrow(&mut svg, "", (84.0, middle), 124.0);
    arrow(&mut svg, "", (836.0, middle), 876.0);
    for (i, guest) in node.guests.iter().enumerate() {
        let y = top + i as f64 * LANE;
        let class = format!("c{}", colour(report, &guest.pi));
        let filled = format!("fill {class}");
        boxed(
            &mut svg,
            "plain",
            (282.0, y + 6.0, 64.0, BOX - 12.0),
            &["rx ring"],
        );
        boxed(
            &mut svg,
            &filled,
            (382.0, y, 136.0, BOX),
            &[&guest.pi, &guest.image],
        );
        boxed(
            &mut svg,
            "plain",
            (554.0, y + 6.0, 124.0, BOX - 12.0),
            &["tx ring, queue"],
        );
        for (from, to) in [
            (236.0, 282.0),
            (346.0, 382.0),
            (518.0, 554.0),
            (678.0, 724.0),
        ] {
            arrow(&mut svg, &class, (from, y + BOX / 2.0), to);
        }
    }
    let _ = write!(
        svg,
        r#"<text class="small middle" x="480" y="{:.1}">one copy in, one copy out; the other direction goes the same way back</text></svg>"#,
        total - 18.0
    );
    svg
}

/// The cycle of a section, phases to scale.
pub fn cycle(report: &DemoReport, section: &Section) -> String {
    let total: u64 = section.phases.iter().map(|p| p.duration_ns).sum();
    let us = |ns: u64| fixed(ns as f64 / 1e3, 1);
    let mut svg = String::new();
    let _ = write!(
        svg,
        r#"<svg class="picture" viewBox="0 0 {WIDTH} 44" role="img"><title>Cycle of {} µs, {}</title>"#,
        us(total),
        HtmlEscape(&section.name),
    );
    let mut x = 0.5;
    for phase in &section.phases {
        let width = phase.duration_ns as f64 / total.max(1) as f64 * (WIDTH - 1.0);
        let (class, name) = match &phase.pi {
            Some(pi) => (format!("fill c{}", colour(report, pi)), pi.as_str()),
            None => ("plain".to_owned(), "nobody"),
        };
        // A phase too narrow for words is told by the table beneath.
        let duration = format!("{} µs", us(phase.duration_ns));
        let words: &[&str] = if width > 80.0 {
            &[name, &duration]
        } else {
            &[]
        };
        boxed(&mut svg, &class, (x, 1.0, width, 42.0), words);
        x += width;
    }
    svg.push_str("</svg>");
    svg
}

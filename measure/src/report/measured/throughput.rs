//! What the throughput searches found, against the most that could be.

use super::super::bars::{Bar, Bars};
use super::super::number::fixed;
use super::super::table::Table;
use super::order::{Order, is_hollow, isolation_words, size_words};
use super::section::Section;
use crate::results::{Results, SizeLabel, Throughput};

/// The section, if a search was made.
pub fn section(results: &Results, order: &Order) -> Option<Section> {
    let mut section = Section::new("throughput", "Throughput");
    let gated = is_gated(results);
    section.say(if gated {
        "The ceiling is the most that the schedule lets out at this size: whole frames in the phases of the cycle. Rates count the octets of frames with their FCS, without preamble and gap."
    } else {
        "The line rate is the most that the link carries at this size. Rates count the octets of frames with their FCS, without preamble and gap."
    });
    let bars = Bars {
        title: "Throughput by size",
        about: "The rate of each PI that was found for each size of frames, beside the most that could be.",
        unit: "Mb/s",
        ceiling: if gated {
            "ceiling of the schedule"
        } else {
            "line rate"
        },
        groups: order
            .sizes
            .iter()
            .filter_map(|size| group(results, order, size))
            .collect(),
    };
    section.figure(
        "Throughput by size",
        bars.draw(),
        "Throughput by size of frames. Where several searches were made, the one that allowed the least loss.",
    );
    section.table(table(results, order, gated));
    section.shown()
}

/// Whether a schedule decides what comes out.
pub fn is_gated(results: &Results) -> bool {
    let streams = results.trials.iter().flat_map(|t| &t.streams);
    streams.into_iter().any(|s| s.ceiling_fps.is_some())
}

/// In the order of the report: size, PI, isolation, then as they were found.
pub fn sorted<'a>(results: &'a Results, order: &Order) -> Vec<&'a Throughput> {
    let mut found: Vec<_> = results.throughput.iter().collect();
    let isolation = |t: &Throughput| {
        let place = |name: &str| order.isolations.iter().position(|i| i == name);
        t.isolation.as_deref().and_then(place)
    };
    found.sort_by_key(|t| (&t.size, order.place_of(&t.pi), isolation(t)));
    found
}

fn group(results: &Results, order: &Order, size: &SizeLabel) -> Option<(String, Vec<Bar>)> {
    let mut strictest: Vec<&Throughput> = Vec::new();
    for found in sorted(results, order)
        .into_iter()
        .filter(|t| t.size == *size)
    {
        match strictest
            .iter_mut()
            .find(|t| t.pi == found.pi && t.isolation == found.isolation)
        {
            Some(known) if found.goal_loss_ratio < known.goal_loss_ratio => *known = found,
            Some(_) => {}
            None => strictest.push(found),
        }
    }
    let bar = |found: &Throughput| {
        let isolation = found.isolation.as_deref().unwrap_or_default();
        let octets = found.l2_bps / found.fps;
        let name = match order.isolations.len() {
            0 | 1 => found.pi.clone(),
            _ => format!("{}, {}", found.pi, isolation_words(isolation)),
        };
        Bar {
            name,
            style: order.style_of(&found.pi),
            hollow: is_hollow(isolation),
            value: found.l2_bps / 1e6,
            ceiling: found.ceiling_fps * octets / 1e6,
        }
    };
    let bars: Vec<Bar> = strictest.into_iter().map(bar).collect();
    (!bars.is_empty()).then(|| (size_words(size), bars))
}

fn table(results: &Results, order: &Order, gated: bool) -> Table {
    let (share, most) = if gated {
        ("Share of ceiling (%)", "Ceiling (kframes/s)")
    } else {
        ("Share of line rate (%)", "Line rate (kframes/s)")
    };
    let mut table = Table::new(
        "Throughput. Binary: the highest rate that held (RFC 2544 26.1). MLRsearch: the conditional throughput (RFC 9971). Bounds: the highest load that held and the lowest that did not.",
        &[
            "Size (octets)",
            "<PI",
            "<In",
            "<Search",
            "Loss allowed (%)",
            "kframes/s",
            "Mb/s",
            share,
            most,
            "Bounds (kframes/s)",
            "Trials",
            "<Limited by",
        ],
    );
    for found in sorted(results, order) {
        let kilo = |fps: f64| fixed(fps / 1e3, 2);
        table.row([
            found.size.to_string().into(),
            found.pi.as_str().into(),
            isolation_words(found.isolation.as_deref().unwrap_or_default()).into(),
            match found.method.as_str() {
                "mlrsearch" => "MLRsearch".into(),
                other => other.into(),
            },
            fixed(found.goal_loss_ratio * 100.0, 3).into(),
            kilo(found.fps).into(),
            fixed(found.l2_bps / 1e6, 1).into(),
            fixed(found.share_of_ceiling * 100.0, 2).into(),
            kilo(found.ceiling_fps).into(),
            bounds(found).into(),
            found.trials.to_string().into(),
            found.limited_by.as_str().into(),
        ]);
    }
    table
}

/// The highest load that held and the lowest that did not, in thousands of frames per second.
fn bounds(found: &Throughput) -> String {
    let kilo = |fps: f64| fixed(fps / 1e3, 2);
    match found.upper_fps {
        Some(upper) => format!("{} to {}", kilo(found.lower_fps), kilo(upper)),
        None => format!("from {}", kilo(found.lower_fps)),
    }
}

//! CPU use over offered load, of each PI's guest and of the host (the seed's figures 7, 8 and 9), and how the
//! accounting of it stands against the kernel's.

use super::super::chart::{Chart, HALF, Series};
use super::super::number::{count, fixed};
use super::super::table::{Cell, Table};
use super::order::{Order, is_hollow, isolation_words, size_words};
use super::section::{Figure, Section};
use crate::results::{CpuPoint, Results, SizeLabel};

/// The section, if CPU use was measured.
pub fn section(results: &Results, order: &Order) -> Option<Section> {
    let mut section = Section::new("cpu", "CPU use over offered load");
    section.say("Time spent on frames as a share of the time that passed, without polling for them: of the CPU that runs a PI's function, and of the host's data-plane workers without the tester's own share.");
    section.pairs(figures(results, order));
    section.folded(table(results, order));
    section.shown()
}

fn figures(results: &Results, order: &Order) -> Vec<Figure> {
    let points = || results.cpu.iter();
    let reach = (
        points().map(|p| p.offered_l2_bps / 1e6).fold(0.0, f64::max),
        points().map(|p| p.percent).fold(0.0, f64::max),
    );
    // First those that the seed shows.
    let shown = [(128, "7"), (1024, "8")].map(|(size, figure)| (SizeLabel::Octets(size), figure));
    let number = |size: &SizeLabel| match size {
        SizeLabel::Mix(_) => "9",
        octets => shown.iter().find(|(s, _)| s == octets).map_or("", |s| s.1),
    };
    let mut sizes: Vec<&SizeLabel> = order.octets().collect();
    sizes.sort_by_key(|size| (number(size).is_empty(), *size));
    sizes.extend(order.mixes());
    let figure = |size: &SizeLabel| {
        let label = format!("CPU use, {}", size_words(size));
        let svg = Chart {
            title: &label,
            about: "Time spent on frames in percent of one CPU, of each PI and of the host, over offered to each PI in Mb/s.",
            x: "offered to each PI, Mb/s",
            y: "% of one CPU",
            logarithmic: false,
            width: HALF,
            reach,
            kinds: order.kinds(),
            series: series(results, order, size),
        };
        let seed = match number(size) {
            "" => String::new(),
            number => format!(" (the seed's figure {number})"),
        };
        Some(Figure {
            svg: svg.draw()?,
            caption: format!("CPU use over offered load, {}{seed}.", size_words(size)),
            label: label.clone(),
        })
    };
    sizes.into_iter().filter_map(figure).collect()
}

/// A line for each PI and the host, and for each isolation, by rising load.
fn series(results: &Results, order: &Order, size: &SizeLabel) -> Vec<Series> {
    let mut series: Vec<(&CpuPoint, Series)> = Vec::new();
    for point in results.cpu.iter().filter(|p| p.size == *size) {
        let place = (point.offered_l2_bps / 1e6, point.percent);
        let same = |(first, _): &&mut (&CpuPoint, Series)| {
            first.pi == point.pi && first.isolation == point.isolation
        };
        match series.iter_mut().find(same) {
            Some((_, series)) => series.points.push(place),
            None => series.push((
                point,
                Series {
                    name: point.pi.clone(),
                    style: order.style_of(&point.pi),
                    hollow: is_hollow(&point.isolation),
                    marked: true,
                    joined: true,
                    points: vec![place],
                },
            )),
        }
    }
    series.sort_by_key(|(first, _)| order.place_of(&first.pi));
    let by_load = |(_, mut series): (&CpuPoint, Series)| {
        series.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        series
    };
    series.into_iter().map(by_load).collect()
}

fn table(results: &Results, order: &Order) -> Table {
    let mut table = Table::new(
        "The points of these figures and of the fits. Only points without loss are in fits.",
        &[
            "Size (octets)",
            "<PI",
            "<In",
            "Offered (Mb/s)",
            "Handled (kframes/s)",
            "CPU (%)",
            "<Frames lost",
        ],
    );
    let mut points: Vec<&CpuPoint> = results.cpu.iter().collect();
    points.sort_by(|a, b| {
        let key = |p: &CpuPoint| (order.place_of(&p.pi), p.isolation.clone());
        (a.size.cmp(&b.size))
            .then_with(|| key(a).cmp(&key(b)))
            .then(a.offered_l2_bps.total_cmp(&b.offered_l2_bps))
    });
    for p in points {
        table.row([
            p.size.to_string().into(),
            p.pi.as_str().into(),
            isolation_words(&p.isolation).into(),
            fixed(p.offered_l2_bps / 1e6, 1).into(),
            fixed(p.kfps, 2).into(),
            fixed(p.percent, 2).into(),
            Cell::marked(
                if p.lossless { "no" } else { "yes" }.to_owned(),
                !p.lossless,
            ),
        ]);
    }
    table
}

/// The accounting of CPU time against the kernel's, if it was checked.
pub fn check(results: &Results) -> Option<Section> {
    let mut section = Section::new("cpu-check", "Check of the CPU accounting");
    section.say("In a run in which the functions sleep until a frame comes, nearly all the CPU time that the kernel charges a thread with is time on frames: the accounted time must be close to it. What is left is waking up and falling asleep.");
    let mut table = Table::new(
        "Accounted CPU time against the kernel's, in ms. Away: something else ran on the CPU meanwhile; in neither.",
        &[
            "<PI",
            "<In",
            "Size (octets)",
            "kframes/s",
            "On frames",
            "Polling in vain",
            "Away",
            "Kernel's CPU time",
            "Accounted (%)",
            "Left per wake-up (µs)",
            "Wake-ups",
            "Wall time",
        ],
    );
    for c in &results.cpu_check {
        let ms = |ns: u64| fixed(ns as f64 / 1e6, 1);
        let kernel = c.thread_cpu_ns as f64;
        let accounted = 100.0 * (c.busy_ns as f64 + c.poll_ns as f64);
        let left = c.remainder_ns_per_wakeup();
        table.row([
            c.pi.as_str().into(),
            isolation_words(&c.isolation).into(),
            c.size
                .as_ref()
                .map_or_else(String::new, ToString::to_string)
                .into(),
            fixed(c.fps / 1e3, 2).into(),
            ms(c.busy_ns).into(),
            ms(c.poll_ns).into(),
            ms(c.away_ns).into(),
            ms(c.thread_cpu_ns).into(),
            // Of nothing there is no part: fixed says so.
            fixed(accounted / kernel, 1).into(),
            left.map_or_else(|| "–".to_owned(), |ns| fixed(ns / 1e3, 2))
                .into(),
            count(c.wakeups).into(),
            ms(c.wall_ns).into(),
        ]);
    }
    section.table(table);
    section.shown()
}

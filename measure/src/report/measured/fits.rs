//! CPU use as a line over the rate of frames: the seed's Table 1 beside what was measured here, and its figure 12.

use super::super::chart::{Chart, HALF, Series, WHOLE};
use super::super::number::fixed;
use super::super::table::{Cell, Table};
use super::order::{Order, is_hollow, size_words};
use super::section::{Figure, Section};
use crate::fit::LineFit;
use crate::results::{CpuFit, CpuPoint, Results, SizeLabel};
use crate::seed::{Compared, beside};

/// The section, if there is a fit.
pub fn section(results: &Results, order: &Order) -> Option<Section> {
    let mut section = Section::new("fits", "CPU use as a line over the rate");
    section.say("CPU = a x + b by least squares: x in thousands of frames per second, CPU in percent of one CPU, of the points without loss. A fit holds inside the range that was measured.");
    section.table(table(results, order));
    if let Some((pi, size)) = sample(results) {
        let of_sample = |p: &str, s: &SizeLabel| p == pi && s == size;
        let label = format!("Fit of {pi}, {}", size_words(size));
        let svg = draw(results, order, &label, WHOLE, &of_sample);
        let seed = if (pi, size) == SEEDS_SAMPLE {
            " (the seed's figure 12)"
        } else {
            ""
        };
        section.figure(
            label,
            svg,
            format!("Points and line of {pi}, {}{seed}.", size_words(size)),
        );
    }
    let figure = |size: &SizeLabel| {
        let label = format!("Fits, {}", size_words(size));
        let svg = draw(results, order, &label, HALF, &|_, s: &SizeLabel| s == size);
        Some(Figure {
            svg: svg?,
            caption: format!("Points and lines, {}.", size_words(size)),
            label,
        })
    };
    section.pairs(order.sizes.iter().filter_map(figure).collect());
    section.shown()
}

/// What the seed shows a fit of.
const SEEDS_SAMPLE: (&str, &SizeLabel) = ("can", &SizeLabel::Octets(256));

/// That one, or the first there is.
fn sample(results: &Results) -> Option<(&str, &SizeLabel)> {
    let mut fits = results.cpu_fit.iter().map(|f| (f.pi.as_str(), &f.size));
    let first = fits.clone().next();
    fits.find(|fit| *fit == SEEDS_SAMPLE).or(first)
}

/// Table 1, in the order of the report.
pub fn compared(results: &Results, order: &Order) -> Vec<Compared> {
    let mut rows = beside(&results.cpu_fit);
    rows.sort_by_key(|row| (row.size.clone(), order.place_of(&row.pi)));
    rows
}

fn table(results: &Results, order: &Order) -> Table {
    let mut table = Table::new(
        "Table 1 of the seed, a Xen node of 2012, and the same measured here: in VMs and as host threads (the native baseline). Seed over VM: how many times more CPU a frame took in 2012.",
        &[
            "Size (octets)",
            "<PI",
            "Seed a",
            "Seed b",
            "Seed R²",
            "VM a",
            "VM b",
            "VM R²",
            "VM points",
            "Range (kframes/s)",
            "Thread a",
            "Thread b",
            "Thread R²",
            "Thread points",
            "Seed over VM",
        ],
    );
    let of = |fit: Option<LineFit>, value: fn(&LineFit) -> f64, digits| {
        Cell::from(fit.map_or_else(String::new, |fit| fixed(value(&fit), digits)))
    };
    let points =
        |fit: Option<LineFit>| Cell::from(fit.map_or_else(String::new, |f| f.points.to_string()));
    for row in compared(results, order) {
        let seed = |digits, value: fn(&crate::seed::Line) -> f64| {
            Cell::from(
                row.published
                    .map_or_else(String::new, |line| fixed(value(&line), digits)),
            )
        };
        let range = |fit: LineFit| format!("{} to {}", fixed(fit.from, 1), fixed(fit.to, 1));
        let times = row.published.zip(row.kvm).filter(|(_, fit)| fit.a > 0.0);
        table.row([
            row.size.to_string().into(),
            row.pi.as_str().into(),
            seed(4, |l| l.a),
            seed(3, |l| l.b),
            seed(4, |l| l.r2),
            of(row.kvm, |f| f.a, 4),
            of(row.kvm, |f| f.b, 3),
            of(row.kvm, |f| f.r2, 4),
            points(row.kvm),
            row.kvm
                .or(row.thread)
                .map_or_else(String::new, range)
                .into(),
            of(row.thread, |f| f.a, 4),
            of(row.thread, |f| f.b, 3),
            of(row.thread, |f| f.r2, 4),
            points(row.thread),
            times
                .map_or_else(String::new, |(line, fit)| fixed(line.a / fit.a, 1))
                .into(),
        ]);
    }
    table
}

fn draw(
    results: &Results,
    order: &Order,
    title: &str,
    width: f64,
    which: &dyn Fn(&str, &SizeLabel) -> bool,
) -> Option<String> {
    let lines = results.cpu_fit.iter().filter(|f| which(&f.pi, &f.size));
    let mut fits: Vec<&CpuFit> = lines.collect();
    fits.sort_by_key(|f| order.place_of(&f.pi));
    let mut series = Vec::new();
    for fit in fits {
        let of_fit = |p: &&CpuPoint| {
            p.pi == fit.pi && p.isolation == fit.isolation && p.size == fit.size && p.lossless
        };
        let base = Series {
            name: fit.pi.clone(),
            style: order.style_of(&fit.pi),
            hollow: is_hollow(&fit.isolation),
            ..Series::default()
        };
        let at = |x: f64| (x, fit.fit.a * x + fit.fit.b);
        let points = results
            .cpu
            .iter()
            .filter(of_fit)
            .map(|p| (p.kfps, p.percent));
        series.push(Series {
            joined: true,
            points: vec![at(fit.fit.from), at(fit.fit.to)],
            ..base.clone()
        });
        series.push(Series {
            marked: true,
            points: points.collect(),
            ..base
        });
    }
    Chart {
        title,
        about: "CPU use in percent of one CPU over thousands of frames per second: what was measured, and the line with the least sum of squares.",
        x: "kframes/s",
        y: "% of one CPU",
        logarithmic: false,
        width,
        reach: (0.0, 0.0),
        kinds: order.kinds(),
        series,
    }
    .draw()
}

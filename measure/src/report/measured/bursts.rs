//! Bursts back to back (RFC 9004), and how long the device takes to be itself again (RFC 2544 26.5, RFC 6201).

use super::super::number::{count, fixed};
use super::super::table::{Cell, Table};
use super::order::Order;
use super::section::Section;
use crate::results::{Recovery, Results, Test};

/// Back-to-back bursts, if they were measured.
pub fn back_to_back(results: &Results, order: &Order) -> Option<Section> {
    let mut section = Section::new("back-to-back", "Bursts back to back");
    section.say("The longest burst at the rate of the link of which no frame is lost, and the buffer that follows from it (RFC 9004 6.4). The corrected buffer is without what was forwarded while the burst came in.");
    let mut table = Table::new(
        "Back-to-back frames",
        &[
            "Size (octets)",
            "<PI",
            "Bursts",
            "Mean (frames)",
            "Min",
            "Max",
            "Standard deviation",
            "Rate (kframes/s)",
            "Implied buffer (µs)",
            "Corrected buffer (µs)",
        ],
    );
    let mut all: Vec<_> = results.back_to_back.iter().collect();
    all.sort_by_key(|b| (&b.size, order.place_of(&b.pi)));
    for b in all {
        let least = if b.is_at_least { "≥ " } else { "" };
        let us = |s: f64| format!("{least}{}", fixed(s * 1e6, 1));
        table.row([
            b.size.to_string().into(),
            b.pi.as_str().into(),
            b.bursts.len().to_string().into(),
            format!("{least}{}", fixed(b.mean_frames, 1)).into(),
            count(b.min_frames).into(),
            count(b.max_frames).into(),
            fixed(b.stddev_frames, 1).into(),
            fixed(b.burst_fps / 1e3, 2).into(),
            us(b.implied_buffer_s).into(),
            b.corrected_buffer_s.map_or_else(String::new, us).into(),
        ]);
    }
    section.table(table);
    section.shown()
}

/// System recovery, if it was measured.
pub fn recovery(results: &Results, order: &Order) -> Option<Section> {
    let mut section = Section::new("recovery", "Recovery from overload");
    section.say("From the drop of the load below the throughput until the last frame that was lost (RFC 2544 26.5).");
    section.table(times(results, order, Test::Recovery));
    section.shown()
}

/// Reset, if it was measured.
pub fn reset(results: &Results, order: &Order) -> Option<Section> {
    let mut section = Section::new("reset", "Reset");
    section.say("How long no frame was forwarded after a reset, by the times of arrival and by the frames lost (RFC 6201 4).");
    section.table(times(results, order, Test::Reset));
    section.shown()
}

fn times(results: &Results, order: &Order, test: Test) -> Table {
    let (caption, before, after) = match test {
        Test::Reset => ("Reset, times in ms", "Offered (kframes/s)", ""),
        _ => (
            "Recovery, times in ms",
            "Overload (kframes/s)",
            "Then (kframes/s)",
        ),
    };
    let mut table = Table::new(
        caption,
        &[
            "Size (octets)",
            "<PI",
            before,
            after,
            "Repetitions",
            "Mean",
            "Min",
            "Max",
            "Mean by frames lost",
            "Most lost (frames)",
        ],
    );
    let mut all: Vec<&Recovery> = results.recovery.iter().filter(|r| r.test == test).collect();
    all.sort_by_key(|r| (&r.size, order.place_of(&r.pi)));
    for r in all {
        let least = if r.is_at_least { "≥ " } else { "" };
        let ms = |s: f64| format!("{least}{}", fixed(s * 1e3, 3));
        let end = |pick: fn(f64, f64) -> f64| {
            r.seconds
                .iter()
                .copied()
                .reduce(pick)
                .map_or_else(String::new, ms)
        };
        let most = r.lost.iter().max().copied().unwrap_or(0);
        let [first, then] = r.offered_fps.map(|fps| fixed(fps / 1e3, 2));
        table.row([
            r.size.to_string().into(),
            r.pi.as_str().into(),
            first.into(),
            if test == Test::Reset {
                "".into()
            } else {
                then.into()
            },
            r.seconds.len().to_string().into(),
            ms(r.mean_s).into(),
            end(f64::min).into(),
            end(f64::max).into(),
            mean(&r.loss_seconds).map_or_else(String::new, ms).into(),
            Cell::from(count(most)),
        ]);
    }
    table
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

//! The order in which PIs, sizes and isolations stand in every table and plot of a report, and their colours.

use std::collections::BTreeSet;

use super::super::svg::distinct;
use crate::results::{Results, SizeLabel};

/// Colours and marks that there are for PIs and sizes; the last is the host's.
const STYLES: usize = 7;

/// What occurs in the results.
pub struct Order {
    pis: Vec<String>,
    /// Sizes in octets, ascending, then mixes.
    pub sizes: Vec<SizeLabel>,
    /// Kinds of isolation; empty: nothing is known of any.
    pub isolations: Vec<String>,
}

impl Order {
    /// Of everything that is in `results`.
    pub fn of(results: &Results) -> Self {
        let streams = || results.trials.iter().flat_map(|t| &t.streams);
        let pis = (streams().map(|s| s.pi.as_str()))
            .chain(results.throughput.iter().map(|t| t.pi.as_str()))
            .chain(results.back_to_back.iter().map(|b| b.pi.as_str()))
            .chain(results.recovery.iter().map(|r| r.pi.as_str()))
            .chain(results.demands.iter().map(|d| d.pi.as_str()))
            .chain(results.cpu.iter().map(|p| p.pi.as_str()))
            .chain(results.cpu_fit.iter().map(|f| f.pi.as_str()))
            .chain(results.cpu_check.iter().map(|c| c.pi.as_str()))
            .filter(|pi| *pi != "host");
        let sizes: BTreeSet<&SizeLabel> = (results.trials.iter().map(|t| &t.size))
            .chain(results.throughput.iter().map(|t| &t.size))
            .chain(results.cpu.iter().map(|p| &p.size))
            .chain(results.cpu_fit.iter().map(|f| &f.size))
            .collect();
        let isolations = (results.trials.iter())
            .filter_map(|t| t.isolation.as_deref())
            .chain(
                results
                    .throughput
                    .iter()
                    .filter_map(|t| t.isolation.as_deref()),
            )
            .chain(results.cpu.iter().map(|p| p.isolation.as_str()))
            .chain(results.cpu_fit.iter().map(|f| f.isolation.as_str()))
            .filter(|isolation| !isolation.is_empty());
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        Self {
            pis: owned(distinct(pis)),
            sizes: sizes.into_iter().cloned().collect(),
            isolations: owned(distinct(isolations)),
        }
    }

    /// Colour and mark of a PI or of the host.
    pub fn style_of(&self, pi: &str) -> usize {
        let place = self.pis.iter().position(|p| p == pi);
        place.map_or(STYLES - 1, |place| place % (STYLES - 1))
    }

    /// Place of a PI among all; the host is last.
    pub fn place_of(&self, pi: &str) -> usize {
        let place = self.pis.iter().position(|p| p == pi);
        place.unwrap_or(self.pis.len())
    }

    /// Colour and mark of a size.
    pub fn style_of_size(&self, size: &SizeLabel) -> usize {
        let place = self.sizes.iter().position(|s| s == size);
        place.unwrap_or(0) % STYLES
    }

    /// What solid and dashed lines are, where there are both.
    pub fn kinds(&self) -> Option<(&str, &str)> {
        let hollow = self.isolations.iter().find(|i| is_hollow(i))?;
        let solid = self.isolations.iter().find(|i| !is_hollow(i))?;
        Some((isolation_words(solid), isolation_words(hollow)))
    }

    /// Sizes in octets.
    pub fn octets(&self) -> impl Iterator<Item = &SizeLabel> {
        let fixed = |size: &&SizeLabel| matches!(size, SizeLabel::Octets(_));
        self.sizes.iter().filter(fixed)
    }

    /// Mixes.
    pub fn mixes(&self) -> impl Iterator<Item = &SizeLabel> {
        let mix = |size: &&SizeLabel| matches!(size, SizeLabel::Mix(_));
        self.sizes.iter().filter(mix)
    }
}

/// A kind of isolation for people.
pub fn isolation_words(isolation: &str) -> &str {
    match isolation {
        "kvm" => "VM",
        other => other,
    }
}

/// A size for people.
pub fn size_words(size: &SizeLabel) -> String {
    match size {
        SizeLabel::Octets(octets) => format!("{octets} B"),
        SizeLabel::Mix(name) => name.clone(),
    }
}

/// A thread's lines are dashed and its marks hollow.
pub fn is_hollow(isolation: &str) -> bool {
    isolation == "thread"
}

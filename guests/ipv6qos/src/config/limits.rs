//! How much there may be of each thing. Memory is set aside for it when the guest is configured.

use core::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::neighbour;
use crate::rules::MAX_RULES;

/// The most there may be of each thing, in all virtual networks together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Routes, those to links and to addresses of the router included.
    pub routes: u32,
    /// Different next routers of routes.
    pub next_hops: u32,
    /// Neighbours, learned and static.
    pub neighbours: u32,
    /// Prefixes in tables.
    pub table_prefixes: u32,
    /// Filter rules.
    pub filter_rules: u32,
    /// Rules of the classifier.
    pub class_rules: u32,
    /// Policers.
    pub policers: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            routes: 16_384,
            next_hops: 1024,
            neighbours: 1024,
            table_prefixes: 4096,
            filter_rules: 256,
            class_rules: 64,
            policers: 256,
        }
    }
}

impl Limits {
    /// The key that is out of its bounds, and what it may be.
    pub(super) fn wrong(&self) -> Option<(&'static str, RangeInclusive<u32>)> {
        let neighbours = neighbour::Limits::FEWEST..=neighbour::Limits::MOST;
        [
            ("routes", self.routes, 0..=4_000_000),
            ("next_hops", self.next_hops, 0..=4096),
            ("neighbours", self.neighbours, neighbours),
            ("table_prefixes", self.table_prefixes, 0..=4_000_000),
            ("filter_rules", self.filter_rules, 0..=MAX_RULES as u32),
            ("class_rules", self.class_rules, 0..=MAX_RULES as u32),
            ("policers", self.policers, 0..=65_536),
        ]
        .into_iter()
        .find(|(_, value, allowed)| !allowed.contains(value))
        .map(|(key, _, allowed)| (key, allowed))
    }
}

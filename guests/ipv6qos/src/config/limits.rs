//! How much there may be of each thing. Memory is set aside for it when the guest is configured.

use serde::{Deserialize, Serialize};

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
    /// What a limit may be; the key that is too high, and the most it may be.
    pub(super) fn too_high(&self) -> Option<(&'static str, u32)> {
        [
            ("routes", self.routes, 4_000_000),
            ("next_hops", self.next_hops, 4096),
            ("neighbours", self.neighbours, 65_536),
            ("table_prefixes", self.table_prefixes, 4_000_000),
            ("filter_rules", self.filter_rules, MAX_RULES as u32),
            ("class_rules", self.class_rules, MAX_RULES as u32),
            ("policers", self.policers, 65_536),
        ]
        .into_iter()
        .find(|(_, value, most)| value > most)
        .map(|(key, _, most)| (key, most))
    }
}

//! The packet filter: flows that were let pass, then rules in the order of their priorities, then pass.
//!
//! ```text
//! flows  what is remembered of packets that were let pass
//! rules  what rules do, and what they counted
//! ```
//!
//! Open as long as it has no rules: then nothing need be asked.

pub mod flows;
mod rules;

use alloc::vec::Vec;

use pinode_guest_runtime::BURST;

use crate::control::item::{FilterAction, FilterRule};
use crate::control::view::FilterView;
use crate::packet::Fields;
use crate::rules::{Names, RuleError, Tables};
use rules::FilterRules;

/// Why a packet is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A rule says so.
    Rule,
    /// A rule tracks its flow, and there is no room for another.
    FlowsFull,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Pass,
    /// It is dropped without a word.
    Drop(Cause),
    /// It is dropped and its sender told: communication administratively prohibited (RFC 4443 3.1).
    Reject,
}

/// The packet filter.
#[derive(Debug, Default)]
pub struct Filter {
    rules: FilterRules,
}

impl Filter {
    /// One without rules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether all packets pass: nothing need be asked.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.rules.is_idle()
    }

    /// Adds a rule; gives it with its priority. In force when [`work`](Self::work) is done.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what is allowed.
    pub fn add(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        rule: &FilterRule,
    ) -> Result<FilterRule, RuleError> {
        self.rules.add(tables, names, rule)
    }

    /// Puts a rule in the place of the one with its priority; adds it if there is none. Its counters begin at 0.
    /// In force when [`work`](Self::work) is done.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what is allowed; the one before stays.
    pub fn replace(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        rule: &FilterRule,
    ) -> Result<FilterRule, RuleError> {
        self.rules.replace(tables, names, rule)
    }

    /// Deletes the rule with the priority of `rule`. In force when [`work`](Self::work) is done.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn delete(&mut self, tables: &mut Tables, rule: &FilterRule) -> Result<(), RuleError> {
        self.rules.delete(tables, rule)
    }

    /// Works on bringing changes into force, `budget` of work at most ([`SLICE`](crate::rules::SLICE): about
    /// 30 us). True: all that was changed is in force.
    pub fn work(&mut self, tables: &mut Tables, budget: u32) -> bool {
        self.rules.work(tables, budget)
    }

    /// Up to `most` rules behind the one with priority `after`, with what they counted.
    pub fn list(&self, after: Option<u32>, most: usize) -> Vec<FilterView> {
        self.rules.list(after, most)
    }

    /// Judges packets.
    pub fn judge_burst(
        &mut self,
        _now_ns: u64,
        tables: &Tables,
        packets: &[Fields],
        verdicts: &mut [Verdict],
    ) {
        for (packets, verdicts) in packets.chunks(BURST).zip(verdicts.chunks_mut(BURST)) {
            let mut first = [None; BURST];
            self.rules.first_burst(tables, packets, &mut first);
            for ((packet, verdict), first) in packets.iter().zip(verdicts).zip(first) {
                let action = first.map(|rule| self.rules.apply(rule, packet));
                *verdict = match action {
                    None | Some(FilterAction::Accept | FilterAction::Track) => Verdict::Pass,
                    Some(FilterAction::Drop) => Verdict::Drop(Cause::Rule),
                    Some(FilterAction::Reject) => Verdict::Reject,
                };
            }
        }
    }

    /// Whether the packet that an ICMPv6 error is about, embedded in it, is of a flow that was let pass, in either
    /// direction.
    pub fn is_related(&self, _now_ns: u64, _embedded: &Fields) -> bool {
        false
    }
}

//! Rules of the filter: what they do, and what they counted.

use alloc::vec::Vec;

use crate::control::item::{FilterAction, FilterRule};
use crate::control::view::{Count, FilterView};
use crate::packet::Fields;
use crate::rules::{Names, RuleError, RuleId, Rules, Tables};

/// What a rule does, and what it counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effect {
    pub action: FilterAction,
    pub count: Count,
}

impl Effect {
    fn of(rule: &FilterRule) -> Self {
        Effect {
            action: rule.action,
            count: Count::default(),
        }
    }
}

/// The rules of the filter.
#[derive(Debug, Default)]
pub(super) struct FilterRules {
    rules: Rules<Effect>,
    /// Rules of the list that track flows.
    tracking: usize,
    /// Whether a rule that tracks flows is in force, or may be.
    may_track: bool,
}

impl FilterRules {
    /// No rules, and room for `most`.
    pub fn with_room(most: u32) -> Self {
        FilterRules {
            rules: Rules::with_room(most as usize),
            ..Self::default()
        }
    }

    /// Octets of the heap that so many take.
    pub fn octets(most: u32) -> u64 {
        Rules::<Effect>::octets(most as usize) as u64
    }

    /// Whether there was no memory to bring what was changed into force.
    pub fn is_starved(&self) -> bool {
        self.rules.is_starved()
    }

    #[inline]
    pub fn is_idle(&self) -> bool {
        self.rules.is_idle()
    }

    pub fn add(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        rule: &FilterRule,
    ) -> Result<FilterRule, RuleError> {
        let (rules, effect) = (&mut self.rules, Effect::of(rule));
        let priority = rules.insert(tables, names, rule.priority, &rule.matches, effect)?;
        Ok(self.added(rule, priority))
    }

    pub fn replace(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        rule: &FilterRule,
    ) -> Result<FilterRule, RuleError> {
        let tracked = self.tracks(rule.priority);
        let (rules, effect) = (&mut self.rules, Effect::of(rule));
        let priority = rules.replace(tables, names, rule.priority, &rule.matches, effect)?;
        self.tracking -= tracked;
        Ok(self.added(rule, priority))
    }

    pub fn delete(&mut self, tables: &mut Tables, rule: &FilterRule) -> Result<(), RuleError> {
        let priority = rule.priority.ok_or(RuleError::Unnamed)?;
        let tracked = self.tracks(rule.priority);
        self.rules.remove(tables, priority)?;
        self.tracking -= tracked;
        Ok(())
    }

    pub fn work(&mut self, tables: &mut Tables, budget: u32) -> bool {
        let done = self.rules.work(tables, budget);
        if done && !self.rules.is_starved() {
            self.may_track = self.tracking > 0;
        }
        done
    }

    /// Whether a rule in force tracks flows.
    #[inline]
    pub fn may_track(&self) -> bool {
        self.may_track
    }

    /// A rule is new in the list.
    fn added(&mut self, rule: &FilterRule, priority: u32) -> FilterRule {
        if rule.action == FilterAction::Track {
            self.tracking += 1;
            self.may_track = true;
        }
        FilterRule {
            priority: Some(priority),
            ..rule.clone()
        }
    }

    /// Whether the rule at `priority` tracks flows, as a number.
    fn tracks(&self, priority: Option<u32>) -> usize {
        let at = priority.and_then(|priority| self.rules.get(priority));
        usize::from(at.is_some_and(|(_, effect)| effect.action == FilterAction::Track))
    }

    #[inline]
    pub fn first_burst(
        &mut self,
        tables: &Tables,
        packets: &[Fields],
        first: &mut [Option<RuleId>],
    ) {
        self.rules.first_burst(tables, packets, first);
    }

    /// How often other rules have come into force.
    #[inline]
    pub fn swaps(&self) -> u64 {
        self.rules.swaps()
    }

    /// What all packets find, if the rules in force look at nothing of them.
    #[inline]
    pub fn common(&self) -> Option<RuleId> {
        self.rules.common()
    }

    /// What is to be done with packets that found `rule`.
    #[inline]
    pub fn action(&mut self, rule: Option<RuleId>) -> FilterAction {
        let effect = rule.and_then(|rule| self.rules.payload_mut(rule));
        effect.map_or(FilterAction::Accept, |effect| effect.action)
    }

    /// Counts a packet that found `rule`.
    #[inline(always)]
    pub fn count_one(&mut self, rule: Option<RuleId>, octets: u16) {
        if let Some(effect) = rule.and_then(|rule| self.rules.payload_mut(rule)) {
            effect.count.add(octets);
        }
    }

    /// Counts packets that found `rule`.
    #[inline]
    pub fn count(&mut self, rule: Option<RuleId>, count: Count) {
        if let Some(effect) = rule.and_then(|rule| self.rules.payload_mut(rule)) {
            effect.count.merge(count);
        }
    }

    pub fn list(&self, after: Option<u32>, most: usize) -> Vec<FilterView> {
        let rules = self.rules.list(after).take(most);
        rules
            .map(|(priority, wanted, effect)| FilterView {
                rule: FilterRule {
                    priority: Some(priority),
                    matches: wanted.clone(),
                    action: effect.action,
                },
                count: effect.count,
            })
            .collect()
    }
}

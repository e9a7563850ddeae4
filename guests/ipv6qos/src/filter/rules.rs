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
}

impl FilterRules {
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
        let priority = rule.priority;
        let effect = Effect::of(rule);
        let priority = self
            .rules
            .insert(tables, names, priority, &rule.matches, effect)?;
        Ok(FilterRule {
            priority: Some(priority),
            ..rule.clone()
        })
    }

    pub fn replace(
        &mut self,
        tables: &mut Tables,
        names: Names<'_>,
        rule: &FilterRule,
    ) -> Result<FilterRule, RuleError> {
        let priority = rule.priority;
        let effect = Effect::of(rule);
        let priority = self
            .rules
            .replace(tables, names, priority, &rule.matches, effect)?;
        Ok(FilterRule {
            priority: Some(priority),
            ..rule.clone()
        })
    }

    pub fn delete(&mut self, tables: &mut Tables, rule: &FilterRule) -> Result<(), RuleError> {
        let priority = rule.priority.ok_or(RuleError::Unnamed)?;
        self.rules.remove(tables, priority)
    }

    pub fn work(&mut self, tables: &mut Tables, budget: u32) -> bool {
        self.rules.work(tables, budget)
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

    /// Counts a packet that found `rule`; what is to be done with it.
    #[inline]
    pub fn apply(&mut self, rule: RuleId, packet: &Fields) -> FilterAction {
        match self.rules.payload_mut(rule) {
            Some(effect) => {
                effect.count.add(packet.octets);
                effect.action
            }
            None => FilterAction::Accept,
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

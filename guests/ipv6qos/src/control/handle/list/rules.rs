//! Tables, policers, and rules of both kinds.

use alloc::string::{String, ToString};

use super::{Page, Wanted};
use crate::control::matching::Match;
use crate::control::view::View;
use crate::router::Running;

impl Running {
    /// Tables by name; with `of` the prefixes of that table.
    pub(super) fn table_page(&self, wanted: &Wanted<'_>) -> Result<Page, String> {
        let Some(name) = wanted.of else {
            let tables = self.tables.list(wanted.after);
            let tables = tables.map(|table| (table.table.clone(), Some(View::Table(table))));
            return Ok(Page::take(tables, wanted.most));
        };
        let entries = self
            .tables
            .entries(name, wanted.after()?)
            .map_err(|error| error.to_string())?;
        let entries = entries.map(|entry| (entry.prefix, Some(View::TableEntry(entry))));
        Ok(Page::take(entries, wanted.most))
    }

    /// Policers by name.
    pub(super) fn policer_page(&self, wanted: &Wanted<'_>) -> Result<Page, String> {
        let policers = self.diffserv.policers(wanted.after);
        let policers = policers.map(|view| (view.policer.name.clone(), Some(View::Policer(view))));
        Ok(Page::take(policers, wanted.most))
    }

    /// Rules of the classifier by priority.
    pub(super) fn class_page(&self, wanted: &Wanted<'_>) -> Result<Page, String> {
        let rules = self.diffserv.classes(wanted.after()?).map(|view| {
            let is_wanted = self.is_wanted(wanted, &view.rule.matches);
            (
                view.rule.priority.unwrap_or(0),
                is_wanted.then_some(View::Class(view)),
            )
        });
        Ok(Page::take(rules, wanted.most))
    }

    /// Filter rules by priority.
    pub(super) fn filter_page(&self, wanted: &Wanted<'_>) -> Result<Page, String> {
        // One more than fits shows whether there are more.
        let rules = self.filter.list(wanted.after()?, wanted.most + 1);
        let rules = rules.into_iter().map(|view| {
            let is_wanted = self.is_wanted(wanted, &view.rule.matches);
            (
                view.rule.priority.unwrap_or(0),
                is_wanted.then_some(View::Filter(view)),
            )
        });
        Ok(Page::take(rules, wanted.most))
    }

    /// Flows, by their places in the table.
    pub(super) fn flow_page(&self, wanted: &Wanted<'_>) -> Result<Page, String> {
        if wanted.of.is_some() {
            return Err(String::from("of: a flow is of no interface; allowed: vn"));
        }
        let from: Option<u32> = wanted.after()?;
        let flows = self.filter.flows();
        let page = flows.list(self.now_ns, wanted.vn, from.unwrap_or(0), wanted.most);
        Ok(Page {
            entries: page.flows.into_iter().map(View::Flow).collect(),
            next: page.next.map(|next| next.to_string()),
        })
    }

    /// Whether a rule may match packets of the virtual network and interface that are asked for.
    fn is_wanted(&self, wanted: &Wanted<'_>, matches: &Match) -> bool {
        let vn = wanted
            .vn
            .is_none_or(|vn| matches.vn.is_none_or(|of| of == vn));
        let dev = wanted.of.is_none_or(|of| {
            matches
                .dev
                .as_deref()
                .is_none_or(|dev| self.names.find(dev) == self.names.find(of))
        });
        vn && dev
    }
}

//! What there is, a page at a time.
//!
//! ```text
//! links     interfaces, addresses, neighbours
//! routes    routes
//! rules     tables, policers, rules of both kinds
//! counters  counters and bounds
//! ```
//!
//! A page goes on behind the last entry of the one before, so that what is added or deleted meanwhile moves nothing
//! else. While one is made frames wait: it has few entries, and looks at few that it leaves out.

mod counters;
mod links;
mod routes;
mod rules;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Display;
use core::str::FromStr;

use crate::control::request::{Answer, Kind};
use crate::control::view::View;
use crate::router::Running;
use crate::vn::{InterfaceId, Vn};

/// Most entries of a page.
pub(super) const MOST: u32 = 64;
/// Most entries that a page looks at.
const LOOKED_AT: usize = 4096;

/// What of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub what: Kind,
    pub vn: Option<Vn>,
    pub of: Option<&'a str>,
    pub after: Option<&'a str>,
    pub most: usize,
}

/// Part of a list.
#[derive(Debug, Default)]
struct Page {
    entries: Vec<View>,
    next: Option<String>,
}

impl Page {
    /// Takes entries, each with its name, until there is no room or many were looked at; those that are `None` are
    /// left out.
    fn take<N: Display>(entries: impl Iterator<Item = (N, Option<View>)>, most: usize) -> Self {
        let mut page = Page::default();
        let mut last = None;
        for (looked_at, (name, entry)) in entries.enumerate() {
            if page.entries.len() == most || looked_at == LOOKED_AT {
                page.next = last.map(|name: N| name.to_string());
                return page;
            }
            page.entries.extend(entry);
            last = Some(name);
        }
        page
    }
}

impl Wanted<'_> {
    /// Where the page begins, read as what names entries of this list.
    fn after<T: FromStr>(&self) -> Result<Option<T>, String> {
        let read = |text: &str| {
            let wrong = || {
                format!(
                    "after: {text:?} is not where a page ended; allowed: next of the page before"
                )
            };
            text.parse().map_err(|_| wrong())
        };
        self.after.map(read).transpose()
    }
}

impl Running {
    /// A page of a list.
    pub(super) fn list(&self, wanted: &Wanted<'_>) -> Result<Answer, String> {
        let page = match wanted.what {
            Kind::Interface => self.interface_page(wanted),
            Kind::Address => self.address_page(wanted),
            Kind::Neighbour => self.neighbour_page(wanted),
            Kind::Route => self.route_page(wanted),
            Kind::Table => self.table_page(wanted),
            Kind::Policer => self.policer_page(wanted),
            Kind::Class => self.class_page(wanted),
            Kind::Filter => self.filter_page(wanted),
            Kind::Flow => self.flow_page(wanted),
            Kind::Counter => self.counter_page(wanted),
        }?;
        let Page { entries, next } = page;
        Ok(Answer::Page { entries, next })
    }

    /// The interface that is asked for.
    pub(super) fn of(&self, of: Option<&str>) -> Result<Option<InterfaceId>, String> {
        let find = |name| {
            self.names
                .find(name)
                .map_err(|error| format!("of: {error}"))
        };
        of.map(find).transpose()
    }
}

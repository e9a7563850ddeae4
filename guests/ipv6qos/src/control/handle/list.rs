//! What there is, a page at a time.
//!
//! A page goes on behind the name of the last entry of the one before, so that what is added or deleted meanwhile
//! moves nothing else. While one is made frames wait: it has few entries.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::control::request::{Answer, Kind};
use crate::control::view::{Count, CounterView, View};
use crate::counters::Cause;
use crate::router::Running;
use crate::vn::Vn;

/// Most entries of a page.
pub(super) const MOST: usize = 64;

/// What of a list is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub what: Kind,
    pub vn: Option<Vn>,
    pub of: Option<&'a str>,
    pub after: Option<&'a str>,
    pub most: usize,
}

impl Running {
    /// A page of a list.
    pub(super) fn page(&self, wanted: &Wanted<'_>) -> Result<Answer, String> {
        match wanted.what {
            Kind::Counter => Ok(self.counter_page(wanted)),
            _ => Err("no such list".to_string()),
        }
    }

    /// Counters of each virtual network that is carried.
    fn counter_page(&self, wanted: &Wanted<'_>) -> Answer {
        let mut all = Vec::new();
        for number in 0..32 {
            let Some(vn) = Vn::new(number) else { continue };
            if self.vn(Some(vn)).is_err() || wanted.vn.is_some_and(|wanted| wanted != vn) {
                continue;
            }
            let fates = self.counters.get(vn);
            let mut push = |name: &str, count: Count| {
                let counter = format!("vn{vn}.{name}");
                all.push((counter.clone(), View::Counter(CounterView { counter, count })));
            };
            push("received", fates.received);
            push("forwarded", fates.forwarded);
            push("delivered", fates.delivered);
            for (cause, count) in Cause::ALL.iter().zip(fates.dropped) {
                push(&format!("dropped.{}", cause.name()), count);
            }
        }
        let start = match wanted.after {
            None => 0,
            Some(after) => all.iter().position(|(name, _)| name == after).map_or(all.len(), |at| at + 1),
        };
        let page: Vec<_> = all.drain(start..).collect();
        cut(page, wanted.most)
    }
}

/// The first `most` entries, and where the others begin.
pub(super) fn cut(mut named: Vec<(String, View)>, most: usize) -> Answer {
    let more = named.len() > most;
    named.truncate(most);
    let next = named.last().filter(|_| more).map(|(name, _)| name.clone());
    Answer::Page {
        entries: named.into_iter().map(|(_, entry)| entry).collect(),
        next,
    }
}

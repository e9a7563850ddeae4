//! Counters, and what the bounds are.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Page, Wanted};
use crate::control::view::{Count, CounterView, View};
use crate::counters::{Cause, Fates};
use crate::router::Running;
use crate::vn::Vn;

impl Running {
    /// Counters of each virtual network that is carried, `vn0.forwarded`; then those of the whole router.
    pub(super) fn counter_page(&self, wanted: &Wanted<'_>) -> Result<Page, String> {
        let mut all = Vec::new();
        for number in 0..crate::vn::VNS as u8 {
            let vn = Vn::new(number).filter(|vn| self.vn(Some(*vn)).is_ok());
            if let Some(vn) = vn.filter(|vn| wanted.vn.is_none_or(|wanted| wanted == *vn)) {
                of_network(vn, self.counters.get(vn), &mut all);
            }
        }
        if wanted.vn.is_none() {
            self.of_router(&mut all);
        }
        let behind = |after: &str| all.iter().position(|(name, _)| name == after);
        let start = match wanted.after {
            None => 0,
            Some(after) => behind(after).map_or(all.len(), |at| at + 1),
        };
        let views = all.into_iter().skip(start).map(|(counter, count)| {
            let view = CounterView {
                counter: counter.clone(),
                count,
            };
            (counter, Some(View::Counter(view)))
        });
        Ok(Page::take(views, wanted.most))
    }

    fn of_router(&self, all: &mut Vec<(String, Count)>) {
        let classes = self.diffserv.counters();
        all.extend(classes.map(|view| (view.counter, view.count)));
        let counts = self.discovery.counts();
        let ignored = self.discovery.ignored();
        let (resolved, unresolved, held) = self.discovery.len();
        let limits = &self.limits;
        let number = |name: &str, packets: u64| {
            let count = Count { packets, octets: 0 };
            (String::from(name), count)
        };
        all.extend([
            number("neighbour.resolved", u64::from(resolved)),
            number("neighbour.unresolved", u64::from(unresolved)),
            number("neighbour.frames_held", held as u64),
            number("neighbour.asked", counts.asked),
            number("neighbour.answered", counts.resolved),
            number("neighbour.failed", counts.failed),
            number("neighbour.refused", counts.refused),
            number("neighbour.displaced", counts.displaced),
            number("neighbour.unlearned", counts.unlearned),
            number(
                "ignored.router_advertisements",
                ignored.router_advertisements,
            ),
            number("ignored.redirects", ignored.redirects),
            number("ignored.conflicts", ignored.conflicts),
            number("ignored.unanswered", ignored.unanswered),
            number("routes", self.routing.len() as u64),
            number("limit.routes", u64::from(limits.routes)),
            number("limit.next_hops", u64::from(limits.next_hops)),
            number("limit.neighbours", u64::from(limits.neighbours)),
            number("limit.table_prefixes", u64::from(limits.table_prefixes)),
            number("limit.filter_rules", u64::from(limits.filter_rules)),
            number("limit.class_rules", u64::from(limits.class_rules)),
            number("filter.starved", u64::from(self.filter.is_starved())),
            number("class.starved", u64::from(self.diffserv.is_starved())),
            number("limit.policers", u64::from(limits.policers)),
        ]);
    }
}

/// The counters of one virtual network.
fn of_network(vn: Vn, fates: &Fates, all: &mut Vec<(String, Count)>) {
    let mut push = |name: &str, count: Count| all.push((format!("vn{vn}.{name}"), count));
    let number = |packets: u64| Count { packets, octets: 0 };
    push("received", fates.received);
    push("forwarded", fates.forwarded);
    push("delivered", fates.delivered);
    push("held", number(fates.held));
    for (cause, count) in Cause::ALL.iter().zip(fates.dropped) {
        push(&format!("dropped.{}", cause.name()), count);
    }
    push("originated", number(fates.originated));
    push("originated.sent", number(fates.sent));
    push("originated.held", number(fates.own_held));
    push("originated.lost", number(fates.lost));
    push("originated.unsaid", number(fates.unsaid));
    push("errors.limited", number(fates.limited));
    push("reassembled", number(fates.reassembled));
    push("reassembled.expired", number(fates.expired));
}

//! What is done with flows besides frames: those that have run out are forgotten, in slices; flows are listed, a page
//! at a time; those of a virtual network are forgotten at once.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use super::table::{Flow, Place};
use super::{Flows, clock};
use crate::control::matching::Protocol;
use crate::control::view::FlowView;
use crate::vn::{VNS, Vn};

/// What looking at the flows of a group costs, in groups that are passed by.
const FLOWS_COST: u32 = 8;
/// Most groups that a page looks at: what 20 us are enough for.
const PAGE_GROUPS: u32 = 64;

/// Where the sweep is.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The group it comes to next.
    next: u32,
    /// Groups it must look at even if nothing of theirs has run out: flows were forgotten.
    forgotten: u32,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Flows, in no order that means anything. There may be none though there are more pages.
    pub flows: Vec<FlowView>,
    /// Where the next page begins; none: this was the last.
    pub next: Option<u32>,
}

impl Flows {
    /// Forgets flows that have run out. `budget` groups of eight places are passed by, less if there is something to
    /// do in them. A million flows have 150,000 groups; 256 a call take about a microsecond where nothing is due.
    pub fn work(&mut self, now_ns: u64, budget: u32) {
        let now = clock::steps(now_ns);
        let mut left = budget;
        while left > 0 {
            left -= 1;
            let group = self.sweep.next;
            self.sweep.next = if group + 1 < self.table.groups() {
                group + 1
            } else {
                0
            };
            if self.sweep_group(now, group) {
                left = left.saturating_sub(FLOWS_COST);
            }
            self.sweep.forgotten = self.sweep.forgotten.saturating_sub(1);
        }
    }

    /// Forgets what has run out in a group, if something may have; whether it was looked at.
    pub(super) fn sweep_group(&mut self, now: u32, group: u32) -> bool {
        let Some(state) = self.table.group(group) else {
            return false;
        };
        if state.is_empty() || (!state.is_due(clock::seconds(now)) && self.sweep.forgotten == 0) {
            return false;
        }
        let mut due = None;
        for in_group in state.taken() {
            let place = Place::new(group, in_group);
            if !self.is_alive(now, place) {
                self.forget(place);
                self.tally.ended += 1;
            } else if let Some(flow) = self.table.flow(place) {
                // Compared as distances: the clock wraps.
                let ahead = flow.expires.wrapping_sub(now);
                due = Some(due.map_or(ahead, |due: u32| due.min(ahead)));
            }
        }
        let due = due.unwrap_or(0);
        if let Some(state) = self.table.group_mut(group) {
            state.set_due(clock::due(now.wrapping_add(due), now));
        }
        true
    }

    /// Forgets all flows, or those of a virtual network; how many. At once: their places are come by later.
    pub fn flush(&mut self, vn: Option<Vn>) -> u64 {
        let mut forgotten = 0;
        let all = (0..VNS as u8).map(Vn::of_pih);
        for of in all.filter(|of| vn.is_none_or(|vn| vn == *of)) {
            let there = self.shares.flush(of);
            if there > 0
                && let Some(generation) = self.generations.get_mut(of.index())
            {
                *generation = generation.wrapping_add(1);
            }
            forgotten += u64::from(there);
        }
        if forgotten > 0 {
            self.sweep.forgotten = self.table.groups();
        }
        forgotten
    }

    /// A page of the flows, of all or of one virtual network, from `from` on ([`Page::next`] of the page before, or
    /// 0): `most` or a few more, or fewer where the table is sparse, so that a page takes no longer than 20 us.
    /// Flows that come and go meanwhile may be missing, or listed twice.
    pub fn list(&self, now_ns: u64, vn: Option<Vn>, from: u32, most: usize) -> Page {
        let now = clock::steps(now_ns);
        let mut flows = Vec::new();
        let end = self.table.groups();
        let mut group = from;
        while group < end && group - from < PAGE_GROUPS && flows.len() < most {
            let places = self.table.group(group).map(|group| group.taken());
            for in_group in places.into_iter().flatten() {
                let place = Place::new(group, in_group);
                let flow = self.table.flow(place).filter(|flow| {
                    vn.is_none_or(|vn| vn == flow.key.vn()) && self.is_alive(now, place)
                });
                flows.extend(flow.map(|flow| view(flow, now)));
            }
            group += 1;
        }
        Page {
            flows,
            next: (group < end).then_some(group),
        }
    }
}

fn view(flow: &Flow, now: u32) -> FlowView {
    let (from, sport) = flow.key.end(flow.swapped);
    let (to, dport) = flow.key.end(!flow.swapped);
    FlowView {
        vn: flow.key.vn(),
        from: Ipv6Addr::from(from),
        to: Ipv6Addr::from(to),
        protocol: Protocol(flow.key.protocol()),
        sport,
        dport,
        state: flow.phase.name().into(),
        packets: flow.packets,
        expires: clock::left(flow.expires, now),
    }
}

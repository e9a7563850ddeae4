//! Entries as they are shown, and flushed, a slice at a time.

use super::{Cache, NeighbourId};
use crate::control::item::Mac;
use crate::control::view::Reachability;
use crate::neighbour::outbox::{Fate, Outbox};
use crate::vn::{InterfaceId, Vn};

/// Most places looked at for a page of the list.
const LOOKED_AT: usize = 4096;
/// Most places flushed in a tick.
const FLUSHED: usize = 512;

/// Which neighbours are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only those of this virtual network.
    pub vn: Option<Vn>,
    /// Only those of this interface.
    pub interface: Option<InterfaceId>,
}

impl Filter {
    fn wants(&self, interface: InterfaceId) -> bool {
        self.vn.is_none_or(|vn| vn == interface.vn())
            && self.interface.is_none_or(|wanted| wanted == interface)
    }
}

/// A flush that goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flush {
    filter: Filter,
    next: usize,
}

/// A neighbour as it is shown; names are the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The interface.
    pub interface: InterfaceId,
    /// Its address.
    pub address: u128,
    /// Its MAC address, where it is known.
    pub mac: Option<Mac>,
    /// Its state.
    pub state: Reachability,
    /// It says that it is a router.
    pub router: bool,
    /// In that state since, nanoseconds of the guest's clock.
    pub since_ns: u64,
}

impl<F> Cache<F> {
    /// A neighbour as it is shown.
    pub fn listed(&self, NeighbourId(at): NeighbourId) -> Option<Listed> {
        let hop = self.hops.get(at as usize).filter(|hop| hop.live)?;
        let entry = self.entries.get(at as usize)?;
        Some(Listed {
            interface: hop.interface,
            address: hop.address,
            mac: hop.is_usable().then_some(hop.mac),
            state: hop.state,
            router: hop.router,
            since_ns: entry.since_ns,
        })
    }

    /// Shows `show` the neighbours from place `from` on until it says that there is no more room (false: it did not
    /// take this one), or many places were looked at. Gives the place to go on at; none: these were the last.
    /// Every neighbour that is there all the time is shown once, in no order.
    pub fn list(
        &self,
        filter: Filter,
        from: u32,
        mut show: impl FnMut(Listed) -> bool,
    ) -> Option<u32> {
        let last = (from as usize).saturating_add(LOOKED_AT);
        for at in from as usize..self.hops.len() {
            // Places are 32 bits.
            let place = at as u32;
            if at >= last {
                return Some(place);
            }
            if let Some(listed) = self.listed(NeighbourId(place))
                && filter.wants(listed.interface)
                && !show(listed)
            {
                return Some(place);
            }
        }
        None
    }

    /// Forgets what was learned of these neighbours: not the configured ones, nor those that are being asked for.
    /// Gives how many are; the last of many are gone some ticks later.
    pub fn flush(&mut self, filter: Filter, out: &mut Outbox<F>) -> u64 {
        let meant = self.hops.iter().filter(|hop| is_flushed(hop, filter));
        let meant = meant.count() as u64;
        if self.flushes.is_full() {
            // So many at once are one for all.
            self.flushes.clear();
            self.flushes.push(Flush {
                filter: Filter::default(),
                next: 0,
            });
        } else {
            self.flushes.push(Flush { filter, next: 0 });
        }
        self.go_on_flushing(out);
        meant
    }

    pub(super) fn go_on_flushing(&mut self, out: &mut Outbox<F>) {
        let Some(mut flush) = self.flushes.first().copied() else {
            return;
        };
        let end = flush.next.saturating_add(FLUSHED).min(self.hops.len());
        for at in flush.next..end {
            if self
                .hops
                .get(at)
                .is_some_and(|hop| is_flushed(hop, flush.filter))
            {
                self.forget(at as u32, Fate::Refused, out);
            }
        }
        flush.next = end;
        if end < self.hops.len() {
            if let Some(first) = self.flushes.first_mut() {
                *first = flush;
            }
        } else {
            self.flushes.remove(0);
        }
    }
}

fn is_flushed(hop: &super::Hop, filter: Filter) -> bool {
    let is_kept = matches!(
        hop.state,
        Reachability::Permanent | Reachability::Incomplete
    );
    hop.live && !is_kept && filter.wants(hop.interface)
}

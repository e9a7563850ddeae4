//! Who makes room for a new entry where there is none: what is worth least, where there is most of it.

use super::share::Share;
use super::{Cache, order};
use crate::control::view::Reachability;
use crate::neighbour::outbox::{Fate, Outbox};
use crate::vn::Vn;

impl<F> Cache<F> {
    /// A virtual network is in use: a part of all that is shared is kept for it from now on.
    pub fn serve(&mut self, vn: Vn) {
        if self.networks.contains(&vn) {
            return;
        }
        // There are as many places as networks.
        let _ = self.networks.try_push(vn);
        let networks = self.networks.len() as u32;
        for share in [
            &mut self.resolved,
            &mut self.unresolved,
            &mut self.held.share,
        ] {
            share.divide(networks);
        }
    }

    /// Makes room for an entry of `vn` without a MAC address: the oldest that failed goes, or the one asked for
    /// longest. False: there is none.
    pub(super) fn room_for_unresolved(&mut self, vn: Vn, out: &mut Outbox<F>) -> bool {
        if self.unresolved.has_room(vn) {
            return true;
        }
        let oldest = self
            .oldest(&self.unresolved, vn, order::FAILED)
            .or_else(|| self.oldest(&self.unresolved, vn, order::INCOMPLETE));
        self.displace(oldest, out)
    }

    /// Makes room for an entry of `vn` with a MAC address: one goes that nothing is sent to, first those that never
    /// answered, and only those for one that did not (`gleaned`). False: there is none.
    pub(super) fn room_for_resolved(&mut self, vn: Vn, gleaned: bool, out: &mut Outbox<F>) -> bool {
        if self.resolved.has_room(vn) {
            return true;
        }
        let mut oldest = self.oldest(&self.resolved, vn, order::GLEANED);
        if !gleaned {
            oldest = oldest.or_else(|| self.oldest(&self.resolved, vn, order::STALE));
        }
        self.displace(oldest, out)
    }

    /// The oldest entry in the queues of `order` that may make room for one of `vn`.
    fn oldest(&self, share: &Share, vn: Vn, order: usize) -> Option<u32> {
        let first = |of: Vn| self.queues.first(of.index() * order::QUEUES + order);
        share.yields(vn, |of| first(of).is_some()).and_then(first)
    }

    fn displace(&mut self, entry: Option<u32>, out: &mut Outbox<F>) -> bool {
        if let Some(entry) = entry {
            self.counts.displaced += 1;
            self.forget(entry, Fate::Refused, out);
        }
        entry.is_some()
    }

    /// What entries in this state are counted in.
    pub(super) fn share_of(&mut self, state: Reachability) -> &mut Share {
        match state {
            Reachability::Incomplete | Reachability::Failed => &mut self.unresolved,
            _ => &mut self.resolved,
        }
    }
}

//! Room for a new flow: a free place, or that of one that gives way.
//!
//! Must never take the place of an established flow, nor of one within another virtual network's share.

use super::key::Probe;
use super::state::Phase;
use super::table::{Flow, Place};
use super::{Flows, Full, clock};
use crate::vn::Vn;

impl Flows {
    /// Makes a flow that is not there, at this place if there is one for it.
    pub(super) fn make(
        &mut self,
        now: u32,
        probe: &Probe,
        phase: Phase,
        place: Option<Place>,
    ) -> Result<(), Full> {
        let vn = probe.key.vn();
        let Some(place) = place else {
            self.tally.refused_table += 1;
            return Err(Full::Table);
        };
        let flow = Flow {
            key: probe.key,
            packets: [u64::from(phase != Phase::fragments()), 0],
            expires: now.wrapping_add(self.lasting.of(phase)),
            generation: self.generation(vn),
            phase,
            swapped: probe.traits.swapped(),
        };
        let due = clock::due(flow.expires, now);
        self.table.put(place, probe.hash, flow, due);
        self.shares.begun(vn);
        self.tally.made += 1;
        Ok(())
    }

    /// A free place for a flow of `vn` with this hash, if one can be had without displacing any.
    pub(super) fn place(&mut self, now: u32, vn: Vn, hash: u64) -> Option<Place> {
        if self.shares.has_room(vn)
            && let Some(place) = self.table.free(hash)
        {
            return Some(place);
        }
        for group in self.table.groups_of(hash) {
            self.sweep_group(now, group);
        }
        if self.shares.has_room(vn) {
            let room = self.table.free(hash);
            return room.or_else(|| self.table.make_room(&self.secret, hash));
        }
        None
    }

    /// The place of the oldest flow that may give way to one of `vn` with this hash: it is forgotten.
    pub(super) fn displace(&mut self, vn: Vn, hash: u64) -> Option<Place> {
        let oldest = self.table.displaceable(hash).find(|place| {
            let flow = self.table.flow(*place);
            flow.is_some_and(|flow| self.shares.gives_way(flow.key.vn(), vn))
        })?;
        self.forget(oldest);
        self.tally.displaced += 1;
        Some(oldest)
    }

    /// Takes the flow at `place` out of the table.
    pub(super) fn forget(&mut self, place: Place) {
        let Some(flow) = self.table.flow(place).copied() else {
            return;
        };
        self.table.leave(place, self.secret.hash(&flow.key));
        if flow.phase.is_unanswered() {
            self.uncount(&flow);
        }
        let vn = flow.key.vn();
        if flow.generation == self.generation(vn) {
            self.shares.over(vn);
        }
    }
}

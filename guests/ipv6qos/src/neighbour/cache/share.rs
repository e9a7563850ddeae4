//! Who may have how much of what all virtual networks take from: half of it is divided among the networks in use,
//! and kept for each whether it needs it or not; the other half is for who comes first.
//!
//! So a network in which addresses are asked for without end takes its own part and the common half, and leaves the
//! others theirs (RFC 6583 6 and 7 say why a cache must not be anybody's to fill). Must never be counted twice.

use crate::vn::{VNS, Vn};

/// What is shared, and how much of it each virtual network has.
#[derive(Debug)]
pub(super) struct Share {
    places: u32,
    /// Kept for each network in use.
    reserve: u32,
    /// Networks in use.
    networks: u32,
    taken: [u32; VNS],
}

impl Share {
    /// So many places, which no network has a part of its own in yet.
    pub(super) const fn new(places: u32) -> Self {
        Share {
            places,
            reserve: 0,
            networks: 0,
            taken: [0; VNS],
        }
    }

    /// There are so many networks in use.
    pub(super) fn divide(&mut self, networks: u32) {
        self.networks = networks;
        self.reserve = (self.places / 2).checked_div(networks).unwrap_or(0);
    }

    /// Most that one network can have.
    pub(super) fn most(&self) -> u32 {
        let others = self.networks.saturating_sub(1);
        self.places - others.saturating_mul(self.reserve)
    }

    /// Places that are taken.
    pub(super) fn len(&self) -> u32 {
        self.taken.iter().sum()
    }

    /// Whether `vn` may take one more.
    pub(super) fn has_room(&self, vn: Vn) -> bool {
        let beyond = |taken: &u32| taken.saturating_sub(self.reserve);
        let common = self.places - self.networks.saturating_mul(self.reserve);
        let is_own = self.of(vn) < self.reserve;
        self.len() < self.places && (is_own || self.taken.iter().map(beyond).sum::<u32>() < common)
    }

    /// The network that makes room for `vn`: the one that has most, of those that have more than their own part,
    /// and `vn` itself. `has` says which of them have something to give.
    pub(super) fn yields(&self, vn: Vn, has: impl Fn(Vn) -> bool) -> Option<Vn> {
        let all = (0..VNS as u8).filter_map(Vn::new);
        let may = |of: &Vn| *of == vn || self.of(*of) > self.reserve;
        all.filter(may)
            .filter(|of| self.of(*of) > 0 && has(*of))
            .max_by_key(|of| (self.of(*of), *of == vn))
    }

    pub(super) fn take(&mut self, vn: Vn) {
        self.taken[vn.index()] += 1;
    }

    pub(super) fn give(&mut self, vn: Vn) {
        let taken = &mut self.taken[vn.index()];
        *taken = taken.saturating_sub(1);
    }

    fn of(&self, vn: Vn) -> u32 {
        self.taken[vn.index()]
    }
}

//! How many flows each virtual network has and may have: none can take what is another's.
//!
//! Half of all flows are set aside in equal shares for the virtual networks in use; the other half is common, and is
//! had by who comes first. A flow of a virtual network that has more than its share may have to give way to one of
//! any other; those within a share give way to flows of their own virtual network alone.
//!
//! Must be asked for new flows only, never to find one.

use crate::vn::{VNS, Vn};

/// Flows of virtual networks.
#[derive(Debug)]
pub(super) struct Shares {
    /// Flows of each virtual network.
    live: [u32; VNS],
    /// Their sum, and the most it may be.
    len: u32,
    most: u32,
    /// Flows that each may have whatever the others have.
    share: u32,
    /// Flows beyond shares that there may be, and that there are.
    common: u32,
    beyond: u32,
}

impl Shares {
    /// Of `flows`, for so many virtual networks.
    pub fn new(flows: u32, vns: usize) -> Self {
        // At most 32.
        let vns = vns.clamp(1, VNS) as u32;
        let share = flows / 2 / vns;
        Shares {
            live: [0; VNS],
            len: 0,
            most: flows,
            share,
            common: flows - share * vns,
            beyond: 0,
        }
    }

    #[inline]
    pub fn len(&self) -> u32 {
        self.len
    }

    fn of(&self, vn: Vn) -> u32 {
        self.live.get(vn.index()).copied().unwrap_or(0)
    }

    /// Whether there may be one more of `vn`.
    pub fn has_room(&self, vn: Vn) -> bool {
        self.len < self.most && (self.of(vn) < self.share || self.beyond < self.common)
    }

    /// Whether a flow of `of` may give way to one of `to`.
    pub fn gives_way(&self, of: Vn, to: Vn) -> bool {
        of == to || self.of(of) > self.share
    }

    /// There is one more of `vn`.
    pub fn begun(&mut self, vn: Vn) {
        if let Some(live) = self.live.get_mut(vn.index()) {
            *live += 1;
            self.len += 1;
            self.beyond += u32::from(*live > self.share);
        }
    }

    /// There is one less.
    pub fn over(&mut self, vn: Vn) {
        if let Some(live) = self.live.get_mut(vn.index()).filter(|live| **live > 0) {
            self.beyond -= u32::from(*live > self.share);
            *live -= 1;
            self.len -= 1;
        }
    }

    /// There are none any more of `vn`; how many there were.
    pub fn flush(&mut self, vn: Vn) -> u32 {
        let Some(live) = self.live.get_mut(vn.index()) else {
            return 0;
        };
        let there = core::mem::take(live);
        self.beyond -= there.saturating_sub(self.share);
        self.len -= there;
        there
    }
}

//! What a frame needs of a neighbour, and nothing else: the table that is read for each frame.

use pinode_guest_runtime::VifIndex;

use super::queue::NONE;
use crate::control::item::Mac;
use crate::control::view::Reachability;
use crate::vn::{InterfaceId, Vn};

/// What a frame needs of a neighbour: half a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Hop {
    pub(super) address: u128,
    /// The next entry with the same hash.
    pub(super) chain: u32,
    pub(super) interface: InterfaceId,
    pub(super) mac: Mac,
    pub(super) state: Reachability,
    /// It says that it is a router.
    pub(super) router: bool,
    /// It never answered us: known by what it said unasked.
    pub(super) gleaned: bool,
    /// Not a free place.
    pub(super) live: bool,
}

impl Hop {
    pub(super) const FREE: Self = Hop {
        address: 0,
        chain: NONE,
        interface: InterfaceId::new(VifIndex(0), Vn::of_pih(0)),
        mac: Mac([0; 6]),
        state: Reachability::Failed,
        router: false,
        gleaned: false,
        live: false,
    };

    /// Whether frames can be sent to it.
    #[inline]
    pub const fn is_usable(&self) -> bool {
        !matches!(self.state, Reachability::Incomplete | Reachability::Failed)
    }

    /// Whether its first use must be told ([`Cache::used`](super::Cache::used)).
    #[inline]
    pub const fn is_stale(&self) -> bool {
        matches!(self.state, Reachability::Stale)
    }

    /// Where frames to it go; only if it is usable.
    #[inline]
    pub const fn mac(&self) -> Mac {
        self.mac
    }

    /// Its state.
    #[inline]
    pub const fn state(&self) -> Reachability {
        self.state
    }

    /// Whether it is this neighbour, and not another that has its place now.
    #[inline]
    pub fn is(&self, interface: InterfaceId, address: u128) -> bool {
        self.address == address && self.interface == interface && self.live
    }
}

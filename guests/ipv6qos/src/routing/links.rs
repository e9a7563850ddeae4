//! Which prefixes are on which interface's link.

use alloc::vec::Vec;

use crate::prefix::Prefix;
use crate::vn::{InterfaceId, Vn};

/// The prefixes of all links.
#[derive(Debug, Default)]
pub(super) struct Links(Vec<(InterfaceId, Prefix)>);

impl Links {
    /// Addresses of `prefix` are on the link of `interface`.
    pub(super) fn add(&mut self, interface: InterfaceId, prefix: Prefix) {
        if !self.0.contains(&(interface, prefix)) {
            self.0.push((interface, prefix));
        }
    }

    /// They are no longer.
    pub(super) fn remove(&mut self, interface: InterfaceId, prefix: Prefix) {
        self.0.retain(|link| *link != (interface, prefix));
    }

    /// The interface on whose link `address` is, by the longest prefix.
    pub(super) fn of(&self, vn: Vn, address: u128) -> Option<InterfaceId> {
        self.0
            .iter()
            .filter(|(interface, prefix)| interface.vn() == vn && prefix.contains(address))
            .max_by_key(|(_, prefix)| prefix.length())
            .map(|(interface, _)| *interface)
    }
}

//! What the caller asks of the neighbour cache.

use super::cache::{Asker, Counts, Filter, Full, Hop, Listed, NeighbourId, Question};
use super::discovery::Discovery;
use super::link::Link;
use super::outbox::{Fate, Outbox};
use crate::control::item::Mac;
use crate::icmp::is_multicast;
use crate::vn::InterfaceId;

/// Why a neighbour cannot be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NeighbourError {
    /// No such interface.
    #[error("no such interface")]
    Unknown,
    /// No address of a node.
    #[error("no address of a neighbour; allowed: a unicast address")]
    Address,
    /// It is an address of the router.
    #[error("the address is the router's own")]
    Ours,
    /// The MAC address is a group's.
    #[error("lladdr: {0} is a group's; allowed: the address of one interface")]
    Group(Mac),
    /// No room.
    #[error(transparent)]
    Full(Full),
}

impl<F> Discovery<F> {
    /// The neighbour of this address on the link of `interface`.
    #[inline]
    pub fn find(&self, interface: InterfaceId, address: u128) -> Option<NeighbourId> {
        self.cache.find(interface, address)
    }

    /// What a frame needs of a neighbour.
    #[inline]
    pub fn hop(&self, id: NeighbourId) -> &Hop {
        self.cache.hop(id)
    }

    /// A frame was sent to the neighbour: to be called at least where it [is stale](Hop::is_stale).
    #[inline]
    pub fn used(&mut self, now_ns: u64, id: NeighbourId) {
        self.cache.used(now_ns, id);
    }

    /// `frame` is for a neighbour that is not usable, or not known: it waits, and the neighbour is asked for, as far
    /// as `asker` may. What cannot wait is in `out` at once.
    pub fn resolve(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        address: u128,
        asker: Asker,
        frame: F,
        out: &mut Outbox<F>,
    ) {
        let link = self.link(interface);
        let is_neighbour = |link: &&Link| !is_multicast(address) && link.own(address).is_none();
        let Some(link) = link.filter(is_neighbour).filter(|_| address > 1) else {
            return out.frames.push((Fate::Refused, frame));
        };
        let question = Question {
            interface,
            address,
            source: link.solicits_from(address),
            asker,
        };
        self.cache.resolve(now_ns, question, frame, out);
    }

    /// Configures a neighbour, whatever was known of it.
    ///
    /// # Errors
    ///
    /// No such interface, an address of ours, or all places are taken by neighbours in use.
    pub fn set_neighbour(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        address: u128,
        mac: Mac,
        out: &mut Outbox<F>,
    ) -> Result<(), NeighbourError> {
        let link = self.link(interface).ok_or(NeighbourError::Unknown)?;
        if is_multicast(address) || address <= 1 {
            return Err(NeighbourError::Address);
        }
        if link.own(address).is_some() {
            return Err(NeighbourError::Ours);
        }
        if mac.is_group() {
            return Err(NeighbourError::Group(mac));
        }
        self.cache
            .set_permanent(now_ns, interface, address, mac, out)
            .map_err(NeighbourError::Full)
    }

    /// Forgets a neighbour, configured or learned. False: there is none.
    pub fn remove_neighbour(
        &mut self,
        interface: InterfaceId,
        address: u128,
        out: &mut Outbox<F>,
    ) -> bool {
        self.cache.remove(interface, address, out)
    }

    /// A neighbour as it is shown.
    pub fn listed(&self, id: NeighbourId) -> Option<Listed> {
        self.cache.listed(id)
    }

    /// See [`Cache::list`].
    pub fn list(&self, filter: Filter, from: u32, show: impl FnMut(Listed) -> bool) -> Option<u32> {
        self.cache.list(filter, from, show)
    }

    /// See [`Cache::flush`].
    pub fn flush(&mut self, filter: Filter, out: &mut Outbox<F>) -> u64 {
        self.cache.flush(filter, out)
    }

    /// Neighbours there are: with a MAC address, and without; and frames that wait for them.
    pub fn len(&self) -> (u32, u32, usize) {
        let (resolved, unresolved) = self.cache.len();
        (resolved, unresolved, self.cache.held())
    }

    /// What became of neighbours and frames.
    pub fn counts(&self) -> Counts {
        self.cache.counts()
    }
}

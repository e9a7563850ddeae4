//! What becomes of packets that take a route.

use crate::control::item::RouteKind;
use crate::control::view::Origin;
use crate::neighbour::NeighbourId;
use crate::vn::InterfaceId;

/// What a route says, as it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// Whom it comes from.
    pub origin: Origin,
    /// What becomes of packets.
    pub kind: RouteKind,
    /// The next router.
    pub via: Option<u128>,
    /// The interface.
    pub dev: Option<InterfaceId>,
}

impl Target {
    /// That of an address of `interface`, or of its link.
    pub(super) const fn own(origin: Origin, interface: InterfaceId) -> Self {
        Target {
            origin,
            kind: RouteKind::Unicast,
            via: None,
            dev: Some(interface),
        }
    }
}

/// What the path of a frame does with a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Way {
    /// To [`Hop::gateway`], by [`Hop::interface`].
    Gateway,
    /// To its destination, by [`Hop::interface`].
    Link,
    /// It is for the router itself.
    Local,
    /// Nowhere: there is no route, or its next router is on no link.
    None,
    /// Nowhere, without a word.
    Blackhole,
    /// Nowhere, by configuration.
    Unreachable,
    /// Nowhere: administratively prohibited.
    Prohibit,
}

/// A hop, as the path of a frame needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The next router's address, of a gateway.
    pub gateway: u128,
    /// By which interface; where packets go nowhere, one that exists.
    pub interface: InterfaceId,
    /// What is done.
    pub way: Way,
    /// The neighbour that was last found to be next; it may not be any longer.
    pub neighbour: Option<NeighbourId>,
}

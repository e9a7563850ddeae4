//! What cannot be said of a route.

use alloc::string::{String, ToString};
use core::net::Ipv6Addr;

use crate::control::view::Origin;
use crate::prefix::Prefix;
use crate::vn::Vn;

/// Why a route was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// There is one already.
    #[error("there is a {} route to {prefix} in virtual network {vn} already", word(.origin))]
    Exists {
        /// Its prefix.
        prefix: Prefix,
        /// Its routing instance.
        vn: Vn,
        /// Whom it comes from.
        origin: Origin,
    },
    /// There is none.
    #[error("there is no route to {prefix} in virtual network {vn}")]
    Missing {
        /// Its prefix.
        prefix: Prefix,
        /// Its routing instance.
        vn: Vn,
    },
    /// It comes with an address.
    #[error("the {} route to {prefix} in virtual network {vn} comes with an address and goes with it", word(.origin))]
    NotStatic {
        /// Its prefix.
        prefix: Prefix,
        /// Its routing instance.
        vn: Vn,
        /// Whom it comes from.
        origin: Origin,
    },
    /// Groups and link-local addresses are not forwarded.
    #[error("prefix: {0} is not forwarded; allowed: prefixes outside of ff00::/8 and fe80::/10")]
    NotRouted(Prefix),
    /// A blackhole with a next router.
    #[error("via: packets go nowhere; allowed: via and dev for routes of type unicast alone")]
    GoesNowhere,
    /// Neither via nor dev.
    #[error("via: missing; allowed: the address of a router, dev with an interface, or both")]
    NoWhere,
    /// No address of a router.
    #[error("via: {} is no router's address; allowed: a unicast address", text(.0))]
    NoRouter(u128),
    /// Its own address.
    #[error("via: {} is an address of this router; allowed: that of another", text(.0))]
    Own(u128),
    /// A link-local address without its link.
    #[error("via: {} is link-local; allowed: with dev, which says on which link", text(.0))]
    LinkLocal(u128),
    /// Nobody knows on which link.
    #[error(
        "via: {} is on no link of virtual network {vn}; allowed: an address in the prefix of an interface, or dev",
        text(.via)
    )]
    OnNoLink {
        /// The next router.
        via: u128,
        /// The routing instance.
        vn: Vn,
    },
    /// The interface is in another virtual network.
    #[error("dev: an interface of virtual network {dev}; allowed: one of {vn}, the route's own")]
    OtherNetwork {
        /// The routing instance.
        vn: Vn,
        /// That of the interface.
        dev: Vn,
    },
    /// The limit is reached.
    #[error("too many routes; allowed: {0} (limits.routes)")]
    TooMany(u32),
    /// The limit is reached.
    #[error("too many different next routers; allowed: {0} (limits.next_hops)")]
    TooManyHops(u32),
    /// No memory.
    #[error("no memory for the route; give the guest more (limits.routes)")]
    Memory,
}

fn text(address: &u128) -> String {
    Ipv6Addr::from(*address).to_string()
}

fn word(origin: &Origin) -> &'static str {
    match origin {
        Origin::Local => "local",
        Origin::Connected => "connected",
        Origin::Static => "static",
    }
}

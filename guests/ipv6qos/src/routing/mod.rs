//! Routing instances: for each virtual network, what becomes of a packet by its destination.
//!
//! ```text
//! hop      what becomes of packets: the values of the table
//! hops     all different ones, each once, counted by the routes that name it
//! links    which prefixes are on which interface's link
//! error    what cannot be
//! ```
//!
//! One route a prefix and virtual network, in one [`Lpm`] for all instances: a key holds the virtual network, so
//! nothing of one is ever found in another. Routes that agree share their hop, so that a change of the router's
//! addresses, which moves next routers from link to link, touches hops and never routes.

mod error;
mod hop;
mod hops;
mod links;

use crate::control::item::RouteKind;
use crate::control::view::{Cursor, Origin};
use arrayvec::ArrayVec;

use crate::lpm::{Approach, Lpm, OutOfMemory};
use crate::neighbour::NeighbourId;
use crate::prefix::{InterfaceAddress, Prefix};
use crate::vn::{InterfaceId, Vn};

pub use error::RouteError;
pub use hop::{Hop, Target, Way};
pub use hops::HopId;
use hops::Hops;
use links::Links;

/// The routing instances.
#[derive(Debug)]
pub struct Routing {
    lpm: Lpm,
    hops: Hops,
    links: Links,
    most_routes: u32,
}

impl Routing {
    /// Empty ones, for at most so many routes and different hops.
    ///
    /// # Errors
    ///
    /// There is no memory for as many.
    pub fn new(most_routes: u32, most_hops: u32) -> Result<Self, OutOfMemory> {
        Ok(Routing {
            lpm: Lpm::with_capacity(most_routes as usize)?,
            hops: Hops::new(most_hops),
            links: Links::default(),
            most_routes,
        })
    }

    /// Octets of heap that so many routes take.
    pub fn memory(most_routes: u32) -> u64 {
        Lpm::memory(most_routes as usize) as u64
    }

    /// Begins the look-up of a destination ([`Lpm::approach`]).
    #[inline(always)]
    pub fn approach(&self, vn: Vn, destination: u128) -> Approach {
        self.lpm.approach(vn, destination)
    }

    /// The hop of a destination whose look-up is not done, if it is remembered ([`Lpm::recalled`]); `bits` is what
    /// [`approach`](Self::approach) said.
    #[inline(always)]
    pub fn recalled(&self, vn: Vn, destination: u128, bits: u32) -> Option<HopId> {
        self.lpm.recalled(vn, destination, bits)
    }

    /// The hop of each destination whose look-up is not done; `hops` holds what [`approach`](Self::approach) said.
    /// Cost: as [`Lpm::lookup_burst_again`].
    #[inline]
    pub fn lookup_burst(&mut self, destinations: &[(Vn, u128)], hops: &mut [u32]) {
        self.lpm.lookup_burst_again(destinations, hops);
    }

    /// The hop of one destination.
    #[inline]
    pub fn lookup(&self, vn: Vn, destination: u128) -> &Hop {
        self.hop(self.lpm.lookup(vn, destination))
    }

    /// The hop of a value that a look-up gave.
    #[inline]
    pub fn hop(&self, value: u32) -> &Hop {
        self.hops.hop(value)
    }

    /// The neighbour that was found to be next of a hop: looked at first from now on.
    pub fn remember(&mut self, value: HopId, neighbour: NeighbourId) {
        self.hops.remember(value, neighbour);
    }

    /// Routes there are, of all origins.
    pub fn len(&self) -> usize {
        self.lpm.len()
    }

    /// Whether there is no route.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The longest prefix that `destination` is in, and what its route says.
    pub fn find(&self, vn: Vn, destination: u128) -> Option<(Prefix, &Target)> {
        // Where a packet goes is asked by a person: 129 look-ups are nothing to them.
        (0..=128).rev().find_map(|length| {
            let prefix = Prefix::of(destination, length);
            let target = self.hops.target(self.lpm.exact(vn, prefix)?)?;
            Some((prefix, target))
        })
    }

    /// What the route of exactly `prefix` says.
    pub fn exact(&self, vn: Vn, prefix: Prefix) -> Option<&Target> {
        self.hops.target(self.lpm.exact(vn, prefix)?)
    }

    /// Adds a static route.
    ///
    /// # Errors
    ///
    /// There is one of that prefix, or what it says cannot be; nothing is done.
    pub fn add(&mut self, vn: Vn, prefix: Prefix, target: Target) -> Result<(), RouteError> {
        if let Some(there) = self.exact(vn, prefix) {
            return Err(RouteError::Exists {
                prefix,
                vn,
                origin: there.origin,
            });
        }
        self.check(vn, prefix, &target)?;
        self.put(vn, prefix, target)
    }

    /// Adds a static route, or puts it in place of the one of that prefix.
    ///
    /// # Errors
    ///
    /// That one is no static route, or what it says cannot be; nothing is done.
    pub fn replace(&mut self, vn: Vn, prefix: Prefix, target: Target) -> Result<(), RouteError> {
        match self.exact(vn, prefix) {
            Some(there) if there.origin != Origin::Static => {
                return Err(RouteError::Exists {
                    prefix,
                    vn,
                    origin: there.origin,
                });
            }
            _ => {}
        }
        self.check(vn, prefix, &target)?;
        self.put(vn, prefix, target)
    }

    /// Deletes a static route.
    ///
    /// # Errors
    ///
    /// There is none of that prefix, or it is no static one.
    pub fn delete(&mut self, vn: Vn, prefix: Prefix) -> Result<Target, RouteError> {
        match self.exact(vn, prefix).copied() {
            None => Err(RouteError::Missing { prefix, vn }),
            Some(target) if target.origin == Origin::Static => {
                self.take(vn, prefix);
                Ok(target)
            }
            Some(target) => Err(RouteError::NotStatic {
                prefix,
                vn,
                origin: target.origin,
            }),
        }
    }

    /// An address of the router: a route to itself, one to the link of its prefix, and the subnet-router anycast
    /// address of that (RFC 4291 2.6.1).
    ///
    /// # Errors
    ///
    /// A route of another origin or interface is in the way, or there are too many; nothing is done.
    pub fn attach(
        &mut self,
        interface: InterfaceId,
        address: InterfaceAddress,
    ) -> Result<(), RouteError> {
        let vn = interface.vn();
        let wanted = own_routes(address);
        for (prefix, origin) in wanted.iter().flatten() {
            match self.exact(vn, *prefix) {
                // An anycast address that is another's unicast address is that one's already.
                None => {}
                Some(there) if there.origin == *origin && there.dev == Some(interface) => {}
                Some(there) => {
                    return Err(RouteError::Exists {
                        prefix: *prefix,
                        vn,
                        origin: there.origin,
                    });
                }
            }
        }
        let mut made = ArrayVec::<Prefix, 3>::new();
        for (prefix, origin) in wanted.into_iter().flatten() {
            let was_there = self.exact(vn, prefix).is_some();
            if let Err(error) = self.put(vn, prefix, Target::own(origin, interface)) {
                // What other addresses of the interface brought stays.
                for prefix in made {
                    self.take(vn, prefix);
                }
                return Err(error);
            }
            if !was_there {
                made.push(prefix);
            }
        }
        self.links.add(interface, address.prefix());
        self.resolve(vn);
        Ok(())
    }

    /// An address is gone; `others` are those that the interface still has.
    pub fn detach(
        &mut self,
        interface: InterfaceId,
        address: InterfaceAddress,
        others: &[InterfaceAddress],
    ) {
        self.prune(interface, address, others);
        if !others
            .iter()
            .any(|other| other.prefix() == address.prefix())
        {
            self.links.remove(interface, address.prefix());
            self.resolve(interface.vn());
        }
    }

    /// Takes the routes of `address` that none of `others` needs.
    fn prune(
        &mut self,
        interface: InterfaceId,
        address: InterfaceAddress,
        others: &[InterfaceAddress],
    ) {
        let vn = interface.vn();
        for (prefix, _) in own_routes(address).into_iter().flatten() {
            let needed = others.iter().any(|other| {
                own_routes(*other)
                    .iter()
                    .flatten()
                    .any(|(own, _)| *own == prefix)
            });
            let ours = self.exact(vn, prefix).is_some_and(|target| {
                target.origin != Origin::Static && target.dev == Some(interface)
            });
            if ours && !needed {
                self.take(vn, prefix);
            }
        }
    }

    /// Whether a static route may say that.
    fn check(&self, vn: Vn, prefix: Prefix, target: &Target) -> Result<(), RouteError> {
        let group = prefix.length() >= 8 && prefix.bits() >> 120 == 0xff;
        let link_local = prefix.length() >= 10 && prefix.bits() >> 118 == 0xfe80 >> 6;
        if group || link_local {
            return Err(RouteError::NotRouted(prefix));
        }
        if target.kind != RouteKind::Unicast {
            return match (target.via, target.dev) {
                (None, None) => Ok(()),
                _ => Err(RouteError::GoesNowhere),
            };
        }
        if let Some(dev) = target.dev
            && dev.vn() != vn
        {
            return Err(RouteError::OtherNetwork { vn, dev: dev.vn() });
        }
        match target.via {
            None if target.dev.is_none() => Err(RouteError::NoWhere),
            None => Ok(()),
            Some(via) if via == 0 || via == 1 || via >> 120 == 0xff => {
                Err(RouteError::NoRouter(via))
            }
            Some(via) if self.is_own(vn, via) => Err(RouteError::Own(via)),
            Some(_) if target.dev.is_some() => Ok(()),
            Some(via) if via >> 118 == 0xfe80 >> 6 => Err(RouteError::LinkLocal(via)),
            Some(via) if self.links.of(vn, via).is_none() => Err(RouteError::OnNoLink { via, vn }),
            Some(_) => Ok(()),
        }
    }

    fn is_own(&self, vn: Vn, address: u128) -> bool {
        self.exact(vn, Prefix::host(address))
            .is_some_and(|target| target.origin == Origin::Local)
    }

    /// Puts a route in, in place of what there is.
    fn put(&mut self, vn: Vn, prefix: Prefix, target: Target) -> Result<(), RouteError> {
        let there = self.lpm.exact(vn, prefix);
        if there.is_none() && self.lpm.len() >= self.most_routes as usize {
            return Err(RouteError::TooMany(self.most_routes));
        }
        let hop = self.hops.hold(vn, target, &self.links)?;
        match self.lpm.insert(vn, prefix, hop) {
            Ok(old) => {
                if let Some(old) = old {
                    self.hops.release(old);
                }
                Ok(())
            }
            Err(_) => {
                self.hops.release(hop);
                Err(RouteError::Memory)
            }
        }
    }

    fn take(&mut self, vn: Vn, prefix: Prefix) {
        if let Some(hop) = self.lpm.remove(vn, prefix) {
            self.hops.release(hop);
        }
    }

    /// Looks again on which links next routers are.
    fn resolve(&mut self, vn: Vn) {
        self.hops.resolve(vn, &self.links);
    }

    /// Routes from `from` on, or behind it, in order of virtual network and prefix.
    pub fn list(
        &self,
        from: Cursor,
        behind: bool,
    ) -> impl Iterator<Item = (Cursor, &Target, &Hop)> {
        let routes = if behind {
            self.lpm.iter_after(from)
        } else {
            self.lpm.iter_from(from)
        };
        routes.filter_map(|(at, hop)| Some((at, self.hops.target(hop)?, self.hops.hop(hop))))
    }
}

/// The routes that an address brings with it.
fn own_routes(address: InterfaceAddress) -> [Option<(Prefix, Origin)>; 3] {
    let link = address.prefix();
    let anycast = address.subnet_router().map(Prefix::host);
    let own = Prefix::host(address.address);
    [
        Some((own, Origin::Local)),
        (link != own).then_some((link, Origin::Connected)),
        anycast.map(|anycast| (anycast, Origin::Local)),
    ]
}

//! All links of the router: what its caller deals with.

use alloc::vec::Vec;

use super::advertise::Schedule;
use super::advertise::config::Parameters;
use super::cache::Cache;
use super::groups::{ALL_ROUTERS, Groups};
use super::link::{Link, LinkConfig, LinkError, link_local};
use super::outbox::{Message, Outbox, Outgoing};
use super::own::Own;
use super::random::Random;
use super::receive::Ignored;
use super::wire::{self, Written};
use crate::control::view::AddressState;
use crate::icmp::{is_link_local, is_multicast, solicited_node};
use crate::prefix::InterfaceAddress;
use crate::vn::{InterfaceId, Vn};

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Neighbours of all interfaces, [`FEWEST`](Limits::FEWEST) to [`MOST`](Limits::MOST); three quarters of them with
    /// a MAC address.
    pub neighbours: u32,
    /// Frames that wait for neighbours, [`HELD`](pinode_guest_runtime::HELD) at most.
    pub held: u16,
}

impl Limits {
    /// Fewest neighbours.
    pub const FEWEST: u32 = 16;
    /// Most neighbours: as many as are looked through in one go.
    pub const MOST: u32 = 32_768;
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            neighbours: 4096,
            held: pinode_guest_runtime::HELD as u16,
        }
    }
}

/// No link.
const NONE: u16 = u16::MAX;

/// Neighbour discovery on all links. `F` is a frame that waits, and what its owner wants to know of it.
#[derive(Debug)]
pub struct Discovery<F> {
    pub(super) cache: Cache<F>,
    links: Vec<Link>,
    /// Of each interface, its link.
    by_interface: Vec<u16>,
    random: Random,
    pub(super) ignored: Ignored,
}

impl<F> Discovery<F> {
    /// Octets of memory it takes, with all links.
    pub const fn memory(limits: Limits, interfaces: usize) -> usize {
        Cache::<F>::memory(limits.neighbours, limits.held, interfaces)
            + interfaces * (size_of::<Link>() + 2)
            + 4096
    }

    /// No links yet; of interfaces whose [`InterfaceId::index`] is below `interfaces`. All memory is allocated now.
    /// Limits beyond their bounds become the nearest that are allowed.
    pub fn new(limits: Limits, interfaces: usize, seed: u64) -> Self {
        let mut keys = Random::new(seed);
        let neighbours = limits.neighbours.clamp(Limits::FEWEST, Limits::MOST);
        let held = limits.held.min(pinode_guest_runtime::HELD as u16);
        Discovery {
            cache: Cache::new(neighbours, held, interfaces, keys.next()),
            links: Vec::with_capacity(interfaces),
            by_interface: alloc::vec![NONE; interfaces],
            random: keys.apart(),
            ignored: Ignored::default(),
        }
    }

    pub(super) fn link(&self, interface: InterfaceId) -> Option<&Link> {
        let at = *self.by_interface.get(interface.index())?;
        self.links.get(usize::from(at))
    }

    pub(super) fn link_mut(&mut self, interface: InterfaceId) -> Option<&mut Link> {
        self.link_and_random(interface).map(|(link, _)| link)
    }

    pub(super) fn link_and_random(
        &mut self,
        interface: InterfaceId,
    ) -> Option<(&mut Link, &mut Random)> {
        let at = *self.by_interface.get(interface.index())?;
        let link = self.links.get_mut(usize::from(at))?;
        Some((link, &mut self.random))
    }

    /// Takes an interface into use: it gets its link-local address and listens to the groups of routers.
    ///
    /// # Errors
    ///
    /// It is there already, beyond the bound, or what it shall be is wrong.
    pub fn add_link(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        config: LinkConfig,
    ) -> Result<(), LinkError> {
        let count = self.links.len();
        let place = self
            .by_interface
            .get_mut(interface.index())
            .ok_or(LinkError::Unknown)?;
        if *place != NONE {
            return Err(LinkError::Exists);
        }
        if config.mac.is_group() {
            return Err(LinkError::Group(config.mac));
        }
        if let Some(advertise) = &config.advertise {
            advertise.check(config.mtu).map_err(LinkError::Advertise)?;
        }
        // Fewer than interfaces, whose numbers have 13 bits.
        *place = count as u16;
        let mut link = Link {
            id: interface,
            mac: config.mac,
            mtu: config.mtu,
            verify: config.verify,
            addresses: arrayvec::ArrayVec::new(),
            groups: Groups::default(),
            advertise: Schedule::default(),
            if_addressed: None,
            answers: arrayvec::ArrayVec::new(),
            redirects: crate::icmp::limit::Bucket::default(),
            defences: crate::icmp::limit::Bucket::default(),
            due_ns: 0,
        };
        for group in ALL_ROUTERS {
            link.groups.join(now_ns, group);
        }
        if config.if_addressed {
            link.if_addressed = config.advertise;
        } else {
            link.advertise
                .set(now_ns, config.advertise, &mut self.random);
        }
        self.cache.serve(interface.vn());
        self.links.push(link);
        let address = InterfaceAddress {
            address: link_local(config.mac),
            length: 64,
        };
        self.add_address(now_ns, interface, address)
    }

    /// Changes what an interface advertises, whether it has an address or not; none: it stops, with last
    /// advertisements (RFC 4861 6.2.5).
    ///
    /// # Errors
    ///
    /// No such interface, or what it shall advertise is wrong.
    pub fn set_advertise(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        parameters: Option<Parameters>,
    ) -> Result<(), LinkError> {
        let (link, random) = self.link_and_random(interface).ok_or(LinkError::Unknown)?;
        if let Some(parameters) = &parameters {
            parameters.check(link.mtu).map_err(LinkError::Advertise)?;
        }
        link.if_addressed = None;
        link.advertise.set(now_ns, parameters, random);
        link.due_ns = 0;
        Ok(())
    }

    /// Whether an interface advertises itself as a router.
    pub fn advertises(&self, interface: InterfaceId) -> bool {
        self.link(interface)
            .is_some_and(|link| link.advertise.is_on())
    }

    /// Gives an interface an address: tentative until it is verified, if addresses are.
    ///
    /// # Errors
    ///
    /// No such interface, the address is there already, or there is no room for it.
    pub fn add_address(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        address: InterfaceAddress,
    ) -> Result<(), LinkError> {
        let (link, random) = self.link_and_random(interface).ok_or(LinkError::Unknown)?;
        if link.own(address.address).is_some() {
            return Err(LinkError::AddressExists);
        }
        let own = Own::new(now_ns, address, link.verify, random);
        link.addresses.try_push(own).map_err(|_| LinkError::Full)?;
        let answered = [Some(address.address), address.subnet_router()];
        for answered in answered.into_iter().flatten() {
            link.groups.join(now_ns, solicited_node(answered));
        }
        if !is_link_local(address.address) {
            if let Some(parameters) = link
                .if_addressed
                .clone()
                .filter(|_| !link.advertise.is_on())
            {
                link.advertise.set(now_ns, Some(parameters), random);
            }
            link.advertise
                .change(now_ns, address.prefix(), true, random);
        }
        link.due_ns = 0;
        self.cache.disown(interface, address.address);
        Ok(())
    }

    /// Takes an address away.
    ///
    /// # Errors
    ///
    /// No such interface or address, or it is the link-local one.
    pub fn remove_address(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        address: u128,
    ) -> Result<InterfaceAddress, LinkError> {
        let (link, random) = self.link_and_random(interface).ok_or(LinkError::Unknown)?;
        if address == link_local(link.mac) {
            return Err(LinkError::LinkLocal);
        }
        let is_it = |own: &Own| own.address.address == address;
        let at = link.addresses.iter().position(is_it);
        let removed = at.and_then(|at| link.addresses.pop_at(at));
        let removed = removed.ok_or(LinkError::AddressUnknown)?.address;
        for answered in [Some(address), removed.subnet_router()] {
            let group = answered.map(solicited_node);
            if let Some(group) = group.filter(|group| !link.listens(*group)) {
                link.groups.leave(now_ns, group);
            }
        }
        let prefix = removed.prefix();
        let mut left = link.addresses.iter();
        if !is_link_local(address) && !left.any(|own| own.address.prefix() == prefix) {
            link.advertise.change(now_ns, prefix, false, random);
        }
        let mut left = link.addresses.iter();
        if link.if_addressed.is_some() && left.all(|own| is_link_local(own.address.address)) {
            // The last ones tell hosts of the prefix, too.
            link.advertise.set(now_ns, None, random);
        }
        link.due_ns = 0;
        Ok(removed)
    }

    /// The addresses of an interface, the link-local one first.
    pub fn addresses(
        &self,
        interface: InterfaceId,
    ) -> impl Iterator<Item = (InterfaceAddress, AddressState)> {
        let link = self.link(interface).into_iter();
        link.flat_map(|link| link.addresses.iter().map(|own| (own.address, own.state)))
    }

    /// The state of an address, if it is the interface's.
    pub fn address_state(&self, interface: InterfaceId, address: u128) -> Option<AddressState> {
        Some(self.link(interface)?.own(address)?.state)
    }

    /// Whether an interface listens to `group`.
    pub fn listens(&self, interface: InterfaceId, group: u128) -> bool {
        self.link(interface).is_some_and(|link| link.listens(group))
    }

    /// The address that the router's own packets to `destination` come from, which go out of or came in by
    /// `interface`: one of the interface's, else one of another interface of its virtual network (RFC 4443 2.2,
    /// RFC 6724 5).
    pub fn source_for(&self, interface: InterfaceId, destination: u128) -> Option<u128> {
        let link = self.link(interface)?;
        if is_multicast(destination) && destination >> 112 & 0xf <= 2 {
            return link.link_local();
        }
        link.source_for(destination)
            .or_else(|| {
                let others = self.of(interface.vn());
                let sources = others.filter_map(|link| link.source_for(destination));
                sources.max_by_key(|source| (source ^ destination).leading_zeros())
            })
            .filter(|source| !is_link_local(destination) || link.own(*source).is_some())
            .or_else(|| link.link_local().filter(|_| link.is_on_link(destination)))
    }

    fn of(&self, vn: Vn) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(move |link| link.id.vn() == vn)
    }

    /// What was received and not obeyed.
    pub fn ignored(&self) -> Ignored {
        self.ignored
    }

    /// It is `now_ns`: to be called each millisecond or so.
    pub fn tick(&mut self, now_ns: u64, out: &mut Outbox<F>) {
        let Discovery {
            cache,
            links,
            by_interface,
            random,
            ..
        } = self;
        for link in links.iter_mut() {
            link.tick(now_ns, random, out);
        }
        let source = |interface: InterfaceId, target: u128| {
            let at = *by_interface.get(interface.index())?;
            links.get(usize::from(at))?.solicits_from(target)
        };
        cache.tick(now_ns, &source, out);
    }

    /// A message left by its interface: what waits for an answer to it does so from now on. To be told of each one.
    pub fn left(&mut self, now_ns: u64, outgoing: &Outgoing) {
        let id = outgoing.interface;
        if let Message::Solicitation { source, target, .. } = outgoing.message
            && source != 0
        {
            return self.cache.left(now_ns, id, target);
        }
        let Some(link) = self.link_mut(id) else {
            return;
        };
        match outgoing.message {
            Message::Solicitation { target, nonce, .. } => {
                if let Some(own) = link.own_mut(target) {
                    own.probed(now_ns, nonce);
                    link.due_ns = 0;
                }
            }
            Message::RouterAdvertisement { .. } => link.advertise.left(now_ns),
            Message::Advertisement { .. } | Message::Report(_) => {}
        }
    }

    /// Writes the packet of a message into `packet`, 1280 octets being enough for any. None: there is no room, or
    /// nothing to say any longer.
    pub fn write(&self, outgoing: &Outgoing, packet: &mut [u8]) -> Option<Written> {
        wire::write(self.link(outgoing.interface)?, outgoing, packet)
    }
}

//! An interface as neighbour discovery sees it.

use alloc::string::String;

use arrayvec::ArrayVec;

use super::advertise::Schedule;
use super::advertise::config::Parameters;
use super::groups::Groups;
use super::outbox::{Message, Outbox};
use super::own::{ADDRESSES, Own};
use super::random::Random;
use crate::control::item::Mac;
use crate::control::view::AddressState;
use crate::icmp::limit::Bucket;
use crate::icmp::{is_link_local, solicited_node};
use crate::prefix::InterfaceAddress;
use crate::vn::InterfaceId;

/// What an interface is to neighbour discovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkConfig {
    /// Its MAC address, no group's.
    pub mac: Mac,
    /// Octets of the largest IPv6 packet on the link.
    pub mtu: u16,
    /// What it advertises; none: it does not.
    pub advertise: Option<Parameters>,
    /// It advertises only while it has an address beside the link-local one.
    pub if_addressed: bool,
    /// Whether addresses are used only after nobody else was found to have them (RFC 4862 5.4).
    pub verify: bool,
}

/// Why an interface or address cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No such interface, or one too many.
    #[error("no such interface")]
    Unknown,
    /// The interface is there already.
    #[error("the interface is there already")]
    Exists,
    /// The MAC address is a group's.
    #[error("mac: {0} is a group's; allowed: the address of one interface")]
    Group(Mac),
    /// What it shall advertise is wrong.
    #[error("ra: {0}")]
    Advertise(String),
    /// The address is there already.
    #[error("the interface has the address already")]
    AddressExists,
    /// There is no such address.
    #[error("the interface has no such address")]
    AddressUnknown,
    /// The link-local address cannot be removed.
    #[error("the link-local address of the interface stays")]
    LinkLocal,
    /// No room for more addresses.
    #[error(
        "the interface has {ADDRESSES} addresses; allowed: {ADDRESSES} with the link-local one"
    )]
    Full,
}

/// Most answers for anycast addresses that wait on a link.
pub(super) const ANSWERS: usize = 8;

/// The link-local address of an interface with this MAC address (RFC 4291 2.5.6, RFC 2464 4 and 5).
pub const fn link_local(mac: Mac) -> u128 {
    let [a, b, c, d, e, f] = mac.0;
    let id = u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
    0xfe80 << 112 | id as u128
}

/// An interface.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: InterfaceId,
    pub(super) mac: Mac,
    pub(super) mtu: u16,
    pub(super) verify: bool,
    pub(super) addresses: ArrayVec<Own, ADDRESSES>,
    pub(super) groups: Groups,
    pub(super) advertise: Schedule,
    /// What it advertises while it has an address beside the link-local one; none: that does not matter.
    pub(super) if_addressed: Option<Parameters>,
    /// Answers for anycast addresses, and when they are due.
    pub(super) answers: ArrayVec<(u64, Message), ANSWERS>,
    /// Redirects that may be sent.
    pub(super) redirects: Bucket,
    /// Advertisements to all nodes, of addresses that others claim.
    pub(super) defences: Bucket,
    /// Nothing is to be done before; 0: something changed.
    pub(super) due_ns: u64,
}

impl Link {
    /// Its address that is `address`.
    pub(super) fn own(&self, address: u128) -> Option<&Own> {
        let is_it = |own: &&Own| own.address.address == address;
        self.addresses.iter().find(is_it)
    }

    pub(super) fn own_mut(&mut self, address: u128) -> Option<&mut Own> {
        let is_it = |own: &&mut Own| own.address.address == address;
        self.addresses.iter_mut().find(is_it)
    }

    /// Its address by which it is in the subnet whose router anycast address `address` is (RFC 4291 2.6.1); one in
    /// use, as that address is the router's own no sooner.
    pub(super) fn anycast(&self, address: u128) -> Option<u128> {
        let of = |own: &InterfaceAddress| own.subnet_router() == Some(address);
        let in_subnet = self.preferred().find(of);
        in_subnet
            .map(|own| own.address)
            .filter(|_| self.own(address).is_none())
    }

    /// Its addresses in use.
    pub(super) fn preferred(&self) -> impl Iterator<Item = InterfaceAddress> {
        let in_use = |own: &&Own| own.state == AddressState::Preferred;
        self.addresses.iter().filter(in_use).map(|own| own.address)
    }

    /// Its link-local address, if it is in use.
    pub(super) fn link_local(&self) -> Option<u128> {
        let addresses = self.preferred().map(|own| own.address);
        addresses
            .into_iter()
            .find(|address| is_link_local(*address))
    }

    /// Whether nodes with this address may be on the link: it is link-local or in a prefix of the interface.
    pub(super) fn is_on_link(&self, address: u128) -> bool {
        is_link_local(address)
            || self.addresses.iter().any(|own| {
                let prefix = own.address.prefix();
                prefix.length() < 128 && prefix.contains(address)
            })
    }

    /// The address that packets to `destination` come from, if the interface has one that `destination` can answer
    /// (RFC 6724 5, rules 1, 2 and 8).
    pub(super) fn source_for(&self, destination: u128) -> Option<u128> {
        if is_link_local(destination) {
            return self.link_local();
        }
        let global = self.preferred().filter(|own| !is_link_local(own.address));
        let nearest = global.max_by_key(|own| (own.address ^ destination).leading_zeros());
        nearest.map(|own| own.address)
    }

    /// The address that solicitations for `target` come from: link-local, as a router's addresses may change.
    pub(super) fn solicits_from(&self, target: u128) -> Option<u128> {
        self.link_local().or_else(|| self.source_for(target))
    }

    /// Whether it listens to `group`.
    pub(super) fn listens(&self, group: u128) -> bool {
        super::groups::is_always(group)
            || self
                .addresses
                .iter()
                .flat_map(|own| [Some(own.address.address), own.address.subnet_router()])
                .flatten()
                .any(|address| solicited_node(address) == group)
    }

    /// It is `now_ns`.
    pub(super) fn tick<F>(&mut self, now_ns: u64, random: &mut Random, out: &mut Outbox<F>) {
        if now_ns < self.due_ns {
            return;
        }
        let mut due_ns = u64::MAX;
        let has_link_local = self.link_local().is_some();
        for at in 0..self.addresses.len() {
            let Some(own) = self.addresses.get_mut(at) else {
                break;
            };
            due_ns = due_ns.min(own.tick(now_ns, self.id, random, out));
        }
        if !has_link_local && self.link_local().is_some() {
            self.advertise.restart(now_ns, random);
        }
        due_ns = due_ns.min(self.groups.tick(now_ns, self.id, random, out));
        due_ns = due_ns.min(self.answer(now_ns, out));
        if self.link_local().is_some() {
            let has_room = out.has_room(self.id);
            let (sent, next_ns) = self.advertise.tick(now_ns, random, has_room);
            if let Some(last) = sent {
                out.send(self.id, Message::RouterAdvertisement { last });
            }
            due_ns = due_ns.min(next_ns);
        }
        self.due_ns = due_ns;
    }

    /// Gives the answers that are due; and when to look again.
    fn answer<F>(&mut self, now_ns: u64, out: &mut Outbox<F>) -> u64 {
        let id = self.id;
        self.answers.retain(|(due_ns, answer)| {
            let is_due = *due_ns <= now_ns && out.has_room(id);
            if is_due {
                out.send(id, *answer);
            }
            !is_due
        });
        let due = self.answers.iter().map(|(due_ns, _)| *due_ns);
        due.min().unwrap_or(u64::MAX)
    }
}

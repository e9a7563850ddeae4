//! What a received message does (RFC 4861 6.2.6, 7.2.3, 7.2.5; RFC 4862 5.4; RFC 3810 6.2).

use super::discovery::Discovery;
use super::link::Link;
use super::outbox::{Message, Outbox};
use crate::control::item::Mac;
use crate::control::view::AddressState;
use crate::icmp::message::Advertisement;
use crate::icmp::{self, Nonce, Received};
use crate::vn::InterfaceId;

/// Advertisements to all nodes that others provoke: a second, and at once.
const DEFENCES: (u32, u32) = (10, 10);
/// Longest delay of an answer for an anycast address, which other routers may give too: `MAX_ANYCAST_DELAY_TIME`
/// (RFC 4861 7.2.7, 10).
const ANYCAST_DELAY_NS: u64 = 1_000_000_000;

/// What was received and not obeyed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Router Advertisements: this is a router.
    pub router_advertisements: u64,
    /// Redirects: this is a router.
    pub redirects: u64,
    /// Advertisements of other nodes for addresses of ours that are in use.
    pub conflicts: u64,
    /// Answers not given, as too many were wanted.
    pub unanswered: u64,
}

impl<F> Discovery<F> {
    /// A message came in by `interface` in a frame from `sender`; messages of other protocols do nothing.
    pub fn receive(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        sender: Mac,
        received: &Received<'_>,
        out: &mut Outbox<F>,
    ) {
        let source = received.source;
        match received.message {
            icmp::Message::Solicitation { target, mac, nonce } => {
                let from = (source, mac);
                self.solicited(now_ns, interface, (from, sender), (target, nonce), out);
            }
            icmp::Message::Advertisement(said) => self.advertised(now_ns, interface, &said, out),
            icmp::Message::RouterSolicitation { mac } => {
                self.learn(now_ns, interface, source, mac, out);
                if source != 0 {
                    self.cache.set_router(interface, source, false);
                }
                if let Some((link, random)) = self.link_and_random(interface) {
                    link.advertise.solicited(now_ns, random);
                    link.due_ns = 0;
                }
            }
            icmp::Message::Query(query) => {
                if let Some((link, random)) = self.link_and_random(interface) {
                    link.groups.queried(now_ns, query, random);
                    link.due_ns = 0;
                }
            }
            icmp::Message::RouterAdvertisement => self.ignored.router_advertisements += 1,
            icmp::Message::Redirect => self.ignored.redirects += 1,
            _ => {}
        }
    }

    /// Somebody asks for `target`'s MAC address, or whether it is free.
    fn solicited(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        ((source, mac), sender): ((u128, Option<Mac>), Mac),
        (target, nonce): (u128, Option<Nonce>),
        out: &mut Outbox<F>,
    ) {
        let Some(link) = self.link_mut(interface) else {
            return;
        };
        let Some(own) = link.own_mut(target) else {
            let to = ((source, mac), sender);
            return self.solicited_anycast(now_ns, interface, to, target, out);
        };
        let is_probe = source == 0;
        match own.state {
            AddressState::Tentative => {
                if is_probe && own.is_claimed(now_ns, nonce) {
                    link.due_ns = 0;
                }
                return;
            }
            AddressState::Duplicated => return,
            AddressState::Preferred => {}
        }
        if is_probe {
            return self.defend(now_ns, interface, target, out);
        }
        if link.own(source).is_some() {
            return;
        }
        if let Some(to) = self.asked_by(now_ns, interface, ((source, mac), sender), out) {
            let to = Some((source, to));
            out.send(interface, Message::Advertisement { target, to });
        }
    }

    /// The MAC address that an answer goes to, whoever asks being learned.
    fn asked_by(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        ((source, mac), sender): ((u128, Option<Mac>), Mac),
        out: &mut Outbox<F>,
    ) -> Option<Mac> {
        self.learn(now_ns, interface, source, mac, out);
        let known = self.find(interface, source).map(|id| *self.hop(id));
        let known = known.filter(super::Hop::is_usable).map(|hop| hop.mac());
        // Who does not say its MAC address is asked for it, or, if that is not known, answered where it came from.
        Some(mac.or(known).unwrap_or(sender)).filter(|to| !to.is_group())
    }

    /// Somebody asks for the MAC address of a subnet-router anycast address, if `target` is one of ours. Those that
    /// only look whether it is free are not answered: an anycast address may be many nodes' (RFC 4862 5.4).
    fn solicited_anycast(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        ((source, mac), sender): ((u128, Option<Mac>), Mac),
        target: u128,
        out: &mut Outbox<F>,
    ) {
        let is_asked = |link: &Link| {
            source != 0 && link.anycast(target).is_some() && link.own(source).is_none()
        };
        if !self.link(interface).is_some_and(is_asked) {
            return;
        }
        let to = self.asked_by(now_ns, interface, ((source, mac), sender), out);
        let (Some(to), Some((link, random))) = (to, self.link_and_random(interface)) else {
            return;
        };
        let due_ns = now_ns.saturating_add(random.between(0, ANYCAST_DELAY_NS));
        let to = Some((source, to));
        let answer = (due_ns, Message::Advertisement { target, to });
        link.due_ns = 0;
        if link.answers.try_push(answer).is_err() {
            self.ignored.unanswered += 1;
        }
    }

    /// Tells all nodes that `target` is ours (RFC 4861 7.2.4, RFC 4862 5.4.3), not too often.
    fn defend(&mut self, now_ns: u64, interface: InterfaceId, target: u128, out: &mut Outbox<F>) {
        let Some(link) = self.link_mut(interface) else {
            return;
        };
        if link.defences.take(now_ns, DEFENCES.0, DEFENCES.1) {
            out.send(interface, Message::Advertisement { target, to: None });
        } else {
            self.ignored.unanswered += 1;
        }
    }

    /// Somebody says what its MAC address is.
    fn advertised(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        said: &Advertisement,
        out: &mut Outbox<F>,
    ) {
        let Some(link) = self.link_mut(interface) else {
            return;
        };
        let from_us = said.mac == Some(link.mac);
        let Some(own) = link.own_mut(said.target) else {
            if from_us {
                return;
            }
            return self.cache.advertised(now_ns, interface, said, out);
        };
        // Our own, come back; we advertise no tentative address, so of one it is another's, even with our MAC address.
        if from_us && own.state != AddressState::Tentative {
            return;
        }
        if own.is_claimed(now_ns, None) {
            link.due_ns = 0;
        } else if own.state == AddressState::Preferred {
            self.ignored.conflicts += 1;
            self.defend(now_ns, interface, said.target, out);
        }
    }

    /// What a node says of itself unasked is believed of addresses that may be on the link.
    fn learn(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        source: u128,
        mac: Option<Mac>,
        out: &mut Outbox<F>,
    ) {
        let Some(link) = self.link(interface) else {
            return;
        };
        let is_believed = |link: &Link, mac: &Mac| {
            let is_ours = link.own(source).is_some() || link.anycast(source).is_some();
            source != 0 && *mac != link.mac && link.is_on_link(source) && !is_ours
        };
        if let Some(mac) = mac.filter(|mac| is_believed(link, mac)) {
            self.cache.learn(now_ns, interface, source, mac, out);
        }
    }
}

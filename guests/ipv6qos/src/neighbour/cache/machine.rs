//! What a packet or a message does to an entry: the rows of RFC 4861, appendix C, that are no timer's.

use super::asking::Asker;
use super::{Cache, NeighbourId, SOLICITATIONS};
use crate::control::item::Mac;
use crate::control::view::Reachability;
use crate::icmp::message::Advertisement;
use crate::neighbour::outbox::{Fate, Message, Outbox};
use crate::vn::InterfaceId;

/// Why a configured neighbour cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the neighbour cache is full of neighbours in use; allowed: {0} with a MAC address in a virtual network, if \
     the others have few"
)]
pub struct Full(pub u32);

/// What is asked when a neighbour is to be resolved.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// The link, and who is looked for there.
    pub interface: InterfaceId,
    /// The address.
    pub address: u128,
    /// Our address on the link (none: not yet, it is asked again later).
    pub source: Option<u128>,
    /// For whom.
    pub asker: Asker,
}

impl<F> Cache<F> {
    /// `frame` is for a neighbour that is not usable, or not known: it waits, and the neighbour is asked for. What
    /// cannot wait is in `out`.
    pub fn resolve(&mut self, now_ns: u64, question: Question, frame: F, out: &mut Outbox<F>) {
        let Question {
            interface, address, ..
        } = question;
        let known = self.find(interface, address);
        let at = match known {
            Some(id) if self.hop(id).is_usable() => {
                let fate = Fate::Send(interface, self.hop(id).mac());
                self.used(now_ns, id);
                return out.frames.push((fate, frame));
            }
            Some(id) if self.hop(id).state == Reachability::Failed => {
                return out.frames.push((Fate::Unreachable, frame));
            }
            Some(NeighbourId(at)) => Some(at),
            None => self.ask(now_ns, question, out),
        };
        let Some(at) = at else {
            self.counts.refused += 1;
            return out.frames.push((Fate::Refused, frame));
        };
        self.hold(at, frame, out);
    }

    /// Begins to ask for an address, unless too many are asked for.
    fn ask(&mut self, now_ns: u64, question: Question, out: &mut Outbox<F>) -> Option<u32> {
        let Question {
            interface,
            address,
            source,
            asker,
        } = question;
        if !out.has_room_for_new() || !self.asking.take(now_ns, interface, asker) {
            return None;
        }
        if !self.room_for_unresolved(interface.vn(), out) {
            return None;
        }
        let at = self.make(now_ns, interface, address, Reachability::Incomplete, false)?;
        self.counts.asked += 1;
        self.solicit(at, source, out);
        Some(at)
    }

    /// Asks once more for an entry, at its MAC address if that is known and is to be verified.
    pub(super) fn solicit(&mut self, at: u32, source: Option<u128>, out: &mut Outbox<F>) {
        let (Some(hop), Some(entry)) = (
            self.hops.get(at as usize),
            self.entries.get_mut(at as usize),
        ) else {
            return;
        };
        entry.asked = entry.asked.saturating_add(1).min(SOLICITATIONS);
        let Some(source) = source else {
            return;
        };
        let to = hop.is_usable().then_some(hop.mac);
        let message = Message::Solicitation {
            source,
            target: hop.address,
            to,
            nonce: None,
        };
        out.send(hop.interface, message);
    }

    /// The solicitation of an entry left only now: its answer is waited for from now on.
    pub fn left(&mut self, now_ns: u64, interface: InterfaceId, address: u128) {
        let Some(id) = self.find(interface, address) else {
            return;
        };
        let state = self.hop(id).state;
        if matches!(state, Reachability::Incomplete | Reachability::Probe) {
            self.change(now_ns, id.0, state);
        }
    }

    /// Lets a frame wait for an entry.
    fn hold(&mut self, at: u32, frame: F, out: &mut Outbox<F>) {
        let vn = self.hop(NeighbourId(at)).interface.vn();
        let displaced = self.held.must_yield(vn).and_then(|(of, owner)| {
            let entry = self.entries.get_mut(owner as usize)?;
            self.held.pop(of, &mut entry.waiting)
        });
        let refused = match self.entries.get_mut(at as usize) {
            Some(entry) => self.held.push(vn, at, &mut entry.waiting, frame),
            None => Some(frame),
        };
        for frame in displaced.into_iter().chain(refused) {
            self.counts.overflow += 1;
            out.frames.push((Fate::Overflow, frame));
        }
    }

    /// A node said of itself, unasked, that it has this address and MAC address: the source of a Neighbour or
    /// Router Solicitation. Only where the address may be on this link, and is not ours.
    pub fn learn(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        address: u128,
        mac: Mac,
        out: &mut Outbox<F>,
    ) {
        let Some(id) = self.find(interface, address) else {
            if self.room_for_resolved(interface.vn(), true, out) {
                let made = self.make(now_ns, interface, address, Reachability::Stale, true);
                self.set_mac(made, mac);
            } else {
                self.counts.unlearned += 1;
            }
            return;
        };
        let hop = *self.hop(id);
        match hop.state {
            Reachability::Permanent => {}
            Reachability::Incomplete | Reachability::Failed => {
                self.answered(now_ns, id, mac, Reachability::Stale, out);
            }
            _ if hop.mac != mac => {
                self.set_mac(Some(id.0), mac);
                self.change(now_ns, id.0, Reachability::Stale);
            }
            _ => {}
        }
    }

    /// The node says that it is a router, or that it is not: the source of a Router Solicitation.
    pub fn set_router(&mut self, interface: InterfaceId, address: u128, router: bool) {
        let id = self.find(interface, address);
        if let Some(hop) = id.and_then(|NeighbourId(at)| self.hops.get_mut(at as usize)) {
            hop.router = router;
        }
    }

    /// A valid Neighbour Advertisement came in (RFC 4861 7.2.5). What is not known is not learned by it.
    pub fn advertised(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        said: &Advertisement,
        out: &mut Outbox<F>,
    ) {
        let Some(id) = self.find(interface, said.target) else {
            return;
        };
        let hop = *self.hop(id);
        let confirmed = if said.solicited {
            Reachability::Reachable
        } else {
            Reachability::Stale
        };
        match (hop.state, said.mac) {
            (Reachability::Permanent, _) => return,
            (Reachability::Incomplete | Reachability::Failed, None) => {}
            (Reachability::Incomplete | Reachability::Failed, Some(mac)) => {
                self.answered(now_ns, id, mac, confirmed, out);
            }
            (state, Some(mac)) if mac != hop.mac => {
                if !said.overrides {
                    if state == Reachability::Reachable {
                        self.change(now_ns, id.0, Reachability::Stale);
                    }
                    return;
                }
                self.set_mac(Some(id.0), mac);
                self.change(now_ns, id.0, confirmed);
            }
            _ if said.solicited => self.change(now_ns, id.0, Reachability::Reachable),
            _ => {}
        }
        self.set_router(interface, said.target, said.router);
    }

    /// The MAC address of an entry without one is known now: what waited goes there.
    fn answered(
        &mut self,
        now_ns: u64,
        id: NeighbourId,
        mac: Mac,
        state: Reachability,
        out: &mut Outbox<F>,
    ) {
        let interface = self.hop(id).interface;
        self.counts.resolved += 1;
        self.release(id.0, Fate::Send(interface, mac), out);
        if self.room_for_resolved(interface.vn(), false, out) {
            self.set_mac(Some(id.0), mac);
            self.change(now_ns, id.0, state);
        } else {
            self.forget(id.0, Fate::Refused, out);
        }
    }

    fn set_mac(&mut self, at: Option<u32>, mac: Mac) {
        if let Some(hop) = at.and_then(|at| self.hops.get_mut(at as usize)) {
            hop.mac = mac;
        }
    }

    /// Configures a neighbour, whatever was known of it.
    ///
    /// # Errors
    ///
    /// All places are taken by neighbours in use.
    pub fn set_permanent(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        address: u128,
        mac: Mac,
        out: &mut Outbox<F>,
    ) -> Result<(), Full> {
        let full = Full(self.resolved.most());
        let known = self.find(interface, address);
        let is_resolved = known.is_some_and(|id| self.hop(id).is_usable());
        if !is_resolved && !self.room_for_resolved(interface.vn(), false, out) {
            return Err(full);
        }
        let at = match self.find(interface, address) {
            Some(NeighbourId(at)) => Some(at),
            None => self.make(now_ns, interface, address, Reachability::Permanent, false),
        };
        let at = at.ok_or(full)?;
        self.release(at, Fate::Send(interface, mac), out);
        self.set_mac(Some(at), mac);
        self.change(now_ns, at, Reachability::Permanent);
        Ok(())
    }

    /// The address is the router's own from now on: whoever was known to have it is forgotten. If it is being asked
    /// for, nobody will answer.
    pub fn disown(&mut self, interface: InterfaceId, address: u128) {
        let known = self.find(interface, address);
        if let Some(id) = known.filter(|id| self.hop(*id).is_usable()) {
            self.erase(id.0);
        }
    }

    /// Forgets a neighbour, configured or learned. False: there is none.
    pub fn remove(&mut self, interface: InterfaceId, address: u128, out: &mut Outbox<F>) -> bool {
        let known = self.find(interface, address);
        if let Some(NeighbourId(at)) = known {
            self.forget(at, Fate::Refused, out);
        }
        known.is_some()
    }
}

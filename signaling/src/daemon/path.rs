//! Where a call goes: a socket that listens here or the next node, what is reserved for it, and that it is asked.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use super::call::{Call, Key, Leg, Phase, Switched, Target};
use super::core::{Daemon, Listener, Output};
use super::switch::{Op, OpId, Place, Refusal, Way, What};
use crate::entity::CallError;
use crate::isp::{Pvc, Sap};
use crate::link::Side;
use crate::q2931::{Cause, ConnectionIdentifier, Reason, Setup};
use crate::qos::{Qos, Traffic};

impl Daemon {
    /// Keeps a call; its number.
    pub(super) fn begin(&mut self, call: Call) -> Key {
        self.last_key += 1;
        let key = Key(self.last_key);
        self.share.take(call.origin);
        self.calls.insert(key, call);
        key
    }

    /// Finds out whom a call is for, and reserves what it needs.
    pub(super) fn route(&mut self, key: Key) {
        let Some(call) = self.calls.get(&key) else {
            return;
        };
        match self.target(call) {
            Ok(target) => self.reserve(key, target),
            Err(reason) => self.end_call(key, reason),
        }
    }

    /// Whom a call is for.
    fn target(&self, call: &Call) -> Result<Target, Reason> {
        let of_host = self.configuration.host.is_some();
        let from_socket = matches!(call.from, Leg::Socket { .. });
        // On a host, frames between two applications have to go by the network: there is no switch here.
        if !(of_host && from_socket) {
            if let Some(listener) = self.listeners.get(&call.called) {
                return self.taken_by(listener, call).map_err(Reason::from);
            }
            if self.configuration.is_own(&call.called) {
                return Err(Cause::NoUserResponding.into());
            }
            if of_host {
                return Err(Cause::UnallocatedNumber.into());
            }
        }
        let vn = self.network(call);
        let mut why = Reason::from(Cause::NoRouteToDestination);
        for &port in self.routes.lookup(&call.called) {
            let Some(link) = self.links.get(&port) else {
                continue;
            };
            // Back to where it came from only where hosts are: two of them may share a link's end.
            if call.came_by.is_some_and(|place| place.port == port) && !link.port.edge {
                continue;
            }
            if link.name(vn).is_none() {
                continue;
            }
            if link.entity.is_up() {
                return Ok(Target::Link(Place { port, vn, label: 0 }));
            }
            let heard = alloc::format!("port {}: the neighbour is not heard", link.port.name);
            why = Reason::from(Cause::DestinationOutOfOrder).saying(&heard);
        }
        Err(why)
    }

    /// The network that a call is of.
    fn network(&self, call: &Call) -> u8 {
        let lowest = || self.configuration.vns.first().copied().unwrap_or(0);
        call.came_by.map_or_else(lowest, |place| place.vn)
    }

    /// Whether a socket that listens takes a call, and where.
    fn taken_by(&self, listener: &Listener, call: &Call) -> Result<Target, Cause> {
        let Listener {
            client,
            vcc,
            qos,
            at,
        } = *listener;
        if !covers(qos, call.qos.turned()) || at.is_some_and(|at| at.vn != self.network(call)) {
            return Err(Cause::IncompatibleDestination);
        }
        let place = match at {
            None => None,
            Some(at) => {
                let mut places = at.places().into_iter().flatten();
                let free = places.find(|place| !self.is_held(*place));
                Some(free.ok_or(Cause::UserBusy)?)
            }
        };
        Ok(Target::Listener { client, vcc, place })
    }

    fn reserve(&mut self, key: Key, target: Target) {
        let target = match target {
            Target::Link(place) => {
                let link = self.links.get_mut(&place.port);
                let label = link.and_then(|link| {
                    let side = link.entity.side()?;
                    link.labels.take(place.vn, side == Side::Odd)
                });
                match label {
                    Some(label) => Target::Link(Place { label, ..place }),
                    None => return self.end_call(key, Cause::NoVpciVciAvailable),
                }
            }
            Target::Listener {
                place: Some(place), ..
            } if !self.hold(place) => return self.end_call(key, Cause::UserBusy),
            listener @ Target::Listener { .. } => listener,
        };
        let edge = |place: Option<Place>| {
            let link = place.and_then(|place| self.links.get(&place.port));
            link.is_some_and(|link| link.port.edge)
        };
        let Some(call) = self.calls.get(&key) else {
            return;
        };
        let from_socket = matches!(call.from, Leg::Socket { .. });
        let (goes_by, to_socket) = match target {
            Target::Link(place) => (Some(place), false),
            Target::Listener { place, .. } => (place, true),
        };
        let mut ways = Vec::new();
        if self.configuration.switch {
            // The network begins where a socket stands for a device, too.
            let way = |(from, begins): (Option<Place>, bool), to: Option<Place>, traffic| {
                let traffic: Option<Traffic> = traffic;
                Some(Way {
                    from,
                    to: to?,
                    traffic: traffic?,
                    police: from.is_some() && (begins || edge(from)),
                })
            };
            let (came_by, qos) = (call.came_by, call.qos);
            ways.extend(way((came_by, from_socket), goes_by, qos.transmit));
            ways.extend(way((goes_by, to_socket), came_by, qos.receive));
        }
        let Some(call) = self.calls.get_mut(&key) else {
            return;
        };
        call.target = Some(target);
        call.goes_by = goes_by;
        if ways.is_empty() {
            return self.ask(key);
        }
        call.ways = ways;
        let op = self.switch(key, What::Set);
        if let Some(call) = self.calls.get_mut(&key) {
            call.switched = Switched::Setting(op);
        }
    }

    pub(super) fn switch(&mut self, key: Key, what: What) -> OpId {
        self.last_op += 1;
        let id = OpId(self.last_op);
        self.by_op.insert(id, key);
        let ways = self.calls.get(&key).map(|call| call.ways.clone());
        let ways = ways.unwrap_or_default();
        self.push(Output::Switch(Op { id, what, ways }));
        id
    }

    /// The switch has done this, or not.
    pub fn switched(&mut self, now_ns: u64, op: OpId, done: Result<(), Refusal>) {
        self.at(now_ns);
        let Some(key) = self.by_op.remove(&op) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&key) else {
            return;
        };
        match (call.switched, done) {
            (Switched::Setting(_), Ok(())) => {
                call.switched = Switched::Set;
                if matches!(call.phase, Phase::Ending(_)) {
                    self.let_go(key);
                } else {
                    self.ask(key);
                }
            }
            (Switched::Setting(_), Err(refusal)) => {
                call.switched = Switched::Nothing;
                let why = refusal.to_string();
                self.end_call(key, Reason::from(refusal.cause()).saying(&why));
            }
            (Switched::Unsetting(_), _) => {
                call.switched = Switched::Nothing;
                self.let_go(key);
            }
            (Switched::Nothing | Switched::Set, _) => {}
        }
        self.hear_links();
    }

    /// Asks whom the call is for.
    fn ask(&mut self, key: Key) {
        let Some(call) = self.calls.get_mut(&key) else {
            return;
        };
        call.phase = Phase::Asked;
        match call.target {
            Some(Target::Link(place)) => {
                let link = self.links.get(&place.port);
                let named = link.and_then(|link| link.name(place.vn));
                let connection =
                    named.and_then(|vn| ConnectionIdentifier::new(vn, place.label).ok());
                let Some(connection) = connection else {
                    return self.end_call(key, Cause::NoVpciVciAvailable);
                };
                let setup = Setup {
                    called: call.called,
                    calling: Some(call.calling).filter(|calling| !calling.is_null()),
                    qos: call.qos,
                    connection,
                    blli: call.blli.clone(),
                    // A host is none.
                    hops: call
                        .hops
                        .saturating_add(u8::from(self.configuration.host.is_none())),
                };
                let link = self.links.get_mut(&place.port);
                match link.map(|link| link.entity.setup(self.now_ns, setup)) {
                    Some(Ok(leg)) => {
                        let port = place.port;
                        call.to = Leg::Link { port, call: leg };
                        self.by_link.insert((port, leg), key);
                    }
                    Some(Err(error)) => self.end_call(key, refused(&error)),
                    None => self.end_call(key, Cause::DestinationOutOfOrder),
                }
            }
            Some(Target::Listener { client, vcc, .. }) => {
                self.last_token += 1;
                let token = self.last_token;
                let qos = call.qos.turned();
                let svc = Sap {
                    address: call.calling,
                    bllis: super::blli::bllis(&call.blli),
                };
                // As with okay: where a socket of the switch is, or where the call comes from.
                let pvc = pvc(call.goes_by.or(call.came_by));
                let demon = self.clients.get_mut(&client);
                let said = demon.and_then(|demon| demon.indicate(vcc, token, pvc, qos, svc).ok());
                match said {
                    Some(message) => {
                        call.to = Leg::Indicated { client, token };
                        self.by_token.insert((client, token), key);
                        self.push(Output::Say(client, message));
                    }
                    None => self.end_call(key, Cause::UserBusy),
                }
            }
            None => self.end_call(key, Cause::NoRouteToDestination),
        }
    }
}

/// The cause of a call that its link does not take.
fn refused(error: &CallError) -> Cause {
    match error {
        CallError::Down => Cause::DestinationOutOfOrder,
        CallError::Full { .. } => Cause::ResourcesUnavailable,
        CallError::Busy { .. } | CallError::Unknown { .. } | CallError::State { .. } => {
            Cause::TemporaryFailure
        }
        CallError::Side { .. } | CallError::InUse { .. } => Cause::NoVpciVciAvailable,
        CallError::Setup(_) => Cause::TrafficParametersNotSupported,
    }
}

/// A connection as sockets know it; where frames have no link to go by, all is 0.
pub(super) fn pvc(place: Option<Place>) -> Pvc {
    let (interface, vn, label) =
        place.map_or((0, 0, 0), |place| (place.port, place.vn, place.label));
    Pvc {
        interface,
        vn,
        label,
    }
}

/// Whether what is asked for is within what is taken, each way.
fn covers(most: Qos, asked: Qos) -> bool {
    let way = |most: Option<Traffic>, asked: Option<Traffic>| match (most, asked) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(most), Some(asked)) => {
            asked.max_sdu <= most.max_sdu
                && match (most.wire_bps(), asked.wire_bps()) {
                    (None, _) => true,
                    (Some(_), None) => false,
                    (Some(most), Some(asked)) => asked <= most,
                }
        }
    };
    way(most.transmit, asked.transmit) && way(most.receive, asked.receive)
}

//! What applications say on their sockets.

use super::ClientId;
use super::call::{Call, Key, Leg, Phase, Switched};
use super::core::{Daemon, Listener, Output};
use super::path::pvc;
use super::switch::{Place, Span};
use crate::address::Address;
use crate::isp::demon::{Event, NotNow};
use crate::isp::{Demon, ErrorCode, Sap, ToDemon, ToKernel, Vcc};
use crate::q2931::{Cause, Reason};
use crate::qos::{Class, Qos};

impl Daemon {
    /// An application comes; one too many is let go of.
    pub fn client_comes(&mut self, client: ClientId) {
        let most = self.configuration.clients;
        if self.clients.len() < most {
            let demon = Demon::new(self.configuration.sockets());
            self.clients.insert(client, demon);
        } else {
            let why = alloc::format!("there are {most} applications already");
            self.push(Output::Drop(client, why));
        }
    }

    /// An application goes, and all of its sockets with it.
    pub fn client_goes(&mut self, now_ns: u64, client: ClientId) {
        self.at(now_ns);
        self.forget_client(client);
        self.hear_links();
    }

    pub(super) fn forget_client(&mut self, client: ClientId) {
        let Some(mut demon) = self.clients.remove(&client) else {
            return;
        };
        let left = demon.gone();
        self.listeners
            .retain(|_, listener| listener.client != client);
        for vcc in left.sockets {
            self.socket_gone(client, vcc, Cause::NormalUnspecified);
        }
        for call in left.calls {
            self.refused_by(client, call, Cause::DestinationOutOfOrder);
        }
    }

    /// What an application says.
    pub fn client_says(&mut self, now_ns: u64, client: ClientId, message: ToDemon) {
        self.client_says_at(now_ns, client, None, message);
    }

    /// What an application says whose socket stands for a place of the switch: where it calls from, or its calls are to
    /// go. Told with `as_connect` and `as_listen`.
    pub fn client_says_at(
        &mut self,
        now_ns: u64,
        client: ClientId,
        at: Option<Span>,
        message: ToDemon,
    ) {
        self.at(now_ns);
        let Some(demon) = self.clients.get_mut(&client) else {
            return;
        };
        match demon.hears(message) {
            Ok(event) => self.asked(client, at, event),
            Err(violation) => {
                self.forget_client(client);
                self.push(Output::Drop(client, alloc::format!("{violation}")));
            }
        }
        self.hear_links();
    }

    fn asked(&mut self, client: ClientId, at: Option<Span>, event: Event) {
        match event {
            Event::Bind { vcc, svc, .. } => match self.local(svc.address) {
                Some(address) => {
                    let svc = Sap { address, ..svc };
                    self.tell(client, |demon| demon.okay_bind(vcc, svc));
                }
                None => self.error(client, vcc, Cause::UnallocatedNumber),
            },
            Event::Connect {
                vcc,
                local,
                qos,
                svc,
                ..
            } => match self.begins_at(at, local) {
                Ok((calling, place)) => self.connects(client, vcc, calling, place, qos, svc),
                Err(cause) => self.error(client, vcc, cause),
            },
            Event::Listen { vcc, qos, svc, .. } => self.listens(client, vcc, at, qos, &svc),
            Event::Accept { vcc, call, .. } => self.accepts(client, vcc, call),
            Event::Reject { call, reply, .. } => {
                let cause = super::cause(reply).unwrap_or(Cause::CallRejected);
                self.refused_by(client, call, cause);
            }
            Event::Close { vcc } => {
                self.socket_gone(client, vcc, Cause::NormalCallClearing);
                self.tell(client, |demon| demon.close(vcc, None));
            }
            Event::Gone { vcc } => self.socket_gone(client, vcc, Cause::NormalCallClearing),
            Event::ItfNotify { .. } | Event::Stray { .. } => {}
            Event::Full { call, send, .. } => {
                self.push(Output::Say(client, send));
                if let Some(call) = call {
                    self.refused_by(client, call, Cause::ResourcesUnavailable);
                }
            }
        }
    }

    /// The address that a socket gets that asks for this one; none: it is not one of ours.
    fn local(&self, asked: Address) -> Option<Address> {
        match self.configuration.host {
            Some(host) if asked.is_null() => Some(host),
            Some(_) => Some(asked).filter(|asked| self.configuration.is_own(asked)),
            None => Some(asked).filter(|asked| !asked.is_null()),
        }
    }

    /// Who calls from there, and where that is.
    fn begins_at(
        &self,
        at: Option<Span>,
        local: Address,
    ) -> Result<(Address, Option<Place>), Cause> {
        let Some(at) = at else {
            let calling = self.local(local).ok_or(Cause::UnallocatedNumber)?;
            return Ok((calling, None));
        };
        let mut places = self
            .carried(at)
            .ok_or(Cause::IdentifiedChannelDoesNotExist)?;
        // A device that is not called needs no address.
        let calling = self.local(local).unwrap_or(Address::NULL);
        match (places.next(), places.next()) {
            (Some(place), None) => Ok((calling, Some(place))),
            _ => Err(Cause::IdentifiedChannelDoesNotExist),
        }
    }

    /// Places that connections of this switch can have.
    fn carried(&self, at: Span) -> Option<impl Iterator<Item = Place>> {
        let is_carried = self.configuration.switch && self.configuration.vns.contains(&at.vn);
        at.places().filter(|_| is_carried)
    }

    fn connects(
        &mut self,
        client: ClientId,
        vcc: Vcc,
        calling: Address,
        place: Option<Place>,
        qos: Qos,
        svc: Sap,
    ) {
        let why = if !self.share.has_room(None) {
            Some(self.no_room(None))
        } else if !is_asked_for(&qos) || !self.configuration.carries(&qos) {
            Some(Cause::TrafficParametersNotSupported.into())
        } else if place.is_some_and(|place| !self.hold(place)) {
            Some(Cause::RequestedVpciVciNotAvailable.into())
        } else {
            None
        };
        if let Some(reason) = why {
            return self.error(client, vcc, reason);
        }
        let key = self.begin(Call {
            called: svc.address,
            calling,
            blli: super::blli::octets(&svc.bllis),
            hops: 0,
            qos,
            // As all that begins here, wherever its socket stands for.
            origin: None,
            from: Leg::Socket { client, vcc },
            to: Leg::None,
            target: None,
            came_by: place,
            goes_by: None,
            ways: alloc::vec::Vec::new(),
            switched: Switched::Nothing,
            phase: Phase::Reserving,
        });
        self.by_socket.insert((client, vcc), key);
        self.route(key);
    }

    fn listens(&mut self, client: ClientId, vcc: Vcc, at: Option<Span>, qos: Qos, svc: &Sap) {
        if at.is_some_and(|at| self.carried(at).is_none()) {
            return self.error(client, vcc, Cause::IdentifiedChannelDoesNotExist);
        }
        let Some(address) = self.local(svc.address) else {
            return self.error(client, vcc, Cause::UnallocatedNumber);
        };
        if self.listeners.contains_key(&address) {
            return self.error(client, vcc, Cause::UserBusy);
        }
        let listener = Listener {
            client,
            vcc,
            qos,
            at,
        };
        self.listeners.insert(address, listener);
        self.tell(client, |demon| demon.okay_listen(vcc));
    }

    fn accepts(&mut self, client: ClientId, vcc: Vcc, token: u64) {
        let key = self.by_token.remove(&(client, token));
        let Some((key, call)) = key.and_then(|key| Some((key, self.calls.get_mut(&key)?))) else {
            // Whoever called has given up.
            return self.error(client, vcc, Cause::NormalCallClearing);
        };
        call.to = Leg::Socket { client, vcc };
        call.phase = Phase::Accepted;
        self.by_socket.insert((client, vcc), key);
        let (from, local, qos) = (call.from, call.called, call.qos);
        match from {
            Leg::Link { port, call } => {
                let link = self.links.get_mut(&port);
                let said = link.map(|link| link.entity.connect(self.now_ns, call, qos.turned()));
                if !matches!(said, Some(Ok(()))) {
                    self.end_call(key, Cause::TemporaryFailure);
                }
            }
            Leg::Socket {
                client: caller,
                vcc: its,
            } => {
                if let Some(call) = self.calls.get_mut(&key) {
                    call.phase = Phase::Active;
                }
                self.okay_connect(key, caller, its);
                self.okay_accept(client, vcc, local);
            }
            Leg::None | Leg::Clearing { .. } | Leg::Closing { .. } | Leg::Indicated { .. } => {
                self.end_call(key, Cause::TemporaryFailure);
            }
        }
    }

    /// A call that was announced to an application will not be accepted.
    fn refused_by(&mut self, client: ClientId, token: u64, cause: Cause) {
        let Some(key) = self.by_token.remove(&(client, token)) else {
            return;
        };
        if let Some(call) = self.calls.get_mut(&key) {
            call.to = Leg::None;
        }
        self.end_call(key, cause);
    }

    /// A socket is given up: it listens no more, and its call ends.
    fn socket_gone(&mut self, client: ClientId, vcc: Vcc, cause: Cause) {
        self.listeners
            .retain(|_, listener| (listener.client, listener.vcc) != (client, vcc));
        let Some(key) = self.by_socket.remove(&(client, vcc)) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&key) else {
            return;
        };
        for leg in [&mut call.from, &mut call.to] {
            match *leg {
                Leg::Socket { client: c, vcc: v } if (c, v) == (client, vcc) => *leg = Leg::None,
                Leg::Closing {
                    client: c,
                    vcc: v,
                    due_ns,
                } if (c, v) == (client, vcc) => {
                    self.closing.remove(&(due_ns, client, vcc));
                    *leg = Leg::None;
                }
                _ => {}
            }
        }
        self.end_call(key, cause);
    }

    pub(super) fn okay_connect(&mut self, key: Key, client: ClientId, vcc: Vcc) {
        let Some(call) = self.calls.get(&key) else {
            return;
        };
        // A socket of the switch is told where it is itself; others where the network begins.
        let place = pvc(call.came_by.or(call.goes_by));
        let (local, qos) = (call.calling, call.qos);
        self.tell(client, |demon| demon.okay_connect(vcc, place, local, qos));
    }

    pub(super) fn okay_accept(&mut self, client: ClientId, vcc: Vcc, local: Address) {
        self.tell(client, |demon| demon.okay_accept(vcc, local));
    }

    fn error(&mut self, client: ClientId, vcc: Vcc, reason: impl Into<Reason>) {
        let reason = reason.into();
        let reply = super::code(reason.cause).unwrap_or(ErrorCode::ABORTED);
        self.explain(client, vcc, &reason);
        self.tell(client, |demon| demon.error(vcc, reply));
    }

    /// Tells an application what its state machine makes of it; nothing, if its socket has gone on meanwhile.
    pub(super) fn tell(
        &mut self,
        client: ClientId,
        say: impl FnOnce(&mut Demon) -> Result<ToKernel, NotNow>,
    ) {
        let said = self
            .clients
            .get_mut(&client)
            .and_then(|demon| say(demon).ok());
        if let Some(message) = said {
            self.push(Output::Say(client, message));
        }
    }
}

/// Whether anything is asked for, and a rate where one is promised.
fn is_asked_for(qos: &Qos) -> bool {
    let mut ways = [qos.transmit, qos.receive].into_iter().flatten().peekable();
    ways.peek().is_some()
        && ways.all(|traffic| match traffic.class {
            Class::Cbr => traffic.wire_bps().is_some_and(|rate| rate > 0),
            Class::Ubr => true,
        })
}

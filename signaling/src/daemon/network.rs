//! What neighbours say: calls that come in, are answered, and end.

use super::call::{Call, Leg, Phase, Switched};
use super::core::Daemon;
use super::switch::Place;
use crate::address::Address;
use crate::entity::{CallId, Event};
use crate::q2931::{Cause, Reason, Setup};
use crate::qos::{Qos, Traffic};

/// Nodes that a call may cross: one that goes round ends here.
const MOST_HOPS: u8 = 32;

impl Daemon {
    /// Hears all that links have to tell.
    pub(super) fn hear_links(&mut self) {
        // What follows from one event may make others, on any link.
        while let Some((port, event)) = self
            .links
            .iter_mut()
            .find_map(|(port, link)| Some((*port, link.entity.next_event()?)))
        {
            self.hear_link(port, event);
        }
    }

    fn hear_link(&mut self, port: u16, event: Event) {
        match event {
            // Calls outlive a link that is down for a while; new ones ask whether it is up.
            Event::Up { .. } | Event::Down => {}
            Event::Incoming { call, setup } => self.comes(port, call, setup),
            Event::Connected { call, qos } => self.connected(port, call, qos),
            Event::ConnectAcknowledged { call } => self.acknowledged(port, call),
            Event::Released { call, reason } => self.leg_gone(port, call, reason),
            Event::Cleared { call } => self.leg_gone(port, call, Cause::NormalCallClearing.into()),
        }
    }

    fn comes(&mut self, port: u16, call: CallId, setup: Setup) {
        let (named, label) = (setup.connection.vn(), setup.connection.label());
        let link = self.links.get(&port);
        let Some(vn) = link.and_then(|link| link.network(named)) else {
            return self.turn_away(port, call, Cause::IdentifiedChannelDoesNotExist);
        };
        let place = Place { port, vn, label };
        let asked = if setup.hops >= MOST_HOPS {
            Err(Cause::ExchangeRoutingError.into())
        } else if !self.configuration.carries(&setup.qos) {
            Err(Cause::TrafficParametersNotSupported.into())
        } else {
            let screened = self.screen(port, setup.calling);
            screened.and_then(|()| self.admit(place))
        };
        if let Err(reason) = asked {
            return self.turn_away(port, call, reason);
        }
        let key = self.begin(Call {
            called: setup.called,
            calling: setup.calling.unwrap_or(Address::NULL),
            blli: setup.blli,
            hops: setup.hops,
            qos: setup.qos.turned(),
            origin: Some(port),
            from: Leg::Link { port, call },
            to: Leg::None,
            target: None,
            came_by: Some(place),
            goes_by: None,
            ways: alloc::vec::Vec::new(),
            switched: Switched::Nothing,
            phase: Phase::Reserving,
        });
        self.by_link.insert((port, call), key);
        self.route(key);
    }

    fn turn_away(&mut self, port: u16, call: CallId, reason: impl Into<Reason>) {
        if let Some(link) = self.links.get_mut(&port) {
            // One that has ended meanwhile needs no release.
            let _ = link.entity.release(self.now_ns, call, reason);
        }
    }

    /// Takes the label that a neighbour has chosen.
    fn admit(&mut self, place: Place) -> Result<(), Reason> {
        if !self.share.has_room(Some(place.port)) {
            return Err(self.no_room(Some(place.port)));
        }
        if !self.configuration.vns.contains(&place.vn) {
            return Err(Cause::IdentifiedChannelDoesNotExist.into());
        }
        let link = self.links.get_mut(&place.port);
        let taken = link.is_some_and(|link| {
            let side = link.entity.side();
            side.is_some_and(|side| {
                link.labels.accept(
                    place.vn,
                    place.label,
                    side.other() == crate::link::Side::Odd,
                )
            })
        });
        if taken {
            Ok(())
        } else {
            Err(Cause::RequestedVpciVciNotAvailable.into())
        }
    }

    /// Whom a call is for has answered.
    fn connected(&mut self, port: u16, leg: CallId, qos: Qos) {
        let Some(&key) = self.by_link.get(&(port, leg)) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&key) else {
            return;
        };
        if call.phase != Phase::Asked {
            return;
        }
        // Granted is what was asked for, or less: nobody asked for more.
        call.qos = granted(call.qos, qos);
        call.phase = Phase::Active;
        match call.from {
            Leg::Link { port, call: leg } => {
                let qos = call.qos.turned();
                let link = self.links.get_mut(&port);
                let answered = link.map(|link| link.entity.connect(self.now_ns, leg, qos));
                if !matches!(answered, Some(Ok(()))) {
                    // It has begun to end; its event is under way.
                    self.end_call(key, Cause::TemporaryFailure);
                }
            }
            Leg::Socket { client, vcc } => self.okay_connect(key, client, vcc),
            Leg::None | Leg::Clearing { .. } | Leg::Closing { .. } | Leg::Indicated { .. } => {}
        }
    }

    fn acknowledged(&mut self, port: u16, leg: CallId) {
        let Some(&key) = self.by_link.get(&(port, leg)) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&key) else {
            return;
        };
        if let (Phase::Accepted, Leg::Socket { client, vcc }) = (call.phase, call.to) {
            call.phase = Phase::Active;
            let local = call.called;
            self.okay_accept(client, vcc, local);
        }
    }

    /// A call on a link has ended, or is cleared there.
    fn leg_gone(&mut self, port: u16, leg: CallId, reason: Reason) {
        let Some(key) = self.by_link.remove(&(port, leg)) else {
            return;
        };
        let Some(call) = self.calls.get_mut(&key) else {
            return;
        };
        for side in [&mut call.from, &mut call.to] {
            if let Leg::Link { port: p, call: c } | Leg::Clearing { port: p, call: c } = *side
                && (p, c) == (port, leg)
            {
                *side = Leg::None;
            }
        }
        self.end_call(key, reason);
    }
}

/// The lesser of what was asked for and what came back, each way.
fn granted(asked: Qos, back: Qos) -> Qos {
    let lesser = |asked: Option<Traffic>, back: Option<Traffic>| {
        let (asked, back) = (asked?, back?);
        let is_less = match (asked.wire_bps(), back.wire_bps()) {
            (Some(asked), Some(back)) => back <= asked,
            (Some(_), None) => false,
            (None, _) => true,
        };
        Some(Traffic {
            class: asked.class,
            peak: if is_less { back.peak } else { asked.peak },
            cdvt_ns: asked.cdvt_ns.min(back.cdvt_ns),
            max_sdu: asked.max_sdu.min(back.max_sdu),
        })
    };
    Qos {
        transmit: lesser(asked.transmit, back.transmit),
        receive: lesser(asked.receive, back.receive),
    }
}

//! What an operator asks of permanent ends of connections.

use std::collections::{BTreeMap, BTreeSet};

use pinode_signaling::daemon::switch::{Place, Span};
use pinode_signaling::daemon::view::{CallView, View};

use super::Operator;
use super::signalling::refused;
use crate::config::{check_name, permanent_place_of};
use crate::control::{Control as _, ControlError, STREAMS_MOST, StreamPage};
use crate::dss::{Permanent, PermanentCall, PermanentShown};

/// Bounds of delays of frames that leave by a place, nanoseconds.
type Bounds = BTreeMap<Place, u64>;

impl Operator {
    pub(super) fn permanents_of(&self, guest: &str) -> Result<Vec<PermanentShown>, ControlError> {
        let ends = self.signalling_of(guest)?.permanents();
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        // Without a daemon there are no calls.
        let calls = self.calls_of(guest).unwrap_or_default();
        let own: Vec<_> = ends
            .iter()
            .flat_map(|(at, _)| calls.iter().filter_map(|call| device(*at, call)))
            .collect();
        let places = own.iter().flat_map(|own| [Some(own.device), own.network]);
        let bounds = self.bounds(guest, places.flatten().map(|place| place.port).collect());
        let shown = |(at, shown): (Span, PermanentShown)| PermanentShown {
            calls: calls
                .iter()
                .filter_map(|call| Some(one(call, device(at, call)?, &bounds)))
                .collect(),
            ..shown
        };
        Ok(ends.into_iter().map(shown).collect())
    }

    pub(super) fn add_permanent_to(
        &self,
        guest: &str,
        permanent: Permanent,
    ) -> Result<(), ControlError> {
        let signalling = self.signalling_of(guest)?;
        let slot = self.slot("guest", guest)?;
        let refused = |what: String| ControlError::Refused {
            at: format!("guest.{guest}.signaling.permanent"),
            what,
        };
        check_name(&permanent.name).map_err(|what| refused(format!("name: {what}")))?;
        let at = permanent_place_of(&self.config, slot, &permanent)
            .map_err(|(key, what)| refused(format!("{key}: {what}")))?;
        let added = signalling.add_permanent(permanent, at, false);
        added.map_err(refused)
    }

    pub(super) fn remove_permanent_of(&self, guest: &str, name: &str) -> Result<(), ControlError> {
        let removed = self.signalling_of(guest)?.remove_permanent(name);
        removed.map_err(|what| ControlError::Refused {
            at: format!("guest.{guest}.signaling.permanent"),
            what,
        })
    }

    /// All calls, page by page. The oldest come first: what comes meanwhile does not keep this going.
    fn calls_of(&self, guest: &str) -> Result<Vec<CallView>, ControlError> {
        let signalling = self.signalling_of(guest)?;
        let page = |after| {
            let view = signalling.view(after);
            view.map_err(|error| refused(guest, error))
        };
        let View {
            mut calls,
            call_count,
            ..
        } = page(0)?;
        while calls.len() < call_count
            && let Some(last) = calls.last()
        {
            let more = page(last.id)?.calls;
            if more.is_empty() {
                break;
            }
            calls.extend(more);
        }
        Ok(calls)
    }

    fn bounds(&self, pi: &str, ports: BTreeSet<u16>) -> Bounds {
        let mut bounds = Bounds::new();
        for port in ports {
            let Some(config) = self.config.ports.get(usize::from(port)) else {
                continue;
            };
            let mut next = Some(0);
            while let Some(from) = next {
                let most = STREAMS_MOST;
                let page = StreamPage { from, most };
                // A port that does not answer tells nothing.
                let Ok(page) = self.streams(&config.name, pi, page) else {
                    break;
                };
                for stream in page.connections {
                    let granted = stream.granted;
                    let (vn, label) = (granted.vn, granted.label);
                    let place = Place { port, vn, label };
                    bounds.extend(granted.delay_ns.map(|delay| (place, delay)));
                }
                next = page.next;
            }
        }
        bounds
    }
}

/// Where a call of a permanent end is: at the device, and where it goes on.
#[derive(Debug, Clone, Copy)]
struct Places {
    device: Place,
    network: Option<Place>,
    is_caller: bool,
}

/// Whether a call is of the permanent end there; none: of another.
fn device(at: Span, call: &CallView) -> Option<Places> {
    let is_there = |place: &Place| at.meets(Span::one(*place));
    let places = |device: Option<Place>, network, is_caller| {
        Some(Places {
            device: device.filter(is_there)?,
            network,
            is_caller,
        })
    };
    let (came_by, goes_by) = (call.came_by, call.goes_by);
    // A neighbour's call may have had the label before it was the end's.
    let caller = came_by.filter(|_| call.from_switch);
    let called = goes_by.filter(|_| call.to_switch);
    places(caller, goes_by, true).or_else(|| places(called, came_by, false))
}

fn one(call: &CallView, places: Places, bounds: &Bounds) -> PermanentCall {
    let Places {
        device,
        network,
        is_caller,
    } = places;
    let (peer, qos) = if is_caller {
        (call.called, call.qos)
    } else {
        (call.calling, call.qos.turned())
    };
    let bound = |place: Option<Place>| bounds.get(&place?).copied();
    PermanentCall {
        call: call.id,
        state: call.state.clone(),
        label: device.label,
        peer,
        qos,
        network,
        transmit_delay_ns: qos.transmit.and_then(|_| bound(network)),
        receive_delay_ns: qos.receive.and_then(|_| bound(Some(device))),
    }
}

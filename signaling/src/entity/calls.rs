//! The calls of one port: by their own number, by call reference, by label, and by the time at which something
//! is due.
//!
//! Must not hold more calls than its limit, nor keep anything of a call that has ended.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::q2931::call::{Call, End, Told};
use crate::q2931::{
    Body, CallReference, CallState, Cause, ConnectionIdentifier, DecodeError, LAST_REFERENCE,
    Message, MessageType, Reason, Setup, Timers,
};
use crate::qos::Qos;

use super::out::Out;
use super::{CallError, CallId, Event};

/// Calls of one port.
#[derive(Debug)]
pub(super) struct Calls {
    timers: Timers,
    most: usize,
    calls: BTreeMap<CallId, Entry>,
    references: BTreeMap<CallReference, CallId>,
    labels: BTreeMap<ConnectionIdentifier, CallId>,
    due: BTreeSet<(u64, CallId)>,
    last_id: u64,
    last_reference: u32,
}

#[derive(Debug)]
struct Entry {
    call: Call,
    /// As in messages that are sent.
    reference: CallReference,
    connection: ConnectionIdentifier,
    /// Where it stands in `due`.
    due_ns: Option<u64>,
}

/// A reference as the other side has it in its messages.
fn turned(reference: CallReference) -> CallReference {
    CallReference {
        to_originator: !reference.to_originator,
        ..reference
    }
}

impl Calls {
    pub(super) fn new(most: usize, timers: Timers) -> Self {
        Self {
            timers,
            // Fewer than there are call references.
            most: most.min(LAST_REFERENCE as usize / 2),
            calls: BTreeMap::new(),
            references: BTreeMap::new(),
            labels: BTreeMap::new(),
            due: BTreeSet::new(),
            last_id: 0,
            last_reference: 0,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn due_ns(&self) -> Option<u64> {
        self.due.first().map(|(due_ns, _)| *due_ns)
    }

    pub(super) fn state(&self, call: CallId) -> Option<CallState> {
        self.calls.get(&call).map(|entry| entry.call.state())
    }

    pub(super) fn setup(&mut self, out: &mut Out<'_>, setup: Setup) -> Result<CallId, CallError> {
        if self.calls.len() >= self.most {
            return Err(CallError::Full { most: self.most });
        }
        let connection = setup.connection;
        if let Some(&call) = self.labels.get(&connection) {
            return Err(CallError::InUse {
                label: connection.label(),
                vn: connection.vn(),
                call,
            });
        }
        let reference = self.free_reference();
        let call = Call::outgoing(out.now_ns, setup, &self.timers, &mut |body| {
            out.send(reference, body);
        });
        Ok(self.insert(call, reference, connection))
    }

    /// There are more references than calls.
    fn free_reference(&mut self) -> CallReference {
        loop {
            self.last_reference = self.last_reference % LAST_REFERENCE + 1;
            let reference = CallReference {
                to_originator: false,
                value: self.last_reference,
            };
            if !self.references.contains_key(&reference) {
                return reference;
            }
        }
    }

    fn insert(
        &mut self,
        call: Call,
        reference: CallReference,
        connection: ConnectionIdentifier,
    ) -> CallId {
        self.last_id += 1;
        let id = CallId(self.last_id);
        let due_ns = call.due_ns();
        if let Some(due_ns) = due_ns {
            self.due.insert((due_ns, id));
        }
        self.references.insert(reference, id);
        self.labels.insert(connection, id);
        self.calls.insert(
            id,
            Entry {
                call,
                reference,
                connection,
                due_ns,
            },
        );
        id
    }

    /// Does something with a call, and tells what came of it; none if there is no such call.
    fn with<T>(
        &mut self,
        out: &mut Out<'_>,
        id: CallId,
        act: impl FnOnce(&mut Call, u64, &Timers, &mut dyn FnMut(Body)) -> (T, Option<Told>),
    ) -> Option<T> {
        let entry = self.calls.get_mut(&id)?;
        let reference = entry.reference;
        let now_ns = out.now_ns;
        let mut send = |body| out.send(reference, body);
        let (result, told) = act(&mut entry.call, now_ns, &self.timers, &mut send);
        match told {
            Some(Told::Connected(qos)) => out.tell(Event::Connected { call: id, qos }),
            Some(Told::ConnectAcknowledged) => out.tell(Event::ConnectAcknowledged { call: id }),
            Some(Told::Ended(end)) => {
                self.end(out, id, end);
                return Some(result);
            }
            None => {}
        }
        let due_ns = entry.call.due_ns();
        if due_ns != entry.due_ns {
            if let Some(before_ns) = entry.due_ns {
                self.due.remove(&(before_ns, id));
            }
            if let Some(due_ns) = due_ns {
                self.due.insert((due_ns, id));
            }
            entry.due_ns = due_ns;
        }
        Some(result)
    }

    fn end(&mut self, out: &mut Out<'_>, call: CallId, end: End) {
        if let Some(entry) = self.calls.remove(&call) {
            self.references.remove(&entry.reference);
            self.labels.remove(&entry.connection);
            if let Some(due_ns) = entry.due_ns {
                self.due.remove(&(due_ns, call));
            }
            out.tell(match end {
                End::Cleared => Event::Cleared { call },
                End::Released(reason) => Event::Released { call, reason },
            });
        }
    }

    /// Ends all calls: nothing can be said to the neighbour about them.
    pub(super) fn end_all(&mut self, out: &mut Out<'_>, cause: Cause) {
        while let Some((&call, entry)) = self.calls.first_key_value() {
            let end = entry.call.end(cause.into());
            self.end(out, call, end);
        }
    }

    pub(super) fn connect(
        &mut self,
        out: &mut Out<'_>,
        call: CallId,
        granted: Qos,
    ) -> Result<(), CallError> {
        let state = self.state(call).ok_or(CallError::Unknown { call })?;
        self.with(out, call, |call, now_ns, timers, mut send| {
            (
                call.connect(now_ns, granted.turned(), timers, &mut send),
                None,
            )
        })
        .filter(|done| *done)
        .map(drop)
        .ok_or(CallError::State { call, state })
    }

    pub(super) fn release(
        &mut self,
        out: &mut Out<'_>,
        call: CallId,
        reason: Reason,
    ) -> Result<(), CallError> {
        self.with(out, call, |call, now_ns, timers, mut send| {
            (call.release(now_ns, reason, timers, &mut send), None)
        })
        .ok_or(CallError::Unknown { call })
    }

    /// Asks the neighbour about all active calls.
    pub(super) fn enquire(&mut self, out: &mut Out<'_>) {
        let all: Vec<CallId> = self.calls.keys().copied().collect();
        for call in all {
            self.with(out, call, |call, now_ns, timers, mut send| {
                (call.enquire(now_ns, timers, &mut send), None)
            });
        }
    }

    pub(super) fn tick(&mut self, out: &mut Out<'_>) {
        // Once each: what is due again at the end of all time would never be done with.
        let due = self.due.range(..=(out.now_ns, CallId(u64::MAX)));
        let due: Vec<CallId> = due.map(|(_, call)| *call).collect();
        for call in due {
            self.with(out, call, |call, now_ns, timers, mut send| {
                ((), call.tick(now_ns, timers, &mut send))
            });
        }
    }

    pub(super) fn hears(&mut self, out: &mut Out<'_>, octets: &[u8]) {
        match Message::decode(octets) {
            Ok(decoded) => {
                let Message { reference, body } = decoded.message;
                let report = decoded.report;
                match self.references.get(&turned(reference)) {
                    Some(&call) => {
                        self.with(out, call, |call, now_ns, timers, mut send| {
                            ((), call.hears(now_ns, body, report, timers, &mut send))
                        });
                    }
                    None => self.hears_unknown(out, turned(reference), body, report),
                }
            }
            Err(DecodeError::Type {
                reference,
                found,
                clear,
            }) => {
                let reason = Reason::new(Cause::MessageTypeNonExistent, &[found]);
                self.hears_wrong(out, turned(reference), None, reason, clear);
            }
            Err(DecodeError::Element {
                reference,
                kind,
                element,
                cause,
                clear,
            }) => {
                let reason = Reason::new(cause, &[element]);
                self.hears_wrong(out, turned(reference), Some(kind), reason, clear);
            }
            Err(_) => out.counters.undecodable += 1,
        }
    }

    /// A message of no call that there is (Q.2931 5.6.3.2). `reference` is as in the answer.
    fn hears_unknown(
        &mut self,
        out: &mut Out<'_>,
        reference: CallReference,
        body: Body,
        report: Option<Reason>,
    ) {
        // The global call reference is of RESTART only, which there is not.
        if reference.value == 0 {
            out.counters.undecodable += 1;
            return;
        }
        let cause = match body {
            Body::Setup(setup) => return self.incoming(out, reference, setup, report),
            Body::ReleaseComplete { .. } => return,
            Body::Status {
                state: CallState::Null,
                ..
            } => return,
            Body::Status { .. } => Cause::MessageNotCompatibleWithState,
            _ => Cause::InvalidCallReference,
        };
        out.refuse(reference, cause.into());
    }

    fn incoming(
        &mut self,
        out: &mut Out<'_>,
        reference: CallReference,
        mut setup: Setup,
        report: Option<Reason>,
    ) {
        // It would be of an own call.
        if !reference.to_originator {
            return;
        }
        if self.calls.len() >= self.most {
            return out.refuse(reference, Cause::ResourcesUnavailable.into());
        }
        let connection = setup.connection;
        let own = out
            .side()
            .is_some_and(|side| side.chooses(connection.label()));
        if own || self.labels.contains_key(&connection) {
            return out.refuse(reference, Cause::RequestedVpciVciNotAvailable.into());
        }
        let call = Call::incoming(&mut |body| out.send(reference, body));
        if let Some(reason) = report {
            let state = call.state();
            out.send(reference, Body::Status { reason, state });
        }
        let call = self.insert(call, reference, connection);
        setup.qos = setup.qos.turned();
        out.tell(Event::Incoming { call, setup });
    }

    /// A message was not understood. `reference` is as in the answer.
    fn hears_wrong(
        &mut self,
        out: &mut Out<'_>,
        reference: CallReference,
        kind: Option<MessageType>,
        reason: Reason,
        clear: bool,
    ) {
        if let Some(&call) = self.references.get(&reference) {
            self.with(out, call, |call, now_ns, timers, mut send| {
                call.hears_wrong(now_ns, kind, reason, clear, timers, &mut send);
                ((), None)
            });
            return;
        }
        match kind {
            Some(MessageType::Setup) if reference.to_originator && reference.value != 0 => {
                out.refuse(reference, reason);
            }
            Some(MessageType::Setup | MessageType::Status | MessageType::ReleaseComplete) => {}
            _ if reference.value == 0 => out.counters.undecodable += 1,
            _ => out.refuse(reference, Cause::InvalidCallReference.into()),
        }
    }
}

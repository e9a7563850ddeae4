//! What one side's daemon would know of its calls, and what must hold of them at any time.

use std::collections::BTreeMap;

use pinode_signaling::entity::{CallId, Entity, Event};
use pinode_signaling::q2931::ConnectionIdentifier;

/// Calls that have not ended, with their labels and whether they came in.
#[derive(Default)]
pub struct Ledger {
    calls: BTreeMap<CallId, (ConnectionIdentifier, bool)>,
    /// The last call that was told of.
    last: Option<CallId>,
    is_up: bool,
    /// Calls that ended.
    pub ended: usize,
}

impl Ledger {
    pub fn begin(&mut self, call: CallId, connection: ConnectionIdentifier, came_in: bool) {
        assert!(Some(call) > self.last, "{call} was there before");
        self.last = Some(call);
        let labels = self.calls.values();
        assert!(
            labels.clone().all(|(other, _)| *other != connection),
            "{connection:?} is in use"
        );
        self.calls.insert(call, (connection, came_in));
    }

    fn has(&self, call: CallId) -> bool {
        self.calls[&call].1
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::Up { .. } => assert!(!core::mem::replace(&mut self.is_up, true)),
            Event::Down => assert!(core::mem::replace(&mut self.is_up, false)),
            Event::Incoming { call, setup } => self.begin(*call, setup.connection, true),
            Event::Connected { call, .. } => assert!(!self.has(*call)),
            Event::ConnectAcknowledged { call } => assert!(self.has(*call)),
            Event::Released { call, .. } | Event::Cleared { call } => {
                assert!(self.calls.remove(call).is_some(), "{call} ended twice");
                self.ended += 1;
            }
        }
    }

    /// Hears what there is to tell; the ledger and the entity agree then.
    pub fn drain(&mut self, entity: &mut Entity) -> Vec<Event> {
        let events: Vec<Event> = core::iter::from_fn(|| entity.next_event()).collect();
        for event in &events {
            self.hear(event);
        }
        assert_eq!(entity.calls(), self.calls.len());
        assert_eq!(entity.is_up(), self.is_up);
        events
    }

    /// A call that has not ended.
    pub fn pick(&self, index: u8) -> Option<CallId> {
        let index = usize::from(index).checked_rem(self.calls.len())?;
        self.calls.keys().nth(index).copied()
    }

    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        self.calls.keys().copied()
    }

    pub fn labels(&self) -> Vec<ConnectionIdentifier> {
        let mut labels: Vec<ConnectionIdentifier> =
            self.calls.values().map(|(label, _)| *label).collect();
        labels.sort();
        labels
    }
}

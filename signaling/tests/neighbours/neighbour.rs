//! An entity against a neighbour whose link works, and which says what the test has it say.

use pinode_signaling::entity::{Entity, Limits};
use pinode_signaling::link::{Indication, Link, Timers};
use pinode_signaling::q2931::{Body, CallReference, Message};

use crate::pair::events;

pub struct Bed {
    pub now_ns: u64,
    pub entity: Entity,
    link: Link,
}

/// A call of the neighbour, as in its messages.
pub fn theirs(value: u32) -> CallReference {
    CallReference {
        to_originator: false,
        value,
    }
}

/// A call of the entity, as in the neighbour's messages.
pub fn ours(value: u32) -> CallReference {
    CallReference {
        to_originator: true,
        value,
    }
}

impl Bed {
    /// Up; the entity has odd labels.
    pub fn new(limits: Limits) -> Self {
        let mut bed = Self {
            now_ns: 0,
            entity: Entity::new(limits, 7),
            link: Link::new(Timers::default(), 1000, 5),
        };
        assert_eq!(bed.heard(), []);
        assert!(bed.entity.is_up());
        events(&mut bed.entity);
        bed
    }

    /// What the neighbour hears.
    pub fn heard(&mut self) -> Vec<Message> {
        loop {
            let to_link = self.entity.next_pdu(self.now_ns);
            let to_entity = self.link.next_pdu(self.now_ns);
            if to_link.is_none() && to_entity.is_none() {
                break;
            }
            to_link.inspect(|pdu| self.link.hears(self.now_ns, pdu));
            to_entity.inspect(|pdu| self.entity.hears(self.now_ns, pdu));
        }
        core::iter::from_fn(|| self.link.next_indication())
            .filter_map(|indication| match indication {
                Indication::Data(octets) => Some(Message::decode(&octets).unwrap().message),
                _ => None,
            })
            .collect()
    }

    /// What the neighbour hears when these octets were heard by the entity.
    pub fn octets(&mut self, octets: &[u8]) -> Vec<Message> {
        self.link.send(octets.to_vec()).unwrap();
        self.heard()
    }

    /// What the neighbour hears to a message.
    pub fn say(&mut self, reference: CallReference, body: Body) -> Vec<Body> {
        let octets = Message { reference, body }.encode();
        let heard = self.octets(&octets);
        heard
            .into_iter()
            .map(|message| {
                assert_eq!(message.reference.value, reference.value);
                assert_ne!(message.reference.to_originator, reference.to_originator);
                message.body
            })
            .collect()
    }

    /// What the neighbour hears while time passes, and when.
    pub fn pass(&mut self, time_ns: u64) -> Vec<(u64, Body)> {
        let end_ns = self.now_ns + time_ns;
        let mut all = Vec::new();
        loop {
            let heard = self.heard().into_iter();
            all.extend(heard.map(|message| (self.now_ns, message.body)));
            if self.now_ns == end_ns {
                return all;
            }
            let due = [self.entity.due_ns(), self.link.due_ns(), Some(end_ns)];
            let due_ns = due.into_iter().flatten().min().unwrap();
            self.now_ns = due_ns.clamp(self.now_ns + 1, end_ns);
            self.entity.tick(self.now_ns);
            self.link.tick(self.now_ns);
        }
    }

    /// Nothing arrives for a while.
    pub fn pause(&mut self, time_ns: u64) {
        self.now_ns += time_ns;
        self.entity.tick(self.now_ns);
        self.link.tick(self.now_ns);
        assert!(!self.entity.is_up());
    }
}

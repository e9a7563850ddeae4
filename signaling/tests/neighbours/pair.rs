//! Two entities and the link between them, in virtual time.

use pinode_signaling::entity::{CallId, Entity, Event, Limits};
use pinode_signaling::q2931::{ConnectionIdentifier, Setup};
use pinode_signaling::{Address, Class, Peak, Qos, Traffic};

pub const MS: u64 = 1_000_000;
pub const S: u64 = 1000 * MS;

pub fn qos(frames: u64) -> Qos {
    Qos {
        transmit: Some(Traffic {
            class: Class::Cbr,
            peak: Some(Peak::Frames(frames)),
            cdvt_ns: 0,
            max_sdu: 1000,
        }),
        receive: None,
    }
}

pub fn setup(label: u32) -> Setup {
    Setup {
        called: Address([0x47; 20]),
        calling: None,
        qos: qos(100),
        connection: ConnectionIdentifier::new(0, label).unwrap(),
        blli: vec![vec![0x46]],
        hops: 0,
    }
}

pub fn events(entity: &mut Entity) -> Vec<Event> {
    core::iter::from_fn(|| entity.next_event()).collect()
}

/// The only call that came in.
pub fn incoming(entity: &mut Entity) -> (CallId, Setup) {
    match events(entity).as_slice() {
        [Event::Incoming { call, setup }] => (*call, setup.clone()),
        other => panic!("{other:?}"),
    }
}

pub struct Pair {
    pub now_ns: u64,
    /// Has the greater instance number, and so odd labels.
    pub a: Entity,
    pub b: Entity,
    /// Nothing arrives.
    pub is_cut: bool,
}

impl Pair {
    /// Both up, and nothing to tell.
    pub fn new(limits: Limits) -> Self {
        let mut pair = Self {
            now_ns: 0,
            a: Entity::new(limits, 7),
            b: Entity::new(limits, 5),
            is_cut: false,
        };
        pair.settle();
        assert!(pair.a.is_up() && pair.b.is_up());
        events(&mut pair.a);
        events(&mut pair.b);
        pair
    }

    /// Carries PDUs until nobody has any.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            let to_b = self.a.next_pdu(self.now_ns);
            let to_a = self.b.next_pdu(self.now_ns);
            if to_a.is_none() && to_b.is_none() {
                return;
            }
            if !self.is_cut {
                to_b.inspect(|pdu| self.b.hears(self.now_ns, pdu));
                to_a.inspect(|pdu| self.a.hears(self.now_ns, pdu));
            }
        }
        panic!("they never have done");
    }

    /// Lets time pass.
    pub fn pass(&mut self, time_ns: u64) {
        let end_ns = self.now_ns + time_ns;
        while self.now_ns < end_ns {
            self.settle();
            let due = [self.a.due_ns(), self.b.due_ns(), Some(end_ns)];
            let due_ns = due.into_iter().flatten().min().unwrap();
            self.now_ns = due_ns.clamp(self.now_ns + 1, end_ns);
            self.a.tick(self.now_ns);
            self.b.tick(self.now_ns);
        }
        self.settle();
    }

    /// An active call from a to b.
    pub fn active(&mut self, label: u32) -> (CallId, CallId) {
        let at_a = self.a.setup(self.now_ns, setup(label)).unwrap();
        self.settle();
        let (at_b, _) = incoming(&mut self.b);
        self.b
            .connect(self.now_ns, at_b, qos(100).turned())
            .unwrap();
        self.settle();
        let qos = qos(100);
        assert_eq!(events(&mut self.a), [Event::Connected { call: at_a, qos }]);
        assert_eq!(
            events(&mut self.b),
            [Event::ConnectAcknowledged { call: at_b }]
        );
        (at_a, at_b)
    }
}

//! Octets as a script of what a hostile neighbour sends, what its own side asks for, and of time: whatever they
//! are, calls end once, and nothing grows or spins.

use pinode_signaling::entity::{Entity, Limits};
use pinode_signaling::link::{Body, MOST_OCTETS, Pdu};
use pinode_signaling::q2931::Cause;

use crate::ledger::Ledger;
use crate::pair::{MS, qos, setup};

const MOST_CALLS: usize = 8;

/// The next octets of a script: zeros when it is at its end.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn octet(&mut self) -> u8 {
        match self.0.split_first() {
            Some((octet, rest)) => {
                self.0 = rest;
                *octet
            }
            None => 0,
        }
    }

    fn octets(&mut self) -> &'a [u8] {
        let length = usize::from(self.octet()).min(self.0.len());
        let (octets, rest) = self.0.split_at(length);
        self.0 = rest;
        octets
    }
}

struct Bed {
    now_ns: u64,
    entity: Entity,
    ledger: Ledger,
    /// The neighbour's instance, and its next N(S).
    instance: u64,
    number: u32,
}

impl Bed {
    fn pdu(&mut self, body: Body<'_>) {
        let to = self.entity.instance();
        let from = self.instance;
        let pdu = Pdu { from, to, body }.encode();
        self.entity.hears(self.now_ns, &pdu);
    }

    fn message(&mut self, octets: &[u8]) {
        let number = self.number;
        let payload = octets;
        self.pdu(Body::Data { number, payload });
        // The entity goes through lives; the session with another one begins at 0.
        self.number = number.wrapping_add(1);
    }

    fn pass(&mut self, time_ns: u64) {
        self.now_ns = self.now_ns.saturating_add(time_ns);
        self.entity.tick(self.now_ns);
    }

    fn settle(&mut self) {
        for sent in 0.. {
            assert!(sent < 300, "it never ends");
            let Some(pdu) = self.entity.next_pdu(self.now_ns) else {
                break;
            };
            assert!(pdu.len() <= MOST_OCTETS);
        }
        self.ledger.drain(&mut self.entity);
        assert!(self.entity.calls() <= MOST_CALLS);
    }
}

pub fn run(octets: &[u8]) {
    let limits = Limits {
        most_calls: MOST_CALLS,
        ..Limits::default()
    };
    let mut bed = Bed {
        now_ns: 0,
        entity: Entity::new(limits, 7),
        ledger: Ledger::default(),
        instance: 5,
        number: 0,
    };
    bed.pdu(Body::BeginAck);
    bed.settle();
    let mut script = Script(octets);
    while !script.0.is_empty() {
        act(&mut bed, &mut script);
        bed.settle();
        bed.pass(0);
        bed.settle();
        // Nothing is due that was not done.
        assert!(bed.entity.due_ns().is_none_or(|due_ns| due_ns > bed.now_ns));
    }
    // The neighbour is silent: after T309 nothing is left.
    for _ in 0..20 {
        bed.pass(1000 * MS);
        bed.settle();
    }
    assert_eq!((bed.entity.calls(), bed.entity.is_up()), (0, false));
}

fn act(bed: &mut Bed, script: &mut Script<'_>) {
    match script.octet() % 12 {
        0 => bed.entity.hears(bed.now_ns, script.octets()),
        1 => {
            let octets = script.octets();
            bed.message(octets);
        }
        // A message of a call that there may be.
        2..=4 => {
            let reference = script.octet();
            let kinds = [0x05, 0x02, 0x07, 0x0f, 0x4d, 0x5a, 0x75, 0x7d];
            let kind = kinds[usize::from(script.octet()) % kinds.len()];
            let flags = if reference & 0x40 == 0 {
                0x80
            } else {
                script.octet()
            };
            let elements = script.octets();
            let mut octets = vec![9, 3, reference & 0x80, 0, reference & 0x0f, kind, flags];
            octets.extend((elements.len() as u16).to_be_bytes());
            octets.extend(elements);
            bed.message(&octets);
        }
        5 => {
            // A SETUP that is one, for a label that may not be.
            let value = u32::from(script.octet() & 0x0f);
            let reference = pinode_signaling::q2931::CallReference {
                to_originator: false,
                value,
            };
            let body =
                pinode_signaling::q2931::Body::Setup(setup(16 + u32::from(script.octet() & 0x1f)));
            let message = pinode_signaling::q2931::Message { reference, body };
            bed.message(&message.encode());
        }
        6 => {
            let number = bed.number.wrapping_add(u32::from(script.octet()));
            let payload = script.octets();
            bed.pdu(Body::Data { number, payload });
        }
        7 => {
            let expected = u32::from(script.octet());
            let beyond = u64::from(script.octet()) << (script.octet() % 64);
            bed.pdu(Body::Stat { expected, beyond });
        }
        8 => {
            let kind = script.octet();
            if kind & 0x80 != 0 {
                bed.instance = u64::from(kind & 0x0f);
                bed.number = 0;
            }
            bed.pdu(match kind % 4 {
                0 => Body::Begin,
                1 => Body::BeginAck,
                2 => Body::Poll,
                _ => Body::End,
            });
        }
        9 => {
            let label = 16 + u32::from(script.octet() & 0x1f);
            let setup = setup(label);
            let connection = setup.connection;
            if let Ok(call) = bed.entity.setup(bed.now_ns, setup) {
                bed.ledger.begin(call, connection, false);
            }
        }
        10 => {
            let answer = script.octet();
            if let Some(call) = bed.ledger.pick(answer >> 1) {
                if answer & 1 == 0 {
                    // Refused if it is in another state.
                    let _ = bed.entity.connect(bed.now_ns, call, qos(1));
                } else {
                    let cause = Cause::CallRejected;
                    bed.entity.release(bed.now_ns, call, cause).unwrap();
                }
            }
        }
        _ => {
            let time = script.octet();
            bed.pass(((u64::from(time & 0x0f) + 1) * MS) << (time >> 4));
        }
    }
}

//! Two entities over a link that loses, repeats and reorders, is cut for a while, with sides that restart: every
//! call ends once, and whatever remains both sides have.

use proptest::prelude::*;

use pinode_signaling::entity::{Entity, Event, Limits};
use pinode_signaling::q2931::{CallState, Cause};

use crate::ledger::Ledger;
use crate::pair::{MS, S, qos, setup};

struct Side {
    entity: Entity,
    ledger: Ledger,
    lives: u64,
}

impl Side {
    fn new(instance: u64) -> Self {
        Self {
            entity: Entity::new(limits(), instance),
            ledger: Ledger::default(),
            lives: 0,
        }
    }

    /// Its daemon crashed: what it knew of calls is gone.
    fn restart(&mut self, instance: u64) {
        self.entity = Entity::new(limits(), instance);
        self.ledger = Ledger::default();
        self.lives += 1;
    }
}

fn limits() -> Limits {
    Limits {
        most_calls: 12,
        ..Limits::default()
    }
}

#[derive(Debug, Clone)]
enum Step {
    Setup { side: usize, label: u32 },
    Connect { side: usize, call: u8 },
    Release { side: usize, call: u8 },
    Restart { side: usize, instance: u64 },
    End { side: usize, instance: u64 },
    Cut { time_ms: u64 },
    Pass { time_ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let side = 0..2usize;
    prop_oneof![
        6 => (side.clone(), 16u32..32).prop_map(|(side, label)| Step::Setup { side, label }),
        6 => (side.clone(), any::<u8>()).prop_map(|(side, call)| Step::Connect { side, call }),
        4 => (side.clone(), any::<u8>()).prop_map(|(side, call)| Step::Release { side, call }),
        1 => (side.clone(), 1..u64::MAX)
            .prop_map(|(side, instance)| Step::Restart { side, instance }),
        1 => (side, 1..u64::MAX).prop_map(|(side, instance)| Step::End { side, instance }),
        1 => (1..20_000u64).prop_map(|time_ms| Step::Cut { time_ms }),
        8 => (0..200u64).prop_map(|time_ms| Step::Pass { time_ms }),
        1 => (0..70_000u64).prop_map(|time_ms| Step::Pass { time_ms }),
    ]
}

struct Net {
    now_ns: u64,
    sides: [Side; 2],
    /// When it arrives, at whom, what.
    on_the_way: Vec<(u64, usize, Vec<u8>)>,
    fates: Vec<(u8, u64)>,
    next_fate: usize,
    /// In 256, and the longest delay.
    loss: u8,
    delay_ms: u64,
}

impl Net {
    /// Takes what both have to say.
    fn collect(&mut self, is_cut: bool) {
        for (index, side) in self.sides.iter_mut().enumerate() {
            for sent in 0.. {
                assert!(sent < 1000, "it never ends");
                let Some(pdu) = side.entity.next_pdu(self.now_ns) else {
                    break;
                };
                self.next_fate = (self.next_fate + 1) % self.fates.len();
                let (fate, delay) = self.fates[self.next_fate];
                let delay_ns = 1 + delay % (self.delay_ms + 1) * MS;
                let copies = match fate {
                    _ if is_cut || fate < self.loss => 0,
                    250.. if self.loss > 0 => 2,
                    _ => 1,
                };
                for copy in 0..copies {
                    let at_ns = self.now_ns + delay_ns * (copy + 1);
                    self.on_the_way.push((at_ns, 1 - index, pdu.clone()));
                }
            }
            side.ledger.drain(&mut side.entity);
        }
    }

    fn pass(&mut self, time_ms: u64, is_cut: bool) {
        let end_ns = self.now_ns + time_ms * MS;
        loop {
            self.collect(is_cut);
            let due = self.sides.iter().filter_map(|side| side.entity.due_ns());
            let arrives = self.on_the_way.iter().map(|(at_ns, ..)| *at_ns);
            let next_ns = due.chain(arrives).min().unwrap_or(end_ns);
            if next_ns > end_ns {
                self.now_ns = end_ns;
                return;
            }
            assert!(next_ns > self.now_ns || self.now_ns == 0, "no time passes");
            self.now_ns = next_ns;
            let now_ns = self.now_ns;
            let (arrived, rest) = self
                .on_the_way
                .drain(..)
                .partition(|(at, ..)| *at <= now_ns);
            self.on_the_way = rest;
            let arrived: Vec<(u64, usize, Vec<u8>)> = arrived;
            for (_, to, pdu) in arrived {
                self.sides[to].entity.hears(self.now_ns, &pdu);
            }
            for side in &mut self.sides {
                side.entity.tick(self.now_ns);
            }
        }
    }

    fn act(&mut self, step: &Step) {
        let now_ns = self.now_ns;
        match *step {
            Step::Setup { side, label } => {
                let side = &mut self.sides[side];
                let setup = setup(label);
                let connection = setup.connection;
                if let Ok(call) = side.entity.setup(now_ns, setup) {
                    side.ledger.begin(call, connection, false);
                }
            }
            Step::Connect { side, call } => {
                let side = &mut self.sides[side];
                if let Some(call) = side.ledger.pick(call) {
                    let waits = side.entity.state(call) == Some(CallState::IncomingCallProceeding);
                    let done = side.entity.connect(now_ns, call, qos(9).turned());
                    assert_eq!(done.is_ok(), waits);
                }
            }
            Step::Release { side, call } => {
                let side = &mut self.sides[side];
                if let Some(call) = side.ledger.pick(call) {
                    let cause = Cause::NormalCallClearing;
                    side.entity.release(now_ns, call, cause).unwrap();
                }
            }
            Step::Restart { side, instance } => self.sides[side].restart(instance),
            Step::End { side, instance } => {
                self.sides[side].entity.end();
                self.collect(false);
                self.sides[side].restart(instance);
            }
            Step::Cut { time_ms } => self.pass(time_ms, true),
            Step::Pass { time_ms } => self.pass(time_ms, false),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_call_ends_once_and_what_remains_both_have(
        instances in (1..u64::MAX, 1..u64::MAX),
        steps in proptest::collection::vec(step(), 0..80),
        fates in proptest::collection::vec((any::<u8>(), any::<u64>()), 50..300),
        loss in 0u8..120,
        delay_ms in 0u64..40,
    ) {
        let mut net = Net {
            now_ns: 0,
            sides: [Side::new(instances.0), Side::new(instances.1)],
            on_the_way: Vec::new(),
            fates,
            next_fate: 0,
            loss,
            delay_ms,
        };
        net.pass(1000, false);
        for step in &steps {
            net.act(step);
        }
        // A good link, and time for every timer: only calls that are active at both ends remain.
        net.loss = 0;
        net.delay_ms = 0;
        net.pass(200_000, false);
        let [a, b] = &net.sides;
        prop_assert!(a.entity.is_up() && b.entity.is_up());
        prop_assert_eq!(a.entity.side(), b.entity.side().map(|side| side.other()));
        prop_assert_eq!(a.ledger.labels(), b.ledger.labels());
        for side in [a, b] {
            for call in side.ledger.calls() {
                prop_assert_eq!(side.entity.state(call), Some(CallState::Active));
            }
        }
        // Released from one side or the other, nothing remains.
        let calls: Vec<_> = net.sides[0].ledger.calls().collect();
        for (index, call) in calls.into_iter().enumerate() {
            if index % 2 == 0 {
                net.sides[0].entity.release(net.now_ns, call, Cause::UserBusy).unwrap();
            }
        }
        net.pass(1000, false);
        let calls: Vec<_> = net.sides[1].ledger.calls().collect();
        for call in calls {
            net.sides[1].entity.release(net.now_ns, call, Cause::UserBusy).unwrap();
        }
        net.pass(1000, false);
        for side in &net.sides {
            prop_assert_eq!(side.entity.calls(), 0);
            prop_assert_eq!(side.entity.counters().undecodable, 0);
            prop_assert_eq!(side.entity.counters().unsent, 0);
        }
    }
}

/// The property above says something: calls do become active and end in it.
#[test]
fn calls_get_through_a_bad_link() {
    let mut net = Net {
        now_ns: 0,
        sides: [Side::new(7), Side::new(5)],
        on_the_way: Vec::new(),
        fates: (0..=255)
            .map(|n: u8| (n.wrapping_mul(91), u64::from(n) * 7))
            .collect(),
        next_fate: 0,
        loss: 100,
        delay_ms: 30,
    };
    net.pass(5000, false);
    for round in 0..20 {
        net.act(&Step::Setup {
            side: 0,
            label: 17 + 2 * (round % 3),
        });
        net.pass(3000, false);
        net.act(&Step::Connect { side: 1, call: 0 });
        net.pass(3000, false);
        let call = net.sides[0].ledger.pick(0).unwrap();
        assert_eq!(net.sides[0].entity.state(call), Some(CallState::Active));
        net.act(&Step::Release { side: 1, call: 0 });
        net.pass(3000, false);
    }
    assert!(net.sides.iter().all(|side| side.ledger.ended == 20));
    assert!(
        net.sides
            .iter()
            .all(|side| side.entity.link_counters().repetitions > 0)
    );
    net.pass(10 * S / MS, false);
    assert_eq!(
        net.sides[0].ledger.drain(&mut net.sides[0].entity),
        Vec::<Event>::new()
    );
}

//! With room for all, the table and a map of flows agree on every packet, the list and the number of flows.

use std::collections::BTreeMap;

use pinode_guest_ipv6qos::Vn;
use pinode_guest_ipv6qos::filter::flows::{Flows, Limits};
use pinode_guest_ipv6qos::packet::Fields;
use pinode_guest_ipv6qos::packet::fields::{Upper, protocol};
use proptest::prelude::*;

use super::{seeded, udp};

const SYN: u8 = 2;
const ACK: u8 = 16;
const FLAGS: [u8; 7] = [SYN, ACK, SYN | ACK, ACK | 1, 4, ACK | 4, 0];
/// What a time of flows is rounded to, nanoseconds.
const STEP: u64 = 1 << 20;

/// Virtual network, protocol or identification of fragments, and who speaks to whom from which port to which.
type Name = (u8, u64, (u128, u16), (u128, u16));

#[derive(Debug, Clone)]
struct Known {
    state: &'static str,
    packets: [u64; 2],
    expires: u64,
}

/// Flows by the name that their first packet gave them.
#[derive(Default)]
struct Model(BTreeMap<Name, Known>);

fn name(packet: &Fields) -> Option<Name> {
    let vn = packet.interface.vn().get();
    let (near, far) = match (packet.upper, packet.protocol, packet.source_port) {
        (Upper::LaterFragment, ..) => return Some(fragments(packet)),
        (Upper::Broken, ..) => return None,
        (_, protocol::ICMPV6, 128) => (packet.identifier, 0),
        (_, protocol::ICMPV6, 129) => (0, packet.identifier),
        (_, protocol::ICMPV6, _) => return None,
        _ => (packet.source_port, packet.destination_port),
    };
    let (from, to) = ((packet.source, near), (packet.destination, far));
    Some((vn, u64::from(packet.protocol), from, to))
}

fn fragments(packet: &Fields) -> Name {
    let vn = packet.interface.vn().get();
    let named = 1 << 32 | u64::from(packet.fragment_id);
    (vn, named, (packet.source, 0), (packet.destination, 0))
}

fn seconds(protocol: u64, state: &str) -> u64 {
    match (protocol, state) {
        (6, "established") => 7440,
        (6, "reset") => 10,
        (6, _) => 120,
        (17, "established") => 120,
        (17 | 58, _) => 30,
        (number, _) if number >> 32 != 0 => 60,
        _ => 600,
    }
}

fn lasts(protocol: u64, state: &str, now: u64) -> u64 {
    now + seconds(protocol, state) * 1_000_000_000 / STEP
}

/// RFC 9293's flags as far as flows look at them; none: another connection begins.
fn next(state: &'static str, answers: bool, flags: u8) -> Option<&'static str> {
    let (fin, syn, rst) = (flags & 1 != 0, flags & (SYN | ACK) == SYN, flags & 4 != 0);
    Some(match state {
        "new" if !answers => "new",
        "closing" | "reset" if syn && !fin && !rst => return None,
        _ if rst => "reset",
        "reset" => "reset",
        _ if fin => "closing",
        "new" => "answered",
        "answered" if !answers && !syn => "established",
        state => state,
    })
}

impl Model {
    /// The living flow of a packet, by either direction, and whether the packet answers.
    fn of(&mut self, now: u64, name: Name) -> Option<(Name, bool)> {
        let (vn, protocol, from, to) = name;
        self.0.retain(|_, known| known.expires > now);
        let there = |name: &Name| self.0.contains_key(name);
        if there(&name) {
            return Some((name, false));
        }
        let back = (vn, protocol, to, from);
        (protocol >> 32 == 0 && there(&back)).then_some((back, true))
    }

    fn find(&mut self, now: u64, packet: &Fields) -> bool {
        let Some((name, answers)) = name(packet).and_then(|name| self.of(now, name)) else {
            return false;
        };
        let known = self.0.get_mut(&name).expect("found");
        if name.1 >> 32 == 0 {
            let Some(state) = next(known.state, answers, packet.tcp_flags) else {
                return false;
            };
            known.state = state;
            known.expires = lasts(name.1, state, now);
        }
        known.packets[usize::from(answers)] += 1;
        self.note(now, packet);
        true
    }

    fn note(&mut self, now: u64, packet: &Fields) {
        if packet.fragment && packet.upper != Upper::LaterFragment {
            let name = fragments(packet);
            if self.of(now, name).is_none() {
                let expires = lasts(name.1, "fragments", now);
                let packets = [0; 2];
                let state = "fragments";
                self.0.insert(
                    name,
                    Known {
                        state,
                        packets,
                        expires,
                    },
                );
            }
        }
    }

    fn track(&mut self, now: u64, packet: &Fields) {
        let Some(name) = name(packet) else {
            return;
        };
        let begins = match packet.protocol {
            _ if packet.upper == Upper::LaterFragment => false,
            6 => matches!(packet.tcp_flags & 23, SYN | ACK),
            58 => packet.source_port == 128,
            _ => true,
        };
        if self.find(now, packet) || !begins {
            return;
        }
        if let Some((old, _)) = self.of(now, name) {
            self.0.remove(&old);
        }
        let expires = lasts(name.1, "new", now);
        let known = Known {
            state: "new",
            packets: [1, 0],
            expires,
        };
        self.0.insert(name, known);
        self.note(now, packet);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Find(Vec<Fields>),
    Track(Fields),
    Wait(u64),
    Work(u32),
    Flush(Option<u8>),
}

fn packets() -> impl Strategy<Value = Fields> {
    let ends = (0u8..3, 0u128..3, 0u128..3, 0u16..2, 0u16..2);
    let kind = (0usize..7, 0usize..FLAGS.len(), 0u32..8);
    (ends, kind).prop_map(|((vn, a, b, near, far), (kind, flags, fragment))| {
        // Hosts differ in the upper, the lower or both halves of their addresses.
        let host = |number: u128| (0x2001_0db8 << 96) + (number << 64) + number / 2;
        let mut packet = udp(vn, host(a), host(b), (near, far));
        match kind {
            0 => {}
            1..=3 => (packet.protocol, packet.tcp_flags) = (6, FLAGS[flags]),
            4 => {
                packet.protocol = 58;
                packet.identifier = near;
                packet.source_port = 128 + far + u16::from(flags == 0);
            }
            5 => (packet.protocol, packet.upper) = (50, Upper::Opaque),
            _ => {
                packet.upper = [Upper::LaterFragment, Upper::Broken][usize::from(flags == 0)];
            }
        }
        if fragment < 2 || packet.upper == Upper::LaterFragment {
            (packet.fragment, packet.fragment_id) = (true, fragment % 2);
        }
        packet
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => proptest::collection::vec(packets(), 1..80).prop_map(Step::Find),
        12 => packets().prop_map(Step::Track),
        3 => prop_oneof![0u64..40, 5_000u64..70_000, 100_000u64..8_000_000].prop_map(Step::Wait),
        2 => (0u32..2000).prop_map(Step::Work),
        1 => proptest::option::of(0u8..3).prop_map(Step::Flush),
    ];
    proptest::collection::vec(step, 1..120)
}

/// Virtual network, addresses, ports, state, packets of both directions, the step at which it runs out.
type Listed = (u8, [u128; 2], [u16; 2], String, [u64; 2], u64);

/// All flows, page by page, by name.
fn listed(flows: &Flows, now_ns: u64) -> Vec<Listed> {
    let (mut all, mut from) = (Vec::new(), Some(0));
    while let Some(at) = from {
        let page = flows.list(now_ns, None, at, 7);
        all.extend(page.flows.into_iter().map(|flow| {
            let ends = [flow.from.into(), flow.to.into()];
            let ports = [flow.sport, flow.dport];
            let expires = (now_ns + flow.expires.0) / STEP;
            (
                flow.vn.get(),
                ends,
                ports,
                flow.state,
                flow.packets,
                expires,
            )
        }));
        from = page.next;
    }
    all.sort();
    all
}

proptest! {
    #![proptest_config(seeded(300))]

    #[test]
    fn table_and_map_agree(steps in steps(), seed: u64, begin in 0u64..1 << 33) {
        let limits = Limits { flows: 4000, ..Limits::default() };
        let mut flows = Flows::new(&limits, 1, seed).unwrap();
        let mut model = Model::default();
        // From anywhere: the clock of flows wraps after 52 days.
        let mut now = begin;
        for step in steps {
            let now_ns = now * STEP;
            match step {
                Step::Find(packets) => {
                    let mut found = vec![false; packets.len()];
                    flows.find_burst(now_ns, &packets, &mut found);
                    for (packet, found) in packets.iter().zip(found) {
                        prop_assert_eq!(found, model.find(now, packet), "{:?}", packet);
                        let there = name(packet).is_some_and(|name| model.of(now, name).is_some());
                        prop_assert!(!found || there);
                    }
                }
                Step::Track(packet) => {
                    let related = name(&packet).is_some_and(|name| model.of(now, name).is_some());
                    prop_assert_eq!(flows.is_related(now_ns, &packet), related);
                    prop_assert_eq!(flows.track(now_ns, &packet), Ok(()));
                    model.track(now, &packet);
                }
                Step::Wait(by) => {
                    // As a router does, often enough that no flow is left behind the clock.
                    now += by;
                    flows.work(now * STEP, 1000);
                }
                Step::Work(budget) => flows.work(now_ns, budget),
                Step::Flush(vn) => {
                    flows.work(now_ns, 10_000);
                    model.0.retain(|_, known| known.expires > now);
                    let before = model.0.len();
                    model.0.retain(|name, _| vn.is_some_and(|vn| name.0 != vn));
                    let gone = (before - model.0.len()) as u64;
                    prop_assert_eq!(flows.flush(vn.and_then(Vn::new)), gone);
                }
            }
        }
        model.0.retain(|_, known| known.expires > now);
        let mut expected: Vec<_> = model.0.into_iter().map(|((vn, _, from, to), known)| {
            let state = known.state.to_string();
            (vn, [from.0, to.0], [from.1, to.1], state, known.packets, known.expires)
        }).collect();
        expected.sort();
        prop_assert_eq!(listed(&flows, now * STEP), expected.clone());
        flows.work(now * STEP, 100_000);
        prop_assert_eq!(flows.len() as usize, expected.len());
        let tally = flows.tally();
        prop_assert!(tally.made - tally.ended == expected.len() as u64 && tally.displaced == 0);
    }
}

//! Whatever is received, asked for and configured, in whatever order: bounds hold, and no frame is lost.

use std::collections::HashMap;

use pinode_guest_ipv6qos::control::item::Mac;
use pinode_guest_ipv6qos::icmp::message::{Query, Version};
use pinode_guest_ipv6qos::icmp::{self, Received};
use pinode_guest_ipv6qos::neighbour::cache::{Cache, PER_NEIGHBOUR};
use pinode_guest_ipv6qos::neighbour::{Filter, Limits, Message, Outbox};
use proptest::prelude::*;

use super::lab::{Lab, MS, SECOND, address, advertisement, interface, seeded, solicitation};

#[derive(Debug, Clone, Copy)]
enum Step {
    Packet(u8),
    Na(u8, [bool; 3], Option<u8>),
    Ns(u8, u8, Option<u8>),
    Rs(u8, Option<u8>),
    Query(u8, Version),
    Set(u8, u8),
    Remove(u8),
    Flush,
    AddAddress(u8),
    RemoveAddress(u8),
    Wait(u16),
    Sleep(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0u8..40;
    let version = prop_oneof![Just(Version::One), Just(Version::Two)];
    let mac = || proptest::option::of(0u8..3);
    let step = prop_oneof![
        8 => who.clone().prop_map(Step::Packet),
        6 => (who.clone(), any::<[bool; 3]>(), mac()).prop_map(|(a, b, c)| Step::Na(a, b, c)),
        4 => (who.clone(), who.clone(), mac()).prop_map(|(a, b, c)| Step::Ns(a, b, c)),
        1 => (who.clone(), mac()).prop_map(|(a, b)| Step::Rs(a, b)),
        1 => (who.clone(), version).prop_map(|(group, version)| Step::Query(group, version)),
        1 => (who.clone(), 0u8..3).prop_map(|(a, b)| Step::Set(a, b)),
        1 => who.clone().prop_map(Step::Remove),
        1 => Just(Step::Flush),
        1 => who.clone().prop_map(Step::AddAddress),
        1 => who.prop_map(Step::RemoveAddress),
        4 => (1u16..20).prop_map(Step::Wait),
        2 => (100u16..9000).prop_map(Step::Sleep),
    ];
    proptest::collection::vec(step, 1..250)
}

fn who(number: u8) -> u128 {
    if number == 0 {
        return 0;
    }
    let base = if number < 8 { "fe80::" } else { "2001:db8:1::" };
    address(base) + u128::from(number)
}

fn mac(number: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, number])
}

fn take(lab: &mut Lab, step: Step) {
    let (at, now_ns) = (interface(0, 0), lab.now_ns);
    let received = |source, message| Received {
        source,
        destination: address("ff02::1"),
        message,
    };
    match step {
        Step::Na(target, flags, said) => {
            lab.receive(mac(1), &advertisement(who(target), flags, said.map(mac)));
        }
        Step::Ns(source, target, said) => {
            let said = said.map(mac).filter(|_| source != 0);
            lab.receive(mac(1), &solicitation(who(source), who(target), said, None));
        }
        Step::Rs(source, said) => {
            let said = said.map(mac).filter(|_| source != 0);
            let message = icmp::Message::RouterSolicitation { mac: said };
            lab.receive(mac(1), &received(who(source), message));
        }
        Step::Query(group, version) => {
            let group = if group < 20 {
                0
            } else {
                icmp::solicited_node(who(group))
            };
            let message = icmp::Message::Query(Query {
                version,
                within_ms: 500,
                group,
            });
            lab.receive(mac(1), &received(address("fe80::9"), message));
        }
        Step::Set(to, said) => {
            let _ = lab
                .discovery
                .set_neighbour(now_ns, at, who(to), mac(said), &mut lab.out);
        }
        Step::Remove(to) => {
            lab.discovery.remove_neighbour(at, who(to), &mut lab.out);
        }
        Step::Flush => {
            lab.discovery.flush(Filter::default(), &mut lab.out);
        }
        Step::AddAddress(own) if own > 0 => {
            let own = format!("{}/64", std::net::Ipv6Addr::from(who(own)));
            let own = own.parse().expect("an address");
            let _ = lab.discovery.add_address(now_ns, at, own);
        }
        Step::AddAddress(_) | Step::Packet(_) => {}
        Step::RemoveAddress(own) => {
            let _ = lab.discovery.remove_address(now_ns, at, who(own));
        }
        Step::Wait(ms) => lab.run(u64::from(ms) * MS),
        Step::Sleep(ms) => {
            lab.now_ns += u64::from(ms) * MS;
            lab.tick();
        }
    }
    lab.drain();
}

proptest! {
    #![proptest_config(seeded(300))]

    #[test]
    fn bounds_hold_and_no_frame_is_lost(steps in steps(), verify: bool) {
        let limits = Limits { neighbours: 16, held: 10 };
        let mut lab = Lab::empty(limits);
        lab.link(interface(0, 0), verify, None, &["2001:db8:1::1/64"]);
        let (mut given, start_ns) = (0u32, lab.now_ns);
        for step in steps {
            if let Step::Packet(to) = step {
                lab.resolve(who(to), given);
                given += 1;
            } else {
                take(&mut lab, step);
            }
            let (resolved, unresolved, held) = lab.discovery.len();
            prop_assert!(resolved <= 12 && unresolved <= 4, "{} {}", resolved, unresolved);
            prop_assert!(held <= 10.min(unresolved as usize * PER_NEIGHBOUR));
            prop_assert_eq!(lab.out.lost, 0);
        }
        let mut listed = Vec::new();
        lab.discovery.list(Filter::default(), 0, |entry| {
            listed.push(entry.address);
            true
        });
        let (resolved, unresolved, held) = lab.discovery.len();
        prop_assert_eq!(listed.len() as u32, resolved + unresolved);
        for address in listed {
            prop_assert!(lab.discovery.find(interface(0, 0), address).is_some());
        }
        // Each frame given is held, or came back once.
        let mut back: Vec<u32> = lab.log.frames.iter().map(|(_, frame)| *frame).collect();
        back.sort_unstable();
        back.dedup();
        prop_assert_eq!(back.len(), lab.log.frames.len());
        prop_assert_eq!(back.len() + held, given as usize);
        // No address is asked for more often than its timers say.
        let mut asked: HashMap<u128, Vec<u64>> = HashMap::new();
        for (at_ns, said) in &lab.log.messages {
            if let Message::Solicitation { source, target, .. } = said.message
                && source != 0
            {
                asked.entry(target).or_default().push(*at_ns);
            }
        }
        let seconds = (lab.now_ns - start_ns) / SECOND + 1;
        let most = 3 * (500 * seconds + 200);
        let all: usize = asked.values().map(Vec::len).sum();
        prop_assert!(all as u64 <= most);
        // Time without anything else ends all that waits.
        lab.run(20 * SECOND);
        let (_, unresolved, held) = lab.discovery.len();
        prop_assert_eq!((unresolved, held), (0, 0));
    }

    #[test]
    fn what_was_made_is_found(
        steps in proptest::collection::vec((0u16..200, 0u8..3, any::<bool>()), 1..400),
        seed: u64,
    ) {
        // Configured entries against a plain map.
        let mut cache: Cache<()> = Cache::new(256, 4, 64, seed);
        let mut out = Outbox::default();
        let mut model = HashMap::new();
        for (number, vn, there) in steps {
            let (at, of) = (interface(0, vn), u128::from(number));
            if there {
                let said = mac(number.to_be_bytes()[1]);
                let set = cache.set_permanent(0, at, of, said, &mut out);
                if model.len() < 192 || model.contains_key(&(vn, of)) {
                    prop_assert!(set.is_ok());
                    model.insert((vn, of), said);
                } else {
                    prop_assert!(set.is_err());
                }
            } else {
                prop_assert_eq!(cache.remove(at, of, &mut out), model.remove(&(vn, of)).is_some());
            }
            for vn in 0..3 {
                let found = cache.find(interface(0, vn), of).map(|id| cache.hop(id).mac());
                prop_assert_eq!(found, model.get(&(vn, of)).copied());
            }
        }
        prop_assert_eq!(cache.len(), (model.len() as u32, 0));
    }
}

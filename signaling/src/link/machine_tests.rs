use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000_000;

fn link(instance: u64) -> Link {
    Link::new(Timers::default(), 1000, instance)
}

fn indications(link: &mut Link) -> Vec<Indication> {
    core::iter::from_fn(|| link.next_indication()).collect()
}

/// Carries whatever one has to say to the other.
fn carry(now_ns: u64, from: &mut Link, to: &mut Link) -> usize {
    let mut carried = 0;
    while let Some(pdu) = from.next_pdu(now_ns) {
        to.hears(now_ns, &pdu);
        carried += 1;
        assert!(carried < 1000, "it never ends");
    }
    carried
}

fn settle(now_ns: u64, a: &mut Link, b: &mut Link) {
    for round in 0.. {
        assert!(round < 100, "it never ends");
        if carry(now_ns, a, b) + carry(now_ns, b, a) == 0 {
            break;
        }
    }
}

/// Lets time pass, all PDUs carried.
fn pass(from_ns: u64, to_ns: u64, a: &mut Link, b: &mut Link) {
    let mut now_ns = from_ns;
    while now_ns <= to_ns {
        a.tick(now_ns);
        b.tick(now_ns);
        settle(now_ns, a, b);
        now_ns = a.due_ns().unwrap().min(b.due_ns().unwrap()).max(now_ns + 1);
    }
}

fn pair() -> (Link, Link) {
    let (mut a, mut b) = (link(7), link(5));
    settle(0, &mut a, &mut b);
    assert_eq!(indications(&mut a), [Indication::Up { side: Side::Odd }]);
    assert_eq!(indications(&mut b), [Indication::Up { side: Side::Even }]);
    (a, b)
}

#[test]
fn nothing_is_taken_before_a_neighbour_is_heard() {
    let mut a = link(7);
    assert_eq!(a.send(vec![1]), Err(SendError::Nobody));
    let (mut a, _) = pair();
    let octets = MOST_PAYLOAD + 1;
    assert_eq!(a.send(vec![1; octets]), Err(SendError::Long { octets }));
    for _ in 0..1000 {
        a.send(vec![1]).unwrap();
    }
    assert_eq!(a.send(vec![1]), Err(SendError::Full { waiting: 1000 }));
}

#[test]
fn messages_arrive_in_order() {
    let (mut a, mut b) = pair();
    for message in 0..200 {
        a.send(vec![message]).unwrap();
    }
    settle(MS, &mut a, &mut b);
    let expected: Vec<Indication> = (0..200).map(|m| Indication::Data(vec![m])).collect();
    assert_eq!(indications(&mut b), expected);
    assert_eq!((a.waiting(), a.counters()), (0, Counters::default()));
}

#[test]
fn an_idle_link_stays_up_and_a_dead_neighbour_is_noticed() {
    let (mut a, mut b) = pair();
    pass(MS, 60_000 * MS, &mut a, &mut b);
    assert!(indications(&mut a).is_empty() && indications(&mut b).is_empty());
    let mut now_ns = 60_000 * MS;
    while a.is_up() {
        now_ns = a.due_ns().unwrap().max(now_ns + 1);
        a.tick(now_ns);
        while a.next_pdu(now_ns).is_some() {}
    }
    assert!(now_ns <= 63_000 * MS);
    assert_eq!(indications(&mut a), [Indication::Down]);
    assert_eq!(a.side(), Some(Side::Odd));
}

#[test]
fn a_pause_loses_nothing() {
    let (mut a, mut b) = pair();
    a.send(vec![1]).unwrap();
    while a.next_pdu(MS).is_some() {}
    a.tick(3500 * MS);
    b.tick(3500 * MS);
    assert!(!a.is_up() && !b.is_up());
    a.send(vec![2]).unwrap();
    pass(3500 * MS, 4100 * MS, &mut a, &mut b);
    assert_eq!(
        indications(&mut b),
        [
            Indication::Down,
            Indication::Up { side: Side::Even },
            Indication::Data(vec![1]),
            Indication::Data(vec![2])
        ]
    );
    assert_eq!(
        indications(&mut a),
        [Indication::Down, Indication::Up { side: Side::Odd }]
    );
}

#[test]
fn who_is_not_heard_learns_it() {
    let (mut a, mut b) = pair();
    // b's PDUs get lost; a's arrive.
    let mut now_ns = 0;
    while now_ns < 7000 * MS {
        now_ns += 10 * MS;
        a.tick(now_ns);
        b.tick(now_ns);
        carry(now_ns, &mut a, &mut b);
        while b.next_pdu(now_ns).is_some() {}
    }
    assert!(!a.is_up() && !b.is_up());
    pass(now_ns, now_ns + 1000 * MS, &mut a, &mut b);
    assert!(a.is_up() && b.is_up());
}

#[test]
fn a_restarted_neighbour_is_noticed_at_once() {
    let (mut a, mut b) = pair();
    b.send(vec![1]).unwrap();
    let late = b.next_pdu(MS).unwrap();
    a.send(vec![1]).unwrap();
    while a.next_pdu(MS).is_some() {}
    let mut b = link(9);
    settle(2 * MS, &mut a, &mut b);
    assert_eq!(
        indications(&mut a),
        [
            Indication::Down,
            Indication::Restarted,
            Indication::Up { side: Side::Even }
        ]
    );
    assert_eq!(indications(&mut b), [Indication::Up { side: Side::Odd }]);
    // What is left over from the former life is not heard, nor its BGN.
    a.hears(3 * MS, &late);
    let begin = Pdu {
        from: 5,
        to: 0,
        body: Body::Begin,
    };
    a.hears(3 * MS, &begin.encode());
    assert!(indications(&mut a).is_empty() && a.is_up());
    assert_eq!(a.counters().strange, 2);
}

#[test]
fn a_begin_does_not_bring_the_link_down() {
    let (mut a, mut b) = (link(7), link(5));
    let begin = b.next_pdu(0).unwrap();
    a.hears(0, &begin);
    settle(0, &mut a, &mut b);
    indications(&mut a);
    a.hears(MS, &begin);
    assert!(indications(&mut a).is_empty() && a.is_up());
}

#[test]
fn an_end_and_another_life_end_the_session() {
    let (mut a, mut b) = pair();
    b.end();
    settle(MS, &mut a, &mut b);
    assert_eq!(
        indications(&mut a),
        [Indication::Down, Indication::Restarted]
    );
    assert_eq!((b.is_up(), b.due_ns()), (false, None));

    let (mut a, mut b) = pair();
    b.renew(MS);
    assert_ne!(b.instance(), 5);
    assert_eq!(indications(&mut b), [Indication::Down]);
    pass(MS, 600 * MS, &mut a, &mut b);
    assert!(a.is_up() && b.is_up() && a.side() == b.side().map(Side::other));
    let indications = indications(&mut a);
    assert_eq!(
        indications[..2],
        [Indication::Down, Indication::Restarted],
        "{indications:?}"
    );
}

#[test]
fn equal_numbers_are_chosen_again() {
    let (mut a, mut b) = (link(7), link(7));
    // a speaks at once, b a little later.
    carry(0, &mut a, &mut b);
    pass(MS, 1000 * MS, &mut a, &mut b);
    assert!(a.is_up() && b.is_up() && a.instance() != b.instance());
    assert_eq!(a.side(), b.side().map(Side::other));
}

#[test]
fn own_pdus_that_come_back_bring_nothing_up() {
    let mut a = link(7);
    for second in 0..100 {
        let now_ns = second * 1000 * MS;
        while let Some(pdu) = a.next_pdu(now_ns) {
            a.hears(now_ns, &pdu);
        }
    }
    assert!(indications(&mut a).is_empty() && !a.is_up());
}

proptest! {
    /// PDUs are lost, come twice and out of order: messages do not.
    #[test]
    fn in_order_and_once_whatever_happens_below(
        fates in proptest::collection::vec((0u8..10, 0u64..30), 200..400),
        messages in 1usize..200,
    ) {
        let (mut a, mut b) = pair();
        let mut on_the_way: Vec<(u64, bool, Vec<u8>)> = Vec::new();
        let mut fates = fates.into_iter();
        let (mut to_a, mut to_b) = (Vec::new(), Vec::new());
        let mut sent = 0;
        let mut now_ms = 0;
        while to_a.len() < messages || to_b.len() < messages {
            prop_assert!(now_ms < 100_000, "{} and {} of {messages}", to_a.len(), to_b.len());
            now_ms += 1;
            let now_ns = now_ms * MS;
            if sent < messages {
                a.send(sent.to_be_bytes().to_vec()).unwrap();
                b.send(sent.to_be_bytes().to_vec()).unwrap();
                sent += 1;
            }
            for (index, link) in [&mut a, &mut b].into_iter().enumerate() {
                link.tick(now_ns);
                while let Some(pdu) = link.next_pdu(now_ns) {
                    let (fate, delay) = fates.next().unwrap_or((9, 1));
                    let copies = match fate { 0..=3 => 0, 4 => 2, _ => 1 };
                    for copy in 0..copies {
                        on_the_way.push((now_ms + delay + 1 + 7 * copy, index == 0, pdu.clone()));
                    }
                }
            }
            let (arrived, rest) = on_the_way.into_iter().partition(|(at, ..)| *at <= now_ms);
            on_the_way = rest;
            let arrived: Vec<(u64, bool, Vec<u8>)> = arrived;
            for (_, from_a, pdu) in arrived.iter().rev() {
                let to = if *from_a { &mut b } else { &mut a };
                to.hears(now_ns, pdu);
            }
            for (link, heard) in [(&mut a, &mut to_a), (&mut b, &mut to_b)] {
                for indication in indications(link) {
                    match indication {
                        Indication::Data(payload) => heard.push(payload),
                        Indication::Restarted => prop_assert!(false, "nobody restarted"),
                        Indication::Up { .. } | Indication::Down => {}
                    }
                }
            }
        }
        let expected: Vec<Vec<u8>> = (0..messages).map(|m| m.to_be_bytes().to_vec()).collect();
        prop_assert_eq!(&to_a, &expected);
        prop_assert_eq!(&to_b, &expected);
    }

    #[test]
    fn any_octets_are_heard_without_panic(octets: Vec<Vec<u8>>) {
        let mut a = link(7);
        for (second, octets) in octets.iter().enumerate() {
            a.hears(second as u64, octets);
            a.tick(second as u64);
            while a.next_pdu(second as u64).is_some() {}
        }
    }
}

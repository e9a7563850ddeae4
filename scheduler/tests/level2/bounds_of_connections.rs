//! The bound of the delay of every frame of a connection, against the real gate with the real discipline:
//! never exceeded, whatever others send, and nearly reached.

use pinode_scheduler::bounds::{self, Admitted, PiBounds, Promised};
use pinode_scheduler::level2::Streams;
use pinode_scheduler::level2::streams::{
    Connection, ROUTER_ALERT, Room, Service, Signalling, Tolerance,
};
use proptest::prelude::*;

use crate::bounds::{Frame, LARGEST, OWN, Port, SMALLEST, cycle, entry, gaps, in_order, phases};
use crate::{rate, seeded};

/// The label of best effort; others count from [`FIRST`].
const BEST_EFFORT: u32 = 16;
const FIRST: u32 = 17;

/// What a port is set up with.
struct Setting {
    pi: PiBounds,
    all: Admitted,
    promised: Vec<Promised>,
    queue: Streams<Frame>,
}

/// `share`: of the rate that signalling leaves, in parts of all of them; `largest`: octets. With tau of
/// a turn of all, or as told.
fn setting(
    pi: PiBounds,
    lookahead_ns: u64,
    signalling_bps: u64,
    connections: &[(u64, u32, Option<u64>)],
) -> Setting {
    let wait = Admitted::signalling(0, 0, LARGEST).and(&Promised {
        rate_bps: 0.0,
        tolerance_ns: 0.0,
        largest: LARGEST,
    });
    let own_ns = pi.turn_delay_ns(&wait, lookahead_ns).unwrap().ceil() as u64;
    let none = Admitted::signalling(signalling_bps, own_ns, LARGEST);
    let left_bps = (pi.guaranteed_bps as u64).saturating_sub(signalling_bps);
    let parts: u64 = connections.iter().map(|c| c.0).sum();
    let promise = |tolerance_ns: u64| {
        let one = move |&(share, largest, told): &(u64, u32, Option<u64>)| Promised {
            rate_bps: (left_bps / parts * share) as f64,
            tolerance_ns: told.unwrap_or(tolerance_ns) as f64,
            largest,
        };
        connections.iter().map(one).collect::<Vec<_>>()
    };
    let sum = |promised: &[Promised]| promised.iter().fold(none, |all, one| all.and(one));
    let turn_ns = pi.turn_delay_ns(&sum(&promise(0)), lookahead_ns).unwrap();
    let promised = promise(turn_ns.ceil() as u64);
    let room = Room::of(pi.guaranteed_bps as u64, 10_000);
    let mut queue = Streams::new(room).with_signalling(Signalling {
        peak: rate(signalling_bps),
        tolerance_ns: own_ns,
        buffer: 8,
    });
    let mut connect = |label, service, promised: &Promised, buffer| {
        let asked = Connection {
            vn: 0,
            label,
            service,
            peak: Some(rate(promised.rate_bps as u64)),
            tolerance: Tolerance::Own(promised.tolerance_ns as u64),
            buffer,
            largest: promised.largest,
        };
        queue.connect(asked).expect("room for all");
    };
    for (label, one) in (FIRST..).zip(&promised) {
        connect(label, Service::Cbr, one, 100);
    }
    let best_effort = Promised {
        rate_bps: 1.0,
        tolerance_ns: 0.0,
        largest: LARGEST,
    };
    connect(BEST_EFFORT, Service::Ubr, &best_effort, 16);
    Setting {
        pi,
        all: sum(&promised),
        promised,
        queue,
    }
}

fn train(mark: u32, gaps: impl IntoIterator<Item = (u64, u32)>) -> Vec<Frame> {
    let frames = gaps.into_iter().scan(0, |at_ns, (gap_ns, octets)| {
        *at_ns += gap_ns;
        let at_ns = *at_ns;
        Some(Frame {
            at_ns,
            octets,
            mark,
        })
    });
    frames.collect()
}

proptest! {
    #![proptest_config(seeded(300))]

    #[test]
    fn no_frame_of_a_connection_that_keeps_to_its_contract_takes_longer_than_its_bound(
        phases in phases(),
        guard_ns in 0u64..500,
        lookahead_ns in prop_oneof![Just(0u64), 0u64..25_000],
        ahead in any::<bool>(),
        // Share, largest frame, whether it keeps to its contract, and tau of those that do not.
        connections in prop::collection::vec(
            (1u64..20, SMALLEST..=LARGEST, prop::bool::weighted(0.6), 0u64..300_000), 1..8),
        waits in prop::collection::vec(prop_oneof![3 => Just(0u64), 1 => 0u64..40_000], 60),
        others in prop::collection::vec(gaps(200), 8),
        alerts in gaps(200),
        best_effort in gaps(400),
        offset in 0u64..60_000,
    ) {
        let cycle = cycle(&phases, guard_ns);
        let pi = bounds::of_pi(&cycle, OWN, LARGEST).unwrap();
        let signalling_bps = (pi.guaranteed_bps * 0.05) as u64;
        let asked: Vec<_> = connections
            .iter()
            .map(|&(share, largest, keeps, tau_ns)| (share, largest, (!keeps).then_some(tau_ns)))
            .collect();
        let Setting { pi, all, promised, queue } =
            setting(pi, lookahead_ns, signalling_bps, &asked);
        let mut frames = train(ROUTER_ALERT, alerts);
        frames.extend(train(BEST_EFFORT, best_effort));
        for (((label, one), (.., keeps, _)), gaps) in
            (FIRST..).zip(&promised).zip(&connections).zip(&others)
        {
            if *keeps {
                let interval_ns = one.interval_ns().ceil() as u64;
                let mut late = waits.iter().cycle().skip(label as usize * 7);
                let apart = (0..100).map(|n| {
                    let wait_ns = late.next().copied().unwrap_or(0);
                    (if n == 0 { offset } else { interval_ns } + wait_ns, one.largest)
                });
                frames.extend(train(label, apart));
            } else {
                let fits = gaps.iter().map(|&(gap_ns, octets)| (gap_ns, octets.min(one.largest)));
                frames.extend(train(label, fits));
            }
        }
        let frames = in_order(frames.into_iter());
        let passed = Port::new(&cycle, queue, lookahead_ns, ahead).replay(&frames, entry);
        for passed in &passed {
            let Some(place) = passed.frame.mark.checked_sub(FIRST) else { continue };
            let (one, keeps) = (&promised[place as usize], connections[place as usize].2);
            let Some(bound_ns) = pi.connection_delay_ns(&all, one, lookahead_ns) else { continue };
            let took_ns = passed.ends_ns - passed.frame.at_ns;
            prop_assert!(!keeps || took_ns as f64 <= bound_ns + 1e-3, "{} {}", took_ns, bound_ns);
        }
        // Nothing of those that keep to it was dropped.
        for (label, (.., keeps, _)) in (FIRST..).zip(&connections) {
            let went = passed.iter().filter(|passed| passed.frame.mark == label).count();
            let bounded = pi.connection_delay_ns(&all, &promised[(label - FIRST) as usize], lookahead_ns);
            prop_assert!(!keeps || bounded.is_none() || went == 100, "{}", went);
        }
    }
}

/// A frame of best effort has just begun when the gate has time for no more, and then all come at once.
#[test]
fn the_bound_is_nearly_reached() {
    let cycle = cycle(&[(OWN, 60_000), (1, 120_000)], 0);
    let pi = bounds::of_pi(&cycle, OWN, LARGEST).unwrap();
    let mut least: f64 = 1.0;
    // A window has 23 frames, and signalling one: the last of the others is the first of a window, where
    // the line of the bound touches what is served.
    for connections in [1, 23, 46, 92] {
        let asked = vec![(1, LARGEST, None); connections];
        let bps = (pi.guaranteed_bps * 0.01) as u64;
        let Setting {
            pi,
            all,
            promised,
            queue,
        } = setting(pi, 0, bps, &asked);
        let bound_ns = pi.connection_delay_ns(&all, &promised[0], 0).unwrap();
        // The last start is 2,560 ns ahead of the close: best effort has it.
        let mut frames = vec![
            Frame {
                at_ns: 57_440,
                octets: LARGEST,
                mark: BEST_EFFORT,
            };
            2
        ];
        let at_once = |mark| Frame {
            at_ns: 57_441,
            octets: LARGEST,
            mark,
        };
        frames.extend((0..2).map(|_| at_once(ROUTER_ALERT)));
        frames.extend((FIRST..).take(connections).map(at_once));
        let passed = Port::new(&cycle, queue, 0, false).replay(&frames, entry);
        let own = passed.iter().filter(|passed| passed.frame.mark >= FIRST);
        let longest_ns = own.map(|p| p.ends_ns - p.frame.at_ns).max().unwrap() as f64;
        assert!(longest_ns <= bound_ns, "{longest_ns} {bound_ns}");
        least = least.min(longest_ns / bound_ns);
    }
    assert!(least > 0.85, "{least}");
}

//! The delay bounds of strict classes and of connections, against the real gate with the real
//! disciplines: no frame ends later, whatever comes and whenever the policers let it.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU8;

use pinode_scheduler::bounds::{self, Admitted, Flow, PiBounds, Promised};
use pinode_scheduler::level2::diffserv::{Classes, Policed, Weighted};
use pinode_scheduler::level2::streams::{Connection, Room, Service, Tolerance};
use pinode_scheduler::level2::{Arrival, Diffserv, Discipline, Streams};
use pinode_scheduler::{Cycle, Gate, LinkRate, Phase};
use proptest::prelude::*;

use crate::{rate, seeded};

/// At this rate every frame takes whole nanoseconds, a bit one.
const GBIT: u64 = 1_000_000_000;
pub(crate) const OWN: u8 = 0;
const CS6: u8 = 48;
const EF: u8 = 46;
const DF: u8 = 0;
/// Frames of the bounds' tests: the smallest and the largest, octets.
pub(crate) const SMALLEST: u32 = 64;
pub(crate) const LARGEST: u32 = 300;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) at_ns: u64,
    pub(crate) octets: u32,
    /// A code point, or a label.
    pub(crate) mark: u32,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Passed {
    pub(crate) frame: Frame,
    /// When it left its queue.
    pub(crate) taken_ns: u64,
    pub(crate) ends_ns: u64,
}

fn wire_ns(octets: u32) -> u64 {
    8 * u64::from(octets + 20)
}

pub(crate) fn cycle(phases: &[(u8, u64)], guard_ns: u64) -> Cycle {
    let phases: Vec<_> = phases
        .iter()
        .map(|&(slot, duration_ns)| Phase {
            owner: Some(slot),
            duration_ns,
        })
        .collect();
    Cycle::new(&phases, guard_ns, rate(GBIT), |_| 64).expect("valid")
}

/// A port whose worker is always there: it looks at each arrival, at each edge, and when the lookahead
/// reaches the end of a frame that the link was charged with.
pub(crate) struct Port<Q> {
    gate: Gate,
    queue: Q,
    lookahead_ns: u64,
    /// Whether frames go ahead into the next window, as with launch time.
    ahead: bool,
}

impl<Q: Discipline<Frame>> Port<Q> {
    pub(crate) fn new(cycle: &Cycle, queue: Q, lookahead_ns: u64, ahead: bool) -> Self {
        Self {
            gate: Gate::new(cycle.clone(), 0, lookahead_ns),
            queue,
            lookahead_ns,
            ahead,
        }
    }

    /// Sends `frames`, in the order of their arrival; `pdu` is what the discipline sees of one.
    /// Gives those that were not refused.
    pub(crate) fn replay(&mut self, frames: &[Frame], pdu: impl Fn(u32) -> [u8; 4]) -> Vec<Passed> {
        let (mut passed, mut frees, mut now_ns) = (Vec::new(), BTreeSet::new(), 0);
        let mut frames = frames.iter().peekable();
        while frames.peek().is_some() || !self.queue.is_empty() {
            while let Some(&frame) = frames.next_if(|frame| frame.at_ns <= now_ns) {
                let arrival = Arrival {
                    now_ns,
                    octets: frame.octets,
                    vn: 0,
                    pdu: &pdu(frame.mark),
                };
                // Policed, or its class is full.
                let _ = self.queue.enqueue(frame, &arrival);
            }
            let window = self.gate.advance(now_ns);
            let Self {
                gate,
                queue,
                lookahead_ns,
                ..
            } = self;
            let mut went = |frame: Frame, start_ns: u64| {
                let ends_ns = start_ns + wire_ns(frame.octets);
                frees.insert(ends_ns.saturating_sub(*lookahead_ns));
                passed.push(Passed {
                    frame,
                    taken_ns: now_ns,
                    ends_ns,
                });
            };
            loop {
                let mut start = None;
                let may_start = |frame: &Frame| {
                    start = gate.try_start(OWN, frame.octets).ok();
                    start.is_some()
                };
                let taken = queue.dequeue_if(now_ns, may_start);
                let Some((frame, start_ns)) = taken.zip(start) else {
                    break;
                };
                went(frame, start_ns);
            }
            if self.ahead
                && let Some(mut starts) = gate.open_ahead(OWN)
            {
                loop {
                    let mut start = None;
                    let may_start = |frame: &Frame| {
                        start = starts.ask(frame.octets).ok();
                        start.is_some()
                    };
                    let taken = queue.dequeue_if(now_ns, may_start);
                    let Some((frame, start)) = taken.zip(start) else {
                        break;
                    };
                    let start_ns = starts.charge(start);
                    went(frame, start_ns);
                }
            }
            let due_ns = self.queue.due_ns(now_ns);
            let next = [
                frames.peek().map(|frame| frame.at_ns),
                Some(window.closes_ns),
                Some(window.closes_ns.saturating_sub(self.lookahead_ns)),
                frees.range(now_ns + 1..).next().copied(),
                due_ns,
            ];
            let next = next.into_iter().flatten().filter(|at_ns| *at_ns > now_ns);
            now_ns = next.min().expect("a window closes");
        }
        passed
    }
}

fn header(dscp: u32) -> [u8; 4] {
    let dscp = dscp as u8;
    [0x60 | dscp >> 2, dscp << 6, 0, 0]
}

pub(crate) fn entry(label: u32) -> [u8; 4] {
    (label << 12).to_be_bytes()
}

fn diffserv(policed: [(u64, u32); 2]) -> Diffserv<Frame> {
    let [nc, rt] = policed.map(|(bps, burst_octets)| Policed {
        rate: rate(bps),
        burst_octets,
        limit: 1000,
    });
    let shared = Weighted {
        weight: NonZeroU8::MIN,
        limit: 100,
    };
    Diffserv::new(&Classes {
        nc,
        rt,
        assured: shared,
        be: shared,
    })
}

/// Frames with these gaps between them.
fn train(mark: u8, gaps: &[(u64, u32)]) -> impl Iterator<Item = Frame> {
    let mark = u32::from(mark);
    gaps.iter().scan(0, move |at_ns, &(gap_ns, octets)| {
        *at_ns += gap_ns;
        let at_ns = *at_ns;
        Some(Frame {
            at_ns,
            octets,
            mark,
        })
    })
}

pub(crate) fn in_order(frames: impl Iterator<Item = Frame>) -> Vec<Frame> {
    let mut frames: Vec<_> = frames.collect();
    frames.sort_by_key(|frame| frame.at_ns);
    frames
}

/// Mostly on each other's heels, so that the policers are what limits them, and lulls in which these
/// fill again.
pub(crate) fn gaps(frames: usize) -> impl Strategy<Value = Vec<(u64, u32)>> {
    let gap = prop_oneof![30 => 0u64..1_500, 1 => 0u64..60_000];
    let octets = prop_oneof![Just(SMALLEST), Just(LARGEST), SMALLEST..=LARGEST];
    prop::collection::vec((gap, octets), frames)
}

pub(crate) fn phases() -> impl Strategy<Value = Vec<(u8, u64)>> {
    prop::collection::vec((0u8..2, 3_000u64..20_000), 1..5).prop_map(|mut phases| {
        phases.push((OWN, 8_000));
        phases
    })
}

/// The bounds of NC and RT.
fn strict(pi: &PiBounds, policed: [(u64, u32); 2], lookahead_ns: u64) -> [Option<f64>; 2] {
    let [nc, rt] = policed.map(|(bps, burst)| Flow::of_frames(bps, u64::from(burst), SMALLEST));
    [
        pi.strict_delay_ns(&[], nc, lookahead_ns),
        pi.strict_delay_ns(&[nc], rt, lookahead_ns),
    ]
}

fn longest_ns(passed: &[Passed], mark: u8) -> u64 {
    let own = passed.iter().filter(|p| p.frame.mark == u32::from(mark));
    own.map(|p| p.ends_ns - p.frame.at_ns).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(seeded(300))]

    #[test]
    fn no_strict_frame_ends_later_than_its_bound(
        phases in phases(),
        guard_ns in 0u64..500,
        nc_share in 0.02f64..0.5,
        rt_share in 0.02f64..0.5,
        bursts in [LARGEST..8 * LARGEST, LARGEST..8 * LARGEST],
        lookahead_ns in prop_oneof![Just(0u64), 0u64..25_000],
        ahead in any::<bool>(),
        nc in gaps(400),
        rt in gaps(400),
        be in gaps(400),
    ) {
        let cycle = cycle(&phases, guard_ns);
        let pi = bounds::of_pi(&cycle, OWN, LARGEST).unwrap();
        // On the wire, in the smallest frames.
        let octets_bps = |share: f64| {
            let weight = f64::from(SMALLEST + 20) / f64::from(SMALLEST);
            (share * pi.guaranteed_bps / weight) as u64
        };
        let policed = [
            (octets_bps(nc_share), bursts[0]),
            (octets_bps(rt_share), bursts[1]),
        ];
        let delays = strict(&pi, policed, lookahead_ns).map(Option::unwrap);
        let frames = in_order(train(CS6, &nc).chain(train(EF, &rt)).chain(train(DF, &be)));
        let mut port = Port::new(&cycle, diffserv(policed), lookahead_ns, ahead);
        let passed = port.replay(&frames, header);
        for (mark, delay_ns) in [(CS6, delays[0]), (EF, delays[1])] {
            let longest_ns = longest_ns(&passed, mark);
            prop_assert!(longest_ns > 0);
            prop_assert!(longest_ns as f64 <= delay_ns + 1e-3, "{} {} {}", mark, longest_ns, delay_ns);
        }
    }

    #[test]
    fn no_first_frame_of_a_connection_waits_longer_than_all_turns(
        phases in phases(),
        guard_ns in 0u64..500,
        lookahead_ns in prop_oneof![Just(0u64), 0u64..25_000],
        ahead in any::<bool>(),
        shares in prop::collection::vec((1u64..100, 0u64..200_000), 1..6),
        sent in prop::collection::vec(gaps(150), 6),
    ) {
        let cycle = cycle(&phases, guard_ns);
        let pi = bounds::of_pi(&cycle, OWN, LARGEST).unwrap();
        let alike = Promised { rate_bps: 0.0, tolerance_ns: 0.0, largest: LARGEST };
        let none = Admitted::signalling(0, 0, LARGEST);
        let admitted = shares.iter().fold(none, |all, _| all.and(&alike));
        let delay_ns = pi.turn_delay_ns(&admitted, lookahead_ns).unwrap();
        let all: u64 = shares.iter().map(|share| share.0).sum();
        let mut streams = Streams::new(Room::of(pi.guaranteed_bps as u64, 1_000));
        let mut contracts = HashMap::new();
        for (label, &(share, tolerance_ns)) in (16u32..).zip(&shares) {
            let connection = Connection {
                vn: 0,
                label,
                service: Service::Cbr,
                peak: Some(rate(pi.guaranteed_bps as u64 / all * share)),
                tolerance: Tolerance::Own(tolerance_ns),
                buffer: 12,
                largest: LARGEST,
            };
            streams.connect(connection).unwrap();
            contracts.insert(label, connection);
        }
        let trains = (16u8..).zip(&sent).take(shares.len());
        let frames = in_order(trains.flat_map(|(mark, gaps)| train(mark, gaps)));
        let mut port = Port::new(&cycle, streams, lookahead_ns, ahead);
        let passed = port.replay(&frames, entry);
        let mut shapers: HashMap<u32, Shaper> = HashMap::new();
        for passed in passed {
            let shaper = shapers.entry(passed.frame.mark).or_default();
            let since_ns = shaper.first_and_conforms_ns(&contracts[&passed.frame.mark], &passed);
            prop_assert!(since_ns <= passed.taken_ns, "{:?} {}", passed, since_ns);
            let took_ns = passed.ends_ns - since_ns;
            prop_assert!(took_ns as f64 <= delay_ns + 1e-3, "{:?} {} {}", passed, took_ns, delay_ns);
        }
    }
}

/// GCRA of ITU-T I.371 Annex A, over what left.
#[derive(Default)]
struct Shaper {
    theoretical_ps: u64,
    taken_ns: u64,
}

impl Shaper {
    /// Since when the frame was the first of its connection, and conformed.
    fn first_and_conforms_ns(&mut self, contract: &Connection, passed: &Passed) -> u64 {
        let conforms_ns =
            (self.theoretical_ps.div_ceil(1_000)).saturating_sub(contract.tolerance.ns(0));
        let since_ns = passed.frame.at_ns.max(self.taken_ns).max(conforms_ns);
        let interval_ps = LinkRate::wire_time_ps(contract.peak.unwrap(), passed.frame.octets);
        self.theoretical_ps = self.theoretical_ps.max(passed.taken_ns * 1_000) + interval_ps;
        self.taken_ns = passed.taken_ns;
        since_ns
    }
}

/// What comes of NC while the window is closed goes before an RT frame that has come before it: a
/// bound without rho_NC T would be too small for some bursts.
#[test]
fn what_comes_of_a_class_before_while_the_window_is_closed_counts() {
    const FRAME_BITS: f64 = 8.0 * (SMALLEST + 20) as f64;
    let cycle = cycle(&[(OWN, 300_000), (1, 5_700_000)], 0);
    let pi = bounds::of_pi(&cycle, OWN, SMALLEST).unwrap();
    let weight = f64::from(SMALLEST + 20) / f64::from(SMALLEST);
    let half_bps = (pi.guaranteed_bps / 2.0 / weight) as u64;
    // NC at its rate all along.
    let gap_ns = (f64::from(8 * SMALLEST) / half_bps as f64 * 1e9).ceil() as u64;
    let nc_frames = vec![(gap_ns, SMALLEST); 600];
    let mut most_above_ns = f64::MIN;
    for frames in 200..260 {
        let policed = [(half_bps, SMALLEST), (half_bps, frames * SMALLEST)];
        // RT's burst just after the last start.
        let mut rt_frames = vec![(0, SMALLEST); frames as usize];
        rt_frames[0].0 = 299_400;
        let all = in_order(train(CS6, &nc_frames).chain(train(EF, &rt_frames)));
        let passed = Port::new(&cycle, diffserv(policed), 0, false).replay(&all, header);
        let [_, delay_ns] = strict(&pi, policed, 0).map(Option::unwrap);
        let longest_ns = longest_ns(&passed, EF) as f64;
        assert!(longest_ns <= delay_ns, "{longest_ns} {delay_ns}");
        let [nc, rt] = policed.map(|(bps, burst)| Flow::of_frames(bps, u64::from(burst), SMALLEST));
        let bits = nc.sigma_bits + rt.sigma_bits + FRAME_BITS;
        let without_ns = pi.latency_ns + bits / (pi.guaranteed_bps - nc.rho_bps) * 1e9;
        most_above_ns = most_above_ns.max(longest_ns - without_ns);
    }
    assert!(most_above_ns > 0.0, "{most_above_ns}");
}

#[test]
fn strict_classes_by_hand() {
    let thirds = cycle(&[(OWN, 100_000), (1, 200_000)], 0);
    let pi = bounds::of_pi(&thirds, OWN, 1518).unwrap();
    let flow = |sigma_bits, rho_bps| Flow {
        sigma_bits,
        rho_bps,
    };
    // R = 292.32 Mb/s and T = 212.304 us; with 20 us ahead 232.304 us.
    let (nc, rt) = (flow(8_000.0, 92.32e6), flow(80_000.0, 200e6));
    let near = |found: Option<f64>, expected: f64| {
        assert!(
            (found.unwrap() - expected).abs() < 1e-3,
            "{found:?} {expected}"
        );
    };
    let nc_ns = 232_304.0 + (8_000.0 + 12_304.0) / 0.29232;
    near(pi.strict_delay_ns(&[], nc, 20_000), nc_ns);
    let before = 8_000.0 + 0.09232 * 232_304.0;
    let rt_ns = 232_304.0 + (80_000.0 + 12_304.0 + before) / 0.2;
    near(pi.strict_delay_ns(&[nc], rt, 20_000), rt_ns);
    near(pi.left_bps(&[nc]), 200e6);
    let none = Admitted::signalling(0, 0, 1518);
    let one = Promised {
        rate_bps: 50e6,
        tolerance_ns: 500_000.0,
        largest: 1518,
    };
    let three = none.and(&one).and(&one).and(&one);
    let turn_ns = 232_304.0 + 4.0 * 12_304.0 / 0.29232;
    near(pi.turn_delay_ns(&three, 20_000), turn_ns);
    // A turn of three takes 126.3 us, and the frames of each come 246.1 us apart.
    near(pi.connection_delay_ns(&three, &one, 20_000), turn_ns);
    // Frames of a faster one come before its next turn.
    let fast = Promised {
        rate_bps: 140e6,
        tolerance_ns: 900_000.0,
        ..one
    };
    let mixed = none.and(&one).and(&one).and(&fast);
    let bits = 232_304.0 * 0.29232 + 4.0 * 12_304.0 + 2.0 * 25_000.0;
    let fast_ns = bits / 0.19232;
    near(pi.connection_delay_ns(&mixed, &fast, 20_000), fast_ns);
    let hasty = Promised {
        tolerance_ns: fast_ns - 1.0,
        ..fast
    };
    assert_eq!(pi.connection_delay_ns(&mixed, &hasty, 20_000), None);
    // Signalling of 10 Mb/s and 100 us: a frame and 1,000 bits before all else.
    let signalled = Admitted::signalling(10_000_000, 100_000, 1518).and(&one);
    let bits = 232_304.0 * 0.29232 + 3.0 * 12_304.0 + 1_000.0;
    near(pi.turn_delay_ns(&signalled, 20_000), bits / 0.28232);
    // A bit/s more than there is.
    assert_eq!(
        pi.strict_delay_ns(&[nc], flow(80_000.0, 200e6 + 1.0), 0),
        None
    );
    assert_eq!(pi.left_bps(&[nc, flow(0.0, 200e6 + 1.0)]), None);
    // A phase of one largest frame guarantees nothing.
    let tight = cycle(&[(OWN, 12_304), (1, 87_696)], 0);
    let nothing = bounds::of_pi(&tight, OWN, 1518).unwrap();
    assert_eq!(nothing.strict_delay_ns(&[], flow(1.0, 0.0), 0), None);
    assert_eq!(nothing.turn_delay_ns(&three, 0), None);
}

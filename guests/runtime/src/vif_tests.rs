//! Frames through the vifs, with the host played by the test: one thread, no clock, no chance.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use pinode_virtqueue::QueueError;
use proptest::prelude::*;

use crate::control::Config;
use crate::function::{BURST, Frame, Frames, Function, HELD, Output, VifIndex};
use crate::unsafe_rig::{Host, rig};
use crate::vif::{Direction, Moved, Net};

const MEMORY: usize = 1 << 20;

/// Sends every frame where `to` says; `None` leaves it in the burst.
struct Route(fn(VifIndex, &[u8]) -> Option<u8>);

impl Function for Route {
    fn name(&self) -> &'static str {
        "route"
    }
    fn configure(&mut self, _: &Config) -> Result<(), String> {
        Ok(())
    }
    fn burst(&mut self, from: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        while let Some(frame) = frames.next() {
            match (self.0)(from, frames.octets(&frame)) {
                Some(to) => out.send(VifIndex(to), frame),
                None => return out.discard(frame),
            }
        }
    }
}

fn cross() -> Route {
    Route(|from, _| Some(1 - from.0))
}

fn round(net: &mut Net, function: &mut Route) -> Moved {
    net.round(function, 0, |_, _| panic!("nobody asked for a kick"))
        .unwrap()
}

fn frame(number: usize) -> Vec<u8> {
    let octets = 60 + number * 7 % 1456;
    (0..octets).map(|at| (at * 31 + number) as u8).collect()
}

#[test]
fn frames_cross_byte_for_byte() {
    let (mut net, mut hosts) = rig(2, 64, MEMORY);
    let buffers = net.accounted();
    for number in 0..500 {
        assert!(hosts[0].give(&frame(number)) && hosts[1].give(&frame(number + 1)));
        let moved = round(&mut net, &mut cross());
        assert_eq!((moved.frames, moved.discarded, moved.resumed), (2, 0, 0));
        assert_eq!(hosts[1].take(), [frame(number)]);
        assert_eq!(hosts[0].take(), [frame(number + 1)]);
    }
    assert_eq!(net.accounted(), buffers);
}

#[test]
fn a_sent_frame_has_a_clean_header() {
    let (mut net, mut hosts) = rig(2, 64, MEMORY);
    hosts[0].give(&[1; 60]);
    round(&mut net, &mut cross());
    let Host { ram, layouts, .. } = &hosts[1];
    let mut descriptor = [0u8; 8];
    ram.read(layouts[1].desc, &mut descriptor).unwrap();
    let mut header = [0xff; 12];
    ram.read(u64::from_le_bytes(descriptor), &mut header)
        .unwrap();
    assert_eq!(header, [0; 12]);
}

#[test]
fn a_full_ring_holds_back_only_who_sends_to_it() {
    let (mut net, mut hosts) = rig(2, 64, MEMORY);
    let buffers = net.accounted();
    let mut given = 0;
    // Nothing that east sends is given back: its ring fills, then west's buffers run out.
    for _ in 0..10 * BURST {
        given += usize::from(hosts[0].give(&frame(given)));
        round(&mut net, &mut cross());
        assert!(hosts[1].give(&[9; 60]));
        round(&mut net, &mut cross());
        assert_eq!(hosts[0].take(), [[9; 60]], "east to west flows on");
    }
    let ring = 63;
    assert!(
        given > 2 * ring - 2 && given < 4 * ring,
        "{given} frames were taken"
    );
    assert_eq!(net.accounted(), buffers);
    // Given back, all come out, in order.
    let mut out = Vec::new();
    for _ in 0..20 {
        out.extend(hosts[1].take());
        round(&mut net, &mut cross());
    }
    assert_eq!(out, (0..given).map(frame).collect::<Vec<_>>());
    assert_eq!(net.accounted(), buffers);
}

#[test]
fn what_the_function_leaves_returns_to_the_pool() {
    let (mut net, mut hosts) = rig(2, 64, MEMORY);
    let buffers = net.accounted();
    for wild in [
        |_: VifIndex, _: &[u8]| None,
        |_: VifIndex, _: &[u8]| Some(7),
    ] {
        for _ in 0..200 {
            assert!(hosts[0].give(&[3; 60]) && hosts[0].give(&[4; 60]));
            let moved = round(&mut net, &mut Route(wild));
            assert_eq!((moved.frames, moved.discarded), (2, 2));
        }
    }
    assert_eq!((hosts[0].take().len(), hosts[1].take().len()), (0, 0));
    assert_eq!(net.accounted(), buffers);
}

#[test]
fn a_sleeping_driver_shows_it_and_is_woken() {
    let (mut net, mut hosts) = rig(2, 64, MEMORY);
    assert!(!hosts[0].sees_sleep());
    assert!(!net.arm());
    assert!(hosts.iter().all(Host::sees_sleep));
    assert!(!hosts[0].interrupts(), "nothing to wake for");
    hosts[0].give(&[1; 60]);
    assert!(hosts[0].interrupts());
    net.disarm();
    round(&mut net, &mut cross());
    hosts[0].give(&[1; 60]);
    assert!(!hosts[0].interrupts(), "it polls");
    assert!(net.arm(), "a frame that came before is seen");
}

#[test]
fn sent_buffers_coming_back_do_not_wake_a_driver_that_has_enough() {
    let (mut net, mut hosts) = rig(2, 64, MEMORY);
    for number in 0..30 {
        hosts[0].give(&frame(number));
    }
    round(&mut net, &mut cross());
    assert!(!net.arm());
    let frames: Vec<_> = hosts[1]
        .harvest(64)
        .into_iter()
        .map(|(frame, _)| frame)
        .collect();
    assert_eq!(frames.len(), 30);
    hosts[1].complete(frames);
    assert!(!hosts[1].interrupts());
    assert!(hosts[1].sees_sleep());
}

#[test]
fn a_starved_driver_sleeps_until_buffers_come_back() {
    let (mut net, mut hosts) = rig(2, 64, MEMORY);
    let mut idle = 0;
    while idle < 3 {
        let moved = hosts[0].give(&[5; 60]) | round(&mut net, &mut cross()).any();
        idle = if moved { 0 } else { idle + 1 };
    }
    assert!(
        !net.arm(),
        "received frames that cannot be taken are no reason to stay awake"
    );
    assert!(
        hosts.iter().all(Host::sees_sleep),
        "and it shows that it sleeps"
    );
    assert!(!hosts[0].interrupts() && !hosts[1].interrupts());
    let mut sent: Vec<_> = hosts[1]
        .harvest(64)
        .into_iter()
        .map(|(frame, _)| frame)
        .collect();
    let rest = sent.split_off(40);
    hosts[1].complete(sent);
    assert!(hosts[1].interrupts());
    net.disarm();
    assert!(round(&mut net, &mut cross()).any());
    hosts[1].complete(rest);
}

#[test]
fn a_device_that_breaks_its_ring_is_an_error() {
    for (queue, index) in [(0, 200u16), (1, 7)] {
        let (mut net, mut hosts) = rig(2, 64, MEMORY);
        hosts[0].give(&[1; 60]);
        round(&mut net, &mut cross());
        let Host { ram, layouts, .. } = &hosts[1];
        ram.write(layouts[queue].used + 2, &index.to_le_bytes())
            .unwrap();
        // While frames move, what was sent is not looked at in every round.
        let mut rounds = (0..2).map(|_| net.round(&mut cross(), 0, |_, _| {}));
        let error = rounds.find_map(Result::err).unwrap();
        assert!(matches!(error, QueueError::UsedIndex { .. }), "{error}");
    }
}

#[test]
fn runt_and_giant_lengths_from_the_device_are_harmless() {
    let (mut net, mut hosts) = rig(2, 64, MEMORY);
    let lengths = |_: VifIndex, octets: &[u8]| {
        assert!(octets.len() <= 1588);
        Some(1)
    };
    for octets in [0, 1, 13, 14, 1588] {
        assert!(hosts[0].give(&vec![7; octets]));
        round(&mut net, &mut Route(lengths));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Give { vif: usize, count: usize },
    Hold { vif: usize, count: usize },
    Release { vif: usize, count: usize },
    Round,
    Sleep,
}

fn step() -> impl Strategy<Value = Step> {
    let (vif, count) = (0..3usize, 1..80usize);
    prop_oneof![
        (vif.clone(), count.clone()).prop_map(|(vif, count)| Step::Give { vif, count }),
        (vif.clone(), count.clone()).prop_map(|(vif, count)| Step::Hold { vif, count }),
        (vif, count).prop_map(|(vif, count)| Step::Release { vif, count }),
        Just(Step::Round),
        Just(Step::Sleep),
    ]
}

proptest! {
    /// Whatever the host does when: no buffer is lost, each path keeps its order, all come out at last.
    #[test]
    fn nothing_is_lost_or_reordered(steps in proptest::collection::vec(step(), 1..120), size in 3u32..7) {
        // Octet 0 says where to, octets 1 to 4 count the frames of a path.
        let mut function = Route(|_, octets| Some(octets[0]));
        let (mut net, mut hosts) = rig(3, 1 << size, MEMORY);
        let buffers = net.accounted();
        let mut given = [[0u32; 3]; 3];
        let mut seen = [[0u32; 3]; 3];
        let mut held = [vec![], vec![], vec![]];
        let end = [Step::Round, Step::Hold { vif: 0, count: 999 }, Step::Hold { vif: 1, count: 999 },
            Step::Hold { vif: 2, count: 999 }, Step::Release { vif: 0, count: 999 },
            Step::Release { vif: 1, count: 999 }, Step::Release { vif: 2, count: 999 }];
        for step in steps.into_iter().chain(core::iter::repeat_n(end, 200).flatten()) {
            match step {
                Step::Give { vif, count } => for n in 0..count {
                    let to = (vif + n) % 3;
                    let mut octets = [0u8; 60];
                    octets[0] = to as u8;
                    octets[1..5].copy_from_slice(&given[vif][to].to_le_bytes());
                    octets[5] = vif as u8;
                    given[vif][to] += u32::from(hosts[vif].give(&octets));
                },
                Step::Hold { vif, count } => for (frame, octets) in hosts[vif].harvest(count) {
                    let from = usize::from(octets[5]);
                    let number = u32::from_le_bytes([octets[1], octets[2], octets[3], octets[4]]);
                    prop_assert_eq!(number, seen[from][vif]);
                    seen[from][vif] += 1;
                    held[vif].push(frame);
                },
                Step::Release { vif, count } => {
                    let count = count.min(held[vif].len());
                    hosts[vif].complete(held[vif].drain(..count));
                }
                Step::Round => { round(&mut net, &mut function); }
                Step::Sleep => {
                    net.arm();
                    net.disarm();
                }
            }
            prop_assert_eq!(net.accounted(), buffers);
        }
        prop_assert_eq!(given, seen);
    }
}

/// Keeps what comes, up to [`HELD`]; lets it go, and says a word of its own on each vif, when time passes.
#[derive(Default)]
struct Keeper {
    kept: Vec<Frame>,
    refused: usize,
}

impl Function for Keeper {
    fn name(&self) -> &'static str {
        "keeper"
    }
    fn configure(&mut self, _: &Config) -> Result<(), String> {
        Ok(())
    }
    fn burst(&mut self, _: VifIndex, frames: &mut Frames<'_>, _: &mut Output<'_>) {
        while self.kept.len() < HELD
            && let Some(frame) = frames.next()
        {
            self.kept.push(frame);
        }
    }
    fn tick(&mut self, frames: &mut Frames<'_>, out: &mut Output<'_>) {
        assert!(frames.next().is_none());
        for vif in [0, 1] {
            let Some(mut frame) = out.make(VifIndex(vif)) else {
                self.refused += 1;
                continue;
            };
            assert!(!frames.resize(&mut frame, 1 << 20));
            assert!(frames.resize(&mut frame, 64));
            frames
                .octets(&frame)
                .copy_from_slice(&[out.now_ns() as u8; 64]);
            out.send(VifIndex(vif), frame);
        }
        for frame in self.kept.drain(..) {
            out.send(VifIndex(1), frame);
        }
    }
}

#[test]
fn what_a_function_keeps_and_makes_is_never_lost() {
    let (mut net, mut hosts) = rig(2, 64, MEMORY);
    let buffers = net.accounted();
    let mut keeper = Keeper::default();
    let kick = |_: usize, _: Direction| {};
    let mut crossed = 0;
    for number in 0..300 {
        let given = (0..10)
            .filter(|n| hosts[0].give(&frame(number + n)))
            .count();
        let moved = net.round(&mut keeper, 0, kick).unwrap();
        assert_eq!((moved.frames, moved.discarded), (given, 0));
        assert_eq!(net.accounted() + keeper.kept.len(), buffers);
        if number % 3 == 2 {
            net.tick(&mut keeper, number as u64, kick).unwrap();
            assert_eq!(net.accounted(), buffers);
            for (vif, host) in hosts.iter_mut().enumerate() {
                let frames = host.take();
                assert_eq!(frames[0], [number as u8; 64]);
                crossed += frames.len() - 1;
                assert!(vif == 1 || frames.len() == 1);
            }
        }
    }
    assert_eq!((crossed, keeper.refused), (3000, 0));
}

#[test]
fn nothing_is_made_for_a_port_whose_frames_wait() {
    let (mut net, mut hosts) = rig(2, 64, MEMORY);
    let buffers = net.accounted();
    let mut keeper = Keeper::default();
    for _ in 0..10 {
        while hosts[0].give(&[1; 60]) {}
        net.round(&mut keeper, 0, |_, _| {}).unwrap();
    }
    // Nobody takes what is sent: the ring fills up, the rest waits.
    for now_ns in 0..100 {
        net.tick(&mut keeper, now_ns, |_, _| {}).unwrap();
        assert_eq!(net.accounted(), buffers);
    }
    // For the other port there is room until its ring is full too.
    let refused = keeper.refused;
    assert!((99..2 * 100).contains(&refused), "{refused}");
    net.tick(&mut keeper, 100, |_, _| {}).unwrap();
    assert_eq!(keeper.refused, refused + 2);
    assert!(!hosts[0].harvest(64).is_empty());
}

#[test]
fn where_rings_take_more_buffers_than_there_are_some_are_left_to_be_made_of() {
    let (mut net, mut hosts) = rig(2, 1024, MEMORY);
    assert!(net.accounted() < 1024, "the rings take them all");
    let mut keeper = Keeper::default();
    for now_ns in 0..100 {
        net.tick(&mut keeper, now_ns, |_, _| {}).unwrap();
        for host in &mut hosts {
            assert_eq!(host.take(), [[now_ns as u8; 64]]);
        }
    }
    assert_eq!(keeper.refused, 0);
}

//! Loss, duplication, reordering and corruption that are put in are found, to the frame.
//!
//! How they meet: a corrupted frame is lost, too, for its content did not arrive; each copy of it is one more
//! corrupted frame, and no duplicate. A frame is reordered if it is intact and an intact one of its stream
//! passed it: with one stream a side that is what the fault port counts.

use std::time::Duration;

use pinode_measure::burst;
use pinode_measure::path::{Interfaces, Options};
use pinode_measure::plan::Plan;
use pinode_measure::sink::Received;
use pinode_measure::source::Sent;
use pinode_measure::stream::{Encapsulation, Sizes, Stream, StreamSpec, Transport};
use pinode_measure::trial::{Device, Load, LoadStream, Path, PathKind, Side};
use pinode_ports::memory::cable;
use pinode_ports::{FaultCounts, FaultPort, Faults};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// What a tester must say of a stream that had `faults` to itself.
fn assert_found(sent: Sent, received: Received, faults: FaultCounts) {
    assert_eq!(faults.received, sent.frames, "{faults:?}");
    assert_eq!(faults.waiting, 0);
    let lost = sent.frames - received.frames;
    assert_eq!(
        lost,
        faults.lost + faults.corrupted,
        "{received:?} {faults:?}"
    );
    assert_eq!(
        received.corrupted,
        faults.corrupted + faults.duplicated_corrupted
    );
    assert_eq!(
        received.duplicated,
        faults.duplicated - faults.duplicated_corrupted
    );
    assert_eq!(received.reordered, faults.reordered_intact);
    assert_eq!(received.too_late, 0);
    let all = received.frames + received.duplicated + received.corrupted;
    assert_eq!(all, faults.delivered);
}

const EACH: [Faults; 5] = {
    const NONE: Faults = Faults {
        loss_ppm: 0,
        duplication_ppm: 0,
        reordering_ppm: 0,
        corruption_ppm: 0,
        refusal_ppm: 0,
        stall_ppm: 0,
        stall_bursts: 0,
    };
    [
        Faults {
            loss_ppm: 20_000,
            ..NONE
        },
        Faults {
            duplication_ppm: 20_000,
            ..NONE
        },
        Faults {
            reordering_ppm: 20_000,
            ..NONE
        },
        Faults {
            corruption_ppm: 20_000,
            ..NONE
        },
        Faults {
            loss_ppm: 50_000,
            duplication_ppm: 50_000,
            reordering_ppm: 50_000,
            corruption_ppm: 50_000,
            ..NONE
        },
    ]
};

/// Both sides send, each into faults of its own.
fn over_interfaces(faults: Faults, seed: u64) {
    let (west, east) = cable(8192, 2048);
    let ports =
        [(west, seed), (east, !seed)].map(|(port, seed)| FaultPort::new(port, faults, seed));
    let [into_west, into_east] = ports.each_ref().map(FaultPort::watch);
    let [west, east] = ports;
    let path = Path {
        kind: PathKind::Memory,
        capacity_bps: [1_000_000_000; 2],
        largest: 1518,
        description: "a cable with faults".to_owned(),
    };
    let options = Options {
        learning: false,
        ..Options::default()
    };
    let mut interfaces = Interfaces::new([Box::new(west), Box::new(east)], path, options).unwrap();
    let stream = |from, id| LoadStream {
        from,
        spec: StreamSpec {
            sizes: Sizes::Sequence(vec![79, 300, 128]),
            ..StreamSpec::new(id, 1, 79, 20_000.0)
        },
    };
    let load = Load {
        streams: vec![stream(Side::West, 1), stream(Side::East, 2)],
        duration: Duration::from_millis(150),
        step: None,
        drain: Duration::from_secs(2),
    };
    let trial = interfaces.offer(&load, &mut |_| true).unwrap();
    for (stream, watch) in trial.streams.iter().zip([into_east, into_west]) {
        assert!(stream.sent.frames > 0);
        assert_found(stream.sent, stream.received, watch.counts());
        assert_eq!(stream.lost(), stream.sent.frames - stream.received.frames);
        assert_eq!(stream.latency.len(), stream.received.frames);
    }
    assert_eq!((trial.foreign, trial.stale, trial.missed), (0, 0, 0));
}

#[test]
fn each_fault_and_all_together_are_found_over_interfaces() {
    for (seed, faults) in (1..).zip(EACH) {
        over_interfaces(faults, seed);
    }
}

#[test]
fn all_together_are_found_with_several_seeds() {
    for seed in [3, 1_000_003, u64::MAX / 7] {
        over_interfaces(EACH[4], seed);
    }
}

/// Sends for `time_ns` in rounds of `round_ns` and takes everything out, on one thread with its own time.
fn in_one_thread(spec: StreamSpec, into: Faults, out_of: Faults, seed: u64, round_ns: u64) {
    const TIME_NS: u64 = 2_000_000;
    let (near, far) = cable(512, 9216);
    let mut near = FaultPort::new(near, out_of, seed);
    let mut far = FaultPort::new(far, into, seed ^ 0xffff);
    let (sending, receiving) = (near.watch(), far.watch());
    let streams = [Stream::new(spec).unwrap()];
    let mut plan = Plan::new(&streams, &streams, 5);
    plan.source.start(0);
    plan.source.stop(TIME_NS);
    let mut now_ns = 0;
    let mut idle = 0;
    // An overtaken frame comes one empty burst later, a stalled one when the stall is over.
    while plan.source.due_ns() != u64::MAX || idle < 3 + into.stall_bursts {
        burst::send(&mut near, &mut plan, now_ns, || now_ns);
        let came = burst::absorb(&mut far, &mut plan, now_ns, || now_ns);
        idle = if came > 0 || receiving.counts().waiting > 0 {
            0
        } else {
            idle + 1
        };
        now_ns += round_ns;
    }
    plan.source.give_up_rest();
    let sent = plan.source.sent().next().unwrap();
    let received = plan.sink.received().next().unwrap();
    assert_found(sent, received, receiving.counts());
    assert!(sent.unsent >= sending.counts().refused);
    assert_eq!(plan.sink.strays(), Default::default());
    assert_eq!(plan.pacing.len(), sent.frames);
}

fn faults() -> impl Strategy<Value = Faults> {
    let ppm = || prop_oneof![Just(0), 0u32..200_000];
    (ppm(), ppm(), ppm(), ppm(), 0u32..20_000, 0u32..4).prop_map(
        |(loss_ppm, duplication_ppm, reordering_ppm, corruption_ppm, stall_ppm, stall_bursts)| {
            Faults {
                loss_ppm,
                duplication_ppm,
                reordering_ppm,
                corruption_ppm,
                refusal_ppm: 0,
                stall_ppm,
                stall_bursts,
            }
        },
    )
}

fn spec() -> impl Strategy<Value = StreamSpec> {
    let transport = prop_oneof![
        Just(Transport::None),
        (any::<u16>(), any::<u16>()).prop_map(|(from, to)| Transport::Udp { from, to })
    ];
    let encapsulation = prop_oneof![Just(Encapsulation::Pih), Just(Encapsulation::Plain)];
    (transport, encapsulation, 87u16..1518, 1e5..3e6).prop_map(
        |(transport, encapsulation, to, rate_fps)| StreamSpec {
            transport,
            encapsulation,
            sizes: Sizes::Uniform {
                from: 87,
                to,
                seed: 1,
            },
            ..StreamSpec::new(777, 3, 87, rate_fps)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        rng_seed: RngSeed::Fixed(4737),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_faults_are_found_to_the_frame(
        spec in spec(),
        into in faults(),
        refusal_ppm in prop_oneof![Just(0), 0u32..50_000],
        seed: u64,
        round_ns in 1_000u64..100_000,
    ) {
        let out_of = Faults { refusal_ppm, ..Faults::default() };
        in_one_thread(spec, into, out_of, seed, round_ns);
    }
}

//! What is due is sent or unsent, what is sent arrives or is lost, what comes is counted once: over trials that
//! follow each other, with stalls, steps, early ends and frames that are late by a trial.

use pinode_measure::burst;
use pinode_measure::plan::Plan;
use pinode_measure::stream::{Pattern, Stream, StreamSpec};
use pinode_ports::memory::{MemoryPort, cable};
use pinode_ports::{Port, RxBurst};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// A trial of a random run.
#[derive(Debug, Clone)]
struct Script {
    rates: Vec<f64>,
    burst: u32,
    end_ns: u64,
    step: Option<(u64, f64)>,
    /// It is ended at this instant, if that is before its end.
    early_ns: u64,
    /// Time from one look of the tester to the next, over and over.
    rounds_ns: Vec<u64>,
    /// In so many rounds, at the end, nothing is received: those frames are late by a trial.
    deaf_rounds: usize,
    /// Every so many rounds a burst is lost.
    lossy: usize,
}

fn script() -> impl Strategy<Value = Script> {
    (
        proptest::collection::vec(20_000.0f64..2e6, 1..4),
        prop_oneof![Just(1), 1u32..20],
        100_000u64..2_000_000,
        proptest::option::of((0u64..2_000_000, 0.1f64..4.0)),
        0u64..4_000_000,
        proptest::collection::vec(prop_oneof![5 => 500u64..20_000, 1 => 0u64..400_000], 1..20),
        0usize..6,
        2usize..30,
    )
        .prop_map(
            |(rates, burst, end_ns, step, early_ns, rounds_ns, deaf_rounds, lossy)| Script {
                rates,
                burst,
                end_ns,
                step,
                early_ns,
                rounds_ns,
                deaf_rounds,
                lossy,
            },
        )
}

fn streams(script: &Script) -> Vec<Stream> {
    let spec = |(id, rate_fps): (u16, &f64)| StreamSpec {
        pattern: Pattern::Bursts(script.burst),
        ..StreamSpec::new(id, 1, 79, *rate_fps)
    };
    Stream::all((1..).zip(&script.rates).map(spec)).unwrap()
}

/// Takes frames off the cable that nobody counts.
fn lose(far: &mut MemoryPort, now_ns: u64) -> u64 {
    let mut burst = RxBurst::new();
    far.rx_burst(now_ns, &mut burst);
    burst.len() as u64
}

/// Makes the trial; returns frames sent, absorbed, lost on the way.
fn run(
    script: &Script,
    epoch: u8,
    ports: &mut (MemoryPort, MemoryPort),
    clock: &mut u64,
) -> [u64; 3] {
    let streams = streams(script);
    let mut plan = Plan::new(&streams, &streams, epoch);
    let start_ns = *clock;
    plan.source.start(start_ns);
    plan.source.stop(start_ns + script.end_ns);
    if let Some((after_ns, factor)) = script.step {
        plan.source.change(start_ns + after_ns, factor);
    }
    let (mut lost, mut deaf, mut end_ns) = (0, 0, script.end_ns);
    for (round, step_ns) in script.rounds_ns.iter().cycle().enumerate() {
        let now_ns = *clock;
        if now_ns >= start_ns + script.early_ns && script.early_ns < end_ns {
            end_ns = (now_ns - start_ns).min(script.end_ns);
            plan.source.stop(start_ns + end_ns);
        }
        burst::send(&mut ports.0, &mut plan, now_ns, || now_ns);
        let is_over = plan.source.due_ns() == u64::MAX;
        if is_over {
            deaf += 1;
        }
        if deaf > script.deaf_rounds {
            break;
        }
        if !is_over && round % script.lossy == 0 {
            lost += lose(&mut ports.1, now_ns);
        } else if !is_over {
            burst::absorb(&mut ports.1, &mut plan, now_ns, || now_ns);
        }
        *clock += step_ns + 1;
    }
    plan.source.give_up_rest();
    check(script, &plan, end_ns);
    [plan.sent(), plan.sink.absorbed(), lost]
}

/// Every sum of one trial.
fn check(script: &Script, plan: &Plan, end_ns: u64) {
    let mut counted = 0;
    let lanes = plan
        .source
        .sent()
        .zip(plan.sink.received())
        .zip(&plan.latency);
    for (rate, ((sent, received), latency)) in script.rates.iter().zip(lanes) {
        // From the rates alone; the first burst is due within a period.
        let (at_ns, factor) = script.step.unwrap_or((end_ns, 1.0));
        let (before, behind) = (at_ns.min(end_ns), end_ns.saturating_sub(at_ns));
        let due = rate * (before as f64 + behind as f64 * factor) / 1e9;
        let all = (sent.frames + sent.unsent) as f64;
        assert!(
            (all - due).abs() <= f64::from(script.burst) + 1.0,
            "{all} of {due}"
        );
        assert_eq!(sent.octets, 79 * sent.frames);
        assert!(received.frames + received.missing <= sent.frames);
        assert_eq!(received.octets, 79 * received.frames);
        assert_eq!(latency.len(), received.frames);
        assert_eq!(received.from_future, 0);
        counted += received.frames + received.duplicated + received.too_late + received.corrupted;
    }
    let strays = plan.sink.strays();
    assert_eq!((strays.foreign, strays.learning), (0, 0));
    assert_eq!(counted + strays.stale, plan.sink.absorbed());
    assert_eq!(plan.pacing.len(), plan.sent());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(2544),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_frame_is_forgotten_or_counted_twice(
        scripts in proptest::collection::vec(script(), 1..5),
        first_epoch in 0u8..16,
    ) {
        let mut ports = cable(1024, 2048);
        let mut clock = 1_000_000;
        let mut sums = [0u64; 3];
        for (trial, script) in (u8::MIN..).zip(&scripts) {
            let of = run(script, (first_epoch + trial) % 16, &mut ports, &mut clock);
            sums.iter_mut().zip(of).for_each(|(sum, of)| *sum += of);
        }
        // What is still on the cable belongs to no trial any more.
        let mut left = 0;
        loop {
            match lose(&mut ports.1, clock) {
                0 => break,
                frames => left += frames,
            }
        }
        let [sent, absorbed, lost] = sums;
        prop_assert_eq!(sent, absorbed + lost + left);
    }
}

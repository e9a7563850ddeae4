//! Results that were never measured, with everything in them that results can have: what tests of reports and of
//! files begin with. The figures are worked out from the rules that a device of this kind follows, without chance.

use super::{
    BackToBack, CpuCheck, CpuFit, CpuPoint, DemandRecord, Host, Recovery, Results, SCHEMA,
    SizeLabel, StreamRecord, Test, TesterLimits, Throughput, TrialRecord,
};
use crate::fit::LineFit;
use crate::stats::{self, Summary};
use crate::trial::PathKind;

/// Names of the PIs.
pub const PIS: [&str; 3] = ["ipv6qos", "can", "dss"];
/// Octets with FCS.
pub const SIZES: [u16; 7] = [79, 128, 256, 512, 1024, 1280, 1518];
/// How guest functions ran.
pub const ISOLATIONS: [&str; 2] = ["kvm", "thread"];
/// The mix beside the sizes.
pub const MIX: &str = "random 79..1518";

const MIX_MEAN: f64 = 798.5;
const PHASE_NS: f64 = 100_000.0;

/// Results without a single record.
#[must_use]
pub fn empty() -> Results {
    Results {
        schema: SCHEMA.into(),
        host: Host::default(),
        profile: "rfc2544".into(),
        path: None,
        path_description: String::new(),
        version: String::new(),
        command: String::new(),
        finished: String::new(),
        partial: false,
        tester: None,
        frames: None,
        notes: vec![],
        trials: vec![],
        throughput: vec![],
        back_to_back: vec![],
        recovery: vec![],
        demands: vec![],
        cpu: vec![],
        cpu_fit: vec![],
        cpu_check: vec![],
    }
}

/// A run of every test: three PIs in VMs and as threads, seven sizes and a mix, one refused trial.
#[must_use]
pub fn full() -> Results {
    let mut results = Results {
        host: Host {
            cpu: "Sample CPU @ 2.90 GHz".into(),
            cores: 2,
            kvm: "kvm_pvm".into(),
            kernel: "6.12.0-sample".into(),
        },
        profile: "seed".into(),
        path: Some(PathKind::Memory),
        path_description: "memory ports west and east, 1 Gb/s, cycle of 3 x 100 us".into(),
        version: "0.1.0".into(),
        command: "pinode measure --profile seed --out measured".into(),
        finished: "2026-11-21T16:20:00Z".into(),
        tester: Some(TesterLimits {
            size: 79,
            memory_fps: 11_870_000.0,
            pacing_error_ns: spread(40.0, 6_000.0),
            latency_floor_ns: spread(210.0, 4_000.0),
            floor_path: "memory".into(),
        }),
        notes: vec!["Source and sink ran inside the port's bursts on the worker's core.".into()],
        ..empty()
    };
    for isolation in ISOLATIONS {
        for size in sizes() {
            loads(&mut results, isolation, &size);
            found(&mut results, isolation, &size);
        }
    }
    results.demands = (0..PIS.len()).map(demand).collect();
    for (pi, size) in PIS.into_iter().zip(SIZES) {
        bursts(&mut results, pi, size);
    }
    let mut refused = results.trials.first().cloned();
    if let Some(trial) = &mut refused {
        trial.refused = true;
        trial.streams.iter_mut().for_each(|s| s.unsent = 4_321);
    }
    results.trials.extend(refused);
    results
}

fn sizes() -> impl Iterator<Item = SizeLabel> {
    let octets = SIZES.into_iter().map(SizeLabel::Octets);
    octets.chain([SizeLabel::Mix(MIX.into())])
}

fn mean_octets(size: &SizeLabel) -> f64 {
    match size {
        SizeLabel::Octets(octets) => f64::from(*octets),
        SizeLabel::Mix(_) => MIX_MEAN,
    }
}

/// What a phase of a third of 1 Gb/s lets out.
fn ceiling(size: &SizeLabel) -> f64 {
    let time_ns = 8.0 * (mean_octets(size) + 20.0);
    (PHASE_NS / time_ns).floor() * 1e9 / (3.0 * PHASE_NS)
}

/// What a guest function manages: threads a little more than VMs.
fn capacity(size: &SizeLabel, isolation: &str, index: usize) -> f64 {
    let own = if isolation == "thread" { 0.999 } else { 0.992 };
    ceiling(size) * (own - 0.004 * index as f64)
}

fn spread(typical: f64, most: f64) -> Summary {
    Summary {
        min: (typical * 0.6) as u64,
        mean: typical * 1.1,
        p50: typical as u64,
        p99: (typical * 2.0) as u64,
        p999: (typical * 2.0 + most / 3.0) as u64,
        max: (typical * 2.0 + most) as u64,
    }
}

/// 10 to 330 Mb/s of each PI: latency below what it can do, loss above, and CPU use.
fn loads(results: &mut Results, isolation: &str, size: &SizeLabel) {
    let octets = mean_octets(size);
    let mut fits = vec![Vec::new(); PIS.len() + 1];
    for step in 0..=8 {
        let bps = 1e7 + 4e7 * f64::from(step);
        let offered = bps / (8.0 * octets);
        let streams: Vec<StreamRecord> = (0..PIS.len())
            .map(|i| stream(size, isolation, i, offered))
            .collect();
        let mut whole = true;
        let mut all = 0.0;
        for (i, stream) in streams.iter().enumerate() {
            let kfps = stream.received_fps / 1e3;
            let own = if isolation == "thread" { 0.7 } else { 1.0 };
            let work = own * (0.06 + 0.02 * i as f64 + octets * 1.6e-4);
            // Not on a line, as nothing measured is.
            let off = f64::from((step * 7 + i as i32 * 3) % 5 - 2) * 0.15;
            let percent = (work * kfps + 1.2 + off).clamp(0.1, 100.0);
            results.cpu.push(point(
                PIS[i],
                isolation,
                size,
                (bps, kfps, percent),
                stream.lost == 0,
            ));
            if stream.lost == 0 {
                fits[i].push((kfps, percent));
            }
            whole &= stream.lost == 0;
            all += percent;
        }
        let kfps = streams.iter().map(|s| s.received_fps / 1e3).sum::<f64>();
        let host = (all * 0.4 + 2.0).min(100.0);
        results
            .cpu
            .push(point("host", isolation, size, (bps, kfps, host), whole));
        if whole {
            fits[PIS.len()].push((kfps, host));
        }
        results.trials.push(TrialRecord {
            test: if step == 0 { Test::Latency } else { Test::Loss },
            size: size.clone(),
            isolation: Some(isolation.into()),
            duration_s: 10.0,
            paused_s: 0.0,
            longest_pause_s: 0.0,
            refused: false,
            foreign: 0,
            stale: 0,
            pacing_error_ns: spread(40.0, 6_000.0),
            streams,
        });
    }
    for (pi, points) in PIS.into_iter().chain(["host"]).zip(fits) {
        results
            .cpu_fit
            .extend(LineFit::of(&points).map(|fit| CpuFit {
                pi: pi.into(),
                isolation: isolation.into(),
                size: size.clone(),
                fit,
            }));
    }
}

fn point(
    pi: &str,
    isolation: &str,
    size: &SizeLabel,
    (bps, kfps, percent): (f64, f64, f64),
    lossless: bool,
) -> CpuPoint {
    CpuPoint {
        pi: pi.into(),
        isolation: isolation.into(),
        size: size.clone(),
        offered_l2_bps: bps,
        kfps,
        percent,
        lossless,
    }
}

fn stream(size: &SizeLabel, isolation: &str, index: usize, offered: f64) -> StreamRecord {
    let octets = mean_octets(size);
    let capacity = capacity(size, isolation, index);
    let received_fps = offered.min(capacity);
    let sent = (offered * 10.0) as u64;
    let received = ((received_fps * 10.0) as u64).min(sent);
    let longest = 2.0 * PHASE_NS + 8.0 * (octets + 20.0);
    let mut latency = stats::total();
    // Evenly over the cycle, a queue above the ceiling, and a few host stalls.
    let queue = if offered > capacity { 9e6 } else { 0.0 };
    for n in 0..4_000u64 {
        let place = (n * 7_919 % 10_000) as f64 / 1e4;
        let wait = (place - 1.0 / 3.0).max(0.0) * 1.5 * longest;
        let stall = if n % 1_999 == 7 { 9e5 } else { 0.0 };
        let own = 6_000.0 + 1_500.0 * index as f64 + (n % 97) as f64 * 60.0;
        latency.saturating_record((own + wait + stall + queue) as u64);
    }
    StreamRecord {
        pi: PIS[index].into(),
        from: "west".into(),
        to: "east".into(),
        offered_fps: offered,
        sent,
        unsent: 0,
        received,
        lost: sent - received,
        reordered: 0,
        duplicated: 0,
        corrupted: 0,
        received_fps,
        received_l2_bps: received_fps * octets * 8.0,
        ceiling_fps: Some(ceiling(size)),
        latency_ns: Summary::of(&latency),
        mean_wait_ns: Some(longest * longest / (6.0 * PHASE_NS)),
        longest_wait_ns: Some(longest),
        quantiles: stats::quantiles(&latency),
    }
}

/// A binary search of each PI, and MLRsearch for the VMs.
fn found(results: &mut Results, isolation: &str, size: &SizeLabel) {
    let methods = [("binary", 0.0), ("mlrsearch", 0.001)];
    for (method, goal_loss_ratio) in &methods[..if isolation == "kvm" { 2 } else { 1 }] {
        for (index, pi) in PIS.into_iter().enumerate() {
            let fps = capacity(size, isolation, index) * (1.0 + goal_loss_ratio);
            results.throughput.push(Throughput {
                size: size.clone(),
                pi: pi.into(),
                isolation: Some(isolation.into()),
                method: (*method).into(),
                goal_loss_ratio: *goal_loss_ratio,
                fps,
                l2_bps: fps * mean_octets(size) * 8.0,
                lower_fps: fps * 0.999,
                upper_fps: Some(fps * 1.003),
                ceiling_fps: ceiling(size),
                share_of_ceiling: fps / ceiling(size),
                trials: 11,
                limited_by: "device".into(),
                confirmations: 0,
            });
        }
    }
}

/// The first is met, the second loses frames, the third has no bound.
fn demand(index: usize) -> DemandRecord {
    let (sent, lost) = (500_000, if index == 1 { 1_234 } else { 0 });
    let late = if index == 1 { 2_000 } else { 40 };
    let bound_ns = (index < 2).then_some(400_000);
    let missed = match index {
        1 => (2..=5)
            .map(|n| format!("repetition {n}: {} of 100000 frames were lost", lost / 4))
            .collect(),
        _ => vec![],
    };
    DemandRecord {
        pi: PIS[index].into(),
        from: "west".into(),
        to: "east".into(),
        size: SizeLabel::Octets(SIZES[index]),
        isolation: Some(ISOLATIONS[0].into()),
        demanded_fps: 100_000.0,
        burst_frames: 51,
        bound_ns,
        repetitions: 5,
        held: 5 - missed.len() as u32,
        duration_s: 5.0,
        offered_fps: sent as f64 / 5.0,
        received_fps: (sent - lost) as f64 / 5.0,
        sent,
        unsent: 0,
        received: sent - lost,
        lost,
        latency_ns: spread(150_000.0, 1_600_000.0),
        share_within: bound_ns.map(|_| 1.0 - (lost + late) as f64 / sent as f64),
        pacing_error_ns: spread(2_000.0, 1_500_000.0),
        cpu_percent: Some(12.5),
        host_percent: Some(31.25),
        met: missed.is_empty(),
        missed,
    }
}

fn bursts(results: &mut Results, pi: &str, octets: u16) {
    let size = SizeLabel::Octets(octets);
    results.back_to_back.push(BackToBack {
        size: size.clone(),
        pi: pi.into(),
        bursts: vec![4_090, 4_096, 4_102],
        mean_frames: 4_096.0,
        min_frames: 4_090,
        max_frames: 4_102,
        stddev_frames: 6.0,
        burst_fps: 1_262_626.0,
        implied_buffer_s: 0.003_244,
        corrected_buffer_s: Some(0.002_164),
        is_at_least: false,
    });
    for (test, seconds) in [(Test::Recovery, 0.0119), (Test::Reset, 0.0312)] {
        results.recovery.push(Recovery {
            test,
            size: size.clone(),
            pi: pi.into(),
            offered_fps: [462_000.0, 210_000.0],
            seconds: vec![seconds, seconds * 1.1],
            mean_s: seconds * 1.05,
            lost: vec![1_234, 1_300],
            loss_seconds: match test {
                Test::Reset => vec![seconds * 0.98, seconds * 1.08],
                _ => vec![],
            },
            is_at_least: false,
        });
    }
    for isolation in ISOLATIONS {
        results.cpu_check.push(CpuCheck {
            pi: pi.into(),
            isolation: isolation.into(),
            size: Some(SizeLabel::Octets(SIZES[0])),
            fps: 20_000.0,
            busy_ns: 180_000_000,
            poll_ns: 20_000_000,
            away_ns: 0,
            thread_cpu_ns: 212_000_000,
            wakeups: 3_500,
            wall_ns: 2_000_000_000,
        });
    }
}

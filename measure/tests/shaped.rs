//! A device whose limit is known: the tester's own source, a memory port behind a wire of a given rate, the tester's own
//! sink, in injected time. What the searches find is held against that rate.
//!
//! The same with threads and the machine's clock is `cargo run --release -p pinode-measure --example shaped`.

use std::time::Duration;

use pinode_measure::method::throughput::{binary, mlr};
use pinode_measure::method::{
    Finished, Observer, Progress, TestBed, Timing, Traffic, TrafficStream, back_to_back, saturation,
};
use pinode_measure::plan::Plan;
use pinode_measure::results::{SizeLabel, Throughput};
use pinode_measure::stats;
use pinode_measure::stream::{Stream, StreamSpec};
use pinode_measure::trial::{
    Device, DeviceError, Glimpse, Load, LoadStream, Path, PathKind, Reset, Side, StreamTrial, Trial,
};
use pinode_ports::memory::{self, FarEnd, MemoryPort};
use pinode_ports::{Port, RxBurst, ShapedPort, ShapedWatch, Wake};

/// What enters the device, bits per second on the wire.
const LINE: u64 = 100_000_000;

/// Source and sink around a shaped port, one thing after another as they are due.
struct Injected {
    far: FarEnd,
    port: ShapedPort<MemoryPort>,
    watch: ShapedWatch,
    now_ns: u64,
    path: Path,
}

impl Injected {
    fn new(bits_per_s: u64, room: usize) -> Self {
        let (port, far) = memory::pair(1024, 2048);
        let port = ShapedPort::new(port, bits_per_s, room);
        Self {
            far,
            watch: port.watch(),
            port,
            now_ns: 1_000_000_000,
            path: Path {
                kind: PathKind::Memory,
                capacity_bps: [LINE; 2],
                largest: 1518,
                description: "a shaped memory port in injected time".into(),
            },
        }
    }
}

impl Device for Injected {
    fn offer(
        &mut self,
        load: &Load,
        _: &mut dyn FnMut(Glimpse) -> bool,
    ) -> Result<Trial, DeviceError> {
        let streams = Stream::all(load.streams.iter().map(|s| s.spec.clone()))?;
        let mut plan = Plan::new(&streams, &streams, 0);
        let began_ns = self.now_ns;
        plan.source.start(began_ns);
        plan.source.stop(began_ns + load.duration.as_nanos() as u64);
        let (before, mut slot) = (self.watch.counts(), [0; 2048]);
        loop {
            let through_ns = match self.port.rest(self.now_ns) {
                Wake::At(at) => at,
                Wake::Frames => self.now_ns,
                Wake::Readable(_) | Wake::Nothing => u64::MAX,
            };
            self.port.resume();
            let next = plan.source.due_ns().min(through_ns);
            if next == u64::MAX {
                break;
            }
            self.now_ns = next;
            plan.source.give_up(next);
            while let Some(pending) = plan.source.next(next) {
                let octets = pending.octets();
                pending.write(&mut slot[..octets]);
                assert!(
                    self.far.send(&slot[..octets]),
                    "the cable is emptied at each step"
                );
            }
            let mut burst = RxBurst::new();
            self.port.rx_burst(next, &mut burst);
            for frame in &burst {
                plan.sink.absorb(next, frame, &mut plan.latency);
            }
        }
        self.now_ns += load.drain.as_nanos() as u64;
        let both = plan.source.sent().zip(plan.sink.received());
        let trial = Trial {
            streams: both
                .zip(&plan.latency)
                .zip(&load.streams)
                .map(|(((sent, received), latency), asked)| {
                    let mut all = stats::total();
                    stats::add(&mut all, latency);
                    StreamTrial {
                        offered_fps: asked.spec.rate_fps,
                        sent,
                        received,
                        latency: all,
                    }
                })
                .collect(),
            began_ns,
            duration_s: load.duration.as_secs_f64(),
            pauses: Default::default(),
            foreign: plan.sink.foreign(),
            stale: 0,
            pacing: stats::total(),
            missed: 0,
            tx_lost: 0,
            own_ns: 0,
            is_partial: false,
        };
        // The port's own counters are the truth that the sink's are held against, to the frame.
        let after = self.watch.counts();
        assert_eq!(after.received - before.received, trial.sent());
        assert_eq!(after.dropped - before.dropped, trial.lost());
        assert_eq!(after.waiting, 0);
        Ok(trial)
    }

    fn resetter(
        &self,
        what: Reset,
    ) -> Result<Box<dyn FnMut() -> Result<(), DeviceError>>, DeviceError> {
        let why = "a wire is not reset".into();
        Err(DeviceError::Reset { what, why })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

#[derive(Default)]
struct Count {
    trials: u32,
}

impl Observer for Count {
    fn goes_on(&mut self, _: Option<Glimpse>) -> bool {
        true
    }
    fn pause(&mut self, _: Duration) {}
    fn begins(&mut self, _: &Progress<'_>) {}
    fn finished(&mut self, finished: &Finished<'_>) {
        assert!(finished.trial.is_valid());
        self.trials += 1;
    }
}

fn timing() -> Timing {
    Timing {
        trial: Duration::from_secs(1),
        warm_up: None,
        ..Timing::quick()
    }
}

/// Streams of `size` that share the line evenly.
fn traffic(size: u16, streams: u16) -> Traffic {
    let fps = line(size) / f64::from(streams);
    let stream = |id| TrafficStream {
        pi: format!("pi{id}"),
        stream: LoadStream {
            from: Side::West,
            spec: StreamSpec::new(id, id as u8, size, fps),
        },
        ceiling_fps: fps,
        wait: None,
    };
    Traffic {
        size: SizeLabel::Octets(size),
        isolation: None,
        streams: (1..=streams).map(stream).collect(),
    }
}

fn line(size: u16) -> f64 {
    on_wire(LINE, size)
}

/// Frames per second of a wire.
fn on_wire(bits_per_s: u64, size: u16) -> f64 {
    bits_per_s as f64 / (8.0 * (f64::from(size) + 20.0))
}

const LIMITS: [(u64, u16, u16); 4] = [
    (37_300_000, 79, 1),
    (5_000_000, 128, 1),
    (93_100_000, 512, 3),
    (61_803_398, 1518, 3),
];

/// Of all streams together.
fn sum(found: &[Throughput], of: impl Fn(&Throughput) -> f64) -> f64 {
    found.iter().map(of).sum()
}

#[test]
fn binary_search_finds_a_known_limit_within_half_a_percent() {
    for (bits_per_s, size, streams) in LIMITS {
        let (mut device, mut count) = (Injected::new(bits_per_s, 4), Count::default());
        let settings = binary::Settings {
            resolution: 0.002,
            ..binary::Settings::rfc2544()
        };
        let traffic = traffic(size, streams);
        let mut bed = TestBed::new(&mut device, &mut count, timing());
        let outcome = binary::search(&mut bed, &traffic, &settings).unwrap();
        let (fps, known) = (sum(&outcome.results, |r| r.fps), on_wire(bits_per_s, size));
        let error = fps / known - 1.0;
        println!(
            "binary: {streams} x {size} B at {bits_per_s} bit/s: {fps:.1} of {known:.1} frames/s ({:+.3} %), {} trials",
            error * 100.0,
            count.trials
        );
        assert!(error.abs() < 0.005, "{error}");
        assert_eq!(outcome.results[0].trials, count.trials);
        // As halving takes: see the tests of the search itself.
        let halvings = (line(size) / known / settings.resolution).log2().ceil() as u32;
        assert!(
            count.trials.abs_diff(halvings + 1) <= 1,
            "{} trials, {halvings} halvings",
            count.trials
        );
        assert_eq!(outcome.results[0].limited_by, "device");
    }
}

#[test]
fn mlrsearch_encloses_a_known_limit_for_both_goals() {
    for (bits_per_s, size, streams) in LIMITS {
        let (mut device, mut count) = (Injected::new(bits_per_s, 4), Count::default());
        let traffic = traffic(size, streams);
        let goals = ["NDR", "PDR"].into_iter().zip([0.0, 0.005]);
        let goals = goals.map(|(name, loss)| mlr::Goal {
            duration_sum: Duration::from_secs(3),
            ..mlr::Goal::csit(name, loss)
        });
        let mut bed = TestBed::new(&mut device, &mut count, timing());
        let outcome =
            mlr::search(&mut bed, &traffic, &mlr::Settings::new(goals.collect())).unwrap();
        for result in &outcome.results {
            let lower = sum(&result.streams, |r| r.lower_fps);
            let upper = sum(&result.streams, |r| r.upper_fps.unwrap());
            let fps = sum(&result.streams, |r| r.fps);
            let known = on_wire(bits_per_s, size) / (1.0 - result.goal.loss_ratio);
            println!(
                "mlrsearch {}: {streams} x {size} B at {bits_per_s} bit/s: {lower:.1}..{upper:.1} around {known:.1} frames/s, conditional throughput {fps:.1}, {} trials for both goals",
                result.goal.name, count.trials
            );
            assert!(result.is_regular && upper - lower <= 0.005 * upper);
            // Room for 4 frames of each stream is no part of the rate.
            let room = 5.0 * f64::from(streams);
            assert!(lower <= known + room && upper >= known, "{result:?}");
            assert!(
                (fps / on_wire(bits_per_s, size) - 1.0).abs() < 0.0075,
                "{result:?}"
            );
        }
        assert!(count.trials <= 40, "{}", count.trials);
    }
}

#[test]
fn the_queue_in_front_of_the_wire_is_found_to_the_frame() {
    for room in [1, 17, 250] {
        let bits_per_s = 40_000_000;
        let (mut device, mut count) = (Injected::new(bits_per_s, room), Count::default());
        let traffic = traffic(128, 1);
        let (fps, known) = (line(128), on_wire(bits_per_s, 128));
        let settings = back_to_back::Settings {
            resolution: 1,
            repetitions: 2,
            ..back_to_back::Settings::quick(fps)
        };
        let mut bed = TestBed::new(&mut device, &mut count, timing());
        let outcome =
            back_to_back::measure(&mut bed, &traffic, &[fps], Some(&[known]), &settings).unwrap();
        let found = &outcome.results[0];
        // What the burst brings and the wire does not take: room / (1 - 0.4).
        let exact = room as f64 / 0.6;
        println!(
            "back-to-back: room for {room}: bursts of {} frames, {exact:.1} by reckoning",
            found.mean_frames
        );
        assert!((found.mean_frames - exact).abs() <= 2.0, "{found:?}");
        let corrected = found.corrected_buffer_s.unwrap() * fps;
        assert!(
            (corrected - room as f64).abs() <= 1.5,
            "{corrected} of {room}"
        );
    }
}

#[test]
fn above_its_ceiling_the_wire_is_full() {
    let (mut device, mut count) = (Injected::new(50_000_000, 64), Count::default());
    let mut traffic = traffic(512, 3);
    for stream in &mut traffic.streams {
        stream.ceiling_fps = on_wire(50_000_000, 512) / 3.0;
    }
    let mut bed = TestBed::new(&mut device, &mut count, timing());
    let outcome =
        saturation::measure(&mut bed, &traffic, &saturation::Settings::default()).unwrap();
    let share: f64 = outcome
        .results
        .iter()
        .map(|r| r.share_of_ceiling / 3.0)
        .sum();
    assert!((share - 1.0).abs() < 0.001, "{share}");
}

use std::cell::RefCell;

use hdrhistogram::Histogram;

use super::*;
use crate::status::{GuestUsage, Status, sample};
use pinode_measure::method::TrafficStream;
use pinode_measure::seed::fits;
use pinode_measure::sink::Received;
use pinode_measure::source::Sent;
use pinode_measure::stream::StreamSpec;
use pinode_measure::trial::{Glimpse, LoadStream, Path, PathKind, Reset, Side, StreamTrial};

const PIS: [&str; 3] = ["ipv6qos", "can", "dss"];
/// What a guest needs, nanoseconds: for each frame, and for each second with frames.
const FRAME_NS: u64 = 1000;
const SECOND_NS: u64 = 20_000_000;

/// A node that needs what it is said to, and loses frames above `most_fps` of a stream.
struct Fake {
    state: RefCell<State>,
    path: Path,
    most_fps: f64,
}

#[derive(Default)]
struct State {
    frames: [u64; 3],
    seconds: f64,
    offers: Vec<(f64, f64)>,
    /// Of the next trials, whether the tester falls short.
    short: Vec<bool>,
    /// A guest starts again in this trial.
    restart_in: Option<usize>,
    restarts: u64,
}

impl Fake {
    fn new(most_fps: f64) -> Self {
        Self {
            state: RefCell::default(),
            path: Path {
                kind: PathKind::Memory,
                capacity_bps: [1_000_000_000; 2],
                largest: 1518,
                description: "fake".into(),
            },
            most_fps,
        }
    }

    fn read(&self) -> CpuReading {
        let state = self.state.borrow();
        let mut status: Status = sample::status();
        let seconds_ns = (state.seconds * 1e9) as u64;
        for (guest, frames) in status.guests.iter_mut().zip(state.frames) {
            guest.restarts = state.restarts;
            guest.usage = Some(GuestUsage {
                at_ns: 1,
                up_ns: seconds_ns,
                busy_ns: FRAME_NS * frames + (state.seconds * SECOND_NS as f64) as u64,
                frames,
                ..GuestUsage::default()
            });
        }
        status.workers.truncate(1);
        status.workers[0].busy_ns = seconds_ns / 2;
        status.workers[0].idle_ns = seconds_ns / 2;
        status.workers[0].cpu_ns = seconds_ns;
        status.ports[0].rx_frames = state.frames.iter().sum();
        CpuReading::of(&status, 0).unwrap()
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 1_000_000_000, 2).unwrap()
}

/// The same node, as what is measured.
struct Lent<'a>(&'a Fake);

impl Device for Lent<'_> {
    fn offer(
        &mut self,
        load: &Load,
        watch: &mut dyn FnMut(Glimpse) -> bool,
    ) -> Result<Trial, DeviceError> {
        let mut state = self.0.state.borrow_mut();
        let duration_s = load.duration.as_secs_f64();
        let goes_on = watch(Glimpse::default());
        let is_short = state.short.pop().unwrap_or(false);
        state
            .offers
            .push((load.streams[0].spec.rate_fps, duration_s));
        if state.restart_in == Some(state.offers.len()) {
            state.restarts += 1;
        }
        state.seconds += duration_s;
        let mut streams = Vec::new();
        for (index, stream) in load.streams.iter().enumerate() {
            let frames = (stream.spec.rate_fps * duration_s) as u64;
            let passed = frames.min((self.0.most_fps * duration_s) as u64);
            state.frames[index] += frames;
            streams.push(StreamTrial {
                offered_fps: stream.spec.rate_fps,
                sent: Sent {
                    frames,
                    unsent: if is_short { frames } else { 0 },
                    ..Sent::default()
                },
                received: Received {
                    frames: passed,
                    ..Received::default()
                },
                latency: histogram(),
            });
        }
        Ok(Trial {
            streams,
            began_ns: 0,
            duration_s,
            pauses: Default::default(),
            foreign: 0,
            stale: 0,
            pacing: histogram(),
            missed: 0,
            tx_lost: 0,
            own_ns: (duration_s * 1e8) as u64,
            is_partial: !goes_on,
        })
    }

    fn resetter(
        &self,
        what: Reset,
    ) -> Result<Box<dyn FnMut() -> Result<(), DeviceError>>, DeviceError> {
        let why = "it is none".to_owned();
        Err(DeviceError::Reset { what, why })
    }

    fn path(&self) -> &Path {
        &self.0.path
    }
}

/// Ends everything at the first look behind so many trials.
struct Ends {
    after: usize,
    finished: usize,
    warm_ups: usize,
}

impl Ends {
    fn after(after: usize) -> Self {
        Self {
            after,
            finished: 0,
            warm_ups: 0,
        }
    }
}

impl Observer for Ends {
    fn goes_on(&mut self, _: Option<Glimpse>) -> bool {
        self.finished < self.after
    }

    fn pause(&mut self, _: Duration) {}

    fn begins(&mut self, progress: &Progress<'_>) {
        self.warm_ups += usize::from(progress.is_warm_up);
    }

    fn finished(&mut self, _: &Finished<'_>) {
        self.finished += 1;
    }
}

fn traffic(size: u16) -> Traffic {
    let stream = |(code, pi): (u8, &str)| TrafficStream {
        pi: pi.to_owned(),
        stream: LoadStream {
            from: Side::West,
            spec: StreamSpec::new(u16::from(code), code, size, 1.0),
        },
        ceiling_fps: 1e6,
        wait: None,
    };
    Traffic {
        size: SizeLabel::Octets(size),
        isolation: Some("thread".into()),
        streams: (1..).zip(PIS).map(stream).collect(),
    }
}

fn settings() -> Settings {
    Settings {
        rates_bps: vec![10e6, 20e6, 40e6, 80e6],
        ..Settings::quick()
    }
}

fn measure(fake: &Fake, sizes: &[u16], observer: &mut Ends) -> Found {
    let mut found = Found::default();
    let sizes: Vec<Traffic> = sizes.iter().map(|size| traffic(*size)).collect();
    run(
        &mut Lent(fake),
        &sizes,
        &settings(),
        &mut || Ok(fake.read()),
        observer,
        &mut found,
    )
    .unwrap();
    found
}

#[test]
fn lines_are_what_the_node_needs() {
    let fake = Fake::new(f64::MAX);
    let mut observer = Ends::after(usize::MAX);
    let found = measure(&fake, &[79, 1518], &mut observer);
    assert_eq!((observer.finished, observer.warm_ups), (8, 1));
    assert_eq!((found.cpu.len(), found.checks.len()), (8 * 4, 8 * 4));
    assert!(
        !found.is_partial && found.notes.is_empty(),
        "{:?}",
        found.notes
    );
    // 10 Mb/s with preamble and gap are 12,626 frames of 79 octets, and 7.98 Mb/s without.
    assert!(
        (found.cpu[0].kfps - 12.626).abs() < 0.01,
        "{:?}",
        found.cpu[0]
    );
    assert!((found.cpu[0].offered_l2_bps - 7.98e6).abs() < 0.01e6);
    assert!((found.cpu[3].kfps - 3.0 * 12.626).abs() < 0.03);
    for fit in fits(&found.cpu) {
        let (a, b) = match fit.pi.as_str() {
            // Half of the time, less the tester's tenth, whatever the rate.
            HOST => (0.0, 40.0),
            // 1 us a frame is 0.1 % at a thousand a second.
            _ => (0.1, 2.0),
        };
        let line = &fit.fit;
        assert!(
            (line.a - a).abs() < 1e-3 && (line.b - b).abs() < 1e-2,
            "{fit:?}"
        );
        assert_eq!(line.points, 4);
    }
}

#[test]
fn what_lost_frames_is_in_no_line() {
    // 80 Mb/s of 79 octets are 101,010 frames a second.
    let found = measure(&Fake::new(60_000.0), &[79], &mut Ends::after(usize::MAX));
    let lossless: Vec<bool> = found
        .cpu
        .iter()
        .step_by(4)
        .map(|point| point.lossless)
        .collect();
    assert_eq!(lossless, [true, true, true, false]);
    let found = measure(&Fake::new(20_000.0), &[79], &mut Ends::after(usize::MAX));
    assert!(fits(&found.cpu).is_empty());
    assert_eq!(found.notes.len(), 3, "{:?}", found.notes);
    assert!(
        found.notes[0].contains("1 points without loss, too few"),
        "{:?}",
        found.notes
    );
}

#[test]
fn a_trial_that_the_tester_did_not_make_is_made_again() {
    let fake = Fake::new(f64::MAX);
    // From the end: the warm-up, then the first rate twice, the second three times.
    fake.state.borrow_mut().short = vec![true, true, true, false, true, false];
    let mut observer = Ends::after(usize::MAX);
    let found = measure(&fake, &[79], &mut observer);
    assert_eq!(
        observer.finished,
        2 + 3 + 1 + 1,
        "refused ones are shown, too"
    );
    let rates: Vec<f64> = found
        .cpu
        .iter()
        .step_by(4)
        .map(|point| point.kfps.round())
        .collect();
    assert_eq!(rates, [13.0, 51.0, 101.0]);
    assert_eq!(found.notes.len(), 1);
    assert!(
        found.notes[0].contains("at 20 Mb/s a stream: the tester could not send it"),
        "{:?}",
        found.notes
    );
}

#[test]
fn a_guest_that_starts_again_spoils_its_point_alone() {
    let fake = Fake::new(f64::MAX);
    fake.state.borrow_mut().restart_in = Some(3);
    let found = measure(&fake, &[79], &mut Ends::after(usize::MAX));
    assert_eq!(found.cpu.len(), 3 * 4);
    assert!(
        found.notes[0].contains("started again") && found.notes[0].contains("20 Mb/s"),
        "{:?}",
        found.notes
    );
}

#[test]
fn what_was_found_before_the_end_is_kept() {
    let found = measure(&Fake::new(f64::MAX), &[79, 128], &mut Ends::after(3));
    assert!(found.is_partial);
    assert_eq!(found.cpu.len(), 3 * 4);
}

#[test]
fn a_guest_that_says_nothing_ends_it() {
    let fake = Fake::new(f64::MAX);
    let mut read = || Err(CpuError::Silent { pi: "can".into() });
    let (mut found, mut observer) = (Found::default(), Ends::after(usize::MAX));
    let outcome = run(
        &mut Lent(&fake),
        &[traffic(79)],
        &settings(),
        &mut read,
        &mut observer,
        &mut found,
    );
    assert!(matches!(outcome, Err(SeedError::Cpu(_))));
}

#[test]
fn quick_is_a_minute_for_both_isolations() {
    let both = 2 * Settings::quick().estimate(8).as_secs_f64() as u64;
    assert!((45..=75).contains(&both), "{both} s");
    assert!(Settings::full().timing.trial == Duration::from_secs(110));
}

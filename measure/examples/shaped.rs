//! How well the searches find a limit that is known: source and sink in threads of their own and the machine's clock,
//! between them a memory port that delivers at a given rate. It goes by when frames were sent, as a device with a clock
//! of its own does: what the machine takes away of the tester's time, it does not take of the device's.
//!
//! `cargo run --release -p pinode-measure --example shaped -- [Mbit/s of the wire] [size] [seconds a trial]`

use std::error::Error;
use std::time::{Duration, Instant};

use pinode_measure::method::throughput::{binary, mlr};
use pinode_measure::method::{
    Finished, Observer, Progress, TestBed, Timing, Traffic, TrafficStream,
};
use pinode_measure::path::{Interfaces, Options};
use pinode_measure::results::SizeLabel;
use pinode_measure::signature::Signature;
use pinode_measure::stream::{SIGNATURE_AT, StreamSpec};
use pinode_measure::trial::{Glimpse, LoadStream, Path, PathKind, Side};
use pinode_ports::ShapedPort;
use pinode_ports::memory::cable;

/// Time on the wire of what the queue in front of it holds, seconds: more than a sender catches up. In a trial of t
/// seconds the queue hides an excess of this over t, so that trials are to be much longer.
const ROOM_S: f64 = 0.0005;

#[derive(Default)]
struct Waits {
    trials: u32,
    refused: u32,
    stalls: u32,
    torn: u32,
    pauses: u64,
    paused_s: f64,
    longest_s: f64,
    largest_share: f64,
}

impl Observer for Waits {
    fn goes_on(&mut self, _: Option<Glimpse>) -> bool {
        true
    }

    fn pause(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn begins(&mut self, _: &Progress<'_>) {}

    fn finished(&mut self, finished: &Finished<'_>) {
        let trial = finished.trial;
        self.trials += 1;
        self.refused += u32::from(!trial.is_valid());
        self.stalls += u32::from(trial.pacing.max() > 1_000_000);
        let count: u64 = trial.pauses.iter().map(|pauses| pauses.count).sum();
        self.torn += u32::from(count > 0);
        self.pauses += count;
        self.paused_s += trial.paused_s();
        self.longest_s = self.longest_s.max(trial.longest_pause_s());
        self.largest_share = self.largest_share.max(trial.paused_s() / trial.duration_s);
    }
}

/// When a frame of the tester's was sent.
fn sent_ns(frame: &[u8]) -> Option<u64> {
    let octets = frame.get(SIGNATURE_AT..)?.first_chunk()?;
    Some(Signature::decode(octets).ok()?.sent_ns)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: f64| arguments.next().map_or(Ok(default), |a| a.parse());
    let (mbps, size, seconds): (f64, f64, f64) = (number(200.0)?, number(512.0)?, number(0.8)?);
    let (wire, line) = ((mbps * 1e6) as u64, (mbps * 2e6) as u64);
    let path = Path {
        kind: PathKind::Memory,
        capacity_bps: [line; 2],
        largest: 1518,
        description: format!("a memory port at {mbps} Mbit/s"),
    };
    let (known, most) = (
        wire as f64 / (8.0 * (size + 20.0)),
        path.line_rate_fps(Side::West, size),
    );
    let room = (known * ROOM_S).ceil() as usize;
    let traffic = Traffic {
        size: SizeLabel::Octets(size as u16),
        isolation: None,
        streams: vec![TrafficStream {
            pi: "pi1".into(),
            stream: LoadStream {
                from: Side::West,
                spec: StreamSpec::new(1, 1, size as u16, most),
            },
            ceiling_fps: known,
            wait: None,
        }],
    };
    let (west, east) = cable(4096, 2048);
    let east = ShapedPort::new(east, wire, room).came_when_sent(sent_ns);
    let options = Options {
        learning: false,
        ..Options::default()
    };
    let mut device = Interfaces::new([Box::new(west), Box::new(east)], path, options)?;
    let timing = Timing {
        trial: Duration::from_secs_f64(seconds),
        drain: Duration::from_millis(200),
        restabilise: Duration::from_millis(20),
        ..Timing::quick()
    };
    println!(
        "known: {known:.1} frames/s of {size} B at {mbps} Mbit/s; room for {room} frames hides up to {:.2} %",
        room as f64 / seconds / known * 100.0
    );

    let mut waits = Waits::default();
    let settings = binary::Settings {
        resolution: 0.002,
        confirmations: 1,
        ..binary::Settings::rfc2544()
    };
    let began = Instant::now();
    let mut bed = TestBed::new(&mut device, &mut waits, timing);
    let found = binary::search(&mut bed, &traffic, &settings)?;
    for result in &found.results {
        let error = (result.fps / known - 1.0) * 100.0;
        println!(
            "binary search: {:.1} frames/s ({error:+.3} %), limited by {}, {} trials, {:.1} s",
            result.fps,
            result.limited_by,
            result.trials,
            began.elapsed().as_secs_f64()
        );
    }

    let goals = ["NDR", "PDR"].into_iter().zip([0.0, 0.005]);
    let goal = |(name, loss)| mlr::Goal {
        final_trial: timing.trial,
        duration_sum: timing.trial * 3,
        width: 0.005,
        ..mlr::Goal::csit(name, loss)
    };
    let began = Instant::now();
    let mut bed = TestBed::new(&mut device, &mut waits, timing);
    let found = mlr::search(
        &mut bed,
        &traffic,
        &mlr::Settings::new(goals.map(goal).collect()),
    )?;
    for result in &found.results {
        let stream = &result.streams[0];
        println!(
            "MLRsearch {}: {:.1}..{:.1} frames/s, conditional throughput {:.1} ({:+.3} %), regular: {}, {} trials for both, {:.1} s",
            result.goal.name,
            stream.lower_fps,
            stream.upper_fps.unwrap_or(f64::NAN),
            stream.fps,
            (stream.fps / known - 1.0) * 100.0,
            result.is_regular,
            stream.trials,
            began.elapsed().as_secs_f64()
        );
    }
    println!(
        "{} trials, {} refused; in {} the tester handed a frame over more than 1 ms late, in {} it paused: {} pauses, {:.1} ms in all, the longest {:.2} ms, at most {:.2} % of a trial",
        waits.trials,
        waits.refused,
        waits.stalls,
        waits.torn,
        waits.pauses,
        waits.paused_s * 1e3,
        waits.longest_s * 1e3,
        waits.largest_share * 100.0
    );
    Ok(())
}

//! How well the searches find a limit that is known: source and sink in threads of their own and the machine's clock,
//! between them a memory port that delivers at a given rate.
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
use pinode_measure::stream::StreamSpec;
use pinode_measure::trial::{Glimpse, LoadStream, Path, PathKind, Side};
use pinode_ports::ShapedPort;
use pinode_ports::memory::cable;

/// Time on the wire of what the queue in front of it holds, seconds: the stalls of the machine that it bridges. In a
/// trial of t seconds the queue hides an excess of this over t, so that trials are to be much longer.
const ROOM_S: f64 = 0.0015;

#[derive(Default)]
struct Waits {
    refused: u32,
    stalls: u32,
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
        self.refused += u32::from(!finished.trial.is_valid());
        self.stalls += u32::from(finished.trial.pacing.max() > 1_000_000);
    }
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
    let east = ShapedPort::new(east, wire, room);
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
        "{} trials refused, in {} the tester itself was late by more than 1 ms",
        waits.refused, waits.stalls
    );
    Ok(())
}

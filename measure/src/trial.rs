//! One trial: a load that is offered to a device for some time, and what befell each of its frames
//! (RFC 2544 23 and 24).
//!
//! The words between the tests, which decide what to offer, and the devices, which offer it. Must never know
//! a clock, a port or a node.

use std::time::Duration;

use hdrhistogram::Histogram;
use thiserror::Error;

use crate::pause::{MOST_PAUSED, Pauses};
use crate::sink::Received;
use crate::source::Sent;
use crate::stats::Summary;
use crate::stream::StreamSpec;

/// A side of the device under test: streams enter at one and are expected at the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The first port: what `--tx` names.
    West,
    /// The other: what `--rx` names.
    East,
}

/// A stream and where it enters.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadStream {
    /// Where it enters; it is expected at the other side.
    pub from: Side,
    /// What it is, with its rate.
    pub spec: StreamSpec,
}

/// What is offered in a trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// All streams; their ids differ.
    pub streams: Vec<LoadStream>,
    /// Frames are due for so long.
    pub duration: Duration,
    /// At this time after the start all rates are multiplied by this factor, once (system recovery, RFC 2544 26.5).
    pub step: Option<(Duration, f64)>,
    /// After the last frame was due, at most so long is waited for those under way (RFC 2544 23: 2 s). It ends
    /// earlier when all have arrived, or when nothing at all arrives for a tenth of it, at least 20 ms.
    pub drain: Duration,
}

impl Load {
    /// Frames per second of all streams that enter at `from`.
    #[must_use]
    pub fn fps(&self, from: Side) -> f64 {
        let streams = self.streams.iter().filter(|s| s.from == from);
        streams.map(|s| s.spec.rate_fps).sum()
    }

    /// The same load with all rates multiplied by `factor`.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let mut load = self.clone();
        for stream in &mut load.streams {
            stream.spec.rate_fps *= factor;
        }
        load
    }
}

/// What became of a stream.
#[derive(Debug, Clone)]
pub struct StreamTrial {
    /// The rate that was asked for, frames per second (before any step).
    pub offered_fps: f64,
    /// What was sent, and what was due and was not.
    pub sent: Sent,
    /// What arrived until the end of the drain.
    pub received: Received,
    /// Latencies of the intact frames, nanoseconds.
    pub latency: Histogram<u64>,
}

impl StreamTrial {
    /// Frames that were sent and did not arrive intact.
    #[must_use]
    pub fn lost(&self) -> u64 {
        // What is too late to be told from a duplicate is not counted as arrived.
        self.sent.frames.saturating_sub(self.received.frames)
    }

    /// `lost` as a part of what was sent, 0.0 to 1.0; 0 where nothing was.
    #[must_use]
    pub fn loss_ratio(&self) -> f64 {
        ratio(self.lost(), self.sent.frames)
    }

    /// Summary of the latencies.
    #[must_use]
    pub fn latency_ns(&self) -> Summary {
        Summary::of(&self.latency)
    }
}

/// A trial that has ended.
#[derive(Debug, Clone)]
pub struct Trial {
    /// In the order of the load.
    pub streams: Vec<StreamTrial>,
    /// When the first frames were due, nanoseconds of the device's clock: what instants in
    /// [`Received`] are counted from.
    pub began_ns: u64,
    /// Time in which frames were due, seconds, without the sender's pauses: the load's, or less where it was ended early.
    pub duration_s: f64,
    /// How late the senders of both sides were, west and east, and paused for it; nothing where what is late is caught up.
    pub pauses: [Pauses; 2],
    /// Frames that arrived and are of no stream of the load.
    pub foreign: u64,
    /// Frames of an earlier trial that arrived in this one.
    pub stale: u64,
    /// How long after it was due each frame was handed over, nanoseconds: the tester's own pacing error.
    pub pacing: Histogram<u64>,
    /// Frames that the tester's own receive rings had no room for: they came, and nobody knows what they were.
    pub missed: u64,
    /// Frames that the tester's own ports took and the system refused later: counted as sent, and never were.
    pub tx_lost: u64,
    /// Time that source and sink took inside the device's own bursts, nanoseconds; 0 where they have threads of
    /// their own.
    pub own_ns: u64,
    /// The one who watched ended it before its time.
    pub is_partial: bool,
}

impl Trial {
    /// Frames sent by all streams.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.streams.iter().map(|s| s.sent.frames).sum()
    }

    /// Frames lost of all streams.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.streams.iter().map(StreamTrial::lost).sum()
    }

    /// `lost` as a part of what was sent.
    #[must_use]
    pub fn loss_ratio(&self) -> f64 {
        ratio(self.lost(), self.sent())
    }

    /// The part of the frames due that the tester itself did not send, 0.0 to 1.0, of the stream where it is
    /// largest.
    #[must_use]
    pub fn shortfall(&self) -> f64 {
        let of = |s: &StreamTrial| ratio(s.sent.unsent, s.sent.unsent + s.sent.frames);
        self.streams.iter().map(of).fold(0.0, f64::max)
    }

    /// Time for which the sender of a side paused, seconds; of the side where it is longer.
    #[must_use]
    pub fn paused_s(&self) -> f64 {
        self.longer(|pauses| pauses.paused_ns)
    }

    /// Its longest pause, seconds, on either side.
    #[must_use]
    pub fn longest_pause_s(&self) -> f64 {
        self.longer(|pauses| pauses.longest_ns)
    }

    fn longer(&self, of: fn(&Pauses) -> u64) -> f64 {
        self.pauses.iter().map(of).max().unwrap_or(0) as f64 / 1e9
    }

    /// Time in which the streams from `side` were offered, seconds: with the pauses.
    #[must_use]
    pub fn offered_s(&self, side: Side) -> f64 {
        self.duration_s + self.pauses[side as usize].paused_ns as f64 / 1e9
    }

    /// What was offered from `side` as a part of what was asked for, above 0.0, at most 1.0: pauses thin a load out.
    /// Whatever is found at a load counts as found at this part of it.
    #[must_use]
    pub fn offered_part(&self, side: Side) -> f64 {
        match self.duration_s > 0.0 {
            true => self.duration_s / self.offered_s(side),
            false => 1.0,
        }
    }

    /// When frames from `side` ceased to be due, nanoseconds of the device's clock.
    #[must_use]
    pub fn ended_ns(&self, side: Side) -> u64 {
        self.began_ns + (self.duration_s * 1e9) as u64 + self.pauses[side as usize].shift_ns()
    }

    /// Whether the tester did its part: it sent what it was to send, in about the time in which it was to, and its own
    /// ports lost nothing. A trial in which it did not says nothing about the device.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.why_refused().is_none()
    }

    /// What the tester failed in, in words; none: the trial is valid.
    #[must_use]
    pub fn why_refused(&self) -> Option<String> {
        let unsent: u64 = self.streams.iter().map(|stream| stream.sent.unsent).sum();
        let paused = self.paused_s() / self.duration_s;
        if self.shortfall() > MOST_SHORTFALL {
            let share = self.shortfall() * 100.0;
            return Some(format!(
                "the tester came too late for {unsent} frames ({share:.2} % of a stream's)"
            ));
        }
        if paused > MOST_PAUSED {
            return Some(format!(
                "the tester stood still for {:.1} ms, {:.2} % of the time; allowed is {:.2} %",
                self.paused_s() * 1e3,
                paused * 100.0,
                MOST_PAUSED * 100.0
            ));
        }
        if self.missed + self.tx_lost > 0 {
            return Some(format!(
                "the tester's own ports lost {} frames",
                self.missed + self.tx_lost
            ));
        }
        None
    }
}

/// The part of the frames due that a tester may fail to send before its trial is refused. RFC 2544 allows
/// none, and knows of no machine whose own hypervisor takes it away for a millisecond now and then.
pub const MOST_SHORTFALL: f64 = 0.001;

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// What a trial shows while it is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Glimpse {
    /// Time since the first frames were due, seconds.
    pub elapsed_s: f64,
    /// Frames sent so far.
    pub sent: u64,
    /// Frames that arrived so far.
    pub received: u64,
    /// [`Trial::own_ns`] so far.
    pub own_ns: u64,
}

/// What a device is made to do in the middle of a trial (RFC 2544 26.6, RFC 6201).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// The network functions start again: all guests of a node at once.
    Software,
    /// What the user's own command does (`--reset-command`).
    Command,
}

/// What trials are made on: a node in this process, or whatever is between two interfaces.
pub trait Device {
    /// Offers `load`, waits for what is under way, and says what came of it. `watch` is called about ten times
    /// a second; with `false` it ends the trial early, whose counts are right all the same.
    ///
    /// # Errors
    ///
    /// The load cannot be sent as it is, or the path is gone.
    fn offer(
        &mut self,
        load: &Load,
        watch: &mut dyn FnMut(Glimpse) -> bool,
    ) -> Result<Trial, DeviceError>;

    /// Resets the device and returns as soon as that is under way. Called from `watch` of a trial.
    ///
    /// # Errors
    ///
    /// It cannot be reset, or was not.
    fn resetter(
        &self,
        what: Reset,
    ) -> Result<Box<dyn FnMut() -> Result<(), DeviceError>>, DeviceError>;

    /// What is known of the path.
    fn path(&self) -> &Path;
}

/// The path between source and sink.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// What carries the frames: `memory`, `af_xdp` or `af_packet`.
    pub kind: PathKind,
    /// Capacity of the link at each side, west and east, bits per second.
    pub capacity_bps: [u64; 2],
    /// Largest frame, octets with FCS.
    pub largest: u16,
    /// One line for people.
    pub description: String,
}

impl Path {
    /// The most frames per second of `size` octets (with FCS) that the link at `side` carries.
    #[must_use]
    pub fn line_rate_fps(&self, side: Side, size: f64) -> f64 {
        /// Preamble, start delimiter, inter-packet gap (IEEE 802.3 4.4.2).
        const WIRE_OVERHEAD: f64 = 20.0;
        self.capacity_bps[side as usize] as f64 / (8.0 * (size + WIRE_OVERHEAD))
    }
}

/// What carries the frames of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathKind {
    /// Ports in memory: source and sink in the worker's own bursts.
    Memory,
    /// AF_XDP sockets.
    AfXdp,
    /// AF_PACKET sockets.
    AfPacket,
}

/// Why there is no trial.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// A stream that cannot be.
    #[error(transparent)]
    Stream(#[from] crate::stream::StreamError),
    /// A frame that the path cannot carry.
    #[error("stream {id}: frames of {size} octets with FCS, the path carries up to {largest}")]
    TooLarge {
        /// The stream.
        id: u16,
        /// Its largest frame.
        size: u16,
        /// What the path carries.
        largest: u16,
    },
    /// More than the link carries.
    #[error(
        "{asked_bps:.0} bit/s are asked of the {side:?} side, with preamble and gap, and its link carries {capacity_bps}"
    )]
    AboveLine {
        /// Where.
        side: Side,
        /// What all streams take of the link, bits per second on the wire.
        asked_bps: f64,
        /// What it has.
        capacity_bps: u64,
    },
    /// The path did not do what it was asked.
    #[error("{0}")]
    Path(String),
    /// This device cannot be reset so.
    #[error("{what:?} reset: {why}")]
    Reset {
        /// What was asked for.
        what: Reset,
        /// Why not.
        why: String,
    },
}

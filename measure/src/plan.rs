//! What the tester does at one port in one trial: a source, a sink, and what they count.
//!
//! Made whole by the one who offers the trial, used by the one who moves the frames, given back whole: so
//! that nothing is allocated on the way and all counts are of one instant. Must never know a clock or a port.

use crate::sink::Sink;
use crate::source::{BACKLOG, Source};
use crate::stats::{self, Latency};
use crate::stream::Stream;

/// Source and sink of one port, with their histograms.
#[derive(Debug)]
pub struct Plan {
    /// Sends into the port.
    pub source: Source,
    /// Takes what comes out of it.
    pub sink: Sink,
    /// Latencies of each stream of the sink, nanoseconds.
    pub latency: Vec<Latency>,
    /// How long after it was due each frame was handed over, nanoseconds.
    pub pacing: Latency,
    /// Time that all this took inside the device's own bursts, nanoseconds.
    pub own_ns: u64,
    /// Frames that the port had no room to receive, since the plan came.
    pub missed: u64,
    /// Frames that the port took and the system refused later, since the plan came.
    pub tx_lost: u64,
}

impl Plan {
    /// A plan that sends `source` and expects `sink`, in the trial of this epoch. Its source is not started.
    #[must_use]
    pub fn new(source: &[Stream], sink: &[Stream], epoch: u8) -> Self {
        Self {
            source: Source::new(source, BACKLOG).in_epoch(epoch),
            sink: Sink::new(sink).in_epoch(epoch),
            latency: sink.iter().map(|_| stats::latency()).collect(),
            pacing: stats::latency(),
            own_ns: 0,
            missed: 0,
            tx_lost: 0,
        }
    }

    /// A plan of no streams: what comes is counted as of no trial.
    #[must_use]
    pub fn idle() -> Self {
        Self::new(&[], &[], 0)
    }

    /// Frames sent by all streams of the source. Costs a look at each.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.source.sent().map(|sent| sent.frames).sum()
    }

    /// Frames that arrived of all streams of the sink. Costs a look at each.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.sink.received().map(|received| received.frames).sum()
    }
}

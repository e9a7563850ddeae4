//! From snapshots of probes to figures: counts and latencies by section of a run, and rates over time.
//!
//! A flow is one stream on its way from the port that sends it to the port where it comes out. Each
//! frame is charged to the section in which the sink got past it, so that in every section, exactly,
//! `sent = received + lost`, and the sections add up to the run. Must never know a clock: time is the
//! snapshots'.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::sink::Received;
use crate::source::Sent;
use crate::stats::{self, Quantile, Summary};
use crate::wire::Snapshot;

/// What a flow did in a section of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowFigures {
    /// Frames put into the node.
    pub sent: u64,
    /// Frames that the source could not put in: see [`Sent::unsent`].
    pub unsent: u64,
    /// Different intact frames that came out.
    pub received: u64,
    /// `sent - received`.
    pub lost: u64,
    /// Of `received`: came after a later one.
    pub reordered: u64,
    /// Came again.
    pub duplicated: u64,
    /// Came changed; also lost.
    pub corrupted: u64,
    /// `received` by the time of the section, frames per second.
    pub received_fps: f64,
    /// From the instant a frame was due to its last bit on the far link.
    pub latency_ns: Summary,
    /// The distribution of that.
    pub quantiles: Vec<Quantile>,
}

/// A point of a rate over time: the mean over the interval that ends there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RatePoint {
    /// Seconds since the run's beginning.
    pub at_s: f64,
    /// Frames put in, per second.
    pub sent_fps: f64,
    /// Frames that came out, per second.
    pub received_fps: f64,
}

/// Collects the flows of one direction.
#[derive(Debug)]
pub struct Meter {
    began_ns: u64,
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    sent: Sent,
    received: Received,
    at_ns: u64,
    section: Mark,
    latency: Histogram<u64>,
    rates: Vec<RatePoint>,
    done: Vec<FlowFigures>,
}

/// Where a section began.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    sent: Sent,
    received: Received,
    at_ns: u64,
    /// Frames charged to sections before.
    charged: u64,
}

impl Meter {
    /// A meter of `flows` flows whose run begins at `began_ns`.
    #[must_use]
    pub fn new(flows: usize, began_ns: u64) -> Self {
        let lane = || Lane {
            sent: Sent::default(),
            received: Received::default(),
            at_ns: began_ns,
            section: Mark {
                at_ns: began_ns,
                ..Mark::default()
            },
            latency: stats::total(),
            rates: Vec::new(),
            done: Vec::new(),
        };
        Self {
            began_ns,
            lanes: (0..flows).map(|_| lane()).collect(),
        }
    }

    /// Takes a pair of snapshots: of the wire that sends the flows, and of the one that they reach. Each
    /// sink snapshot must be given exactly once, in order: its latencies are those since the one before.
    pub fn add(&mut self, source: &Snapshot, sink: &Snapshot) {
        let flows = source.sent.iter().zip(&sink.received).zip(&sink.latency);
        for (lane, ((sent, received), latency)) in self.lanes.iter_mut().zip(flows) {
            for cell in latency.iter_recorded() {
                let frames = cell.count_since_last_iteration();
                lane.latency
                    .saturating_record_n(cell.value_iterated_to(), frames);
            }
            let time_s = sink.at_ns.saturating_sub(lane.at_ns) as f64 / 1e9;
            if time_s > 0.0 {
                let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / time_s;
                lane.rates.push(RatePoint {
                    at_s: sink.at_ns.saturating_sub(self.began_ns) as f64 / 1e9,
                    sent_fps: rate(sent.frames, lane.sent.frames),
                    received_fps: rate(received.frames, lane.received.frames),
                });
            }
            (lane.sent, lane.received, lane.at_ns) = (*sent, *received, sink.at_ns);
        }
    }

    /// The section ends with the latest snapshots, and the next begins.
    pub fn end_section(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.close(false));
    }

    /// The run ends with the latest snapshots: what has not arrived by now is lost. Per flow: the
    /// figures of each section, and the rates.
    #[must_use]
    pub fn finish(mut self) -> Vec<(Vec<FlowFigures>, Vec<RatePoint>)> {
        self.lanes.iter_mut().for_each(|lane| lane.close(true));
        self.lanes
            .into_iter()
            .map(|lane| (lane.done, lane.rates))
            .collect()
    }

    /// The latest counts and rates of each flow, for a live view.
    pub fn latest(
        &self,
    ) -> impl ExactSizeIterator<Item = (Sent, Received, Option<RatePoint>)> + '_ {
        self.lanes
            .iter()
            .map(|lane| (lane.sent, lane.received, lane.rates.last().copied()))
    }
}

impl Lane {
    fn close(&mut self, last: bool) {
        let (from, now) = (self.section, self.received);
        let passed = if last {
            self.sent.frames
        } else {
            now.frames + now.missing
        };
        let sent = passed.saturating_sub(from.charged);
        let received = now.frames - from.received.frames;
        let time_s = self.at_ns.saturating_sub(from.at_ns) as f64 / 1e9;
        self.done.push(FlowFigures {
            sent,
            unsent: self.sent.unsent - from.sent.unsent,
            received,
            lost: sent.saturating_sub(received),
            reordered: now.reordered - from.received.reordered,
            duplicated: now.duplicated - from.received.duplicated,
            corrupted: now.corrupted - from.received.corrupted,
            received_fps: if time_s > 0.0 {
                received as f64 / time_s
            } else {
                0.0
            },
            latency_ns: Summary::of(&self.latency),
            quantiles: stats::quantiles(&self.latency),
        });
        self.latency.reset();
        self.section = Mark {
            sent: self.sent,
            received: now,
            at_ns: self.at_ns,
            charged: from.charged + sent,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshots(
        at_ns: u64,
        sent: u64,
        frames: u64,
        missing: u64,
        latency_ns: &[u64],
    ) -> (Snapshot, Snapshot) {
        let mut latency = stats::latency();
        latency_ns
            .iter()
            .for_each(|ns| latency.record(*ns).unwrap());
        let empty = Snapshot {
            at_ns,
            ..Snapshot::default()
        };
        let sent = vec![Sent {
            frames: sent,
            octets: 79 * sent,
            unsent: 0,
        }];
        let received = vec![Received {
            frames,
            missing,
            ..Received::default()
        }];
        (
            Snapshot {
                sent,
                ..empty.clone()
            },
            Snapshot {
                received,
                latency: vec![latency],
                ..empty
            },
        )
    }

    #[test]
    fn sections_add_up_and_frames_under_way_are_not_lost() {
        let mut meter = Meter::new(1, 1_000_000_000);
        let add =
            |meter: &mut Meter, (source, sink): (Snapshot, Snapshot)| meter.add(&source, &sink);
        add(&mut meter, snapshots(1_500_000_000, 50, 45, 0, &[100]));
        add(&mut meter, snapshots(2_000_000_000, 100, 90, 2, &[200]));
        meter.end_section();
        add(
            &mut meter,
            snapshots(3_000_000_000, 200, 195, 3, &[300, 300]),
        );
        let (sections, rates) = meter.finish().swap_remove(0);
        let counts: Vec<_> = sections
            .iter()
            .map(|s| (s.sent, s.received, s.lost))
            .collect();
        assert_eq!(counts, [(92, 90, 2), (108, 105, 3)]);
        assert_eq!(
            sections.iter().map(|s| s.received_fps).collect::<Vec<_>>(),
            [90.0, 105.0]
        );
        assert_eq!(
            (sections[0].latency_ns.max, sections[1].latency_ns.min),
            (200, 300)
        );
        let points: Vec<_> = rates
            .iter()
            .map(|r| (r.at_s, r.sent_fps, r.received_fps))
            .collect();
        assert_eq!(
            points,
            [(0.5, 100.0, 90.0), (1.0, 100.0, 90.0), (2.0, 100.0, 105.0)]
        );
    }

    #[test]
    fn a_run_without_snapshots_is_all_zero() {
        let (sections, rates) = Meter::new(1, 0).finish().swap_remove(0);
        assert_eq!((sections, rates), (vec![FlowFigures::default()], vec![]));
    }
}

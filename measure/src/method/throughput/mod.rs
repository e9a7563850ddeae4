//! Throughput (RFC 1242 3.17): the highest rate at which the device loses nothing, or no more than a goal allows.
//!
//! A load of several streams holds when each of its streams does: every network of a node is one of its own, and
//! the loss of one is not made good by another's frames. So the loss ratio of a trial is that of the stream that
//! lost most, where RFC 2544 and RFC 9971 4.5.6 would take all frames together; of one stream it is the same.

pub mod binary;
pub mod mlr;

use crate::results::Throughput;
use crate::trial::{StreamTrial, Trial};

use super::{Traffic, TrafficStream};

/// Why a search found no higher rate, as results have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// A higher rate was offered and lost frames.
    Device,
    /// Everything up to the highest load held.
    Line,
    /// The tester could not send a higher rate.
    Tester,
    /// The search ended before it was found.
    Unknown,
}

impl Limit {
    fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Line => "line",
            Self::Tester => "tester",
            Self::Unknown => "unknown",
        }
    }
}

/// Loss ratio of the stream that lost most of its frames.
fn worst_loss_ratio(trial: &Trial) -> f64 {
    let ratios = trial.streams.iter().map(StreamTrial::loss_ratio);
    ratios.fold(0.0, f64::max)
}

/// Octets of a frame with FCS in the mean, as they were sent, of each stream.
fn mean_octets(trial: &Trial) -> Vec<f64> {
    let mean = |s: &StreamTrial| s.sent.octets as f64 / s.sent.frames.max(1) as f64;
    trial.streams.iter().map(mean).collect()
}

/// What all results of a search have alike.
struct Found<'a> {
    method: &'a str,
    goal_loss_ratio: f64,
    trials: u32,
    confirmations: u32,
    limit: Limit,
}

impl Found<'_> {
    /// The result of a stream: its rate, and the loads that bound it, as frames per second.
    fn of(
        &self,
        traffic: &Traffic,
        stream: &TrafficStream,
        octets: f64,
        fps: f64,
        (lower_fps, upper_fps): (f64, Option<f64>),
    ) -> Throughput {
        Throughput {
            size: traffic.size.clone(),
            pi: stream.pi.clone(),
            isolation: traffic.isolation.clone(),
            method: self.method.into(),
            goal_loss_ratio: self.goal_loss_ratio,
            fps,
            l2_bps: fps * octets * 8.0,
            lower_fps,
            upper_fps,
            ceiling_fps: stream.ceiling_fps,
            share_of_ceiling: fps / stream.ceiling_fps,
            trials: self.trials,
            limited_by: match self.limit {
                // The highest load is what the gate lets out; without a gate, what the line carries.
                Limit::Line if stream.wait.is_some() => "schedule".into(),
                limit => limit.name().into(),
            },
            confirmations: self.confirmations,
        }
    }
}

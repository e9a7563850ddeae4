//! What all trials of a test have alike: the traffic profile of RFC 9971 4.5.4, and loads made of it.

use std::time::Duration;

use crate::results::SizeLabel;
use crate::trial::{Load, LoadStream};

use super::MethodError;

/// The streams of a test. A load of 1.0 has every stream at its own rate.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// What its frames are called in results.
    pub size: SizeLabel,
    /// How guest functions run (`kvm`, `thread`); none: not this node.
    pub isolation: Option<String>,
    /// The streams; ids differ.
    pub streams: Vec<TrafficStream>,
}

/// A stream of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct TrafficStream {
    /// Its PI, or what else it is called in results.
    pub pi: String,
    /// Where it enters, what it is, and its rate at a load of 1.0: the line rate, or its share of it, or its ceiling.
    pub stream: LoadStream,
    /// What the schedule lets out at most, or the line rate where there is no gate; frames per second.
    pub ceiling_fps: f64,
    /// The computed wait for the phase; none: no gate.
    pub wait: Option<Wait>,
}

/// What a lone frame waits for its phase, computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wait {
    /// In the mean, nanoseconds.
    pub mean_ns: f64,
    /// At most, nanoseconds.
    pub longest_ns: f64,
}

impl Traffic {
    /// The load in which every stream has `share` times its rate.
    #[must_use]
    pub fn load(&self, share: f64, duration: Duration, drain: Duration) -> Load {
        let rates: Vec<f64> = self.rates().into_iter().map(|rate| rate * share).collect();
        self.load_at(&rates, duration, drain)
    }

    /// The load in which the streams have `rates`, frames per second, in their order.
    #[must_use]
    pub fn load_at(&self, rates: &[f64], duration: Duration, drain: Duration) -> Load {
        let streams = self.streams.iter().zip(rates);
        let stream = |(stream, rate): (&TrafficStream, &f64)| {
            let mut stream = stream.stream.clone();
            stream.spec.rate_fps = *rate;
            stream
        };
        Load {
            streams: streams.map(stream).collect(),
            duration,
            step: None,
            drain,
        }
    }

    /// Rates at a load of 1.0, frames per second, in the order of the streams.
    #[must_use]
    pub fn rates(&self) -> Vec<f64> {
        let streams = self.streams.iter();
        streams.map(|s| s.stream.spec.rate_fps).collect()
    }

    /// Streams there are, and one of `values` for each.
    pub(super) fn check(&self, what: &'static str, values: &[f64]) -> Result<(), MethodError> {
        if self.streams.is_empty() {
            return Err(MethodError::NoStream);
        }
        if values.len() != self.streams.len() {
            return Err(MethodError::PerStream {
                what,
                found: values.len(),
                streams: self.streams.len(),
            });
        }
        Ok(())
    }

    /// The same with one of its streams alone.
    #[must_use]
    pub(super) fn only(&self, index: usize) -> Self {
        Self {
            size: self.size.clone(),
            isolation: self.isolation.clone(),
            streams: self.streams.get(index).cloned().into_iter().collect(),
        }
    }
}

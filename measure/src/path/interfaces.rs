//! Whatever is between two ports, this node or another device: a thread for each port.
//!
//! The clock is CLOCK_MONOTONIC, one for both sides. A frame is stamped right before its hand-over: what the
//! tester is late by itself is its pacing error, not latency of the device. What it is late by for longer, as a machine is
//! whose hypervisor takes it away for a millisecond, it does not catch up: see [`pause`](crate::pause).

use std::sync::Arc;
use std::time::Duration;

use pinode_ports::Port;

use super::station::{Job, Station};
use super::{Course, LEAD, Late, Look, Offer, Resets, SIDES, clock, nanoseconds, watch};
use crate::plan::Plan;
use crate::signature::{NO_STREAM, Signature};
use crate::stream::{FCS, Sizes, Stream, StreamSpec, Transport};
use crate::trial::{Device, DeviceError, Glimpse, Load, Path, Reset, Trial};

/// How the tester behaves at its interfaces.
#[derive(Debug, Clone)]
pub struct Options {
    /// CPUs of the two threads, west and east; none: wherever the system puts them.
    pub cpus: [Option<usize>; 2],
    /// How long a thread polls in vain before it sleeps until a frame comes or is due. The longer, the truer
    /// are latencies at low rates; the shorter, the more is left to a device that runs on the same cores.
    pub poll_for: Duration,
    /// Before each trial a few frames go out from where each stream is expected, with its destination as their
    /// source, so that a switch knows where that is (RFC 2544 23). They are in no count.
    pub learning: bool,
    /// A load may be more than the links carry: for paths that have no line, such as memory.
    pub may_exceed_line: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cpus: [None, None],
            poll_for: Duration::from_micros(500),
            learning: true,
            may_exceed_line: false,
        }
    }
}

/// What is between two ports.
pub struct Interfaces {
    stations: [Station; 2],
    path: Path,
    options: Options,
    trials: u64,
    resets: Resets,
}

impl Interfaces {
    /// A path between two ports, west and east. `path` says what is known of it.
    ///
    /// # Errors
    ///
    /// A thread cannot be made, or not put on its CPU.
    pub fn new(
        ports: [Box<dyn Port>; 2],
        path: Path,
        options: Options,
    ) -> Result<Self, DeviceError> {
        let [west, east] = ports;
        let station = |name: &str, port, cpu: Option<usize>| {
            Station::new(name, port, cpu, options.poll_for).map_err(|error| {
                let on = cpu.map_or(String::new(), |cpu| format!(" on CPU {cpu}"));
                DeviceError::Path(format!("the {name} side of the tester{on}: {error}"))
            })
        };
        Ok(Self {
            stations: [
                station("west", west, options.cpus[0])?,
                station("east", east, options.cpus[1])?,
            ],
            path,
            options,
            trials: 0,
            resets: Resets::default(),
        })
    }

    /// How the device is reset.
    pub fn reset_by(
        &mut self,
        what: Reset,
        reset: impl Fn() -> Result<(), DeviceError> + Send + Sync + 'static,
    ) {
        self.resets.0.insert(what, Arc::new(reset));
    }

    /// Ends the trial on both sides, also where one of them is gone.
    fn finish(&self) -> Result<[Box<Plan>; 2], DeviceError> {
        let [west, east] = self.stations.each_ref().map(Station::finish);
        west.zip(east).map(|(w, e)| [w, e]).ok_or_else(gone)
    }
}

fn gone() -> DeviceError {
    DeviceError::Path("a thread of the tester ended in the middle of a trial".to_owned())
}

/// Frames that come from where `streams` are expected.
fn learning_frames(streams: &[Stream]) -> Vec<Box<[u8]>> {
    let turned = |spec: &StreamSpec| StreamSpec {
        mac: (spec.mac.1, spec.mac.0),
        address: (spec.address.1, spec.address.0),
        other_destinations: Vec::new(),
        transport: match spec.transport {
            Transport::None => Transport::None,
            Transport::Udp { from, to } => Transport::Udp { from: to, to: from },
        },
        sizes: Sizes::Fixed(spec.smallest()),
        ..spec.clone()
    };
    let frame = |stream: &Stream| {
        // What is true of the one is true of the other.
        let turned = Stream::new(turned(stream.spec())).ok()?;
        let signature = Signature {
            stream: NO_STREAM,
            epoch: 0,
            sequence: 0,
            sent_ns: 0,
        };
        let octets = usize::from(turned.spec().smallest()) - FCS;
        let mut frame = vec![0; octets].into_boxed_slice();
        turned.write(&mut frame, &signature.encode());
        Some(frame)
    };
    streams.iter().filter_map(frame).collect()
}

impl Course for [Station; 2] {
    fn look(&mut self) -> Result<Look, DeviceError> {
        let [west, east] = self.each_ref().map(Station::report);
        Ok(Look {
            at_ns: west.at_ns.min(east.at_ns),
            sent: west.sent + east.sent,
            received: west.received + east.received,
            last_ns: west.last_ns.max(east.last_ns),
            is_sent: west.is_sent && east.is_sent,
            moved_ns: west.moved_ns.max(east.moved_ns),
            own_ns: 0,
        })
    }

    fn stop(&mut self, end_ns: u64) {
        self.iter().for_each(|station| station.stop(end_ns));
    }
}

impl Device for Interfaces {
    fn offer(
        &mut self,
        load: &Load,
        watcher: &mut dyn FnMut(Glimpse) -> bool,
    ) -> Result<Trial, DeviceError> {
        let may_exceed = self.options.may_exceed_line;
        let offer = Offer::new(load, &self.path, may_exceed, self.trials)?;
        self.trials += 1;
        let start_ns = clock::now_ns() + nanoseconds(LEAD);
        let plans = offer.plans(start_ns, Late::Pauses);
        for ((station, plan), side) in self.stations.iter().zip(plans).zip(SIDES) {
            // What the other side sends is expected here.
            let expected = &offer.streams[1 - side as usize];
            let learning = match self.options.learning {
                true => learning_frames(expected),
                false => Vec::new(),
            };
            if !station.begin(Job { plan, learning }) {
                return Err(gone());
            }
        }
        let watched = watch(&mut self.stations, load, start_ns, watcher);
        let plans = self.finish()?;
        let (end_ns, is_partial) = watched?;
        Ok(offer.trial(plans, start_ns, end_ns, is_partial))
    }

    fn resetter(
        &self,
        what: Reset,
    ) -> Result<Box<dyn FnMut() -> Result<(), DeviceError>>, DeviceError> {
        self.resets.resetter(what)
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

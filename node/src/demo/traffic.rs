//! The demo's streams: one of each PI in each direction, in the seed's frame layout.

use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use anyhow::Context;
use pinode_measure::meter::{FlowFigures, Meter, RatePoint};
use pinode_measure::stream::{Compare, Stream, StreamSpec};
use pinode_measure::wire::{Probe, Snapshot, TesterWire};
use pinode_scheduler::bounds;

use crate::assemble;
use crate::config::NodeConfig;
use crate::dataplane::clock::{Clock, Monotonic};
use crate::ipv6;

/// Of each PI, in the order of the configuration: size in octets with FCS, offered share of the
/// ceiling that it has in the first half. `can` is offered more than its phase can carry.
const OFFERED: [(u16, f64); 3] = [(512, 0.7), (1280, 1.3), (79, 0.7)];
/// Traffic starts this long after it was ordered, so that both directions start together.
const LEAD_NS: u64 = 20_000_000;
/// A worker that has not polled its ports for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(2);
/// A rate over less time is not shown.
const LEAST_INTERVAL_S: f64 = 0.04;
/// What is inside the node leaves within this: a full ring of the slowest PI takes 150 ms.
const DRAIN: Duration = Duration::from_millis(600);

/// One PI's stream in one direction, as it was planned.
#[derive(Debug, Clone, Copy)]
pub struct Planned {
    /// The PI's slot.
    pub slot: u8,
    /// Octets with FCS.
    pub size: u16,
    /// Frames per second.
    pub offered_fps: f64,
}

/// What frames through the router need in one direction; as in `demo.toml`.
#[derive(Debug, Clone, Copy)]
struct Way {
    /// The router's interface, the tester.
    mac: ([u8; 6], [u8; 6]),
    /// The tester at the other end, this one.
    address: (Ipv6Addr, Ipv6Addr),
}

const WEST: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 1, 0, 0, 0, 1);
const EAST: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 2, 0, 0, 0, 1);
const EASTBOUND: Way = Way {
    mac: ([2, 0, 0, 1, 1, 1], [2, 0, 0, 2, 1, 1]),
    address: (EAST, WEST),
};
const WESTBOUND: Way = Way {
    mac: ([2, 0, 0, 1, 2, 1], [2, 0, 0, 2, 2, 1]),
    address: (WEST, EAST),
};

impl Way {
    /// The stream as a router forwards it: addressed to it, and changed by it in addresses and hop limit.
    fn through_router(self, spec: StreamSpec) -> StreamSpec {
        StreamSpec {
            mac: self.mac,
            address: self.address,
            compare: Compare::Payload,
            ..spec
        }
    }
}

/// The probes that read source and sink of both ports.
pub struct Traffic {
    probes: [Probe; 2],
}

/// What was read, by direction: eastbound, then westbound.
pub struct Meters {
    began_ns: u64,
    /// Where each section ended, and for each flow how many frames had been received by then.
    ends: Vec<(f64, Vec<u64>)>,
    pub eastbound: Meter,
    pub westbound: Meter,
}

/// A flow's figures for each section, and its rates over the whole run.
pub type Measured = (Vec<FlowFigures>, Vec<RatePoint>);

/// The whole run.
pub struct Run {
    /// Each section's beginning and end by the clock, seconds since the traffic's start.
    pub times_s: Vec<(f64, f64)>,
    /// Each flow: eastbound in the order of the PIs, then westbound.
    pub flows: Vec<Measured>,
}

/// What is sent in each direction.
pub fn planned(config: &NodeConfig) -> anyhow::Result<Vec<Planned>> {
    let port = &config.ports[0];
    let cycle = assemble::cycle(config, port, &port.phases)?;
    let plan = (0u8..).zip(OFFERED).map(|(slot, (size, share))| {
        let ceiling = bounds::of_size(&cycle, slot, u32::from(size))
            .with_context(|| format!("frames of {size} octets fit in no phase"))?;
        Ok(Planned {
            slot,
            size,
            offered_fps: share * ceiling.ceiling_fps,
        })
    });
    plan.collect()
}

impl Traffic {
    /// Plans the streams for the first two ports of `config`; the wires are those of west and east.
    pub fn plan(config: &NodeConfig) -> anyhow::Result<(Self, [TesterWire; 2])> {
        let direction = |first_id: u16, way: Way| -> anyhow::Result<Vec<Stream>> {
            let specs = planned(config)?
                .into_iter()
                .zip(first_id..)
                .map(|(plan, id)| {
                    let pi = &config.pis[usize::from(plan.slot)];
                    let spec = StreamSpec::new(id, pi.code.get(), plan.size, plan.offered_fps);
                    if ipv6::is_router(pi) {
                        way.through_router(spec)
                    } else {
                        spec
                    }
                });
            Ok(Stream::all(specs)?)
        };
        let (eastbound, westbound) = (direction(1, EASTBOUND)?, direction(101, WESTBOUND)?);
        let (west, west_probe) =
            TesterWire::new(&eastbound, &westbound, config.ports[0].capacity_bps);
        let (east, east_probe) =
            TesterWire::new(&westbound, &eastbound, config.ports[1].capacity_bps);
        Ok((
            Self {
                probes: [west_probe, east_probe],
            },
            [west, east],
        ))
    }

    /// Orders the sources to start.
    pub fn start(&mut self) -> Meters {
        let start_ns = Monotonic.now_ns() + LEAD_NS;
        self.probes.iter().for_each(|probe| probe.start(start_ns));
        let meter = || Meter::new(OFFERED.len(), start_ns);
        Meters {
            began_ns: start_ns,
            ends: Vec::new(),
            eastbound: meter(),
            westbound: meter(),
        }
    }

    /// Reads both wires.
    pub fn read(&mut self, meters: &mut Meters) -> anyhow::Result<()> {
        let [west, east] = &mut self.probes;
        let west: Snapshot = west.snapshot(PATIENCE)?.clone();
        let east = east.snapshot(PATIENCE)?;
        meters.eastbound.add(&west, east);
        meters.westbound.add(east, &west);
        Ok(())
    }

    /// Reads both wires every `every` until `end`, or until `seen` says that it is enough.
    pub fn read_until(
        &mut self,
        end: Instant,
        meters: &mut Meters,
        every: Duration,
        seen: impl Fn(&Meters) -> bool,
    ) -> anyhow::Result<()> {
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            std::thread::sleep(left.min(every));
            self.read(meters)?;
            if !seen(meters) {
                break;
            }
        }
        Ok(())
    }

    /// Ends the section by now; the next one begins.
    pub fn end_section(&mut self, meters: &mut Meters) -> anyhow::Result<()> {
        self.read(meters)?;
        meters.mark();
        meters.eastbound.end_section();
        meters.westbound.end_section();
        Ok(())
    }

    /// Stops the sources, which ends the last section, and waits until nothing arrives any more.
    pub fn stop_and_drain(&mut self, meters: &mut Meters) -> anyhow::Result<()> {
        let now_ns = Monotonic.now_ns();
        self.probes.iter().for_each(|probe| probe.stop(now_ns));
        self.read(meters)?;
        meters.mark();
        std::thread::sleep(DRAIN);
        self.read(meters)
    }
}

impl Meters {
    /// A section ends with what was read last.
    fn mark(&mut self) {
        let at_s = Monotonic.now_ns().saturating_sub(self.began_ns) as f64 / 1e9;
        let both = self.eastbound.latest().chain(self.westbound.latest());
        let received = both.map(|(_, received, _)| received.frames).collect();
        self.ends.push((at_s, received));
    }

    /// What was measured. Rates are of the time in which frames were sent: what left the node's
    /// queues afterwards is received, and in no rate.
    pub fn finish(self) -> Run {
        let mut flows = self.eastbound.finish();
        flows.extend(self.westbound.finish());
        let mut times_s = Vec::new();
        let mut from_s = 0.0;
        let mut before = vec![0; flows.len()];
        for (section, (to_s, received)) in self.ends.into_iter().enumerate() {
            let counts = received.iter().zip(&before);
            for ((figures, _), (now, then)) in flows.iter_mut().zip(counts) {
                if let Some(figures) = figures.get_mut(section)
                    && to_s > from_s
                {
                    figures.received_fps = now.saturating_sub(*then) as f64 / (to_s - from_s);
                }
            }
            times_s.push((from_s, to_s));
            (from_s, before) = (to_s, received);
        }
        for (_, rates) in &mut flows {
            // Two readings right behind each other, where a section ends, are no measurement.
            let mut last_s = 0.0;
            rates.retain(|point| {
                let interval_s = point.at_s - std::mem::replace(&mut last_s, point.at_s);
                point.at_s <= from_s && interval_s >= LEAST_INTERVAL_S
            });
        }
        Run { times_s, flows }
    }
}

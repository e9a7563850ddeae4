//! The level 2 queue of a PI at a port, with what its configuration leaves open filled in.

use pinode_scheduler::bounds;
use pinode_scheduler::level2::diffserv::{Classes, Policed, Weighted};
use pinode_scheduler::level2::streams::Connection;
use pinode_scheduler::level2::{Content, Diffserv, Fifo, Streams};
use pinode_scheduler::{Cycle, LinkRate, RateError};

use super::AssembleError;
use crate::config::{
    DiffservConfig, Level2Config, PiConfig, PolicedBounds, PortConfig, sure_tolerance_ns,
};
use crate::dataplane::level2::Level2;

/// The queue of `pi`, which is in `slot`, at `port` with this `cycle`; `frames`: what its transmit
/// rings hold.
pub(super) fn queue(
    pi: &PiConfig,
    slot: u8,
    port: &PortConfig,
    cycle: &Cycle,
    frames: u32,
) -> Result<Level2, AssembleError> {
    let largest = port.largest_frame_of(pi.needs);
    // A PI that never sends here guarantees nothing, and needs nothing.
    let own = bounds::of_pi(cycle, slot, largest);
    Ok(match &pi.level2 {
        Level2Config::Fifo => Level2::Fifo(Fifo::new(frames as usize)),
        Level2Config::Diffserv(config) => {
            let guaranteed_bps = own.map_or(0.0, |own| own.guaranteed_bps);
            let classes = classes(config, frames, guaranteed_bps, largest);
            let classes = classes.map_err(|error| AssembleError::ClassRate {
                pi: pi.name.clone(),
                error,
            })?;
            Level2::Diffserv(Diffserv::new(&classes))
        }
        Level2Config::Content(config) => {
            let [requests, data] = config.limits(frames, pi.vns.len());
            let networks = pi.vns.iter().fold(0, |all, vn| all | 1 << vn.get());
            Level2::Content(Content::new(networks, requests as usize, data as usize))
        }
        Level2Config::Streams(_) => {
            let count = pi.level2.streams(&port.name).count();
            let tolerance_ns = own.map_or(0, |own| sure_tolerance_ns(&own, count));
            // Whole bits: what is left over of one is no bit.
            let rate_bps = own.map_or(0, |own| own.guaranteed_bps as u64);
            let mut streams = Streams::new(rate_bps, frames);
            for stream in pi.level2.streams(&port.name) {
                let peak = LinkRate::new(stream.rate_bps);
                let peak = peak.map_err(|error| AssembleError::ClassRate {
                    pi: pi.name.clone(),
                    error,
                })?;
                let connection = Connection {
                    vn: stream.vn.get(),
                    label: stream.label,
                    peak,
                    tolerance_ns: stream.tolerance_ns.unwrap_or(tolerance_ns),
                    buffer: stream.buffer,
                };
                let connected = streams.connect(connection);
                connected.map_err(|error| AssembleError::Connection {
                    pi: pi.name.clone(),
                    port: port.name.clone(),
                    label: stream.label,
                    error,
                })?;
            }
            Level2::Streams(streams)
        }
    })
}

fn classes(
    config: &DiffservConfig,
    frames: u32,
    guaranteed_bps: f64,
    largest: u32,
) -> Result<Classes, RateError> {
    let [_, _, assured, be] = config.limits(frames);
    let [nc, rt] = config.policed(frames, guaranteed_bps, largest);
    let policed = |bounds: PolicedBounds| {
        let PolicedBounds {
            rate_bps,
            burst,
            limit,
        } = bounds;
        Ok(Policed {
            rate: LinkRate::new(rate_bps)?,
            burst_octets: burst,
            limit: limit as usize,
        })
    };
    let [as_weight, be_weight] = config.weights();
    let weighted = |weight, limit: u32| Weighted {
        weight,
        limit: limit as usize,
    };
    Ok(Classes {
        nc: policed(nc)?,
        rt: policed(rt)?,
        assured: weighted(as_weight, assured),
        be: weighted(be_weight, be),
    })
}

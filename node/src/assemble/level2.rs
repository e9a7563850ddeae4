//! The level 2 queue of a PI at a port, with what its configuration leaves open filled in.

use pinode_scheduler::bounds::{self, PiBounds};
use pinode_scheduler::level2::diffserv::{Classes, Policed, Weighted};
use pinode_scheduler::level2::streams::{Connection, Room, Service, Signalling, Terms, Tolerance};
use pinode_scheduler::level2::{Content, Diffserv, Fifo, Streams};
use pinode_scheduler::{Cycle, LinkRate, RateError};
use pinode_virtqueue::TxFrame;

use super::AssembleError;
use crate::config::{
    DiffservConfig, Level2Config, PiConfig, PolicedBounds, PortConfig, StreamsConfig, admitted,
    signalling_buffer, signalling_of,
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
        Level2Config::Streams(config) => {
            Level2::Streams(streams(pi, config, port, own.as_ref(), frames)?)
        }
    })
}

fn streams(
    pi: &PiConfig,
    config: &StreamsConfig,
    port: &PortConfig,
    own: Option<&PiBounds>,
    frames: u32,
) -> Result<Streams<TxFrame>, AssembleError> {
    // Whole bits: what is left over of one is no bit.
    let rate_bps = own.map_or(0, |own| own.guaranteed_bps as u64);
    let mut streams = Streams::new(Room {
        rate_bps,
        frames,
        connections: config.most_of(frames),
        networks: pi.vns.iter().fold(0, |all, vn| all | 1 << vn.get()),
    });
    // Where the PI has no phase it may be given one later, and a rate with it.
    let (signalling_bps, tolerance_ns) = own.map_or((0, 0), |own| signalling_of(pi, own));
    if let Ok(peak) = LinkRate::new(signalling_bps.max(1)) {
        streams = streams.with_signalling(Signalling {
            peak,
            tolerance_ns,
            buffer: signalling_buffer(frames),
        });
    }
    if let Some(own) = own {
        let (_, untold_ns) = admitted(pi, pi.level2.streams(&port.name), own, None);
        streams.set_terms(Terms {
            rate_bps,
            tolerance_ns: untold_ns,
            signalling: None,
        });
    }
    let largest = port.largest_frame_of(pi.needs);
    for stream in pi.level2.streams(&port.name) {
        let connected = streams.connect(Connection {
            vn: stream.vn.get(),
            label: stream.label,
            service: Service::Cbr,
            peak: LinkRate::new(stream.rate_bps).ok(),
            tolerance: match stream.tolerance_ns {
                Some(own_ns) => Tolerance::Own(own_ns),
                None => Tolerance::Shared(0),
            },
            buffer: stream.buffer,
            largest: stream.max_frame.unwrap_or(largest),
        });
        connected.map_err(|error| AssembleError::Connection {
            pi: pi.name.clone(),
            port: port.name.clone(),
            label: stream.label,
            error,
        })?;
    }
    Ok(streams)
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

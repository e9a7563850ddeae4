//! A sink without a plan: the first frame of a stream whose signature holds says what its frames look like, and
//! those behind it are held against that.
//!
//! Frames are claims. A stream that is new costs an allocation, once; after [`MOST_STREAMS`] no more are learned.

use std::net::Ipv6Addr;

use crate::frame::Layout;
use crate::signature::{NO_STREAM, Signature};
use crate::sink::{Received, Sink};
use crate::stats::{self, Latency, Summary};
use crate::stream::{
    Compare, Encapsulation, LARGEST, Pattern, Sizes, Stream, StreamSpec, Transport,
};

/// Streams that are told apart at most; the same stream in another trial counts as another.
pub const MOST_STREAMS: usize = 256;

const ETHERTYPE_IPV6: u16 = 0x86dd;
const NEXT_HEADER_EXPERIMENT: u8 = 253;
const NEXT_HEADER_UDP: u8 = 17;

/// What arrived of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Its number in the signature.
    pub stream: u16,
    /// The trial, modulo 16.
    pub epoch: u8,
    /// Its PIH; none: plain IPv6.
    pub pih: Option<u8>,
    /// What befell its frames. Those lost behind the last arrival are not known here.
    pub received: Received,
    /// Latencies, nanoseconds; right only if both ends read one clock.
    pub latency_ns: Summary,
}

/// Counts whatever signed frames arrive.
#[derive(Debug, Default)]
pub struct Listener {
    streams: Vec<Known>,
    /// Place of the stream of the last frame: most likely the next one's, too.
    last: usize,
    foreign: u64,
    learning: u64,
    stale: u64,
    beyond: u64,
    missed: u64,
}

#[derive(Debug)]
struct Known {
    spec: StreamSpec,
    epoch: u8,
    /// Of this stream alone.
    sink: Sink,
    latency: [Latency; 1],
}

impl Listener {
    /// One that has heard nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a frame (without FCS) whose last bit came at `received_ns`.
    pub fn absorb(&mut self, received_ns: u64, frame: &[u8]) {
        let Some((spec, layout)) = describe(frame) else {
            return self.foreign += 1;
        };
        let octets = frame
            .get(layout.signature_at..)
            .and_then(<[u8]>::first_chunk);
        let Some(Ok(signature)) = octets.map(Signature::decode) else {
            return self.damaged(received_ns, frame, &spec);
        };
        if signature.stream == NO_STREAM {
            return self.learning += 1;
        }
        let is_it =
            |known: &Known| known.spec.id == signature.stream && known.epoch == signature.epoch;
        if !self.streams.get(self.last).is_some_and(is_it) {
            let mut newest = self.streams.iter().enumerate().rev();
            let mut of_stream = newest
                .by_ref()
                .filter(|(_, known)| known.spec.id == signature.stream);
            match (of_stream.next(), of_stream.next()) {
                (Some((at, known)), _) if is_it(known) => self.last = at,
                // A frame of the trial before is late; one of an earlier trial is of a new one of that number.
                (_, Some((_, before))) if is_it(before) => return self.stale += 1,
                _ => {
                    if self.streams.len() == MOST_STREAMS {
                        return self.beyond += 1;
                    }
                    let spec = StreamSpec {
                        id: signature.stream,
                        ..spec
                    };
                    let Ok(stream) = Stream::new(spec.clone()) else {
                        return self.foreign += 1;
                    };
                    self.last = self.streams.len();
                    self.streams.push(Known {
                        spec,
                        epoch: signature.epoch,
                        sink: Sink::new(std::slice::from_ref(&stream)).in_epoch(signature.epoch),
                        latency: [stats::latency()],
                    });
                }
            }
        }
        if let Some(Known { sink, latency, .. }) = self.streams.get_mut(self.last) {
            sink.absorb(received_ns, frame, latency);
        }
    }

    /// A frame that looks like the tester's, whose check does not hold: of the newest stream of that flow label.
    #[cold]
    fn damaged(&mut self, received_ns: u64, frame: &[u8], spec: &StreamSpec) {
        let alike = |known: &&mut Known| {
            known.spec.id == spec.id && known.spec.encapsulation == spec.encapsulation
        };
        match self.streams.iter_mut().rev().find(alike) {
            Some(Known { sink, latency, .. }) => sink.absorb(received_ns, frame, latency),
            None => self.foreign += 1,
        }
    }

    /// The port had no room for so many frames since the beginning.
    pub fn missed(&mut self, frames: u64) {
        self.missed = frames;
    }

    /// Every stream so far, in the order in which they were first heard.
    pub fn heard(&self) -> impl ExactSizeIterator<Item = Heard> + '_ {
        self.streams.iter().map(|known| Heard {
            stream: known.spec.id,
            epoch: known.epoch,
            pih: (known.spec.encapsulation == Encapsulation::Pih)
                .then_some(known.spec.pi_code << 5 | known.spec.vn),
            received: known.sink.received().next().unwrap_or_default(),
            latency_ns: Summary::of(&known.latency[0]),
        })
    }

    /// Frames of no tester, or damaged beyond telling whose they were.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        let strays = self.streams.iter().map(|known| known.sink.foreign());
        self.foreign + strays.sum::<u64>()
    }

    /// Learning frames.
    #[must_use]
    pub fn learning(&self) -> u64 {
        self.learning
    }

    /// Frames of a stream's trial before its latest.
    #[must_use]
    pub fn stale(&self) -> u64 {
        self.stale
    }

    /// Frames of streams beyond [`MOST_STREAMS`].
    #[must_use]
    pub fn beyond(&self) -> u64 {
        self.beyond
    }

    /// Frames that the port itself had no room for.
    #[must_use]
    pub fn port_missed(&self) -> u64 {
        self.missed
    }
}

/// What the headers of a frame say of its stream, whose number is taken from the flow label. `None`: not laid out
/// as a tester's.
fn describe(frame: &[u8]) -> Option<(StreamSpec, Layout)> {
    let word = |at: usize| Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?));
    let ethertype = word(12)?;
    let encapsulation = match ethertype {
        ETHERTYPE_IPV6 => Encapsulation::Plain,
        _ => Encapsulation::Pih,
    };
    let ip = Layout::of(encapsulation, Transport::None).ipv6_at;
    let version = frame.get(ip)? >> 4;
    let transport = match *frame.get(ip + 6)? {
        NEXT_HEADER_EXPERIMENT => Transport::None,
        NEXT_HEADER_UDP => Transport::Udp {
            from: word(ip + 40)?,
            to: word(ip + 42)?,
        },
        _ => return None,
    };
    if version != 6 {
        return None;
    }
    let address = |at: usize| Some(Ipv6Addr::from(*frame.get(at..)?.first_chunk::<16>()?));
    let mac = |at: usize| frame.get(at..)?.first_chunk::<6>().copied();
    let layout = Layout::of(encapsulation, transport);
    let spec = StreamSpec {
        encapsulation,
        transport,
        traffic_class: frame[ip] << 4 | frame[ip + 1] >> 4,
        pi_code: frame[14] >> 5,
        vn: frame[14] & 0x1f,
        // Any that comes.
        sizes: Sizes::Uniform {
            from: layout.smallest(),
            to: LARGEST,
            seed: 0,
        },
        pattern: Pattern::Even,
        // A router between the two rewrites the rest.
        compare: Compare::Payload,
        ethertype,
        mac: (mac(0)?, mac(6)?),
        address: (address(ip + 24)?, address(ip + 8)?),
        ..StreamSpec::new(word(ip + 2)?, 1, layout.smallest(), 1.0)
    };
    Some((spec, layout))
}

//! A stream of test frames: what they look like, how long they are, how they are spaced.
//!
//! A specification is checked once, here, and becomes a [`Stream`] that cannot be wrong; its frames are
//! built here too, so that a source only writes what differs from frame to frame. Must never know a
//! clock or a port.
//!
//! | octets | of the frame in memory (without FCS) |
//! |---|---|
//! | 0..=13 | Ethernet: destination, source, EtherType (0x88B5) |
//! | 14 | PIH: PI code in bits 7..5, VN in bits 4..0 |
//! | 15..=54 | IPv6 header (RFC 8200), next header 253 (RFC 3692: experiments), flow label = stream |
//! | 55..=74 | [signature](crate::signature) |
//! | 75.. | padding, a fixed sequence that differs from octet to octet |
//!
//! [Plain](Encapsulation::Plain) frames have EtherType 0x86DD and no PIH: all behind it is one octet earlier.
//! With [UDP](Transport::Udp) next header is 17 and the UDP header stands before the signature: all behind it
//! is eight octets later. [`Layout`] has the offsets of each.

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::frame::{self, ADDRESS_OCTETS, UdpSums};
use crate::signature::NO_STREAM;

pub use crate::frame::{Encapsulation, FCS, Layout, TEST_PORT, Transport};

/// Offset of the PIH.
pub const PIH_AT: usize = frame::ETHERNET_OCTETS;
/// Offset of the IPv6 header of a frame with PIH.
pub const IPV6_AT: usize = Layout::PIH.ipv6_at;
/// Offset of the IPv6 payload length (RFC 8200 3) of a frame with PIH.
pub const IPV6_LENGTH_AT: usize = Layout::PIH.length_at();
/// Offset of the signature of a frame with PIH and without UDP.
pub const SIGNATURE_AT: usize = Layout::PIH.signature_at;
/// Offset of the padding of such a frame.
pub const PADDING_AT: usize = Layout::PIH.padding_at();
/// Smallest frame with PIH and without UDP, with FCS. Others: [`Layout::smallest`].
pub const SMALLEST: u16 = Layout::PIH.smallest();
/// Largest frame, with FCS: a jumbo frame of MTU 9000.
pub const LARGEST: u16 = 9018;
/// Slowest stream, frames per second.
pub const SLOWEST_FPS: f64 = 0.1;
/// Fastest stream, frames per second: beyond the smallest frames of 100 GbE.
pub const FASTEST_FPS: f64 = 2e8;

/// Frame sizes in octets with FCS (RFC 2544 9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sizes {
    /// Every frame alike.
    Fixed(u16),
    /// In this order, over and over (RFC 6985: IMIX genome).
    Sequence(Vec<u16>),
    /// Each size between the two equally likely, from a seeded generator.
    Uniform {
        /// Smallest.
        from: u16,
        /// Largest.
        to: u16,
        /// Seed; the same seed gives the same sizes.
        seed: u64,
    },
}

impl Sizes {
    /// The smallest frame; `None` where there is none.
    #[must_use]
    pub fn smallest(&self) -> Option<u16> {
        match self {
            Self::Fixed(size) => Some(*size),
            Self::Sequence(sizes) => sizes.iter().min().copied(),
            Self::Uniform { from, to, .. } => (from <= to).then_some(*from),
        }
    }

    /// The largest frame; `None` where there is none.
    #[must_use]
    pub fn largest(&self) -> Option<u16> {
        match self {
            Self::Fixed(size) => Some(*size),
            Self::Sequence(sizes) => sizes.iter().max().copied(),
            Self::Uniform { from, to, .. } => (from <= to).then_some(*to),
        }
    }

    /// The mean over many frames; 0 where there is none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self {
            Self::Fixed(size) => f64::from(*size),
            Self::Sequence(sizes) => {
                let sum: f64 = sizes.iter().map(|size| f64::from(*size)).sum();
                sum / sizes.len().max(1) as f64
            }
            Self::Uniform { from, to, .. } => (f64::from(*from) + f64::from(*to)) / 2.0,
        }
    }
}

/// How frames are spaced in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Evenly: one frame each 1/rate.
    #[default]
    Even,
    /// This many frames at once, bursts spaced so that the mean is the rate.
    Bursts(u32),
    /// This many frames at once when it begins, then evenly: the most that a flow of a burst and a rate sends.
    Opening(u32),
}

/// Which octets the sink holds against the template, besides the signature and the length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// All: the device forwards frames unchanged.
    #[default]
    Whole,
    /// EtherType, PIH, and what is behind the IPv6 header: the device is a router, which rewrites MAC addresses,
    /// hop limit and maybe the traffic class.
    Payload,
}

/// A stream as it is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamSpec {
    /// Number in the signature; unique among the streams of a run, below 65535.
    pub id: u16,
    /// What is between Ethernet and IPv6.
    #[serde(default)]
    pub encapsulation: Encapsulation,
    /// What is between IPv6 and the signature.
    #[serde(default)]
    pub transport: Transport,
    /// IPv6 traffic class: DSCP in bits 7..2, ECN in bits 1..0 (RFC 2474, RFC 3168).
    #[serde(default)]
    pub traffic_class: u8,
    /// PI code of the PIH, 1..=7; not looked at where there is none.
    pub pi_code: u8,
    /// Virtual network of the PIH, 0..=31; not looked at where there is none.
    pub vn: u8,
    /// Frame sizes.
    pub sizes: Sizes,
    /// Mean rate in frames per second.
    pub rate_fps: f64,
    /// Spacing.
    pub pattern: Pattern,
    /// What the sink compares.
    pub compare: Compare,
    /// EtherType of the PIH.
    pub ethertype: u16,
    /// Destination and source MAC.
    pub mac: ([u8; 6], [u8; 6]),
    /// Destination and source address.
    pub address: (Ipv6Addr, Ipv6Addr),
    /// Destinations beside that one: each frame goes to one of them all, drawn by its sequence number, each as likely
    /// as any other (RFC 2544 12: random addresses over 256 networks). None: all frames go to the one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_destinations: Vec<Ipv6Addr>,
}

impl StreamSpec {
    /// A stream of even frames of one size on VN 0, compared whole, with addresses of RFC 5180 8
    /// (2001:2::/48) that are the stream's own.
    #[must_use]
    pub fn new(id: u16, pi_code: u8, size: u16, rate_fps: f64) -> Self {
        let [hi, lo] = id.to_be_bytes();
        let address = |side| Ipv6Addr::new(0x2001, 2, 0, id, 0, 0, 0, side);
        Self {
            id,
            encapsulation: Encapsulation::Pih,
            transport: Transport::None,
            traffic_class: 0,
            pi_code,
            vn: 0,
            sizes: Sizes::Fixed(size),
            rate_fps,
            pattern: Pattern::Even,
            compare: Compare::Whole,
            ethertype: 0x88b5,
            mac: ([2, 0, 0, 2, hi, lo], [2, 0, 0, 1, hi, lo]),
            address: (address(2), address(1)),
            other_destinations: Vec::new(),
        }
    }

    /// Where things are in its frames.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout::of(self.encapsulation, self.transport)
    }

    /// Its smallest frame, octets with FCS.
    #[must_use]
    pub fn smallest(&self) -> u16 {
        self.layout().smallest()
    }
}

/// Why a stream cannot be.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum StreamError {
    /// The PIH has three bits for it, and 0 is invalid.
    #[error("stream {id}: PI code {found}, allowed are 1 to 7")]
    PiCode {
        /// The stream.
        id: u16,
        /// What was asked for.
        found: u8,
    },
    /// The PIH has five bits for it.
    #[error("stream {id}: VN {found}, allowed are 0 to 31")]
    Vn {
        /// The stream.
        id: u16,
        /// What was asked for.
        found: u8,
    },
    /// A frame that cannot hold the signature, or that is no Ethernet frame.
    #[error("stream {id}: frame size {found}, allowed are {smallest} to {LARGEST} octets with FCS")]
    Size {
        /// The stream.
        id: u16,
        /// What was asked for.
        found: u16,
        /// The smallest frame of its layout.
        smallest: u16,
    },
    /// An empty sequence, or a range whose end is before its beginning.
    #[error(
        "stream {id}: no frame size given (an empty sequence, or a range that ends before it begins)"
    )]
    NoSize {
        /// The stream.
        id: u16,
    },
    /// Not a rate, or one that cannot be paced.
    #[error("stream {id}: {found} frames/s, allowed are {SLOWEST_FPS} to {FASTEST_FPS}")]
    Rate {
        /// The stream.
        id: u16,
        /// What was asked for.
        found: f64,
    },
    /// A burst of no frames.
    #[error("stream {id}: bursts of 0 frames, allowed are 1 and more")]
    Burst {
        /// The stream.
        id: u16,
    },
    /// Number of no stream.
    #[error("stream {id}: this number is kept for learning frames, allowed are 0 to 65534")]
    Reserved {
        /// The stream.
        id: u16,
    },
    /// Two streams that the sink could not tell apart.
    #[error("stream {id} is there twice; ids must differ")]
    Twice {
        /// The stream.
        id: u16,
    },
}

/// A checked stream and its frame.
#[derive(Debug, Clone)]
pub struct Stream {
    spec: StreamSpec,
    layout: Layout,
    template: Box<[u8]>,
    /// All of them, where there is more than one.
    destinations: Box<[[u8; ADDRESS_OCTETS]]>,
    udp: Option<UdpSums>,
}

impl Stream {
    /// Checks `spec` and builds its frame.
    pub fn new(spec: StreamSpec) -> Result<Self, StreamError> {
        let id = spec.id;
        if id == NO_STREAM {
            return Err(StreamError::Reserved { id });
        }
        let has_pih = spec.encapsulation == Encapsulation::Pih;
        if has_pih && !(1..=7).contains(&spec.pi_code) {
            return Err(StreamError::PiCode {
                id,
                found: spec.pi_code,
            });
        }
        if has_pih && spec.vn > 31 {
            return Err(StreamError::Vn { id, found: spec.vn });
        }
        let layout = spec.layout();
        let (Some(smallest), Some(largest)) = (spec.sizes.smallest(), spec.sizes.largest()) else {
            return Err(StreamError::NoSize { id });
        };
        for size in [smallest, largest] {
            if !(layout.smallest()..=LARGEST).contains(&size) {
                return Err(StreamError::Size {
                    id,
                    found: size,
                    smallest: layout.smallest(),
                });
            }
        }
        if !(SLOWEST_FPS..=FASTEST_FPS).contains(&spec.rate_fps) {
            return Err(StreamError::Rate {
                id,
                found: spec.rate_fps,
            });
        }
        if matches!(spec.pattern, Pattern::Bursts(0) | Pattern::Opening(0)) {
            return Err(StreamError::Burst { id });
        }
        let template = frame::build(&spec, usize::from(largest) - FCS);
        let udp = matches!(spec.transport, Transport::Udp { .. })
            .then(|| UdpSums::new(&layout, &template));
        let destinations = match &*spec.other_destinations {
            [] => Box::default(),
            others => std::iter::once(&spec.address.0)
                .chain(others)
                .map(Ipv6Addr::octets)
                .collect(),
        };
        Ok(Self {
            spec,
            layout,
            template,
            destinations,
            udp,
        })
    }

    /// All of `specs`, whose ids must differ.
    pub fn all(specs: impl IntoIterator<Item = StreamSpec>) -> Result<Vec<Self>, StreamError> {
        let mut seen = std::collections::BTreeSet::new();
        specs
            .into_iter()
            .map(|spec| match seen.insert(spec.id) {
                true => Self::new(spec),
                false => Err(StreamError::Twice { id: spec.id }),
            })
            .collect()
    }

    /// What was asked for.
    #[must_use]
    pub fn spec(&self) -> &StreamSpec {
        &self.spec
    }

    /// The longest frame of the stream. Shorter ones are its beginning with another IPv6 payload length.
    #[must_use]
    pub fn template(&self) -> &[u8] {
        &self.template
    }

    /// Where things are in its frames.
    #[inline]
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The PIH octet; of a stream without one, what it would be.
    #[must_use]
    pub fn pih(&self) -> u8 {
        frame::pih(&self.spec)
    }

    /// Generator of the stream's sizes, in octets in memory.
    #[must_use]
    pub(crate) fn sizes(&self) -> SizeWalk {
        SizeWalk {
            sizes: self.spec.sizes.clone(),
            state: 0,
        }
    }

    /// Writes a frame over the whole of `slot`, which is as long as one of the stream's: the template with its
    /// own lengths and signature, and with a UDP checksum that is right.
    #[inline]
    pub(crate) fn write(&self, slot: &mut [u8], signature: &[u8; frame::SIGNATURE_OCTETS]) {
        let len = slot.len();
        let Some(template) = self.template.get(..len) else {
            return;
        };
        slot.copy_from_slice(template);
        let Layout { signature_at, .. } = self.layout;
        let length_at = self.layout.length_at();
        slot[length_at..length_at + 2].copy_from_slice(&self.layout.payload_length(len));
        slot[signature_at..signature_at + frame::SIGNATURE_OCTETS].copy_from_slice(signature);
        if let Some(destination) = self.destination(signature) {
            slot[self.layout.destination_at()..self.layout.ipv6_end()].copy_from_slice(destination);
        }
        if let Some(udp) = &self.udp {
            udp.finish(&self.layout, slot);
        }
    }

    /// Where a frame with this signature goes, if not all go to one address.
    #[inline]
    fn destination(&self, signature: &[u8]) -> Option<&[u8; ADDRESS_OCTETS]> {
        let count = self.destinations.len() as u64;
        if count == 0 {
            return None;
        }
        let mut sequence = [0; 8];
        sequence[2..].copy_from_slice(&signature[3..9]);
        // The high half of a product maps 32 random bits onto the list without a division.
        let drawn = mix(u64::from_be_bytes(sequence)) >> 32;
        self.destinations.get(((drawn * count) >> 32) as usize)
    }

    /// Whether `frame` goes to an address that a frame of the stream goes to.
    #[must_use]
    pub(crate) fn goes_as(&self, frame: &[u8]) -> bool {
        let destination = self.layout.destination_at()..self.layout.ipv6_end();
        frame.get(destination.clone()).is_some_and(|found| {
            found == &self.template[destination] || self.destinations.iter().any(|to| to == found)
        })
    }

    /// Whether `frame`, whose signature was checked, is otherwise as it was sent.
    #[inline]
    #[must_use]
    pub fn is_intact(&self, frame: &[u8]) -> bool {
        let (template, layout) = (&*self.template, &self.layout);
        let (len, padding_at) = (frame.len(), layout.padding_at());
        if !(padding_at..=template.len()).contains(&len) {
            return false;
        }
        let length_at = layout.length_at();
        let payload = frame[length_at..length_at + 2] == layout.payload_length(len)
            && frame[padding_at..] == template[padding_at..len]
            && self
                .udp
                .as_ref()
                .is_none_or(|udp| udp.holds(layout, frame, template));
        payload
            && match self.spec.compare {
                Compare::Payload => frame[12..layout.ipv6_at] == template[12..layout.ipv6_at],
                Compare::Whole => {
                    // What is behind the IPv6 header was compared above.
                    let (to, behind) = (layout.destination_at(), layout.ipv6_end());
                    let signature = &frame[layout.signature_at..padding_at];
                    let destination = self.destination(signature);
                    frame[..length_at] == template[..length_at]
                        && frame[length_at + 2..to] == template[length_at + 2..to]
                        && frame[to..behind]
                            == *destination.map_or(&template[to..behind], |octets| octets)
                }
            }
    }
}

/// Walks through a stream's sizes.
#[derive(Debug, Clone)]
pub(crate) struct SizeWalk {
    sizes: Sizes,
    state: u64,
}

impl SizeWalk {
    /// Octets in memory of the next frame.
    #[inline]
    pub(crate) fn next_len(&mut self) -> usize {
        let size = match &self.sizes {
            Sizes::Fixed(size) => *size,
            Sizes::Sequence(sizes) => {
                let at = self.state as usize;
                self.state = if at + 1 < sizes.len() {
                    self.state + 1
                } else {
                    0
                };
                sizes[at]
            }
            Sizes::Uniform { from, to, seed } => {
                self.state = self.state.wrapping_add(1);
                let span = u64::from(to - from) + 1;
                // The high half of a product maps 32 random bits onto the range without a division.
                from + (((mix(seed.wrapping_add(self.state)) >> 32) * span) >> 32) as u16
            }
        };
        usize::from(size) - FCS
    }
}

/// A bijection of 64-bit words that leaves no visible pattern in counted inputs (xor-shift, multiply).
pub(crate) fn mix(mut word: u64) -> u64 {
    word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word ^= word >> 32;
    word = word.wrapping_mul(0xd6e8_feb8_6659_fd93);
    word ^= word >> 29;
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;

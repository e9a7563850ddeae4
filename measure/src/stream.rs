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

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::signature::SIGNATURE_OCTETS;

/// Offset of the PIH.
pub const PIH_AT: usize = 14;
/// Offset of the IPv6 header.
pub const IPV6_AT: usize = 15;
/// Offset of the IPv6 payload length (RFC 8200 3).
pub const IPV6_LENGTH_AT: usize = IPV6_AT + 4;
/// Offset of the signature.
pub const SIGNATURE_AT: usize = IPV6_AT + 40;
/// Offset of the padding.
pub const PADDING_AT: usize = SIGNATURE_AT + SIGNATURE_OCTETS;
/// Octets of the frame check sequence, which is counted in sizes but not held in memory.
pub const FCS: usize = 4;
/// Smallest frame, with FCS.
pub const SMALLEST: u16 = 79;
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

/// How frames are spaced in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// Evenly: one frame each 1/rate.
    #[default]
    Even,
    /// This many frames at once, bursts spaced so that the mean is the rate.
    Bursts(u32),
}

/// Which octets the sink holds against the template, besides the signature and the length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// All: the device forwards frames unchanged.
    #[default]
    Whole,
    /// PIH, and what is behind the IPv6 header: the device is a router, which rewrites MAC addresses and hop limit.
    Payload,
}

/// A stream as it is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamSpec {
    /// Number in the signature; unique among the streams of a run.
    pub id: u16,
    /// PI code of the PIH, 1..=7.
    pub pi_code: u8,
    /// Virtual network of the PIH, 0..=31.
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
            pi_code,
            vn: 0,
            sizes: Sizes::Fixed(size),
            rate_fps,
            pattern: Pattern::Even,
            compare: Compare::Whole,
            ethertype: 0x88b5,
            mac: ([2, 0, 0, 2, hi, lo], [2, 0, 0, 1, hi, lo]),
            address: (address(2), address(1)),
        }
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
    #[error("stream {id}: frame size {found}, allowed are {SMALLEST} to {LARGEST} octets with FCS")]
    Size {
        /// The stream.
        id: u16,
        /// What was asked for.
        found: u16,
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
    template: Box<[u8]>,
}

impl Stream {
    /// Checks `spec` and builds its frame.
    pub fn new(spec: StreamSpec) -> Result<Self, StreamError> {
        let id = spec.id;
        if !(1..=7).contains(&spec.pi_code) {
            return Err(StreamError::PiCode {
                id,
                found: spec.pi_code,
            });
        }
        if spec.vn > 31 {
            return Err(StreamError::Vn { id, found: spec.vn });
        }
        let largest = match &spec.sizes {
            Sizes::Fixed(size) => check_size(id, *size)?,
            Sizes::Sequence(sizes) => {
                let mut largest = Err(StreamError::NoSize { id });
                for size in sizes {
                    let size = check_size(id, *size)?;
                    largest = Ok(largest.map_or(size, |l| size.max(l)));
                }
                largest?
            }
            Sizes::Uniform { from, to, .. } if from > to => return Err(StreamError::NoSize { id }),
            Sizes::Uniform { from, to, .. } => {
                check_size(id, *from)?;
                check_size(id, *to)?
            }
        };
        if !(SLOWEST_FPS..=FASTEST_FPS).contains(&spec.rate_fps) {
            return Err(StreamError::Rate {
                id,
                found: spec.rate_fps,
            });
        }
        if spec.pattern == Pattern::Bursts(0) {
            return Err(StreamError::Burst { id });
        }
        let template = build(&spec, usize::from(largest) - FCS);
        Ok(Self { spec, template })
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

    /// The PIH octet.
    #[must_use]
    pub fn pih(&self) -> u8 {
        self.spec.pi_code << 5 | self.spec.vn
    }

    /// Generator of the stream's sizes, in octets in memory.
    #[must_use]
    pub(crate) fn sizes(&self) -> SizeWalk {
        SizeWalk {
            sizes: self.spec.sizes.clone(),
            state: 0,
        }
    }

    /// Whether `frame`, whose signature was checked, is otherwise as it was sent.
    #[must_use]
    pub fn is_intact(&self, frame: &[u8]) -> bool {
        let template = &*self.template;
        let len = frame.len();
        if !(PADDING_AT..=template.len()).contains(&len) {
            return false;
        }
        let payload = frame[IPV6_LENGTH_AT..IPV6_LENGTH_AT + 2] == payload_length(len)
            && frame[PADDING_AT..] == template[PADDING_AT..len];
        payload
            && match self.spec.compare {
                Compare::Payload => frame[12..=PIH_AT] == template[12..=PIH_AT],
                Compare::Whole => {
                    frame[..IPV6_LENGTH_AT] == template[..IPV6_LENGTH_AT]
                        && frame[IPV6_LENGTH_AT + 2..SIGNATURE_AT]
                            == template[IPV6_LENGTH_AT + 2..SIGNATURE_AT]
                }
            }
    }
}

/// The IPv6 payload length field of a frame of `len` octets in memory.
#[inline]
pub(crate) fn payload_length(len: usize) -> [u8; 2] {
    // Sizes are checked to be at most LARGEST: fits 16 bits.
    ((len - SIGNATURE_AT) as u16).to_be_bytes()
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
fn mix(mut word: u64) -> u64 {
    word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word ^= word >> 32;
    word = word.wrapping_mul(0xd6e8_feb8_6659_fd93);
    word ^= word >> 29;
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn check_size(id: u16, size: u16) -> Result<u16, StreamError> {
    match (SMALLEST..=LARGEST).contains(&size) {
        true => Ok(size),
        false => Err(StreamError::Size { id, found: size }),
    }
}

fn build(spec: &StreamSpec, len: usize) -> Box<[u8]> {
    let mut frame = Vec::with_capacity(len);
    frame.extend(spec.mac.0);
    frame.extend(spec.mac.1);
    frame.extend(spec.ethertype.to_be_bytes());
    frame.push(spec.pi_code << 5 | spec.vn);
    // Version 6, traffic class 0, flow label.
    frame.extend((6u32 << 28 | u32::from(spec.id)).to_be_bytes());
    frame.extend(payload_length(len));
    const NEXT_HEADER_EXPERIMENT: u8 = 253;
    const HOP_LIMIT: u8 = 64;
    frame.extend([NEXT_HEADER_EXPERIMENT, HOP_LIMIT]);
    frame.extend(spec.address.1.octets());
    frame.extend(spec.address.0.octets());
    frame.extend([0; SIGNATURE_OCTETS]);
    let padding = len - frame.len();
    frame.extend((0..padding as u64).map(|i| (mix(i) >> 56) as u8));
    frame.into_boxed_slice()
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;

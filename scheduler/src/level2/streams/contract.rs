//! What a connection is promised, and why it is not set up.

use thiserror::Error;

use super::{LABEL_LEAST, LABEL_MOST};
use crate::rate::LinkRate;

/// What a connection is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Constant bit rate: its peak rate, always.
    Cbr,
    /// Unspecified bit rate: what is left.
    Ubr,
}

/// A connection that is to be set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connection {
    /// Its virtual network, 0 to 31.
    pub vn: u8,
    /// Its label, [`LABEL_LEAST`] to [`LABEL_MOST`].
    pub label: u32,
    /// What it is promised.
    pub service: Service,
    /// The rate that it never exceeds for longer than its tolerance, on the wire: preamble and gap
    /// count. UBR is not shaped, whatever stands here.
    pub peak: Option<LinkRate>,
    /// tau: how much earlier than its rate alone would have it a frame may go.
    pub tolerance: Tolerance,
    /// Most frames that wait.
    pub buffer: u32,
    /// Octets of its largest frame, with FCS.
    pub largest: u32,
}

/// tau of a connection, ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// Its own, whatever else there is.
    Own(u64),
    /// The one of all connections that say nothing, [`Terms::tolerance_ns`], which grows with them, and so much
    /// more: by how much its frames come early.
    Shared(u64),
}

impl Tolerance {
    /// tau, ns, where that of all that say nothing is `shared_ns`.
    #[inline]
    #[must_use]
    pub const fn ns(self, shared_ns: u64) -> u64 {
        match self {
            Tolerance::Own(own_ns) => own_ns,
            Tolerance::Shared(more_ns) => shared_ns.saturating_add(more_ns),
        }
    }
}

/// What there is for all connections together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What the peak rates of CBR and the rate of signalling may sum up to, bits/s on the wire.
    pub rate_bps: u64,
    /// Most frames that wait, in all.
    pub frames: u32,
    /// Most connections.
    pub connections: u32,
    /// One bit a virtual network: those that are carried.
    pub networks: u32,
}

impl Room {
    /// Room for as many connections as frames, in any network.
    #[must_use]
    pub const fn of(rate_bps: u64, frames: u32) -> Self {
        Self {
            rate_bps,
            frames,
            connections: frames,
            networks: u32::MAX,
        }
    }
}

/// Frames with label 1 (router alert, RFC 3032 2.1): before all others, shaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signalling {
    /// The rate, on the wire.
    pub peak: LinkRate,
    /// As of a [`Connection`], ns.
    pub tolerance_ns: u64,
    /// Most frames that wait.
    pub buffer: u32,
}

/// What changes with the schedule and with what is admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// See [`Room::rate_bps`].
    pub rate_bps: u64,
    /// tau of connections that were not given one, ns.
    pub tolerance_ns: u64,
    /// Rate and tau of signalling; none: as before.
    pub signalling: Option<(LinkRate, u64)>,
}

/// What connections have been promised together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reserved {
    /// The sum of the peak rates of CBR, bits/s.
    pub rate_bps: u64,
    /// Those of connections without a tau of their own.
    pub untold_bps: u64,
    /// The sum of peak rate times tau of the others, and times what those have beyond, bits/s times ns.
    pub told_bps_ns: u128,
    /// The sum of the largest frames of CBR, octets of wire.
    pub turn_octets: u64,
    /// Frames of buffer: those of CBR and of signalling. UBR shares what is left.
    pub frames: u32,
    /// Connections of constant rate.
    pub cbr: u32,
    /// Connections of best effort.
    pub ubr: u32,
}

/// Why a connection is not set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// Networks are five bits.
    #[error("virtual network {vn} is out of range: allowed are 0 to 31")]
    Network {
        /// The network asked for.
        vn: u8,
    },
    /// Its frames could never come.
    #[error("virtual network {vn} is not carried")]
    NotCarried {
        /// The network asked for.
        vn: u8,
    },
    /// Labels are 20 bits, the first 16 of which mean something else.
    #[error("label {label} is out of range: allowed are {LABEL_LEAST} to {LABEL_MOST}")]
    Label {
        /// The label asked for.
        label: u32,
    },
    /// There is one already.
    #[error("virtual network {vn} has a connection with label {label} already")]
    Taken {
        /// The network asked for.
        vn: u8,
        /// The label asked for.
        label: u32,
    },
    /// Without a rate nothing can be promised.
    #[error("a constant rate needs a peak rate: allowed is 1 bit/s and more")]
    NoRate,
    /// A connection without a buffer carries nothing.
    #[error("a buffer of 0 frames carries nothing: allowed is 1 and more")]
    NoBuffer,
    /// The sum of the peak rates would be more than there is.
    #[error(
        "peak rate {asked_bps} bit/s is {} bit/s more than the {spare_bps} bit/s that are left", 
        asked_bps - spare_bps
    )]
    Rate {
        /// What was asked for, bits/s.
        asked_bps: u64,
        /// What is left, bits/s; less than that.
        spare_bps: u64,
    },
    /// The sum of the buffers would be more than there is.
    #[error(
        "a buffer of {asked} frames is {} more than the {spare} that are left",
        asked - spare
    )]
    Buffer {
        /// Frames asked for.
        asked: u32,
        /// Frames that are left; less than that.
        spare: u32,
    },
    /// Memory was taken for so many.
    #[error("there are {most} connections already, which is as many as there may be")]
    Most {
        /// See [`Room::connections`].
        most: u32,
    },
    /// The labels around it need memory, and none was handed over.
    #[error("label {label} needs a block of labels, and none was handed over")]
    NoBlock {
        /// The label asked for.
        label: u32,
    },
}

//! What may be asked about the connections of a PI with `discipline = "streams"` at a port.
//!
//! They are set up and taken down while frames go. A node says no by item: one that is refused changes
//! nothing for the others. Must never promise a connection what another was promised before.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::status::ClassDrops;

/// Items of one request, at most.
pub const STREAMS_MOST: usize = 4096;

/// What a connection is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamClass {
    /// Constant bit rate: its peak rate, always.
    Cbr,
    /// Unspecified bit rate: what is left.
    Ubr,
}

/// A connection that is to be set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamRequest {
    /// Its virtual network, one that the PI carries; 0 if left out.
    #[serde(default)]
    #[schema(maximum = 31)]
    pub vn: u8,
    /// Its label.
    #[schema(minimum = 16, maximum = 1_048_575)]
    pub label: u32,
    /// What it is promised.
    pub class: StreamClass,
    /// Peak rate on the wire, bits per second, preamble and gap included. `cbr` needs one. Of `ubr` it
    /// reserves nothing: who hands its frames in keeps to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_bps: Option<u64>,
    /// By how much frames may be early, nanoseconds. Left out: as much as gets it its rate, however many
    /// connections there will be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance_ns: Option<u64>,
    /// Frames that may wait. Left out: what may gather at the peak rate while the gate is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer: Option<u32>,
    /// By how much its frames may come earlier than its rate alone would have them, nanoseconds: bursts of its source,
    /// and whatever held them up on the way. A buffer that is left out has room for that too, and with a tolerance that
    /// is left out as much may be caught up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub early_ns: u64,
    /// Its largest frame, octets with FCS; longer ones are dropped. Left out: the largest of the PI at
    /// the port. The shorter, the closer is the bound of the delay of all connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_frame: Option<u32>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A connection by its name at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamName {
    /// Its virtual network; 0 if left out.
    #[serde(default)]
    #[schema(maximum = 31)]
    pub vn: u8,
    /// Its label.
    #[schema(minimum = 16, maximum = 1_048_575)]
    pub label: u32,
}

/// What a connection got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamGranted {
    /// Its virtual network.
    pub vn: u8,
    /// Its label.
    pub label: u32,
    /// What it is promised.
    pub class: StreamClass,
    /// Peak rate on the wire, bits per second; none of `ubr` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_bps: Option<u64>,
    /// By how much frames may be early, nanoseconds; of `ubr` 0.
    pub tolerance_ns: u64,
    /// Frames that may wait.
    pub buffer: u32,
    /// Its largest frame, octets with FCS.
    pub max_frame: u32,
    /// Bound of the time from arrival to end on the wire for what conforms to its peak rate, with the
    /// connections of now, nanoseconds. None: nothing bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ns: Option<u64>,
}

/// Why a connection was not set up, or not taken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamCause {
    /// The PI does not carry this virtual network.
    Network,
    /// No label of a connection.
    Label,
    /// There is one with this name already.
    Taken,
    /// The peak rate is missing, or more than is left.
    Rate,
    /// The tolerance is less than the wait for the phase.
    Tolerance,
    /// The buffer is none, or more than is left.
    Buffer,
    /// The largest frame is none that the PI may send at the port.
    MaxFrame,
    /// As many as there may be.
    Most,
    /// There is none with this name.
    NoSuch,
    /// It is of the configuration file, which alone takes it down.
    Configured,
}

/// A connection that was not set up, or not taken down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamRefused {
    /// The virtual network asked for.
    pub vn: u8,
    /// The label asked for.
    pub label: u32,
    /// Why.
    pub cause: StreamCause,
    /// The same in words, with what is allowed.
    pub what: String,
}

/// What was counted of a connection. Always enqueued = queued + dequeued + cleared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamCounters {
    /// Frames that wait.
    pub queued: u64,
    /// Frames that were queued.
    pub enqueued: u64,
    /// Frames that it let go: sent, or dropped on the way to the port.
    pub dequeued: u64,
    /// Their octets on the wire.
    pub dequeued_bytes: u64,
    /// Queued when the guest went away, or when it was taken down.
    pub cleared: u64,
    /// Frames that were not queued.
    pub drops: ClassDrops,
}

/// A connection that was taken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamReleased {
    /// Its virtual network.
    pub vn: u8,
    /// Its label.
    pub label: u32,
    /// All that it counted.
    pub counters: StreamCounters,
}

/// A connection that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamStatus {
    /// What it got; the bound is that of now.
    #[serde(flatten)]
    pub granted: StreamGranted,
    /// It is of the configuration file.
    pub configured: bool,
    /// What it has counted.
    pub counters: StreamCounters,
}

/// Frames of buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamBuffers {
    /// What all connections may hold together: what the transmit rings do.
    pub frames: u32,
    /// What is reserved of it, for signalling too.
    pub reserved: u32,
}

/// Which of the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamPage {
    /// From where on: 0, then what the page before says.
    pub from: u32,
    /// So many at most.
    pub most: usize,
}

/// The connections of a PI at a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Streams {
    /// What the phases guarantee the PI, bits per second on the wire: the least of the schedule in
    /// force and those that are to follow.
    pub guaranteed_bps: u64,
    /// What of it connections have reserved.
    pub reserved_bps: u64,
    /// What of it signalling has.
    pub signalling_bps: u64,
    /// What is left for further connections.
    pub spare_bps: u64,
    /// Frames of buffer.
    pub buffer: StreamBuffers,
    /// How many connections there are.
    pub count: u32,
    /// How many there may be.
    pub most: u32,
    /// Frames with label 1.
    pub signalling: StreamCounters,
    /// A page of them, in no order that says anything.
    pub connections: Vec<StreamStatus>,
    /// Where the next page begins; none behind the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

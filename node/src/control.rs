//! What the control API may ask of a running node.
//!
//! The API knows nothing else of the node, and the node nothing of HTTP. Calls may block for up to
//! a second or so; the API makes them off its event loop.

mod streams;

use std::fmt;
use std::str::FromStr;
use std::sync::mpsc::Receiver;

use pinode_signaling::Prefix;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use crate::dss::{Permanent, PermanentShown};
use crate::status::{GuestStatus, PhaseEntry, PortPhases, Status};
pub use streams::{
    STREAMS_MOST, StreamBuffers, StreamCause, StreamClass, StreamCounters, StreamGranted,
    StreamName, StreamPage, StreamRefused, StreamReleased, StreamRequest, StreamStatus, Streams,
};

/// A running node, as its control API sees it. Names are as in the configuration.
pub trait Control: Send + Sync {
    /// All counters at one instant between two bursts: the sums of the contract hold exactly. Guests were asked
    /// what they do with their time right before; one that does not answer within a quarter of a second is shown
    /// as of its last answer.
    ///
    /// # Errors
    ///
    /// [`ControlError::Failed`] if the data plane does not answer.
    fn status(&self) -> Result<Status, ControlError>;

    /// The schedule of a port.
    ///
    /// # Errors
    ///
    /// [`ControlError::Unknown`] if there is no such port.
    fn phases(&self, port: &str) -> Result<PortPhases, ControlError>;

    /// Installs a schedule on a port (IEEE 802.1Q-2018 8.6.9.3); one that still waits is replaced. The
    /// guard stays as configured.
    ///
    /// # Errors
    ///
    /// [`ControlError::Unknown`] for the port, [`ControlError::Refused`] for a schedule that
    /// cannot hold or names an unknown PI.
    fn set_phases(&self, port: &str, request: SetPhases) -> Result<PhasesSet, ControlError>;

    /// The guests, in the order of the configuration; what they do with their time as they said last.
    ///
    /// # Errors
    ///
    /// [`ControlError::Failed`] if the supervisor does not answer.
    fn guests(&self) -> Result<Vec<GuestStatus>, ControlError>;

    /// Starts, stops or restarts a guest; returns when a stop is complete or a start under way.
    ///
    /// # Errors
    ///
    /// [`ControlError::Unknown`] for the guest, [`ControlError::Conflict`] if its state does not
    /// allow the action, [`ControlError::Failed`] if the machine does not start.
    fn guest_action(&self, name: &str, action: GuestAction) -> Result<GuestStatus, ControlError>;

    /// Asks the function of a guest something, or tells it to change something, and waits for its answer: its
    /// form is the function's. What it changes outlives a restart of the guest where the node keeps a journal.
    ///
    /// # Errors
    ///
    /// [`ControlError::Unknown`] for the guest, [`ControlError::Refused`] with the function's own words,
    /// [`ControlError::Conflict`] for a guest that is not running or cannot be asked, [`ControlError::Failed`] if it
    /// does not answer.
    fn guest_request(
        &self,
        guest: &str,
        request: serde_json::Value,
    ) -> Result<serde_json::Value, ControlError>;

    /// What the guest's console has printed since `offset` octets. An offset of 0 gives the tail
    /// that is still kept; an offset before that tail, or behind the end, gives the tail as well.
    ///
    /// # Errors
    ///
    /// [`ControlError::Unknown`] for the guest.
    fn console_since(&self, name: &str, offset: u64) -> Result<ConsoleChunk, ControlError>;

    /// Starts a capture: pieces of one pcapng stream, its header first, whole blocks each. It ends
    /// when the receiver is dropped, or by itself when the node goes down.
    ///
    /// # Errors
    ///
    /// [`ControlError::Unknown`] for port or guest, [`ControlError::Conflict`] if a capture is
    /// running there.
    fn capture(&self, at: &CapturePoint) -> Result<Receiver<Vec<u8>>, ControlError>;

    /// Sets connections of a PI up at a port while frames go, each by itself: the answers are in the order
    /// of the items. They outlive a restart of the guest, and not one of the node.
    ///
    /// # Errors
    ///
    /// [`ControlError::Unknown`] for port or PI, [`ControlError::Refused`] for a PI without
    /// connections and for more than [`STREAMS_MOST`] items, [`ControlError::Failed`] if the data plane
    /// does not answer.
    fn connect_streams(
        &self,
        port: &str,
        pi: &str,
        items: Vec<StreamRequest>,
    ) -> Result<Vec<Result<StreamGranted, StreamRefused>>, ControlError>;

    /// Takes connections down that were set up at run time, each by itself. Frames of theirs that wait are
    /// given back to the guest, and counted as cleared.
    ///
    /// # Errors
    ///
    /// As [`connect_streams`](Self::connect_streams).
    fn disconnect_streams(
        &self,
        port: &str,
        pi: &str,
        items: Vec<StreamName>,
    ) -> Result<Vec<Result<StreamReleased, StreamRefused>>, ControlError>;

    /// What the signalling of a switch shows: its neighbours, calls, and what is set for them. Of calls a page, those
    /// behind `after`.
    ///
    /// # Errors
    ///
    /// [`ControlError::Unknown`] for a guest without signalling, [`ControlError::Failed`] if its daemon does not
    /// answer.
    fn signalling(&self, guest: &str, after: u64) -> Result<crate::dss::Shown, ControlError>;

    /// Adds a route of calls, or takes it away; those that went by it stay.
    ///
    /// # Errors
    ///
    /// As [`signalling`](Self::signalling); [`ControlError::Unknown`] for the port, [`ControlError::Refused`] for a
    /// route that is there already, or is not there.
    fn call_route(
        &self,
        guest: &str,
        delete: bool,
        prefix: Prefix,
        port: &str,
    ) -> Result<(), ControlError>;

    /// Releases a call.
    ///
    /// # Errors
    ///
    /// As [`signalling`](Self::signalling); [`ControlError::Refused`] if there is no such call.
    fn release_call(&self, guest: &str, call: u64) -> Result<(), ControlError>;

    /// Permanent ends of connections, with their connections and the bounds of these.
    ///
    /// # Errors
    ///
    /// As [`signalling`](Self::signalling).
    fn permanents(&self, guest: &str) -> Result<Vec<PermanentShown>, ControlError>;

    /// One more, until the node ends: how it is at first.
    ///
    /// # Errors
    ///
    /// [`ControlError::Unknown`] for a guest without signalling, [`ControlError::Refused`] for what cannot be.
    fn add_permanent(&self, guest: &str, permanent: Permanent) -> Result<(), ControlError>;

    /// One less; its connections are released.
    ///
    /// # Errors
    ///
    /// As [`add_permanent`](Self::add_permanent); those of the configuration are refused.
    fn remove_permanent(&self, guest: &str, name: &str) -> Result<(), ControlError>;

    /// The connections of a PI at a port, a page of them: at most [`STREAMS_MOST`].
    ///
    /// # Errors
    ///
    /// As [`connect_streams`](Self::connect_streams).
    fn streams(&self, port: &str, pi: &str, page: StreamPage) -> Result<Streams, ControlError>;
}

/// What to do with a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuestAction {
    /// Boot a stopped guest.
    Start,
    /// Stop a guest; its frames are dropped and counted until it is started again.
    Stop,
    /// Stop it if it runs, then boot it.
    Restart,
}

impl GuestAction {
    /// As in paths and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// A schedule to be installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPhases {
    /// In the order of the cycle; `none` is a phase in which every gate is closed.
    pub phases: Vec<PhaseEntry>,
    /// Base time in nanoseconds of CLOCK_TAI; the next cycle boundary if left out.
    #[serde(default)]
    pub base_tai_ns: Option<u64>,
    /// By how much the last cycle of this schedule may be extended before the next, in nanoseconds,
    /// at most the cycle; that of the configuration, as far as the cycle allows, if left out.
    #[serde(default)]
    pub extension_ns: Option<u64>,
}

/// A schedule was installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PhasesSet {
    /// When gates begin to follow it, in nanoseconds of CLOCK_TAI.
    pub takes_effect_tai_ns: u64,
    /// When the schedule that waited before it, which it replaces, would have taken effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_tai_ns: Option<u64>,
}

/// A piece of console output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsoleChunk {
    /// As the guest printed it, controls and all.
    pub bytes: Vec<u8>,
    /// The offset to ask for next.
    pub next: u64,
}

/// Where a capture is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CapturePoint {
    /// Everything that a port receives and sends.
    Port(String),
    /// Everything that crosses a guest's vif on a port.
    Vif {
        /// The guest's name, which is its PI's.
        guest: String,
        /// The port of the vif.
        port: String,
    },
}

impl fmt::Display for CapturePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "{port}"),
            Self::Vif { guest, port } => write!(f, "{guest}/{port}"),
        }
    }
}

/// A text that names no capture point.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no capture point; allowed: PORT or GUEST/PORT, such as west or can/west")]
pub struct BadCapturePoint(String);

impl FromStr for CapturePoint {
    type Err = BadCapturePoint;

    fn from_str(text: &str) -> Result<Self, BadCapturePoint> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            [port] if !port.is_empty() => Ok(Self::Port(port.to_owned())),
            [guest, port] if !guest.is_empty() && !port.is_empty() => Ok(Self::Vif {
                guest: guest.to_owned(),
                port: port.to_owned(),
            }),
            _ => Err(BadCapturePoint(text.to_owned())),
        }
    }
}

/// Why the node did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ControlError {
    /// A name that the configuration does not have.
    #[error("there is no {kind} {name:?}; there are: {}", known.join(", "))]
    Unknown {
        /// `port` or `guest`.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The request can never hold.
    #[error("{at}: {what}")]
    Refused {
        /// The part of the request, such as `port.west.cycle`.
        at: String,
        /// What is wrong and what is allowed.
        what: String,
    },
    /// The request does not fit the state of the node now.
    #[error("{at}: {what}")]
    Conflict {
        /// Such as `guest.can`.
        at: String,
        /// What is in the way.
        what: String,
    },
    /// Nothing was asked, as too much is waiting: the same may be asked again later.
    #[error("{at}: {what}")]
    Busy {
        /// Such as `guest.can`.
        at: String,
        /// What waits.
        what: String,
    },
    /// The node could not do it.
    #[error("{at}: {what}")]
    Failed {
        /// Such as `guest.can` or `worker`.
        at: String,
        /// What failed and what to do.
        what: String,
    },
}

impl ControlError {
    /// The part of the node or of the request that the error is about.
    #[must_use]
    pub fn at(&self) -> String {
        match self {
            Self::Unknown { kind, name, .. } => format!("{kind}.{name}"),
            Self::Refused { at, .. }
            | Self::Conflict { at, .. }
            | Self::Busy { at, .. }
            | Self::Failed { at, .. } => at.clone(),
        }
    }

    /// What was wrong, without the place.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::Unknown { .. } => self.to_string(),
            Self::Refused { what, .. }
            | Self::Conflict { what, .. }
            | Self::Busy { what, .. }
            | Self::Failed { what, .. } => what.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_points() {
        assert_eq!("west".parse(), Ok(CapturePoint::Port("west".into())));
        let vif = CapturePoint::Vif {
            guest: "can".into(),
            port: "west".into(),
        };
        assert_eq!("can/west".parse::<CapturePoint>().as_ref(), Ok(&vif));
        assert_eq!(vif.to_string(), "can/west");
        for bad in ["", "/", "can/", "/west", "a/b/c"] {
            assert_eq!(
                bad.parse::<CapturePoint>(),
                Err(BadCapturePoint(bad.into()))
            );
        }
    }
}

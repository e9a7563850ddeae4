//! Permanent ends of connections: places at ports of the node for devices that do not signal. The switch signals for
//! them; at the port all is configured.

use pinode_signaling::daemon::switch::Place;
use pinode_signaling::{Address, Qos};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A permanent end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Permanent {
    /// Its name, which no other of the guest has.
    pub name: String,
    /// Name of the port that the device is at.
    pub port: String,
    /// The virtual network; left out: that of the access port, or the lowest of the PI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 31)]
    pub vn: Option<u8>,
    /// The label that the device sends with and hears, or the first of them.
    #[schema(minimum = 16, maximum = 1_048_575)]
    pub label: u32,
    /// What is done for it.
    pub end: End,
}

/// What is done for a permanent end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum End {
    /// A connection is asked for, and again whenever it is not there.
    Call {
        /// Who is called.
        #[schema(value_type = String)]
        called: Address,
        /// Who calls; left out: nobody that could be called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        address: Option<Address>,
        /// What is asked for, as the device sees it.
        qos: Qos,
    },
    /// Calls to an address are accepted, each with a label of its own.
    Listen {
        /// The address.
        #[schema(value_type = String)]
        address: Address,
        /// Labels, and so calls at most.
        #[schema(minimum = 1, maximum = 1_024)]
        labels: u16,
        /// Largest payload that the device takes and sends, octets.
        #[schema(minimum = 1, maximum = 1_491)]
        max_sdu: u16,
    },
}

impl Permanent {
    /// How many labels it has.
    #[must_use]
    pub fn labels(&self) -> u16 {
        match self.end {
            End::Call { .. } => 1,
            End::Listen { labels, .. } => labels,
        }
    }

    /// How many sockets the guest needs for it.
    #[must_use]
    pub fn sockets(&self) -> u32 {
        match self.end {
            End::Call { .. } => 1,
            End::Listen { labels, .. } => 1 + u32::from(labels),
        }
    }
}

/// How far a permanent end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PermanentState {
    /// There is no daemon, or no guest, just now; or its turn to be asked for has not come.
    Waiting,
    /// It was asked for.
    Connecting,
    /// The connection is there.
    Up,
    /// Calls are accepted.
    Listening,
    /// It was refused, or has ended, and is asked for again soon.
    Down,
}

/// A permanent end and how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PermanentShown {
    /// What is wanted.
    pub permanent: Permanent,
    /// Whether it is of the configuration file, which alone takes it away.
    pub configured: bool,
    /// How far it is.
    pub state: PermanentState,
    /// How often it was asked for.
    pub tries: u64,
    /// Why it was refused last, or has ended: a cause of Q.850 (ITU-T Q.2931 4.5.15); none: for another reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u8>,
    /// The same in words; none: it was not refused since it was last there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// It is asked for again in so many nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_in_ns: Option<u64>,
    /// Its connections.
    pub calls: Vec<PermanentCall>,
}

/// A connection of a permanent end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PermanentCall {
    /// The call's number in the daemon.
    pub call: u64,
    /// How far it is, as of any call.
    pub state: String,
    /// The device's label.
    pub label: u32,
    /// The other end; the null address if it is not told.
    #[schema(value_type = String)]
    pub peer: Address,
    /// What is granted, as the device sees it.
    pub qos: Qos,
    /// Where it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Place>,
    /// Bound of the delay of the device's frames in this node, nanoseconds; none: nothing bounds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transmit_delay_ns: Option<u64>,
    /// The same of frames to the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_delay_ns: Option<u64>,
}

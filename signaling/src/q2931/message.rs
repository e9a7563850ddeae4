//! Messages of call control, ITU-T Q.2931 3 and 4: what they say. Octets are in `encode` and `decode`.

use super::reason::Reason;
use super::{CallState, Setup};
use crate::qos::Qos;

/// The greatest call reference value: 23 bits.
pub const LAST_REFERENCE: u32 = (1 << 23) - 1;

/// Which call a message is of, Q.2931 4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallReference {
    /// The flag: the message goes to the side that chose the value.
    pub to_originator: bool,
    /// The value, 1 to [`LAST_REFERENCE`]; 0 is the global call reference.
    pub value: u32,
}

/// Message types, Q.2931 table 4-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// CALL PROCEEDING.
    CallProceeding = 0x02,
    /// SETUP.
    Setup = 0x05,
    /// CONNECT.
    Connect = 0x07,
    /// CONNECT ACKNOWLEDGE.
    ConnectAcknowledge = 0x0f,
    /// RELEASE.
    Release = 0x4d,
    /// RELEASE COMPLETE.
    ReleaseComplete = 0x5a,
    /// STATUS ENQUIRY.
    StatusEnquiry = 0x75,
    /// STATUS.
    Status = 0x7d,
}

impl MessageType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::CallProceeding,
        Self::Setup,
        Self::Connect,
        Self::ConnectAcknowledge,
        Self::Release,
        Self::ReleaseComplete,
        Self::StatusEnquiry,
        Self::Status,
    ];

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The type of a number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Which call it is of.
    pub reference: CallReference,
    /// What it says.
    pub body: Body,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// SETUP: asks for a call. Its QoS is as the calling side sees it.
    Setup(Setup),
    /// CALL PROCEEDING: SETUP has come.
    CallProceeding,
    /// CONNECT: the call is accepted.
    Connect {
        /// What is granted, as the calling side sees it.
        qos: Qos,
    },
    /// CONNECT ACKNOWLEDGE: CONNECT has come.
    ConnectAcknowledge,
    /// RELEASE: the call is to end.
    Release {
        /// Why.
        reason: Reason,
    },
    /// RELEASE COMPLETE: the call has ended.
    ReleaseComplete {
        /// Why; none as the answer to a RELEASE.
        reason: Option<Reason>,
    },
    /// STATUS ENQUIRY: asks for STATUS.
    StatusEnquiry,
    /// STATUS: the state of a call, and what was wrong with a message.
    Status {
        /// Why it is sent.
        reason: Reason,
        /// The state of the call.
        state: CallState,
    },
}

impl Body {
    /// Its type.
    #[must_use]
    pub fn kind(&self) -> MessageType {
        match self {
            Self::Setup(_) => MessageType::Setup,
            Self::CallProceeding => MessageType::CallProceeding,
            Self::Connect { .. } => MessageType::Connect,
            Self::ConnectAcknowledge => MessageType::ConnectAcknowledge,
            Self::Release { .. } => MessageType::Release,
            Self::ReleaseComplete { .. } => MessageType::ReleaseComplete,
            Self::StatusEnquiry => MessageType::StatusEnquiry,
            Self::Status { .. } => MessageType::Status,
        }
    }
}

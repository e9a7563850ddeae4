//! Call states, ITU-T Q.2931 2.1, as both neighbours have them: each is the other's user and network.

use core::fmt;

/// The state of a call, with the number that STATUS carries (Q.2931 4.5.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CallState {
    /// There is no call.
    Null = 0,
    /// SETUP was sent.
    CallInitiated = 1,
    /// SETUP was sent and CALL PROCEEDING heard.
    OutgoingCallProceeding = 3,
    /// SETUP was heard, nothing sent. Left at once here.
    CallPresent = 6,
    /// CONNECT was sent.
    ConnectRequest = 8,
    /// SETUP was heard and CALL PROCEEDING sent.
    IncomingCallProceeding = 9,
    /// CONNECT was acknowledged.
    Active = 10,
    /// RELEASE was sent.
    ReleaseRequest = 11,
    /// RELEASE was heard. Left at once here.
    ReleaseIndication = 12,
}

impl CallState {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Null,
        Self::CallInitiated,
        Self::OutgoingCallProceeding,
        Self::CallPresent,
        Self::ConnectRequest,
        Self::IncomingCallProceeding,
        Self::Active,
        Self::ReleaseRequest,
        Self::ReleaseIndication,
    ];

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The state of a number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }
}

impl fmt::Display for CallState {
    /// As in `Active (U10)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Null => "Null",
            Self::CallInitiated => "Call Initiated",
            Self::OutgoingCallProceeding => "Outgoing Call Proceeding",
            Self::CallPresent => "Call Present",
            Self::ConnectRequest => "Connect Request",
            Self::IncomingCallProceeding => "Incoming Call Proceeding",
            Self::Active => "Active",
            Self::ReleaseRequest => "Release Request",
            Self::ReleaseIndication => "Release Indication",
        };
        write!(f, "{name} (U{})", self.number())
    }
}

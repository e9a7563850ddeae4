//! Why calls end: cause values of ITU-T Q.850 table 1 and Q.2931 4.5.15.
//!
//! Must not know what an application is told instead: that is the internal protocol's.

use core::fmt;

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $number:literal $text:literal,)*) => {
        /// Why a call ended, or a message was not understood.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Cause {
            $(#[doc = $text] $name = $number,)*
        }

        impl Cause {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            fn exactly(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

causes! {
    UnallocatedNumber = 1 "unallocated (unassigned) number",
    NoRouteToDestination = 3 "no route to destination",
    NormalCallClearing = 16 "normal call clearing",
    UserBusy = 17 "user busy",
    NoUserResponding = 18 "no user responding",
    CallRejected = 21 "call rejected",
    ExchangeRoutingError = 25 "exchange routing error",
    DestinationOutOfOrder = 27 "destination out of order",
    InvalidNumberFormat = 28 "invalid number format (address incomplete)",
    ResponseToStatusEnquiry = 30 "response to STATUS ENQUIRY",
    NormalUnspecified = 31 "normal, unspecified",
    RequestedVpciVciNotAvailable = 35 "requested VPCI/VCI not available",
    UserCellRateNotAvailable = 37 "user cell rate not available",
    NetworkOutOfOrder = 38 "network out of order",
    TemporaryFailure = 41 "temporary failure",
    AccessInformationDiscarded = 43 "access information discarded",
    NoVpciVciAvailable = 45 "no VPCI/VCI available",
    ResourcesUnavailable = 47 "resources unavailable, unspecified",
    QualityOfServiceUnavailable = 49 "quality of service unavailable",
    BearerCapabilityNotAuthorized = 57 "bearer capability not authorized",
    BearerCapabilityNotAvailable = 58 "bearer capability not presently available",
    ServiceNotAvailable = 63 "service or option not available, unspecified",
    BearerCapabilityNotImplemented = 65 "bearer capability not implemented",
    TrafficParametersNotSupported = 73 "unsupported combination of traffic parameters",
    ServiceNotImplemented = 79 "service or option not implemented, unspecified",
    InvalidCallReference = 81 "invalid call reference value",
    IdentifiedChannelDoesNotExist = 82 "identified channel does not exist",
    IncompatibleDestination = 88 "incompatible destination",
    InvalidMessage = 95 "invalid message, unspecified",
    MandatoryElementMissing = 96 "mandatory information element is missing",
    MessageTypeNonExistent = 97 "message type non-existent or not implemented",
    ElementNonExistent = 99 "information element non-existent or not implemented",
    InvalidElementContents = 100 "invalid information element contents",
    MessageNotCompatibleWithState = 101 "message not compatible with call state",
    RecoveryOnTimerExpiry = 102 "recovery on timer expiry",
    IncorrectMessageLength = 104 "incorrect message length",
    ProtocolError = 111 "protocol error, unspecified",
    Interworking = 127 "interworking, unspecified",
}

impl Cause {
    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The cause of a number, 0 to 127; of one that is not known, the unspecified one of its class
    /// (Q.850 2.2.5). The bit above is not looked at.
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        let number = number & 0x7f;
        Self::exactly(number).unwrap_or(match number >> 4 {
            0 | 1 => Self::NormalUnspecified,
            2 => Self::ResourcesUnavailable,
            3 => Self::ServiceNotAvailable,
            4 => Self::ServiceNotImplemented,
            5 => Self::InvalidMessage,
            6 => Self::ProtocolError,
            _ => Self::Interworking,
        })
    }
}

impl fmt::Display for Cause {
    /// As in `cause 37: user cell rate not available`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cause {}: {}", self.number(), self.text())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn numbers_and_back() {
        for &cause in Cause::ALL {
            assert_eq!(Cause::from_number(cause.number()), cause);
        }
        assert_eq!(
            Cause::UserCellRateNotAvailable.to_string(),
            "cause 37: user cell rate not available"
        );
    }

    #[test]
    fn an_unknown_number_is_the_unspecified_one_of_its_class() {
        for (number, cause) in [
            (0, Cause::NormalUnspecified),
            (19, Cause::NormalUnspecified),
            (46, Cause::ResourcesUnavailable),
            (0x80 | 62, Cause::ServiceNotAvailable),
            (70, Cause::ServiceNotImplemented),
            (90, Cause::InvalidMessage),
            (103, Cause::ProtocolError),
            (126, Cause::Interworking),
        ] {
            assert_eq!(Cause::from_number(number), cause, "{number}");
        }
    }
}

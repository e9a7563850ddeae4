//! What an application is told when something cannot be done.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::daemon::cause;
use crate::isp::ErrorCode;
use crate::isp::kernel::NotNow;
use crate::packet::PacketError;

/// See the module.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No daemon listens there.
    #[error("no signalling daemon at {}: {source}; is the node, or `pinode dss` of this host, running?", path.display())]
    Open {
        /// Its socket.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The daemon is gone, and all connections with it.
    #[error("the signalling daemon is gone; allowed: close, and open another")]
    Unavailable,
    /// The network, the called party or the daemon does not want it.
    #[error("{what} was refused: {}", reason(*code, words.as_deref()))]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// Why not.
        code: ErrorCode,
        /// The same in words of who refuses, if it has any: which link or table, how much was asked for, how much is
        /// left.
        words: Option<String>,
    },
    /// The connection has ended from afar, and all that came before is received.
    #[error("the connection was closed{}", code.map_or_else(String::new, |code| format!(": {}", reason(code, words.as_deref()))))]
    Closed {
        /// Why; none: the other side closed it.
        code: Option<ErrorCode>,
        /// The same in words of who has ended it, if it has any.
        words: Option<String>,
    },
    /// It takes longer than was allowed.
    #[error("{what} took longer than {} ms", time.as_millis())]
    Timeout {
        /// What.
        what: &'static str,
        /// What was allowed.
        time: Duration,
    },
    /// More than a frame of this connection carries.
    #[error("{octets} octets for one frame; allowed on this connection: {allowed}")]
    TooLong {
        /// How many.
        octets: usize,
        /// How many may be.
        allowed: u16,
    },
    /// No room for what a frame of this connection may carry.
    #[error("room for {room} octets; needed on this connection: {needed}")]
    Room {
        /// How many have room.
        room: usize,
        /// How many may come.
        needed: u16,
    },
    /// Nothing may be sent.
    #[error("the connection carries nothing this way; allowed: to receive")]
    OneWay,
    /// The interface of the connection cannot be used.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The interface of the connection fails.
    #[error("the interface of the connection fails: {source}")]
    Link {
        /// How.
        source: io::Error,
    },
    /// The operating system has no more descriptors, threads or memory.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// There are too many sockets.
    #[error(transparent)]
    NotNow(NotNow),
}

impl From<NotNow> for Error {
    fn from(error: NotNow) -> Self {
        match error {
            NotNow::Unavailable => Self::Unavailable,
            error => Self::NotNow(error),
        }
    }
}

/// What an error code says, and words beside it.
fn reason(code: ErrorCode, words: Option<&str>) -> String {
    let number = code.get();
    let said = match cause(code) {
        _ if (-511..0).contains(&number) => {
            io::Error::from_raw_os_error(number.saturating_neg()).to_string()
        }
        Some(cause) => cause.to_string(),
        None => format!("error {number}"),
    };
    match words {
        Some(words) => format!("{said} ({words})"),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_system_or_causes() {
        let reason = |number| reason(ErrorCode::new(number).unwrap(), None);
        assert!(reason(-111).starts_with("Connection refused"));
        assert_eq!(reason(-512 - 17), "cause 17: user busy");
        assert_eq!(reason(i32::MIN), "error -2147483648");
    }

    #[test]
    fn an_end_has_a_reason_or_none() {
        let closed = |code| Error::Closed { code, words: None }.to_string();
        assert_eq!(closed(None), "the connection was closed");
        let code = ErrorCode::new(-512 - 27);
        assert_eq!(
            closed(code),
            "the connection was closed: cause 27: destination out of order"
        );
    }
}

//! States of a socket on the daemon's side, and what each allows.
//!
//! Must never have two states that answer everything alike.

use alloc::collections::VecDeque;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Kept until the answer only: bind makes no state.
    Binding,
    Connecting,
    Registering,
    Accepting,
    Connected,
    Listening(VecDeque<u64>),
    /// The demon has sent close, and waits for the kernel's.
    Ending,
    /// The kernel has sent close, and waits for the demon's; with the calls that were not answered.
    Ended(VecDeque<u64>),
    /// De-registered; the kernel has still to reject these calls.
    Left(VecDeque<u64>),
}

impl State {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Binding => "waiting for the answer to as_bind",
            Self::Connecting => "connecting",
            Self::Registering => "waiting for the answer to as_listen",
            Self::Accepting => "accepting",
            Self::Connected => "connected",
            Self::Listening(_) => "listening",
            Self::Ending => "closed by the demon",
            Self::Ended(_) => "closed by the kernel",
            Self::Left(_) => "de-registered, with calls to be rejected",
        }
    }

    pub(super) fn allowed(&self) -> &'static str {
        match self {
            Self::Binding => "okay_bind, error",
            Self::Connecting => "okay_connect, error",
            Self::Registering => "okay_listen, error",
            Self::Accepting => "okay_accept, error",
            Self::Connected => "close",
            Self::Listening(_) => "indicate",
            Self::Ended(_) => "close, error",
            Self::Ending | Self::Left(_) => "nothing",
        }
    }
}

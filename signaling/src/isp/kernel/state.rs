//! States of a socket on the socket side, and what each allows.
//!
//! Must never have two states that answer everything alike.

use alloc::collections::VecDeque;

use super::event::Incoming;
use crate::isp::to_kernel::Request;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    New,
    Binding,
    Connecting,
    Registering,
    Accepting(Incoming),
    Connected,
    /// The demon has closed it; the application not yet.
    Ended,
    /// Close was sent; perhaps an okay is still to come.
    Closing(Option<Request>),
    Listening(VecDeque<Incoming>),
    /// Close was sent by one that listens: calls may still come.
    Deregistering(VecDeque<Incoming>),
}

impl State {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Binding => "waiting for the answer to as_bind",
            Self::Connecting => "connecting",
            Self::Registering => "waiting for the answer to as_listen",
            Self::Accepting(_) => "accepting",
            Self::Connected => "connected",
            Self::Ended => "ended from afar",
            Self::Closing(_) => "closing",
            Self::Listening(_) => "listening",
            Self::Deregistering(_) => "closing, after listening",
        }
    }

    pub(super) fn allowed(&self) -> &'static str {
        match self {
            Self::New => "bind, connect, listen, close",
            Self::Connecting | Self::Accepting(_) | Self::Connected | Self::Ended => "close",
            Self::Listening(_) => "accept, reject, close",
            Self::Binding | Self::Registering => "nothing before the answer (3.5, 3.7)",
            Self::Closing(_) | Self::Deregistering(_) => "nothing",
        }
    }

    /// What it waits for an answer to.
    pub(super) fn asked(&self) -> Option<Request> {
        match self {
            Self::Binding => Some(Request::Bind),
            Self::Connecting => Some(Request::Connect),
            Self::Registering => Some(Request::Listen),
            Self::Accepting(_) => Some(Request::Accept),
            Self::Closing(asked) => *asked,
            _ => None,
        }
    }
}

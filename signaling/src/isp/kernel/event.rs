//! What the application learns from messages and from its own calls.
//!
//! Must never leave the application to guess whether a number is free.

use alloc::vec::Vec;

use crate::isp::field::{ErrorCode, Pvc, Sap, Vcc};
use crate::isp::to_demon::ToDemon;
use crate::isp::to_kernel::Request;
use crate::{Address, Qos};

/// An incoming call, as indicated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Where its connection is.
    pub pvc: Pvc,
    /// What it is made with.
    pub qos: Qos,
    /// Calling party.
    pub svc: Sap,
}

/// What a message means to the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `bind` was done.
    Bound {
        /// The socket.
        vcc: Vcc,
        /// Its SAP, to be given to `connect` or `listen`: the demon does not keep it (3.5).
        svc: Sap,
    },
    /// `connect` was done: frames may be sent.
    Connected {
        /// The socket.
        vcc: Vcc,
        /// Where the connection is.
        pvc: Pvc,
        /// Address of this end.
        local: Address,
        /// What was granted.
        qos: Qos,
    },
    /// `listen` was done.
    Listening {
        /// The socket.
        vcc: Vcc,
    },
    /// A call has come in; it waits for `accept` or `reject` behind those before it.
    Incoming {
        /// The listening socket.
        listen_vcc: Vcc,
    },
    /// `accept` was done: frames may be sent.
    Accepted {
        /// The new socket.
        vcc: Vcc,
        /// Where the connection is.
        pvc: Pvc,
        /// Address of this end.
        local: Address,
        /// What it was made with.
        qos: Qos,
    },
    /// A request failed. The socket is as new; after `accept` it is free.
    Failed {
        /// The socket.
        vcc: Vcc,
        /// What was asked.
        request: Request,
        /// Why.
        reply: ErrorCode,
    },
    /// The connection has ended from afar. Nothing may be sent on it any more; [`super::Kernel::close`] must follow, as soon
    /// as nothing is: the demon gives its label to others then.
    Closed {
        /// The socket.
        vcc: Vcc,
        /// Why; none: the remote party closed it.
        reply: Option<ErrorCode>,
    },
    /// A request was done that the application has given up by `close` (figure 9): nothing to do.
    Crossed {
        /// The socket.
        vcc: Vcc,
    },
    /// `close` was done: the number is free.
    Gone {
        /// The socket.
        vcc: Vcc,
        /// What the acknowledgement says; none: normal.
        reply: Option<ErrorCode>,
        /// What is to be sent: a reject for each call that the listening socket had (3.8).
        send: Vec<ToDemon>,
    },
}

/// What `accept` began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepting {
    /// The new socket.
    pub vcc: Vcc,
    /// The call.
    pub call: Incoming,
    /// What is to be sent.
    pub send: ToDemon,
}

/// What `close` began or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// What is to be sent; none: the demon knows nothing of the socket.
    pub send: Option<ToDemon>,
    /// Whether the number is free already; if not, [`Event::Gone`] follows.
    pub gone: bool,
}

//! What messages of the kernel side ask of call control.
//!
//! Must always say which answer is due.

use alloc::vec::Vec;

use crate::isp::field::{Aal, ErrorCode, Sap, Vcc};
use crate::isp::to_kernel::ToKernel;
use crate::{Address, Qos};

/// What a message asks of call control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// To be answered by [`super::Demon::okay_bind`] or [`super::Demon::error`].
    Bind {
        /// The socket.
        vcc: Vcc,
        /// Adaptation layer.
        aal: Aal,
        /// Wanted SAP; null address: choose one.
        svc: Sap,
    },
    /// To be answered by [`super::Demon::okay_connect`] or [`super::Demon::error`].
    Connect {
        /// The socket.
        vcc: Vcc,
        /// Adaptation layer.
        aal: Aal,
        /// Calling party; null: choose one.
        local: Address,
        /// What is asked for.
        qos: Qos,
        /// Called party.
        svc: Sap,
    },
    /// To be answered by [`super::Demon::okay_listen`] or [`super::Demon::error`].
    Listen {
        /// The socket.
        vcc: Vcc,
        /// Adaptation layer.
        aal: Aal,
        /// What is acceptable.
        qos: Qos,
        /// The SAP.
        svc: Sap,
    },
    /// The call was accepted: to be answered by [`super::Demon::okay_accept`] or [`super::Demon::error`].
    Accept {
        /// The new socket.
        vcc: Vcc,
        /// The listening socket.
        listen_vcc: Vcc,
        /// The call, as given to [`super::Demon::indicate`].
        call: u64,
    },
    /// The call was rejected. No answer.
    Reject {
        /// The listening socket, perhaps de-registered since.
        listen_vcc: Vcc,
        /// The call, as given to [`super::Demon::indicate`].
        call: u64,
        /// Why.
        reply: ErrorCode,
    },
    /// The socket is given up: its call or registration to be released, then [`super::Demon::close`] (or [`super::Demon::error`]).
    Close {
        /// The socket.
        vcc: Vcc,
    },
    /// The kernel side has acknowledged [`super::Demon::close`]: the connection's label is free. No answer.
    Gone {
        /// The socket.
        vcc: Vcc,
    },
    /// The local addresses of an interface have changed. No answer.
    ItfNotify {
        /// Number of the interface.
        interface: u16,
    },
    /// A close that crossed an error (figure 10): ignored. No answer.
    Stray {
        /// The socket that it was.
        vcc: Vcc,
    },
    /// There is no room for another socket: an error is to be sent, and the call, if there is one, to be released.
    Full {
        /// The socket.
        vcc: Vcc,
        /// The call that it was to accept.
        call: Option<u64>,
        /// What is to be sent.
        send: ToKernel,
    },
}

/// What a kernel side that is gone has left: all of it is to be released.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Sockets that had state: also those closed by one side whose close the other had not answered, so that what was
    /// released for [`Event::Close`] is named once more.
    pub sockets: Vec<Vcc>,
    /// Calls that were not answered, as given to [`super::Demon::indicate`].
    pub calls: Vec<u64>,
}

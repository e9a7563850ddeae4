//! The internal signalling protocol, after "Linux ATM internal signaling protocol", version 0.2 (W. Almesberger,
//! 1996): how sockets ("kernel") and the signalling daemon ("demon") agree on connections.
//!
//! ```text
//! octets -- layout -- message -- table (Table 1) -- to_demon, to_kernel (what may be said)
//!                                                     |               |
//!                                                  demon           kernel        (the two state machines)
//! ```
//!
//! Section numbers in this module are that document's. Differences from it: octets have one order (little endian) and
//! one layout on all machines; the AAL stands in the QoS, as in later `struct atm_qos`; demon to kernel is a queue too;
//! and the demon may say in [`words`] why what it says next to a socket is so.
//!
//! ```
//! use pinode_signaling::isp::{Aal, Demon, Kernel, Limits, Pvc, Sap, ToDemon, demon, kernel};
//! use pinode_signaling::{Address, Qos};
//!
//! let mut kernel = Kernel::new(Limits::default()); // in the application
//! let mut demon = Demon::new(Limits::default()); // in the daemon, one for each application
//!
//! let (from, to) = (Address::NULL, Sap::from(Address([0x47; 20])));
//! let vcc = kernel.socket()?;
//! let octets = kernel.connect(vcc, Aal::FIVE, from, Qos::default(), to)?.encode();
//!
//! let event = demon.hears(ToDemon::decode(&octets)?)?;
//! let demon::Event::Connect { vcc, qos, .. } = event else { panic!() };
//! // ... the call is set up ...
//! let pvc = Pvc { interface: 1, vn: 0, label: 16 };
//! let octets = demon.okay_connect(vcc, pvc, Address([0x39; 20]), qos)?.encode();
//!
//! let event = kernel.hears(kernel.decode(&octets)?)?;
//! assert!(matches!(event, kernel::Event::Connected { pvc: p, .. } if p == pvc));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Checked by machine: `model/` is both sides in Promela, whose runs are replayed through this code (`tests/model`).
//!
//! Pure: no clock, no I/O. Must never hold more than its [`Limits`] say, whatever the other side sends.

pub mod demon;
pub mod field;
pub mod kernel;
pub mod layout;
pub mod message;
pub mod table;
pub mod to_demon;
pub mod to_kernel;
pub mod words;

pub use demon::Demon;
pub use field::{Aal, Blli, Bllis, ErrorCode, Pvc, Sap, Vcc};
pub use kernel::Kernel;
pub use layout::{MAX_OCTETS, Malformed};
pub use message::Message;
pub use table::Refused;
pub use to_demon::ToDemon;
pub use to_kernel::{Okay, Request, ToKernel};
pub use words::Words;

use thiserror::Error;

/// How much one side may hold. A kernel side that may hold fewer calls than its demon would take one too many for a
/// violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sockets that it knows.
    pub sockets: usize,
    /// Incoming calls, over all listening sockets, that are not answered yet.
    pub indications: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sockets: 65_536,
            indications: 1_024,
        }
    }
}

/// Octets that are no message of the protocol, or none that may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The octets are no message.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It has not the fields it must have (Table 1), or does not go this way.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// An `as_okay` for a socket that waits for none.
    #[error(
        "as_okay for socket {vcc}, which has nothing asked; allowed: one answer to each request"
    )]
    Unasked {
        /// Whom it is for.
        vcc: Vcc,
    },
}

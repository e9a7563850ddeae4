//! What happens at a port, told in order.

use core::fmt;

use crate::link::Side;
use crate::q2931::{Reason, Setup};
use crate::qos::Qos;

/// A call of one port, by a number that is never used again in the entity's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub(super) u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "call {}", self.0)
    }
}

/// What happens at a port.
///
/// Every call, be it from [`setup`](super::Entity::setup) or [`Event::Incoming`], ends with exactly one of
/// [`Event::Released`] and [`Event::Cleared`], and nothing is told of it after that. Until then its label must
/// not be given to another connection; after it, it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The neighbour answers. Calls may be set up, with labels of this side.
    Up {
        /// This side's labels.
        side: Side,
    },
    /// The neighbour is not heard any more. Calls stay until T309 runs out or the neighbour is heard to have
    /// restarted; nothing can be set up until [`Event::Up`].
    Down,
    /// A call comes in: answer it with [`connect`](super::Entity::connect) or
    /// [`release`](super::Entity::release).
    Incoming {
        /// The call.
        call: CallId,
        /// What is asked for.
        setup: Setup,
    },
    /// An own call is answered: it is active.
    Connected {
        /// The call.
        call: CallId,
        /// What was granted, as seen from here.
        qos: Qos,
    },
    /// The neighbour knows that an incoming call was answered: it is active.
    ConnectAcknowledged {
        /// The call.
        call: CallId,
    },
    /// The call has ended, and not because it was released from here.
    Released {
        /// The call.
        call: CallId,
        /// Why: cause and words.
        reason: Reason,
    },
    /// The call has ended, as it was released from here.
    Cleared {
        /// The call.
        call: CallId,
    },
}

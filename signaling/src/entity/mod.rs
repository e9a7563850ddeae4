//! One port's signalling: the link to the neighbour, and the calls over it.
//!
//! ```text
//! PDUs of label 1 --hears--> link --messages--> calls --next_event--> daemon
//!                 <-next_pdu-                   <-setup, connect, release--
//! ```
//!
//! It is pure: it is told the time (nanoseconds of any clock that does not go back), and what it wants to send
//! or to tell is asked for. After each of [`hears`](Entity::hears), [`tick`](Entity::tick),
//! [`setup`](Entity::setup), [`connect`](Entity::connect) and [`release`](Entity::release),
//! [`next_pdu`](Entity::next_pdu) and [`next_event`](Entity::next_event) are asked until they have nothing
//! more; [`tick`](Entity::tick) is called when the time is [`due_ns`](Entity::due_ns).
//!
//! Must never hold more than its limits, whatever is heard, nor lose a call: see [`Event`].

mod error;
mod event;

pub use error::CallError;
pub use event::{CallId, Event};

use alloc::vec::Vec;

use crate::link::{self, Side};
use crate::q2931::{self, Cause, Setup};
use crate::qos::Qos;

/// What an entity may hold, and how long it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Calls, in any state, of both sides together. More are refused: own ones with [`CallError::Full`],
    /// incoming ones with [`Cause::ResourcesUnavailable`].
    pub most_calls: usize,
    /// Times of the link.
    pub link: link::Timers,
    /// Times of call control.
    pub calls: q2931::Timers,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            most_calls: 16_384,
            link: link::Timers::default(),
            calls: q2931::Timers::default(),
        }
    }
}

/// One port's signalling.
#[derive(Debug)]
pub struct Entity {
    limits: Limits,
    instance: u64,
}

impl Entity {
    /// The signalling of a port, down at first. `instance` is a random number: it tells this life of the entity
    /// from others, and settles sides.
    #[must_use]
    pub fn new(limits: Limits, instance: u64) -> Self {
        Self { limits, instance }
    }

    /// A PDU came in a frame with label 1. `pdu` may have padding behind it.
    pub fn hears(&mut self, _now_ns: u64, _pdu: &[u8]) {}

    /// When [`tick`](Self::tick) is to be called next, if at all.
    #[must_use]
    pub fn due_ns(&self) -> Option<u64> {
        None
    }

    /// Time has passed.
    pub fn tick(&mut self, _now_ns: u64) {}

    /// The next PDU to send in a frame with label 1: 1,424 octets at most.
    pub fn next_pdu(&mut self, _now_ns: u64) -> Option<Vec<u8>> {
        None
    }

    /// What happened next.
    pub fn next_event(&mut self) -> Option<Event> {
        None
    }

    /// Asks the neighbour for a call. It goes on with [`Event::Connected`] or [`Event::Released`].
    ///
    /// # Errors
    /// [`CallError`]: down, full, busy, a label that is not this side's or in use, or what SETUP cannot carry.
    pub fn setup(&mut self, _now_ns: u64, _setup: Setup) -> Result<CallId, CallError> {
        Err(CallError::Down)
    }

    /// Answers an incoming call, with what was granted as seen from here.
    ///
    /// # Errors
    /// [`CallError::Unknown`], [`CallError::State`] if it was answered before or is being released, and
    /// [`CallError::Setup`] for what CONNECT cannot carry.
    pub fn connect(&mut self, _now_ns: u64, call: CallId, _granted: Qos) -> Result<(), CallError> {
        Err(CallError::Unknown { call })
    }

    /// Releases a call in any state; it goes on with [`Event::Cleared`], or with [`Event::Released`] if it had
    /// begun to end by itself. Again for the same call it does nothing.
    ///
    /// # Errors
    /// [`CallError::Unknown`] for a call that has ended: its end is told, or waits in
    /// [`next_event`](Self::next_event).
    pub fn release(&mut self, _now_ns: u64, call: CallId, _cause: Cause) -> Result<(), CallError> {
        Err(CallError::Unknown { call })
    }

    /// Ends this life: tells the neighbour, which releases all calls at once, and ends all calls here. Nothing
    /// is sent after what [`next_pdu`](Self::next_pdu) then has, and nothing is heard.
    pub fn end(&mut self) {}

    /// This side, while it is settled.
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        None
    }

    /// Whether the neighbour is heard.
    #[must_use]
    pub fn is_up(&self) -> bool {
        false
    }

    /// Calls in any state.
    #[must_use]
    pub fn calls(&self) -> usize {
        0
    }

    /// This life's number.
    #[must_use]
    pub fn instance(&self) -> u64 {
        self.instance
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

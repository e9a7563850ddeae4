//! The socket side of the protocol ("kernel"): the left halves of figures 4 to 6, for many sockets.
//!
//! ```text
//! socket() -> New -- bind ----> Binding  -- okay, error --> New
//!                 -- connect -> Connecting -- okay -> Connected            error -> New
//!                 -- listen --> Registering -- okay -> Listening           error -> New
//!       accept() -----------> Accepting  -- okay -> Connected            error -> (free)
//! Connected -- close heard --> Ended -- close() --> (free)
//! Connecting, Accepting, Connected -- close() --> Closing -- close or error heard --> (free)
//! Listening -- close() --> Deregistering -- close or error heard, calls rejected --> (free)
//! ```
//!
//! Must never say more of a socket than one close, nor anything of one that is free, but the rejects of its calls.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

mod event;
mod hears;
mod refusal;
mod state;

pub use event::{Accepting, Closing, Event, Incoming};
pub use refusal::{NotNow, Violation};
use state::State;

use super::Limits;
use super::field::{Aal, ErrorCode, Sap, Vcc};
use super::to_demon::ToDemon;
use crate::{Address, Qos};

/// The socket side of one transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    sockets: BTreeMap<Vcc, State>,
    /// Number of the last socket made.
    last: u64,
    /// Calls that wait, over all listening sockets.
    calls: usize,
    limits: Limits,
    lost: bool,
}

impl Kernel {
    /// The socket side of a transport to a demon, without a socket.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            sockets: BTreeMap::new(),
            last: 0,
            calls: 0,
            limits,
            lost: false,
        }
    }

    /// A new socket. The demon is not told.
    ///
    /// # Errors
    /// There are too many, or the demon is gone.
    pub fn socket(&mut self) -> Result<Vcc, NotNow> {
        self.make(State::New)
    }

    /// Asks whether a local SAP is acceptable (3.5): what is to be sent.
    ///
    /// # Errors
    /// The socket is not new.
    pub fn bind(&mut self, vcc: Vcc, aal: Aal, svc: Sap) -> Result<ToDemon, NotNow> {
        self.leave_new(vcc, "bind", State::Binding)?;
        Ok(ToDemon::Bind { vcc, aal, svc })
    }

    /// Asks for a connection (3.6): what is to be sent.
    ///
    /// # Errors
    /// The socket is not new.
    pub fn connect(
        &mut self,
        vcc: Vcc,
        aal: Aal,
        local: Address,
        qos: Qos,
        svc: Sap,
    ) -> Result<ToDemon, NotNow> {
        self.leave_new(vcc, "connect", State::Connecting)?;
        Ok(ToDemon::Connect {
            vcc,
            aal,
            local,
            qos,
            svc,
        })
    }

    /// Registers a SAP for incoming calls (3.7): what is to be sent.
    ///
    /// # Errors
    /// The socket is not new.
    pub fn listen(&mut self, vcc: Vcc, aal: Aal, qos: Qos, svc: Sap) -> Result<ToDemon, NotNow> {
        self.leave_new(vcc, "listen", State::Registering)?;
        Ok(ToDemon::Listen { vcc, aal, qos, svc })
    }

    /// The call that `accept` or `reject` would answer.
    #[must_use]
    pub fn waiting(&self, listen_vcc: Vcc) -> Option<&Incoming> {
        match self.sockets.get(&listen_vcc)? {
            State::Listening(calls) => calls.front(),
            _ => None,
        }
    }

    /// Accepts the first call that waits (3.9), on a new socket.
    ///
    /// # Errors
    /// The socket does not listen, no call waits, or there are too many sockets.
    pub fn accept(&mut self, listen_vcc: Vcc) -> Result<Accepting, NotNow> {
        self.room()?;
        let call = self.answer(listen_vcc, "accept")?;
        let vcc = self.make(State::Accepting(call.clone()))?;
        let send = ToDemon::Accept { vcc, listen_vcc };
        Ok(Accepting { vcc, call, send })
    }

    /// Rejects the first call that waits (3.10): the call, and what is to be sent. No answer follows.
    ///
    /// # Errors
    /// The socket does not listen, or no call waits.
    pub fn reject(
        &mut self,
        listen_vcc: Vcc,
        reply: ErrorCode,
    ) -> Result<(Incoming, ToDemon), NotNow> {
        let call = self.answer(listen_vcc, "reject")?;
        Ok((call, ToDemon::Reject { listen_vcc, reply }))
    }

    /// Gives a socket up (3.4); also while it connects or accepts. After [`Event::Closed`] it acknowledges that.
    ///
    /// # Errors
    /// It waits for the answer to `bind` or `listen`, or is closing already.
    pub fn close(&mut self, vcc: Vcc) -> Result<Closing, NotNow> {
        let lost = self.lost;
        let state = self.sockets.get_mut(&vcc);
        let state = state.ok_or(NotNow::Unknown { vcc })?;
        // The demon knows nothing of a new socket, and has closed one that has ended.
        let send = (!lost && *state != State::New).then_some(ToDemon::Close { vcc });
        let gone = lost || matches!(state, State::New | State::Ended);
        match state {
            _ if gone => {
                self.sockets.remove(&vcc);
            }
            State::Connecting | State::Accepting(_) | State::Connected => {
                *state = State::Closing(state.asked());
            }
            State::Listening(calls) => {
                *state = State::Deregistering(core::mem::take(calls));
            }
            _ => return Err(not_now(vcc, "close", state)),
        }
        Ok(Closing { send, gone })
    }

    /// Tells that the local addresses of an interface have changed (5.1): what is to be sent.
    ///
    /// # Errors
    /// The demon is gone.
    pub fn itf_notify(&self, interface: u16) -> Result<ToDemon, NotNow> {
        if self.lost {
            return Err(NotNow::Unavailable);
        }
        Ok(ToDemon::ItfNotify { interface })
    }

    /// The transport is lost: all sockets are unavailable, and only `close` is allowed (footnote 3). Which they are.
    pub fn transport_lost(&mut self) -> Vec<Vcc> {
        self.lost = true;
        self.calls = 0;
        self.sockets.keys().copied().collect()
    }

    /// How many sockets there are.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.sockets.len()
    }

    /// How many calls wait, over all listening sockets.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls
    }

    fn room(&self) -> Result<(), NotNow> {
        if self.lost {
            return Err(NotNow::Unavailable);
        }
        if self.sockets.len() >= self.limits.sockets {
            return Err(NotNow::TooMany {
                sockets: self.limits.sockets,
            });
        }
        Ok(())
    }

    fn make(&mut self, state: State) -> Result<Vcc, NotNow> {
        self.room()?;
        let sockets = self.limits.sockets;
        let vcc = self.last.checked_add(1).and_then(Vcc::new);
        // After 2^64 sockets there is no number that was not used.
        let vcc = vcc.ok_or(NotNow::TooMany { sockets })?;
        self.last = vcc.get();
        self.sockets.insert(vcc, state);
        Ok(vcc)
    }

    fn known(&mut self, vcc: Vcc) -> Result<&mut State, NotNow> {
        let state = self.sockets.get_mut(&vcc);
        let state = state.ok_or(NotNow::Unknown { vcc })?;
        if self.lost {
            return Err(NotNow::Unavailable);
        }
        Ok(state)
    }

    fn leave_new(&mut self, vcc: Vcc, call: &'static str, next: State) -> Result<(), NotNow> {
        let state = self.known(vcc)?;
        if *state != State::New {
            return Err(not_now(vcc, call, state));
        }
        *state = next;
        Ok(())
    }

    /// Takes the first call that waits.
    fn answer(&mut self, listen_vcc: Vcc, call: &'static str) -> Result<Incoming, NotNow> {
        let state = self.known(listen_vcc)?;
        let State::Listening(calls) = state else {
            return Err(not_now(listen_vcc, call, state));
        };
        let first = calls.pop_front().ok_or(NotNow::NoCall { listen_vcc })?;
        self.calls = self.calls.saturating_sub(1);
        Ok(first)
    }
}

fn not_now(vcc: Vcc, call: &'static str, state: &State) -> NotNow {
    NotNow::State {
        vcc,
        call,
        state: state.name(),
        allowed: state.allowed(),
    }
}

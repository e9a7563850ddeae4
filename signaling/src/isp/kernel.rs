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

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use thiserror::Error;

use super::field::{Aal, ErrorCode, Pvc, Sap, Vcc};
use super::to_demon::ToDemon;
use super::to_kernel::{Okay, Request, ToKernel};
use super::{DecodeError, Limits};
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
    /// The connection has ended from afar. Nothing may be sent on it any more; [`Kernel::close`] must follow, as soon
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

/// A call of the application that the state of a socket does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotNow {
    /// There is no such socket.
    #[error("there is no socket {vcc}")]
    Unknown {
        /// Its number.
        vcc: Vcc,
    },
    /// The demon is gone (footnote 3).
    #[error("the signalling daemon is gone; allowed: close")]
    Unavailable,
    /// The socket is in another state.
    #[error("{call} on socket {vcc}, which is {state}; allowed: {allowed}")]
    State {
        /// The socket.
        vcc: Vcc,
        /// What was tried.
        call: &'static str,
        /// Its state.
        state: &'static str,
        /// What that state allows.
        allowed: &'static str,
    },
    /// No call waits.
    #[error(
        "no call waits at socket {listen_vcc}; allowed: accept and reject after each that comes in"
    )]
    NoCall {
        /// The listening socket.
        listen_vcc: Vcc,
    },
    /// There are too many sockets.
    #[error("there are {sockets} sockets; allowed: {sockets}")]
    TooMany {
        /// How many.
        sockets: usize,
    },
}

/// A message of the demon that the protocol does not allow. The transport is then best closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    /// A message for a socket that there is not (4.1.2).
    #[error("a message for socket {vcc}, which there is not (4.1.2)")]
    Unknown {
        /// Its number.
        vcc: Vcc,
    },
    /// An answer to what was not asked (3.2, 3.3).
    #[error("an answer for socket {vcc}, which is {state} and did not ask for it (3.2, 3.3)")]
    Unasked {
        /// The socket.
        vcc: Vcc,
        /// Its state.
        state: &'static str,
    },
    /// A close where there is no connection, or of a listening socket (3.4, 3.7).
    #[error(
        "as_close for socket {vcc}, which is {state}; allowed: for connections, once (3.4, 3.7)"
    )]
    Close {
        /// The socket.
        vcc: Vcc,
        /// Its state.
        state: &'static str,
    },
    /// A call for a socket that does not listen (3.8).
    #[error("as_indicate for socket {vcc}, which is {state}; allowed: for those that listen (3.8)")]
    Indicate {
        /// The socket.
        vcc: Vcc,
        /// Its state.
        state: &'static str,
    },
    /// More calls wait than may.
    #[error("{calls} calls wait; allowed: {calls}")]
    TooMany {
        /// How many.
        calls: usize,
    },
    /// A message after the transport was lost.
    #[error("a message from a daemon that is gone")]
    Gone,
}

/// The socket side of one transport.
#[derive(Debug, Clone)]
pub struct Kernel {
    sockets: BTreeMap<Vcc, State>,
    /// Number of the last socket made.
    last: u64,
    /// Calls that wait, over all listening sockets.
    calls: usize,
    limits: Limits,
    lost: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
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
    fn name(&self) -> &'static str {
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

    fn allowed(&self) -> &'static str {
        match self {
            Self::New => "bind, connect, listen, close",
            Self::Connecting | Self::Accepting(_) | Self::Connected | Self::Ended => "close",
            Self::Listening(_) => "accept, reject, close",
            Self::Binding | Self::Registering => "nothing before the answer (3.5, 3.7)",
            Self::Closing(_) | Self::Deregistering(_) => "nothing",
        }
    }

    /// What it waits for an answer to.
    fn asked(&self) -> Option<Request> {
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
        let send = Some(ToDemon::Close { vcc });
        let next = match state {
            _ if lost => None,
            State::New => {
                self.sockets.remove(&vcc);
                return Ok(Closing {
                    send: None,
                    gone: true,
                });
            }
            State::Ended => {
                self.sockets.remove(&vcc);
                return Ok(Closing { send, gone: true });
            }
            State::Connecting | State::Accepting(_) | State::Connected => {
                Some(State::Closing(state.asked()))
            }
            State::Listening(calls) => Some(State::Deregistering(core::mem::take(calls))),
            State::Binding | State::Registering | State::Closing(_) | State::Deregistering(_) => {
                return Err(not_now(vcc, "close", state));
            }
        };
        match next {
            Some(next) => {
                *state = next;
                Ok(Closing { send, gone: false })
            }
            None => {
                self.sockets.remove(&vcc);
                Ok(Closing {
                    send: None,
                    gone: true,
                })
            }
        }
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

    /// The message that the demon's octets are.
    ///
    /// # Errors
    /// They are none that the demon may send, or an `as_okay` that no socket waits for.
    pub fn decode(&self, octets: &[u8]) -> Result<ToKernel, DecodeError> {
        ToKernel::decode(octets, |vcc| self.sockets.get(&vcc)?.asked())
    }

    /// Takes a message of the demon.
    ///
    /// # Errors
    /// The protocol does not allow it; nothing has changed.
    pub fn hears(&mut self, message: ToKernel) -> Result<Event, Violation> {
        if self.lost {
            return Err(Violation::Gone);
        }
        match message {
            ToKernel::Okay { vcc, answer } => self.okay(vcc, answer),
            ToKernel::Error { vcc, reply } => self.error(vcc, reply),
            ToKernel::Indicate {
                listen_vcc,
                pvc,
                qos,
                svc,
            } => self.indicate(listen_vcc, Incoming { pvc, qos, svc }),
            ToKernel::Close { vcc, reply } => self.closed(vcc, reply),
        }
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

    fn heard(&mut self, vcc: Vcc) -> Result<&mut State, Violation> {
        self.sockets.get_mut(&vcc).ok_or(Violation::Unknown { vcc })
    }

    fn okay(&mut self, vcc: Vcc, answer: Okay) -> Result<Event, Violation> {
        let state = self.heard(vcc)?;
        if state.asked() != Some(answer.request()) {
            let state = state.name();
            return Err(Violation::Unasked { vcc, state });
        }
        if let State::Closing(asked) = state {
            *asked = None;
            return Ok(Event::Crossed { vcc });
        }
        let (next, event) = match answer {
            Okay::Bind { svc } => (State::New, Event::Bound { vcc, svc }),
            Okay::Connect { pvc, local, qos } => (
                State::Connected,
                Event::Connected {
                    vcc,
                    pvc,
                    local,
                    qos,
                },
            ),
            Okay::Listen => (State::Listening(VecDeque::new()), Event::Listening { vcc }),
            Okay::Accept { local } => {
                let State::Accepting(Incoming { pvc, qos, .. }) = *state else {
                    let state = state.name();
                    return Err(Violation::Unasked { vcc, state });
                };
                (
                    State::Connected,
                    Event::Accepted {
                        vcc,
                        pvc,
                        local,
                        qos,
                    },
                )
            }
        };
        *state = next;
        Ok(event)
    }

    fn error(&mut self, vcc: Vcc, reply: ErrorCode) -> Result<Event, Violation> {
        let state = self.heard(vcc)?;
        let failed = |request| Event::Failed {
            vcc,
            request,
            reply,
        };
        match state {
            // The demon has forgotten the socket: it is as new.
            State::Binding | State::Connecting | State::Registering => {
                let event = state.asked().map(failed);
                *state = State::New;
                event.ok_or(Violation::Unknown { vcc })
            }
            State::Accepting(_) => {
                self.sockets.remove(&vcc);
                Ok(failed(Request::Accept))
            }
            State::Closing(_) | State::Deregistering(_) => Ok(self.gone(vcc, Some(reply))),
            State::New | State::Connected | State::Ended | State::Listening(_) => {
                let state = state.name();
                Err(Violation::Unasked { vcc, state })
            }
        }
    }

    fn indicate(&mut self, listen_vcc: Vcc, call: Incoming) -> Result<Event, Violation> {
        let (waiting, allowed) = (self.calls, self.limits.indications);
        let state = self.heard(listen_vcc)?;
        let (State::Listening(calls) | State::Deregistering(calls)) = state else {
            return Err(Violation::Indicate {
                vcc: listen_vcc,
                state: state.name(),
            });
        };
        if waiting >= allowed {
            return Err(Violation::TooMany { calls: allowed });
        }
        calls.push_back(call);
        self.calls += 1;
        Ok(Event::Incoming { listen_vcc })
    }

    fn closed(&mut self, vcc: Vcc, reply: Option<ErrorCode>) -> Result<Event, Violation> {
        let state = self.heard(vcc)?;
        match state {
            State::Connected => {
                *state = State::Ended;
                Ok(Event::Closed { vcc, reply })
            }
            State::Closing(_) | State::Deregistering(_) => Ok(self.gone(vcc, reply)),
            _ => {
                let state = state.name();
                Err(Violation::Close { vcc, state })
            }
        }
    }

    fn gone(&mut self, vcc: Vcc, reply: Option<ErrorCode>) -> Event {
        let calls = match self.sockets.remove(&vcc) {
            Some(State::Deregistering(calls)) => calls.len(),
            _ => 0,
        };
        self.calls = self.calls.saturating_sub(calls);
        let reject = ToDemon::Reject {
            listen_vcc: vcc,
            reply: ErrorCode::ABORTED,
        };
        Event::Gone {
            vcc,
            reply,
            send: alloc::vec![reject; calls],
        }
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

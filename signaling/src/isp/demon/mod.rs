//! The daemon's side of the protocol ("demon"): the right halves of figures 4 to 6, for one kernel side.
//!
//! ```text
//! bind ----> Binding ---- okay, error --> (nothing)
//! connect -> Connecting - okay -> Connected      error -> (nothing)
//! listen --> Registering - okay -> Listening     error -> (nothing)
//! accept --> Accepting -- okay -> Connected      error -> (nothing)
//! Connected -- close() --> Ending -- close heard --> (nothing)
//! Connecting, Accepting, Connected, Listening -- close heard --> Ended -- close(), error() --> (nothing)
//! Ended, calls not answered -- close() --> Left -- the last of them rejected --> (nothing)
//! ```
//!
//! Must never hold what the kernel side has given up, nor forget a call that it was told of.

use alloc::collections::{BTreeMap, VecDeque};

mod event;
mod refusal;
mod state;

pub use event::{Event, Left};
pub use refusal::{NotNow, Violation};
use state::State;

use super::Limits;
use super::field::{ErrorCode, Pvc, Sap, Vcc};
use super::table::Row;
use super::to_demon::ToDemon;
use super::to_kernel::{Okay, Request, ToKernel};
use crate::{Address, Qos};

/// The daemon's side of one transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demon {
    sockets: BTreeMap<Vcc, State>,
    /// Calls not answered, over all listening sockets.
    calls: usize,
    limits: Limits,
}

impl Demon {
    /// The daemon's side of a transport to a kernel side that has no socket yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            sockets: BTreeMap::new(),
            calls: 0,
            limits,
        }
    }

    /// Takes a message of the kernel side.
    ///
    /// # Errors
    /// The protocol does not allow it; nothing has changed.
    pub fn hears(&mut self, message: ToDemon) -> Result<Event, Violation> {
        let row = message.row();
        match message {
            ToDemon::Bind { vcc, aal, svc } => Ok(self
                .register(row, vcc, State::Binding)?
                .unwrap_or(Event::Bind { vcc, aal, svc })),
            ToDemon::Connect {
                vcc,
                aal,
                local,
                qos,
                svc,
            } => Ok(self
                .register(row, vcc, State::Connecting)?
                .unwrap_or(Event::Connect {
                    vcc,
                    aal,
                    local,
                    qos,
                    svc,
                })),
            ToDemon::Listen { vcc, aal, qos, svc } => Ok(self
                .register(row, vcc, State::Registering)?
                .unwrap_or(Event::Listen { vcc, aal, qos, svc })),
            ToDemon::Accept { vcc, listen_vcc } => self.accept(vcc, listen_vcc),
            ToDemon::Reject { listen_vcc, reply } => self.reject(listen_vcc, reply),
            ToDemon::Close { vcc } => self.closed(vcc),
            ToDemon::ItfNotify { interface } => Ok(Event::ItfNotify { interface }),
        }
    }

    /// Answers [`Event::Bind`]: what is to be sent. Nothing of the socket is kept.
    ///
    /// # Errors
    /// The socket waits for no such answer.
    pub fn okay_bind(&mut self, vcc: Vcc, svc: Sap) -> Result<ToKernel, NotNow> {
        self.okay(vcc, "okay_bind", Okay::Bind { svc })
    }

    /// Answers [`Event::Connect`] with what was granted: what is to be sent.
    ///
    /// # Errors
    /// The socket waits for no such answer; it may have been closed.
    pub fn okay_connect(
        &mut self,
        vcc: Vcc,
        pvc: Pvc,
        local: Address,
        qos: Qos,
    ) -> Result<ToKernel, NotNow> {
        self.okay(vcc, "okay_connect", Okay::Connect { pvc, local, qos })
    }

    /// Answers [`Event::Listen`]: what is to be sent.
    ///
    /// # Errors
    /// The socket waits for no such answer.
    pub fn okay_listen(&mut self, vcc: Vcc) -> Result<ToKernel, NotNow> {
        self.okay(vcc, "okay_listen", Okay::Listen)
    }

    /// Answers [`Event::Accept`] with the address of the new socket: what is to be sent.
    ///
    /// # Errors
    /// The socket waits for no such answer; it may have been closed.
    pub fn okay_accept(&mut self, vcc: Vcc, local: Address) -> Result<ToKernel, NotNow> {
        self.okay(vcc, "okay_accept", Okay::Accept { local })
    }

    /// Answers a request, or a close, by an error: what is to be sent. The socket is forgotten (3.3).
    ///
    /// # Errors
    /// The socket waits for no answer.
    pub fn error(&mut self, vcc: Vcc, reply: ErrorCode) -> Result<ToKernel, NotNow> {
        let state = self.known(vcc, "error")?;
        match state {
            State::Binding | State::Connecting | State::Registering | State::Accepting => {
                self.sockets.remove(&vcc);
            }
            State::Ended(_) => self.forget(vcc),
            State::Connected | State::Listening(_) | State::Ending | State::Left(_) => {
                return Err(not_now(vcc, "error", state));
            }
        }
        Ok(ToKernel::Error { vcc, reply })
    }

    /// Tells a listening socket of a call (3.8): what is to be sent. `call` comes back when it is answered. A call whose
    /// calling party gives up before stays announced: it is then answered by [`Demon::error`] when accepted.
    ///
    /// # Errors
    /// The socket does not listen, or too many calls wait.
    pub fn indicate(
        &mut self,
        listen_vcc: Vcc,
        call: u64,
        pvc: Pvc,
        qos: Qos,
        svc: Sap,
    ) -> Result<ToKernel, NotNow> {
        let (waiting, allowed) = (self.calls, self.limits.indications);
        let state = self.known(listen_vcc, "indicate")?;
        let State::Listening(calls) = state else {
            return Err(not_now(listen_vcc, "indicate", state));
        };
        if waiting >= allowed {
            return Err(NotNow::TooMany { calls: allowed });
        }
        calls.push_back(call);
        self.calls += 1;
        Ok(ToKernel::Indicate {
            listen_vcc,
            pvc,
            qos,
            svc,
        })
    }

    /// Ends a connection, or acknowledges [`Event::Close`] (3.4): what is to be sent. In the first case
    /// [`Event::Gone`] or the kernel's own close, which counts as it, follows; its label is not free before.
    ///
    /// # Errors
    /// There is no connection; one that is being made is refused by [`Demon::error`], and nothing ends a listening socket.
    pub fn close(&mut self, vcc: Vcc, reply: Option<ErrorCode>) -> Result<ToKernel, NotNow> {
        let state = self.known(vcc, "close")?;
        match state {
            State::Connected => *state = State::Ending,
            State::Ended(_) => self.forget(vcc),
            _ => return Err(not_now(vcc, "close", state)),
        }
        Ok(ToKernel::Close { vcc, reply })
    }

    /// The kernel side is gone: what it has left. Nothing is known any more.
    pub fn gone(&mut self) -> Left {
        let mut left = Left::default();
        self.calls = 0;
        for (vcc, state) in core::mem::take(&mut self.sockets) {
            match state {
                State::Listening(calls) | State::Ended(calls) => {
                    left.calls.extend(calls);
                    left.sockets.push(vcc);
                }
                // Released already: only its calls are left.
                State::Left(calls) => left.calls.extend(calls),
                _ => left.sockets.push(vcc),
            }
        }
        left
    }

    /// How many sockets it knows.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.sockets.len()
    }

    /// How many calls wait for an answer, over all listening sockets.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls
    }

    fn known(&mut self, vcc: Vcc, call: &'static str) -> Result<&mut State, NotNow> {
        self.sockets
            .get_mut(&vcc)
            .ok_or(NotNow::Unknown { vcc, call })
    }

    fn okay(&mut self, vcc: Vcc, call: &'static str, answer: Okay) -> Result<ToKernel, NotNow> {
        let state = self.known(vcc, call)?;
        match (&*state, answer.request()) {
            (State::Binding, Request::Bind) => {
                self.sockets.remove(&vcc);
            }
            (State::Connecting, Request::Connect) | (State::Accepting, Request::Accept) => {
                *state = State::Connected;
            }
            (State::Registering, Request::Listen) => *state = State::Listening(VecDeque::new()),
            _ => return Err(not_now(vcc, call, state)),
        }
        Ok(ToKernel::Okay { vcc, answer })
    }

    /// Forgets a socket whose close is acknowledged, but for calls that are still to be rejected.
    fn forget(&mut self, vcc: Vcc) {
        if let Some(State::Ended(calls)) = self.sockets.remove(&vcc)
            && !calls.is_empty()
        {
            self.sockets.insert(vcc, State::Left(calls));
        }
    }

    /// Begins state for a socket that has none.
    fn register(&mut self, row: Row, vcc: Vcc, state: State) -> Result<Option<Event>, Violation> {
        self.is_new(row, vcc)?;
        if self.sockets.len() >= self.limits.sockets {
            return Ok(Some(full(vcc, None)));
        }
        self.sockets.insert(vcc, state);
        Ok(None)
    }

    fn is_new(&self, row: Row, vcc: Vcc) -> Result<(), Violation> {
        let Some(state) = self.sockets.get(&vcc) else {
            return Ok(());
        };
        let name = state.name();
        Err(match state {
            State::Binding | State::Registering => Violation::Waiting {
                row,
                vcc,
                state: name,
            },
            _ => Violation::InUse {
                row,
                vcc,
                state: name,
            },
        })
    }

    fn accept(&mut self, vcc: Vcc, listen_vcc: Vcc) -> Result<Event, Violation> {
        let row = Row::Accept;
        self.is_new(row, vcc)?;
        let call = match self.sockets.get_mut(&listen_vcc) {
            Some(State::Listening(calls)) => calls.pop_front(),
            other => return Err(not_answered(row, listen_vcc, other)),
        };
        let call = call.ok_or(Violation::NoCall { row, listen_vcc })?;
        self.calls = self.calls.saturating_sub(1);
        if self.sockets.len() >= self.limits.sockets {
            return Ok(full(vcc, Some(call)));
        }
        self.sockets.insert(vcc, State::Accepting);
        Ok(Event::Accept {
            vcc,
            listen_vcc,
            call,
        })
    }

    fn reject(&mut self, listen_vcc: Vcc, reply: ErrorCode) -> Result<Event, Violation> {
        let row = Row::Reject;
        let (call, last) = match self.sockets.get_mut(&listen_vcc) {
            Some(State::Listening(calls)) => (calls.pop_front(), false),
            Some(State::Left(calls)) => (calls.pop_front(), calls.is_empty()),
            other => return Err(not_answered(row, listen_vcc, other)),
        };
        let call = call.ok_or(Violation::NoCall { row, listen_vcc })?;
        self.calls = self.calls.saturating_sub(1);
        if last {
            self.sockets.remove(&listen_vcc);
        }
        Ok(Event::Reject {
            listen_vcc,
            call,
            reply,
        })
    }

    fn closed(&mut self, vcc: Vcc) -> Result<Event, Violation> {
        let Some(state) = self.sockets.get_mut(&vcc) else {
            return Ok(Event::Stray { vcc });
        };
        let calls = match state {
            State::Connecting | State::Accepting | State::Connected => VecDeque::new(),
            State::Listening(calls) => core::mem::take(calls),
            State::Ending => {
                self.sockets.remove(&vcc);
                return Ok(Event::Gone { vcc });
            }
            State::Binding | State::Registering => {
                return Err(Violation::Waiting {
                    row: Row::CloseToDemon,
                    vcc,
                    state: state.name(),
                });
            }
            State::Ended(_) | State::Left(_) => {
                let state = state.name();
                return Err(Violation::ClosedTwice { vcc, state });
            }
        };
        *state = State::Ended(calls);
        Ok(Event::Close { vcc })
    }
}

/// Why a call cannot be answered at a socket in this state.
fn not_answered(row: Row, listen_vcc: Vcc, state: Option<&mut State>) -> Violation {
    match state {
        Some(state @ State::Registering) => Violation::Waiting {
            row,
            vcc: listen_vcc,
            state: state.name(),
        },
        Some(State::Left(_) | State::Ended(_)) => Violation::Deregistering { row, listen_vcc },
        _ => Violation::NotListening { row, listen_vcc },
    }
}

fn full(vcc: Vcc, call: Option<u64>) -> Event {
    let reply = ErrorCode::TOO_MANY;
    Event::Full {
        vcc,
        call,
        send: ToKernel::Error { vcc, reply },
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

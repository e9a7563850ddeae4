//! What the socket side makes of the demon's messages.
//!
//! Must change nothing when it refuses one.

use alloc::collections::VecDeque;

use super::state::State;
use super::{Event, Incoming, Kernel, Violation};
use crate::isp::DecodeError;
use crate::isp::field::{ErrorCode, Vcc};
use crate::isp::to_demon::ToDemon;
use crate::isp::to_kernel::{Okay, Request, ToKernel};

impl Kernel {
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

//! What all sockets on one connection to the daemon share: the socket side of the internal protocol, who waits for
//! which answer, and what is still to be sent.
//!
//! Its lock is held for single steps. Must never wait for the daemon: what it does not take yet is kept, and that is no
//! more than a few messages a socket, since the daemon's answers are waited for.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};

use super::error::Error;
use super::flow::{End, Flow, lock};
use super::signal::Signal;
use crate::isp::kernel::{Event, Incoming};
use crate::isp::to_demon::ToDemon;
use crate::isp::to_kernel::Request;
use crate::isp::{ErrorCode, Kernel, Limits, Pvc, Sap, Vcc, Words};
use crate::packet::Pool;
use crate::seqpacket::Connection;
use crate::{Address, Qos};

/// A call that cannot be accepted since its interface cannot be used here (`ENETDOWN`).
const NO_INTERFACE: i32 = -100;

/// What a request came to.
#[derive(Debug)]
pub(super) enum Answer {
    Bound(Sap),
    Listening,
    Connected(Established),
    Failed(Error),
}

/// A connection.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) flow: Arc<Flow>,
    pub(super) pvc: Pvc,
    pub(super) local: Address,
    pub(super) qos: Qos,
}

/// Somebody waits for an answer.
#[derive(Debug)]
pub(super) struct Waiting {
    answer: Mutex<Option<Answer>>,
    /// Raised when it is there.
    pub(super) there: Signal,
}

impl Waiting {
    pub(super) fn new() -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            answer: Mutex::new(None),
            there: event()?,
        }))
    }

    fn put(&self, answer: Answer) {
        *lock(&self.answer) = Some(answer);
        self.there.raise();
    }

    pub(super) fn take(&self) -> Option<Answer> {
        lock(&self.answer).take()
    }
}

pub(super) fn event() -> Result<Signal, Error> {
    Signal::new().map_err(|source| Error::System {
        action: "make an event",
        source,
    })
}

/// See the module.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) kernel: Kernel,
    waiting: BTreeMap<Vcc, Arc<Waiting>>,
    flows: BTreeMap<Vcc, Arc<Flow>>,
    /// Why what is heard next for a socket is so; of sockets that somebody holds.
    words: BTreeMap<Vcc, String>,
    /// Of each listening socket: raised while calls wait, and when the daemon is gone.
    listeners: BTreeMap<Vcc, Arc<Signal>>,
    /// What the daemon has not taken yet, the oldest first.
    unsent: VecDeque<Vec<u8>>,
    pool: Arc<Pool>,
    lost: bool,
}

impl Inner {
    pub(super) fn new() -> Self {
        Self {
            kernel: Kernel::new(Limits::default()),
            waiting: BTreeMap::new(),
            flows: BTreeMap::new(),
            words: BTreeMap::new(),
            listeners: BTreeMap::new(),
            unsent: VecDeque::new(),
            pool: Arc::default(),
            lost: false,
        }
    }

    /// Whether something waits to be taken by the daemon.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends what the daemon takes.
    pub(super) fn flush(&mut self, connection: &Connection) {
        while let Some(message) = self.unsent.front() {
            match connection.send(message) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // One that is gone is noticed where it is listened to.
                _ => self.unsent.pop_front(),
            };
        }
    }

    pub(super) fn send(&mut self, message: &ToDemon) {
        if !self.lost {
            self.unsent.push_back(message.encode());
        }
    }

    /// Who waits for the answer to what is asked of this socket.
    pub(super) fn wait_for(&mut self, vcc: Vcc, waiting: Arc<Waiting>) {
        self.waiting.insert(vcc, waiting);
    }

    pub(super) fn listen_at(&mut self, vcc: Vcc, calls: Arc<Signal>) {
        self.listeners.insert(vcc, calls);
    }

    /// Accepts the first call that waits, and says who waits for the answer; none: no call.
    pub(super) fn accept(
        &mut self,
        listen_vcc: Vcc,
        waiting: Arc<Waiting>,
    ) -> Result<Option<(Vcc, Incoming)>, Error> {
        if self.lost {
            return Err(Error::Unavailable);
        }
        let Some(call) = self.kernel.waiting(listen_vcc).cloned() else {
            self.level(listen_vcc);
            return Ok(None);
        };
        // Before the caller can know, so that none of its frames is missed.
        let accepted = match Flow::open(call.pvc, &call.qos, &self.pool) {
            Ok(flow) => self.kernel.accept(listen_vcc).map(|accepting| {
                self.flows.insert(accepting.vcc, Arc::new(flow));
                self.waiting.insert(accepting.vcc, waiting);
                self.send(&accepting.send);
                accepting.vcc
            }),
            Err(error) => {
                if let Some(code) = ErrorCode::new(NO_INTERFACE)
                    && let Ok((_, reject)) = self.kernel.reject(listen_vcc, code)
                {
                    self.send(&reject);
                }
                self.level(listen_vcc);
                return Err(error);
            }
        };
        self.level(listen_vcc);
        Ok(Some((accepted?, call)))
    }

    /// Lowers what tells of calls, where none waits.
    fn level(&self, listen_vcc: Vcc) {
        if self.kernel.waiting(listen_vcc).is_none()
            && let Some(calls) = self.listeners.get(&listen_vcc)
        {
            calls.lower();
        }
    }

    /// Nobody holds the socket any more: closes it, now or when its answer comes.
    pub(super) fn give_up(&mut self, vcc: Vcc) {
        self.waiting.remove(&vcc);
        self.flows.remove(&vcc);
        self.words.remove(&vcc);
        self.listeners.remove(&vcc);
        // One that waits for the answer to bind or listen may not be closed before (3.5, 3.7); one that is free or
        // closing already need not.
        if let Ok(closing) = self.kernel.close(vcc)
            && let Some(close) = closing.send
        {
            self.send(&close);
        }
    }

    fn answer(&mut self, vcc: Vcc, answer: Answer) {
        let failed = matches!(answer, Answer::Failed(_));
        let waiting = self.waiting.remove(&vcc);
        if failed || waiting.is_none() {
            self.give_up(vcc);
        }
        if let Some(waiting) = waiting {
            waiting.put(answer);
        }
    }

    /// Takes a message of the daemon. False: it is none that the daemon may send.
    pub(super) fn hears(&mut self, octets: &[u8]) -> bool {
        if let Some(words) = Words::decode(octets) {
            let vcc = words.vcc();
            if self.waiting.contains_key(&vcc) || self.flows.contains_key(&vcc) {
                self.words.insert(vcc, words.into_text());
            }
            return true;
        }
        let Ok(message) = self.kernel.decode(octets) else {
            return false;
        };
        let Ok(event) = self.kernel.hears(message) else {
            return false;
        };
        match event {
            Event::Bound { vcc, svc } => self.answer(vcc, Answer::Bound(svc)),
            Event::Listening { vcc } => self.answer(vcc, Answer::Listening),
            Event::Connected {
                vcc,
                pvc,
                local,
                qos,
            } => {
                let answer = match Flow::open(pvc, &qos, &self.pool) {
                    Ok(flow) => {
                        let flow = Arc::new(flow);
                        self.flows.insert(vcc, Arc::clone(&flow));
                        Answer::Connected(Established {
                            flow,
                            pvc,
                            local,
                            qos,
                        })
                    }
                    Err(error) => Answer::Failed(error),
                };
                self.answer(vcc, answer);
            }
            Event::Accepted {
                vcc,
                pvc,
                local,
                qos,
            } => {
                // It was opened before; if not, nobody holds the socket any more.
                match self.flows.get(&vcc).cloned() {
                    Some(flow) => self.answer(
                        vcc,
                        Answer::Connected(Established {
                            flow,
                            pvc,
                            local,
                            qos,
                        }),
                    ),
                    None => self.give_up(vcc),
                }
            }
            Event::Failed {
                vcc,
                request,
                reply,
            } => {
                let what = match request {
                    Request::Bind | Request::Listen => "the address to listen on",
                    Request::Connect => "the call",
                    Request::Accept => "accepting the call",
                };
                let error = Error::Refused {
                    what,
                    code: reply,
                    words: self.words.remove(&vcc),
                };
                self.answer(vcc, Answer::Failed(error));
            }
            Event::Closed { vcc, reply } => {
                if let Some(flow) = self.flows.get(&vcc) {
                    flow.end(End::Closed(reply, self.words.remove(&vcc)));
                }
                self.give_up(vcc);
            }
            Event::Incoming { listen_vcc } => {
                if let Some(calls) = self.listeners.get(&listen_vcc) {
                    calls.raise();
                }
            }
            Event::Crossed { .. } => {}
            Event::Gone { send, .. } => {
                for reject in &send {
                    self.send(reject);
                }
            }
        }
        true
    }

    /// The daemon is gone.
    pub(super) fn lose(&mut self) {
        self.lost = true;
        self.unsent.clear();
        for vcc in self.kernel.transport_lost() {
            if let Some(flow) = self.flows.get(&vcc) {
                flow.end(End::Lost);
            }
            if let Some(calls) = self.listeners.get(&vcc) {
                calls.raise();
            }
            self.answer(vcc, Answer::Failed(Error::Unavailable));
        }
    }
}

//! Which permanent ends there are to be, how far each is, and when it is asked for again.
//!
//! ```text
//! Waiting -- begin --> Due -- asked --> Has(socket) -- ended, refused --> Due, later
//!    ^------------------------ cease ---------------------/
//! ```
//!
//! Pure: told the time and what the guest says. Must never ask for an end twice, nor forget one.

use std::collections::{BTreeMap, BTreeSet};

use pinode_guest_dss::control::{SocketRequest, SocketState, SocketView};
use pinode_signaling::daemon::cause;
use pinode_signaling::daemon::switch::Span;
use pinode_signaling::isp::ErrorCode;
use pinode_signaling::{Address, Class, Qos, Traffic};

use super::permanent::{End, Permanent, PermanentShown, PermanentState};

/// What is refused is asked for again after so long at first, then after twice as long each time.
const LEAST_NS: u64 = 250_000_000;
/// Not later than this.
const MOST_NS: u64 = 30_000_000_000;

/// Permanent ends of a switch.
#[derive(Debug)]
pub struct Ends {
    /// Sockets that the guest may have.
    most: u32,
    all: BTreeMap<String, Kept>,
    last_socket: u32,
    /// Sockets of ends that are wanted no more, and are still to be closed.
    unwanted: BTreeSet<u32>,
    /// All sockets of such ends that the guest may still have, and what they stand for.
    leaving: BTreeMap<u32, Span>,
}

#[derive(Debug)]
struct Kept {
    permanent: Permanent,
    at: Span,
    configured: bool,
    state: State,
    tries: u64,
    /// Why it is not there; none: nothing was wrong.
    why: Option<Why>,
    wait_ns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Due(u64),
    Has {
        socket: u32,
        is_there: bool,
        since_ns: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    /// An error code of the protocol; none: it was closed from afar.
    Ended(Option<i32>),
    Guest(String),
}

impl Ends {
    /// None, of a guest that may have so many sockets.
    #[must_use]
    pub fn new(most: u32) -> Self {
        Self {
            most,
            all: BTreeMap::new(),
            last_socket: 0,
            unwanted: BTreeSet::new(),
            leaving: BTreeMap::new(),
        }
    }

    /// One more, of the configuration if `configured`.
    ///
    /// # Errors
    ///
    /// Why there cannot be.
    pub fn add(&mut self, permanent: Permanent, at: Span, configured: bool) -> Result<(), String> {
        let each = self.all.values().map(|kept| kept.permanent.sockets());
        let sockets = each.fold(permanent.sockets(), u32::saturating_add);
        if sockets > self.most {
            let most = self.most;
            return Err(format!(
                "with it the guest would need {sockets} sockets; allowed: {most} (config.sockets of the PI)"
            ));
        }
        let name = permanent.name.clone();
        for (other, kept) in &self.all {
            if *other == name {
                return Err(format!("there is a permanent end {name:?} already"));
            }
            if kept.at.meets(at) {
                return Err(format!("its labels are those of {other:?} too"));
            }
            if let (End::Listen { address: own, .. }, End::Listen { address, .. }) =
                (&permanent.end, &kept.permanent.end)
                && own == address
            {
                return Err(format!("{other:?} listens on {address} already"));
            }
        }
        let kept = Kept {
            permanent,
            at,
            configured,
            state: State::Waiting,
            tries: 0,
            why: None,
            wait_ns: 0,
        };
        self.all.insert(name, kept);
        Ok(())
    }

    /// One less: it is given up as soon as it can be.
    ///
    /// # Errors
    ///
    /// There is none that may be taken away.
    pub(super) fn remove(&mut self, name: &str) -> Result<(), String> {
        match self.all.get(name) {
            None => Err(format!("there is no permanent end {name:?}")),
            Some(Kept {
                configured: true, ..
            }) => Err(format!(
                "{name:?} is of the configuration file, which alone takes it away"
            )),
            Some(kept) => {
                if let State::Has { socket, .. } = kept.state {
                    self.unwanted.insert(socket);
                    self.leaving.insert(socket, kept.at);
                }
                self.all.remove(name);
                Ok(())
            }
        }
    }

    /// Whether there is nothing to be done, ever.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.unwanted.is_empty()
    }

    /// Another life of the guest's sockets: all of them are asked for now.
    pub(super) fn begin(&mut self, now_ns: u64) {
        self.unwanted.clear();
        self.leaving.clear();
        for kept in self.all.values_mut() {
            kept.state = State::Due(now_ns);
            kept.wait_ns = 0;
        }
    }

    /// That life is over.
    pub(super) fn cease(&mut self) {
        self.unwanted.clear();
        self.leaving.clear();
        for kept in self.all.values_mut() {
            kept.state = State::Waiting;
        }
    }

    /// What is to be asked of the guest now, in a life of its sockets, one after the other; with its socket's number.
    pub(super) fn ask(&mut self, now_ns: u64) -> Option<(u32, SocketRequest)> {
        if let Some(socket) = self.unwanted.pop_first() {
            return Some((socket, SocketRequest::Close { socket }));
        }
        let is_due = |kept: &&mut Kept| match kept.state {
            State::Due(at_ns) => at_ns <= now_ns,
            // It was added while this life goes on.
            State::Waiting => true,
            State::Has { .. } => false,
        };
        let kept = self.all.values_mut().find(is_due)?;
        self.last_socket = self.last_socket.wrapping_add(1);
        let socket = self.last_socket;
        kept.state = State::Has {
            socket,
            is_there: false,
            since_ns: now_ns,
        };
        kept.tries += 1;
        Some((socket, kept.request(socket)))
    }

    /// The guest could not be asked for this socket.
    pub(super) fn not_asked(&mut self, socket: u32, now_ns: u64) {
        if let Some(kept) = self.of(socket) {
            kept.state = State::Due(now_ns);
            kept.tries -= 1;
        } else {
            // Taken away meanwhile: there is nothing to be closed.
            self.unwanted.remove(&socket);
            self.closed(socket);
        }
    }

    /// The guest could not be asked to close this socket.
    pub(super) fn not_closed(&mut self, socket: u32) {
        self.unwanted.insert(socket);
    }

    /// The guest has no such socket any more.
    pub(super) fn closed(&mut self, socket: u32) {
        self.leaving.remove(&socket);
    }

    /// Whether a socket of the guest that was asked for stands for this.
    pub(super) fn asked_for(&self, at: Span) -> bool {
        let has = |kept: &Kept| kept.at == at && matches!(kept.state, State::Has { .. });
        self.all.values().any(has) || self.leaving.values().any(|own| *own == at)
    }

    /// The guest refuses what was asked for this socket.
    pub(super) fn refused(&mut self, socket: u32, words: String, now_ns: u64) {
        if let Some(kept) = self.of(socket) {
            kept.again(Why::Guest(words), now_ns);
        }
    }

    /// How a socket of the guest is now.
    pub(super) fn heard(&mut self, view: &SocketView, now_ns: u64) {
        let Some(kept) = self.of(view.socket) else {
            if view.state == SocketState::Ended {
                self.closed(view.socket);
            }
            return;
        };
        match view.state {
            SocketState::Connected | SocketState::Listening => {
                if let State::Has {
                    is_there, since_ns, ..
                } = &mut kept.state
                    && !*is_there
                {
                    (*is_there, *since_ns) = (true, now_ns);
                    kept.why = None;
                }
            }
            SocketState::Ended => kept.again(Why::Ended(view.reply), now_ns),
            SocketState::Connecting | SocketState::Registering | SocketState::Closing => {}
        }
    }

    fn of(&mut self, socket: u32) -> Option<&mut Kept> {
        self.all
            .values_mut()
            .find(|kept| matches!(kept.state, State::Has { socket: own, .. } if own == socket))
    }

    /// All of them, without their calls, and where each is.
    pub(super) fn shown(&self, now_ns: u64) -> Vec<(Span, PermanentShown)> {
        let shown = |kept: &Kept| (kept.at, kept.shown(now_ns));
        self.all.values().map(shown).collect()
    }
}

impl Kept {
    fn request(&self, socket: u32) -> SocketRequest {
        let at = self.at;
        match self.permanent.end {
            End::Call {
                called,
                address,
                qos,
            } => SocketRequest::Open {
                socket,
                at,
                local: address.unwrap_or(Address::NULL),
                called,
                qos,
            },
            End::Listen {
                address, max_sdu, ..
            } => SocketRequest::Listen {
                socket,
                at,
                address,
                qos: anything(max_sdu),
            },
        }
    }

    /// It is not there, and is asked for again later: the later, the shorter it was there.
    fn again(&mut self, why: Why, now_ns: u64) {
        let held = match self.state {
            State::Has {
                is_there: true,
                since_ns,
                ..
            } => now_ns.saturating_sub(since_ns) >= self.wait_ns,
            _ => false,
        };
        self.wait_ns = match self.wait_ns {
            0 => LEAST_NS,
            _ if held => LEAST_NS,
            before => before.saturating_mul(2).min(MOST_NS),
        };
        self.state = State::Due(now_ns.saturating_add(self.wait_ns));
        self.why = Some(why);
    }

    fn shown(&self, now_ns: u64) -> PermanentShown {
        let is_listener = matches!(self.permanent.end, End::Listen { .. });
        let state = match self.state {
            State::Due(_) if self.why.is_some() => PermanentState::Down,
            State::Waiting | State::Due(_) => PermanentState::Waiting,
            State::Has {
                is_there: false, ..
            } => PermanentState::Connecting,
            State::Has { .. } if is_listener => PermanentState::Listening,
            State::Has { .. } => PermanentState::Up,
        };
        let (number, words) = match &self.why {
            None => (None, None),
            Some(Why::Guest(words)) => (None, Some(words.clone())),
            Some(Why::Ended(None)) => (None, Some("it was released by the other end".to_owned())),
            Some(Why::Ended(Some(reply))) => {
                let known = ErrorCode::new(*reply).and_then(cause);
                let words =
                    known.map_or_else(|| format!("error {reply}"), |known| known.to_string());
                (known.map(|known| known.number()), Some(words))
            }
        };
        PermanentShown {
            permanent: self.permanent.clone(),
            configured: self.configured,
            state,
            tries: self.tries,
            cause: number,
            why: words,
            again_in_ns: match self.state {
                State::Due(at_ns) => Some(at_ns.saturating_sub(now_ns)),
                _ => None,
            },
            calls: Vec::new(),
        }
    }
}

/// As much as can be, each way.
fn anything(max_sdu: u16) -> Qos {
    Qos::both(Traffic {
        class: Class::Ubr,
        peak: None,
        cdvt_ns: 0,
        max_sdu,
    })
}

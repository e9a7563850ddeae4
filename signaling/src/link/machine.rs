//! The link's two ends: who the neighbour is, whether it is heard, and what goes between.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use thiserror::Error;

use super::lives::{Former, another};
use super::pdu::{Body, MOST_PAYLOAD, Pdu};
use super::peer::Peer;
use super::sending::Sending;
use super::side::Side;
use super::timers::Timers;

/// What a link tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Indication {
    /// The neighbour is heard.
    Up {
        /// This side.
        side: Side,
    },
    /// The neighbour is not heard any more. Messages wait for it.
    Down,
    /// The neighbour's life is over: messages that waited for it are gone, and so is what it knew.
    Restarted,
    /// A message, in the order in which it was sent.
    Data(Vec<u8>),
}

/// A message that a link does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendError {
    /// There is no neighbour yet.
    #[error("no neighbour has been heard yet")]
    Nobody,
    /// The message is too long.
    #[error("a message of {octets} octets; allowed: {MOST_PAYLOAD}")]
    Long {
        /// Its octets.
        octets: usize,
    },
    /// Too many wait.
    #[error("{waiting} messages wait, which is all that may")]
    Full {
        /// How many wait.
        waiting: usize,
    },
}

/// What was heard that said nothing, and what had to be said again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// PDUs that are none.
    pub malformed: u64,
    /// PDUs of lives that are over, for others, and own ones that came back.
    pub strange: u64,
    /// SDs sent again, to the neighbour's present life.
    pub repetitions: u64,
}

/// One end of a link.
#[derive(Debug)]
pub struct Link {
    timers: Timers,
    most_waiting: usize,
    instance: u64,
    peer: Option<Peer>,
    former: Former,
    begin_due_ns: u64,
    begin_ack_owed: Option<u64>,
    ended: bool,
    end_owed: bool,
    indications: VecDeque<Indication>,
    counters: Counters,
}

impl Link {
    /// An end of a link, down, with a random number for this life. 0 is none and becomes another.
    #[must_use]
    pub fn new(timers: Timers, most_waiting: usize, instance: u64) -> Self {
        Self {
            timers,
            most_waiting,
            instance: instance.max(1),
            peer: None,
            former: Former::default(),
            begin_due_ns: 0,
            begin_ack_owed: None,
            ended: false,
            end_owed: false,
            indications: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Sends a message, as soon as the neighbour is heard and has room.
    ///
    /// # Errors
    /// [`SendError`]: no neighbour yet, too long, or too many wait.
    pub fn send(&mut self, payload: Vec<u8>) -> Result<(), SendError> {
        let octets = payload.len();
        if octets > MOST_PAYLOAD {
            return Err(SendError::Long { octets });
        }
        let peer = self.peer.as_mut().ok_or(SendError::Nobody)?;
        let waiting = peer.sending.waiting();
        let taken = peer.sending.push(payload);
        taken.map_err(|_| SendError::Full { waiting })
    }

    /// A PDU came, with whatever padding behind it.
    pub fn hears(&mut self, now_ns: u64, octets: &[u8]) {
        if self.ended {
            return;
        }
        let Some(pdu) = Pdu::decode(octets) else {
            self.counters.malformed += 1;
            return;
        };
        match pdu.body {
            Body::Begin => self.hears_begin(now_ns, pdu.from),
            _ if pdu.to != self.instance
                || pdu.from == self.instance
                || self.former.contains(pdu.from) =>
            {
                self.counters.strange += 1;
            }
            Body::End => self.hears_end(now_ns, pdu.from),
            body => self.hears_session(now_ns, pdu.from, body),
        }
    }

    /// The neighbour does not hear this side yet or any more, or there is another one. It is only answered: what
    /// proves that this side is heard is the rest, and BGN does not put off Timer_NO-RESPONSE.
    fn hears_begin(&mut self, now_ns: u64, from: u64) {
        if from == self.instance {
            self.counters.strange += 1;
            // Two sides with the same number, or own PDUs that come back; the latter never ends, and the link
            // is never up.
            if self.peer.is_none() {
                self.instance = another(self.instance, now_ns);
            }
        } else if self.former.contains(from) {
            self.counters.strange += 1;
        } else {
            self.begin_ack_owed = Some(from);
        }
    }

    fn hears_end(&mut self, now_ns: u64, from: u64) {
        if self.peer.as_ref().is_some_and(|p| p.instance == from) {
            self.forget(now_ns);
        }
    }

    /// Something that only who has heard this life can say.
    fn hears_session(&mut self, now_ns: u64, from: u64, body: Body<'_>) {
        if self.peer.as_ref().is_some_and(|p| p.instance != from) {
            self.forget(now_ns);
        }
        let side = self.side_against(from);
        let peer = self.peer.get_or_insert_with(|| {
            let sending = Sending::new(self.most_waiting, self.timers.retransmit_ns);
            Peer::new(from, now_ns, sending)
        });
        peer.heard(now_ns);
        if !peer.up {
            peer.up = true;
            // The neighbour learns by it that it is heard.
            peer.poll_owed = true;
            self.indications.push_back(Indication::Up { side });
        }
        match body {
            Body::Data { number, payload } => {
                peer.stat_owed = true;
                peer.receiving.hears(number, payload, |payload| {
                    self.indications.push_back(Indication::Data(payload));
                });
            }
            Body::Poll => peer.stat_owed = true,
            Body::Stat { expected, beyond } => peer.sending.hears(expected, beyond),
            Body::Begin | Body::BeginAck | Body::End => {}
        }
    }

    fn down(&mut self, now_ns: u64) {
        let Some(peer) = self.peer.as_mut().filter(|peer| peer.up) else {
            return;
        };
        peer.up = false;
        self.begin_due_ns = now_ns;
        self.indications.push_back(Indication::Down);
    }

    /// The neighbour's life is over.
    fn forget(&mut self, now_ns: u64) {
        self.down(now_ns);
        if let Some(peer) = self.peer.take() {
            self.counters.repetitions += peer.sending.repetitions();
            self.former.push(peer.instance);
            self.indications.push_back(Indication::Restarted);
        }
    }

    /// Begins another life: the neighbour will hear that this one is over, and messages that wait are gone.
    /// Nothing is indicated but [`Indication::Down`].
    pub fn renew(&mut self, now_ns: u64) {
        self.down(now_ns);
        if let Some(peer) = self.peer.take() {
            self.counters.repetitions += peer.sending.repetitions();
        }
        self.instance = another(self.instance, now_ns);
        self.begin_ack_owed = None;
    }

    /// Ends: the neighbour is told once. Nothing is indicated or heard any more.
    pub fn end(&mut self) {
        self.end_owed = !self.ended && self.peer.is_some();
        self.ended = true;
        self.indications.clear();
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ns: u64) {
        if self.ended {
            return;
        }
        let timers = self.timers;
        if self
            .peer
            .as_ref()
            .is_some_and(|p| p.is_lost(now_ns, &timers))
        {
            self.down(now_ns);
        }
    }

    /// When [`tick`](Self::tick) and [`next_pdu`](Self::next_pdu) are to be called next; a time that has passed
    /// means now.
    #[must_use]
    pub fn due_ns(&self) -> Option<u64> {
        if self.ended {
            return self.end_owed.then_some(0);
        }
        if self.begin_ack_owed.is_some() {
            return Some(0);
        }
        let peer = self
            .peer
            .as_ref()
            .and_then(|peer| peer.due_ns(&self.timers));
        Some(peer.unwrap_or(self.begin_due_ns))
    }

    /// The next PDU to send.
    pub fn next_pdu(&mut self, now_ns: u64) -> Option<Vec<u8>> {
        let from = self.instance;
        let known = self.peer.as_ref().map_or(0, |peer| peer.instance);
        let pdu = |to, body: Body<'_>| Some(Pdu { from, to, body }.encode());
        if self.ended {
            return core::mem::take(&mut self.end_owed)
                .then(|| pdu(known, Body::End))
                .flatten();
        }
        if let Some(to) = self.begin_ack_owed.take() {
            return pdu(to, Body::BeginAck);
        }
        let Some(peer) = self.peer.as_mut().filter(|peer| peer.up) else {
            if now_ns < self.begin_due_ns {
                return None;
            }
            self.begin_due_ns = now_ns.saturating_add(self.timers.connection_control_ns);
            return pdu(known, Body::Begin);
        };
        let body = peer.next(now_ns, &self.timers)?;
        pdu(known, body)
    }

    /// What happened next.
    pub fn next_indication(&mut self) -> Option<Indication> {
        self.indications.pop_front()
    }

    /// Whether the neighbour is heard.
    #[must_use]
    pub fn is_up(&self) -> bool {
        !self.ended && self.peer.as_ref().is_some_and(|peer| peer.up)
    }

    /// This side, once there is a neighbour.
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        let peer = self.peer.as_ref()?;
        Some(self.side_against(peer.instance))
    }

    fn side_against(&self, instance: u64) -> Side {
        if self.instance > instance {
            Side::Odd
        } else {
            Side::Even
        }
    }

    /// Messages that wait to be sent for the first time.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.peer.as_ref().map_or(0, |peer| peer.sending.waiting())
    }

    /// This life's number.
    #[must_use]
    pub fn instance(&self) -> u64 {
        self.instance
    }

    /// Counters of all lives.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let now = self
            .peer
            .as_ref()
            .map_or(0, |peer| peer.sending.repetitions());
        Counters {
            repetitions: self.counters.repetitions + now,
            ..self.counters
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;

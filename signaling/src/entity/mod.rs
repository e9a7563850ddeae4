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

mod calls;
mod error;
mod event;
mod out;

pub use error::CallError;
pub use event::{CallId, Event};

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::link::{self, Indication, Link, Side};
use crate::q2931::{self, CallState, Cause, Reason, Setup, promised};
use crate::qos::Qos;

use self::calls::Calls;
use self::out::Out;

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

impl Limits {
    /// Messages, or events, that may wait: a call has four or fewer at a time.
    fn most_waiting(&self) -> usize {
        self.most_calls.saturating_mul(4).saturating_add(64)
    }
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

/// What was heard and not understood, and what could not be said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that are none, or of another protocol, or incomplete.
    pub undecodable: u64,
    /// Messages that were not sent, as too many waited. Timers of calls see to them.
    pub unsent: u64,
    /// PDUs that were not heard, as too many events waited for [`Entity::next_event`].
    pub unheard: u64,
}

/// One port's signalling.
#[derive(Debug)]
pub struct Entity {
    limits: Limits,
    link: Link,
    calls: Calls,
    events: VecDeque<Event>,
    counters: Counters,
    /// When T309 runs out: it runs while the link is down.
    t309_ns: Option<u64>,
}

impl Entity {
    /// The signalling of a port, down at first. `instance` is a random number: it tells this life of the entity
    /// from others, and settles sides.
    #[must_use]
    pub fn new(limits: Limits, instance: u64) -> Self {
        Self {
            limits,
            link: Link::new(limits.link, limits.most_waiting(), instance),
            calls: Calls::new(limits.most_calls, limits.calls),
            events: VecDeque::new(),
            counters: Counters::default(),
            t309_ns: None,
        }
    }

    /// The parts that a step has to do with.
    fn parts(&mut self, now_ns: u64) -> (&mut Calls, Out<'_>) {
        let out = Out {
            now_ns,
            link: &mut self.link,
            events: &mut self.events,
            counters: &mut self.counters,
            most_answers: self.limits.most_waiting() / 2,
        };
        (&mut self.calls, out)
    }

    /// A PDU came in a frame with label 1. `pdu` may have padding behind it.
    pub fn hears(&mut self, now_ns: u64, pdu: &[u8]) {
        if self.events.len() >= self.limits.most_waiting() {
            self.counters.unheard += 1;
            return;
        }
        self.link.hears(now_ns, pdu);
        self.attend(now_ns);
    }

    /// What the link has to tell.
    fn attend(&mut self, now_ns: u64) {
        while let Some(indication) = self.link.next_indication() {
            match indication {
                Indication::Up { side } => {
                    self.events.push_back(Event::Up { side });
                    if self.t309_ns.take().is_some() {
                        // Nothing was lost, if both sides are what they say.
                        let (calls, mut out) = self.parts(now_ns);
                        calls.enquire(&mut out);
                    }
                }
                Indication::Down => {
                    self.events.push_back(Event::Down);
                    self.t309_ns = Some(now_ns.saturating_add(self.limits.calls.t309_ns));
                }
                Indication::Restarted => {
                    let (calls, mut out) = self.parts(now_ns);
                    calls.end_all(&mut out, Cause::TemporaryFailure);
                    self.t309_ns = None;
                }
                Indication::Data(octets) => {
                    let (calls, mut out) = self.parts(now_ns);
                    calls.hears(&mut out, &octets);
                }
            }
        }
    }

    /// When [`tick`](Self::tick) and [`next_pdu`](Self::next_pdu) are to be called next, if at all; a time that
    /// has passed means now.
    #[must_use]
    pub fn due_ns(&self) -> Option<u64> {
        [self.link.due_ns(), self.calls.due_ns(), self.t309_ns]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ns: u64) {
        self.link.tick(now_ns);
        self.attend(now_ns);
        if self.t309_ns.is_some_and(|due_ns| due_ns <= now_ns) {
            self.t309_ns = None;
            let (calls, mut out) = self.parts(now_ns);
            calls.end_all(&mut out, Cause::DestinationOutOfOrder);
            // The neighbour may have heard a little more, and be about to hear again: to it this life is over,
            // and so are its calls.
            self.link.renew(now_ns);
            self.attend(now_ns);
        }
        let (calls, mut out) = self.parts(now_ns);
        calls.tick(&mut out);
    }

    /// The next PDU to send in a frame with label 1: 1,424 octets at most.
    pub fn next_pdu(&mut self, now_ns: u64) -> Option<Vec<u8>> {
        self.link.next_pdu(now_ns)
    }

    /// What happened next.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Asks the neighbour for a call. It goes on with [`Event::Connected`], or ends.
    ///
    /// # Errors
    /// [`CallError`]: down, full, busy, a label that is not this side's or in use, or what SETUP cannot carry.
    pub fn setup(&mut self, now_ns: u64, setup: Setup) -> Result<CallId, CallError> {
        setup.check()?;
        let side = self.link.side().filter(|_| self.link.is_up());
        let side = side.ok_or(CallError::Down)?;
        let label = setup.connection.label();
        if !side.chooses(label) {
            return Err(CallError::Side { label, side });
        }
        let waiting = self.link.waiting();
        if waiting >= self.limits.most_waiting() / 2 {
            return Err(CallError::Busy { waiting });
        }
        let (calls, mut out) = self.parts(now_ns);
        calls.setup(&mut out, setup)
    }

    /// Answers an incoming call, with what was granted as seen from here.
    ///
    /// # Errors
    /// [`CallError::Unknown`], [`CallError::State`] if it was answered before or is being released, and
    /// [`CallError::Setup`] for what CONNECT cannot carry.
    pub fn connect(&mut self, now_ns: u64, call: CallId, granted: Qos) -> Result<(), CallError> {
        promised(&granted)?;
        let (calls, mut out) = self.parts(now_ns);
        calls.connect(&mut out, call, granted)
    }

    /// Releases a call in any state; it goes on with [`Event::Cleared`], or with [`Event::Released`] if it had
    /// begun to end by itself. Again for the same call it does nothing.
    ///
    /// # Errors
    /// [`CallError::Unknown`] for a call that has ended: its end is told, or waits in
    /// [`next_event`](Self::next_event).
    pub fn release(
        &mut self,
        now_ns: u64,
        call: CallId,
        reason: impl Into<Reason>,
    ) -> Result<(), CallError> {
        let (calls, mut out) = self.parts(now_ns);
        calls.release(&mut out, call, reason.into())
    }

    /// Ends this life: tells the neighbour, which releases all calls at once, and ends all calls here. Nothing
    /// is sent after what [`next_pdu`](Self::next_pdu) then has, and nothing is heard.
    pub fn end(&mut self) {
        if self.is_up() {
            self.events.push_back(Event::Down);
        }
        let (calls, mut out) = self.parts(0);
        calls.end_all(&mut out, Cause::TemporaryFailure);
        self.t309_ns = None;
        self.link.end();
    }

    /// This side, once there is a neighbour.
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        self.link.side()
    }

    /// Whether the neighbour is heard.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// Calls in any state.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.count()
    }

    /// The state of a call; none if it has ended.
    #[must_use]
    pub fn state(&self, call: CallId) -> Option<CallState> {
        self.calls.state(call)
    }

    /// This life's number.
    #[must_use]
    pub fn instance(&self) -> u64 {
        self.link.instance()
    }

    /// What was not understood, and what could not be said.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What the link did not understand, and what it had to say again.
    #[must_use]
    pub fn link_counters(&self) -> link::Counters {
        self.link.counters()
    }
}

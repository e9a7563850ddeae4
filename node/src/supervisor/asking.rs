//! Questions to guests and their answers, and what a guest is told again when it has come up anew.
//!
//! Must never let a guest say that something was done which nobody asked of it, nor wait for one that is gone.

use std::sync::mpsc::SyncSender;

use serde_json::Value;
use tracing::warn;

use super::lifecycle::State;
use super::requests::{Answered, Asker, RequestError};
use super::watch::{Run, legible};
use crate::dataplane::clock::Clock;

/// Most characters of a guest's words that are passed on.
const WORDS: usize = 1024;

/// What was changed of a guest at run time: it outlives the guest, and is told to the next.
pub trait Journal: Send {
    /// Whether this can be asked: whether what it changes can be kept.
    ///
    /// # Errors
    ///
    /// Why not, and what is allowed.
    fn admit(&self, request: &Value) -> Result<(), String>;

    /// The guest answered so.
    ///
    /// # Errors
    ///
    /// The answer does not fit the request; nothing of it is kept.
    fn note(&mut self, request: &Value, answer: &Value) -> Result<(), String>;

    /// Whether a fresh guest has anything to be told: then it forwards nothing before that was all.
    fn has_changes(&self) -> bool;

    /// Begins to tell a fresh guest. Ends with the first [`next`](Self::next) that says so.
    fn rewind(&mut self);

    /// The next that the fresh guest is told; none: that was all.
    fn next(&mut self) -> Option<Value>;

    /// What the fresh guest answered to that. What it refuses is forgotten: it is what the guest has.
    ///
    /// # Errors
    ///
    /// See [`Untold`].
    fn told(&mut self, request: &Value, answer: &Result<Value, String>) -> Result<(), Untold>;
}

/// What a fresh guest could not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// One change, which is forgotten: what it was, and the guest's words.
    Forgotten(String),
    /// All of it: the answer does not fit, or the guest says that it cannot forward so.
    Failed(String),
}

impl Run {
    /// Somebody asks the guest something.
    pub(super) fn ask(&mut self, slot: usize, body: Value, reply: SyncSender<Answered>) {
        let asker = Asker::Operator(reply);
        let Some(guest) = self.guests.get_mut(slot) else {
            return;
        };
        let refusal = match guest.life.state() {
            State::Running if guest.life.answers() => None,
            State::Running => Some(RequestError::Deaf),
            state => Some(RequestError::Down(state.name())),
        };
        let full = || {
            let admitted = guest.journal.as_ref().map(|journal| journal.admit(&body));
            admitted.and_then(Result::err).map(RequestError::Full)
        };
        if let Some(error) = refusal.or_else(full) {
            asker.tell(Err(error));
        } else if let Err((error, asker)) = guest.requests.wish(body, asker) {
            asker.tell(Err(error));
        } else {
            self.send_request(slot);
        }
    }

    /// Sends the next question, if none is under way. A guest may be ready before what runs it has been handed over:
    /// then it is asked once that has happened.
    pub(super) fn send_request(&mut self, slot: usize) {
        let now_ns = self.clock.now_ns();
        let guest = &mut self.guests[slot];
        if let Some(engine) = &guest.engine
            && let Some(line) = guest.requests.begin(now_ns)
        {
            engine.send_line(&line);
        }
    }

    /// The guest answers; its line was counted.
    pub(super) fn hear_answer(&mut self, slot: usize, id: u64, result: Result<Value, String>) {
        let guest = &mut self.guests[slot];
        let Some(heard) = guest.requests.answered(id) else {
            return self.fail(slot, format!("answers request {id}, which waits for none"));
        };
        // What was asked for is no flood.
        guest.lines = guest.lines.saturating_sub(1);
        let result =
            result.map_err(|words| legible(&words).chars().take(WORDS).collect::<String>());
        if let Some(Asker::Journal) = heard.asker {
            return self.told(slot, &heard.body, &result);
        }
        let noted = match (&result, &mut guest.journal) {
            (Ok(answer), Some(journal)) => journal.note(&heard.body, answer),
            _ => Ok(()),
        };
        if let Some(asker) = heard.asker {
            asker.tell(result.map_err(RequestError::Refused));
        }
        match noted {
            Ok(()) => self.send_request(slot),
            Err(what) => self.fail(slot, format!("answers what it was not asked: {what}")),
        }
    }

    /// The guest says that it forwards: it is told what was changed before, and runs then.
    pub(super) fn ready(&mut self, slot: usize) {
        let guest = &mut self.guests[slot];
        if guest.life.state() == State::Booting
            && let Some(journal) = &mut guest.journal
        {
            journal.rewind();
            return self.tell_again(slot);
        }
        self.runs(slot);
    }

    fn tell_again(&mut self, slot: usize) {
        let guest = &mut self.guests[slot];
        let next = guest.journal.as_mut().and_then(|journal| journal.next());
        let Some(body) = next else {
            return self.runs(slot);
        };
        match guest.requests.wish(body, Asker::Journal) {
            Ok(()) => self.send_request(slot),
            Err((error, _)) => self.fail(slot, format!("cannot be told what was changed: {error}")),
        }
    }

    fn told(&mut self, slot: usize, request: &Value, answer: &Result<Value, String>) {
        let now_ns = self.clock.now_ns();
        let guest = &mut self.guests[slot];
        guest.life.gets_on(now_ns);
        let told = guest.journal.as_mut().map(|j| j.told(request, answer));
        match told {
            None | Some(Ok(())) => {}
            Some(Err(Untold::Forgotten(what))) => {
                guest.not_restored += 1;
                let name = &self.config.pis[slot].name;
                warn!(guest = %name, "does not take again what was changed while it ran: {}", legible(&what));
            }
            Some(Err(Untold::Failed(what))) => {
                let what = format!("cannot be told again what was changed while it ran: {what}");
                return self.fail(slot, what);
            }
        }
        self.tell_again(slot);
    }

    /// Gives up what guests do not answer.
    pub(super) fn give_up_requests(&mut self, now_ns: u64) {
        for slot in 0..self.guests.len() {
            match self.guests[slot].requests.overdue(now_ns) {
                None => {}
                Some(Asker::Journal) => {
                    let what = "does not answer when it is told what was changed while it ran";
                    self.fail(slot, what.to_owned());
                }
                Some(asker) => {
                    asker.tell(Err(RequestError::NoAnswer));
                    self.send_request(slot);
                }
            }
        }
    }

    /// The guest is gone, and with it all answers.
    pub(super) fn drop_requests(&mut self, slot: usize) {
        for asker in self.guests[slot].requests.down() {
            asker.tell(Err(RequestError::Lost));
        }
    }
}

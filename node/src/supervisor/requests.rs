//! What a guest's function is asked at run time: one question under way, a few that wait, none for longer than
//! [`PATIENCE_NS`].
//!
//! Pure: told what happened and when, it says which line goes to the guest. What is asked and answered is the
//! function's business; here it is carried. An answer that came too late still counts for what it says was done;
//! one to a question never asked is nonsense.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;

use pinode_guest_runtime::control::LINE_OCTETS;
use serde_json::Value;
use thiserror::Error;

use super::agent;

/// A question that has not been answered by now is given up, nanoseconds.
pub const PATIENCE_NS: u64 = 2_000_000_000;
/// Questions that may wait behind the one under way.
pub const WAITING: usize = 32;
/// Questions given up whose answers may still come.
const LATE: usize = 8;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// The function refuses it: its own words.
    #[error("{0}")]
    Refused(String),
    /// The guest does not forward.
    #[error("is {0}; it can be asked while it is running")]
    Down(&'static str),
    /// The guest runs and does not speak the control protocol.
    #[error("does not speak the control protocol, so it cannot be asked")]
    Deaf,
    /// Too much is waiting.
    #[error("{WAITING} requests wait already; ask again later")]
    Busy,
    /// The question does not fit a line.
    #[error("the request takes {octets} octets; allowed: {LINE_OCTETS}")]
    TooLong {
        /// Octets of its line.
        octets: usize,
    },
    /// What was changed at run time would take too much memory.
    #[error("{0}")]
    Full(String),
    /// Time is up.
    #[error("has not answered within {} s; what was asked may yet be done", PATIENCE_NS / 1_000_000_000)]
    NoAnswer,
    /// The guest went down.
    #[error("went down before it answered; what was asked is lost")]
    Lost,
    /// The node ends.
    #[error("the node ends")]
    Ended,
}

/// An answer: the function's, or why there is none.
pub type Answered = Result<Value, RequestError>;

/// Who asks.
#[derive(Debug)]
pub enum Asker {
    /// Somebody who waits on a channel.
    Operator(SyncSender<Answered>),
    /// The journal, which tells a guest again what was changed.
    Journal,
}

#[derive(Debug)]
struct Question {
    id: u64,
    body: Value,
    line: String,
    asker: Asker,
}

/// What became of an answer.
#[derive(Debug)]
pub struct Heard {
    /// What was asked.
    pub body: Value,
    /// Who asked; none: it was given up, and the asker was told so.
    pub asker: Option<Asker>,
}

/// The questions to one guest.
#[derive(Debug, Default)]
pub struct Requests {
    last: u64,
    under_way: Option<(Question, u64)>,
    waiting: VecDeque<Question>,
    late: VecDeque<(u64, Value)>,
}

impl Requests {
    /// A question to be asked.
    ///
    /// # Errors
    ///
    /// It cannot be taken; the asker gets why.
    pub fn wish(&mut self, body: Value, asker: Asker) -> Result<(), (RequestError, Asker)> {
        if self.waiting.len() >= WAITING {
            return Err((RequestError::Busy, asker));
        }
        self.last += 1;
        let (line, body) = agent::request_line(self.last, body);
        if line.len() > LINE_OCTETS {
            let octets = line.len();
            return Err((RequestError::TooLong { octets }, asker));
        }
        self.waiting.push_back(Question {
            id: self.last,
            body,
            line,
            asker,
        });
        Ok(())
    }

    /// The line to send now, if there is one.
    pub fn begin(&mut self, now_ns: u64) -> Option<String> {
        if self.under_way.is_some() {
            return None;
        }
        let mut question = self.waiting.pop_front()?;
        let line = std::mem::take(&mut question.line);
        self.under_way = Some((question, now_ns.saturating_add(PATIENCE_NS)));
        Some(line)
    }

    /// The guest answered this question. None: it was never asked, or is answered already.
    pub fn answered(&mut self, id: u64) -> Option<Heard> {
        if let Some((question, _)) = self.under_way.take_if(|(question, _)| question.id == id) {
            let Question { body, asker, .. } = question;
            return Some(Heard {
                body,
                asker: Some(asker),
            });
        }
        let place = self.late.iter().position(|(late, _)| *late == id)?;
        let (_, body) = self.late.remove(place)?;
        Some(Heard { body, asker: None })
    }

    /// Gives up a question that waits for its answer too long, and says who asked it.
    pub fn overdue(&mut self, now_ns: u64) -> Option<Asker> {
        let (question, _) = self
            .under_way
            .take_if(|(_, until_ns)| now_ns >= *until_ns)?;
        if self.late.len() >= LATE {
            self.late.pop_front();
        }
        self.late.push_back((question.id, question.body));
        Some(question.asker)
    }

    /// The guest went down: who asked what is under way or waits. Answers that still come are of the past.
    pub fn down(&mut self) -> Vec<Asker> {
        self.late.clear();
        let under_way = self.under_way.take().map(|(question, _)| question);
        let all = under_way.into_iter().chain(self.waiting.drain(..));
        all.map(|question| question.asker).collect()
    }
}

impl Asker {
    /// Gives the asker its answer.
    pub fn tell(self, answer: Answered) {
        // Whoever asked may have gone.
        if let Self::Operator(reply) = self {
            let _ = reply.try_send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::mpsc::{Receiver, sync_channel};

    fn wish(requests: &mut Requests, body: Value) -> Receiver<Answered> {
        let (reply, answer) = sync_channel(1);
        if let Err((error, asker)) = requests.wish(body, Asker::Operator(reply)) {
            asker.tell(Err(error));
        }
        answer
    }

    #[test]
    fn one_is_under_way_and_the_others_wait_their_turn() {
        let mut requests = Requests::default();
        let first = wish(&mut requests, json!(1));
        let _second = wish(&mut requests, json!(2));
        let line = requests.begin(0).unwrap();
        assert_eq!(line, r#"{"request":{"id":1,"body":1}}"#);
        assert_eq!(requests.begin(0), None, "one at a time");
        assert!(requests.answered(2).is_none(), "not asked yet");
        let heard = requests.answered(1).unwrap();
        assert_eq!(heard.body, json!(1));
        heard.asker.unwrap().tell(Ok(json!("done")));
        assert_eq!(first.try_recv(), Ok(Ok(json!("done"))));
        assert!(requests.answered(1).is_none(), "answered already");
        assert!(requests.begin(0).unwrap().contains("\"id\":2"));
    }

    #[test]
    fn a_late_answer_is_heard_and_told_to_nobody() {
        let mut requests = Requests::default();
        let answer = wish(&mut requests, json!({"change": 1}));
        requests.begin(5).unwrap();
        assert!(requests.overdue(5 + PATIENCE_NS - 1).is_none());
        let asker = requests.overdue(5 + PATIENCE_NS).unwrap();
        asker.tell(Err(RequestError::NoAnswer));
        assert_eq!(answer.try_recv(), Ok(Err(RequestError::NoAnswer)));
        let heard = requests.answered(1).unwrap();
        assert_eq!(heard.body, json!({"change": 1}));
        assert!(heard.asker.is_none());
        assert!(requests.answered(1).is_none());
    }

    #[test]
    fn what_cannot_be_taken_says_why() {
        let mut requests = Requests::default();
        let _kept: Vec<_> = (0..WAITING)
            .map(|n| wish(&mut requests, json!(n)))
            .collect();
        let busy = wish(&mut requests, json!(0));
        assert_eq!(busy.try_recv(), Ok(Err(RequestError::Busy)));
        let mut requests = Requests::default();
        let long = wish(&mut requests, json!("x".repeat(LINE_OCTETS)));
        let error = long.try_recv().unwrap().unwrap_err();
        assert!(matches!(error, RequestError::TooLong { .. }));
        assert!(error.to_string().contains("allowed: 65536"), "{error}");
        assert_eq!(requests.begin(0), None);
    }

    #[test]
    fn all_hear_that_the_guest_went_down() {
        let mut requests = Requests::default();
        let answers: Vec<_> = (0..3).map(|n| wish(&mut requests, json!(n))).collect();
        requests.begin(0).unwrap();
        for asker in requests.down() {
            asker.tell(Err(RequestError::Lost));
        }
        for answer in answers {
            assert_eq!(answer.try_recv(), Ok(Err(RequestError::Lost)));
        }
        assert!(requests.answered(1).is_none(), "of an earlier life");
        assert_eq!(requests.begin(0), None);
    }
}

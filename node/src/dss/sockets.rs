//! The transport between the guest's sockets and the daemon: messages are carried both ways, octet for octet, and what
//! permanent ends want is asked of the guest.
//!
//! ```text
//! guest -- events ----> said ---> waiting -- packets --> daemon
//!       <- requests --- told <------------------------- daemon
//! ```
//!
//! The protocol counts on a transport that loses nothing. So a message that is lost, or is refused by either side, ends
//! the life of the transport: the daemon releases all that the sockets had, the guest forgets them, and the next life begins
//! with what is wanted. Must never let a message of one life into another.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pinode_guest_dss::control::{
    Answer, IspEvent, IspRequest, MOST_MESSAGES, Octets, Request, Said, SocketRequest, SocketView,
};
use pinode_signaling::daemon::switch::Span;
use pinode_signaling::daemon::switch::packet::{self, Isp, ToDaemon};

use super::ends::Ends;
use super::permanent::PermanentShown;
use super::table::Unanswered;

/// Packets that may wait for a daemon that does not take them.
const WAITING: usize = 4_096;
/// Messages of the daemon that may wait for a guest that does not take them.
const UNTOLD: usize = 16_384;
/// A guest that has no room, or could not be asked, is asked again after so long.
const LATER: Duration = Duration::from_millis(20);
/// A life that was ended begins again after so long.
const AGAIN: Duration = Duration::from_millis(500);

/// The sockets of one guest, as the node has to do with them.
pub(super) struct Sockets {
    guest: String,
    pub ends: Ends,
    started: Instant,
    guest_runs: bool,
    last_life: u64,
    life: Option<Life>,
    /// Nothing is asked sooner.
    not_before: Instant,
    /// Packets for the daemon.
    waiting: VecDeque<Vec<u8>>,
    /// Messages for the guest, of this life.
    untold: VecDeque<Octets>,
}

/// What the guest is to be asked, while nobody waits for its answer but who asks.
pub(super) struct Question {
    pub request: Request,
    life: u64,
    of: Of,
}

/// What a question is for.
#[derive(Clone, Copy)]
enum Of {
    /// A life, with this daemon.
    Life(u32),
    /// So many messages.
    Messages(usize),
    /// A socket that is to be.
    Socket(u32),
    /// One that is to be no more.
    Close(u32),
}

/// A life of the transport.
struct Life {
    number: u64,
    /// Process of its daemon.
    daemon: u32,
    /// Messages of the guest that were heard.
    heard: u64,
}

impl Sockets {
    pub fn new(guest: &str, most: u32) -> Self {
        let now = Instant::now();
        Self {
            guest: guest.to_owned(),
            ends: Ends::new(most),
            started: now,
            guest_runs: false,
            last_life: 0,
            life: None,
            not_before: now,
            waiting: VecDeque::new(),
            untold: VecDeque::new(),
        }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub fn shown(&self) -> Vec<(Span, PermanentShown)> {
        self.ends.shown(self.now_ns())
    }

    /// The guest runs anew, and knows nothing; or runs no more.
    pub fn guest_is(&mut self, runs: bool) {
        self.guest_runs = runs;
        if self.life.is_some() {
            self.cease("the guest has ended", Duration::ZERO);
        }
    }

    /// The sockets of this life broke the protocol, as the daemon says.
    pub fn dropped(&mut self, life: u64, why: &str) {
        if self.is(life) {
            self.cease(why, AGAIN);
        }
    }

    fn is(&self, life: u64) -> bool {
        self.life.as_ref().is_some_and(|own| own.number == life)
    }

    /// Ends this life.
    fn cease(&mut self, why: &str, pause: Duration) {
        self.life = None;
        self.not_before = Instant::now() + pause;
        self.ends.cease();
        self.untold.clear();
        self.waiting.clear();
        self.waiting
            .push_back(packet::message(&ToDaemon::Guest(None)));
        if pause.is_zero() {
            tracing::info!(guest = %self.guest, "its sockets begin anew: {why}");
        } else {
            tracing::warn!(guest = %self.guest, "its sockets begin anew: {why}");
        }
    }

    /// Ends what is over; then what is to be asked next, if anything is. `daemon`: the process of that of the moment.
    pub fn next(&mut self, daemon: Option<u32>) -> Option<Question> {
        if let Some(life) = &self.life
            && daemon != Some(life.daemon)
        {
            self.cease("the daemon has ended", Duration::ZERO);
        }
        let Some(daemon) = daemon else {
            // The next one knows of none.
            self.waiting.clear();
            return None;
        };
        if Instant::now() < self.not_before {
            return None;
        }
        let Some(life) = self.life.as_ref().map(|life| life.number) else {
            return self.begin(daemon);
        };
        let (of, request) = if self.untold.is_empty() {
            let (socket, request) = self.ends.ask(self.now_ns())?;
            let of = match request {
                SocketRequest::Close { .. } => Of::Close(socket),
                _ => Of::Socket(socket),
            };
            (of, Request::Socket(request))
        } else {
            let messages: Vec<_> = self.untold.iter().take(MOST_MESSAGES).cloned().collect();
            let of = Of::Messages(messages.len());
            (of, Request::Isp(IspRequest { life, messages }))
        };
        Some(Question { request, life, of })
    }

    fn begin(&mut self, daemon: u32) -> Option<Question> {
        if self.ends.is_empty() || !self.guest_runs {
            return None;
        }
        self.last_life += 1;
        let life = self.last_life;
        Some(Question {
            request: Request::Socket(SocketRequest::Start { life }),
            life,
            of: Of::Life(daemon),
        })
    }

    /// What the guest answers; nothing of a life that ended while it was asked.
    pub fn answered(&mut self, question: &Question, answer: Result<Answer, Unanswered>) {
        let Question { life, of, .. } = *question;
        if let Of::Life(daemon) = of {
            return match answer {
                Ok(Answer::Started {}) => self.begun(life, daemon),
                Ok(_) | Err(_) => self.not_before = Instant::now() + AGAIN,
            };
        }
        if !self.is(life) {
            return;
        }
        match (of, answer) {
            (_, Ok(Answer::Later {}) | Err(Unanswered::NotAsked(_))) => self.later(of),
            (Of::Messages(count), Ok(Answer::Sockets(views))) => {
                self.untold.drain(..count.min(self.untold.len()));
                self.heard(&views);
            }
            (Of::Socket(_) | Of::Close(_), Ok(Answer::Socket(view))) => self.heard(&[view]),
            // It has ended meanwhile: that is all that a close is refused for.
            (Of::Close(socket), Err(Unanswered::Refused(_))) => self.ends.closed(socket),
            (Of::Socket(socket), Err(Unanswered::Refused(words))) => {
                self.ends.refused(socket, words, self.now_ns());
            }
            (_, Ok(_)) => self.cease("the guest answers something else", AGAIN),
            (_, Err(error)) => self.cease(&error.to_string(), AGAIN),
        }
    }

    fn begun(&mut self, number: u64, daemon: u32) {
        self.life = Some(Life {
            number,
            daemon,
            heard: 0,
        });
        let begins = ToDaemon::Guest(Some(number));
        self.waiting.push_back(packet::message(&begins));
        self.ends.begin(self.now_ns());
    }

    /// Nothing was done.
    fn later(&mut self, of: Of) {
        self.not_before = Instant::now() + LATER;
        match of {
            // They are still there.
            Of::Life(_) | Of::Messages(_) => {}
            Of::Socket(socket) => self.ends.not_asked(socket, self.now_ns()),
            Of::Close(socket) => self.ends.not_closed(socket),
        }
    }

    fn heard(&mut self, views: &[SocketView]) {
        let now_ns = self.now_ns();
        for view in views {
            self.ends.heard(view, now_ns);
        }
    }

    /// What the guest's sockets say to the daemon.
    pub fn said(&mut self, event: IspEvent) {
        let Some(life) = self.life.as_mut() else {
            return;
        };
        if life.number != event.life {
            return;
        }
        if life.heard != event.before {
            return self.cease("messages of the guest were lost", AGAIN);
        }
        life.heard += event.messages.len() as u64;
        let life = event.life;
        // The daemon takes a place for that of the socket: a guest stands for none but those that it was asked for.
        let foreign = |said: &Said| said.at.is_some_and(|at| !self.ends.asked_for(at));
        if event.messages.iter().any(foreign) {
            return self.cease("the guest says what is of no permanent end", AGAIN);
        }
        for Said { at, octets } in event.messages {
            let octets = octets.0;
            let message = Isp { life, at, octets };
            self.waiting.push_back(packet::isp(&message));
        }
        if self.waiting.len() > WAITING {
            self.cease("the daemon takes no messages", AGAIN);
        }
    }

    /// What the daemon says to the guest's sockets: it is told that in its turn.
    pub fn told(&mut self, messages: Vec<Isp>) {
        for isp in messages {
            if self.is(isp.life) {
                self.untold.push_back(Octets(isp.octets));
            }
        }
        if self.untold.len() > UNTOLD {
            self.cease("the guest takes no messages", AGAIN);
        }
    }

    /// Hands what waits to the daemon, as long as it takes it.
    pub fn flush(&mut self, mut say: impl FnMut(&[u8]) -> bool) {
        while let Some(packet) = self.waiting.front()
            && say(packet)
        {
            self.waiting.pop_front();
        }
    }
}

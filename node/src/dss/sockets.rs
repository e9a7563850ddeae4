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
use super::table::{Unanswered, ask};
use crate::control::Control;

/// Packets that may wait for a daemon that does not take them.
const WAITING: usize = 4_096;
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
    /// When the next may begin.
    not_before: Instant,
    /// Packets for the daemon.
    waiting: VecDeque<Vec<u8>>,
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
        self.waiting.clear();
        self.waiting
            .push_back(packet::message(&ToDaemon::Guest(None)));
        if pause.is_zero() {
            tracing::info!(guest = %self.guest, "its sockets begin anew: {why}");
        } else {
            tracing::warn!(guest = %self.guest, "its sockets begin anew: {why}");
        }
    }

    /// Begins, ends and asks what is to be; `daemon`: the process of that of the moment.
    pub fn look_after(&mut self, control: &dyn Control, daemon: Option<u32>) {
        if let Some(life) = &self.life
            && daemon != Some(life.daemon)
        {
            self.cease("the daemon has ended", Duration::ZERO);
        }
        if daemon.is_none() {
            // The next one knows of none.
            self.waiting.clear();
        }
        match (daemon, &self.life) {
            (Some(daemon), None) => self.begin(control, daemon),
            (Some(_), Some(_)) => {}
            (None, _) => return,
        }
        while self.life.is_some()
            && let Some((socket, request)) = self.ends.ask(self.now_ns())
        {
            self.ask(control, socket, request);
        }
    }

    fn begin(&mut self, control: &dyn Control, daemon: u32) {
        if self.ends.is_empty() || !self.guest_runs || Instant::now() < self.not_before {
            return;
        }
        let number = self.last_life + 1;
        self.last_life = number;
        let start = Request::Socket(SocketRequest::Start { life: number });
        match ask(&self.guest, control, &start) {
            Ok(Answer::Started {}) => {
                self.life = Some(Life {
                    number,
                    daemon,
                    heard: 0,
                });
                let begins = ToDaemon::Guest(Some(number));
                self.waiting.push_back(packet::message(&begins));
                self.ends.begin(self.now_ns());
            }
            Ok(_) | Err(_) => self.not_before = Instant::now() + AGAIN,
        }
    }

    fn ask(&mut self, control: &dyn Control, socket: u32, request: SocketRequest) {
        let closes = matches!(request, SocketRequest::Close { .. });
        match ask(&self.guest, control, &Request::Socket(request)) {
            Ok(Answer::Socket(view)) => self.heard(&[view]),
            // It has ended meanwhile.
            Err(Unanswered::Refused(_)) if closes => {}
            Err(Unanswered::Refused(words)) => self.ends.refused(socket, words, self.now_ns()),
            Ok(_) => self.cease("the guest answers something else", AGAIN),
            Err(error) => self.cease(&error.to_string(), AGAIN),
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
        for Said { at, octets } in event.messages {
            let octets = octets.0;
            let message = Isp { life, at, octets };
            self.waiting.push_back(packet::isp(&message));
        }
        if self.waiting.len() > WAITING {
            self.cease("the daemon takes no messages", AGAIN);
        }
    }

    /// What the daemon says to the guest's sockets.
    pub fn told(&mut self, control: &dyn Control, messages: Vec<Isp>) {
        let own = messages.into_iter().filter(|isp| self.is(isp.life));
        let own: Vec<Octets> = own.map(|isp| Octets(isp.octets)).collect();
        for messages in own.chunks(MOST_MESSAGES) {
            let Some(life) = self.life.as_ref().map(|life| life.number) else {
                return;
            };
            let messages = messages.to_vec();
            let request = Request::Isp(IspRequest { life, messages });
            match ask(&self.guest, control, &request) {
                Ok(Answer::Sockets(views)) => self.heard(&views),
                Ok(_) => self.cease("the guest answers something else", AGAIN),
                Err(error) => self.cease(&error.to_string(), AGAIN),
            }
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

//! The thread of an interface: serves the control socket, hands connections to the ports, ends them.
//!
//! It alone reads what peers say and rings what peers gave. Must never touch a frame, and hands over by queues
//! and atomics, so that no worker ever waits for it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::SocketAddrUnix;

use super::bell::Bell;
use super::channel::{Arrived, Channel};
use super::connection::Connection;
use super::handshake::{Handshake, Local};
use super::message::Message;
use super::options::MemifRole;
use super::refusal::Refusal;

/// A peer that is not connected by then is sent away.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// Between two tries of a slave.
const RETRY: Duration = Duration::from_millis(50);
/// Likewise after a master turned it away.
const RETRY_REJECTED: Duration = Duration::from_millis(500);
/// Handshakes at a time.
const CHANNELS: usize = 8;

/// How a port of a queue gets its connections.
#[derive(Debug)]
pub(super) struct Outlet {
    pub(super) connections: rtrb::Producer<Arc<Connection>>,
    pub(super) bell: Arc<Bell>,
}

/// A peer on its socket.
#[derive(Debug)]
struct Peer {
    channel: Channel,
    handshake: Handshake,
    until: Instant,
    connection: Option<Arc<Connection>>,
}

/// What becomes of a peer.
enum Fate {
    Stays,
    Goes(Option<Refusal>),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) local: Local,
    pub(super) address: SocketAddrUnix,
    /// A master's.
    pub(super) listener: Option<OwnedFd>,
    pub(super) bell: Arc<Bell>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) outlets: Vec<Outlet>,
    peers: Vec<Peer>,
    /// Ended, and perhaps still read by a port: memory is unmapped here, on no worker.
    ended: Vec<Arc<Connection>>,
    retry: Instant,
}

impl Control {
    pub(super) fn new(
        local: Local,
        address: SocketAddrUnix,
        listener: Option<OwnedFd>,
        bell: Arc<Bell>,
        stop: Arc<AtomicBool>,
        outlets: Vec<Outlet>,
    ) -> Self {
        Self {
            local,
            address,
            listener,
            bell,
            stop,
            outlets,
            peers: Vec::new(),
            ended: Vec::new(),
            retry: Instant::now(),
        }
    }

    /// Serves until told to stop.
    pub(super) fn run(mut self) {
        while !self.stop.load(Ordering::Acquire) {
            self.wait();
            self.bell.drain();
            self.serve_ports();
            // Who went makes room for who comes.
            self.serve_peers();
            self.take_new();
            self.ended
                .retain(|connection| Arc::strong_count(connection) > 1);
        }
        for peer in std::mem::take(&mut self.peers) {
            self.dismiss(&peer, Some(Refusal::Closed));
        }
    }

    /// Sleeps until something happens or is due.
    fn wait(&self) {
        let now = Instant::now();
        let connecting = self.peers.iter().filter(|peer| peer.connection.is_none());
        let mut due = connecting.map(|peer| peer.until).min();
        if self.local.role == MemifRole::Slave && self.peers.is_empty() {
            due = Some(due.map_or(self.retry, |due| due.min(self.retry)));
        }
        let timeout = due.map(|due| due.saturating_duration_since(now) + Duration::from_millis(1));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut waiting = vec![PollFd::new(&self.bell, PollFlags::IN)];
        waiting.extend(
            self.listener
                .iter()
                .map(|listener| PollFd::new(listener, PollFlags::IN)),
        );
        waiting.extend(
            self.peers
                .iter()
                .map(|peer| PollFd::new(&peer.channel, PollFlags::IN)),
        );
        if poll(&mut waiting, timeout.as_ref()).is_err() {
            // Interrupted, or out of memory: neither is helped by haste.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Rings peers that sleep; ends the connections in which ports found something wrong.
    fn serve_ports(&mut self) {
        for peer in std::mem::take(&mut self.peers) {
            let fault = peer.connection.as_ref().and_then(|connection| {
                for interrupt in connection.interrupts() {
                    ring(interrupt);
                }
                connection.fault()
            });
            match fault {
                Some(fault) => self.dismiss(&peer, Some(fault)),
                None => self.peers.push(peer),
            }
        }
    }

    fn serve_peers(&mut self) {
        let now = Instant::now();
        for mut peer in std::mem::take(&mut self.peers) {
            let taken = self
                .peers
                .iter()
                .any(|other| other.handshake.holds_interface());
            match self.serve(&mut peer, taken, now) {
                Fate::Stays => self.peers.push(peer),
                Fate::Goes(why) => self.dismiss(&peer, why),
            }
        }
    }

    /// All that a peer says now.
    fn serve(&mut self, peer: &mut Peer, taken: bool, now: Instant) -> Fate {
        loop {
            let (message, descriptor) = match peer.channel.receive() {
                Arrived::Message(message, descriptor) => (message, descriptor),
                Arrived::Nothing => break,
                Arrived::Gone => return Fate::Goes(None),
                Arrived::Wrong(refusal) => return Fate::Goes(Some(refusal)),
            };
            if peer.connection.is_some() {
                return Fate::Goes(match message {
                    Message::Disconnect { .. } => None,
                    _ => Some(Refusal::OutOfTurn {
                        message: "a message behind the handshake",
                    }),
                });
            }
            let step = peer
                .handshake
                .receive(message, descriptor, &self.local, taken, &self.bell);
            let step = match step {
                Ok(step) => step,
                Err(Refusal::Rejected) => {
                    self.retry = now + RETRY_REJECTED;
                    return Fate::Goes(None);
                }
                Err(refusal) => return Fate::Goes(Some(refusal)),
            };
            let room = self
                .outlets
                .iter()
                .all(|outlet| outlet.connections.slots() > 0);
            if step.connection.is_some() && !room {
                return Fate::Goes(Some(Refusal::Busy));
            }
            if let Some(reply) = step.reply {
                let descriptor = reply.descriptor.as_ref().map(AsFd::as_fd);
                if peer.channel.send(&reply.message, descriptor).is_err() {
                    return Fate::Goes(None);
                }
            }
            if let Some(connection) = step.connection {
                let connection = Arc::new(connection);
                peer.connection = Some(Arc::clone(&connection));
                self.hand_over(&connection);
            }
        }
        if peer.connection.is_none() && now >= peer.until {
            return Fate::Goes(Some(Refusal::Slow {
                seconds: HANDSHAKE.as_secs(),
            }));
        }
        Fate::Stays
    }

    fn hand_over(&mut self, connection: &Arc<Connection>) {
        for outlet in &mut self.outlets {
            // There was room; only this thread fills it.
            let _ = outlet.connections.push(Arc::clone(connection));
            outlet.bell.ring();
        }
    }

    /// Ends a peer, with a word if it can still hear it.
    fn dismiss(&mut self, peer: &Peer, why: Option<Refusal>) {
        if let Some(why) = why {
            let reason = why.to_string();
            // It may be gone, or not read: the socket closes either way.
            let _ = peer.channel.send(&Message::Disconnect { reason }, None);
        }
        if let Some(connection) = &peer.connection {
            connection.end();
            self.ended.push(Arc::clone(connection));
            for outlet in &self.outlets {
                outlet.bell.ring();
            }
        }
        if self.local.role == MemifRole::Slave {
            self.retry = self.retry.max(Instant::now() + RETRY);
        }
    }

    /// A master accepts, a slave tries to connect.
    fn take_new(&mut self) {
        let now = Instant::now();
        if let Some(listener) = &self.listener {
            while let Ok(channel) = Channel::accept(listener.as_fd()) {
                let (handshake, first) = Handshake::begin(&self.local);
                let why = (self.peers.len() >= CHANNELS).then_some(Refusal::Crowd);
                let first = match why {
                    Some(why) => Some(Message::Disconnect {
                        reason: why.to_string(),
                    }),
                    None => first,
                };
                let sent = first.is_none_or(|first| channel.send(&first, None).is_ok());
                if sent && why.is_none() {
                    self.peers.push(Peer {
                        channel,
                        handshake,
                        until: now + HANDSHAKE,
                        connection: None,
                    });
                }
            }
        } else if self.peers.is_empty() && now >= self.retry {
            self.retry = now + RETRY;
            if let Ok(channel) = Channel::connect(&self.address) {
                let (handshake, _) = Handshake::begin(&self.local);
                self.peers.push(Peer {
                    channel,
                    handshake,
                    until: now + HANDSHAKE,
                    connection: None,
                });
            }
        }
    }
}

/// Rings what a peer sleeps on. Only this thread does: the peer may make its own counter block.
fn ring(interrupt: impl AsFd) {
    let unblocked: io::Result<()> = (|| {
        let flags = rustix::fs::fcntl_getfl(&interrupt)?;
        if !flags.contains(rustix::fs::OFlags::NONBLOCK) {
            rustix::fs::fcntl_setfl(&interrupt, flags | rustix::fs::OFlags::NONBLOCK)?;
        }
        Ok(())
    })();
    if unblocked.is_ok() {
        // A full counter rings as well; a closed pipe is the peer's own loss (SIGPIPE is ignored by Rust).
        let _ = rustix::io::write(&interrupt, &1_u64.to_ne_bytes());
    }
}

//! The daemon of a node: told of PDUs and of the switch by the node, whose child it is, over one SEQPACKET socket.
//!
//! It ends when the node does. It never waits for the node to take a packet: what the node has not taken yet waits
//! here, and nothing more is heard meanwhile.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use thiserror::Error;

use super::{Clock, random};
use crate::daemon::switch::packet::{self, Isp, OPS, Packet, ToDaemon, ToNode};
use crate::daemon::{ClientId, Daemon, Output, Problem};
use crate::entity::Limits;
use crate::isp::ToDemon;

/// Packets that may wait for the node before nothing more is heard.
const WAITING: usize = 1_024;
/// Packets that are heard before time is looked at again.
const AT_ONCE: usize = 64;

/// Why a daemon ends before its node.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The socket to the node failed.
    #[error("the socket to the node: {0}")]
    Socket(#[from] io::Error),
    /// The node said what cannot be read.
    #[error("a packet of the node: {0}")]
    Packet(#[from] serde_json::Error),
    /// The first packet is no configuration.
    #[error("the node said something before it said what to be")]
    NotStarted,
    /// The configuration is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Configuration(Vec<Problem>),
}

struct Child {
    socket: OwnedFd,
    clock: Clock,
    daemon: Daemon,
    waiting: VecDeque<Vec<u8>>,
    /// The switch's own sockets.
    guest: Option<ClientId>,
}

/// Serves the node at the other end of `socket` until it goes.
///
/// # Errors
///
/// [`NodeError`].
pub fn serve(socket: OwnedFd) -> Result<(), NodeError> {
    let mut buffer = vec![0; packet::OCTETS];
    let first = match recv(&socket, &mut buffer[..], RecvFlags::empty()).map_err(io::Error::from)? {
        (0, _) => return Ok(()),
        (octets, _) => packet::read(buffer.get(..octets).unwrap_or_default())?,
    };
    let Packet::Message(ToDaemon::Start(configuration)) = first else {
        return Err(NodeError::NotStarted);
    };
    let daemon = Daemon::new(configuration, Limits::default(), random);
    let mut child = Child {
        socket,
        clock: Clock::start(),
        daemon: daemon.map_err(NodeError::Configuration)?,
        waiting: VecDeque::new(),
        guest: None,
    };
    loop {
        child.daemon.tick(child.clock.now_ns());
        child.collect();
        child.say()?;
        if !child.wait()? || !child.hear(&mut buffer)? {
            return child.end();
        }
    }
}

impl Child {
    /// The node goes: neighbours are told, as far as it still carries that.
    fn end(mut self) -> Result<(), NodeError> {
        self.daemon.end();
        self.collect();
        // Whether it does is its own affair.
        let _ = self.say();
        Ok(())
    }

    /// Takes what the daemon wants done.
    fn collect(&mut self) {
        let (mut ops, mut pdus) = (Vec::new(), Vec::new());
        while let Some(output) = self.daemon.output() {
            match output {
                Output::Switch(op) => ops.push(op),
                // Label 1 is carried in the lowest network of a link; calls in it are of any.
                Output::Pdu(port, pdu) => pdus.push(packet::pdu(port, 0, &pdu)),
                // The switch's own sockets: the only application of a node's daemon.
                Output::Say(ClientId(life), message) => {
                    self.waiting.push_back(packet::isp(&Isp {
                        life,
                        at: None,
                        octets: message.encode(),
                    }));
                }
                // They are told the cause.
                Output::Explain(..) => {}
                Output::Drop(ClientId(life), why) => {
                    let dropped = ToNode::Dropped { life, why };
                    self.waiting.push_back(packet::message(&dropped));
                }
            }
        }
        for ops in ops.chunks(OPS) {
            let message = packet::message(&ToNode::Switch(ops.to_vec()));
            self.waiting.push_back(message);
        }
        // Behind operations, which calls wait for.
        self.waiting.extend(pdus);
    }

    /// The switch's own sockets speak over another transport, or over none.
    fn guest_is(&mut self, now_ns: u64, life: Option<u64>) {
        let new = life.map(ClientId);
        if new == self.guest {
            return;
        }
        if let Some(old) = self.guest.take() {
            self.daemon.client_goes(now_ns, old);
        }
        if let Some(new) = new {
            self.daemon.client_comes(new);
        }
        self.guest = new;
    }

    /// A message of the switch's own sockets, as one of an application's; those of another transport are over.
    fn guest_says(&mut self, now_ns: u64, said: &Isp) {
        let Some(guest) = self.guest.filter(|guest| guest.0 == said.life) else {
            return;
        };
        match ToDemon::decode(&said.octets) {
            Ok(message) => self.daemon.client_says_at(now_ns, guest, said.at, message),
            Err(error) => {
                self.guest = None;
                self.daemon.client_goes(now_ns, guest);
                let (life, why) = (said.life, error.to_string());
                self.waiting
                    .push_back(packet::message(&ToNode::Dropped { life, why }));
            }
        }
    }

    /// Says as much as the node takes.
    fn say(&mut self) -> Result<(), NodeError> {
        while let Some(octets) = self.waiting.front() {
            match send(
                &self.socket,
                octets,
                SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
            ) {
                Ok(_) => drop(self.waiting.pop_front()),
                Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        Ok(())
    }

    /// Waits until there is something to hear, to say or to do; false: the node is gone.
    fn wait(&self) -> Result<bool, NodeError> {
        let mut wanted = PollFlags::empty();
        wanted.set(PollFlags::IN, self.waiting.len() < WAITING);
        wanted.set(PollFlags::OUT, !self.waiting.is_empty());
        let mut fds = [PollFd::new(&self.socket, wanted)];
        let timeout = self.clock.until(self.daemon.due_ns());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        let [fd] = &fds;
        let gone = fd.revents().contains(PollFlags::HUP) && !fd.revents().contains(PollFlags::IN);
        Ok(!gone)
    }

    /// Hears what is there; false: the node is gone.
    fn hear(&mut self, buffer: &mut [u8]) -> Result<bool, NodeError> {
        for _ in 0..AT_ONCE {
            if self.waiting.len() >= WAITING {
                break;
            }
            let octets = match recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT) {
                Ok((0, _)) | Err(Errno::CONNRESET) => return Ok(false),
                Ok((octets, _)) => octets,
                Err(Errno::AGAIN | Errno::INTR) => break,
                Err(error) => return Err(io::Error::from(error).into()),
            };
            let now_ns = self.clock.now_ns();
            match packet::read(buffer.get(..octets).unwrap_or_default())? {
                Packet::Pdu(port, _, pdu) => self.daemon.pdu(now_ns, port, &pdu),
                Packet::Isp(said) => self.guest_says(now_ns, &said),
                Packet::Message(ToDaemon::Guest(life)) => self.guest_is(now_ns, life),
                Packet::Message(ToDaemon::Switched(all)) => {
                    for (op, done) in all {
                        self.daemon.switched(now_ns, op, done);
                    }
                }
                Packet::Message(ToDaemon::Show { id, after }) => {
                    let view = Box::new(self.daemon.view(after));
                    let shown = packet::message(&ToNode::Shown(id, view));
                    self.waiting.push_back(shown);
                }
                Packet::Message(ToDaemon::Release { id, call }) => {
                    let done = self.daemon.release(now_ns, call);
                    self.waiting
                        .push_back(packet::message(&ToNode::Done(id, done)));
                }
                Packet::Message(ToDaemon::Route { id, delete, route }) => {
                    let done = self.daemon.change_route(delete, &route);
                    self.waiting
                        .push_back(packet::message(&ToNode::Done(id, done)));
                }
                Packet::Message(ToDaemon::Start(_)) => {}
            }
            self.collect();
        }
        Ok(true)
    }
}

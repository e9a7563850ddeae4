//! From an open socket to a connection, in either role, one message at a time.
//!
//! Pure but for the memory that the roles make and map. Must never block.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::bell::Bell;
use super::connection::Connection;
use super::master::Master;
use super::message::Message;
use super::options::{MemifRole, MemifSpec, Secret};
use super::refusal::Refusal;
use super::slave::Slave;

/// What this end wants and allows.
#[derive(Debug, Clone)]
pub(super) struct Local {
    pub(super) role: MemifRole,
    pub(super) id: u32,
    pub(super) secret: Secret,
    pub(super) log2_ring: u8,
    pub(super) queues: u16,
    pub(super) slot_octets: usize,
    pub(super) name: String,
}

impl Local {
    pub(super) fn new(spec: &MemifSpec, queues: u16, slot_octets: usize) -> Self {
        Self {
            role: spec.role(),
            id: spec.id,
            secret: spec.secret,
            log2_ring: spec.log2_ring,
            queues,
            slot_octets,
            name: concat!("pinode ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// A message to send, and what goes with it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) message: Message,
    pub(super) descriptor: Option<OwnedFd>,
}

/// What follows from a message.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) reply: Option<Reply>,
    /// The handshake is over, once the reply is out.
    pub(super) connection: Option<Connection>,
}

impl Step {
    pub(super) fn reply(message: Message) -> Self {
        Self {
            reply: Some(Reply {
                message,
                descriptor: None,
            }),
            connection: None,
        }
    }
}

/// A handshake under way.
#[derive(Debug)]
pub(super) enum Handshake {
    Master(Master),
    Slave(Slave),
}

impl Handshake {
    /// Begins, with what is said first, if this end speaks first.
    pub(super) fn begin(local: &Local) -> (Self, Option<Message>) {
        match local.role {
            MemifRole::Master => (Self::Master(Master::default()), Some(Master::hello(local))),
            MemifRole::Slave => (Self::Slave(Slave::default()), None),
        }
    }

    /// Whether this peer has the interface, or will.
    pub(super) fn holds_interface(&self) -> bool {
        match self {
            Self::Master(master) => master.is_greeted(),
            Self::Slave(_) => true,
        }
    }

    /// Takes a message of the peer; `taken`: another peer has the interface.
    pub(super) fn receive(
        &mut self,
        message: Message,
        descriptor: Option<OwnedFd>,
        local: &Local,
        taken: bool,
        thread: &Arc<Bell>,
    ) -> Result<Step, Refusal> {
        match self {
            Self::Master(master) => master.receive(message, descriptor, local, taken, thread),
            Self::Slave(slave) => slave.receive(message, local, thread),
        }
    }
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;

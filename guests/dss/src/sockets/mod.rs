//! Sockets of the switch itself, for devices at its ports that do not signal: many instances of the socket side
//! ("kernel") of the internal signalling protocol over one transport, which is the control channel.
//!
//! ```text
//! host -- request --> asked  \                /--> queue -- events --> daemon
//!                             kernel machine
//! daemon - messages -> heard /                \--> views --> host
//! ```
//!
//! A socket stands for labels of a port. Where frames of a call go is set by the daemon like that of any other call: the
//! switch has it from when the call is reserved until it is released. Must never hold more than its configuration
//! says, whatever host and daemon say, nor say anything of a life that is over.

mod asked;
mod heard;
mod queue;

use alloc::collections::BTreeMap;

use pinode_signaling::Qos;
use pinode_signaling::daemon::switch::Span;
use pinode_signaling::isp::{ErrorCode, Kernel, Limits, MAX_OCTETS, ToDemon, Vcc};

use crate::config::Configuration;
use crate::control::{IspEvent, SocketState, SocketView};
use queue::Queue;

/// A socket that the host wants.
#[derive(Debug, Clone, Copy)]
struct Socket {
    vcc: Vcc,
    at: Span,
    state: SocketState,
    /// The host has given it up while its demon may hear nothing of it (3.7).
    is_unwanted: bool,
    qos: Option<Qos>,
    calls: u32,
}

/// Sockets of a switch.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// 0: none was begun.
    life: u64,
    kernel: Kernel,
    limits: Limits,
    /// By the host's numbers.
    all: BTreeMap<u32, Socket>,
    /// Whose a socket of the machine is: that socket itself, or a call that it accepted.
    owners: BTreeMap<Vcc, u32>,
    queue: Queue,
}

impl Sockets {
    pub(crate) fn new(configuration: &Configuration) -> Self {
        let sockets = configuration.sockets as usize;
        let limits = Limits {
            sockets,
            indications: sockets,
        };
        Sockets {
            life: 0,
            kernel: Kernel::new(limits),
            limits,
            all: BTreeMap::new(),
            owners: BTreeMap::new(),
            queue: Queue::new(),
        }
    }

    /// Octets of memory that they take at most.
    pub(crate) fn octets(configuration: &Configuration) -> u64 {
        /// What the machine knows of a socket, and of a call that waits.
        const MACHINE: usize = 512;
        // Trees are half empty at worst.
        let trees = 2 * (size_of::<(u32, Socket)>() + size_of::<(Vcc, u32)>() + MACHINE);
        let messages = Queue::PER_SOCKET * (Queue::MESSAGE + MAX_OCTETS);
        u64::from(configuration.sockets) * (trees + messages) as u64
    }

    /// Whether the daemon has to be told something.
    #[inline]
    pub(crate) fn has_event(&self) -> bool {
        !self.queue.is_empty()
    }

    /// What the daemon is to be told next.
    pub(crate) fn event(&mut self) -> Option<IspEvent> {
        self.queue.event(self.life)
    }

    fn start(&mut self, life: u64) {
        self.life = life;
        self.kernel = Kernel::new(self.limits);
        self.all.clear();
        self.owners.clear();
        self.queue = Queue::new();
    }

    /// Whether more may be said and done: what was said before is on its way.
    fn has_room(&self) -> bool {
        self.queue.len() <= self.limits.sockets
    }

    fn say(&mut self, at: Option<Span>, message: &ToDemon) {
        self.queue.put(at, message.encode());
    }

    /// Ends a socket: how it was last.
    fn end(&mut self, number: u32, reply: Option<ErrorCode>) -> Option<SocketView> {
        let socket = self.all.remove(&number)?;
        Some(SocketView {
            reply: reply.map(ErrorCode::get),
            ..socket.view(number, SocketState::Ended)
        })
    }

    fn view(&self, number: u32) -> Option<SocketView> {
        let socket = self.all.get(&number)?;
        Some(socket.view(number, socket.state))
    }
}

impl Socket {
    fn view(&self, number: u32, state: SocketState) -> SocketView {
        SocketView {
            socket: number,
            state,
            at: self.at,
            qos: self.qos,
            calls: self.calls,
            reply: None,
        }
    }
}

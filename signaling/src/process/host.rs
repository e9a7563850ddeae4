//! The daemon of a host: applications on a SEQPACKET socket, one neighbour behind an interface.
//!
//! It never waits for an application to take a message: one that does not take its messages is let go of.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use thiserror::Error;

use super::{Clock, random};
use crate::address::{Address, Prefix};
use crate::daemon::{
    ClientId, Configuration, Daemon, Output, PortConfiguration, Problem, RouteConfiguration,
};
use crate::entity::Limits;
use crate::isp::ToDemon;
use crate::packet::frame::{self, ROUTER_ALERT};
use crate::packet::{Header, Interface, PacketError, Socket};
use crate::seqpacket::{Connection, Listener, ListenerError, Received};

/// Messages that may wait for an application.
const WAITING: usize = 1_024;
/// Messages of an application, or frames, that are heard before others are.
const AT_ONCE: usize = 64;
/// Octets of the longest message, and of the longest frame.
const OCTETS: usize = 2_048;
/// How often it is looked at whether to end.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a host's daemon is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where applications find it.
    pub socket: PathBuf,
    /// The interface to the neighbour.
    pub interface: Interface,
    /// The host's address; applications choose its last octet.
    pub address: Address,
}

/// Why a host's daemon does not run.
#[derive(Debug, Error)]
pub enum HostError {
    /// The socket for applications.
    #[error(transparent)]
    Listener(#[from] ListenerError),
    /// The interface.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The interface has a number that messages have no room for.
    #[error("interface {interface} has number {index}; allowed: up to 65535")]
    Index {
        /// The interface.
        interface: Interface,
        /// Its number.
        index: u32,
    },
    /// The configuration is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Configuration(Vec<Problem>),
    /// The kernel.
    #[error("cannot wait for messages: {0}")]
    Wait(#[from] io::Error),
}

/// A daemon of a host that is ready to run.
pub struct Host {
    listener: Listener,
    link: Socket,
    port: u16,
    clock: Clock,
    daemon: Daemon,
    clients: BTreeMap<ClientId, Client>,
    last_client: u64,
    /// There are no more descriptors: who waits, waits until an application goes, or for the next look.
    is_full: bool,
    frame: Vec<u8>,
}

struct Client {
    connection: Connection,
    waiting: VecDeque<Vec<u8>>,
}

impl Host {
    /// Opens what it needs.
    ///
    /// # Errors
    ///
    /// [`HostError`].
    pub fn open(options: Options) -> Result<Self, HostError> {
        let Options {
            socket,
            interface,
            address,
        } = options;
        let link = Socket::open(&interface, ROUTER_ALERT)?;
        let index = link.interface();
        let port = u16::try_from(index).map_err(|_| HostError::Index {
            interface: interface.clone(),
            index,
        })?;
        let configuration = Configuration {
            ports: vec![PortConfiguration {
                number: port,
                name: interface.to_string(),
                edge: false,
                vn: None,
                labels: Vec::new(),
            }],
            // All there is lies behind the neighbour.
            routes: Prefix::new(Address::NULL, 0)
                .map(|prefix| RouteConfiguration { prefix, port })
                .into_iter()
                .collect(),
            host: Some(address),
            ..Configuration::default()
        };
        let daemon = Daemon::new(configuration, Limits::default(), random);
        Ok(Self {
            listener: Listener::bind(&socket)?,
            link,
            port,
            clock: Clock::start(),
            daemon: daemon.map_err(HostError::Configuration)?,
            clients: BTreeMap::new(),
            last_client: 0,
            is_full: false,
            frame: Vec::new(),
        })
    }

    /// Whether the neighbour is heard.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.daemon.view(u64::MAX).links.iter().all(|link| link.up)
    }

    /// Runs until `ended`; tells `changed` whenever the neighbour begins or ceases to be heard. The neighbour is told
    /// when it ends.
    ///
    /// # Errors
    ///
    /// [`HostError::Wait`].
    pub fn run(
        &mut self,
        ended: &AtomicBool,
        mut changed: impl FnMut(bool),
    ) -> Result<(), HostError> {
        let mut was_up = None;
        while !ended.load(Ordering::Relaxed) {
            self.daemon.tick(self.clock.now_ns());
            self.collect();
            let up = self.is_up();
            if was_up != Some(up) {
                was_up = Some(up);
                changed(up);
            }
            let ready = self.wait()?;
            if ready.link {
                self.hear_link();
            }
            for client in ready.clients {
                self.hear(client);
            }
            if ready.listener || self.is_full {
                self.welcome();
            }
            self.collect();
        }
        self.daemon.end();
        self.collect();
        Ok(())
    }

    /// Does what the daemon wants done.
    fn collect(&mut self) {
        while let Some(output) = self.daemon.output() {
            match output {
                Output::Say(client, message) => self.say(client, message.encode()),
                Output::Explain(client, words) => self.say(client, words.encode()),
                Output::Drop(client, _) => drop(self.clients.remove(&client)),
                Output::Pdu(_, pdu) => {
                    frame::write(self.link.mac(), Header::signalling(), &pdu, &mut self.frame);
                    // What is not sent now is as good as lost, and sent again by the link layer.
                    let _ = self.link.send(&self.frame);
                }
                // There is no switch, and none was configured.
                Output::Switch(op) => {
                    let now_ns = self.clock.now_ns();
                    self.daemon.switched(now_ns, op.id, Ok(()));
                }
            }
        }
    }

    fn say(&mut self, client: ClientId, message: Vec<u8>) {
        let Some(its) = self.clients.get_mut(&client) else {
            return;
        };
        its.waiting.push_back(message);
        if its.waiting.len() > WAITING || !its.flush() {
            self.goes(client);
        }
    }

    fn goes(&mut self, client: ClientId) {
        self.clients.remove(&client);
        self.daemon.client_goes(self.clock.now_ns(), client);
    }

    /// Waits until something can be heard or said, or is due.
    fn wait(&self) -> Result<Ready, HostError> {
        let mut fds = vec![
            PollFd::new(
                &self.listener,
                if self.is_full {
                    PollFlags::empty()
                } else {
                    PollFlags::IN
                },
            ),
            PollFd::new(&self.link, PollFlags::IN),
        ];
        for client in self.clients.values() {
            let mut wanted = PollFlags::IN;
            wanted.set(PollFlags::OUT, !client.waiting.is_empty());
            fds.push(PollFd::from_borrowed_fd(client.connection.as_fd(), wanted));
        }
        let look_ns = u64::try_from(LOOK_EVERY.as_nanos()).unwrap_or(u64::MAX);
        let look_ns = self.clock.now_ns().saturating_add(look_ns);
        let due_ns = self.daemon.due_ns().map_or(look_ns, |due| due.min(look_ns));
        match poll(&mut fds, self.clock.until(Some(due_ns)).as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Ready::default()),
            Err(error) => return Err(io::Error::from(error).into()),
        }
        let mut is_ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let listener = is_ready.next() == Some(true);
        let link = is_ready.next() == Some(true);
        let clients = self.clients.keys().zip(is_ready);
        let clients = clients.filter(|(_, ready)| *ready);
        Ok(Ready {
            listener,
            link,
            clients: clients.map(|(client, _)| *client).collect(),
        })
    }

    fn hear_link(&mut self) {
        let mut octets = [0; OCTETS];
        for _ in 0..AT_ONCE {
            // An interface that is down or gone says nothing; the link layer notices.
            let Ok(Some(length)) = self.link.receive(&mut octets) else {
                return;
            };
            let frame = octets.get(..length).unwrap_or_default();
            if let Ok(frame) = frame::read(frame) {
                let now_ns = self.clock.now_ns();
                self.daemon.pdu(now_ns, self.port, frame.payload);
            }
        }
    }

    fn hear(&mut self, client: ClientId) {
        let mut octets = [0; OCTETS];
        for _ in 0..AT_ONCE {
            let Some(its) = self.clients.get_mut(&client) else {
                return;
            };
            if !its.flush() {
                return self.goes(client);
            }
            match its.connection.receive(&mut octets) {
                Ok(Received::Message(length)) => {
                    let message = ToDemon::decode(octets.get(..length).unwrap_or_default());
                    match message {
                        Ok(message) => {
                            let now_ns = self.clock.now_ns();
                            self.daemon.client_says(now_ns, client, message);
                        }
                        // It does not speak this protocol.
                        Err(_) => return self.goes(client),
                    }
                }
                Ok(Received::Nothing) => return,
                Ok(Received::End) | Err(_) => return self.goes(client),
            }
        }
    }

    fn welcome(&mut self) {
        loop {
            let accepted = self.listener.accept();
            self.is_full = accepted.is_err();
            let Ok(Some(connection)) = accepted else {
                return;
            };
            self.last_client += 1;
            let client = ClientId(self.last_client);
            let waiting = VecDeque::new();
            self.clients.insert(
                client,
                Client {
                    connection,
                    waiting,
                },
            );
            self.daemon.client_comes(client);
        }
    }
}

#[derive(Default)]
struct Ready {
    listener: bool,
    link: bool,
    clients: Vec<ClientId>,
}

impl Client {
    /// Says as much as it takes; false: it is gone.
    fn flush(&mut self) -> bool {
        while let Some(message) = self.waiting.front() {
            match self.connection.send(message) {
                Ok(()) => drop(self.waiting.pop_front()),
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }
}

//! A guest function as a thread of the host (`isolation = "thread"`).
//!
//! The same main loop over the same rings as in a virtual machine, in anonymous memory of this process:
//! the baseline that shows what virtualisation costs, and a way to work where there is no KVM. The host
//! gets the device sides of the rings and cannot tell the difference.
//!
//! There is no isolation: a function that never returns keeps its thread (and its memory) for ever.

mod mailbox;
mod stand;
mod thread;
#[allow(unsafe_code)]
mod unsafe_memory;

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::Instant;

use pinode_virtqueue::{Receiveq, Transmitq};
use rustix::thread::Pid;

pub use stand::{Stand, StandVif};
pub use unsafe_memory::HostedMemory;

use crate::control;
use crate::function::Function;
use crate::run::{Exit, run};
use mailbox::{Log, Mailbox};
use thread::Thread;

/// A guest to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedConfig {
    /// Names the thread.
    pub name: String,
    /// Memory for rings and buffers, octets.
    pub memory: u64,
    /// The vifs, in port order.
    pub vifs: Vec<HostedVif>,
    /// CPUs the thread may use; empty: all.
    pub cpus: Vec<usize>,
}

/// One vif.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostedVif {
    /// Descriptors a ring: a power of two, 4 to 32768.
    pub queue_size: u16,
    /// Queue pairs, the same for all vifs.
    pub queue_pairs: u16,
}

/// Wakes the guest's thread: one system call if it sleeps, none otherwise. From any thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Tells the host of new frames on a vif's transmit queues, where it has asked for that
/// ([`Transmitq::ask_kick`]): one system call. On the guest's thread.
pub type Kick = Arc<dyn Fn() + Send + Sync>;

/// The host's side of one queue pair.
pub struct HostedPair {
    /// Frames to the guest.
    pub receive: Receiveq,
    /// Frames from the guest.
    pub transmit: Transmitq,
    /// To be called when either queue wants an interrupt.
    pub wake: Wake,
    /// Keeps the rings mapped; to be dropped after the queues.
    pub memory: Arc<HostedMemory>,
}

impl fmt::Debug for HostedPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostedPair")
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

/// Something happened to a guest.
#[derive(Debug)]
pub enum HostedEvent {
    /// A vif is up: its queues are the host's to serve.
    NetUp {
        /// Index in [`HostedConfig::vifs`].
        net: usize,
        /// The queue pairs, in order.
        pairs: Vec<HostedPair>,
    },
    /// A control line, without its end.
    Control(String),
    /// The function panicked, or a ring is broken: what happened.
    Fault(String),
    /// The guest ended as it was told.
    Stopped,
}

/// Takes a guest's events, on the guest's thread. It should hand them on and return.
pub type HostedSink = Arc<dyn Fn(HostedEvent) + Send + Sync>;

/// Why a guest could not be started.
#[derive(Debug, thiserror::Error)]
pub enum HostedError {
    /// No memory.
    #[error("guest {name}: cannot map {octets} octets for rings and buffers: {source}")]
    Memory {
        /// The guest.
        name: String,
        /// What was asked for.
        octets: u64,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No thread.
    #[error("guest {name}: cannot start a thread: {source}")]
    Thread {
        /// The guest.
        name: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// A running guest. Dropping it stops it.
#[derive(Debug)]
pub struct Hosted {
    mailbox: Arc<Mailbox>,
    log: Arc<Log>,
    /// The thread, once it has started.
    id: Arc<OnceLock<Pid>>,
    thread: Option<JoinHandle<()>>,
}

/// How long a function may take to see that it is to stop.
const STOP_MOST: Duration = Duration::from_secs(1);

impl Hosted {
    /// Starts the thread; returns at once. Events may arrive before that. The vifs come up when the
    /// guest is configured, by a line as on a machine's control channel ([`crate::control`]).
    ///
    /// # Errors
    ///
    /// The kernel gives no memory or no thread.
    pub fn start(
        config: HostedConfig,
        function: Box<dyn Function + Send>,
        events: HostedSink,
    ) -> Result<Self, HostedError> {
        Self::start_with(config, Vec::new(), function, events)
    }

    /// As [`start`](Self::start), for a host that sleeps: `kicks` are called for its vifs, in the same
    /// order.
    ///
    /// # Errors
    ///
    /// The kernel gives no memory or no thread.
    pub fn start_with(
        config: HostedConfig,
        kicks: Vec<Kick>,
        mut function: Box<dyn Function + Send>,
        events: HostedSink,
    ) -> Result<Self, HostedError> {
        let name = config.name.clone();
        let octets = config.memory;
        let memory = HostedMemory::new(octets).map_err(|source| HostedError::Memory {
            name: name.clone(),
            octets,
            source,
        })?;
        let mailbox = Arc::new(Mailbox::default());
        let log = Arc::new(Log::default());
        let mut platform = Thread::new(
            config,
            kicks,
            Arc::new(memory),
            mailbox.clone(),
            log.clone(),
            events.clone(),
        );
        let id = Arc::new(OnceLock::new());
        let own = id.clone();
        let body = move || {
            platform.pin();
            // Set once, here.
            let _ = own.set(rustix::thread::gettid());
            let ended = catch_unwind(AssertUnwindSafe(|| run(&mut platform, &mut *function)));
            events(match ended {
                Ok(Exit::Stopped | Exit::Refused(_)) => HostedEvent::Stopped,
                Ok(Exit::Broken(error)) => HostedEvent::Fault(error.to_string()),
                Err(payload) => HostedEvent::Fault(words(&*payload)),
            });
        };
        let thread = std::thread::Builder::new().name(std::format!("guest-{name}"));
        let thread = thread
            .spawn(body)
            .map_err(|source| HostedError::Thread { name, source })?;
        mailbox.belongs_to(thread.thread().clone());
        Ok(Hosted {
            mailbox,
            log,
            id,
            thread: Some(thread),
        })
    }

    /// The guest's thread, for whoever is to bound what it gets of the CPUs; it is pinned already. Waits
    /// until it has started. It lives until the guest ends.
    pub fn thread_id(&self) -> Pid {
        *self.id.wait()
    }

    /// Sends a line, without its end, on the control channel. Lines beyond what is kept for a guest that
    /// does not read are dropped.
    pub fn send_line(&self, line: &str) {
        if line.len() <= control::LINE_OCTETS {
            self.mailbox.put(line);
        }
    }

    /// What the guest wrote on its console from octet `offset` on, and the offset to ask with next.
    pub fn console_since(&self, offset: u64) -> (Vec<u8>, u64) {
        self.log.since(offset)
    }

    /// Ends the guest: tells it to stop and waits for it, at most a second. A function that does not
    /// return is left alone with its memory.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        self.mailbox.put(r#"{"stop":{}}"#);
        let since = Instant::now();
        let Some(thread) = self.thread.take() else {
            return;
        };
        while !thread.is_finished() && since.elapsed() < STOP_MOST {
            std::thread::sleep(Duration::from_micros(100));
        }
        if thread.is_finished() {
            // A panic has been reported as a fault.
            let _ = thread.join();
        }
    }
}

/// What a panic said.
fn words(payload: &(dyn core::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "the guest function panicked".to_string())
}

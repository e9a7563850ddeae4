//! How others reach the supervisor, and what it shows them.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::engine::{Engine, GuestEvent, LaunchError};
use super::lifecycle::State;
use super::lines::Heard;
use super::listening::{Listener, Speaker, listener};
use super::requests::{Answered, RequestError};
use crate::dataplane::mailbox::Event as WorkerEvent;
use crate::status::{GuestCpu, GuestUsage};

/// A guest that failed so often while the node came up will not come up.
const HOPELESS: usize = 3;
/// Longest wait for what guests do with their time: twice what a reading takes at most, with one that is under
/// way already, and a little.
const READ_AT_MOST: Duration = Duration::from_millis(250);
/// A console that has ended: its last output and where that ends.
pub(super) type LastConsole = (Vec<u8>, u64);

/// What an operator may want of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Run.
    Start,
    /// Do not run.
    Stop,
    /// Run anew.
    Restart,
}

/// What the supervisor shows of a guest.
#[derive(Debug, Clone)]
pub struct GuestView {
    /// Where it is in its life.
    pub state: State,
    /// How often a new machine replaced an old one.
    pub restarts: u64,
    /// From launch to forwarding, microseconds.
    pub boot_us: u64,
    /// The last failures, oldest first, each as a readable report.
    pub failures: VecDeque<String>,
    /// What the kernel said is in force on its threads, while it is up.
    pub cpu: Option<Box<GuestCpu>>,
    /// What it does with its time, as it said last.
    pub usage: Option<Box<GuestUsage>>,
    /// Changes made at run time that it did not take again after its last launch.
    pub not_restored: u64,
    /// The last launch failed for a reason that no repetition mends.
    pub cannot_launch: bool,
}

impl GuestView {
    /// Why this guest will not come up, when that is clear.
    #[must_use]
    pub fn hopeless(&self) -> Option<&str> {
        let failed = self.failures.back()?;
        (self.cannot_launch || self.failures.len() >= HOPELESS).then_some(failed)
    }
}

pub(super) enum Message {
    Guest {
        slot: usize,
        generation: u64,
        event: GuestEvent,
        /// Held until the event was heard, where it is a line.
        heard: Option<Heard>,
    },
    /// The guest's share of the CPUs is in force; it is about to be configured.
    Bounded {
        slot: usize,
        generation: u64,
        cpu: Option<Box<GuestCpu>>,
    },
    Launched {
        slot: usize,
        generation: u64,
        engine: Result<Engine, LaunchError>,
    },
    Worker(WorkerEvent),
    Wish {
        slot: usize,
        action: Action,
        done: SyncSender<()>,
    },
    Console {
        slot: usize,
        offset: u64,
        reply: SyncSender<LastConsole>,
    },
    Request {
        slot: usize,
        body: Value,
        reply: SyncSender<Answered>,
    },
    Listen {
        slot: usize,
        speaker: Speaker,
    },
    ReadUsage {
        done: SyncSender<()>,
    },
    End,
}

/// How others reach the supervisor.
#[derive(Clone)]
pub struct SupervisorHandle {
    pub(super) messages: Sender<Message>,
    pub(super) views: Arc<Mutex<Vec<GuestView>>>,
}

impl SupervisorHandle {
    /// What the guests are doing, by slot.
    #[must_use]
    pub fn views(&self) -> Vec<GuestView> {
        self.views
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Asks for `action` and waits until it is under way: a stopped guest is off the node and
    /// ended, a started one is being launched.
    pub fn act(&self, slot: usize, action: Action) {
        let (done, wait) = sync_channel(1);
        if self
            .messages
            .send(Message::Wish { slot, action, done })
            .is_ok()
        {
            // The supervisor drops the sender if it ends; either way there is nothing to wait for.
            let _ = wait.recv();
        }
    }

    /// Asks the function of a guest, and waits for its answer.
    ///
    /// # Errors
    ///
    /// It does not answer, or not with what was asked for: see [`RequestError`].
    pub fn request(&self, slot: usize, body: Value) -> Result<Value, RequestError> {
        let (reply, answer) = sync_channel(1);
        let asked = self.messages.send(Message::Request { slot, body, reply });
        // A supervisor that ends drops the sender; until then everybody is answered.
        let answered = asked.ok().and_then(|()| answer.recv().ok());
        answered.unwrap_or(Err(RequestError::Ended))
    }

    /// Listens to a guest from now on, until the listener is dropped. What it says while nobody listens is lost.
    #[must_use]
    pub fn listen(&self, slot: usize) -> Listener {
        let (listener, speaker) = listener();
        // A supervisor that has ended drops the speaker, which the listener is told.
        let _ = self.messages.send(Message::Listen { slot, speaker });
        listener
    }

    /// Asks all guests what they do with their time, and waits until [`views`](Self::views) shows the answers, a
    /// quarter of a second at most. The view of a guest that does not answer stays as it is.
    pub fn read_usage(&self) {
        let (done, wait) = sync_channel(1);
        if self.messages.send(Message::ReadUsage { done }).is_ok() {
            // A supervisor that ends drops the sender.
            let _ = wait.recv_timeout(READ_AT_MOST);
        }
    }

    /// What the guest wrote on its console from octet `offset` on, as far as it is still kept, and
    /// the offset to ask with next. An offset of another machine gives all that is kept.
    #[must_use]
    pub fn console_since(&self, slot: usize, offset: u64) -> (Vec<u8>, u64) {
        let (reply, answer) = sync_channel(1);
        match self.messages.send(Message::Console {
            slot,
            offset,
            reply,
        }) {
            Ok(()) => answer.recv().unwrap_or_default(),
            Err(_) => (Vec::new(), offset),
        }
    }

    /// For the worker: reports a guest that it has taken off.
    #[must_use]
    pub fn worker_events(&self) -> Box<dyn Fn(WorkerEvent) + Send> {
        let messages = self.messages.clone();
        Box::new(move |event| drop(messages.send(Message::Worker(event))))
    }
}

/// The receiving end of a supervisor that is not started yet.
pub struct Inbox(pub(super) Receiver<Message>);

/// A supervisor's handle and its inbox.
pub(super) fn channel_for(slots: usize) -> (SupervisorHandle, Inbox) {
    let (messages, inbox) = channel();
    let view = GuestView {
        state: State::Stopped,
        restarts: 0,
        boot_us: 0,
        failures: VecDeque::new(),
        cpu: None,
        usage: None,
        not_restored: 0,
        cannot_launch: false,
    };
    let views = Arc::new(Mutex::new(vec![view; slots]));
    (SupervisorHandle { messages, views }, Inbox(inbox))
}

//! How configuration reaches the worker: commands that it looks for between two bursts.
//!
//! Rings and schedules have one owner at a time, so they are handed over, not shared. What the
//! worker lets go of travels back in the reply: nothing is freed on the frame path.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{
    Receiver, RecvError, RecvTimeoutError, SyncSender, TryRecvError, sync_channel,
};
use std::time::Duration;

use arrayvec::ArrayVec;
use pinode_scheduler::{Cycle, InstallError, RETIRED_CYCLES};
use pinode_virtqueue::QueueError;
use thiserror::Error;

use super::bell::Bell;
use super::counters::NodeSnapshot;
use super::streams::StreamOrder;
use super::vif::VifPart;
use crate::capture::Tap;

/// A worker answers between two bursts, in microseconds; a second means that it is gone.
const ANSWER: Duration = Duration::from_secs(1);
/// Commands that may wait. Each waits for its answer, so this is the number of askers at once.
const DEPTH: usize = 64;

/// Where a worker takes a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapPlace {
    /// Everything that it receives from and sends to a port.
    Port(usize),
    /// What it gives a guest on a port.
    ToGuest {
        /// The guest's slot.
        slot: usize,
        /// The port's index.
        port: usize,
    },
    /// What a guest sends on a port; at the port's owner.
    FromGuest {
        /// The guest's slot.
        slot: usize,
        /// The port's index.
        port: usize,
    },
}

/// What a worker may be told. Each carries where its answer goes.
pub enum Command {
    /// Frames are taken in from now on; until then none is asked for. Has no answer.
    Open,
    /// A guest has set up its interface for `port`.
    Attach {
        /// The guest.
        slot: usize,
        /// The port of the vif.
        port: usize,
        /// Those of its rings that are this worker's.
        part: Box<VifPart>,
        /// The rings that were there before.
        reply: SyncSender<VifPart>,
    },
    /// A guest goes away: all of its interfaces, or the one of `port`.
    Detach {
        /// The guest.
        slot: usize,
        /// The one interface; all if none.
        port: Option<usize>,
        /// The rings that the worker has let go of.
        reply: SyncSender<Vec<VifPart>>,
    },
    /// A new schedule for a port (IEEE 802.1Q-2018 8.6.9.3: it becomes the admin schedule).
    Install {
        /// The port.
        port: usize,
        /// The schedule.
        cycle: Box<Cycle>,
        /// Its base time on the monotonic clock; the next cycle boundary if none.
        base_ns: Option<u64>,
        /// What became of it.
        reply: SyncSender<Installed>,
    },
    /// Connections of a PI at a port that is the worker's; see [`StreamOrder`].
    Streams {
        /// The PI.
        slot: usize,
        /// The port.
        port: usize,
        /// What is to be done.
        order: Box<StreamOrder>,
        /// The same with what was done.
        reply: SyncSender<Box<StreamOrder>>,
    },
    /// Adds what this worker counts, which is consistent because it is done between two bursts.
    Snapshot {
        /// Where to; made by the asker so that the worker allocates nothing.
        into: Box<NodeSnapshot>,
        /// The same with this worker's part added.
        reply: SyncSender<Box<NodeSnapshot>>,
    },
    /// Starts a capture.
    Tap {
        /// Where.
        at: TapPlace,
        /// The ring that frames are copied to.
        tap: Box<Tap>,
        /// The one that was there before.
        reply: SyncSender<Option<Box<Tap>>>,
    },
    /// Ends a capture whose reader has gone; a newer one at the same place goes on.
    Untap {
        /// Where.
        at: TapPlace,
        /// The one that was there.
        reply: SyncSender<Option<Box<Tap>>>,
    },
    /// Ends the worker.
    Stop,
}

/// The answer to [`Command::Install`].
pub struct Installed {
    /// When it takes effect, on the monotonic clock.
    pub from_ns: Result<u64, InstallError>,
    /// When the schedule that waited would have taken effect, if this one is in its place. One that
    /// frames were committed to takes effect nevertheless, and this one follows it.
    pub replaced_ns: Option<u64>,
    /// Schedules of earlier changes, to be freed by the receiver.
    pub retired: ArrayVec<Cycle, RETIRED_CYCLES>,
}

/// What a worker says of itself.
pub enum Event {
    /// A guest's ring broke the protocol; the worker has let go of all of its rings that it
    /// holds, others still have theirs.
    RingBroken {
        /// The guest.
        slot: usize,
        /// Its machine, as the rings were marked.
        generation: u64,
        /// The port of the vif.
        port: usize,
        /// What was wrong.
        error: QueueError,
        /// The rings, to be freed by the receiver.
        parts: Vec<VifPart>,
    },
}

/// The worker did not answer: it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the data-plane worker does not answer; the node is going down or has failed")]
pub struct WorkerGone;

/// The asking side.
#[derive(Clone)]
pub struct Mailbox {
    // Let go of before the notice is given.
    commands: SyncSender<Command>,
    notice: Notice,
    bell: Bell,
}

/// That the inbox is worth a look: a word that the worker reads in every turn, where a look into the
/// channel costs it as much as two frames.
#[derive(Clone)]
struct Notice(Arc<AtomicBool>);

impl Notice {
    /// A read-modify-write, here and where the worker gives it: whoever takes the notice sees all that
    /// was sent before any that was given.
    fn give(&self) {
        self.0.swap(true, Ordering::Release);
    }
}

impl Drop for Notice {
    /// Perhaps the last asker is gone.
    fn drop(&mut self) {
        self.give();
    }
}

/// The worker's side.
pub struct Inbox {
    commands: Receiver<Command>,
    noticed: Arc<AtomicBool>,
}

impl Inbox {
    /// The next command, waited for.
    ///
    /// # Errors
    ///
    /// Nobody is left to send one.
    pub(super) fn wait(&self) -> Result<Command, RecvError> {
        self.commands.recv()
    }

    /// The next command, if there is one. One load where there is none.
    ///
    /// # Errors
    ///
    /// Nobody is left to send one.
    #[inline]
    pub(super) fn look(&self) -> Result<Option<Command>, RecvError> {
        if self.noticed.load(Ordering::Relaxed) {
            self.take()
        } else {
            Ok(None)
        }
    }

    /// Takes the notice back, then looks: of what is sent behind this look there is another notice.
    #[cold]
    fn take(&self) -> Result<Option<Command>, RecvError> {
        // In one instruction with a fence, so that the look is behind it.
        self.noticed.swap(false, Ordering::AcqRel);
        let answer = match self.commands.try_recv() {
            Ok(command) => Ok(Some(command)),
            Err(TryRecvError::Empty) => return Ok(None),
            Err(TryRecvError::Disconnected) => Err(RecvError),
        };
        // There may be more.
        self.noticed.swap(true, Ordering::Relaxed);
        answer
    }
}

impl Mailbox {
    /// A mailbox and the worker's side of it. The bell is rung behind each command, so that a worker
    /// that silences it and then looks has not missed one.
    #[must_use]
    pub fn new(bell: Bell) -> (Self, Inbox) {
        let (commands, inbox) = sync_channel(DEPTH);
        let noticed = Arc::new(AtomicBool::new(false));
        let inbox = Inbox {
            commands: inbox,
            noticed: Arc::clone(&noticed),
        };
        let mailbox = Self {
            commands,
            notice: Notice(noticed),
            bell,
        };
        (mailbox, inbox)
    }

    /// What wakes the worker.
    #[must_use]
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Sends the command that `make` builds around a reply channel, and waits for the answer.
    ///
    /// # Errors
    ///
    /// [`WorkerGone`] if the worker has ended.
    pub fn ask<T>(&self, make: impl FnOnce(SyncSender<T>) -> Command) -> Result<T, WorkerGone> {
        self.begin(make)?.wait()
    }

    /// Sends the command that `make` builds around a reply channel. Others may be asked meanwhile.
    ///
    /// # Errors
    ///
    /// [`WorkerGone`] if the worker has ended.
    pub fn begin<T>(
        &self,
        make: impl FnOnce(SyncSender<T>) -> Command,
    ) -> Result<Pending<T>, WorkerGone> {
        let (reply, answer) = sync_channel(1);
        self.post(make(reply))?;
        Ok(Pending(answer))
    }

    /// Sends a command and does not wait for the answer.
    ///
    /// # Errors
    ///
    /// [`WorkerGone`] if the worker has ended.
    pub fn post(&self, command: Command) -> Result<(), WorkerGone> {
        self.commands.send(command).map_err(|_| WorkerGone)?;
        self.notice.give();
        self.bell.ring();
        Ok(())
    }

    /// Tells the worker to end. It is gone when its thread is joined.
    pub fn stop(&self) {
        // A worker that has already ended needs no telling.
        let _ = self.post(Command::Stop);
    }
}

/// An answer that a worker still owes.
#[must_use = "the answer holds what the worker let go of"]
pub struct Pending<T>(Receiver<T>);

impl<T> Pending<T> {
    /// Waits for it.
    ///
    /// # Errors
    ///
    /// [`WorkerGone`] if the worker has ended.
    pub fn wait(self) -> Result<T, WorkerGone> {
        match self.0.recv_timeout(ANSWER) {
            Ok(value) => Ok(value),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(WorkerGone),
        }
    }
}

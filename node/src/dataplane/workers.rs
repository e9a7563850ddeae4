//! All workers of a node, as the rest of the node reaches them: each command goes to those whom it
//! concerns, and an answer is there when all of them have answered.
//!
//! It holds nothing of the frame path but the way to it.

use std::sync::Arc;

use pinode_scheduler::Cycle;

use super::bell::Bell;
use super::counters::NodeSnapshot;
use super::layout::Layout;
use super::mailbox::{Command, Installed, Mailbox, Pending, TapPlace, WorkerGone};
use super::streams::StreamOrder;
use super::vif::{Vif, VifPart};
use crate::capture::Tap;

/// Where a capture is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapPoint {
    /// Everything that a port receives and sends.
    Port(usize),
    /// Everything that crosses a guest's vif on a port.
    Vif {
        /// The guest's slot.
        slot: usize,
        /// The port's index.
        port: usize,
    },
}

/// The asking side of all workers. Cheap to clone.
#[derive(Clone)]
pub struct Workers {
    layout: Arc<Layout>,
    mailboxes: Arc<[Mailbox]>,
}

impl Workers {
    /// `mailboxes`: one for each worker of `layout`, by index.
    #[must_use]
    pub fn new(layout: Layout, mailboxes: Vec<Mailbox>) -> Self {
        Self {
            layout: Arc::new(layout),
            mailboxes: mailboxes.into(),
        }
    }

    /// Who has what.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    fn mailbox(&self, worker: usize) -> Result<&Mailbox, WorkerGone> {
        self.mailboxes.get(worker).ok_or(WorkerGone)
    }

    /// By port: what wakes the worker that takes the frames which guests send there.
    #[must_use]
    pub fn bells(&self) -> Vec<Bell> {
        let owners = (0..self.layout.ports()).map(|port| self.layout.owner(port));
        let mailboxes = owners.filter_map(|owner| self.mailboxes.get(owner));
        mailboxes.map(|mailbox| mailbox.bell().clone()).collect()
    }

    /// Frames are taken in from now on.
    ///
    /// # Errors
    ///
    /// [`WorkerGone`] if a worker has ended.
    pub fn open(&self) -> Result<(), WorkerGone> {
        self.mailboxes
            .iter()
            .try_for_each(|mailbox| mailbox.post(Command::Open))
    }

    /// Tells all workers to end. They are gone when their threads are joined.
    pub fn stop(&self) {
        self.mailboxes.iter().for_each(Mailbox::stop);
    }

    /// Hands over the rings of a guest's vif of `port`, its queue pairs in order. Gives back what was
    /// there before.
    ///
    /// # Errors
    ///
    /// [`WorkerGone`] if a worker has ended.
    pub fn attach(
        &self,
        slot: usize,
        port: usize,
        pairs: Vec<Vif>,
    ) -> Result<Vec<VifPart>, WorkerGone> {
        let attach = |(worker, part)| {
            let part = Box::new(part);
            self.mailbox(worker)?.begin(|reply| Command::Attach {
                slot,
                port,
                part,
                reply,
            })
        };
        let parts = self.layout.share(port, pairs);
        let asked: Vec<_> = parts.into_iter().map(attach).collect::<Result<_, _>>()?;
        asked.into_iter().map(Pending::wait).collect()
    }

    /// Takes a guest's rings off the node: all, or those of its vif of `port`. When this returns
    /// without an error, no worker touches them any more.
    ///
    /// # Errors
    ///
    /// [`WorkerGone`] if a worker has ended (and with it what it held).
    pub fn detach(&self, slot: usize, port: Option<usize>) -> Result<Vec<VifPart>, WorkerGone> {
        let asked: Vec<_> = self
            .mailboxes
            .iter()
            .map(|mailbox| mailbox.begin(|reply| Command::Detach { slot, port, reply }))
            .collect();
        // All are waited for, whatever becomes of the first.
        let answers: Vec<_> = asked
            .into_iter()
            .map(|asked| asked.and_then(Pending::wait))
            .collect();
        let parts: Vec<Vec<VifPart>> = answers.into_iter().collect::<Result<_, _>>()?;
        Ok(parts.into_iter().flatten().collect())
    }

    /// Installs a schedule at the owner of `port`, from the next cycle boundary on if `base_ns` is
    /// none.
    ///
    /// # Errors
    ///
    /// [`WorkerGone`] if the owner has ended.
    pub fn install(
        &self,
        port: usize,
        cycle: Box<Cycle>,
        base_ns: Option<u64>,
    ) -> Result<Installed, WorkerGone> {
        let owner = self.mailbox(self.layout.owner(port))?;
        owner.ask(|reply| Command::Install {
            port,
            cycle,
            base_ns,
            reply,
        })
    }

    /// Has the owner of `port` change or list connections of the PI in `slot`.
    ///
    /// # Errors
    ///
    /// [`WorkerGone`] if the owner has ended.
    pub fn streams(
        &self,
        slot: usize,
        port: usize,
        order: Box<StreamOrder>,
    ) -> Result<Box<StreamOrder>, WorkerGone> {
        let owner = self.mailbox(self.layout.owner(port))?;
        owner.ask(|reply| Command::Streams {
            slot,
            port,
            order,
            reply,
        })
    }

    /// Fills `into` with what all workers count. Workers are asked one after the other; the sums of
    /// the contract hold all the same (see [`super::counters`]).
    ///
    /// # Errors
    ///
    /// [`WorkerGone`] if a worker has ended.
    pub fn snapshot(&self, mut into: Box<NodeSnapshot>) -> Result<Box<NodeSnapshot>, WorkerGone> {
        into.clear();
        for mailbox in self.mailboxes.iter() {
            into = mailbox.ask(|reply| Command::Snapshot { into, reply })?;
        }
        Ok(into)
    }

    /// The places of a capture: a [`Tap`] is needed for each.
    #[must_use]
    pub fn places(&self, at: TapPoint) -> Vec<(usize, TapPlace)> {
        match at {
            TapPoint::Port(port) => self
                .layout
                .holders(port)
                .map(|worker| (worker, TapPlace::Port(port)))
                .collect(),
            TapPoint::Vif { slot, port } => self
                .layout
                .holders(port)
                .map(|worker| (worker, TapPlace::ToGuest { slot, port }))
                .chain([(self.layout.owner(port), TapPlace::FromGuest { slot, port })])
                .collect(),
        }
    }

    /// Starts a capture: `taps` are those of [`places`](Self::places), in the same order. The ones
    /// that were there before are let go of.
    ///
    /// # Errors
    ///
    /// [`WorkerGone`] if a worker has ended.
    pub fn tap(&self, at: TapPoint, taps: Vec<Tap>) -> Result<(), WorkerGone> {
        for ((worker, at), tap) in self.places(at).into_iter().zip(taps) {
            let tap = Box::new(tap);
            drop(
                self.mailbox(worker)?
                    .ask(|reply| Command::Tap { at, tap, reply })?,
            );
        }
        Ok(())
    }

    /// Ends a capture whose reader has gone; a newer one at the same place goes on.
    pub fn untap(&self, at: TapPoint) {
        for (worker, at) in self.places(at) {
            // A worker that has ended has let go of its taps.
            let ask = |mailbox: &Mailbox| mailbox.ask(|reply| Command::Untap { at, reply });
            drop(self.mailbox(worker).and_then(ask));
        }
    }
}

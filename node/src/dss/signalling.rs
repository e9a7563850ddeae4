//! The signalling of one switch: what is set for connections, the daemon of the moment, and who asks it.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use pinode_guest_dss::control::{Octets, Request};
use pinode_signaling::daemon::switch::packet::{self, ToDaemon, ToNode};
use pinode_signaling::daemon::switch::{Op, OpId, Refusal, Way, What};
use pinode_signaling::daemon::view::View;
use pinode_signaling::daemon::{Configuration, RouteConfiguration};
use rustix::net::{SendFlags, Shutdown, send, shutdown};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use super::reserve::Reserved;
use super::sockets::Sockets;
use super::table::{self, Table};
use crate::control::Control;
use crate::supervisor::Waker;

/// How long a daemon is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a daemon was not asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignallingError {
    /// There is none just now.
    #[error("the signalling daemon is not running; it is started again")]
    Down,
    /// It does not answer.
    #[error("the signalling daemon has not answered within {} s", PATIENCE.as_secs())]
    NoAnswer,
    /// It refuses.
    #[error("{0}")]
    Refused(String),
}

/// What is shown of the signalling of a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Shown {
    /// What the daemon shows.
    pub daemon: View,
    /// Process of the daemon.
    pub process: u32,
    /// How often it was started again.
    pub restarts: u64,
    /// Connections that the guest says it has; none: it does not answer.
    pub guest: Option<u32>,
    /// Ways of connections that the guest is to have.
    pub switched: usize,
    /// Ways of connections that level 2 has something reserved for.
    pub reserved: usize,
}

/// The signalling of a switch.
pub struct Signalling {
    /// The node, as long as it runs.
    pub(super) control: Weak<dyn Control>,
    pub(super) guest: String,
    pub(super) configuration: Configuration,
    set: Mutex<Set>,
    pub(super) sockets: Mutex<Sockets>,
    pub(super) waker: Mutex<Option<Waker>>,
    pub(super) daemon: Mutex<Option<Current>>,
    asked: Mutex<HashMap<u64, SyncSender<ToNode>>>,
    last_id: AtomicU64,
    pub(super) restarts: AtomicU64,
    ended: AtomicBool,
}

struct Set {
    table: Table,
    reserved: Reserved,
}

/// The daemon of the moment.
#[derive(Clone)]
pub(super) struct Current {
    pub socket: Arc<OwnedFd>,
    pub process: u32,
}

/// A mutex whose holder never leaves anything half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Signalling {
    /// That of `guest`, whose daemon is to be told `configuration`; `ports`: all of the node's, in order; `jitter_ns`:
    /// by how much frames may be held up before the node looks at them; `sockets`: how many the guest may have.
    #[must_use]
    pub fn new(
        control: Weak<dyn Control>,
        guest: &str,
        configuration: Configuration,
        ports: Vec<String>,
        jitter_ns: u64,
        sockets: u32,
    ) -> Self {
        let set = Set {
            table: Table::new(guest, ports.clone(), jitter_ns),
            reserved: Reserved::new(guest, ports, jitter_ns),
        };
        Self {
            control,
            guest: guest.to_owned(),
            configuration,
            set: Mutex::new(set),
            sockets: Mutex::new(Sockets::new(guest, sockets)),
            waker: Mutex::default(),
            daemon: Mutex::new(None),
            asked: Mutex::default(),
            last_id: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        }
    }

    /// What there is now; of calls a page, those behind `after`.
    ///
    /// # Errors
    ///
    /// [`SignallingError`].
    pub fn show(&self, after: u64) -> Result<Shown, SignallingError> {
        let process = lock(&self.daemon)
            .as_ref()
            .map(|current| current.process)
            .ok_or(SignallingError::Down)?;
        let daemon = self.view(after)?;
        let set = lock(&self.set);
        let control = self.control.upgrade();
        let guest = control.and_then(|control| set.table.guest_has(&*control));
        Ok(Shown {
            guest,
            daemon,
            process,
            restarts: self.restarts.load(Ordering::Relaxed),
            switched: set.table.len(),
            reserved: set.reserved.len(),
        })
    }

    /// What the daemon alone shows, as [`Self::show`]; the guest is not asked.
    ///
    /// # Errors
    ///
    /// [`SignallingError`].
    pub fn view(&self, after: u64) -> Result<View, SignallingError> {
        match self.ask(|id| ToDaemon::Show { id, after })? {
            ToNode::Shown(_, daemon) => Ok(*daemon),
            _ => Err(SignallingError::NoAnswer),
        }
    }

    /// Adds a route, or takes it away. A daemon that is started again has those of the configuration.
    ///
    /// # Errors
    ///
    /// [`SignallingError`].
    pub fn change_route(
        &self,
        delete: bool,
        route: RouteConfiguration,
    ) -> Result<(), SignallingError> {
        match self.ask(|id| ToDaemon::Route { id, delete, route })? {
            ToNode::Done(_, done) => done.map_err(SignallingError::Refused),
            _ => Err(SignallingError::NoAnswer),
        }
    }

    /// Releases a call.
    ///
    /// # Errors
    ///
    /// [`SignallingError`].
    pub fn release(&self, call: u64) -> Result<(), SignallingError> {
        match self.ask(|id| ToDaemon::Release { id, call })? {
            ToNode::Done(_, done) => done.map_err(SignallingError::Refused),
            _ => Err(SignallingError::NoAnswer),
        }
    }

    fn ask(&self, question: impl FnOnce(u64) -> ToDaemon) -> Result<ToNode, SignallingError> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (reply, answer) = sync_channel(1);
        lock(&self.asked).insert(id, reply);
        let said = self.say(&packet::message(&question(id)));
        let answered = said.then(|| answer.recv_timeout(PATIENCE));
        lock(&self.asked).remove(&id);
        match answered {
            Some(answer) => answer.map_err(|_| SignallingError::NoAnswer),
            None => Err(SignallingError::Down),
        }
    }

    /// The daemon has answered somebody.
    pub(super) fn answered(&self, id: u64, answer: ToNode) {
        if let Some(reply) = lock(&self.asked).remove(&id) {
            // Whoever asked may have gone.
            let _ = reply.send(answer);
        }
    }

    /// Says something to the daemon of the moment; whether there is one that takes it now. Nobody waits for it: it may
    /// be waiting for the node.
    pub(super) fn say(&self, octets: &[u8]) -> bool {
        let current = lock(&self.daemon).clone();
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        current.is_some_and(|current| send(&current.socket, octets, flags).is_ok())
    }

    /// The network in which PDUs go out of a port, and come in by it; none: no neighbour is spoken to there.
    pub(super) fn network(&self, port: u16) -> Option<u8> {
        let mut ports = self.configuration.ports.iter();
        let known = ports.find(|known| known.number == port)?;
        known.vn.or(self.configuration.vns.first().copied())
    }

    /// Another daemon has come, or it has gone: then nothing that it set stays.
    pub(super) fn daemon_is(&self, current: Option<Current>) {
        let gone = current.is_none();
        *lock(&self.daemon) = current;
        if gone {
            lock(&self.asked).clear();
            if let Some(control) = self.control.upgrade() {
                let set = &mut *lock(&self.set);
                set.table.clear(&*control);
                set.reserved.clear(&*control);
            }
        }
    }

    /// A guest that did not answer is told again what it is to have.
    pub(super) fn settle(&self) {
        if let Some(control) = self.control.upgrade() {
            lock(&self.set).table.settle(&*control);
        }
    }

    /// The guest has come up anew.
    pub(super) fn guest_is_new(&self) {
        if let Some(control) = self.control.upgrade() {
            lock(&self.set).table.guest_is_new(&*control);
        }
    }

    /// Sends PDUs with label 1 out of a port.
    pub(super) fn send(&self, port: u16, pdus: Vec<Vec<u8>>) {
        let vn = self.network(port);
        let (Some(control), Some(vn), Ok(port)) = (self.control.upgrade(), vn, u8::try_from(port))
        else {
            return;
        };
        let pdus = pdus.into_iter().map(Octets).collect();
        // What the guest does not take is sent again by the link layer.
        let _ = table::ask(&self.guest, &*control, &Request::Send { port, vn, pdus });
    }

    /// Does operations in their order, as the daemon asks for them; what became of each.
    pub fn switch(&self, ops: &[Op]) -> Vec<(OpId, Result<(), Refusal>)> {
        let Some(control) = self.control.upgrade() else {
            return Vec::new();
        };
        let set = &mut *lock(&self.set);
        let mut done = Vec::with_capacity(ops.len());
        for ops in ops.chunk_by(|a, b| a.what == b.what) {
            match ops.first().map(|op| op.what) {
                Some(What::Set) => done.extend(set.set(&*control, ops)),
                Some(What::Unset) => {
                    set.unset(&*control, ops.iter().flat_map(|op| &op.ways));
                    done.extend(ops.iter().map(|op| (op.id, Ok(()))));
                }
                None => {}
            }
        }
        for (op, outcome) in &done {
            if let Err(refusal) = outcome {
                tracing::info!(guest = %self.guest, operation = op.0, "a connection is not set: {refusal}");
            }
        }
        done
    }

    /// The node ends: the daemon hears no more of it, and tells its neighbours.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(current) = lock(&self.daemon).as_ref() {
            // It may have gone.
            let _ = shutdown(&current.socket, Shutdown::Write);
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }
}

impl Set {
    /// Reserves, then lets frames through; of an operation all, or nothing.
    fn set(&mut self, control: &dyn Control, ops: &[Op]) -> Vec<(OpId, Result<(), Refusal>)> {
        let ways: Vec<Way> = ops.iter().flat_map(|op| op.ways.clone()).collect();
        let reserved = self.reserved.reserve(control, &ways);
        let mut outcomes = by_op(ops, reserved);
        let going: Vec<Op> = ops
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| outcome.is_ok())
            .map(|(op, _)| op.clone())
            .collect();
        let ways: Vec<Way> = going.iter().flat_map(|op| op.ways.clone()).collect();
        let switched = self.table.set(control, &ways);
        let switched = by_op(&going, switched);
        let going = outcomes.iter_mut().filter(|outcome| outcome.is_ok());
        for (outcome, switched) in going.zip(switched) {
            *outcome = switched;
        }
        let failed = ops.iter().zip(&outcomes);
        let failed = failed.filter(|(_, outcome)| outcome.is_err());
        self.unset(control, failed.flat_map(|(op, _)| &op.ways));
        ops.iter().map(|op| op.id).zip(outcomes).collect()
    }

    fn unset<'w>(&mut self, control: &dyn Control, ways: impl Iterator<Item = &'w Way>) {
        let ways: Vec<Way> = ways.copied().collect();
        self.table.unset(control, &ways);
        self.reserved.free(control, ways.iter().map(|way| way.to));
    }
}

/// Outcomes of ways as those of their operations: the first that failed.
fn by_op(ops: &[Op], ways: Vec<Result<(), Refusal>>) -> Vec<Result<(), Refusal>> {
    let mut ways = ways.into_iter();
    ops.iter()
        .map(|op| {
            let own: Vec<_> = ways.by_ref().take(op.ways.len()).collect();
            own.into_iter().collect()
        })
        .collect()
}

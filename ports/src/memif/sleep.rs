//! What a worker sleeps on: the interrupt of its ring, and this end's own bell for what the thread has to say.
//!
//! The interrupt is only ever waited for, edge by edge: reading it could block, since the peer holds it too.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{Timespec, epoll};

use super::bell::Bell;

/// See the module.
#[derive(Debug)]
pub(super) struct Sleep {
    epoll: OwnedFd,
    bell: Arc<Bell>,
}

impl Sleep {
    pub(super) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = Arc::new(Bell::new()?);
        let data = epoll::EventData::new_u64(0);
        epoll::add(&epoll, bell.as_fd(), data, epoll::EventFlags::IN)?;
        Ok(Self { epoll, bell })
    }

    /// Rung when there is a connection, or none any more.
    pub(super) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Waits for the interrupt of a new ring as well. True: it can.
    pub(super) fn add(&self, interrupt: BorrowedFd<'_>) -> bool {
        let data = epoll::EventData::new_u64(1);
        let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&self.epoll, interrupt, data, edges).is_ok()
    }

    /// No longer.
    pub(super) fn remove(&self, interrupt: BorrowedFd<'_>) {
        // It is not there where it could not be added.
        let _ = epoll::delete(&self.epoll, interrupt);
    }

    /// Forgets what rang so far.
    pub(super) fn drain(&self) {
        self.bell.drain();
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }; 4];
        // Edges are taken by being seen.
        let _ = epoll::wait(&self.epoll, &mut events, Some(&Timespec::default()));
    }
}

impl AsFd for Sleep {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

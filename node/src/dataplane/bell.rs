//! A worker's bell: what wakes it wherever it sleeps. One for everything that is not a port: commands,
//! and the kicks of all guests whose frames it takes.
//!
//! An eventfd (level-triggered: a bell that was rung stays so until the worker has silenced it), so
//! that KVM itself can ring it (ioeventfd). Nothing is rung for a worker that is awake but by
//! commands, which are rare.

use std::io;
use std::sync::Arc;

use pinode_vmm::EventFd;
use vmm_sys_util::eventfd::EFD_NONBLOCK;

/// A worker's bell. Cheap to clone; any thread may ring it.
#[derive(Debug, Clone)]
pub struct Bell(Arc<EventFd>);

impl Bell {
    /// A bell that nobody has rung.
    ///
    /// # Errors
    ///
    /// The kernel gives no eventfd.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(EventFd::new(EFD_NONBLOCK)?)))
    }

    /// Wakes the worker, or keeps it from falling asleep: one system call.
    pub fn ring(&self) {
        // The only failure is a full counter, which is a bell that rings.
        let _ = self.0.write(1);
    }

    /// What was rung until now is heard. Whatever it was for has to be looked at after this.
    pub fn silence(&self) {
        // It fails where nobody rang.
        let _ = self.0.read();
    }

    /// As KVM and epoll know it.
    #[must_use]
    pub fn into_event(self) -> Arc<EventFd> {
        self.0
    }

    pub(super) fn event(&self) -> &EventFd {
        &self.0
    }
}

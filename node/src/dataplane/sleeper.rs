//! Where a worker sleeps: in epoll, on its bell, its ports, and a timer.
//!
//! The set is made when the worker is. All of it is level-triggered: what became ready before the
//! worker slept keeps it from sleeping. A port is in the set only around a sleep: while it is, the
//! kernel calls epoll for every frame that arrives, on the core that brings it, which is a tenth of
//! what a frame costs there.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::timerfd::TimerFd;

use super::bell::Bell;
use super::idle::Sleep;

/// How a worker sleeps. Injected, so that tests sleep in virtual time.
pub trait Sleeper: Send {
    /// Lets `fd` of the worker's lane `lane` end the next sleep when it is readable. False: it cannot,
    /// and the lane has to be looked at.
    fn watch(&mut self, lane: usize, fd: BorrowedFd<'_>) -> bool;

    /// Sleeps until the bell is rung, a watched descriptor is readable, or the time has passed. May
    /// return without a reason.
    fn sleep(&mut self, sleep: Sleep);

    /// The worker looks for itself again: takes back what it let end its sleep.
    fn unwatch(&mut self) {}
}

/// Token of the bell; lanes have theirs from 2 on.
const BELL: u64 = 0;
const TIMER: u64 = 1;
const LANES: u64 = 2;

/// The kernel's epoll.
pub struct EpollSleeper {
    epoll: Epoll,
    timer: TimerFd,
    bell: Bell,
    /// By lane.
    watched: Vec<Watched>,
    ready: Vec<EpollEvent>,
}

#[derive(Clone, Copy, Default)]
struct Watched {
    fd: Option<RawFd>,
    /// It is in the set.
    in_set: bool,
    /// It woke the worker by an error that nobody takes away (its interface is gone, say).
    faulty: bool,
}

impl EpollSleeper {
    /// For a worker with so many lanes.
    ///
    /// # Errors
    ///
    /// The kernel gives no epoll or timer.
    pub fn new(bell: Bell, lanes: usize) -> io::Result<Self> {
        let (epoll, timer) = (Epoll::new()?, TimerFd::new()?);
        let add = |fd, token| {
            let event = EpollEvent::new(EventSet::IN, token);
            epoll.ctl(ControlOperation::Add, fd, event)
        };
        add(bell.event().as_raw_fd(), BELL)?;
        add(timer.as_raw_fd(), TIMER)?;
        Ok(Self {
            epoll,
            timer,
            bell,
            watched: vec![Watched::default(); lanes],
            ready: vec![EpollEvent::default(); lanes + 2],
        })
    }

    fn forget(&mut self, fd: RawFd) {
        // It may have been closed meanwhile, which takes it out of the set too.
        let event = EpollEvent::default();
        let _ = self.epoll.ctl(ControlOperation::Delete, fd, event);
    }
}

impl Sleeper for EpollSleeper {
    fn watch(&mut self, lane: usize, fd: BorrowedFd<'_>) -> bool {
        let fd = fd.as_raw_fd();
        let Some(watched) = self.watched.get(lane).copied() else {
            return false;
        };
        if let Some(old) = watched.fd.filter(|old| *old != fd) {
            // Closed, its number may be that of another lane's descriptor by now.
            let others = self.watched.iter().filter(|other| other.fd == Some(old));
            if others.count() == 1 {
                self.forget(old);
            }
        }
        let faulty = watched.faulty && watched.fd == Some(fd);
        if let Some(watched) = self.watched.get_mut(lane) {
            *watched = Watched {
                fd: Some(fd),
                in_set: !faulty,
                faulty: false,
            };
        }
        if faulty {
            // Looked at for a while by time instead; then the descriptor gets another chance.
            return false;
        }
        let event = EpollEvent::new(EventSet::IN, LANES + lane as u64);
        // Always asked for: a descriptor that was closed and opened anew has the old number and is in
        // no set.
        match self.epoll.ctl(ControlOperation::Add, fd, event) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::AlreadyExists,
        }
    }

    fn sleep(&mut self, sleep: Sleep) {
        let timed = match sleep {
            Sleep::No => return,
            Sleep::For(ns) => {
                let length = Duration::from_nanos(ns.max(1));
                if self.timer.reset(length, None).is_err() {
                    return;
                }
                true
            }
            Sleep::UntilWoken => false,
        };
        // An interrupted sleep is one that ends early.
        let count = self.epoll.wait(-1, &mut self.ready).unwrap_or(0);
        if timed {
            // Takes back an expiry that nobody has read, as well.
            let _ = self.timer.clear();
        }
        for at in 0..count.min(self.ready.len()) {
            let (token, events) = (self.ready[at].data(), self.ready[at].events());
            if token == BELL {
                self.bell.silence();
            } else if token >= LANES && events & EventSet::IN.bits() == 0 {
                let lane = usize::try_from(token - LANES).unwrap_or(usize::MAX);
                if let Some(fd) = self.watched.get(lane).and_then(|watched| watched.fd) {
                    self.forget(fd);
                    self.watched[lane].in_set = false;
                    self.watched[lane].faulty = true;
                }
            }
        }
    }

    fn unwatch(&mut self) {
        for lane in 0..self.watched.len() {
            let Watched { fd, in_set, .. } = self.watched[lane];
            if let Some(fd) = fd.filter(|_| in_set) {
                self.forget(fd);
                self.watched[lane].in_set = false;
            }
        }
    }
}

#[cfg(test)]
#[path = "sleeper_tests.rs"]
mod tests;

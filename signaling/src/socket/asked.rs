//! A request to the daemon: its answer is waited for, or it is given up.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::Error;
use super::inner::{Answer, Waiting};
use super::signaling::{Held, Signaling};
use crate::isp::Vcc;
use crate::isp::kernel::{Kernel, NotNow};
use crate::isp::to_demon::ToDemon;
use crate::ready::{self, For};

/// See the module. Dropping it gives the request up.
#[derive(Debug)]
pub(super) struct Asked {
    held: Held,
    waiting: Arc<Waiting>,
}

impl Asked {
    /// Asks on a new socket.
    pub(super) fn new(
        signaling: &Signaling,
        ask: impl FnOnce(&mut Kernel, Vcc) -> Result<ToDemon, NotNow>,
    ) -> Result<Self, Error> {
        let vcc = signaling.with(|inner| inner.kernel.socket())?;
        let signaling = signaling.clone();
        Self::on(Held { signaling, vcc }, ask)
    }

    /// Asks on a socket that is as new.
    pub(super) fn on(
        held: Held,
        ask: impl FnOnce(&mut Kernel, Vcc) -> Result<ToDemon, NotNow>,
    ) -> Result<Self, Error> {
        let waiting = Waiting::new()?;
        let vcc = held.vcc;
        held.signaling.with(|inner| {
            let message = ask(&mut inner.kernel, vcc)?;
            inner.wait_for(vcc, Arc::clone(&waiting));
            inner.send(&message);
            Ok::<_, NotNow>(())
        })?;
        Ok(Self { held, waiting })
    }

    /// What was asked already.
    pub(super) fn of(held: Held, waiting: Arc<Waiting>) -> Self {
        Self { held, waiting }
    }

    /// The answer, if it is there; it comes once.
    pub(super) fn answer(&self) -> Option<Answer> {
        self.waiting.take()
    }

    /// Readable when the answer is there.
    pub(super) fn there(&self) -> BorrowedFd<'_> {
        self.waiting.there.as_fd()
    }

    /// The socket.
    pub(super) fn into_held(self) -> Held {
        self.held
    }

    /// Waits for the answer.
    pub(super) fn wait(&self, what: &'static str, patience: &Patience) -> Result<Answer, Error> {
        loop {
            match self.answer() {
                Some(Answer::Failed(error)) => return Err(error),
                Some(answer) => return Ok(answer),
                None => patience.wait(what, [(self.there(), For::IN)])?,
            }
        }
    }
}

/// How long somebody waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    within: Option<Duration>,
    until: Option<Instant>,
}

impl Patience {
    /// From now on; none: as long as it takes.
    pub(super) fn new(within: Option<Duration>) -> Self {
        let until = within.and_then(|within| Instant::now().checked_add(within));
        Self { within, until }
    }

    /// Waits until one of the descriptors is ready.
    pub(super) fn wait<const N: usize>(
        &self,
        what: &'static str,
        descriptors: [(BorrowedFd<'_>, For); N],
    ) -> Result<(), Error> {
        if wait(descriptors, self.until)? {
            return Ok(());
        }
        Err(self.over(what))
    }

    /// Waits until one of the descriptors is ready, or a time has come.
    pub(super) fn wait_until<const N: usize>(
        &self,
        what: &'static str,
        descriptors: [(BorrowedFd<'_>, For); N],
        time: Instant,
    ) -> Result<(), Error> {
        match self.until {
            Some(until) if until < time => self.wait(what, descriptors),
            _ => wait(descriptors, Some(time)).map(drop),
        }
    }

    fn over(&self, what: &'static str) -> Error {
        Error::Timeout {
            what,
            time: self.within.unwrap_or(Duration::MAX),
        }
    }
}

fn wait<const N: usize>(
    descriptors: [(BorrowedFd<'_>, For); N],
    until: Option<Instant>,
) -> Result<bool, Error> {
    ready::wait(descriptors, until).map_err(|source| Error::System {
        action: "wait",
        source,
    })
}

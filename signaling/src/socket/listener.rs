//! An address at which calls are accepted.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use super::asked::{Asked, Patience};
use super::error::Error;
use super::inner::{self, Answer, Waiting};
use super::signal::Signal;
use super::signaling::{Held, Signaling};
use super::stream::Stream;
use crate::isp::{Aal, Sap};
use crate::ready::For;
use crate::{Address, Qos};

/// An address at which calls are accepted. It is given back when this is dropped, and calls that wait are rejected.
///
/// Several threads may accept at once. Waits take no longer than `within`; without they take as long as they take.
#[derive(Debug)]
pub struct Listener {
    held: Held,
    calls: Arc<Signal>,
    local: Sap,
}

impl Listener {
    /// Listens at an address, null for one that the daemon chooses, for calls with as much traffic, as seen from here.
    ///
    /// # Errors
    /// [`Error::Refused`]: the address is not this host's, or another's; [`Error::Timeout`], [`Error::Unavailable`].
    pub fn bind(
        signaling: &Signaling,
        address: Address,
        qos: Qos,
        within: Option<Duration>,
    ) -> Result<Self, Error> {
        const WHAT: &str = "listening";
        let patience = Patience::new(within);
        let asked = Self::ask_bind(signaling, address)?;
        let bound = asked.wait(WHAT, &patience)?;
        let (asked, local) = Self::ask_listen(asked, bound, qos)?;
        let listening = asked.wait(WHAT, &patience)?;
        Self::of(asked, listening, local)
    }

    pub(super) fn ask_bind(signaling: &Signaling, address: Address) -> Result<Asked, Error> {
        let svc = Sap::from(address);
        Asked::new(signaling, |kernel, vcc| kernel.bind(vcc, Aal::FIVE, svc))
    }

    pub(super) fn ask_listen(asked: Asked, bound: Answer, qos: Qos) -> Result<(Asked, Sap), Error> {
        let local = match bound {
            Answer::Bound(local) => local,
            Answer::Failed(error) => return Err(error),
            // The protocol's state machine lets no other answer through to this request.
            Answer::Listening | Answer::Connected(_) => return Err(Error::Unavailable),
        };
        let svc = local.clone();
        let asked = Asked::on(asked.into_held(), |kernel, vcc| {
            kernel.listen(vcc, Aal::FIVE, qos, svc)
        })?;
        Ok((asked, local))
    }

    pub(super) fn of(asked: Asked, listening: Answer, local: Sap) -> Result<Self, Error> {
        if let Answer::Failed(error) = listening {
            return Err(error);
        }
        let calls = Arc::new(inner::event()?);
        let held = asked.into_held();
        held.signaling.with(|inner| {
            inner.listen_at(held.vcc, Arc::clone(&calls));
            // One may have come already.
            calls.raise();
        });
        Ok(Self { held, calls, local })
    }

    /// Accepts the first call that waits, or the next that comes.
    ///
    /// # Errors
    /// [`Error::Refused`]: the caller has given up meanwhile; [`Error::Packet`]: its interface cannot be used here, and
    /// it was rejected. The next call may be accepted after both. [`Error::Timeout`]: a call that was being accepted is closed. [`Error::Unavailable`].
    pub fn accept(&self, within: Option<Duration>) -> Result<Stream, Error> {
        const WHAT: &str = "accepting a call";
        let patience = Patience::new(within);
        loop {
            if let Some((asked, peer)) = self.ask_accept()? {
                let answer = asked.wait(WHAT, &patience)?;
                return Stream::of(asked, answer, peer);
            }
            patience.wait(WHAT, [(self.calls(), For::IN)])?;
        }
    }

    /// Accepts the first call that waits: what is asked, and the caller's address.
    pub(super) fn ask_accept(&self) -> Result<Option<(Asked, Address)>, Error> {
        let waiting = Waiting::new()?;
        let signaling = &self.held.signaling;
        let accepted = signaling.with(|inner| inner.accept(self.held.vcc, Arc::clone(&waiting)))?;
        Ok(accepted.map(|(vcc, call)| {
            let signaling = signaling.clone();
            (
                Asked::of(Held { signaling, vcc }, waiting),
                call.svc.address,
            )
        }))
    }

    /// Readable while calls wait.
    pub(super) fn calls(&self) -> BorrowedFd<'_> {
        self.calls.as_fd()
    }

    /// The address.
    #[must_use]
    pub fn local(&self) -> Address {
        self.local.address
    }
}

//! Permanent ends of a switch: operators add them and take them away, and the guest is asked for them.
//!
//! Must never ask the guest while what operators and the daemon wait for is locked.

use pinode_signaling::daemon::switch::Span;
use pinode_signaling::daemon::switch::packet::Isp;

use super::permanent::{Permanent, PermanentShown};
use super::signalling::{Signalling, lock};
use super::sockets::Sockets;
use super::table;
use crate::supervisor::Waker;

/// Questions for sockets that are asked one after the other, before it is heard what the guest says meanwhile: each
/// makes it say something, and few events wait.
const ASKED_AT_ONCE: usize = 16;

impl Signalling {
    /// One more permanent end, at a place of the switch; of the configuration if `configured`.
    ///
    /// # Errors
    ///
    /// Why there cannot be.
    pub fn add_permanent(
        &self,
        permanent: Permanent,
        at: Span,
        configured: bool,
    ) -> Result<(), String> {
        lock(&self.sockets).ends.add(permanent, at, configured)?;
        self.wake();
        Ok(())
    }

    /// One less; its connections are released.
    ///
    /// # Errors
    ///
    /// There is none that may be taken away.
    pub fn remove_permanent(&self, name: &str) -> Result<(), String> {
        lock(&self.sockets).ends.remove(name)?;
        self.wake();
        Ok(())
    }

    /// Permanent ends, by name, without their calls, and where each is.
    #[must_use]
    pub fn permanents(&self) -> Vec<(Span, PermanentShown)> {
        lock(&self.sockets).shown()
    }

    /// Has something to do with the guest's sockets, and then hands what they say to the daemon. Never asks the guest:
    /// operators and the daemon wait for this.
    pub(super) fn with_sockets<T>(&self, does: impl FnOnce(&mut Sockets) -> T) -> T {
        let sockets = &mut *lock(&self.sockets);
        let done = does(sockets);
        sockets.flush(|packet| self.say(packet));
        done
    }

    /// Asks some of what is to be asked for the guest's sockets now, on the one thread that does; whether more is to be.
    pub(super) fn look_after_sockets(&self) -> bool {
        let Some(control) = self.control.upgrade() else {
            return false;
        };
        for _ in 0..ASKED_AT_ONCE {
            let daemon = lock(&self.daemon).as_ref().map(|current| current.process);
            let Some(question) = self.with_sockets(|sockets| sockets.next(daemon)) else {
                return false;
            };
            let answer = table::ask(&self.guest, &*control, &question.request);
            self.with_sockets(|sockets| sockets.answered(&question, answer));
        }
        true
    }

    /// What the daemon says to the guest's sockets, which who looks after them tells it.
    pub(super) fn tell_sockets(&self, messages: Vec<Isp>) {
        if messages.is_empty() {
            return;
        }
        self.with_sockets(|sockets| sockets.told(messages));
        self.wake();
    }

    /// Who is to be woken when there is something to be done for sockets.
    pub(super) fn wakes(&self, waker: Waker) {
        *lock(&self.waker) = Some(waker);
    }

    fn wake(&self) {
        if let Some(waker) = &*lock(&self.waker) {
            waker.wake();
        }
    }
}

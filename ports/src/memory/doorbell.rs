//! Wakes the receiver of a cable that rests, by an eventfd that is rung once a rest and never else.
//!
//! Sender: publish, fence, look at the flag. Receiver: set the flag, fence, look for frames. Of the two
//! fences (both sequentially consistent) one is first, so at least one side sees what the other wrote: a
//! frame is found before the rest or rings during it. Must never be rung for a receiver that is awake.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};

/// A doorbell of one receiver and one sender.
#[derive(Default)]
pub(super) struct Doorbell {
    resting: AtomicBool,
    /// Made at the first rest; `None` where the process may open no more descriptors.
    event: OnceLock<Option<OwnedFd>>,
}

impl Doorbell {
    /// Receiver: the next frame shall ring. What was published before is to be looked for after this
    /// call. False: there is no descriptor to wait for.
    pub(super) fn arm(&self) -> bool {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let made = self.event.get_or_init(|| eventfd(0, flags).ok()).is_some();
        if made {
            self.resting.store(true, Ordering::Release);
            fence(Ordering::SeqCst);
        }
        made
    }

    /// What becomes readable when it rings.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.event.get()?.as_ref().map(AsFd::as_fd)
    }

    /// Receiver: no frame shall ring any more; takes back a ring that came. One still under way ends the
    /// next rest early, and harms nothing.
    pub(super) fn disarm(&self) {
        self.resting.store(false, Ordering::Relaxed);
        if let Some(Some(event)) = self.event.get() {
            // "Would block" says that nobody rang.
            let _ = read(event, &mut [0u8; 8][..]);
        }
    }

    /// Sender: frames were published.
    #[inline]
    pub(super) fn published(&self) {
        fence(Ordering::SeqCst);
        if self.resting.load(Ordering::Relaxed) {
            self.ring();
        }
    }

    #[cold]
    fn ring(&self) {
        if self.resting.swap(false, Ordering::Acquire)
            && let Some(Some(event)) = self.event.get()
        {
            // The count stays far below where a write would block: once a rest.
            let _ = write(event, &1u64.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rings_once_a_rest_and_only_then() {
        let bell = Doorbell::default();
        let count = |bell: &Doorbell| {
            let mut count = [0u8; 8];
            let event = bell.descriptor().expect("armed");
            read(event, &mut count[..])
                .ok()
                .map(|_| u64::from_ne_bytes(count))
        };
        bell.published();
        assert!(bell.arm());
        assert_eq!(count(&bell), None);
        bell.published();
        bell.published();
        assert_eq!(count(&bell), Some(1));
        assert!(bell.arm());
        bell.published();
        bell.disarm();
        bell.published();
        assert_eq!(count(&bell), None);
    }
}

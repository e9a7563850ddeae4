//! Interrupts and kicks on the device's side (VIRTIO 1.2, 2.7.7 and 2.7.10).
//!
//! A wake-up is a level here, not a moment: [`wants_interrupt`](Ring::wants_interrupt) may be
//! asked as often as one likes and stays true until `signalled`, so the host can hold a wake-up
//! back. Because it is asked again every round, no memory fence is needed between publishing and
//! asking: a wish that was missed is seen the next time. Must never forget a wish of a driver that
//! went to sleep, and never raise an interrupt itself.

use core::sync::atomic::Ordering::{Relaxed, SeqCst};
use core::sync::atomic::fence;

use super::ring::Ring;
use crate::index::Index;
use crate::layout::{AVAIL_F_NO_INTERRUPT, USED_F_NO_NOTIFY, never, passed, renew_after};

impl Ring {
    /// Keeps `settled` within the queue size of `published`, where `new` entries were just shown.
    ///
    /// A driver asleep has taken all that it was shown before it armed, so its event lies no
    /// further back than the entries it has not taken, at most the queue size. What is older may
    /// be settled without looking, and the distance never wraps.
    #[inline]
    pub(super) fn after_publish(&mut self, new: u16) {
        let behind = u32::from(self.published.since(self.settled).wrapping_sub(new));
        if behind + u32::from(new) > u32::from(self.size()) {
            self.settled = Index::new(self.published.get().wrapping_sub(self.size()));
        }
        if !self.event_idx {
            // The flag says nothing about how far the driver has come. One that has it set now
            // will look at `used.idx` again before it sleeps, and with the fence it will see this.
            fence(SeqCst);
            if !self.flag_armed() {
                self.settled = self.published;
            }
        }
    }

    #[inline]
    fn flag_armed(&self) -> bool {
        u16::from_le(self.words.avail_flags.at(0).load(Relaxed)) & AVAIL_F_NO_INTERRUPT == 0
    }

    #[inline]
    fn event(&self) -> u16 {
        u16::from_le(self.words.used_event.at(0).load(Relaxed))
    }

    #[inline]
    pub(super) fn wants_interrupt(&self) -> bool {
        if self.event_idx {
            passed(self.event(), self.published.get(), self.settled.get())
        } else {
            self.published != self.settled && self.flag_armed()
        }
    }

    pub(super) fn signalled(&mut self) {
        self.settled = self.published;
    }

    #[inline]
    pub(super) fn driver_idle(&self) -> bool {
        if self.event_idx {
            // Armed for an entry still to come, or passed already.
            self.event().wrapping_sub(self.published.get()) < self.size() || self.wants_interrupt()
        } else {
            self.flag_armed()
        }
    }

    /// Asks the driver for a kick at its next entry, or for none. Returns whether entries wait.
    pub(super) fn ask_kick(&mut self, on: bool) -> bool {
        if self.event_idx {
            let next = self.next_avail();
            let event = if on { next } else { never(next, self.size()) };
            self.words.avail_event.at(0).store(event.to_le(), Relaxed);
            self.words.used_flags.at(0).store(0, Relaxed);
            self.event_written = next;
        } else {
            let flags = if on { 0 } else { USED_F_NO_NOTIFY };
            self.words.used_flags.at(0).store(flags.to_le(), Relaxed);
        }
        if on {
            // The wish is visible before the driver's index is read: either the driver sees the
            // wish, or its entries are seen here.
            fence(SeqCst);
        }
        self.pending()
    }

    /// Moves the event away in time, before the driver's index comes around to it.
    #[inline]
    pub(super) fn renew_kick(&mut self) {
        let moved = self.next_avail().wrapping_sub(self.event_written);
        if self.event_idx && moved > renew_after(self.size()) {
            self.ask_kick(false);
        }
    }
}

/// The same five methods on both device queues, which hold the ring as `self.ring`.
macro_rules! notification_methods {
    ($queue:ty) => {
        impl $queue {
            /// Whether the driver waits for an interrupt that something published since the last
            /// [`signalled`](Self::signalled) has earned it (EVENT_IDX, 2.7.10, or flags, 2.7.7).
            ///
            /// Stays true until `signalled`, so the wake-up may be held back; or until the driver
            /// has evidently gone on without it, by posting again what was used after its event.
            /// Ask every round, not only after a publish: the driver may arm at any time. Costs
            /// one load.
            #[inline]
            pub fn wants_interrupt(&self) -> bool {
                self.ring.wants_interrupt()
            }

            /// The interrupt was raised for all that is published. Call it before raising.
            #[inline]
            pub fn signalled(&mut self) {
                self.ring.signalled();
            }

            /// Whether the driver is not running on this queue: it has armed for an entry that is
            /// still to come, or [`wants_interrupt`](Self::wants_interrupt).
            ///
            /// The driver's own word, for scheduling only. A driver that leaves an old event
            /// standing while it polls (Linux does) looks idle for up to the queue size of every
            /// 65536 entries.
            #[inline]
            pub fn driver_idle(&self) -> bool {
                self.ring.driver_idle()
            }

            /// Asks the driver for a kick when it makes the next entry available, or for none
            /// (the state of a new queue). Returns whether entries wait already: then there may
            /// be no kick for them, look again.
            ///
            /// With EVENT_IDX a wish holds for one kick: ask again before each sleep. And look at
            /// [`wants_interrupt`](Self::wants_interrupt) once more after asking: both sides
            /// asleep is nobody's turn.
            pub fn ask_kick(&mut self, on: bool) -> bool {
                self.ring.ask_kick(on)
            }

            /// Whether the driver has made entries available that were not taken yet.
            #[inline]
            pub fn pending(&self) -> bool {
                self.ring.pending()
            }
        }
    };
}
pub(super) use notification_methods;

//! What guests say unasked, and that they come and go, for whoever listens.
//!
//! Must never make the supervisor wait: a listener that does not read loses events, which are counted, and never learns
//! less than whether the guest runs now.

use std::collections::VecDeque;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Events that wait for a listener.
const EVENTS: usize = 256;

/// What a listener hears of a guest, in the order in which it happened.
#[derive(Debug, Clone, PartialEq)]
pub enum GuestNotice {
    /// Its function says something, in a form of its own: a claim.
    Event(Value),
    /// It runs and can be asked; said at once to who begins to listen while it does.
    Running,
    /// It runs no more: it failed, was stopped, or is replaced. What comes up next knows nothing.
    Down,
}

/// The ear of one who listens to a guest.
#[derive(Debug)]
pub struct Listener(Arc<Waiting>);

impl Listener {
    /// The next notice, within `patience`.
    ///
    /// # Errors
    ///
    /// There was none, or it was woken; or the supervisor has ended, and all was heard.
    pub fn next(&self, patience: Duration) -> Result<GuestNotice, RecvTimeoutError> {
        let until = Instant::now().checked_add(patience);
        let mut notices = self.0.notices();
        loop {
            if let Some(notice) = notices.pop() {
                return Ok(notice);
            }
            if notices.ended {
                return Err(RecvTimeoutError::Disconnected);
            }
            let left = until.map_or(Duration::MAX, |until| {
                until.saturating_duration_since(Instant::now())
            });
            if std::mem::take(&mut notices.woken) || left.is_zero() {
                return Err(RecvTimeoutError::Timeout);
            }
            let waited = self.0.changed.wait_timeout(notices, left);
            notices = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What wakes who waits for a notice.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(Arc::downgrade(&self.0))
    }

    /// Events that were lost because too many waited.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.0.notices().missed
    }
}

/// Wakes who waits for a notice, or will wait next, as if time were up.
#[derive(Debug)]
pub struct Waker(Weak<Waiting>);

impl Waker {
    /// See there.
    pub fn wake(&self) {
        if let Some(waiting) = self.0.upgrade() {
            waiting.notices().woken = true;
            waiting.changed.notify_all();
        }
    }
}

#[derive(Debug, Default)]
struct Waiting {
    notices: Mutex<Notices>,
    changed: Condvar,
}

impl Waiting {
    fn notices(&self) -> MutexGuard<'_, Notices> {
        // Never left half changed.
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Notices {
    queue: VecDeque<GuestNotice>,
    /// Events in the queue.
    events: usize,
    missed: u64,
    woken: bool,
    ended: bool,
}

impl Notices {
    fn pop(&mut self) -> Option<GuestNotice> {
        let notice = self.queue.pop_front();
        if let Some(GuestNotice::Event(_)) = notice {
            self.events -= 1;
        }
        notice
    }

    /// Never more than two notices between events that are not: what came and went unnoticed is as if it never was.
    fn push(&mut self, notice: GuestNotice) {
        use GuestNotice::{Down, Event, Running};
        let mut latest = self.queue.iter().rev();
        match (&notice, latest.next(), latest.next()) {
            (Event(_), ..) if self.events >= EVENTS => self.missed += 1,
            (Event(_), ..) => {
                self.events += 1;
                self.queue.push_back(notice);
            }
            (Running, Some(Running), _) | (Down, Some(Down), _) => {}
            (Down, Some(Running), Some(Down)) => {
                self.queue.pop_back();
            }
            (Running | Down, ..) => self.queue.push_back(notice),
        }
    }
}

/// The supervisor's end of all who listen to one guest.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    all: Vec<Speaker>,
    runs: bool,
}

/// The supervisor's end of a listener.
#[derive(Debug)]
pub(crate) struct Speaker(Weak<Waiting>);

/// A listener and what is said to it.
pub(crate) fn listener() -> (Listener, Speaker) {
    let waiting = Arc::new(Waiting::default());
    let speaker = Speaker(Arc::downgrade(&waiting));
    (Listener(waiting), speaker)
}

impl Speaker {
    /// False: nobody listens any more.
    fn say(&self, notice: GuestNotice) -> bool {
        self.with(|notices| notices.push(notice))
    }

    fn with(&self, change: impl FnOnce(&mut Notices)) -> bool {
        let Some(waiting) = self.0.upgrade() else {
            return false;
        };
        change(&mut waiting.notices());
        waiting.changed.notify_all();
        true
    }
}

/// The supervisor is gone.
impl Drop for Speaker {
    fn drop(&mut self) {
        self.with(|notices| notices.ended = true);
    }
}

impl Listeners {
    pub(crate) fn add(&mut self, speaker: Speaker) {
        if self.runs {
            speaker.say(GuestNotice::Running);
        }
        self.all.push(speaker);
    }

    pub(crate) fn event(&mut self, event: Value) {
        // The one that is there mostly gets it without a copy.
        let Some((last, others)) = self.all.split_last() else {
            return;
        };
        for speaker in others {
            speaker.say(GuestNotice::Event(event.clone()));
        }
        if !last.say(GuestNotice::Event(event)) {
            self.forget();
        }
    }

    pub(crate) fn runs(&mut self) {
        self.runs = true;
        self.say(&GuestNotice::Running);
    }

    /// Also of one that does not run: says nothing then.
    pub(crate) fn down(&mut self) {
        if std::mem::take(&mut self.runs) {
            self.say(&GuestNotice::Down);
        }
    }

    fn say(&mut self, notice: &GuestNotice) {
        self.all.retain(|speaker| speaker.say(notice.clone()));
    }

    fn forget(&mut self) {
        self.all.retain(|speaker| speaker.0.strong_count() > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    fn heard(listener: &Listener) -> Vec<GuestNotice> {
        std::iter::from_fn(|| listener.next(NOW).ok()).collect()
    }

    fn event(number: usize) -> GuestNotice {
        GuestNotice::Event(number.into())
    }

    #[test]
    fn notices_come_in_their_order() {
        let (mut listeners, (listener, speaker)) = (Listeners::default(), listener());
        listeners.add(speaker);
        listeners.down();
        listeners.event(0.into());
        listeners.runs();
        listeners.event(1.into());
        listeners.down();
        listeners.down();
        use GuestNotice::{Down, Running};
        assert_eq!(heard(&listener), [event(0), Running, event(1), Down]);
        assert_eq!(listener.next(NOW), Err(RecvTimeoutError::Timeout));
        listeners.runs();
        let (late, speaker) = self::listener();
        listeners.add(speaker);
        assert_eq!(heard(&late), [Running]);
        assert_eq!(heard(&listener), [Running]);
        drop(listeners);
        assert_eq!(listener.next(NOW), Err(RecvTimeoutError::Disconnected));
    }

    #[test]
    fn who_does_not_read_loses_events_and_nothing_else() {
        let (mut listeners, (listener, speaker)) = (Listeners::default(), listener());
        listeners.add(speaker);
        for number in 0..EVENTS + 3 {
            listeners.event(number.into());
        }
        for _ in 0..100_000 {
            listeners.runs();
            listeners.event(0.into());
            listeners.down();
        }
        assert_eq!(listener.missed(), 100_003);
        assert!(listener.0.notices().queue.len() <= EVENTS + 2);
        let notices = heard(&listener);
        assert_eq!(
            notices[..EVENTS],
            (0..EVENTS).map(event).collect::<Vec<_>>()
        );
        assert_eq!(notices.last(), Some(&GuestNotice::Down));
    }

    #[test]
    fn who_waits_is_woken_once_and_hears_what_there_is_first() {
        let (mut listeners, (listener, speaker)) = (Listeners::default(), listener());
        listeners.add(speaker);
        let waker = listener.waker();
        waker.wake();
        waker.wake();
        listeners.event(0.into());
        assert_eq!(listener.next(Duration::from_secs(20)), Ok(event(0)));
        let woken = listener.next(Duration::from_secs(20));
        assert_eq!(woken, Err(RecvTimeoutError::Timeout));
        assert!(!listener.0.notices().woken);
    }

    #[test]
    fn one_that_is_gone_is_forgotten() {
        let (mut listeners, (listener, speaker)) = (Listeners::default(), listener());
        listeners.add(speaker);
        drop(listener);
        listeners.event(0.into());
        assert!(listeners.all.is_empty());
    }
}

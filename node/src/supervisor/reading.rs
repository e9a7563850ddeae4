//! Readings of what guests do with their time, on demand: all guests are asked at once, whoever wants to know
//! waits until all have answered or time is up.
//!
//! Pure: told what happened and when. A reading is always begun behind the wish for it, so what it says is not
//! older. Whoever asks often is made to wait, as guests have better things to do; and a guest that hangs holds
//! up a reading for [`PATIENCE_NS`], never the node.

use std::sync::mpsc::SyncSender;

/// A guest that has not answered by now is left out, nanoseconds. Guests share a core with whatever else a small
/// machine does.
pub const PATIENCE_NS: u64 = 100_000_000;
/// From the beginning of one reading to that of the next at least, nanoseconds.
pub const APART_NS: u64 = 5_000_000;
/// Numbers from here on are of readings: to the life of a guest an answer to them means nothing.
const FIRST: u64 = 1 << 63;

/// Who waits for what.
#[derive(Debug, Default)]
pub struct Readings {
    begun: u64,
    began_ns: Option<u64>,
    /// The reading under way: by slot, whether the guest owes an answer; and who waits.
    under_way: Option<(Vec<bool>, Vec<SyncSender<()>>)>,
    /// Those whose wish came when a reading was under way.
    next: Vec<SyncSender<()>>,
}

impl Readings {
    /// `done` is told, or dropped, when a reading that begins now or later has ended.
    pub fn wish(&mut self, done: SyncSender<()>) {
        self.next.push(done);
    }

    /// Whether anybody waits for anything.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.under_way.is_some() || !self.next.is_empty()
    }

    /// If a reading is to begin now, the number to ping guests with; then say [who](Self::asked) that was.
    pub fn begin(&mut self, now_ns: u64) -> Option<u64> {
        let rested = |began_ns: u64| now_ns.saturating_sub(began_ns) >= APART_NS;
        if self.under_way.is_some() || self.next.is_empty() || !self.began_ns.is_none_or(rested) {
            return None;
        }
        self.began_ns = Some(now_ns);
        self.begun += 1;
        Some(FIRST | self.begun)
    }

    /// These were asked, by slot.
    pub fn asked(&mut self, whom: Vec<bool>) {
        self.under_way = Some((whom, std::mem::take(&mut self.next)));
    }

    /// The guest in `slot` answered this number.
    pub fn answered(&mut self, slot: usize, number: u64) {
        if let Some((owes, _)) = &mut self.under_way
            && number == FIRST | self.begun
            && let Some(owes) = owes.get_mut(slot)
        {
            *owes = false;
        }
    }

    /// Ends the reading that is under way if all have answered or time is up. `is_up` says who can still answer.
    pub fn end(&mut self, now_ns: u64, is_up: impl Fn(usize) -> bool) {
        let late = now_ns.saturating_sub(self.began_ns.unwrap_or(0)) >= PATIENCE_NS;
        let owed = |owes: &[bool]| (0..).zip(owes).any(|(slot, owes)| *owes && is_up(slot));
        if let Some((_, askers)) = self.under_way.take_if(|(owes, _)| late || !owed(owes)) {
            // Whoever asked may have gone.
            for asker in askers {
                let _ = asker.try_send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, sync_channel};

    fn wish(readings: &mut Readings) -> Receiver<()> {
        let (done, wait) = sync_channel(1);
        readings.wish(done);
        wait
    }

    #[test]
    fn ends_when_all_have_answered() {
        let mut readings = Readings::default();
        assert_eq!(readings.begin(0), None);
        let done = wish(&mut readings);
        let number = readings.begin(0).unwrap();
        readings.asked(vec![true, false, true]);
        readings.answered(0, number);
        readings.answered(2, 7);
        readings.answered(9, number);
        readings.end(1, |_| true);
        assert!(done.try_recv().is_err());
        readings.answered(2, number);
        readings.end(2, |_| true);
        assert_eq!(done.try_recv(), Ok(()));
        assert!(!readings.is_wanted());
    }

    #[test]
    fn waits_neither_for_the_dead_nor_for_ever() {
        let mut readings = Readings::default();
        let done = wish(&mut readings);
        readings.begin(0).unwrap();
        readings.asked(vec![true]);
        readings.end(1, |_| false);
        assert_eq!(done.try_recv(), Ok(()));
        let done = wish(&mut readings);
        let began = APART_NS;
        readings.begin(began).unwrap();
        readings.asked(vec![true]);
        readings.end(began + PATIENCE_NS - 1, |_| true);
        assert!(done.try_recv().is_err());
        readings.end(began + PATIENCE_NS, |_| true);
        assert_eq!(done.try_recv(), Ok(()));
    }

    #[test]
    fn a_wish_gets_a_reading_that_begins_behind_it() {
        let mut readings = Readings::default();
        let first = wish(&mut readings);
        let number = readings.begin(0).unwrap();
        readings.asked(vec![true]);
        let second = wish(&mut readings);
        assert_eq!(readings.begin(APART_NS), None, "one at a time");
        readings.answered(0, number);
        readings.end(APART_NS, |_| true);
        assert_eq!(
            (first.try_recv().is_ok(), second.try_recv().is_ok()),
            (true, false)
        );
        let next = readings.begin(APART_NS).unwrap();
        assert!(next > number);
        readings.asked(vec![true]);
        readings.answered(0, number);
        readings.end(APART_NS, |_| true);
        assert!(
            second.try_recv().is_err(),
            "an answer to an earlier question is none"
        );
        readings.answered(0, next);
        readings.end(APART_NS, |_| true);
        assert_eq!(second.try_recv(), Ok(()));
    }

    #[test]
    fn whoever_asks_often_waits() {
        let mut readings = Readings::default();
        let began = (0..100_000_000).step_by(10_000).filter(|&now_ns| {
            drop(wish(&mut readings));
            let begins = readings.begin(now_ns).is_some();
            if begins {
                readings.asked(vec![false]);
                readings.end(now_ns, |_| true);
            }
            begins
        });
        assert_eq!(began.count() as u64, 100_000_000 / APART_NS);
    }
}

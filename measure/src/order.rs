//! Which frames of a stream are missing, late or there twice (RFC 4737 3: reordered against the next
//! expected; RFC 5560: duplicates), with a bounded memory.
//!
//! Numbers count from 0 and are a claim: whatever comes, work a frame is bounded. At any time
//! `arrived + missing` is the highest number seen plus one, exactly.

/// Numbers behind the highest for which it is remembered whether they arrived.
pub const WINDOW: u64 = 32_768;

const WORD: u64 = u64::BITS as u64;

/// What a sequence number tells about its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The next expected, or one after it.
    InOrder,
    /// A later one was here before.
    Reordered,
    /// It was here before.
    Duplicate,
    /// So far behind that it is not known whether it was here before. Changes no other count.
    TooLate,
}

/// The numbers of one stream that arrived.
#[derive(Debug, Clone)]
pub struct Order {
    next: u64,
    missing: u64,
    seen: Box<[u64]>,
}

impl Default for Order {
    fn default() -> Self {
        Self {
            next: 0,
            missing: 0,
            seen: vec![0; (WINDOW / WORD) as usize].into_boxed_slice(),
        }
    }
}

impl Order {
    /// Highest number seen plus one.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Numbers below [`next`](Self::next) that did not arrive.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Frame `number` (below 2^63) is here.
    #[inline]
    pub fn arrive(&mut self, number: u64) -> Arrival {
        if number >= self.next {
            let gap = number - self.next;
            if gap > 0 {
                self.forget(gap);
            }
            self.next = number + 1;
            self.mark(number);
            return Arrival::InOrder;
        }
        if self.next - number > WINDOW {
            return Arrival::TooLate;
        }
        if self.mark(number) {
            return Arrival::Duplicate;
        }
        self.missing -= 1;
        Arrival::Reordered
    }

    /// Marks `number` as here and says whether it was.
    #[inline]
    fn mark(&mut self, number: u64) -> bool {
        let (word, bit) = place(number);
        let was = self.seen[word] & bit != 0;
        self.seen[word] |= bit;
        was
    }

    /// The next `gap` numbers are missing; their places in the window still tell of those a window before.
    #[cold]
    fn forget(&mut self, gap: u64) {
        self.missing += gap;
        if gap >= WINDOW {
            self.seen.fill(0);
            return;
        }
        let (mut at, end) = (self.next, self.next + gap);
        while at < end {
            let (word, bit) = place(at);
            if at.is_multiple_of(WORD) && at + WORD <= end {
                self.seen[word] = 0;
                at += WORD;
            } else {
                self.seen[word] &= !bit;
                at += 1;
            }
        }
    }
}

#[inline]
fn place(number: u64) -> (usize, u64) {
    ((number % WINDOW / WORD) as usize, 1 << (number % WORD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_window_later_a_place_is_used_again() {
        let mut o = Order::default();
        for n in 0..3 * WINDOW {
            assert_eq!(o.arrive(n), Arrival::InOrder);
        }
        assert_eq!(o.arrive(2 * WINDOW), Arrival::Duplicate);
        assert_eq!(o.arrive(2 * WINDOW - 1), Arrival::TooLate);
        assert_eq!(o.missing(), 0);
    }

    #[test]
    fn a_jump_forgets_what_it_passed() {
        let mut o = Order::default();
        for n in 0..100 {
            assert_eq!(o.arrive(n), Arrival::InOrder);
        }
        assert_eq!(o.arrive(WINDOW + 200), Arrival::InOrder);
        assert_eq!(o.missing(), WINDOW + 100);
        assert_eq!(o.arrive(WINDOW + 50), Arrival::Reordered);
        assert_eq!(o.arrive(WINDOW + 50), Arrival::Duplicate);
        assert_eq!(o.arrive(1 << 62), Arrival::InOrder);
    }

    proptest! {
        /// Against a set that remembers everything.
        #[test]
        fn agrees_with_a_full_memory(
            steps in proptest::collection::vec((-40_000i64..40_000).prop_flat_map(|far| {
                prop_oneof![8 => Just(0i64), 4 => -100i64..100, 1 => Just(far)]
            }), 1..400)
        ) {
            let (mut order, mut all) = (Order::default(), BTreeSet::new());
            for step in steps {
                let number = order.next().saturating_add_signed(step);
                let next = all.last().map_or(0, |n| n + 1);
                let expected = match number {
                    n if n >= next => Arrival::InOrder,
                    n if next - n > WINDOW => Arrival::TooLate,
                    n if all.contains(&n) => Arrival::Duplicate,
                    _ => Arrival::Reordered,
                };
                prop_assert_eq!(order.arrive(number), expected);
                if expected != Arrival::TooLate {
                    all.insert(number);
                }
                prop_assert_eq!(all.len() as u64 + order.missing(), order.next());
            }
        }
    }
}

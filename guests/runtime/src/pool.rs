//! Buffers of a lane that are nowhere else, first in first out: all come around, and in the order of memory.
//!
//! Must never hold more than it was made with: a token is in one place at a time.

use alloc::boxed::Box;

/// Tokens of buffers.
#[derive(Debug)]
pub(crate) struct Pool {
    /// A power of two of places.
    tokens: Box<[u32]>,
    first: usize,
    count: usize,
}

impl Pool {
    /// With `tokens`, and room for no more.
    pub(crate) fn new(tokens: impl Iterator<Item = u32>) -> Self {
        let mut all: alloc::vec::Vec<u32> = tokens.collect();
        let count = all.len();
        all.resize(count.next_power_of_two(), 0);
        Pool {
            tokens: all.into(),
            first: 0,
            count,
        }
    }

    /// Tokens in it.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    #[inline(always)]
    fn at(&self, place: usize) -> usize {
        place & self.tokens.len().wrapping_sub(1)
    }

    /// Puts a token behind the others.
    #[inline(always)]
    pub(crate) fn put(&mut self, token: u32) {
        let at = self.at(self.first.wrapping_add(self.count));
        if let Some(place) = self.tokens.get_mut(at) {
            *place = token;
            self.count = self.count.wrapping_add(1);
        }
    }

    /// Takes the first token.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<u32> {
        if self.count == 0 {
            return None;
        }
        let token = self.tokens.get(self.at(self.first)).copied()?;
        self.first = self.first.wrapping_add(1);
        self.count -= 1;
        Some(token)
    }

    /// Takes the first `count` tokens, or all if there are fewer: they are gone, read or not.
    #[inline(always)]
    pub(crate) fn take_all(&mut self, count: usize) -> impl Iterator<Item = u32> + use<'_> {
        let count = count.min(self.count);
        let first = self.first;
        self.first = first.wrapping_add(count);
        self.count -= count;
        let pool = &*self;
        (0..count).filter_map(move |ahead| {
            let at = pool.at(first.wrapping_add(ahead));
            pool.tokens.get(at).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn first_in_is_first_out_lap_after_lap() {
        let mut pool = Pool::new(0..5);
        for lap in 0..100 {
            let taken: Vec<u32> = pool.take_all(3).collect();
            assert_eq!(taken.len(), 3);
            assert_eq!((taken[0], pool.len()), (lap * 3 % 5, 2));
            taken.into_iter().for_each(|token| pool.put(token));
        }
        let all: Vec<u32> = core::iter::from_fn(|| pool.take()).collect();
        assert_eq!((all, pool.len()), (Vec::from([0, 1, 2, 3, 4]), 0));
    }

    #[test]
    fn no_more_are_taken_than_there_are() {
        let mut pool = Pool::new(7..9);
        assert_eq!(pool.take_all(9).collect::<Vec<_>>(), [7, 8]);
        assert_eq!((pool.take(), pool.take_all(1).count()), (None, 0));
    }
}

//! What has come of the neighbour's messages, and what of it has to wait for others.
//!
//! Must not keep more than a window of messages.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::pdu::WINDOW;

/// Messages of one session on their way in.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    /// N(R): the next one to deliver.
    expected: u32,
    /// Those behind it that have come: N(R) + 1 first.
    beyond: VecDeque<Option<Vec<u8>>>,
}

impl Receiving {
    /// SD `number` has come: delivers what is complete up to it, in order. What is there already and what is
    /// outside of the window is dropped.
    pub(super) fn hears(&mut self, number: u32, payload: &[u8], mut deliver: impl FnMut(Vec<u8>)) {
        let offset = number.wrapping_sub(self.expected) as usize;
        let Some(index) = offset.checked_sub(1) else {
            deliver(payload.to_vec());
            self.expected = self.expected.wrapping_add(1);
            while let Some(Some(payload)) = self.beyond.pop_front() {
                deliver(payload);
                self.expected = self.expected.wrapping_add(1);
            }
            return;
        };
        if offset >= WINDOW {
            return;
        }
        if self.beyond.len() <= index {
            self.beyond.resize(index + 1, None);
        }
        if let Some(place) = self.beyond.get_mut(index) {
            place.get_or_insert_with(|| payload.to_vec());
        }
    }

    /// N(R), and which behind it have come, as STAT says it.
    pub(super) fn stat(&self) -> (u32, u64) {
        let beyond = self
            .beyond
            .iter()
            .take(64)
            .enumerate()
            .filter(|(_, place)| place.is_some())
            .fold(0, |bits, (index, _)| bits | 1 << index);
        (self.expected, beyond)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn hears(receiving: &mut Receiving, number: u32) -> Vec<u8> {
        let mut delivered = Vec::new();
        receiving.hears(number, &[number as u8], |payload| delivered.extend(payload));
        delivered
    }

    #[test]
    fn in_order_and_once() {
        let mut receiving = Receiving::default();
        assert_eq!(hears(&mut receiving, 2), Vec::<u8>::new());
        assert_eq!(receiving.stat(), (0, 0b10));
        assert_eq!(hears(&mut receiving, 0), vec![0]);
        assert_eq!(receiving.stat(), (1, 0b1));
        assert_eq!(hears(&mut receiving, 0), Vec::<u8>::new());
        assert_eq!(hears(&mut receiving, 1), vec![1, 2]);
        assert_eq!(receiving.stat(), (3, 0));
        assert_eq!(hears(&mut receiving, 2), Vec::<u8>::new());
    }

    #[test]
    fn no_more_than_a_window() {
        let mut receiving = Receiving {
            expected: u32::MAX,
            ..Receiving::default()
        };
        assert_eq!(hears(&mut receiving, 63), Vec::<u8>::new());
        assert_eq!(receiving.stat(), (u32::MAX, 0));
        assert_eq!(hears(&mut receiving, 62), Vec::<u8>::new());
        assert_eq!(receiving.stat(), (u32::MAX, 1 << 62));
        assert_eq!(hears(&mut receiving, u32::MAX), vec![0xff]);
        assert_eq!(receiving.stat(), (0, 1 << 61));
    }
}

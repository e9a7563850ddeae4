//! Own messages on their way: waiting, sent and not acknowledged, to be sent again.
//!
//! Must not keep more than its limit, nor forget a message that is not acknowledged.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::pdu::WINDOW;

/// Doublings of the wait for an acknowledgement.
const MOST_DOUBLINGS: u32 = 4;

/// Messages of one session on their way out.
#[derive(Debug)]
pub(super) struct Sending {
    waiting: VecDeque<Vec<u8>>,
    most_waiting: usize,
    /// Sent, the oldest that is not acknowledged first: WINDOW at most.
    sent: VecDeque<Sent>,
    /// N(S) of the first of `sent`.
    base: u32,
    /// Transmissions so far: what was sent before something that came, and did not come itself, is lost.
    transmissions: u64,
    /// Of them, those of what had been sent before.
    repetitions: u64,
    retransmit_ns: u64,
}

#[derive(Debug)]
struct Sent {
    payload: Vec<u8>,
    transmission: u64,
    repeated: u32,
    due_ns: u64,
    acknowledged: bool,
}

impl Sending {
    pub(super) fn new(most_waiting: usize, retransmit_ns: u64) -> Self {
        Self {
            waiting: VecDeque::new(),
            most_waiting,
            sent: VecDeque::new(),
            base: 0,
            transmissions: 0,
            repetitions: 0,
            retransmit_ns,
        }
    }

    /// Takes a message; gives it back if too many wait.
    pub(super) fn push(&mut self, payload: Vec<u8>) -> Result<(), Vec<u8>> {
        if self.waiting.len() >= self.most_waiting {
            return Err(payload);
        }
        self.waiting.push_back(payload);
        Ok(())
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn repetitions(&self) -> u64 {
        self.repetitions
    }

    /// The next SD to send: one whose acknowledgement is late, or a new one if the window has room.
    pub(super) fn next(&mut self, now_ns: u64) -> Option<(u32, &[u8])> {
        let late = self
            .sent
            .iter()
            .position(|sent| !sent.acknowledged && sent.due_ns <= now_ns);
        let index = match late {
            Some(index) => {
                self.repetitions += 1;
                index
            }
            None if self.sent.len() < WINDOW => {
                self.sent.push_back(Sent {
                    payload: self.waiting.pop_front()?,
                    transmission: 0,
                    repeated: 0,
                    due_ns: 0,
                    acknowledged: false,
                });
                self.sent.len() - 1
            }
            None => return None,
        };
        let sent = self.sent.get_mut(index)?;
        self.transmissions += 1;
        sent.transmission = self.transmissions;
        sent.due_ns = now_ns.saturating_add(
            self.retransmit_ns
                .saturating_mul(1 << sent.repeated.min(MOST_DOUBLINGS)),
        );
        sent.repeated = sent.repeated.saturating_add(1);
        // Below WINDOW.
        Some((self.base.wrapping_add(index as u32), &sent.payload))
    }

    /// STAT came. One that speaks of what was never sent, or is older than another, says nothing.
    pub(super) fn hears(&mut self, expected: u32, beyond: u64) {
        let before = expected.wrapping_sub(self.base) as usize;
        if before > self.sent.len() {
            return;
        }
        let mut latest = 0;
        for sent in self.sent.drain(..before) {
            latest = latest.max(sent.transmission);
        }
        self.base = expected;
        // Bit 0 is the one behind N(R).
        for (index, sent) in self.sent.iter_mut().skip(1).take(64).enumerate() {
            if beyond & 1 << index != 0 {
                sent.acknowledged = true;
                latest = latest.max(sent.transmission);
            }
        }
        for sent in &mut self.sent {
            if !sent.acknowledged && sent.transmission < latest {
                sent.due_ns = 0;
            }
        }
    }

    /// When something is to be sent, if ever.
    pub(super) fn due_ns(&self) -> Option<u64> {
        if !self.waiting.is_empty() && self.sent.len() < WINDOW {
            return Some(0);
        }
        self.sent
            .iter()
            .filter(|sent| !sent.acknowledged)
            .map(|sent| sent.due_ns)
            .min()
    }
}

#[cfg(test)]
#[path = "sending_tests.rs"]
mod tests;

//! How many packets there were of each per-hop behaviour: passed, and dropped by policers.
//!
//! Packets of a burst are mostly of one class, and adding to one number over and over waits for it each time: so a burst
//! is summed up in a small array first, packets and octets in one word, in turn in two of them.

use super::phb::Phb;
use crate::control::view::{Count, CounterView};

const PHBS: usize = Phb::ALL.len();
/// Octets are below, packets above: 64 packets of 65,575 octets are far from 2^32.
const PACKET: u64 = 1 << 32;

/// Packets by per-hop behaviour.
#[derive(Debug, Clone, Default)]
pub struct ClassCounts {
    passed: [Count; PHBS],
    policed: [Count; PHBS],
}

/// Packets that passed in a burst of 64 at most.
#[derive(Debug, Default)]
pub struct BurstCounts {
    sums: [[u64; PHBS]; 2],
    turn: usize,
}

impl BurstCounts {
    /// One more packet goes on, with this traffic class.
    #[inline]
    pub fn add(&mut self, traffic_class: u8, octets: u16) {
        self.sums[self.turn & 1][Phb::of(traffic_class) as usize] += PACKET | u64::from(octets);
        self.turn ^= 1;
    }
}

impl ClassCounts {
    /// Adds what passed in a burst.
    #[inline]
    pub fn add(&mut self, burst: &BurstCounts) {
        let [even, odd] = &burst.sums;
        for ((count, even), odd) in self.passed.iter_mut().zip(even).zip(odd) {
            let sum = even + odd;
            count.packets += sum / PACKET;
            count.octets += sum % PACKET;
        }
    }

    /// Packets passed that came one behind the other with this traffic class.
    #[inline]
    pub fn pass(&mut self, traffic_class: u8, packets: Count) {
        self.passed[Phb::of(traffic_class) as usize].merge(packets);
    }

    /// One more packet was dropped by a policer.
    #[inline]
    pub fn police(&mut self, phb: Phb, octets: u16) {
        self.policed[phb as usize].add(octets);
    }

    /// All of them: `class.as.2` for what passed, `class.as.2.policed` for what was dropped.
    pub fn views(&self) -> impl Iterator<Item = CounterView> {
        let all = Phb::ALL.iter().zip(self.passed.iter().zip(&self.policed));
        all.flat_map(|(phb, (passed, policed))| {
            let view = |end: &str, count: &Count| CounterView {
                counter: ["class.", phb.name(), end].concat(),
                count: *count,
            };
            [view("", passed), view(".policed", policed)]
        })
    }
}

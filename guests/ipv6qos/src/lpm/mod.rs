//! Longest-prefix match of IPv6 addresses: 32 routing instances in one structure, nothing of one seen in another.
//!
//! A multibit trie. A node takes 4 or, where it is well filled, 8 bits of the address; the prefixes that end in it are
//! spread over its slots (allotment, after Knuth and Hariguchi), but never over the nodes below: what a change
//! costs depends on the nodes on its way alone, also above any number of longer prefixes. A look-up goes
//! down and keeps the last value seen. What is alone below a slot is reached by a jump. Why, and what it costs: docs/adr/0017.
//!
//! ```text
//! entry    value and reference in one word
//! pool     memory of nodes and jumps
//! update   insert, remove, exact
//! resize   nodes made large, and small again
//! shortcut past the first 32 bits
//! burst    look-ups of a burst, step by step
//! iter     prefixes in order
//! sample   tables like the Internet's, for tests and measurements
//! ```
//!
//! Must never fail a look-up, and never allocate in one.

mod burst;
mod entry;
mod iter;
mod pool;
mod resize;
#[cfg(feature = "sample")]
pub mod sample;
mod shortcut;
mod update;

pub use entry::VALUE_MAX;
pub use iter::Iter;

use entry::{Entry, Next};
use pool::{Jumps, Nodes};
use shortcut::Shortcuts;

use crate::vn::{VNS, Vn};

/// There is no memory for another prefix; nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no memory for another prefix; allowed: what fits the memory of the guest, or remove prefixes"
)]
pub struct OutOfMemory;

/// Most steps a look-up can take: a node or a jump for every four bits.
const STEPS: usize = 64;

/// Prefixes of 32 routing instances, each with a value.
#[derive(Debug)]
pub struct Lpm {
    /// The value is that of `::/0`.
    roots: [Entry; VNS],
    nodes: Nodes,
    jumps: Jumps,
    shortcuts: Shortcuts,
    len: usize,
}

impl Default for Lpm {
    fn default() -> Self {
        Self::new()
    }
}

impl Lpm {
    /// Without prefixes; allocates nothing.
    pub fn new() -> Self {
        Lpm {
            roots: [Entry::EMPTY; VNS],
            nodes: Nodes::default(),
            jumps: Jumps::default(),
            shortcuts: Shortcuts::default(),
            len: 0,
        }
    }

    /// Value of the longest prefix of `vn` that `address` is in; 0: there is none. For bursts see
    /// [`Lpm::lookup_burst`].
    pub fn lookup(&self, vn: Vn, address: u128) -> u32 {
        let mut entry = self.roots[vn.index()];
        let mut value = 0;
        for _ in 0..STEPS {
            if entry.value() != 0 {
                value = entry.value();
            }
            entry = match entry.next() {
                Next::Nothing => break,
                Next::Node(node) => self.nodes.fringe(node, node.slot(address)),
                Next::Jump(jump) => match self.jumps.at(jump) {
                    Some(jump) => jump.entry_for(address),
                    None => break,
                },
            };
        }
        value
    }

    /// Prefixes there are, of all routing instances.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Memory held on the heap, octets.
    pub fn octets(&self) -> usize {
        self.nodes.octets() + self.jumps.octets() + self.shortcuts.octets()
    }
}

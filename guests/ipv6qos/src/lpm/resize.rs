//! Nodes made large where most of what their slots lead to are nodes, and small again where it is not: half the steps of a
//! look-up, for at most twice the memory. Between the two there is room, so that a prefix that comes and goes does not
//! move a node each time.
//!
//! Must never be needed: without memory a node stays as it is, correct.

use super::Lpm;
use super::entry::{LARGE, Next, Node, SMALL};
use super::update::{Visit, lone, past, place};
use crate::prefix::Prefix;

/// Slots of a small node that lead to small nodes, for it to become a large one.
const GROW: usize = 6;
/// Small nodes that a large one would need below it, for it to stay one.
const SHRINK: usize = 3;
/// Slots of a small node.
const SLOTS: usize = 1 << SMALL;

impl Lpm {
    /// Makes a small node large if it is worth it.
    pub(super) fn grow(&mut self, visit: Visit) {
        let Visit { node, .. } = visit;
        if node.stride != SMALL || !node.depth.is_multiple_of(LARGE) {
            return;
        }
        let leads_to_node = |slot| matches!(self.nodes.fringe(node, slot).next(), Next::Node(_));
        if (0..SLOTS).filter(|slot| leads_to_node(*slot)).count() < GROW {
            return;
        }
        let Ok(large) = self.nodes.take(node.depth, LARGE) else {
            return;
        };
        for at in 2..2 * SLOTS {
            let (value, own) = self.nodes.value(node, at);
            if own {
                self.nodes.set_value(large, at, value, true);
            }
        }
        for slot in 0..SLOTS {
            match self.nodes.fringe(node, slot).next() {
                Next::Nothing => {}
                Next::Node(child) => self.take_in(large, slot, child),
                Next::Jump(index) => self.take_in_jump(large, index),
            }
        }
        self.nodes.spread(large, 1);
        self.nodes.give_back(node);
        self.replace(visit, large);
    }

    /// Moves all of a small node below `slot` of the small node that `large` was into `large`.
    fn take_in(&mut self, large: Node, slot: usize, child: Node) {
        for at in 2..2 * SLOTS {
            let (value, own) = self.nodes.value(child, at);
            if own {
                let length = at.ilog2();
                let at = (SLOTS | slot) << length | at & ((1 << length) - 1);
                self.nodes.set_value(large, at, value, true);
            }
        }
        for below in 0..SLOTS {
            let next = self.nodes.fringe(child, below).next();
            let to = slot << SMALL | below;
            let entry = self.nodes.fringe(large, to).with_next(next);
            self.nodes.set_fringe(large, to, entry);
        }
        self.nodes.give_back(child);
    }

    /// Moves what a jump leads to into a node that it now ends in or at, or keeps the jump.
    fn take_in_jump(&mut self, large: Node, index: u32) {
        let Some(&jump) = self.jumps.at(index) else {
            return;
        };
        let slot = large.slot(jump.bits);
        let entry = self.nodes.fringe(large, slot);
        match jump.entry.next() {
            Next::Node(child) if child.depth == large.end() => {
                let entry = entry.with_next(Next::Node(child));
                self.nodes.set_fringe(large, slot, entry);
                self.jumps.give_back(index);
            }
            Next::Nothing if jump.length <= large.end() => {
                let at = place(large, Prefix::of(jump.bits, jump.length));
                self.nodes.set_value(large, at, jump.entry.value(), true);
                self.jumps.give_back(index);
            }
            _ => {
                let entry = entry.with_next(Next::Jump(index));
                self.nodes.set_fringe(large, slot, entry);
            }
        }
    }

    /// Makes a large node on the way to `prefix` small if it is not worth it any more; gives what it became.
    pub(super) fn shrink(&mut self, prefix: Prefix, visit: Visit) -> Option<Visit> {
        let Visit { node: large, .. } = visit;
        if large.stride != LARGE {
            return None;
        }
        let crowded = |slot: &usize| self.things_below(large, *slot) > 1;
        if (0..SLOTS).filter(crowded).count() >= SHRINK {
            return None;
        }
        self.jumps.reserve(SLOTS).ok()?;
        self.nodes.reserve(SHRINK).ok()?;
        let small = self.nodes.take(large.depth, SMALL).ok()?;
        for at in 2..2 * SLOTS {
            let (value, own) = self.nodes.value(large, at);
            if own {
                self.nodes.set_value(small, at, value, true);
            }
        }
        for slot in 0..SLOTS {
            let next = match self.things_below(large, slot) {
                0 => Next::Nothing,
                1 => self.give_out_one(large, slot, prefix),
                _ => self.give_out(large, slot),
            };
            let entry = self.nodes.fringe(small, slot).with_next(next);
            self.nodes.set_fringe(small, slot, entry);
        }
        self.nodes.spread(small, 1);
        self.nodes.give_back(large);
        self.replace(visit, small);
        Some(Visit {
            node: small,
            ..visit
        })
    }

    /// Prefixes and references that a small node below `slot` of a small one would have.
    fn things_below(&self, large: Node, slot: usize) -> usize {
        let references = (slot << SMALL..(slot + 1) << SMALL)
            .filter(|slot| self.nodes.fringe(large, *slot).leads_on())
            .count();
        references + self.places_below(large, slot).count()
    }

    /// Places below `slot` of a small node where `large` has prefixes.
    fn places_below(&self, large: Node, slot: usize) -> impl Iterator<Item = usize> {
        (1..=SMALL)
            .flat_map(move |length| {
                let first = (SLOTS | slot) << length;
                first..first + (1 << length)
            })
            .filter(move |at| self.nodes.value(large, *at).1)
    }

    /// Moves the only thing below a slot to a jump. Takes one at most.
    fn give_out_one(&mut self, large: Node, slot: usize, prefix: Prefix) -> Next {
        let there = (slot << SMALL..(slot + 1) << SMALL)
            .find(|slot| self.nodes.fringe(large, *slot).leads_on());
        let jump = match there.map(|there| (there, self.nodes.fringe(large, there).next())) {
            Some((there, Next::Node(child))) => past(large.path(prefix.bits(), there), child),
            Some((_, next)) => return next,
            None => {
                let at = self.places_below(large, slot).next().unwrap_or(1);
                let there = prefix_at(large, at, prefix);
                lone(there, self.nodes.value(large, at).0)
            }
        };
        self.jumps.take(jump).map_or(Next::Nothing, Next::Jump)
    }

    /// Moves all below a slot to a small node of its own. Takes one.
    fn give_out(&mut self, large: Node, slot: usize) -> Next {
        let Ok(child) = self.nodes.take(large.depth + SMALL, SMALL) else {
            return Next::Nothing;
        };
        for length in 1..=SMALL {
            for bits in 0..1 << length {
                let (value, own) = self.nodes.value(large, (SLOTS | slot) << length | bits);
                if own {
                    self.nodes.set_value(child, 1 << length | bits, value, true);
                }
            }
        }
        for below in 0..SLOTS {
            let next = self.nodes.fringe(large, slot << SMALL | below).next();
            let entry = self.nodes.fringe(child, below).with_next(next);
            self.nodes.set_fringe(child, below, entry);
        }
        self.nodes.spread(child, 1);
        Next::Node(child)
    }

    /// Makes what led to a node lead to another of the same depth.
    fn replace(&mut self, visit: Visit, node: Node) {
        match visit.jump.map(|index| self.jumps.at_mut(index)) {
            Some(Some(jump)) => jump.entry = jump.entry.with_next(Next::Node(node)),
            _ => self.lead(visit.link, Next::Node(node)),
        }
    }
}

/// The prefix at a place of the tree of a node that `within` is in.
pub(super) const fn prefix_at(node: Node, at: usize, within: Prefix) -> Prefix {
    let length = at.ilog2() as u8;
    let slot = (at << (node.stride - length)) & (node.slots() - 1);
    Prefix::of(node.path(within.bits(), slot), node.depth + length)
}

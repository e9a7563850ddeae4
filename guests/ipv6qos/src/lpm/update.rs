//! Prefixes put in, taken out and asked for. Each change walks down to where the prefix ends, spreads it over
//! the slots of that node, and leaves every node with two things at least: prefixes of its own or references.
//!
//! Must never leave a change half done: what it needs of memory is there before it begins.

use super::entry::{Entry, Jump, Next, Node, SMALL, VALUE_MAX};
use super::resize::prefix_at;
use super::{Lpm, OutOfMemory};
use crate::prefix::Prefix;
use crate::vn::Vn;

/// Where an entry is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Link {
    Root(Vn),
    Slot(Node, usize),
}

/// A node on the way down.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visit {
    pub(super) node: Node,
    /// What leads to it: directly, or to the jump that does.
    pub(super) link: Link,
    /// That jump.
    pub(super) jump: Option<u32>,
}

/// The nodes on the way down, at most one for every four bits.
#[derive(Debug, Default)]
struct Way(arrayvec::ArrayVec<Visit, 32>);

/// Where a prefix would be.
enum Place {
    /// It is the default: in the root.
    Root,
    /// In the node last visited, at this place of its tree.
    Node(usize),
    /// Nothing is behind this link.
    Free(Link),
    /// There is this jump, to a lone prefix that may be the one, or past where it would be.
    Jump(Link, u32),
}

/// Depth of the small node that a prefix of this length ends in; of 1 to 128.
pub(super) const fn home(length: u8) -> u8 {
    length.saturating_sub(1) & !(SMALL - 1)
}

/// Place of a prefix that ends in `node` in the node's tree.
pub(super) const fn place(node: Node, prefix: Prefix) -> usize {
    let slot = node.slot(prefix.bits());
    (slot | node.slots()) >> (node.end() - prefix.length())
}

impl Lpm {
    /// Gives `prefix` of `vn` a value, 1 to [`VALUE_MAX`], and tells the old one if it was there already.
    /// Costs a walk down and less than 1,000 writes, whatever there is below the prefix.
    ///
    /// # Errors
    /// There is no memory for it; nothing was changed.
    pub fn insert(
        &mut self,
        vn: Vn,
        prefix: Prefix,
        value: u32,
    ) -> Result<Option<u32>, OutOfMemory> {
        let value = value.clamp(1, VALUE_MAX);
        let (way, place) = self.find(vn, prefix);
        let old = match place {
            Place::Root => {
                let root = &mut self.roots[vn.index()];
                let old = root.value();
                *root = root.with_value(value, true);
                (old != 0).then_some(old)
            }
            Place::Node(place) => match way.0.last() {
                Some(visit) => {
                    let old = self.nodes.value(visit.node, place);
                    self.nodes.allot(visit.node, place, value);
                    old.1.then_some(old.0)
                }
                None => None,
            },
            Place::Free(link) => {
                let jump = self.jumps.take(lone(prefix, value))?;
                self.lead(link, Next::Jump(jump));
                None
            }
            Place::Jump(link, index) => {
                let jump = self.jumps.at(index).copied().unwrap_or(Jump::EMPTY);
                if is_lone(jump, prefix) {
                    if let Some(jump) = self.jumps.at_mut(index) {
                        jump.entry = lone(prefix, value).entry;
                    }
                    Some(jump.entry.value())
                } else {
                    self.jumps.reserve(2)?;
                    self.nodes.reserve(1)?;
                    self.fork(link, index, jump, prefix, value)?;
                    if let Some(visit) = way.0.last() {
                        self.grow(*visit);
                    }
                    None
                }
            }
        };
        self.len += usize::from(old.is_none());
        self.set_shortcuts(vn, prefix);
        Ok(old)
    }

    /// Takes `prefix` of `vn` out and tells its value, if it was there. Costs what [`Lpm::insert`] does.
    pub fn remove(&mut self, vn: Vn, prefix: Prefix) -> Option<u32> {
        let (mut way, place) = self.find(vn, prefix);
        let old = match place {
            Place::Root => {
                let root = &mut self.roots[vn.index()];
                let old = root.value();
                *root = root.with_value(0, false);
                (old != 0).then_some(old)
            }
            Place::Node(place) => {
                let node = way.0.last()?.node;
                let (value, own) = self.nodes.value(node, place);
                own.then(|| {
                    self.nodes.allot(node, place, 0);
                    value
                })
            }
            Place::Free(_) => None,
            Place::Jump(link, index) => {
                let jump = *self.jumps.at(index)?;
                is_lone(jump, prefix).then(|| {
                    self.lead(link, Next::Nothing);
                    self.jumps.give_back(index);
                    jump.entry.value()
                })
            }
        }?;
        self.len -= 1;
        // A node that has lost its second last thing goes, and with the last thing of all so may the one above.
        while let Some(visit) = way.0.pop() {
            if !self.tidy(prefix, visit) {
                break;
            }
        }
        self.set_shortcuts(vn, prefix);
        Some(old)
    }

    /// Value of this very prefix of `vn`, if it is there.
    pub fn exact(&self, vn: Vn, prefix: Prefix) -> Option<u32> {
        let (way, place) = self.find(vn, prefix);
        match place {
            Place::Root => {
                let value = self.roots[vn.index()].value();
                (value != 0).then_some(value)
            }
            Place::Node(place) => {
                let (value, own) = self.nodes.value(way.0.last()?.node, place);
                own.then_some(value)
            }
            Place::Free(_) => None,
            Place::Jump(_, index) => {
                let jump = *self.jumps.at(index)?;
                is_lone(jump, prefix).then(|| jump.entry.value())
            }
        }
    }

    /// Walks down to where `prefix` is or would be.
    fn find(&self, vn: Vn, prefix: Prefix) -> (Way, Place) {
        let mut way = Way::default();
        if prefix.length() == 0 {
            return (way, Place::Root);
        }
        let mut link = Link::Root(vn);
        loop {
            let (node, jump) = match self.entry(link).next() {
                Next::Nothing => return (way, Place::Free(link)),
                Next::Node(node) => (node, None),
                Next::Jump(index) => match self.jumps.at(index) {
                    Some(jump) => match jump.entry.next() {
                        Next::Node(node)
                            if node.depth <= home(prefix.length())
                                && jump.entry_for(prefix.bits()).leads_on() =>
                        {
                            (node, Some(index))
                        }
                        _ => return (way, Place::Jump(link, index)),
                    },
                    None => return (way, Place::Free(link)),
                },
            };
            let visit = Visit { node, link, jump };
            if way.0.try_push(visit).is_err() || prefix.length() <= node.end() {
                return (way, Place::Node(place(node, prefix)));
            }
            link = Link::Slot(node, node.slot(prefix.bits()));
        }
    }

    /// Puts a small node where the way to `prefix` leaves that of the jump `index`, or where one of them ends.
    /// Needs two jumps and a small node at most.
    fn fork(
        &mut self,
        link: Link,
        index: u32,
        jump: Jump,
        prefix: Prefix,
        value: u32,
    ) -> Result<(), OutOfMemory> {
        let beyond = jump.entry.next();
        let end = match beyond {
            Next::Node(node) => node.depth,
            _ => home(jump.length),
        };
        let common = (jump.bits ^ prefix.bits()).leading_zeros() as u8;
        let depth = (common & !(SMALL - 1)).min(end).min(home(prefix.length()));
        let node = self.nodes.take(depth, SMALL)?;
        // What there was.
        let slot = Link::Slot(node, node.slot(jump.bits));
        match beyond {
            Next::Node(child) if child.depth == node.end() => {
                self.lead(slot, Next::Node(child));
                self.jumps.give_back(index);
            }
            Next::Node(_) => self.lead(slot, Next::Jump(index)),
            _ if end == depth => {
                let there = Prefix::of(jump.bits, jump.length);
                self.nodes
                    .allot(node, place(node, there), jump.entry.value());
                self.jumps.give_back(index);
            }
            _ => self.lead(slot, Next::Jump(index)),
        }
        // What is new.
        if home(prefix.length()) == depth {
            self.nodes.allot(node, place(node, prefix), value);
        } else {
            let index = self.jumps.take(lone(prefix, value))?;
            self.lead(
                Link::Slot(node, node.slot(prefix.bits())),
                Next::Jump(index),
            );
        }
        // And what leads to both.
        let from = match link {
            Link::Slot(node, _) => node.end(),
            Link::Root(_) => 0,
        };
        let next = if from == depth {
            Next::Node(node)
        } else {
            Next::Jump(self.jumps.take(past(prefix.bits(), node))?)
        };
        self.lead(link, next);
        Ok(())
    }

    /// Does away with a node on the way to `prefix` if it has fewer than two things. Tells whether nothing is left
    /// below its link.
    fn tidy(&mut self, prefix: Prefix, visit: Visit) -> bool {
        let Visit { node, link, jump } = visit;
        let mut things = 0;
        let mut only = Next::Nothing;
        let mut lone_place = 0;
        for slot in 0..node.slots() {
            let next = self.nodes.fringe(node, slot).next();
            if next != Next::Nothing {
                (things, only) = (things + 1, next);
            }
        }
        for at in 2..2 * node.slots() {
            if self.nodes.value(node, at).1 {
                (things, lone_place) = (things + 1, at);
            }
        }
        if things > 1 {
            return match self.shrink(prefix, visit) {
                Some(visit) => self.tidy(prefix, visit),
                None => false,
            };
        }
        let (jump_there, next) = match only {
            _ if things == 0 => {
                self.nodes.give_back(node);
                if let Some(jump) = jump {
                    self.jumps.give_back(jump);
                }
                self.lead(link, Next::Nothing);
                return true;
            }
            Next::Jump(next) => {
                self.nodes.give_back(node);
                if let Some(jump) = jump {
                    self.jumps.give_back(jump);
                }
                self.lead(link, Next::Jump(next));
                return false;
            }
            Next::Node(child) => {
                let slot = (0..node.slots()).find(|slot| self.nodes.fringe(node, *slot).leads_on());
                let path = node.path(prefix.bits(), slot.unwrap_or(0));
                (jump, past(path, child))
            }
            Next::Nothing => {
                let (value, _) = self.nodes.value(node, lone_place);
                (jump, lone(prefix_at(node, lone_place, prefix), value))
            }
        };
        match jump_there {
            Some(index) => {
                if let Some(place) = self.jumps.at_mut(index) {
                    *place = next;
                }
                self.nodes.give_back(node);
            }
            // Without memory for a jump the node stays, correct if not the smallest.
            None => {
                if let Ok(index) = self.jumps.take(next) {
                    self.lead(link, Next::Jump(index));
                    self.nodes.give_back(node);
                }
            }
        }
        false
    }

    fn entry(&self, link: Link) -> Entry {
        match link {
            Link::Root(vn) => self.roots[vn.index()],
            Link::Slot(node, slot) => self.nodes.fringe(node, slot),
        }
    }

    /// Makes a link lead there; its value stays.
    pub(super) fn lead(&mut self, link: Link, next: Next) {
        let entry = self.entry(link).with_next(next);
        match link {
            Link::Root(vn) => self.roots[vn.index()] = entry,
            Link::Slot(node, slot) => self.nodes.set_fringe(node, slot, entry),
        }
    }
}

/// A jump to a lone prefix.
pub(super) const fn lone(prefix: Prefix, value: u32) -> Jump {
    Jump {
        bits: prefix.bits(),
        entry: Entry::of_value(value),
        length: prefix.length(),
    }
}

/// A jump to a node, past the nodes that would have nothing but the way to it.
pub(super) const fn past(path: u128, node: Node) -> Jump {
    Jump {
        bits: Prefix::of(path, node.depth).bits(),
        entry: Entry::EMPTY.with_next(Next::Node(node)),
        length: node.depth,
    }
}

/// Whether a jump leads to this very prefix.
fn is_lone(jump: Jump, prefix: Prefix) -> bool {
    !jump.entry.leads_on() && jump.length == prefix.length() && jump.bits == prefix.bits()
}

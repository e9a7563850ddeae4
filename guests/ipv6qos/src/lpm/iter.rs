//! Prefixes in order: by routing instance, then by address, the shorter of two that begin alike first.
//!
//! Nothing is remembered but where the walk is, so a list can go on after any change.

use super::Lpm;
use super::entry::{Next, Node};
use super::update::place;
use crate::control::view::Cursor;
use crate::prefix::Prefix;
use crate::vn::Vn;

/// Prefixes from a place on. Each step costs a walk down, some 100 ns.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    lpm: &'a Lpm,
    /// Where to go on; none: at the end.
    from: Option<Cursor>,
}

impl Lpm {
    /// Prefixes from this one on, itself included if it is there.
    pub fn iter_from(&self, from: Cursor) -> Iter<'_> {
        Iter {
            lpm: self,
            from: Some(from),
        }
    }

    /// Prefixes behind this one: the next page.
    pub fn iter_after(&self, after: Cursor) -> Iter<'_> {
        Iter {
            lpm: self,
            from: behind(after),
        }
    }

    /// All prefixes.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(Cursor {
            vn: Vn::default(),
            prefix: Prefix::DEFAULT,
        })
    }

    /// The first prefix of `vn` that is not before `from`.
    fn first(&self, vn: Vn, from: Prefix) -> Option<(Prefix, u32)> {
        let root = self.roots[vn.index()];
        if root.value() != 0 && from == Prefix::DEFAULT {
            return Some((Prefix::DEFAULT, root.value()));
        }
        self.first_below(root.next(), 0, Some(from))
    }

    /// The first prefix not before `from` that `next` leads to, on the path that begins like `path`. No deeper in itself
    /// than there are nodes on a path, 32.
    fn first_below(&self, next: Next, path: u128, from: Option<Prefix>) -> Option<(Prefix, u32)> {
        match next {
            Next::Nothing => None,
            Next::Node(node) => self.first_in(node, path, from),
            Next::Jump(jump) => {
                let jump = self.jumps.at(jump)?;
                let here = Prefix::of(jump.bits, jump.length);
                match jump.entry.next() {
                    Next::Node(node) => self.first_in(node, jump.bits, from),
                    _ => {
                        (from.is_none_or(|from| from <= here)).then_some((here, jump.entry.value()))
                    }
                }
            }
        }
    }

    fn first_in(&self, node: Node, path: u128, from: Option<Prefix>) -> Option<(Prefix, u32)> {
        // Everything here is behind `from`, or before it, or it is on the path and its slot divides them.
        let start = Prefix::of(path, node.depth).bits();
        let from = from.filter(|from| from.bits() >= start);
        let first = match from {
            Some(from) if Prefix::of(from.bits(), node.depth).bits() > start => return None,
            Some(from) => node.slot(from.bits()),
            None => 0,
        };
        for slot in first..node.slots() {
            let bits = node.path(path, slot);
            let from = from.filter(|_| slot == first);
            let lengths = node.stride - (slot.trailing_zeros() as u8).min(node.stride - 1);
            for length in lengths..=node.stride {
                let prefix = Prefix::of(bits, node.depth + length);
                let place = place(node, prefix);
                let (value, own) = self.nodes.value(node, place);
                if own && from.is_none_or(|from| from <= prefix) {
                    return Some((prefix, value));
                }
            }
            let found = self.first_below(self.nodes.fringe(node, slot).next(), bits, from);
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

impl Iterator for Iter<'_> {
    type Item = (Cursor, u32);

    fn next(&mut self) -> Option<Self::Item> {
        let mut from = self.from?;
        loop {
            if let Some((prefix, value)) = self.lpm.first(from.vn, from.prefix) {
                let here = Cursor {
                    vn: from.vn,
                    prefix,
                };
                self.from = behind(here);
                return Some((here, value));
            }
            self.from = None;
            from = Cursor {
                vn: Vn::new(from.vn.get() + 1)?,
                prefix: Prefix::DEFAULT,
            };
        }
    }
}

/// The prefix that is next in order, there or not; none: this is the last of all.
fn behind(Cursor { vn, prefix }: Cursor) -> Option<Cursor> {
    let prefix = if prefix.length() < 128 {
        Some(Prefix::of(prefix.bits(), prefix.length() + 1))
    } else {
        // The shortest prefix that begins with the next address.
        let next = prefix.bits().checked_add(1);
        next.map(|next| Prefix::of(next, 128 - next.trailing_zeros().min(128) as u8))
    };
    match prefix {
        Some(prefix) => Some(Cursor { vn, prefix }),
        None => Some(Cursor {
            vn: Vn::new(vn.get() + 1)?,
            prefix: Prefix::DEFAULT,
        }),
    }
}

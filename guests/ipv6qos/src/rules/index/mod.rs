//! What finds the first rule that a packet matches, at a cost that does not grow with their number.
//!
//! ```text
//! addresses  classes of addresses
//! field      the fields that are numbers
//! numbers    their classes
//! vectors    which rules the values of a class match
//! weights    one number for the classes of all fields
//! memo       what was found for them before
//! build      an index made from rules, a slice at a time
//! ```
//!
//! Each field of a packet gives a class: values of a class match the same rules. The classes of all fields together
//! name what is found; what was found for them before is in the [`Memo`]. Else the vectors of the classes are
//! intersected, a chunk of 512 rules at a time, until one is left. Why so: docs/adr/0018.
//!
//! An index is never changed while packets ask it: another is built and takes its place.

mod addresses;
mod build;
mod field;
mod memo;
mod numbers;
mod vectors;
mod weights;

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

use arrayvec::ArrayVec;
use pinode_guest_runtime::BURST;

use super::MAX_TABLES;
use super::condition::Condition;
use super::members::Members;
use super::tables::Tables;
use crate::packet::Fields;
use addresses::Addresses;
pub(super) use build::Build;
use field::{FIELDS, Field};
use memo::{Mark, Memo};
use numbers::Numbers;
use vectors::{CHUNK_RULES, Chunk, Chunks, Stored, Vector};
use weights::Weights;

/// A rule as an index gives it: the place where it was, plus 1; 0: none.
pub(super) type Found = u16;

/// The classes of a packet, four to a word, and the tables that its addresses are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Key([u64; 3]);

impl Key {
    /// Adds the class of a field, whose number this is.
    #[inline(always)]
    fn add(&mut self, field: usize, class: u16) {
        self.0[field >> 2 & 1] |= u64::from(class) << (16 * (field & 3));
    }

    #[inline(always)]
    fn class(&self, field: usize) -> u16 {
        // Cut to its 16 bits.
        (self.0[field >> 2 & 1] >> (16 * (field & 3))) as u16
    }

    #[inline]
    fn members(&self) -> Members {
        Members::of_word(self.0[2])
    }

    fn hash(&self) -> u64 {
        let [a, b, c] = self.0;
        let product = u128::from(a ^ 0x9e37_79b9_7f4a_7c15)
            * u128::from(b.wrapping_add(c.rotate_left(17)) ^ 0xd1b5_4a32_d192_ed03);
        let folded = product as u64 ^ (product >> 64) as u64;
        folded.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// A field that rules look at, or none does.
#[derive(Debug)]
struct Classes {
    /// The vector of each class.
    vectors: Vec<Stored>,
    /// Whether any rule looks at it.
    is_used: bool,
}

/// Rules, as packets look for them.
#[derive(Debug)]
pub(super) struct Index {
    /// Where the rule of each position is.
    slots: Vec<u16>,
    /// Whether any rule looks at anything: else all packets find the same.
    is_choosy: bool,
    chunks: Chunks,
    /// Of source and destination.
    sides: [(Addresses, Classes); 2],
    numbers: [(Numbers, Classes); 6],
    /// Tables that rules name.
    wanted: Members,
    /// Each of them, and the rules that want an address to be in it.
    naming: Vec<(Members, Vector)>,
    /// Where each of them is in these, by [`Members::place`]; [`UNNAMED`]: nowhere.
    named: [u8; 64],
    /// What classes count in a mark; none: no mark tells them apart.
    weights: Option<Weights>,
    memo: Memo,
}

/// No rule names the table.
const UNNAMED: u8 = u8::MAX;

/// Octets of the heap that two indices of so many rules take: one in force, one that is built.
pub(super) fn octets(rules: usize) -> usize {
    let sides = 2 * (Addresses::octets(rules) + (rules + 1) * size_of::<Stored>());
    let numbers: usize = { FIELDS.iter() }
        .map(|field| (field.most_ranges(rules), field.uppers()))
        .map(|(ranges, uppers)| {
            Numbers::octets(ranges, uppers) + (2 * ranges + 1) * size_of::<Stored>()
        })
        .sum();
    let naming = 2 * MAX_TABLES * size_of::<(Members, Vector)>();
    let slots = rules * size_of::<u16>();
    let index = slots + Chunks::octets(rules) + sides + numbers + naming + Memo::OCTETS;
    2 * index + Build::octets(rules)
}

impl Classes {
    const fn new() -> Self {
        Classes {
            vectors: Vec::new(),
            is_used: false,
        }
    }

    fn prepare(&mut self, classes: usize) -> Result<(), TryReserveError> {
        self.vectors.clear();
        self.is_used = false;
        // A class is a number of 16 bits.
        self.vectors.try_reserve_exact(classes.min(1 << 16))
    }
}

impl Index {
    pub fn new() -> Self {
        Index {
            slots: Vec::new(),
            is_choosy: false,
            chunks: Chunks::new(),
            sides: [const { (Addresses::new(), Classes::new()) }; 2],
            numbers: [const { (Numbers::new(), Classes::new()) }; 6],
            wanted: Members::NONE,
            naming: Vec::new(),
            named: [UNNAMED; 64],
            weights: None,
            memo: Memo::new(),
        }
    }

    /// How many rules it knows.
    #[inline]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The rule that all packets find, if rules look at nothing of them.
    #[inline]
    pub fn common(&self) -> Found {
        let first = self.slots.first().filter(|_| !self.is_choosy);
        first.map_or(0, |slot| slot.saturating_add(1))
    }

    /// The first rule that each packet of a burst matches. `conditions` tells the condition of the rule in a slot.
    pub fn find_burst<'c>(
        &mut self,
        conditions: impl Fn(u16) -> Option<&'c Condition>,
        tables: &Tables,
        packets: &[Fields],
        found: &mut [Found],
    ) {
        if !self.is_choosy {
            if let Some(packet) = packets.first() {
                found.fill(self.search(&Key::default(), packet, &conditions));
            }
            return;
        }
        let Some(weights) = self.weights else {
            return self.find_by_keys(conditions, tables, packets, found);
        };
        let mut products = [0u64; BURST];
        let packets = packets.get(..BURST).unwrap_or(packets);
        let products = products.get_mut(..packets.len()).unwrap_or_default();
        let weight = |field: usize| weights.fields.get(field).copied().unwrap_or(0);
        self.classify(
            tables,
            packets,
            products,
            |product, field, class| {
                *product = product.wrapping_add(weight(field).wrapping_mul(u64::from(class)));
            },
            |product, members| {
                for (number, (table, _)) in self.naming.iter().enumerate() {
                    let counts = u64::from(members.contains(*table));
                    *product = product.wrapping_add((weights.tables << (number & 63)) * counts);
                }
            },
        );
        for ((product, packet), found) in products.iter().zip(packets).zip(found) {
            let mark = Mark::of(*product);
            *found = match self.memo.get(mark) {
                Some(found) => found,
                None => {
                    let found = self.search_anew(&conditions, tables, packet);
                    self.memo.put(mark, found);
                    found
                }
            };
        }
    }

    /// The same if marks do not tell the classes apart: so many rules, so different, that it matters little how.
    #[cold]
    fn find_by_keys<'c>(
        &mut self,
        conditions: impl Fn(u16) -> Option<&'c Condition>,
        tables: &Tables,
        packets: &[Fields],
        found: &mut [Found],
    ) {
        for (packet, found) in packets.iter().zip(found) {
            let key = self.key(tables, packet);
            *found = match self.memo.get_by_key(&key) {
                Some(found) => found,
                None => {
                    let found = self.search(&key, packet, &conditions);
                    self.memo.put_by_key(&key, found);
                    found
                }
            };
        }
    }

    /// The first rule that a packet matches, for classes that nothing is remembered of.
    #[cold]
    fn search_anew<'c>(
        &self,
        conditions: &impl Fn(u16) -> Option<&'c Condition>,
        tables: &Tables,
        packet: &Fields,
    ) -> Found {
        self.search(&self.key(tables, packet), packet, conditions)
    }

    /// The classes of a packet, and the tables that it is in.
    #[inline(never)]
    fn key(&self, tables: &Tables, packet: &Fields) -> Key {
        let mut key = [Key::default()];
        let packet = core::slice::from_ref(packet);
        self.classify(tables, packet, &mut key, Key::add, |key, members| {
            key.0[2] = members.word();
        });
        key[0]
    }

    /// The classes of the fields of packets, each added to what is in `to`, and then the tables that they are in.
    #[inline(always)]
    fn classify<T>(
        &self,
        tables: &Tables,
        packets: &[Fields],
        to: &mut [T],
        add: impl Fn(&mut T, usize, u16),
        join: impl Fn(&mut T, Members),
    ) {
        let [(sources, of_sources), (destinations, of_destinations)] = &self.sides;
        if of_sources.is_used {
            sources.each(
                packets,
                to,
                |packet| packet.source,
                |to, class| add(to, 0, class),
            );
        }
        if of_destinations.is_used {
            destinations.each(
                packets,
                to,
                |packet| packet.destination,
                |to, class| add(to, 1, class),
            );
        }
        self.classify_numbers(packets, to, &add);
        if !self.naming.is_empty() {
            let mut members = [Members::NONE; BURST];
            tables.members_burst(self.wanted, packets, &mut members);
            for (to, members) in to.iter_mut().zip(members) {
                join(to, members);
            }
        }
    }

    /// The classes of those fields that are numbers, each added to what is in `to`.
    #[inline(always)]
    fn classify_numbers<T>(
        &self,
        packets: &[Fields],
        to: &mut [T],
        add: &impl Fn(&mut T, usize, u16),
    ) {
        let used = |field: Field| {
            let (_, classes) = &self.numbers[field as usize];
            classes.is_used
        };
        let of = |field: Field, packet: &Fields, to: &mut T| {
            let (numbers, _) = &self.numbers[field as usize];
            add(to, 2 + field as usize, numbers.class(field.of(packet)));
        };
        let source = |packet: &Fields, to: &mut T| of(Field::SourcePort, packet, to);
        let destination = |packet: &Fields, to: &mut T| of(Field::DestinationPort, packet, to);
        let layer = |packet: &Fields, to: &mut T| of(Field::Layer, packet, to);
        // Who looks at ports looks at the upper layer: all in one go.
        let ports = (used(Field::SourcePort), used(Field::DestinationPort));
        match (used(Field::Layer), ports) {
            (true, (false, false)) => go(packets, to, layer),
            (true, (true, false)) => go(packets, to, |packet, to| {
                source(packet, to);
                layer(packet, to);
            }),
            (true, (false, true)) => go(packets, to, |packet, to| {
                destination(packet, to);
                layer(packet, to);
            }),
            (true, (true, true)) => go(packets, to, |packet, to| {
                source(packet, to);
                destination(packet, to);
                layer(packet, to);
            }),
            (false, (by_source, by_destination)) => {
                if by_source {
                    go(packets, to, source);
                }
                if by_destination {
                    go(packets, to, destination);
                }
            }
        }
        if used(Field::Interface) {
            go(packets, to, |packet, to| of(Field::Interface, packet, to));
        }
        if used(Field::Dscp) {
            go(packets, to, |packet, to| of(Field::Dscp, packet, to));
        }
        if used(Field::Local) {
            go(packets, to, |packet, to| of(Field::Local, packet, to));
        }
    }

    /// The first rule that packets of these classes match.
    fn search<'c>(
        &self,
        key: &Key,
        packet: &Fields,
        conditions: &impl Fn(u16) -> Option<&'c Condition>,
    ) -> Found {
        let sides = self.sides.iter().map(|(_, classes)| classes);
        let fields = sides.chain(self.numbers.iter().map(|(_, classes)| classes));
        let vectors: ArrayVec<&Stored, 8> = fields
            .enumerate()
            .filter(|(_, classes)| classes.is_used)
            .filter_map(|(field, classes)| classes.vectors.get(usize::from(key.class(field))))
            .collect();
        let members = key.members();
        for (chunk, begin) in (0..self.len()).step_by(CHUNK_RULES).enumerate() {
            let mut left = Chunk::first(self.len() - begin);
            for vector in &vectors {
                left.keep(self.chunks.get(vector.chunk(chunk)));
            }
            for (table, naming) in &self.naming {
                if !members.contains(*table) {
                    left.without(naming.chunk(chunk));
                }
            }
            for position in left.positions() {
                let slot = self
                    .slots
                    .get(begin + position)
                    .copied()
                    .unwrap_or(u16::MAX);
                if self.chunks.is_exact()
                    || conditions(slot).is_some_and(|wanted| wanted.matches(packet, members))
                {
                    return slot.saturating_add(1);
                }
            }
        }
        0
    }
}

#[inline(always)]
fn go<T>(packets: &[Fields], to: &mut [T], each: impl Fn(&Fields, &mut T)) {
    for (packet, to) in packets.iter().zip(to) {
        each(packet, to);
    }
}

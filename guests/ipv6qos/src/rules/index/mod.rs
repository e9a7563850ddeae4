//! What finds the first rule that a packet matches, at a cost that does not grow with their number.
//!
//! ```text
//! addresses  classes of addresses
//! field      the fields that are numbers
//! numbers    their classes
//! vectors    which rules the values of a class match
//! memo       what was found for classes before
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
pub(super) use memo::Memo;
use numbers::Numbers;
use vectors::{CHUNK_RULES, Chunk, Chunks, Stored, Vector};

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

    #[inline]
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
}

/// No rule names the table.
const UNNAMED: u8 = u8::MAX;

/// Octets of the heap that two indices of so many rules and a memo take: one in force, one that is built.
pub(super) fn octets(rules: usize) -> usize {
    let sides = 2 * (Addresses::octets(rules) + (rules + 1) * size_of::<Stored>());
    let numbers: usize = { FIELDS.iter() }
        .map(|field| (field.most_ranges(rules), field.uppers()))
        .map(|(ranges, uppers)| {
            Numbers::octets(ranges, uppers) + (2 * ranges + 1) * size_of::<Stored>()
        })
        .sum();
    let naming = 2 * MAX_TABLES * size_of::<(Members, Vector)>();
    let index = rules * size_of::<u16>() + Chunks::octets(rules) + sides + numbers + naming;
    2 * index + Build::octets(rules) + Memo::OCTETS
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
        &self,
        memo: &mut Memo,
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
        let mut keys = [Key::default(); BURST];
        let burst = packets.len().min(BURST);
        let (packets, keys) = (&packets[..burst], &mut keys[..burst]);
        self.classify(tables, packets, keys);
        let mut places = [0; BURST];
        for (key, place) in keys.iter().zip(&mut places) {
            *place = memo.place(key);
        }
        let keys = keys.iter().zip(places);
        for (((key, place), packet), found) in keys.zip(packets).zip(found) {
            *found = match memo.get(place, key) {
                Some(found) => found,
                None => {
                    let found = self.search(key, packet, &conditions);
                    memo.put(place, key, found);
                    found
                }
            };
        }
    }

    /// The classes of packets.
    #[inline]
    fn classify(&self, tables: &Tables, packets: &[Fields], keys: &mut [Key]) {
        let [(sources, of_sources), (destinations, of_destinations)] = &self.sides;
        if of_sources.is_used {
            sources.each(
                packets,
                keys,
                |packet| packet.source,
                |key, class| key.add(0, class),
            );
        }
        if of_destinations.is_used {
            destinations.each(
                packets,
                keys,
                |packet| packet.destination,
                |key, class| key.add(1, class),
            );
        }
        for (number, (field, (numbers, classes))) in (2..).zip(FIELDS.iter().zip(&self.numbers)) {
            if classes.is_used {
                // A loop for each, in which it is known which field it is.
                match field {
                    Field::SourcePort => add(Field::SourcePort, numbers, number, packets, keys),
                    Field::DestinationPort => {
                        add(Field::DestinationPort, numbers, number, packets, keys);
                    }
                    Field::Interface => add(Field::Interface, numbers, number, packets, keys),
                    Field::Layer => add(Field::Layer, numbers, number, packets, keys),
                    Field::Dscp => add(Field::Dscp, numbers, number, packets, keys),
                    Field::Local => add(Field::Local, numbers, number, packets, keys),
                }
            }
        }
        if !self.naming.is_empty() {
            let mut members = [Members::NONE; BURST];
            tables.members_burst(self.wanted, packets, &mut members);
            for (key, members) in keys.iter_mut().zip(members) {
                key.0[2] = members.word();
            }
        }
    }

    /// The first rule that packets of these classes match.
    #[cold]
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
fn add(field: Field, numbers: &Numbers, number: usize, packets: &[Fields], keys: &mut [Key]) {
    for (key, packet) in keys.iter_mut().zip(packets) {
        key.add(number, numbers.class(field.of(packet)));
    }
}

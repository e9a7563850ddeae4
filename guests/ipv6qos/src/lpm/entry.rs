//! An entry of a node, and what it leads to: a value and a reference in one word, so that a look-up reads one.
//!
//! ```text
//! bits  0..24  value of the longest prefix of this node that covers the slot; 0: none
//!      24..31  where the slot of the next node is in the address: bits behind it, 0 to 127
//!      31      the reference is to a jump
//!      32..40  mask of the next node's slot: 0x0f or 0xff; 0: no reference
//!      40      the slot has a prefix of its own
//!      41..64  index of the next node's first unit, or of the jump
//! ```
//!
//! Must never be taken for more than a number: what it leads to is looked up with a bounds check.

/// Largest value of a prefix.
pub const VALUE_MAX: u32 = 0xff_ffff;

/// Most units of nodes, and most jumps: what an index has bits for.
pub(super) const INDICES: u32 = 1 << 23;

const SHIFT: u32 = 24;
const JUMP: u64 = 1 << 31;
const MASK: u32 = 32;
const OWN: u64 = 1 << 40;
const INDEX: u32 = 41;
const REFERENCE: u64 = !(VALUE_MAX as u64 | OWN);

/// Bits of an address that a node of the small kind takes.
pub(super) const SMALL: u8 = 4;
/// Bits that a node of the large kind takes.
pub(super) const LARGE: u8 = 8;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(u64);

/// A node: where it is, and which bits of the address choose its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    /// Index of its first unit.
    pub(super) unit: u32,
    /// Bits of the address before its own, a multiple of 4 below 128.
    pub(super) depth: u8,
    /// Bits of its own: [`SMALL`] or [`LARGE`].
    pub(super) stride: u8,
}

impl Node {
    /// Slots it has.
    pub(super) const fn slots(self) -> usize {
        1 << self.stride
    }

    /// Bits of the address behind its own.
    pub(super) const fn shift(self) -> u8 {
        128 - self.depth - self.stride
    }

    /// Depth of what its slots lead to.
    pub(super) const fn end(self) -> u8 {
        self.depth + self.stride
    }

    /// The slot of `address`.
    pub(super) const fn slot(self, address: u128) -> usize {
        (address >> self.shift()) as usize & (self.slots() - 1)
    }

    /// What the addresses of `slot` begin with, if `address` is in the node.
    pub(super) const fn path(self, address: u128, slot: usize) -> u128 {
        crate::prefix::Prefix::of(address, self.depth).bits() | (slot as u128) << self.shift()
    }
}

/// What an entry leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// To nothing.
    Nothing,
    /// To a node right behind the slot.
    Node(Node),
    /// To the jump of this index.
    Jump(u32),
}

impl Entry {
    /// No value, no reference.
    pub(super) const EMPTY: Self = Entry(0);

    /// A value without a reference.
    pub(super) const fn of_value(value: u32) -> Self {
        Entry((value & VALUE_MAX) as u64)
    }

    /// The value; 0: none.
    #[inline]
    pub(super) const fn value(self) -> u32 {
        self.0 as u32 & VALUE_MAX
    }

    /// Whether the value is that of a prefix of this very slot.
    pub(super) const fn is_own(self) -> bool {
        self.0 & OWN != 0
    }

    /// The same with another value.
    pub(super) const fn with_value(self, value: u32, own: bool) -> Self {
        let own = if own { OWN } else { 0 };
        Entry(self.0 & REFERENCE | (value & VALUE_MAX) as u64 | own)
    }

    /// The same, leading elsewhere.
    pub(super) const fn with_next(self, next: Next) -> Self {
        let reference = match next {
            Next::Nothing => 0,
            Next::Node(node) => {
                (node.shift() as u64) << SHIFT
                    | ((1 << node.stride) - 1) << MASK
                    | (node.unit as u64) << INDEX
            }
            Next::Jump(jump) => JUMP | 0xff << MASK | (jump as u64) << INDEX,
        };
        Entry(self.0 & !REFERENCE | reference)
    }

    /// What it leads to.
    pub(super) const fn next(self) -> Next {
        if !self.leads_on() {
            Next::Nothing
        } else if self.is_jump() {
            Next::Jump(self.index())
        } else {
            let stride = (self.mask() as u8).count_ones() as u8;
            Next::Node(Node {
                unit: self.index(),
                depth: 128 - self.shift() as u8 - stride,
                stride,
            })
        }
    }

    /// Whether there is a reference.
    #[inline]
    pub(super) const fn leads_on(self) -> bool {
        self.mask() != 0
    }

    /// Whether the reference, if there is one, is to a jump.
    #[inline]
    pub(super) const fn is_jump(self) -> bool {
        self.0 & JUMP != 0
    }

    /// Bits of the address behind the slot of the next node, below 128.
    #[inline]
    pub(super) const fn shift(self) -> u32 {
        (self.0 >> SHIFT) as u32 & 0x7f
    }

    /// Mask of the slot.
    #[inline]
    pub(super) const fn mask(self) -> usize {
        (self.0 >> MASK) as usize & 0xff
    }

    /// Index of the unit or the jump, below [`INDICES`].
    #[inline]
    pub(super) const fn index(self) -> u32 {
        (self.0 >> INDEX) as u32
    }
}

/// A jump: what it leads to holds for addresses that begin with its bits. Without it, a lone prefix far below a
/// slot would need all the nodes on the way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Jump {
    /// What addresses begin with.
    pub(super) bits: u128,
    /// A value, and then the prefix is `bits` and `length`; or a node whose depth is `length`.
    pub(super) entry: Entry,
    /// Bits that count, 1 to 128.
    pub(super) length: u8,
}

impl Jump {
    /// What no address is looked for in.
    pub(super) const EMPTY: Self = Jump {
        bits: 0,
        entry: Entry::EMPTY,
        length: 1,
    };

    /// Its entry if `address` begins with its bits, else the empty one.
    #[inline]
    pub(super) const fn entry_for(&self, address: u128) -> Entry {
        let differing = address ^ self.bits;
        if differing >> (128_u8.wrapping_sub(self.length) & 0x7f) == 0 {
            self.entry
        } else {
            Entry::EMPTY
        }
    }
}

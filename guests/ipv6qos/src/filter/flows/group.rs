//! A group of eight places: what is known of them without looking at the flows themselves.
//!
//! Sixteen octets a group, so that those of a million flows lie in a processor's caches: a look-up that finds
//! nothing, and the sweep, end here; one that finds its flow goes to that flow's line at once.
//!
//! Must know nothing of flows but what it is told.

/// Places of a group.
pub(super) const PLACES: usize = 8;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// A group of places.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(16))]
pub(super) struct Group {
    /// Eight bits of each flow's hash; 0: the place is free.
    tags: u64,
    /// Places by when they were taken last, four bits each, the longest ago lowest.
    order: u32,
    /// Seconds of the clock of flows before which none of these flows runs out.
    due: u16,
    /// Places whose flow may be displaced, a bit each.
    displaceable: u8,
    /// Flows whose first group this is and that lie in their second; [`MANY`]: nobody knows how many.
    elsewhere: u8,
}

/// More flows than are counted.
const MANY: u8 = u8::MAX;

/// Places as bits: the highest bit of octet i stands for place i.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places(u64);

impl Iterator for Places {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let place = self.first()?;
        self.0 &= self.0 - 1;
        Some(place)
    }
}

impl Places {
    #[inline]
    pub fn first(self) -> Option<usize> {
        (self.0 != 0).then(|| self.0.trailing_zeros() as usize / 8)
    }

    #[inline]
    pub fn count(self) -> u32 {
        // Bits are eight apart, and there are at most eight: their sum is the highest octet of this product.
        ((self.0 >> 7).wrapping_mul(LOW) >> 56) as u32
    }
}

/// The highest bit of each octet of `word` that is not 0.
#[inline]
fn set(word: u64) -> u64 {
    // No carry leaves an octet: 0x7f + 0x7f is 0xfe.
    ((word & !HIGH).wrapping_add(!HIGH) | word) & HIGH
}

impl Group {
    pub const EMPTY: Self = Group {
        tags: 0,
        order: 0x7654_3210,
        due: 0,
        displaceable: 0,
        elsewhere: 0,
    };

    /// Places whose tag is `tag`.
    #[inline]
    pub fn tagged(&self, tag: u8) -> Places {
        let differing = self.tags ^ LOW.wrapping_mul(u64::from(tag));
        Places(!set(differing) & HIGH)
    }

    /// The first of them.
    #[inline]
    pub fn first_tagged(&self, tag: u8) -> Option<usize> {
        let differing = self.tags ^ LOW.wrapping_mul(u64::from(tag));
        // The lowest octet that is 0 is found exactly; what is above it may be wrong, since it lends.
        Places(differing.wrapping_sub(LOW) & !differing & HIGH).first()
    }

    /// Places that are taken.
    #[inline]
    pub fn taken(&self) -> Places {
        Places(set(self.tags))
    }

    /// Places that are free.
    #[inline]
    pub fn free(&self) -> Places {
        Places(!set(self.tags) & HIGH)
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.tags == 0
    }

    /// Takes `place` for a flow that may be displaced and does not run out before `due`.
    pub fn take(&mut self, place: usize, tag: u8, due: u16) {
        if self.is_empty() {
            self.due = due;
        }
        self.sooner(due);
        let place = place % PLACES;
        self.tags = self.tags & !(0xff << (8 * place)) | u64::from(tag) << (8 * place);
        self.displaceable |= 1 << place;
        // The place goes to the end of the order; those behind it move up.
        let at = (0..PLACES as u32)
            .find(|at| self.order >> (4 * at) & 15 == place as u32)
            .unwrap_or(0);
        let before = (1u32 << (4 * at)) - 1;
        let behind = (self.order >> 4) & !before & 0x0fff_ffff;
        self.order = self.order & before | behind | (place as u32) << 28;
    }

    pub fn leave(&mut self, place: usize) {
        let place = place % PLACES;
        self.tags &= !(0xff << (8 * place));
        self.displaceable &= !(1 << place);
    }

    pub fn set_displaceable(&mut self, place: usize, displaceable: bool) {
        let bit = 1 << (place % PLACES);
        self.displaceable = self.displaceable & !bit | if displaceable { bit } else { 0 };
    }

    #[inline]
    pub fn is_displaceable(&self, place: usize) -> bool {
        self.displaceable >> (place % PLACES) & 1 != 0
    }

    /// How many flows may be displaced.
    #[inline]
    pub fn displaceable(&self) -> u32 {
        self.displaceable.count_ones()
    }

    /// The places of flows that may be displaced, the oldest first.
    pub fn oldest_first(self) -> impl Iterator<Item = usize> {
        (0..PLACES as u32)
            .map(move |at| (self.order >> (4 * at) & 15) as usize)
            .filter(move |place| self.is_displaceable(*place))
    }

    /// Whether a flow whose first group this is may lie in its second.
    #[inline]
    pub fn has_elsewhere(&self) -> bool {
        self.elsewhere != 0
    }

    /// One more flow of it lies in its second group.
    pub fn went_elsewhere(&mut self) {
        self.elsewhere = self.elsewhere.saturating_add(1);
    }

    /// One flow of it less lies in its second group.
    pub fn left_elsewhere(&mut self) {
        if self.elsewhere != MANY {
            self.elsewhere = self.elsewhere.saturating_sub(1);
        }
    }

    /// No flow of it runs out before this second.
    pub fn due(&self) -> u16 {
        self.due
    }

    /// None of its flows runs out before `second`.
    pub fn set_due(&mut self, second: u16) {
        self.due = second;
    }

    /// One of its flows may run out at `second` already.
    pub fn sooner(&mut self, second: u16) {
        if (second.wrapping_sub(self.due) as i16) < 0 {
            self.due = second;
        }
    }

    /// Whether one of its flows may have run out.
    #[inline]
    pub fn is_due(&self, now: u16) -> bool {
        (self.due.wrapping_sub(now) as i16) <= 0
    }
}

//! Random delays and keys from the seed of the guest: SplitMix64 (Steele, Lea, Flood 2014), not for secrets that
//! are shown.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Another stream, from which this one cannot be told: for numbers that strangers see, such as nonces.
    pub(super) const fn apart(&mut self) -> Self {
        let product = self.next() as u128 * self.next() as u128;
        Random::new((product >> 64) as u64 ^ product as u64)
    }

    /// From `low` to `high`, both included.
    pub(super) const fn between(&mut self, low: u64, high: u64) -> u64 {
        let span = high.saturating_sub(low).saturating_add(1);
        // The high half of the product: as even as 64 bits allow.
        let part = (self.next() as u128 * span as u128) >> 64;
        low + part as u64
    }
}

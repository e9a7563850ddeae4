//! Look-ups of a burst.

use super::Lpm;
use crate::vn::Vn;

impl Lpm {
    /// [`Lpm::lookup`] of each key into the value at its place. As many are looked up as the shorter of both has.
    pub fn lookup_burst(&self, keys: &[(Vn, u128)], values: &mut [u32]) {
        for (&(vn, address), value) in keys.iter().zip(values) {
            *value = self.lookup(vn, address);
        }
    }
}

//! The classification table: one entry for each value of the PIH, slot or cause of the drop.
//!
//! 256 octets, four cache lines; the look-up has no branch on the PI and must never get one: what
//! a PIH costs may not depend on how many PIs or VNs are configured.

use crate::drop::Drop;
use crate::pi::{ConfigError, MAX_PIS, Pi};
use crate::pih::Pih;

const UNKNOWN_VN: u8 = 0xFE;
const UNKNOWN_PI: u8 = 0xFF;

/// Slot or drop cause for each of the 256 values of the PIH.
#[derive(Debug, Clone)]
pub struct Table {
    entries: [u8; 256],
}

impl Table {
    /// The table of the PIs given; every other PIH is dropped.
    ///
    /// # Errors
    /// [`ConfigError`] if a PI is not well formed or two share a slot, or a code and a
    /// virtual network.
    pub fn new(pis: &[Pi]) -> Result<Self, ConfigError> {
        let mut entries = [UNKNOWN_PI; 256];
        for (at, pi) in pis.iter().enumerate() {
            pi.check()?;
            for earlier in pis.iter().take(at) {
                let shared = earlier.vns.common(pi.vns);
                if earlier.code == pi.code && !shared.is_empty() {
                    return Err(ConfigError::VnsTwice {
                        code: pi.code,
                        vns: shared,
                    });
                }
                if earlier.slot == pi.slot {
                    return Err(ConfigError::SlotTwice {
                        slot: pi.slot,
                        first: earlier.code,
                        second: pi.code,
                    });
                }
            }
            for vn in 0..32 {
                let entry = &mut entries[usize::from(pi.code.get() << 5 | vn)];
                // Those of another PI of this code stay.
                *entry = (*entry).min(UNKNOWN_VN);
            }
            for vn in pi.vns.iter() {
                entries[usize::from(Pih::new(pi.code, vn).raw())] = pi.slot;
            }
        }
        Ok(Self { entries })
    }

    /// The slot of the PI that the PIH octet `raw` names, or a number that is no slot.
    #[inline]
    #[must_use]
    pub fn slot(&self, raw: u8) -> u8 {
        self.entries[usize::from(raw)]
    }

    /// The slot of the PI that the PIH octet `raw` names.
    ///
    /// # Errors
    /// [`Drop::UnknownPi`] or [`Drop::UnknownVn`].
    #[inline]
    pub fn lookup(&self, raw: u8) -> Result<u8, Drop> {
        match self.entries[usize::from(raw)] {
            UNKNOWN_PI => Err(Drop::UnknownPi),
            UNKNOWN_VN => Err(Drop::UnknownVn),
            slot => Ok(slot),
        }
    }
}

const _: () = assert!(
    MAX_PIS < UNKNOWN_VN as usize,
    "slots and causes share an octet"
);

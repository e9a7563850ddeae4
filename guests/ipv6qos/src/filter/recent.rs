//! What rules said of late of packets with the same header: one cache line a packet, whatever the rules are.
//!
//! Most packets are like ones that came just before. Of those the rule is remembered by all that rules can look at in a
//! plain packet, compared as a whole, so that what is remembered is never another's. It holds as long as the same
//! rules and tables are in force, and nothing is cleared. Where packets are of more kinds than there is room for it is
//! in vain, so it is left alone for a while then, longer each time.
//!
//! Must never say what the rules would not.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

use crate::control::item::FilterAction;
use crate::packet::Alike;
use crate::rules::RuleId;

/// Lines: a quarter of a second-level cache of 1 MiB, as guests' cores have.
const LINES: usize = 1 << (u64::BITS - PLACE_SHIFT);
/// The highest 12 bits of a hash say where.
const PLACE_SHIFT: u32 = 52;
/// Most bursts for which it is left alone.
const MOST_PAUSE: u16 = 255;

/// What was found for a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The first rule that it matches.
    pub rule: Option<RuleId>,
    /// What that does: accept, if there is none.
    pub action: FilterAction,
}

/// A cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line {
    packet: Alike,
    /// Of which rules and tables; 0: nothing is remembered.
    as_of: u64,
    found: Found,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// [`LINES`], or none.
    lines: Vec<Line>,
    /// Bursts for which it is left alone from now on, and those of the last time.
    pause: u16,
    last_pause: u16,
}

impl Recent {
    /// Octets of the heap.
    pub const OCTETS: usize = LINES * size_of::<Line>();

    /// Makes room.
    pub fn prepare(&mut self) -> Result<(), TryReserveError> {
        if self.lines.is_empty() {
            self.lines.try_reserve_exact(LINES)?;
            let none = Line {
                packet: Alike::NONE,
                as_of: 0,
                found: Found {
                    rule: None,
                    action: FilterAction::Accept,
                },
            };
            self.lines.resize(LINES, none);
        }
        Ok(())
    }

    /// Whether it is to be asked for the packets of this burst.
    #[inline]
    pub fn is_asked(&mut self) -> bool {
        if self.pause > 0 {
            self.pause -= 1;
            return false;
        }
        !self.lines.is_empty()
    }

    /// Of so many packets of a burst that can be known so many were not.
    pub fn learn(&mut self, packets: usize, unknown: usize) {
        if packets == 0 {
            return;
        }
        if 2 * unknown > packets {
            self.last_pause = (2 * self.last_pause + 1).min(MOST_PAUSE);
            self.pause = self.last_pause;
        } else {
            self.last_pause = 0;
        }
    }

    /// What was found for packets like this one, if that is known and stands where it is looked for first.
    #[inline(always)]
    pub fn get(&self, packet: &Alike, as_of: u64) -> Option<Found> {
        let line = self.lines.get(place(packet))?;
        line.is(packet, as_of).then_some(line.found)
    }

    /// The same if it stands beside.
    pub fn get_beside(&self, packet: &Alike, as_of: u64) -> Option<Found> {
        let line = self.lines.get(place(packet) ^ 1)?;
        line.is(packet, as_of).then_some(line.found)
    }

    /// Remembers it, instead of the older of two.
    pub fn put(&mut self, packet: Alike, as_of: u64, found: Found) {
        let place = place(&packet);
        let new = Line {
            packet,
            as_of,
            found,
        };
        if let Some(line) = self.lines.get_mut(place) {
            let old = core::mem::replace(line, new);
            if old.as_of == as_of
                && !old.is(&packet, as_of)
                && let Some(beside) = self.lines.get_mut(place ^ 1)
            {
                *beside = old;
            }
        }
    }
}

/// Where a packet is or will be.
#[inline(always)]
fn place(packet: &Alike) -> usize {
    (packet.hash() >> PLACE_SHIFT) as usize
}

impl Line {
    #[inline(always)]
    fn is(&self, packet: &Alike, as_of: u64) -> bool {
        self.packet.is(packet) & (self.as_of == as_of)
    }
}

const _: () = assert!(size_of::<Line>() == 64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vn::{InterfaceId, Vn};
    use core::num::NonZeroU16;
    use pinode_guest_runtime::VifIndex;

    fn packet(number: u32) -> Alike {
        let mut octets = [0; 60];
        octets[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 20, 17, 64]);
        octets[12..16].copy_from_slice(&number.to_be_bytes());
        Alike::plain(&octets, InterfaceId::new(VifIndex(0), Vn::default()), false).unwrap()
    }

    fn found(number: u32) -> Found {
        Found {
            rule: NonZeroU16::new(number as u16).map(RuleId::for_tests),
            action: FilterAction::Drop,
        }
    }

    #[test]
    fn it_knows_what_it_was_told_and_of_which_rules() {
        let mut recent = Recent::default();
        assert!(!recent.is_asked());
        recent.prepare().unwrap();
        assert!(recent.is_asked());
        for number in 0..10_000 {
            let packet = packet(number);
            assert_eq!(recent.get(&packet, 1), None);
            recent.put(packet, 1, found(number % 3));
            assert_eq!(recent.get(&packet, 1), Some(found(number % 3)));
            assert_eq!(recent.get(&packet, 2), None);
        }
        let known = (0..10_000u32).filter(|number| {
            let packet = packet(*number);
            let known = recent
                .get(&packet, 1)
                .or_else(|| recent.get_beside(&packet, 1));
            assert!(known.is_none() || known == Some(found(number % 3)));
            known.is_some()
        });
        assert!(known.count() > 3500);
    }

    #[test]
    fn the_older_of_two_goes() {
        let mut recent = Recent::default();
        recent.prepare().unwrap();
        let same = (1u32..).filter(|number| place(&packet(*number)) == 7);
        let same: Vec<u32> = same.take(3).collect();
        for (number, of) in (1..).zip(&same) {
            recent.put(packet(*of), 1, found(number));
            recent.put(packet(*of), 1, found(number));
        }
        let get = |number: usize| {
            let packet = packet(same[number - 1]);
            recent
                .get(&packet, 1)
                .or_else(|| recent.get_beside(&packet, 1))
        };
        assert_eq!(
            (get(1), get(2), get(3)),
            (None, Some(found(2)), Some(found(3)))
        );
    }

    /// In vain: asked once in 256 bursts in the end; again each time once most packets are known.
    #[test]
    fn it_is_left_alone_for_longer_each_time_that_it_was_in_vain() {
        let mut recent = Recent::default();
        recent.prepare().unwrap();
        let mut gaps = Vec::new();
        for _ in 0..12 {
            let mut gap = 0;
            while !recent.is_asked() {
                gap += 1;
            }
            gaps.push(gap);
            recent.learn(64, 33);
        }
        assert_eq!(gaps, [0, 1, 3, 7, 15, 31, 63, 127, 255, 255, 255, 255]);
        for _ in 0..255 {
            assert!(!recent.is_asked());
        }
        for _ in 0..3 {
            assert!(recent.is_asked());
            recent.learn(64, 32);
        }
        recent.learn(64, 64);
        // Nothing to learn from.
        recent.learn(0, 0);
        assert!(!recent.is_asked() && recent.is_asked());
        recent.learn(64, 64);
        assert!(!recent.is_asked() && !recent.is_asked());
    }
}

//! Per-hop behaviours: what level 2 of the host does with a code point, and what that says of a packet.
//!
//! | class | code points | level 2 of the host |
//! |---|---|---|
//! | `nc` | CS6 | first, policed |
//! | `rt` | EF (RFC 3246), VOICE-ADMIT (RFC 5865), CS5, CS4 | next, policed |
//! | `as.1` | AF11, AF21, AF31, AF41 (RFC 2597), CS3, CS2 | by weight, drop precedence 1 |
//! | `as.2` | AF12, AF22, AF32, AF42 | drop precedence 2 |
//! | `as.3` | AF13, AF23, AF33, AF43 | drop precedence 3 |
//! | `be` | DF and all others | by weight |
//! | `le` | LE (RFC 8622) | with `be`, dropped before it |
//!
//! CS7 is best effort like any code point that nothing was agreed for: RFC 4594 3.2 keeps it for later use. Must never
//! differ from what the host does: `tests/diffserv/host.rs` holds it against the host's code.

use super::meter::Colour;

/// What becomes of a packet at level 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Phb {
    /// Network control.
    Nc,
    /// Real time.
    Rt,
    /// Assured, drop precedence 1.
    As1,
    /// Assured, drop precedence 2.
    As2,
    /// Assured, drop precedence 3.
    As3,
    /// Best effort.
    Be,
    /// Lower effort.
    Le,
}

/// By code point.
const PHBS: [Phb; 64] = {
    let mut phbs = [Phb::Be; 64];
    phbs[48] = Phb::Nc; // CS6
    phbs[46] = Phb::Rt; // EF
    phbs[44] = Phb::Rt; // VOICE-ADMIT
    phbs[40] = Phb::Rt; // CS5
    phbs[32] = Phb::Rt; // CS4
    phbs[24] = Phb::As1; // CS3
    phbs[16] = Phb::As1; // CS2
    let mut class = 1;
    while class <= 4 {
        phbs[8 * class + 2] = Phb::As1;
        phbs[8 * class + 4] = Phb::As2;
        phbs[8 * class + 6] = Phb::As3;
        class += 1;
    }
    phbs[1] = Phb::Le;
    phbs
};

impl Phb {
    /// All, in the order in which they are listed.
    pub const ALL: [Phb; 7] = [
        Phb::Nc,
        Phb::Rt,
        Phb::As1,
        Phb::As2,
        Phb::As3,
        Phb::Be,
        Phb::Le,
    ];

    /// What becomes of packets with this traffic class.
    #[inline]
    pub const fn of(traffic_class: u8) -> Self {
        // Six bits are left.
        PHBS[(traffic_class >> 2) as usize]
    }

    /// Its name in counters.
    pub const fn name(self) -> &'static str {
        match self {
            Phb::Nc => "nc",
            Phb::Rt => "rt",
            Phb::As1 => "as.1",
            Phb::As2 => "as.2",
            Phb::As3 => "as.3",
            Phb::Be => "be",
            Phb::Le => "le",
        }
    }

    /// The colour that a packet comes with: its drop precedence in an AF class; green where it has none.
    #[inline]
    pub const fn colour(self) -> Colour {
        match self {
            Phb::As2 => Colour::Yellow,
            Phb::As3 => Colour::Red,
            _ => Colour::Green,
        }
    }
}

/// `dscp` with the drop precedence of `colour`, if it is of an AF class (RFC 2597 6); else as it is.
#[inline]
pub const fn with_precedence(dscp: u8, colour: Colour) -> u8 {
    let (class, precedence) = (dscp >> 3, dscp & 0b111);
    let assured = class >= 1 && class <= 4 && matches!(precedence, 2 | 4 | 6);
    if assured {
        class << 3 | (colour as u8 + 1) << 1
    } else {
        dscp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedences_are_those_of_rfc_2597() {
        let af = |class: u8, precedence: u8| class << 3 | precedence << 1;
        for dscp in 0..64 {
            let class = (1..=4).find(|class| (1..=3).any(|p| af(*class, p) == dscp));
            for (precedence, colour) in (1..).zip(Colour::ALL) {
                let expected = class.map_or(dscp, |class| af(class, precedence));
                assert_eq!(with_precedence(dscp, colour), expected);
                if class.is_some() {
                    assert_eq!(Phb::of(expected << 2 | 0b11).colour(), colour);
                }
            }
            if class.is_none() {
                assert_eq!(Phb::of(dscp << 2).colour(), Colour::Green, "{dscp}");
            }
        }
    }
}

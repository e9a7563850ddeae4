//! What a PDU begins with: a label stack entry (RFC 3032 2.1) and a control word (RFC 4385 3), as one number.

/// Lowest label that is no special-purpose one (RFC 7274 2.1).
pub const LABEL_LEAST: u32 = 16;
/// Highest label: 20 bits.
pub const LABEL_MOST: u32 = (1 << 20) - 1;
/// The label of what each switch on the way looks at (RFC 3032 2.1).
pub(crate) const ROUTER_ALERT: u32 = 1;

/// Traffic class of signalling: network control (RFC 5462, as CS6).
const SIGNALLING_CLASS: u64 = 6;
/// A PDU of signalling goes no further than the other end of the link.
const SIGNALLING_TTL: u64 = 1;
/// Shortest PDU whose length is not said: with the control word it fills the shortest frame (RFC 4385 3).
const UNSAID: usize = 64;
const CONTROL_WORD: usize = 4;

/// The eight octets, the first the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header(pub u64);

impl Header {
    const BOTTOM: u64 = 1 << 40;
    const NIBBLE: u64 = 0xf << 28;
    /// Label bits above those of special-purpose labels.
    const ORDINARY: u64 = 0xffff << 48;

    #[inline(always)]
    pub(crate) const fn label(self) -> u32 {
        (self.0 >> 44) as u32
    }

    /// Whether it is the last entry of its label stack.
    pub(crate) const fn is_bottom(self) -> bool {
        self.0 & Self::BOTTOM != 0
    }

    pub(crate) const fn ttl(self) -> u8 {
        (self.0 >> 32) as u8
    }

    /// Whether what follows the label stack is a control word of data.
    pub(crate) const fn has_control_word(self) -> bool {
        self.0 & Self::NIBBLE == 0
    }

    /// Whether nothing in it keeps the frame from going where its label leads.
    #[inline(always)]
    pub(crate) const fn may_go(self) -> bool {
        self.0 & (Self::BOTTOM | Self::NIBBLE) == Self::BOTTOM
            && self.0 & Self::ORDINARY != 0
            && self.ttl() > 1
    }

    /// The sequence number; 0: not used.
    #[inline(always)]
    pub(crate) const fn sequence(self) -> u16 {
        self.0 as u16
    }

    /// Its label stack entry with another label and one less of TTL, which is not 0.
    #[inline(always)]
    pub(crate) const fn switched(self, label: u32) -> [u8; 4] {
        let entry = (self.0 >> 32) as u32;
        (label << 12 | (entry & 0xfff).wrapping_sub(1)).to_be_bytes()
    }

    /// Octets of the payload of `behind` that there are behind the header: without what the link padded, if the length
    /// is said. None, if that cannot be.
    pub(crate) fn payload(self, behind: usize) -> Option<usize> {
        match usize::from((self.0 >> 16) as u8 & 0x3f) {
            0 => Some(behind),
            said => said
                .checked_sub(CONTROL_WORD)
                .filter(|said| *said <= behind),
        }
    }

    /// That of signalling with `octets` of payload.
    pub(crate) const fn signalling(octets: usize) -> Self {
        let said = if octets + CONTROL_WORD < UNSAID {
            (octets + CONTROL_WORD) as u64
        } else {
            0
        };
        Header(
            (ROUTER_ALERT as u64) << 44
                | SIGNALLING_CLASS << 41
                | Self::BOTTOM
                | SIGNALLING_TTL << 32
                | said << 16,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_where_the_standards_have_them() {
        // Label 0x12345, TC 5, S 1, TTL 64; 0000, flags 0xa, FRG 0, length 20, sequence 0x4321.
        let header = Header(u64::from_be_bytes([
            0x12, 0x34, 0x5b, 0x40, 0x0a, 0x14, 0x43, 0x21,
        ]));
        assert_eq!(header.label(), 0x12345);
        assert!(header.is_bottom() && header.has_control_word() && header.may_go());
        assert_eq!((header.ttl(), header.sequence()), (64, 0x4321));
        assert_eq!(header.payload(100), Some(16));
        assert_eq!(header.payload(15), None);
        assert_eq!(header.switched(0xfffff), [0xff, 0xff, 0xfb, 0x3f]);
    }

    #[test]
    fn what_must_not_go_does_not() {
        let good = 0x0001_0140_0000_0000;
        assert!(Header(good).may_go());
        for wrong in [
            good & !(1 << 40),
            good | 1 << 31,
            good | 1 << 28,
            good & !(0xff << 32),
            (good & !(0xff << 32)) | 1 << 32,
            good >> 4,
        ] {
            assert!(!Header(wrong).may_go(), "{wrong:#x}");
        }
    }

    #[test]
    fn signalling_says_its_length_where_a_link_may_pad() {
        for octets in 0..200 {
            let header = Header::signalling(octets);
            assert!(header.is_bottom() && header.has_control_word());
            assert_eq!((header.label(), header.ttl(), header.sequence()), (1, 1, 0));
            let padded = if octets < 60 { 100 } else { octets };
            assert_eq!(header.payload(padded), Some(octets));
        }
    }
}

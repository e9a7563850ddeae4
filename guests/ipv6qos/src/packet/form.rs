//! Frames as the guest sees them: Ethernet header, PIH if there is one, IPv6 packet.
//!
//! The 16 octets that a frame begins with are read and written at once: with a PIH that is all in front of the packet
//! and its first octet, without one the packet's first two. The path of a frame looks at no more of most frames than
//! their [`Start`], whose length is known when it is compiled, so that nothing in it need be checked.

use pinode_guest_runtime::Config;

use super::header::OCTETS;
use crate::control::item::Mac;
use crate::vn::Vn;

/// A frame up to the end of its IPv6 header: [`PLAIN`] octets, or [`MARKED`].
pub type Start<const OCTETS: usize> = [u8; OCTETS];
/// Octets up to the end of the IPv6 header, without a PIH.
pub const PLAIN: usize = ETHERNET + OCTETS;
/// The same with a PIH.
pub const MARKED: usize = PLAIN + 1;
/// Octets that are written at once.
pub const HEAD: usize = 16;
/// Octets of addresses and EtherType.
const ETHERNET: usize = 14;

/// A station's address as the lowest 48 bits of a number, in the order in which a frame's octets are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Station(u64);

impl Station {
    const BITS: u64 = (1 << 48) - 1;
    /// No frame's destination.
    pub const NOBODY: Self = Station(u64::MAX);
    /// The group bit of the first octet.
    const GROUP: u64 = 1;

    /// A MAC address.
    #[inline]
    pub const fn of(mac: Mac) -> Self {
        let [a, b, c, d, e, f] = mac.0;
        Station(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }

    /// The destination of a frame.
    #[inline]
    pub const fn destination(head: u128) -> Self {
        Station(head as u64 & Self::BITS)
    }

    /// The source of a frame.
    #[inline]
    pub const fn source(head: u128) -> Self {
        Station((head >> 48) as u64 & Self::BITS)
    }

    /// What a frame to it begins with.
    #[inline]
    pub const fn head(self, template: u128) -> u128 {
        template | self.0 as u128
    }

    /// Whether it is a group's.
    #[inline]
    pub const fn is_group(self) -> bool {
        self.0 & Self::GROUP != 0
    }

    /// The MAC address.
    pub const fn mac(self) -> Mac {
        let [a, b, c, d, e, f, _, _] = self.0.to_le_bytes();
        Mac([a, b, c, d, e, f])
    }
}

/// The form of all frames of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Where the packet begins.
    pub at: usize,
    /// Bits of the last four octets of the head that tell IPv6 packets of this PI from all else, and what they are
    /// then.
    mask: u32,
    expected: u32,
    /// Bits of a PIH that say the virtual network; none, if there is no PIH.
    vn_mask: u8,
    /// The virtual network where there is no PIH.
    vn: u8,
    ethertype: u16,
    code: Option<u8>,
}

impl Form {
    /// The form of a guest's frames; `own` is their virtual network where they have no PIH.
    pub fn of(config: &Config, own: Vn) -> Self {
        let [high, low] = config.ethertype.to_be_bytes();
        let (at, mask, expected) = match config.code {
            Some(code) => (
                ETHERNET + 1,
                [0xff, 0xff, 0xe0, 0xf0],
                [high, low, code << 5, 0x60],
            ),
            None => (ETHERNET, [0xff, 0xff, 0xf0, 0], [high, low, 0x60, 0]),
        };
        let has_pih = config.code.is_some();
        Form {
            at,
            mask: u32::from_le_bytes(mask),
            expected: u32::from_le_bytes(expected),
            vn_mask: if has_pih { 0x1f } else { 0 },
            vn: if has_pih { 0 } else { own.get() },
            ethertype: config.ethertype,
            code: config.code,
        }
    }

    /// Whether there is a PIH.
    #[inline]
    pub const fn has_pih(&self) -> bool {
        self.code.is_some()
    }

    /// The head of a frame; of a shorter one what there is.
    #[inline]
    pub fn head(octets: &[u8]) -> u128 {
        match octets.first_chunk() {
            Some(head) => u128::from_le_bytes(*head),
            None => 0,
        }
    }

    /// Whether EtherType, PI code and IP version are right.
    #[inline]
    pub const fn is_ours(&self, head: u128) -> bool {
        Self::last_four(head) & self.mask == self.expected
    }

    /// What [`is_ours`](Self::is_ours) looks at, and the virtual network: bits that count, and what they are.
    pub fn of_vn(&self, vn: Vn) -> (u32, u32) {
        let place = |bits: u8| u32::from(bits) << 16;
        (
            self.mask | place(self.vn_mask),
            self.expected | place(vn.get() & self.vn_mask),
        )
    }

    /// The last four octets of a head.
    #[inline]
    pub const fn last_four(head: u128) -> u32 {
        (head >> 96) as u32
    }

    /// Whether EtherType and PI code are right.
    pub const fn is_framed(&self, head: u128) -> bool {
        let before = (1 << ((self.at - 12) * 8)) - 1;
        ((head >> 96) as u32 ^ self.expected) & self.mask & before == 0
    }

    /// The virtual network of a frame.
    #[inline]
    pub const fn vn(&self, head: u128) -> Vn {
        Vn::of_pih((head >> (14 * 8)) as u8 & self.vn_mask | self.vn)
    }

    /// What frames that `source` sends in `vn` begin with, but for the destination.
    pub fn template(&self, source: Mac, vn: Vn) -> u128 {
        let mut head = [0; HEAD];
        head[6..12].copy_from_slice(&source.0);
        head[12..14].copy_from_slice(&self.ethertype.to_be_bytes());
        if let Some(code) = self.code {
            head[14] = code << 5 | vn.get();
        }
        u128::from_le_bytes(head)
    }

    /// Writes what a frame begins with. The packet is untouched, and so is a frame that is too short for one.
    pub fn rewrite(&self, octets: &mut [u8], head: u128) {
        if self.has_pih() {
            if let Some(start) = octets.first_chunk_mut::<MARKED>() {
                rewrite(start, head);
            }
        } else if let Some(start) = octets.first_chunk_mut::<PLAIN>() {
            rewrite(start, head);
        }
    }
}

/// Writes what a frame begins with. The packet is untouched.
#[inline(always)]
pub fn rewrite<const START: usize>(start: &mut Start<START>, head: u128) {
    let behind = u128::MAX << ((START - OCTETS) * 8);
    if let Some(octets) = start.first_chunk_mut::<HEAD>() {
        *octets = (u128::from_le_bytes(*octets) & behind | head).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const VN: Vn = Vn::of_pih(5);

    fn form(code: Option<u8>) -> Form {
        let config =
            serde_json::json!({ "function": "", "vifs": [], "code": code, "ethertype": 0x88b5 });
        Form::of(&serde_json::from_value(config).unwrap(), VN)
    }

    #[test]
    fn a_head_is_rewritten_and_the_packet_is_not() {
        for code in [Some(1), None] {
            let form = form(code);
            let mut octets: Vec<u8> = (100..160).collect();
            let before = octets.clone();
            let template = form.template(Mac([2, 0, 0, 0, 0, 9]), VN);
            let station = Station::of(Mac([2, 1, 2, 3, 4, 5]));
            form.rewrite(&mut octets, station.head(template));
            let mut expected = [2, 1, 2, 3, 4, 5, 2, 0, 0, 0, 0, 9, 0x88, 0xb5].to_vec();
            expected.extend(code.map(|code| code << 5 | 5));
            assert_eq!(octets[..form.at], expected);
            assert_eq!(octets[form.at..], before[form.at..]);
            octets[form.at] = 0x6f;
            let head = Form::head(&octets);
            assert!(form.is_ours(head) && form.is_framed(head));
            assert_eq!(form.vn(head), VN);
            assert_eq!(Station::destination(head).mac(), Mac([2, 1, 2, 3, 4, 5]));
            octets[form.at] = 0x4f;
            let head = Form::head(&octets);
            assert!(!form.is_ours(head) && form.is_framed(head));
            octets[12] = 0x86;
            assert!(!form.is_framed(Form::head(&octets)));
        }
    }

    #[test]
    fn another_pi_is_not_ours() {
        let form = form(Some(1));
        let mut octets = [0; 16];
        octets[12..].copy_from_slice(&[0x88, 0xb5, 0x20, 0x60]);
        assert!(form.is_ours(Form::head(&octets)));
        octets[14] = 0x40;
        assert!(!form.is_framed(Form::head(&octets)));
        assert!(!form.is_ours(Form::head(&octets[..15])));
    }
}

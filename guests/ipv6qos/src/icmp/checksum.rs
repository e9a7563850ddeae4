//! The Internet checksum (RFC 1071) with the pseudo-header of IPv6 (RFC 8200 8.1).
//!
//! Sums eight octets at a time: a one's complement sum may be taken in any word size that is folded at the end
//! (RFC 1071 2 B), and in any byte order (2 B).

use crate::packet::fields::protocol;

/// The one's complement sum of `octets` as 16-bit words in network order, padded with a 0; folded to 16 bits.
#[inline]
pub fn sum(octets: &[u8]) -> u16 {
    let mut chunks = octets.chunks_exact(8);
    let mut total = 0u64;
    for chunk in &mut chunks {
        total = add(total, word(chunk));
    }
    total = add(total, word(chunks.remainder()));
    fold(total)
}

/// Up to eight octets, the missing ones 0.
#[inline]
fn word(octets: &[u8]) -> u64 {
    let mut padded = [0; 8];
    for (to, from) in padded.iter_mut().zip(octets) {
        *to = *from;
    }
    u64::from_be_bytes(padded)
}

/// With the carry brought round.
#[inline]
fn add(a: u64, b: u64) -> u64 {
    let (sum, carry) = a.overflowing_add(b);
    sum.wrapping_add(u64::from(carry))
}

#[inline]
fn fold(total: u64) -> u16 {
    let total = (total >> 32) + (total & 0xffff_ffff);
    let total = (total >> 32) + (total & 0xffff_ffff);
    let total = (total >> 16) + (total & 0xffff);
    let total = (total >> 16) + (total & 0xffff);
    // Folded twice: 16 bits are left.
    total as u16
}

/// The checksum of an ICMPv6 `message` from `source` to `destination` (RFC 4443 2.3), its checksum field as it is:
/// 0 to compute it; as received, the result is 0 if it is right.
#[inline]
pub fn icmpv6(source: u128, destination: u128, message: &[u8]) -> u16 {
    let mut pseudo = [0; 40];
    pseudo[..16].copy_from_slice(&source.to_be_bytes());
    pseudo[16..32].copy_from_slice(&destination.to_be_bytes());
    // A packet has 16 bits of length.
    pseudo[32..36].copy_from_slice(&(message.len() as u32).to_be_bytes());
    pseudo[39] = protocol::ICMPV6;
    let total = u32::from(sum(&pseudo)) + u32::from(sum(message));
    !fold(u64::from(total))
}

/// Sets the checksum of an ICMPv6 `message` of 4 octets or more.
pub fn seal(source: u128, destination: u128, message: &mut [u8]) {
    if let Some(field) = message.get_mut(2..4) {
        field.fill(0);
    }
    let checksum = icmpv6(source, destination, message);
    if let Some(field) = message.get_mut(2..4) {
        field.copy_from_slice(&checksum.to_be_bytes());
    }
}

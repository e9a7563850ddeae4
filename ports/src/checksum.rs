//! Internet checksums that a local stack left for hardware to finish (RFC 1071, RFC 9293 3.1, RFC 768).
//!
//! A stack that sends over veth or virtio may leave the sum of the pseudo header in the checksum field
//! and expects the device to add the rest. A port is that device. Must never change a frame whose
//! checksum is right.

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_TAG: u16 = 0x8100;

/// Big-endian 16 bits at an offset.
pub(crate) fn be16(octets: &[u8], at: usize) -> Option<u16> {
    octets
        .get(at..at + 2)?
        .try_into()
        .ok()
        .map(u16::from_be_bytes)
}

/// Writes big-endian 16 bits at an offset; nothing where the frame ends before.
pub(crate) fn set_be16(octets: &mut [u8], at: usize, value: u16) {
    if let Some(field) = octets.get_mut(at..at + 2) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}

/// Sum of 16-bit words, the last odd octet padded with zero; not folded.
pub(crate) fn sum(octets: &[u8]) -> u64 {
    let mut words = octets.chunks_exact(2);
    let total: u64 = words
        .by_ref()
        .map(|w| u64::from(u16::from_be_bytes([w[0], w[1]])))
        .sum();
    total
        + words
            .remainder()
            .first()
            .map_or(0, |last| u64::from(*last) << 8)
}

/// Folds a sum to 16 bits with end-around carry.
pub(crate) fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Where the internet headers of a frame lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Internet {
    /// Offset of the IP header.
    pub(crate) ip: usize,
    /// Offset of the TCP or UDP header.
    pub(crate) transport: usize,
    /// Octets from there on, as the IP header says.
    pub(crate) transport_len: usize,
    /// [`TCP`] or [`UDP`].
    pub(crate) protocol: u8,
    /// IPv4; IPv6 otherwise.
    pub(crate) v4: bool,
}

impl Internet {
    /// Finds TCP or UDP directly behind IPv4 or IPv6, untagged or with one tag. `None` for anything
    /// else, fragments and truncated packets included.
    pub(crate) fn find(frame: &[u8]) -> Option<Self> {
        let (mut ethertype, mut ip) = (be16(frame, 12)?, 14);
        if ethertype == ETHERTYPE_TAG {
            (ethertype, ip) = (be16(frame, 16)?, 18);
        }
        let packet = frame.get(ip..)?;
        let (protocol, header, len, v4) = match ethertype {
            ETHERTYPE_IPV4 => {
                let first = *packet.first()?;
                let header = usize::from(first & 0xf) * 4;
                // RFC 791 3.1: version 4, at least five words; more-fragments and offset are zero.
                if first >> 4 != 4 || header < 20 || be16(packet, 6)? & 0x3fff != 0 {
                    return None;
                }
                let len = usize::from(be16(packet, 2)?).checked_sub(header)?;
                (*packet.get(9)?, header, len, true)
            }
            ETHERTYPE_IPV6 => {
                if packet.first()? >> 4 != 6 {
                    return None;
                }
                (*packet.get(6)?, 40, usize::from(be16(packet, 4)?), false)
            }
            _ => return None,
        };
        let least = if protocol == TCP { 20 } else { 8 };
        let known = protocol == TCP || protocol == UDP;
        if !known || len < least || packet.len() < header + len {
            return None;
        }
        Some(Self {
            ip,
            transport: ip + header,
            transport_len: len,
            protocol,
            v4,
        })
    }

    /// Offset of the checksum field.
    pub(crate) fn checksum_field(&self) -> usize {
        self.transport + if self.protocol == TCP { 16 } else { 6 }
    }

    /// Folded sum of the pseudo header (RFC 9293 3.1, RFC 8200 8.1) for `len` transport octets.
    pub(crate) fn pseudo_sum(&self, frame: &[u8], len: usize) -> u16 {
        let (from, octets) = if self.v4 { (12, 8) } else { (8, 32) };
        let start = self.ip + from;
        let addresses = frame.get(start..start + octets).map_or(0, sum);
        fold(addresses + u64::from(self.protocol) + len as u64)
    }
}

/// Finishes a checksum: the ones' complement of the sum from `start` to the end goes to `start + offset`,
/// where the sum of the pseudo header lies. False, and nothing done: the field is outside the frame.
pub(crate) fn complete(frame: &mut [u8], start: usize, offset: usize) -> bool {
    let at = start.saturating_add(offset);
    let Some(covered) = frame.get(start..) else {
        return false;
    };
    if at.saturating_add(2) > frame.len() {
        return false;
    }
    // Zero means "no checksum" in UDP (RFC 768); its other form is equal elsewhere.
    let checksum = match !fold(sum(covered)) {
        0 => 0xffff,
        value => value,
    };
    set_be16(frame, at, checksum);
    true
}

/// Finishes a checksum that is still the bare sum of the pseudo header. True: the frame was changed.
///
/// For ports that are not told which checksums are partial. A right checksum that happens to equal that
/// sum comes out unchanged: then the rest of the segment sums to zero.
pub(crate) fn complete_if_bare(frame: &mut [u8]) -> bool {
    let Some(found) = Internet::find(frame) else {
        return false;
    };
    let at = found.checksum_field();
    let Some(field) = be16(frame, at) else {
        return false;
    };
    if field != found.pseudo_sum(frame, found.transport_len) {
        return false;
    }
    let end = found.transport + found.transport_len;
    match frame.get_mut(..end) {
        Some(packet) => {
            complete(packet, found.transport, at - found.transport)
                && be16(frame, at) != Some(field)
        }
        None => false,
    }
}

#[cfg(test)]
#[path = "checksum_tests.rs"]
pub(crate) mod tests;

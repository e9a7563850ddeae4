//! Frames of the Parallel Internets, built octet by octet, with a stream and a sequence number inside.
//!
//! Knows the wire format from the documents, not from the product's code, so that both can be wrong only apart.

/// EtherType of frames with a PIH (IEEE local experimental 1).
pub const ETHERTYPE: u16 = 0x88B5;
/// Octets before the Parallel Internet Header: destination, source, EtherType.
pub const ETHERNET_HEADER: usize = 14;
/// Smallest frame that carries a numbered payload: header, PIH, stream and sequence number.
pub const SMALLEST_NUMBERED: usize = ETHERNET_HEADER + 1 + 8;
/// The three Parallel Internets by name and PI code.
pub const PIS: [(&str, u8); 3] = [("ipv6qos", 1), ("can", 2), ("dss", 3)];

/// The PIH octet: PI code in bits 7..5, virtual network in bits 4..0.
#[must_use]
pub fn pih(code: u8, vn: u8) -> u8 {
    (code << 5) | (vn & 0x1f)
}

/// A frame of `size` octets (without FCS, at least [`SMALLEST_NUMBERED`]) with EtherType, PIH, sequence number, and
/// octets that follow from all of these, so that any change on the way shows.
#[must_use]
pub fn numbered(code: u8, vn: u8, sequence: u64, size: usize) -> Vec<u8> {
    assert!(
        size >= SMALLEST_NUMBERED,
        "a numbered frame needs {SMALLEST_NUMBERED} octets"
    );
    let mut frame = Vec::with_capacity(size);
    frame.extend_from_slice(&[0x02, 0, 0, 0, 0x0e, code]);
    frame.extend_from_slice(&[0x02, 0, 0, 0, 0x0a, vn]);
    frame.extend_from_slice(&ETHERTYPE.to_be_bytes());
    frame.push(pih(code, vn));
    frame.extend_from_slice(&sequence.to_be_bytes());
    let mut state = sequence
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(u64::from(pih(code, vn)) << 32)
        | 1;
    while frame.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        frame.push((state >> 24) as u8);
    }
    frame
}

/// PIH and sequence number of a frame that [`numbered`] built; `None` for any other.
#[must_use]
pub fn number_of(frame: &[u8]) -> Option<(u8, u64)> {
    if frame.get(12..14)? != ETHERTYPE.to_be_bytes() {
        return None;
    }
    let sequence = u64::from_be_bytes(frame.get(15..23)?.try_into().ok()?);
    Some((*frame.get(14)?, sequence))
}

/// True if `frame` is exactly what [`numbered`] builds for its PIH, number and size.
#[must_use]
pub fn intact(frame: &[u8]) -> bool {
    match number_of(frame) {
        Some((pih, sequence)) => numbered(pih >> 5, pih & 0x1f, sequence, frame.len()) == frame,
        None => false,
    }
}

/// A frame of `size` octets with any EtherType and zero payload.
#[must_use]
pub fn plain(ethertype: u16, payload: &[u8], size: usize) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0x0e, 0, 0x02, 0, 0, 0, 0x0a, 0];
    frame.extend_from_slice(&ethertype.to_be_bytes());
    frame.extend_from_slice(payload);
    frame.resize(size.max(frame.len()), 0);
    frame
}

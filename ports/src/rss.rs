//! Which queue a frame belongs to: receive-side scaling by the Toeplitz hash, as NICs do it (Microsoft,
//! "RSS hashing types" and "RSS hashing functions"; the key is the one of its verification suite).
//!
//! Must never send two frames of one flow to different queues, for what is in one queue stays in order.
//! So it reads only what every frame of a flow has alike:
//!
//! | frame | hashed |
//! |---|---|
//! | IPv6, plain or behind a PIH, TCP right behind its header | source and destination address, both ports |
//! | any other IPv6 (UDP too, whose fragments carry no ports) | source and destination address |
//! | everything else | destination and source MAC, EtherType, the octet behind it (a trunk's PIH) |
//!
//! What a PIH is followed by is taken for IPv6 where version and length say so. Of another PDU nothing is
//! read: a counter in its header would scatter a flow.

/// Entries of the indirection table: the low seven bits of the hash choose one.
pub const INDIRECTION: usize = 128;

/// Octets of the longest input: two IPv6 addresses and two ports.
const LONGEST: usize = 36;

/// The secret of the verification suite, LONGEST + 4 octets.
const KEY: [u8; LONGEST + 4] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0,
    0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c,
    0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
];

/// Hash of every value of every half octet: 4.5 KiB, which stay in the level 1 cache.
static HALVES: [[u32; 16]; 2 * LONGEST] = halves();

/// The 32 bits of the key from bit `from` on.
const fn window(from: usize) -> u32 {
    let (octet, shift) = (from / 8, from % 8);
    let mut bits = 0u64;
    let mut i = 0;
    while i < 5 {
        let next = if octet + i < KEY.len() {
            KEY[octet + i]
        } else {
            0
        };
        bits = bits << 8 | next as u64;
        i += 1;
    }
    (bits >> (8 - shift)) as u32
}

const fn halves() -> [[u32; 16]; 2 * LONGEST] {
    let mut table = [[0; 16]; 2 * LONGEST];
    let mut half = 0;
    while half < 2 * LONGEST {
        let mut value = 0;
        while value < 16 {
            let mut bit = 0;
            while bit < 4 {
                if value & (8 >> bit) != 0 {
                    table[half][value] ^= window(4 * half + bit);
                }
                bit += 1;
            }
            value += 1;
        }
        half += 1;
    }
    table
}

/// The Toeplitz hash of up to 36 octets (what is behind them is not hashed).
#[must_use]
pub fn toeplitz(input: &[u8]) -> u32 {
    let pairs = HALVES.chunks_exact(2).zip(input);
    pairs.fold(0, |hash, (pair, octet)| match pair {
        [high, low] => hash ^ high[usize::from(octet >> 4)] ^ low[usize::from(octet & 15)],
        _ => hash,
    })
}

/// A port's indirection table.
///
/// ```
/// use pinode_ports::Rss;
/// let rss = Rss::new(2);
/// let mut frame = [0u8; 60];
/// let queue = rss.queue(&frame);
/// assert!(queue < 2);
/// frame[40] = 1; // payload
/// assert_eq!(rss.queue(&frame), queue);
/// ```
#[derive(Debug, Clone)]
pub struct Rss {
    table: [u16; INDIRECTION],
}

impl Rss {
    /// Spreads over `queues` queues (at least 1, at most 65536) in turn.
    #[must_use]
    pub fn new(queues: usize) -> Self {
        let queues = queues.clamp(1, 1 << 16);
        Self {
            table: std::array::from_fn(|entry| (entry % queues) as u16),
        }
    }

    /// The queue of a frame, octets without FCS. Costs about 30 ns for IPv6 (benches/memory.rs).
    #[must_use]
    pub fn queue(&self, frame: &[u8]) -> usize {
        let entry = hash(frame) as usize % INDIRECTION;
        self.table.get(entry).map_or(0, |queue| usize::from(*queue))
    }
}

/// Hash of a frame: see the head of this file.
fn hash(frame: &[u8]) -> u32 {
    const BEHIND_ETHERTYPE: usize = 14;
    const PIH: usize = 1;
    const IPV6: [u8; 2] = [0x86, 0xdd];
    let packet = match frame.get(12..14) {
        Some(ethertype) if ethertype == IPV6 => frame.get(BEHIND_ETHERTYPE..),
        Some(_) => frame.get(BEHIND_ETHERTYPE + PIH..),
        None => None,
    };
    match packet.and_then(ipv6_flow) {
        Some(flow) => toeplitz(flow),
        None => toeplitz(frame.get(..BEHIND_ETHERTYPE + PIH).unwrap_or(frame)),
    }
}

/// Addresses and, of TCP, ports of an IPv6 packet (RFC 8200 3), which lie behind each other.
fn ipv6_flow(packet: &[u8]) -> Option<&[u8]> {
    const HEADER: usize = 40;
    const ADDRESSES: std::ops::Range<usize> = 8..HEADER;
    const PORTS: usize = 4;
    const TCP: u8 = 6;
    // A frame below the smallest of Ethernet (IEEE 802.3 3.2.8) is padded: less the header and a PIH.
    const PADDED: usize = 60 - 15;
    let header = packet.get(..HEADER)?;
    let length = HEADER + usize::from(u16::from_be_bytes([header[4], header[5]]));
    let fits = length == packet.len() || length < packet.len() && packet.len() <= PADDED + 1;
    if header[0] >> 4 != 6 || !fits {
        return None;
    }
    let ports = if header[6] == TCP { PORTS } else { 0 };
    packet.get(ADDRESSES.start..ADDRESSES.end + ports)
}

#[cfg(test)]
#[path = "rss_tests.rs"]
mod tests;

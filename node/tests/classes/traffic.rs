//! Sources that know no clock, and what becomes of their frames.

use std::collections::BTreeMap;

use super::rig::ETHERTYPE;

/// Octets of a frame in front of its IPv6 packet: Ethernet, PIH.
const IPV6_AT: usize = 15;
const NEXT_HEADER_AT: usize = IPV6_AT + 6;
/// Where the source writes who it is, which frame it is, and when that was due: behind the UDP header.
const MARK_AT: usize = IPV6_AT + 40 + 8;
const FCS: usize = 4;
/// Preamble and gap, octets.
const OVERHEAD: u64 = 20;
const UDP: u8 = 17;

/// The router's MAC address on the west side.
pub const ROUTER: [u8; 6] = [2, 0, 0, 0, 1, 1];

/// Packets that come in bursts, as regularly as a clock.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// What it is called.
    pub name: &'static str,
    /// The code point that its packets come with.
    pub dscp: u8,
    /// Where they go.
    pub port: u16,
    /// Octets of a frame, with FCS.
    pub size: usize,
    /// Frames at once.
    pub burst: u64,
    /// Between two bursts, nanoseconds.
    pub every_ns: u64,
}

impl Source {
    /// Frames of `size` octets, `fps` of them a second.
    pub const fn even(name: &'static str, dscp: u8, port: u16, size: usize, fps: u64) -> Self {
        Source {
            name,
            dscp,
            port,
            size,
            burst: 1,
            every_ns: 1_000_000_000 / fps,
        }
    }

    /// Time that a frame holds a wire of 1 Gb/s.
    pub fn wire_ns(&self) -> u64 {
        8 * (self.size as u64 + OVERHEAD)
    }

    /// Its frames that are due from `from_ns` to before `until_ns`: number and instant.
    pub fn due(&self, from_ns: u64, until_ns: u64) -> impl Iterator<Item = (u64, u64)> {
        let Source {
            burst, every_ns, ..
        } = *self;
        let bursts = from_ns.div_ceil(every_ns)..until_ns.div_ceil(every_ns);
        bursts.flat_map(move |at| (0..burst).map(move |nth| (at * burst + nth, at * every_ns)))
    }

    /// Its frame `number`, due at `due_ns`, as that of source `index`; its ECN bits are 2 (RFC 3168: ECT(0)).
    pub fn frame(&self, index: u16, number: u64, due_ns: u64) -> Vec<u8> {
        let mut frame = vec![0; self.size - FCS];
        frame[..6].copy_from_slice(&ROUTER);
        frame[6..12].copy_from_slice(&[2, 0, 0, 0, 9, 9]);
        frame[12..14].copy_from_slice(&ETHERTYPE.to_be_bytes());
        frame[14] = 1 << 5;
        let traffic_class = self.dscp << 2 | 2;
        frame[15] = 0x60 | traffic_class >> 4;
        frame[16] = traffic_class << 4;
        let payload = (self.size - FCS - IPV6_AT - 40) as u16;
        frame[19..21].copy_from_slice(&payload.to_be_bytes());
        (frame[NEXT_HEADER_AT], frame[22]) = (UDP, 64);
        frame[23..39].copy_from_slice(&address(1, index));
        frame[39..55].copy_from_slice(&address(9, index));
        frame[55..57].copy_from_slice(&49_184u16.to_be_bytes());
        frame[57..59].copy_from_slice(&self.port.to_be_bytes());
        frame[59..61].copy_from_slice(&payload.to_be_bytes());
        let mark = &mut frame[MARK_AT..];
        mark[..2].copy_from_slice(&index.to_be_bytes());
        mark[2..10].copy_from_slice(&number.to_be_bytes());
        mark[10..18].copy_from_slice(&due_ns.to_be_bytes());
        frame
    }
}

/// A host in 2001:db8:NET::/64.
fn address(net: u8, host: u16) -> [u8; 16] {
    let mut address = [0; 16];
    address[..6].copy_from_slice(&[0x20, 1, 0x0d, 0xb8, 0, net]);
    address[14..].copy_from_slice(&(host + 9).to_be_bytes());
    address
}

/// A frame that came out.
#[derive(Debug, Clone, Copy)]
pub struct Arrived {
    /// Of which source.
    pub index: usize,
    /// When it was due.
    pub due_ns: u64,
    /// The traffic class that it has now.
    pub traffic_class: u8,
}

impl Arrived {
    /// What `frame` says of itself; nothing, if it is one of the router's own.
    pub fn of(frame: &[u8]) -> Option<Self> {
        if frame.get(NEXT_HEADER_AT) != Some(&UDP) {
            return None;
        }
        let number = |at: usize, octets: usize| {
            let field = &frame[MARK_AT + at..MARK_AT + at + octets];
            field
                .iter()
                .fold(0, |sum, octet| sum << 8 | u64::from(*octet))
        };
        Some(Arrived {
            index: number(0, 2) as usize,
            due_ns: number(10, 8),
            traffic_class: frame[15] << 4 | frame[16] >> 4,
        })
    }
}

/// What became of a source's frames.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Those that were due while it was looked at.
    pub sent: u64,
    /// Of those, the ones that came out, by their code point then.
    pub arrived: BTreeMap<u8, u64>,
    /// The longest time from when one was due to its end on the wire, nanoseconds.
    pub longest_ns: u64,
    /// Time on the wire in the time looked at, nanoseconds.
    pub wire_ns: u64,
}

impl Outcome {
    /// Frames that came out.
    pub fn received(&self) -> u64 {
        self.arrived.values().sum()
    }

    /// Frames that did not.
    pub fn lost(&self) -> u64 {
        self.sent - self.received()
    }
}

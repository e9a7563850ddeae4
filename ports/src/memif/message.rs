//! memif 2.0 on the control socket: messages of 128 octets, field by field.
//!
//! Values only: must never touch a socket, and never believe a name or length beyond its field.
//!
//! | type | message | from | fields (offset: octets) | descriptor passed |
//! |---|---|---|---|---|
//! | 1 | ACK | master | none | |
//! | 2 | HELLO | master | name 2: 32, lowest version 34: 2, highest 36: 2, last region 38: 2, last M2S ring 40: 2, last S2M ring 42: 2, log2 of the largest ring 44: 1 | |
//! | 3 | INIT | slave | version 2: 2, interface id 4: 4, mode 8: 1 (0 Ethernet), secret 9: 24, name 33: 32 | |
//! | 4 | ADD_REGION | slave | index 2: 2, octets 4: 8 | memory |
//! | 5 | ADD_RING | slave | flags 2: 2 (bit 0 S2M), index 4: 2, region 6: 2, offset 8: 4, log2 of the size 12: 1, private header 13: 2 | interrupt (eventfd) |
//! | 6 | CONNECT | slave | interface name 2: 32 | |
//! | 7 | CONNECTED | master | interface name 2: 32 | |
//! | 8 | DISCONNECT | both | code 2: 4, reason 6: 96 | |
//!
//! The type is at offset 0, 2 octets; a version is major in the high octet, minor in the low one. The slave
//! sends one message, waits for its ACK, sends the next. Byte order is the host's.

use super::refusal::Refusal;

/// Octets of every message.
pub(super) const MESSAGE_OCTETS: usize = 128;
/// 2.0
pub(super) const VERSION: u16 = 2 << 8;
/// Octets of the secret's field.
pub(super) const SECRET_OCTETS: usize = 24;

const NAME_OCTETS: usize = 32;
const REASON_OCTETS: usize = 96;
const ETHERNET: u8 = 0;
const S2M: u16 = 1;

/// Which way a ring carries frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Slave to master.
    SlaveToMaster,
    /// Master to slave.
    MasterToSlave,
}

/// What a master takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) name: String,
    pub(super) lowest: u16,
    pub(super) highest: u16,
    pub(super) last_region: u16,
    pub(super) last_m2s: u16,
    pub(super) last_s2m: u16,
    pub(super) log2_size: u8,
}

/// Who a slave is and whom it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Init {
    pub(super) version: u16,
    pub(super) id: u32,
    pub(super) ethernet: bool,
    pub(super) secret: [u8; SECRET_OCTETS],
    pub(super) name: String,
}

/// A ring of the slave's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AddRing {
    pub(super) direction: Direction,
    pub(super) index: u16,
    pub(super) region: u16,
    pub(super) offset: u32,
    pub(super) log2_size: u8,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    Ack,
    Hello(Hello),
    Init(Init),
    AddRegion { index: u16, octets: u64 },
    AddRing(AddRing),
    Connect { name: String },
    Connected { name: String },
    Disconnect { reason: String },
}

/// A message being written: fields never leave its octets.
struct Writer([u8; MESSAGE_OCTETS]);

impl Writer {
    fn new(kind: u16) -> Self {
        Self([0; MESSAGE_OCTETS]).put(0, &kind.to_ne_bytes())
    }

    fn put(mut self, offset: usize, octets: &[u8]) -> Self {
        for (to, from) in self.0.iter_mut().skip(offset).zip(octets) {
            *to = *from;
        }
        self
    }

    /// A text that ends with a zero octet inside of its field.
    fn text(self, offset: usize, field: usize, text: &str) -> Self {
        let mut end = text.len().min(field - 1);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.put(offset, text.get(..end).unwrap_or_default().as_bytes())
    }
}

/// A message being read.
struct Reader<'a>(&'a [u8; MESSAGE_OCTETS]);

impl Reader<'_> {
    fn octets<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut octets = [0; N];
        for (to, from) in octets.iter_mut().zip(self.0.iter().skip(offset)) {
            *to = *from;
        }
        octets
    }

    fn u16(&self, offset: usize) -> u16 {
        u16::from_ne_bytes(self.octets(offset))
    }

    fn u32(&self, offset: usize) -> u32 {
        u32::from_ne_bytes(self.octets(offset))
    }

    /// Up to the first zero octet or the end of the field; what is no printable text is shown as `?`.
    fn text(&self, offset: usize, field: usize) -> String {
        let octets = self.0.iter().skip(offset).take(field);
        octets
            .take_while(|octet| **octet != 0)
            .map(|octet| match octet {
                b' '..=b'~' => char::from(*octet),
                _ => '?',
            })
            .collect()
    }
}

impl Message {
    /// The octets on the socket.
    pub(super) fn encode(&self) -> [u8; MESSAGE_OCTETS] {
        let message = match self {
            Self::Ack => Writer::new(1),
            Self::Hello(hello) => Writer::new(2)
                .text(2, NAME_OCTETS, &hello.name)
                .put(34, &hello.lowest.to_ne_bytes())
                .put(36, &hello.highest.to_ne_bytes())
                .put(38, &hello.last_region.to_ne_bytes())
                .put(40, &hello.last_m2s.to_ne_bytes())
                .put(42, &hello.last_s2m.to_ne_bytes())
                .put(44, &[hello.log2_size]),
            Self::Init(init) => Writer::new(3)
                .put(2, &init.version.to_ne_bytes())
                .put(4, &init.id.to_ne_bytes())
                .put(8, &[u8::from(!init.ethernet)])
                .put(9, &init.secret)
                .text(33, NAME_OCTETS, &init.name),
            Self::AddRegion { index, octets } => Writer::new(4)
                .put(2, &index.to_ne_bytes())
                .put(4, &octets.to_ne_bytes()),
            Self::AddRing(ring) => {
                let flags = match ring.direction {
                    Direction::SlaveToMaster => S2M,
                    Direction::MasterToSlave => 0,
                };
                Writer::new(5)
                    .put(2, &flags.to_ne_bytes())
                    .put(4, &ring.index.to_ne_bytes())
                    .put(6, &ring.region.to_ne_bytes())
                    .put(8, &ring.offset.to_ne_bytes())
                    .put(12, &[ring.log2_size])
            }
            Self::Connect { name } => Writer::new(6).text(2, NAME_OCTETS, name),
            Self::Connected { name } => Writer::new(7).text(2, NAME_OCTETS, name),
            Self::Disconnect { reason } => Writer::new(8).text(6, REASON_OCTETS, reason),
        };
        message.0
    }

    /// The message in these octets.
    pub(super) fn decode(octets: &[u8; MESSAGE_OCTETS]) -> Result<Self, Refusal> {
        let message = Reader(octets);
        Ok(match message.u16(0) {
            1 => Self::Ack,
            2 => Self::Hello(Hello {
                name: message.text(2, NAME_OCTETS),
                lowest: message.u16(34),
                highest: message.u16(36),
                last_region: message.u16(38),
                last_m2s: message.u16(40),
                last_s2m: message.u16(42),
                log2_size: message.octets::<1>(44)[0],
            }),
            3 => Self::Init(Init {
                version: message.u16(2),
                id: message.u32(4),
                ethernet: message.octets::<1>(8)[0] == ETHERNET,
                secret: message.octets(9),
                name: message.text(33, NAME_OCTETS),
            }),
            4 => Self::AddRegion {
                index: message.u16(2),
                octets: u64::from_ne_bytes(message.octets(4)),
            },
            5 => Self::AddRing(AddRing {
                direction: if message.u16(2) & S2M != 0 {
                    Direction::SlaveToMaster
                } else {
                    Direction::MasterToSlave
                },
                index: message.u16(4),
                region: message.u16(6),
                offset: message.u32(8),
                log2_size: message.octets::<1>(12)[0],
            }),
            6 => Self::Connect {
                name: message.text(2, NAME_OCTETS),
            },
            7 => Self::Connected {
                name: message.text(2, NAME_OCTETS),
            },
            8 => Self::Disconnect {
                reason: message.text(6, REASON_OCTETS),
            },
            kind => return Err(Refusal::MessageType { kind }),
        })
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;

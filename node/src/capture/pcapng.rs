//! Blocks of a pcapng stream (draft-ietf-opsawg-pcapng), little endian, timestamps in nanoseconds.
//!
//! Writes only, appends to a buffer, keeps no state. Must never be given a length that was not checked
//! to fit 32 bits: callers cut frames at the snap length first.

/// What the frames of an interface begin with (<https://www.tcpdump.org/linktypes.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum LinkType {
    /// LINKTYPE_ETHERNET: an Ethernet header; no FCS.
    Ethernet = 1,
}

/// Which way a frame went, seen from the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// From a link towards a guest.
    Inbound = 1,
    /// From a guest towards a link.
    Outbound = 2,
}

/// Number of an interface in its section, in the order of the interface blocks.
pub type InterfaceId = u32;

/// A frame for [`enhanced_packet`].
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Interface it was seen on.
    pub interface: InterfaceId,
    /// Nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// Which way it went.
    pub direction: Direction,
    /// Octets that it had; at least as many as `octets`.
    pub original: u32,
    /// The first of them.
    pub octets: [&'a [u8]; 2],
    /// Frames of this interface that are missing right before it.
    pub dropped_before: u64,
}

/// Counts of an interface for [`interface_statistics`].
#[derive(Debug, Clone, Copy)]
pub struct Statistics {
    /// Interface they are of.
    pub interface: InterfaceId,
    /// Nanoseconds since 1970-01-01 UTC.
    pub time_ns: u64,
    /// Frames that passed.
    pub received: u64,
    /// Those of them that are missing from the capture.
    pub dropped: u64,
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const INTERFACE_DESCRIPTION: u32 = 1;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// Options; their numbers begin anew in each block type, but for 0.
mod option {
    pub const END: u16 = 0;
    pub const SHB_USERAPPL: u16 = 4;
    pub const IF_NAME: u16 = 2;
    pub const IF_DESCRIPTION: u16 = 3;
    pub const IF_TSRESOL: u16 = 9;
    pub const EPB_FLAGS: u16 = 2;
    pub const EPB_DROPCOUNT: u16 = 4;
    pub const ISB_IFRECV: u16 = 4;
    pub const ISB_IFDROP: u16 = 5;
}

/// Begins a section: always the first block.
pub fn section_header(out: &mut Vec<u8>, application: &str) {
    block(out, SECTION_HEADER, |out| {
        out.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        const VERSION: [u16; 2] = [1, 0];
        VERSION.iter().for_each(|v| out.extend(v.to_le_bytes()));
        const LENGTH_UNKNOWN: u64 = u64::MAX;
        out.extend(LENGTH_UNKNOWN.to_le_bytes());
        put_option(out, option::SHB_USERAPPL, application.as_bytes());
        put_option(out, option::END, &[]);
    });
}

/// Describes the next interface. `snaplen` 0: frames are not cut.
pub fn interface_description(
    out: &mut Vec<u8>,
    name: &str,
    description: &str,
    link: LinkType,
    snaplen: u32,
) {
    block(out, INTERFACE_DESCRIPTION, |out| {
        out.extend((link as u16).to_le_bytes());
        out.extend([0; 2]);
        out.extend(snaplen.to_le_bytes());
        put_option(out, option::IF_NAME, name.as_bytes());
        put_option(out, option::IF_DESCRIPTION, description.as_bytes());
        const TEN_TO_THE_MINUS: u8 = 9;
        put_option(out, option::IF_TSRESOL, &[TEN_TO_THE_MINUS]);
        put_option(out, option::END, &[]);
    });
}

/// A frame.
pub fn enhanced_packet(out: &mut Vec<u8>, packet: &Packet<'_>) {
    block(out, ENHANCED_PACKET, |out| {
        out.extend(packet.interface.to_le_bytes());
        put_time(out, packet.time_ns);
        let [head, body] = packet.octets;
        out.extend(((head.len() + body.len()) as u32).to_le_bytes());
        out.extend(packet.original.to_le_bytes());
        out.extend_from_slice(head);
        out.extend_from_slice(body);
        pad(out, head.len() + body.len());
        put_option(
            out,
            option::EPB_FLAGS,
            &(packet.direction as u32).to_le_bytes(),
        );
        if packet.dropped_before > 0 {
            put_option(
                out,
                option::EPB_DROPCOUNT,
                &packet.dropped_before.to_le_bytes(),
            );
        }
        put_option(out, option::END, &[]);
    });
}

/// Counts of an interface up to now.
pub fn interface_statistics(out: &mut Vec<u8>, counts: &Statistics) {
    block(out, INTERFACE_STATISTICS, |out| {
        out.extend(counts.interface.to_le_bytes());
        put_time(out, counts.time_ns);
        put_option(out, option::ISB_IFRECV, &counts.received.to_le_bytes());
        put_option(out, option::ISB_IFDROP, &counts.dropped.to_le_bytes());
        put_option(out, option::END, &[]);
    });
}

/// Type, total length, body, total length again.
fn block(out: &mut Vec<u8>, kind: u32, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend(kind.to_le_bytes());
    out.extend([0; 4]);
    body(out);
    let total = ((out.len() - start + 4) as u32).to_le_bytes();
    out.extend(total);
    out[start + 4..start + 8].copy_from_slice(&total);
}

/// Code, length, value padded to 32 bits. A value longer than an option can hold is cut.
fn put_option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    out.extend(code.to_le_bytes());
    out.extend((value.len() as u16).to_le_bytes());
    out.extend_from_slice(value);
    pad(out, value.len());
}

/// High word first, each little endian.
fn put_time(out: &mut Vec<u8>, time_ns: u64) {
    out.extend(((time_ns >> 32) as u32).to_le_bytes());
    out.extend((time_ns as u32).to_le_bytes());
}

fn pad(out: &mut Vec<u8>, octets: usize) {
    out.resize(out.len() + (octets.next_multiple_of(4) - octets), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enhanced_packet_is_laid_out_as_the_draft_says() {
        let mut out = Vec::new();
        enhanced_packet(
            &mut out,
            &Packet {
                interface: 3,
                time_ns: 0x0102_0304_0506_0708,
                direction: Direction::Outbound,
                original: 9,
                octets: [&[0xaa; 2], &[0xbb; 3]],
                dropped_before: 0,
            },
        );
        #[rustfmt::skip]
        assert_eq!(out, [
            6, 0, 0, 0,  52, 0, 0, 0,  3, 0, 0, 0,
            4, 3, 2, 1,  8, 7, 6, 5,
            5, 0, 0, 0,  9, 0, 0, 0,
            0xaa, 0xaa, 0xbb, 0xbb,  0xbb, 0, 0, 0,
            2, 0, 4, 0,  2, 0, 0, 0,
            0, 0, 0, 0,
            52, 0, 0, 0,
        ]);
    }

    #[test]
    fn every_block_says_its_length_at_both_ends() {
        let mut out = Vec::new();
        section_header(&mut out, "pinode");
        interface_description(&mut out, "west", "port", LinkType::Ethernet, 0);
        let counts = Statistics {
            interface: 0,
            time_ns: 1,
            received: 2,
            dropped: 1,
        };
        interface_statistics(&mut out, &counts);
        let word = |at: usize| u32::from_le_bytes(out[at..at + 4].try_into().unwrap()) as usize;
        let (mut at, mut kinds) = (0, Vec::new());
        while at < out.len() {
            let len = word(at + 4);
            assert_eq!((len % 4, word(at + len - 4)), (0, len));
            kinds.push(word(at) as u32);
            at += len;
        }
        assert_eq!(
            kinds,
            [SECTION_HEADER, INTERFACE_DESCRIPTION, INTERFACE_STATISTICS]
        );
    }

    #[test]
    fn a_name_longer_than_an_option_is_cut() {
        let mut out = Vec::new();
        section_header(&mut out, &"x".repeat(100_000));
        assert!(out.len() < 66_000);
    }
}

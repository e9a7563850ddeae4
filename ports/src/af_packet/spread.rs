//! The program by which the kernel spreads frames over packet sockets (packet(7), PACKET_FANOUT_CBPF),
//! assembled by hand for the machine of the BSD packet filter (McCanne and Jacobson 1993, section 3).
//!
//! The kernel's own hash knows no PIH and would put a whole trunk into one queue. This one reads what
//! [`crate::rss`] reads of a frame, by a cheaper hash. A load beyond a frame ends it: queue 0. Must never
//! send two frames of one flow to different queues.

/// An instruction: code, jumps where true and where false, constant (`struct sock_filter`).
pub(super) type Instruction = libc::sock_filter;

/// Loads count from the link layer's header (SKF_LL_OFF): what the kernel gives to this program begins
/// behind it.
const LINK: u32 = -0x20_0000_i32 as u32;
/// Type of the packet (SKF_AD_OFF + SKF_AD_PKTTYPE), and that of one this host sends.
const PACKET_TYPE: u32 = -0x1000_i32 as u32 + 4;
const OUTGOING: u32 = 4;

// Codes of linux/bpf_common.h.
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_OCTET: u16 = 0x30;
/// Added to a load: from X on.
const INDEXED: u16 = 0x20;
const LOAD_LENGTH: u16 = 0x80;
const LOAD_MEMORY: u16 = 0x60;
const SET: u16 = 0x00;
const SET_X: u16 = 0x01;
const LOAD_X_MEMORY: u16 = 0x61;
const STORE: u16 = 0x02;
const STORE_X: u16 = 0x03;
const ADD: u16 = 0x04;
const ADD_X: u16 = 0x0c;
const MULTIPLY: u16 = 0x24;
const AND: u16 = 0x54;
const SHIFT_RIGHT: u16 = 0x74;
const XOR_X: u16 = 0xac;
const IF_EQUAL: u16 = 0x15;
const IF_EQUAL_X: u16 = 0x1d;
const IF_ABOVE: u16 = 0x25;
const IF_AT_LEAST_X: u16 = 0x3d;
const JUMP: u16 = 0x05;
const RETURN: u16 = 0x06;
const RETURN_A: u16 = 0x16;
const COPY_TO_X: u16 = 0x07;

/// Memory: where the packet begins behind the link layer's header's first octet, and the hash so far.
const START: u32 = 0;
const HASH: u32 = 1;

const fn step(code: u16, k: u32) -> Instruction {
    test(code, k, 0, 0)
}

const fn test(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// Instructions by which the hash takes in what a load brings: exclusive or, times 2^32 / phi.
fn mix(load: u16, k: u32) -> Vec<Instruction> {
    vec![
        step(LOAD_X_MEMORY, START),
        step(load, k),
        step(LOAD_X_MEMORY, HASH),
        step(XOR_X, 0),
        step(MULTIPLY, 0x9e37_79b1),
        step(STORE, HASH),
    ]
}

/// Lets no frame pass.
pub(super) fn nothing() -> Vec<Instruction> {
    vec![step(RETURN, 0)]
}

/// Lets all pass but what this host sends itself.
pub(super) fn incoming() -> Vec<Instruction> {
    vec![
        step(LOAD_HALF, PACKET_TYPE),
        test(IF_EQUAL, OUTGOING, 0, 1),
        step(RETURN, 0),
        step(RETURN, u32::MAX),
    ]
}

/// The hash of a frame's flow.
pub(super) fn flow() -> Vec<Instruction> {
    const ETHERNET: u32 = 14;
    const PIH: u32 = 1;
    const IPV6_HEADER: u32 = 40;
    const TCP: u32 = 6;
    /// What is left of the smallest frame of Ethernet behind the header.
    const PADDED: u32 = 46;

    // Else: MAC addresses, EtherType, the octet behind it.
    let mut other: Vec<Instruction> = [0, 4, 8].map(|at| mix(LOAD_WORD, LINK + at)).concat();
    other.extend(mix(LOAD_HALF, LINK + 12));
    other.extend(mix(LOAD_OCTET, LINK + 14));

    let mut ports = mix(LOAD_WORD + INDEXED, LINK + IPV6_HEADER);
    let mut ipv6: Vec<Instruction> = (8..IPV6_HEADER)
        .step_by(4)
        .flat_map(|at| mix(LOAD_WORD + INDEXED, LINK + at))
        .collect();
    ipv6.extend([
        step(LOAD_X_MEMORY, START),
        step(LOAD_OCTET + INDEXED, LINK + 6),
        test(IF_EQUAL, TCP, 0, ports.len() as u8),
    ]);
    ipv6.append(&mut ports);
    let over_other = step(JUMP, other.len() as u32);
    let to_other = ipv6.len() as u8 + 1;

    let mut program = vec![
        step(SET, 0),
        step(STORE, HASH),
        // Where the packet begins.
        step(SET_X, ETHERNET),
        step(LOAD_HALF, LINK + 12),
        test(IF_EQUAL, 0x86dd, 1, 0),
        step(SET_X, ETHERNET + PIH),
        step(STORE_X, START),
        // IPv6 by its version...
        step(LOAD_OCTET + INDEXED, LINK),
        step(AND, 0xf0),
        test(IF_EQUAL, 0x60, 0, to_other + 8),
        // ... and its length: the frame's, counted behind the Ethernet header, or padded to it.
        step(LOAD_HALF + INDEXED, LINK + 4),
        step(ADD, IPV6_HEADER - ETHERNET),
        step(ADD_X, 0),
        step(COPY_TO_X, 0),
        step(LOAD_LENGTH, 0),
        test(IF_EQUAL_X, 0, 2, 0),
        test(IF_ABOVE, PADDED, to_other + 1, 0),
        test(IF_AT_LEAST_X, 0, 0, to_other),
    ];
    program.append(&mut ipv6);
    program.push(over_other);
    program.append(&mut other);
    // The upper half is the better mixed one; the kernel takes the remainder.
    program.extend([
        step(LOAD_MEMORY, HASH),
        step(SHIFT_RIGHT, 16),
        step(RETURN_A, 0),
    ]);
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_jump_stays_in_its_program() {
        for program in [nothing(), incoming(), flow()] {
            for (at, instruction) in program.iter().enumerate() {
                let left = program.len() - at - 1;
                let (jt, jf) = (usize::from(instruction.jt), usize::from(instruction.jf));
                assert!(jt < left.max(1) && jf < left.max(1), "{at}");
                assert!(
                    instruction.code != JUMP || (instruction.k as usize) < left,
                    "{at}"
                );
            }
            assert!(matches!(
                program.last().map(|i| i.code),
                Some(RETURN | RETURN_A)
            ));
        }
    }
}

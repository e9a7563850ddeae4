//! Programs by which the kernel chooses the frames that a socket receives (packet(7), SO_ATTACH_FILTER), for the
//! machine of the BSD packet filter (McCanne and Jacobson 1993, section 3).
//!
//! Must never let a frame pass that is another host's, or another network's by its 802.1Q tag: an access port carries
//! frames without. The kernel has taken the tag off by then, and left word of it in the packet's type.

/// An instruction: code, jumps where true and where false, constant (`struct sock_filter`).
pub(super) type Instruction = libc::sock_filter;

/// Where the label stack entry is, behind the Ethernet header.
const ENTRY_AT: u32 = 14;
/// Type of the packet (SKF_AD_OFF + SKF_AD_PKTTYPE), and that of one for another host, or of a VLAN that is not here.
const PACKET_TYPE: u32 = -0x1000_i32 as u32 + 4;
const OTHER_HOST: u32 = 3;
/// As much of the frame as there is.
const WHOLE: u32 = u32::MAX;

// Codes of linux/bpf_common.h.
const LOAD_WORD: u16 = 0x20;
const LOAD_OCTET: u16 = 0x30;
const SHIFT_RIGHT: u16 = 0x74;
const IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

const fn step(code: u16, k: u32) -> Instruction {
    Instruction {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

const fn if_equal(k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction {
        code: IF_EQUAL,
        jt,
        jf,
        k,
    }
}

/// Lets frames of one label pass.
pub(super) const fn label(label: u32) -> [Instruction; 7] {
    [
        step(LOAD_OCTET, PACKET_TYPE),
        if_equal(OTHER_HOST, 4, 0),
        // A frame that ends before is not let pass.
        step(LOAD_WORD, ENTRY_AT),
        step(SHIFT_RIGHT, 12),
        if_equal(label, 0, 1),
        step(RETURN, WHOLE),
        step(RETURN, 0),
    ]
}

/// Lets no frame pass.
pub(super) const fn nothing() -> [Instruction; 1] {
    [step(RETURN, 0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_jump_stays_in_its_program() {
        for program in [&label(16)[..], &nothing()] {
            for (at, instruction) in program.iter().enumerate() {
                let behind = program.len() - at - 1;
                let furthest = usize::from(instruction.jt.max(instruction.jf));
                assert!(furthest < behind.max(1), "{at}");
            }
            assert_eq!(program.last().map(|last| last.code), Some(RETURN));
        }
    }
}

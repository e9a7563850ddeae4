//! The XDP program, assembled by hand (RFC 9669): a frame goes to the socket of its receive queue, or on to
//! the host's stack where there is none. Must never look at the frame.

/// Offset of `rx_queue_index` in `struct xdp_md`.
const RX_QUEUE_INDEX: i16 = 16;
/// XDP_PASS: what bpf_redirect_map returns for a queue without a socket.
const PASS: i32 = 2;
/// Number of the helper bpf_redirect_map(map, key, flags).
const REDIRECT_MAP: i32 = 51;
/// Source register of a 64-bit load: the immediate is the descriptor of a map.
const MAP_FD: u8 = 1;

/// One instruction (RFC 9669 3): opcode, registers, offset, immediate.
const fn instruction(opcode: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> u64 {
    let mut octets = [opcode, 0, 0, 0, 0, 0, 0, 0];
    octets[1] = if cfg!(target_endian = "little") {
        source << 4 | destination
    } else {
        destination << 4 | source
    };
    let (offset, immediate) = (offset.to_ne_bytes(), immediate.to_ne_bytes());
    (octets[2], octets[3]) = (offset[0], offset[1]);
    (octets[4], octets[5]) = (immediate[0], immediate[1]);
    (octets[6], octets[7]) = (immediate[2], immediate[3]);
    u64::from_ne_bytes(octets)
}

/// `return bpf_redirect_map(map, ctx->rx_queue_index, XDP_PASS)`
pub(super) const fn redirect(map: i32) -> [u64; 6] {
    const LOAD_WORD: u8 = 0x61;
    const LOAD_64: u8 = 0x18;
    const MOVE_64: u8 = 0xb7;
    const CALL: u8 = 0x85;
    const EXIT: u8 = 0x95;
    [
        instruction(LOAD_WORD, 2, 1, RX_QUEUE_INDEX, 0),
        instruction(LOAD_64, 1, MAP_FD, 0, map),
        instruction(0, 0, 0, 0, 0),
        instruction(MOVE_64, 3, 0, 0, PASS),
        instruction(CALL, 0, 0, 0, REDIRECT_MAP),
        instruction(EXIT, 0, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn instructions_are_encoded_as_rfc_9669_says() {
        let octets: Vec<u8> = redirect(0x0102_0304)
            .iter()
            .flat_map(|i| i.to_le_bytes())
            .collect();
        assert_eq!(octets[..8], [0x61, 0x12, 16, 0, 0, 0, 0, 0]);
        assert_eq!(
            octets[8..24],
            [0x18, 0x11, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(octets[24..32], [0xb7, 0x03, 0, 0, 2, 0, 0, 0]);
        assert_eq!(octets[32..40], [0x85, 0, 0, 0, 51, 0, 0, 0]);
        assert_eq!(octets[40..], [0x95, 0, 0, 0, 0, 0, 0, 0]);
    }
}

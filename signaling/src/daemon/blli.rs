//! B-LLI between the internal protocol, which has fields, and calls, which carry octets (ITU-T Q.2931 4.5.9).

use alloc::vec::Vec;

use crate::isp::{Blli, Bllis};

const OCTETS: usize = 10;

/// As a call carries them.
pub(super) fn octets(bllis: &Bllis) -> Vec<Vec<u8>> {
    let one = |blli: &Blli| {
        let (l2, l2_info) = blli.layer2();
        let (l3, l3_info) = blli.layer3();
        let mut octets = Vec::with_capacity(OCTETS);
        octets.push(l2);
        octets.extend(l2_info);
        octets.push(l3);
        octets.extend(l3_info);
        octets
    };
    bllis.iter().map(one).collect()
}

/// As sockets have them; what is none is left out.
pub(super) fn bllis(all: &[Vec<u8>]) -> Bllis {
    let one = |octets: &Vec<u8>| {
        let octets: &[u8; OCTETS] = octets.as_slice().try_into().ok()?;
        let [l2, a, b, l3, l3_info @ ..] = *octets;
        Blli::new(l2, [a, b], l3, l3_info)
    };
    let mut found = Bllis::new();
    for blli in all.iter().filter_map(one) {
        if found.try_push(blli).is_err() {
            break;
        }
    }
    found
}

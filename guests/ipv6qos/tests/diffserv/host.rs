//! Per-hop behaviours are what the host makes of code points: shown by its own level 2, which is filled up to where it
//! refuses.

use pinode_guest_ipv6qos::diffserv::Phb;
use pinode_scheduler::LinkRate;
use pinode_scheduler::level2::diffserv::{Classes, Diffserv, Policed, Weighted};
use pinode_scheduler::level2::{Arrival, ClassName, Discipline};
use std::num::NonZeroU8;

/// Frames that AS and BE hold each.
const LIMIT: usize = 16;

fn host() -> Diffserv<()> {
    let policed = Policed {
        rate: LinkRate::new(1_000_000_000).unwrap(),
        burst_octets: 1 << 20,
        limit: LIMIT,
    };
    let weighted = Weighted {
        weight: NonZeroU8::MIN,
        limit: LIMIT,
    };
    Diffserv::new(&Classes {
        nc: policed,
        rt: policed,
        assured: weighted,
        be: weighted,
    })
}

/// The class that frames with this code point wait in, and how many.
fn fill(dscp: u8) -> (&'static str, usize) {
    let mut host = host();
    let traffic_class = dscp << 2;
    let pdu = [0x60 | traffic_class >> 4, traffic_class << 4];
    for _ in 0..2 * LIMIT {
        let arrival = Arrival {
            now_ns: 0,
            octets: 100,
            vn: 0,
            pdu: &pdu,
        };
        let _ = host.enqueue((), &arrival);
    }
    let mut found = None;
    host.classes(usize::MAX, |name, counters| {
        if counters.queued > 0
            && let ClassName::Named(name) = name
        {
            found = Some((name, counters.queued as usize));
        }
    });
    found.unwrap()
}

#[test]
fn the_host_agrees_on_every_code_point() {
    for dscp in 0..64 {
        let expected = match Phb::of(dscp << 2) {
            Phb::Nc => ("nc", LIMIT),
            Phb::Rt => ("rt", LIMIT),
            Phb::As1 => ("as", LIMIT),
            Phb::As2 => ("as", LIMIT * 3 / 4),
            Phb::As3 => ("as", LIMIT / 2),
            Phb::Be => ("be", LIMIT),
            Phb::Le => ("be", LIMIT / 2),
        };
        assert_eq!(fill(dscp), expected, "code point {dscp}");
    }
}

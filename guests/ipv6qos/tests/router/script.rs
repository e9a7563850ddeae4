//! Octets as a script: frames for the router, and time. Also what `fuzz/` runs.

use serde_json::json;

use crate::bed::{Bed, config, frame, host, port};

/// Runs a script: per step an octet that says what is done, an octet of length where it is a frame, and the octets
/// of a packet. Panics if anything is lost count of, or leaves its network.
pub fn run(octets: &[u8]) {
    let pi = json!({
        "interface": {
            "west": { "address": ["2001:db8:1::1/64"], "dad": false },
            "east": { "address": ["2001:db8:2::1/64"] },
            "east.1": { "address": ["2001:db8:1::1/64"], "dad": false, "mtu": 1280 },
        },
        "route": [{ "prefix": "::/0", "via": "2001:db8:2::9" }],
        "class": [{ "match": { "vn": 1 }, "dscp": "EF" }],
        "filter": { "rule": [{ "match": { "vn": 1 }, "action": "track" }], "flows": { "limit": 16 } },
        "limits": {
            "routes": 64, "next_hops": 16, "neighbours": 64, "table_prefixes": 16, "filter_rules": 4, "class_rules": 4,
            "policers": 1,
        },
    });
    let mut bed = Bed::new(&config(2, &[0, 1], false, pi));
    let mut left = octets;
    let mut steps = 0;
    while let [step, length, rest @ ..] = left {
        let (vif, vn) = (step & 1, step >> 1 & 3);
        let (packet, behind) = rest.split_at(usize::from(*length).min(rest.len()));
        left = behind;
        if step & 0xe0 == 0xe0 {
            bed.pass(u64::from(*length) * 10_000_000);
        }
        let to = match step & 8 {
            0 => port(vif),
            _ => [0x33, 0x33, 0, 0, 0, 1],
        };
        let given = frame(to, host(vif), vn, packet);
        for (_, sent) in bed.give(usize::from(vif), &given) {
            assert!(sent[14] & 31 < 2, "a network that is not carried");
        }
        steps += 1;
        // To sum all counters up takes longer than a step.
        if steps % 32 == 0 {
            bed.conserves();
        }
    }
    bed.conserves();
}

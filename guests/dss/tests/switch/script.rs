//! Octets as a script: frames, requests and time. Also what `fuzz/` runs.

use serde_json::{Value, json};

use crate::bed::{ALL, Bed, Pdu, config, connection, frame, host, port};

/// Runs a script: per step an octet that says what is done, one of length, and so many octets of it. Panics if anything
/// is lost count of, or leaves its network.
pub fn run(octets: &[u8]) {
    let pi = json!({ "connections": 24, "punted": 4 });
    let mut bed = Bed::new(&config(3, &[0, 5], true, pi));
    let mut policed = connection(1, 5, 18, 0, 1_048_575);
    (policed.rate_bps, policed.police) = (Some(1_000_000), true);
    bed.connect(&[
        connection(0, 0, 16, 1, 17),
        connection(0, 0, 17, 0, 16),
        policed,
    ]);
    let mut left = octets;
    while let [step, length, rest @ ..] = left {
        let (of, behind) = rest.split_at(usize::from(*length).min(rest.len()));
        left = behind;
        let (vif, vn) = (step & 3, [0, 5, 9, 0][usize::from(step >> 2 & 3)]);
        let sent = match step >> 4 {
            // A frame whose PDU is all claims; one with a good header; one that is nothing.
            0..=3 => bed.give(vif % 3, &frame(port(vif % 3), host(vif), vn, of)),
            4..=8 => {
                let numbers = of.first_chunk::<3>().copied().unwrap_or_default();
                let label = u32::from(numbers[0]) % 24;
                let sequence = u16::from_be_bytes([numbers[1], numbers[2]]);
                let pdu = Pdu::numbered(label, sequence).octets(of);
                bed.give(vif % 3, &frame(ALL, host(vif), vn, &pdu))
            }
            9 if !of.is_empty() => bed.give(vif % 3, of),
            // Text that may be a request, and some that are.
            10 | 11 => {
                if let Ok(request) = serde_json::from_slice::<Value>(of) {
                    let _ = bed.ask(&request);
                }
                Vec::new()
            }
            12 => {
                let item = |octet: &u8| {
                    let label = 14 + u32::from(octet % 32) * 700;
                    json!({ "port": vif, "vn": vn, "label": label, "to_port": octet >> 6, "to_label": label,
                        "rate_bps": 1u64 << (octet % 40), "police": octet & 1 == 0 })
                };
                let items: Vec<Value> = of.iter().map(item).collect();
                let _ = bed.ask(&json!({ "connect": { "items": items } }));
                Vec::new()
            }
            13 => {
                let key = |octet: &u8| json!({ "port": vif, "vn": vn, "label": 14 + u32::from(octet % 32) * 700 });
                let items: Vec<Value> = of.iter().map(key).collect();
                let _ = bed.ask(&json!({ "disconnect": { "items": items } }));
                let _ = bed.ask(&json!({ "list": { "most": length } }));
                Vec::new()
            }
            14 => {
                let pdus = json!([pinode_guest_dss::control::Octets(of.to_vec())]);
                let _ = bed.ask(&json!({ "send": { "port": vif, "vn": vn, "pdus": pdus } }));
                bed.run()
            }
            _ => {
                bed.pass(u64::from(*length) * 100_000);
                bed.events();
                if *length == 255 {
                    bed.ask(&json!({ "clear": {} })).unwrap();
                }
                Vec::new()
            }
        };
        for (_, sent) in sent {
            let pih = sent[14];
            assert!(pih >> 5 == 3 && [0, 5].contains(&(pih & 31)), "{pih:#x}");
        }
    }
    bed.conserves();
}

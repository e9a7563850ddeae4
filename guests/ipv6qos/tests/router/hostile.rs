//! Octets that nobody should send: nothing breaks, nothing is lost count of, nothing crosses to another network.

use pinode_guest_ipv6qos::reassembly::cut::Cut;
use proptest::prelude::*;
use serde_json::json;

use crate::bed::{Bed, config, echo, frame, host, port, udp};
use crate::seeded;

/// What packets are made from before they are mutated.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        udp("2001:db8:1::9", "2001:db8:2::9", 64, 20),
        udp("2001:db8:1::9", "2001:db8:2::77", 2, 200),
        udp("2001:db8:1::9", "2001:db8:1::1", 64, 20),
        echo("2001:db8:1::9", "2001:db8:1::1", 64),
        echo("2001:db8:1::9", "ff02::1", 64),
        udp("2001:db8:1::9", "2001:db8:f::1", 64, 1300),
    ];
    for kind in [130, 133, 134, 135, 136, 137, 143] {
        let to = crate::bed::address("fe80::ff:fe00:0").octets();
        let from = crate::bed::address("fe80::9").octets();
        let builder = etherparse::PacketBuilder::ipv6(from, to, 255).icmpv6_raw(kind, 0, [0; 4]);
        let mut packet = Vec::new();
        let target = crate::bed::address("2001:db8:1::1").octets();
        builder
            .write(
                &mut packet,
                &[&target[..], &[1, 1, 2, 0, 0, 0, 1, 9]].concat(),
            )
            .unwrap();
        seeds.push(packet);
    }
    // A packet for the router in two fragments.
    let whole = udp("2001:db8:1::9", "2001:db8:1::1", 64, 100);
    for slice in Cut::new(&whole, 120, 7).into_iter().flatten() {
        let mut fragment = vec![0; slice.len()];
        assert!(slice.write(&mut fragment));
        seeds.push(fragment);
    }
    // Chains of headers.
    let mut chained = udp("2001:db8:1::9", "2001:db8:2::9", 64, 64);
    for (at, octet) in [
        (6, 0),
        (40, 60),
        (41, 0),
        (48, 43),
        (49, 0),
        (56, 44),
        (57, 0),
    ] {
        chained[at] = octet;
    }
    seeds.push(chained);
    seeds
}

#[derive(Debug, Clone)]
struct Mutated {
    vif: usize,
    vn: u8,
    group: bool,
    seed: usize,
    octets: Vec<(usize, u8)>,
    cut: Option<usize>,
}

fn mutated() -> impl Strategy<Value = Mutated> {
    let octets = proptest::collection::vec((0usize..120, any::<u8>()), 0..6);
    (
        0usize..2,
        0u8..4,
        any::<bool>(),
        0usize..seeds().len(),
        octets,
        proptest::option::of(0usize..120),
    )
        .prop_map(|(vif, vn, group, seed, octets, cut)| Mutated {
            vif,
            vn,
            group,
            seed,
            octets,
            cut,
        })
}

impl Mutated {
    fn frame(&self) -> Vec<u8> {
        let mut packet = seeds().swap_remove(self.seed);
        for (at, octet) in &self.octets {
            let at = at % packet.len();
            packet[at] = *octet;
        }
        if let Some(cut) = self.cut {
            packet.truncate(cut);
        }
        let to = if self.group {
            [0x33, 0x33, 0, 0, 0, 1]
        } else {
            port(self.vif as u8)
        };
        frame(to, host(self.vif as u8), self.vn, &packet)
    }
}

/// Networks 0 and 1 with the same addresses, 2 with rules for all that rules can say.
fn busy() -> Bed {
    let pi = json!({
        "interface": {
            "west": { "address": ["2001:db8:1::1/64"], "dad": false },
            "east": { "address": ["2001:db8:2::1/64"], "dad": false },
            "west.1": { "address": ["2001:db8:1::1/64"], "dad": false },
            "east.1": { "address": ["2001:db8:2::1/64"], "dad": false },
            "west.2": { "address": ["2001:db8:1::1/64"], "dad": false },
            "east.2": { "address": ["2001:db8:2::1/64"], "dad": false, "mtu": 1280 },
        },
        "neighbour": [
            { "address": "2001:db8:2::9", "lladdr": "02:00:00:00:01:01", "dev": "east" },
            { "address": "2001:db8:1::9", "lladdr": "02:00:00:00:01:00", "dev": "west" },
        ],
        "route": [
            { "prefix": "2001:db8:f::/48", "via": "2001:db8:2::9" },
            { "prefix": "::/0", "vn": 2, "via": "2001:db8:2::9" },
        ],
        "table": { "bad": ["2001:db8:1::8/127"] },
        "policer": [{ "name": "p", "meter": "srtcm", "cir": "1Mbps", "cbs": "1KiB", "ebs": "1KiB" }],
        "class": [{ "match": { "protocol": "udp" }, "dscp": "AF11", "policer": "p" }],
        "filter": {
            "rule": [
                { "match": { "vn": 2, "protocol": "udp", "dport": "2000" }, "action": "track" },
                { "match": { "vn": 2, "from": "table:bad", "type": "128" }, "action": "reject" },
                { "match": { "vn": 2, "fragment": true }, "action": "drop" },
            ],
            "flows": { "limit": 64 },
        },
    });
    Bed::new(&config(2, &[0, 1, 2], false, pi))
}

proptest! {
    #![proptest_config(seeded(400))]

    #[test]
    fn every_packet_is_accounted_for(packets in proptest::collection::vec(mutated(), 1..60)) {
        let mut bed = busy();
        for (number, mutated) in packets.iter().enumerate() {
            bed.queue(mutated.vif, &mutated.frame());
            if number % 5 == 0 {
                bed.round();
                bed.pass(300_000_000);
            }
            bed.conserves();
        }
        bed.round();
        for _ in 0..50 {
            bed.pass(100_000_000);
        }
        bed.conserves();
        prop_assert_eq!(bed.counter("held"), 0);
    }

    #[test]
    fn any_octets_are_a_script(octets: Vec<u8>) {
        crate::script::run(&octets);
    }

    #[test]
    fn nothing_crosses_to_another_network(packets in proptest::collection::vec(mutated(), 1..60)) {
        let mut bed = busy();
        for mutated in &packets {
            bed.pass(1_000_000);
            for vif in 0..2 {
                bed.take(vif);
            }
            let frame = mutated.frame();
            for (_, sent) in bed.give(mutated.vif, &frame) {
                prop_assert_eq!(sent[14], frame[14], "a frame of another network was sent");
            }
        }
    }
}

/// All seeds behind each other as one script, and each alone; written to the folder `PINODE_FUZZ_SEEDS`, if there is
/// one, for the fuzzer to begin with.
#[test]
fn seeds_are_scripts() {
    let mut scripts: Vec<Vec<u8>> = Vec::new();
    for packet in seeds() {
        let Ok(octets) = u8::try_from(packet.len()) else {
            continue;
        };
        for step in [0, 1, 2, 8, 0xe0] {
            scripts.push([&[step, octets][..], &packet].concat());
        }
    }
    scripts.push(scripts.concat());
    let folder = std::env::var_os("PINODE_FUZZ_SEEDS").map(std::path::PathBuf::from);
    for (number, script) in scripts.iter().enumerate() {
        crate::script::run(script);
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(number.to_string()), script).unwrap();
        }
    }
}

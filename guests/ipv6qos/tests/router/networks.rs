//! Virtual networks are routing instances: addresses overlap, and nothing of one is seen in another.

use serde_json::json;

use crate::bed::{Bed, config, echo, frame, host, icmp, packet, port, udp};

/// Networks 3 and 5 with the same addresses, hosts at different stations.
fn overlapping() -> Bed {
    let pi = json!({
        "interface": {
            "west.3": { "address": ["2001:db8:1::1/64"], "dad": false },
            "east.3": { "address": ["2001:db8:2::1/64"], "dad": false },
            "west.5": { "address": ["2001:db8:1::1/64"], "dad": false },
            "east.5": { "address": ["2001:db8:2::1/64"], "dad": false },
        },
        "neighbour": [
            { "address": "2001:db8:2::9", "lladdr": "02:00:00:00:01:03", "dev": "east.3" },
            { "address": "2001:db8:2::9", "lladdr": "02:00:00:00:01:05", "dev": "east.5" },
            { "address": "2001:db8:1::9", "lladdr": "02:00:00:00:01:05", "dev": "west.5" },
        ],
        "route": [
            { "prefix": "2001:db8:a::/48", "vn": 3, "via": "2001:db8:2::9" },
            { "prefix": "2001:db8:a::/48", "vn": 5, "type": "prohibit" },
        ],
    });
    let mut bed = Bed::new(&config(2, &[3, 5, 7], false, pi));
    bed.settle();
    bed
}

#[test]
fn the_same_address_is_another_host_in_another_network() {
    let mut bed = overlapping();
    for vn in [3, 5] {
        let given = udp("2001:db8:1::9", "2001:db8:2::9", 9, 1);
        let sent = bed.give(0, &frame(port(0), host(0), vn, &given));
        assert_eq!(sent.len(), 1);
        assert_eq!(
            (sent[0].0, &sent[0].1[..6], sent[0].1[14] & 31),
            (1, &host(vn)[..], vn)
        );
    }
}

#[test]
fn routes_are_of_one_network() {
    let mut bed = overlapping();
    let given = udp("2001:db8:1::9", "2001:db8:a::1", 9, 1);
    let sent = bed.give(0, &frame(port(0), host(0), 3, &given));
    assert_eq!(sent[0].0, 1);
    let sent = bed.give(0, &frame(port(0), host(0), 5, &given));
    assert_eq!((sent[0].0, icmp(packet(&sent[0].1))), (0, (1, 1)));
    assert_eq!(sent[0].1[14] & 31, 5);
    // A network without addresses knows none of them, and has none to answer from.
    assert_eq!(bed.give(0, &frame(port(0), host(0), 7, &given)), []);
    assert_eq!(
        bed.give(
            0,
            &frame(
                port(0),
                host(0),
                7,
                &echo("2001:db8:1::9", "2001:db8:1::1", 9)
            )
        ),
        []
    );
    assert_eq!(bed.counter("dropped.no_route"), 2);
}

#[test]
fn a_network_that_is_not_carried_is_refused() {
    let mut bed = overlapping();
    let given = udp("2001:db8:1::9", "2001:db8:2::9", 9, 1);
    assert_eq!(bed.give(0, &frame(port(0), host(0), 4, &given)), []);
    let route = json!({ "route": { "prefix": "2001:db8:b::/48", "vn": 4, "type": "blackhole" } });
    let answer = bed.ask(json!({ "change": { "op": "add", "items": [route] } }));
    assert_eq!(
        answer["changed"]["error"],
        "vn: 4 is not carried; allowed: 3, 5, 7"
    );
    let route = json!({ "route": { "prefix": "2001:db8:b::/48", "vn": 3, "dev": "east.5" } });
    let answer = bed.ask(json!({ "change": { "op": "add", "items": [route] } }));
    let error = answer["changed"]["error"].as_str().unwrap();
    assert!(error.starts_with("dev: "), "{error}");
}

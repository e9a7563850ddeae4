//! Redirects that the router sends (RFC 4861 8.2).

use super::lab::{HOST_MAC, Lab, OTHER_MAC, ROUTER, SECOND, address, interface, solicitation};

const OURS: &str = "2001:db8:1::1/64";
const HOST: &str = "2001:db8:1::aa";

/// A link with two hosts that are known.
fn lab() -> Lab {
    let mut lab = Lab::quiet(&[OURS]);
    let ours = address("2001:db8:1::1");
    for (host, mac) in [
        (HOST, HOST_MAC),
        ("2001:db8:1::bb", OTHER_MAC),
        ("fe80::bb", OTHER_MAC),
    ] {
        lab.receive(mac, &solicitation(address(host), ours, Some(mac), None));
    }
    lab
}

#[test]
fn neighbours_are_told_of_better_hops() {
    let mut lab = lab();
    let at = interface(0, 0);
    let mut told = |from, to, next| {
        let ends = (address(from), address(to));
        let redirect = lab
            .discovery
            .redirect(lab.now_ns, at, ends, address(next))?;
        let mut packet = [0; 1280];
        let original = [0x60; 100];
        let written = redirect.write(&original, &mut packet).expect("room");
        assert_eq!(written.destination, HOST_MAC);
        Some(packet[..written.octets].to_vec())
    };
    // To a neighbour, directly.
    let packet = told(HOST, "2001:db8:1::bb", "2001:db8:1::bb").expect("told");
    let octets = |text: &str| address(text).to_be_bytes();
    assert_eq!(packet[8..24], octets(ROUTER));
    assert_eq!(packet[24..40], octets(HOST));
    assert_eq!(packet[40..42], [137, 0]);
    assert_eq!(packet[48..64], octets("2001:db8:1::bb"), "target");
    assert_eq!(packet[64..80], octets("2001:db8:1::bb"), "destination");
    assert_eq!(packet[80..88], [2, 1, 2, 0, 0, 0, 0, 0xbb]);
    assert_eq!(packet[88..96], [4, 13, 0, 0, 0, 0, 0, 0]);
    assert_eq!(packet.len(), 96 + 96, "whole units of the packet");
    // To another router.
    assert!(told(HOST, "2001:db8:9::1", "fe80::bb").is_some());
    // Hosts know routers by link-local addresses only.
    assert!(told(HOST, "2001:db8:9::1", "2001:db8:1::bb").is_none());
    // No neighbour, nobody's, ours.
    assert!(told("2001:db8:5::1", "2001:db8:1::bb", "2001:db8:1::bb").is_none());
    assert!(told(HOST, "ff0e::1", "ff0e::1").is_none());
    assert!(told("2001:db8:1::1", "2001:db8:1::bb", "2001:db8:1::bb").is_none());
    assert!(told(HOST, HOST, HOST).is_none());
}

#[test]
fn not_too_often() {
    let mut lab = lab();
    let at = interface(0, 0);
    let to = address("2001:db8:1::bb");
    let count = |lab: &mut Lab| {
        let ends = (address(HOST), to);
        (0..1000)
            .filter(|_| lab.discovery.redirect(lab.now_ns, at, ends, to).is_some())
            .count()
    };
    assert_eq!(count(&mut lab), 20);
    lab.run(SECOND / 10);
    assert_eq!(count(&mut lab), 5);
}

#[test]
fn as_much_of_the_packet_as_fits() {
    let mut lab = lab();
    let at = interface(0, 0);
    let to = address("2001:db8:1::bb");
    let ends = (address(HOST), to);
    let redirect = lab
        .discovery
        .redirect(lab.now_ns, at, ends, to)
        .expect("told");
    let mut packet = [0; 1280];
    let written = redirect.write(&[0x60; 1500], &mut packet).expect("room");
    assert_eq!(written.octets, 1280);
    assert_eq!(packet[89], 149, "units of 8 octets");
    assert_eq!(redirect.write(&[0x60; 1500], &mut packet[..1000]), None);
}

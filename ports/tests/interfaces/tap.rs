//! TAP: the far end is a packet socket on the same interface, in the place of the host's stack.

use pinode_ports::{AfPacketPort, Port, TapPort};

use crate::bench::{
    all_sizes_both_ways, frame, link_breaks, moderate_rate, one, output, own_namespace,
    receive_all, run, send_all, skip,
};

fn namespace(test: &str) -> bool {
    if !std::path::Path::new("/dev/net/tun").exists() {
        skip(test, "no /dev/net/tun; modprobe tun");
        return false;
    }
    own_namespace(test)
}

fn open(interface: &str, mtu: u16) -> TapPort {
    one(TapPort::open(&interface.parse().expect("a name"), mtu, 1)).expect("the port opens")
}

#[test]
fn every_size_passes_both_ways_and_none_is_lost() {
    if !namespace("tap every_size_passes_both_ways_and_none_is_lost") {
        return;
    }
    let mut near = open("tap-t", 1500);
    assert_eq!(near.describe(), "tap tap-t: created, brought up");
    let mut far = one(AfPacketPort::open(
        &"tap-t".parse().expect("a name"),
        1500,
        1,
    ))
    .expect("opens");
    all_sizes_both_ways(&mut near, &mut far);
    moderate_rate(&mut near, &mut far, 20_000, 10);
    moderate_rate(&mut far, &mut near, 20_000, 10);
}

#[test]
fn an_interface_it_created_has_its_mtu_and_goes_away_with_it() {
    if !namespace("tap an_interface_it_created_has_its_mtu_and_goes_away_with_it") {
        return;
    }
    let port = open("tap-t", 9000);
    assert!(output("ip link show dev tap-t").contains("mtu 9000"));
    let error = one(TapPort::open(&"tap-t".parse().expect("a name"), 1500, 1))
        .err()
        .expect("in use");
    assert!(error.to_string().contains("in use"), "{error}");
    drop(port);
    assert!(!output("ip link").contains("tap-t"));
}

#[test]
fn frames_for_an_interface_that_went_down_are_not_taken() {
    if !namespace("tap frames_for_an_interface_that_went_down_are_not_taken") {
        return;
    }
    let mut near = open("tap-t", 1500);
    run("ip link set dev tap-t addrgenmode none");
    let mut far = one(AfPacketPort::open(
        &"tap-t".parse().expect("a name"),
        1500,
        1,
    ))
    .expect("opens");
    let (down, up) = ("ip link set dev tap-t down", "ip link set dev tap-t up");
    link_breaks(&mut near, &mut far, down, Some(up));
    link_breaks(&mut near, &mut far, "ip link del dev tap-t", None);
    assert_eq!(near.tx_lost(), 0);
}

#[test]
fn a_persistent_interface_is_opened_and_stays() {
    if !namespace("tap a_persistent_interface_is_opened_and_stays") {
        return;
    }
    run("ip tuntap add dev tap-t mode tap");
    let mut port = open("tap-t", 1500);
    assert!(port.describe().contains("opened"));
    let mut far = one(AfPacketPort::open(
        &"tap-t".parse().expect("a name"),
        1500,
        1,
    ))
    .expect("opens");
    send_all(&mut port, &[frame(1, 60)]);
    assert_eq!(receive_all(&mut far, 1), [frame(1, 60)]);
    drop(port);
    assert!(output("ip link").contains("tap-t"));
    run("ip link add near type veth peer name far");
    let error = one(TapPort::open(&"near".parse().expect("a name"), 1500, 1))
        .err()
        .expect("a veth");
    assert!(
        error.to_string().contains("another kind of interface"),
        "{error}"
    );
}

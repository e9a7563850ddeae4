//! AF_XDP over a veth pair: native XDP, copy mode.

use pinode_ports::{AfPacketPort, AfXdpPort, Port, PortError};

use crate::bench::{
    all_sizes_both_ways, frame, link_breaks, moderate_rate, one, output, own_namespace,
    program_goes, receive_all, run, send_all, skip, veth,
};

/// True where this kernel lets the process attach XDP programs; says so where it does not.
fn possible(test: &str) -> bool {
    if !veth(test) {
        return false;
    }
    match one(AfXdpPort::open(&"near".parse().expect("a name"), 1500, 1)) {
        Ok(_) => true,
        Err(error @ (PortError::Permission { .. } | PortError::Unsupported { .. })) => {
            skip(test, &error.to_string());
            false
        }
        Err(error) => panic!("{error}"),
    }
}

fn open(interface: &str) -> AfXdpPort {
    one(AfXdpPort::open(
        &interface.parse().expect("a name"),
        1500,
        1,
    ))
    .expect("the port opens")
}

fn open_packet(interface: &str) -> AfPacketPort {
    one(AfPacketPort::open(
        &interface.parse().expect("a name"),
        1500,
        1,
    ))
    .expect("the port opens")
}

#[test]
fn every_size_passes_both_ways() {
    if !possible("af_xdp every_size_passes_both_ways") {
        return;
    }
    let mut near = open("near");
    assert_eq!(near.describe(), "af_xdp near: native XDP, copy mode");
    all_sizes_both_ways(&mut near, &mut open("far"));
    all_sizes_both_ways(&mut near, &mut open_packet("far"));
}

#[test]
fn nothing_is_lost_at_a_moderate_rate() {
    if !possible("af_xdp nothing_is_lost_at_a_moderate_rate") {
        return;
    }
    let (mut near, mut far) = (open("near"), open("far"));
    moderate_rate(&mut near, &mut far, 40_000, 20);
    moderate_rate(&mut far, &mut near, 40_000, 20);
}

#[test]
fn the_program_goes_away_with_the_port() {
    if !possible("af_xdp the_program_goes_away_with_the_port") {
        return;
    }
    let show = || output("ip -details link show dev near");
    let port = open("near");
    assert!(
        show().contains("xdp") && show().contains("promiscuity 1"),
        "{}",
        show()
    );
    let error = one(AfXdpPort::open(&"near".parse().expect("a name"), 1500, 1))
        .err()
        .expect("held");
    assert!(
        matches!(error, PortError::ProgramAttached { .. }),
        "{error}"
    );
    drop(port);
    program_goes("near");
    drop(open("near"));
}

#[test]
fn chunks_come_back_for_ever() {
    if !possible("af_xdp chunks_come_back_for_ever") {
        return;
    }
    let (mut near, mut far) = (open("near"), open("far"));
    // Several times the chunks of each direction.
    for round in 0..200u32 {
        let frames: Vec<_> = (0..48)
            .map(|n| frame(round * 48 + n, 60 + n as usize))
            .collect();
        send_all(&mut near, &frames);
        assert_eq!(receive_all(&mut far, 48), frames);
    }
    assert_eq!(
        (near.missed(), near.tx_lost(), far.missed(), far.tx_lost()),
        (0, 0, 0, 0)
    );
}

#[test]
fn frames_for_an_interface_that_went_down_are_not_taken() {
    if !possible("af_xdp frames_for_an_interface_that_went_down_are_not_taken") {
        return;
    }
    let (mut near, mut far) = (open("near"), open_packet("far"));
    let (down, up) = ("ip link set dev near down", "ip link set dev near up");
    link_breaks(&mut near, &mut far, down, Some(up));
    assert_eq!(near.tx_lost(), 0);
    let (down, up) = ("ip link set dev far down", "ip link set dev far up");
    link_breaks(&mut near, &mut far, down, Some(up));
    link_breaks(&mut near, &mut far, "ip link del dev near", None);
}

#[test]
fn a_frame_above_the_mtu_is_passed_on_or_counted() {
    if !possible("af_xdp a_frame_above_the_mtu_is_passed_on_or_counted") {
        return;
    }
    run("ip link set dev near mtu 3000");
    run("ip link set dev far mtu 3000");
    let mut near = one(AfXdpPort::open(&"near".parse().expect("a name"), 3000, 1)).expect("opens");
    let mut far = open("far");
    send_all(
        &mut near,
        &[frame(1, 1515), frame(2, 1700), frame(3, 3014), frame(4, 60)],
    );
    assert_eq!(
        receive_all(&mut far, 3),
        [frame(1, 1515), frame(2, 1700), frame(4, 60)]
    );
    assert_eq!(far.missed(), 1);
    drop(far);
    let mut far = one(AfXdpPort::open(&"far".parse().expect("a name"), 3000, 1)).expect("opens");
    send_all(&mut near, &[frame(1, 1515), frame(3, 3014)]);
    assert_eq!(receive_all(&mut far, 2), [frame(1, 1515), frame(3, 3014)]);
}

#[test]
fn an_interface_of_several_queues_is_received_from_whole() {
    if !own_namespace("af_xdp an_interface_of_several_queues_is_received_from_whole") {
        return;
    }
    run(
        "ip link add near numrxqueues 3 numtxqueues 3 type veth peer name far numrxqueues 3 numtxqueues 3",
    );
    run("ip link set dev far up");
    let mut near = match one(AfXdpPort::open(&"near".parse().expect("a name"), 1500, 1)) {
        Ok(port) => port,
        Err(error) => return skip("af_xdp an_interface_of_several_queues", &error.to_string()),
    };
    let mut far = open_packet("far");
    all_sizes_both_ways(&mut near, &mut far);
    assert!(
        near.describe().contains("3 receive queues"),
        "{}",
        near.describe()
    );
}

#[test]
fn an_mtu_it_cannot_carry_is_refused_with_the_limit() {
    let error = one(AfXdpPort::open(&"near".parse().expect("a name"), 9000, 1))
        .err()
        .expect("too large");
    let message = error.to_string();
    assert!(
        message.contains("at most 3821") && message.contains("af_packet"),
        "{message}"
    );
}

#[test]
fn two_hosts_talk_without_a_word_to_their_offloads() {
    if !possible("af_xdp two_hosts_talk_without_a_word_to_their_offloads") {
        return;
    }
    crate::stacks::talk(|| Box::new(open("west")), || Box::new(open("east")));
}

#[test]
fn an_interface_without_native_xdp_is_carried_by_the_generic_one() {
    if !possible("af_xdp an_interface_without_native_xdp_is_carried_by_the_generic_one") {
        return;
    }
    // A bridge has no native XDP; behind it is the veth.
    run("ip link add bridge0 type bridge");
    run("ip link set dev bridge0 addrgenmode none");
    run("ip link set dev near master bridge0");
    run("ip link set dev near up");
    let mut near = open("bridge0");
    let expected =
        "af_xdp bridge0: generic XDP (the driver has no native one), copy mode, brought up";
    assert_eq!(near.describe(), expected);
    all_sizes_both_ways(&mut near, &mut open_packet("far"));
    assert!(output("ip -details link show dev bridge0").contains("prog/xdp"));
    drop(near);
    program_goes("bridge0");
}

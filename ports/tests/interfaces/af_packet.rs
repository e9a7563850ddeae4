//! AF_PACKET over a veth pair.

use pinode_ports::{AfPacketPort, Port, PortError};

use crate::bench::{
    ETHERTYPE, all_sizes_both_ways, frame, link_breaks, moderate_rate, one, output, own_namespace,
    receive, receive_all, run, send_all, veth,
};

fn open(interface: &str) -> AfPacketPort {
    one(AfPacketPort::open(
        &interface.parse().expect("a name"),
        1500,
        1,
    ))
    .expect("the port opens")
}

#[test]
fn every_size_passes_both_ways() {
    if !veth("af_packet every_size_passes_both_ways") {
        return;
    }
    let (mut near, mut far) = (open("near"), open("far"));
    assert_eq!(
        near.describe(),
        "af_packet near: receive ring, sendmmsg, brought up"
    );
    all_sizes_both_ways(&mut near, &mut far);
}

#[test]
fn nothing_is_lost_at_a_moderate_rate() {
    if !veth("af_packet nothing_is_lost_at_a_moderate_rate") {
        return;
    }
    let (mut near, mut far) = (open("near"), open("far"));
    moderate_rate(&mut near, &mut far, 40_000, 20);
    moderate_rate(&mut far, &mut near, 40_000, 20);
}

#[test]
fn tags_are_passed_in_and_out() {
    if !veth("af_packet tags_are_passed_in_and_out") {
        return;
    }
    let (mut near, mut far) = (open("near"), open("far"));
    // The kernel grants the four octets above the MTU to IEEE 802.1Q tags alone.
    let tagged: Vec<_> = [([0x81, 0x00], 1514), ([0x88, 0xa8], 1510)]
        .iter()
        .map(|(tpid, octets)| {
            let mut tagged = frame(7, *octets);
            tagged.splice(12..12, [tpid[0], tpid[1], 0x60, 0x05]);
            tagged
        })
        .collect();
    // What follows is known by its EtherType behind the tag, so wait for it by hand.
    send_all(&mut near, &tagged);
    send_all(&mut near, &[frame(8, 60)]);
    let mut got = Vec::new();
    let begin = std::time::Instant::now();
    while got.len() < 3 {
        assert!(
            begin.elapsed() < crate::bench::PATIENCE,
            "got {}",
            got.len()
        );
        let mut burst = pinode_ports::RxBurst::new();
        far.rx_burst(0, &mut burst);
        let ours = |f: &&&[u8]| f[12..14] == ETHERTYPE || f[16..18] == ETHERTYPE;
        got.extend(burst.iter().filter(ours).map(|f| f.to_vec()));
    }
    assert_eq!(got[..2], tagged);
    assert_eq!(got[2], frame(8, 60));
}

#[test]
fn a_frame_above_the_mtu_is_passed_on_above_the_mtu() {
    if !veth("af_packet a_frame_above_the_mtu_is_passed_on_above_the_mtu") {
        return;
    }
    run("ip link set dev near mtu 9000");
    run("ip link set dev far mtu 9000");
    let mut near = one(AfPacketPort::open(
        &"near".parse().expect("a name"),
        9000,
        1,
    ))
    .expect("opens");
    let mut far = open("far");
    send_all(
        &mut near,
        &[frame(1, 1515), frame(2, 1600), frame(3, 9014), frame(4, 60)],
    );
    let got = receive_all(&mut far, 4);
    assert_eq!(got[..2], [frame(1, 1515), frame(2, 1600)]);
    assert!(got[2].len() > 1514 && frame(3, 9014).starts_with(&got[2]));
    assert_eq!(got[3], frame(4, 60));
    // And back, jumbo frames to a port that is configured for them.
    let mut far = one(AfPacketPort::open(&"far".parse().expect("a name"), 9000, 1)).expect("opens");
    let jumbo: Vec<_> = [60, 1514, 4096, 9013, 9014]
        .map(|n| frame(n as u32, n))
        .into();
    send_all(&mut far, &jumbo);
    assert_eq!(receive_all(&mut near, 5), jumbo);
}

#[test]
fn a_full_ring_counts_what_it_missed() {
    if !veth("af_packet a_full_ring_counts_what_it_missed") {
        return;
    }
    let (mut near, mut far) = (open("near"), open("far"));
    let frames: Vec<_> = (0..3000).map(|n| frame(n, 60)).collect();
    send_all(&mut near, &frames);
    let mut got = Vec::new();
    loop {
        let burst = receive(&mut far);
        if burst.is_empty() {
            break;
        }
        got.extend(burst);
    }
    assert!(!got.is_empty() && got.len() < 3000);
    assert_eq!(got, frames[..got.len()]);
    assert_eq!(far.missed(), 3000 - got.len() as u64);
    assert_eq!(far.missed(), 3000 - got.len() as u64);
}

#[test]
fn what_is_wrong_with_the_interface_is_said() {
    if !own_namespace("af_packet what_is_wrong_with_the_interface_is_said") {
        return;
    }
    let name = "absent".parse().expect("a name");
    let error = one(AfPacketPort::open(&name, 1500, 1))
        .err()
        .expect("no such interface");
    assert!(matches!(&error, PortError::NoInterface { interface } if interface == "absent"));
    assert!(error.to_string().contains("ip -brief link"), "{error}");
    run("ip link add near type veth peer name far");
    run("ip link set dev near mtu 1400");
    let error = one(AfPacketPort::open(
        &"near".parse().expect("a name"),
        1500,
        1,
    ))
    .err()
    .expect("small");
    assert!(error.to_string().contains("MTU of 1400"), "{error}");
    let port = one(AfPacketPort::open(
        &"near".parse().expect("a name"),
        1400,
        1,
    ))
    .expect("opens");
    assert!(port.describe().contains("link down"), "{}", port.describe());
    assert!(output("ip link show dev near").contains("UP"));
    assert!(output("ip -details link show dev near").contains("promiscuity 1"));
    drop(port);
    assert!(output("ip -details link show dev near").contains("promiscuity 0"));
}

#[test]
fn frames_for_an_interface_that_went_down_are_not_taken() {
    if !veth("af_packet frames_for_an_interface_that_went_down_are_not_taken") {
        return;
    }
    let (mut near, mut far) = (open("near"), open("far"));
    let (down, up) = ("ip link set dev near down", "ip link set dev near up");
    link_breaks(&mut near, &mut far, down, Some(up));
    assert_eq!(near.tx_lost(), 0);
    let (down, up) = ("ip link set dev far down", "ip link set dev far up");
    link_breaks(&mut near, &mut far, down, Some(up));
    link_breaks(&mut near, &mut far, "ip link del dev near", None);
}

#[test]
fn two_hosts_talk_without_a_word_to_their_offloads() {
    if !own_namespace("af_packet two_hosts_talk_without_a_word_to_their_offloads") {
        return;
    }
    crate::stacks::talk(|| Box::new(open("west")), || Box::new(open("east")));
}

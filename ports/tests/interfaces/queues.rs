//! Ports of several queues: every frame comes by one of them, those of a flow by the same one, in order.

use std::collections::HashMap;
use std::time::Instant;

use pinode_ports::{AfPacketPort, AfXdpPort, Port, PortError, RxBurst, TapPort};

use crate::bench::{
    PATIENCE, frame, one, output, own_namespace, program_goes, receive, receive_all, run, send_all,
    skip, veth,
};

/// Frame of an IPv6 flow, behind a PIH or plain; the number is the first of the payload.
fn of_flow(trunk: bool, flow: u8, number: u32) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2];
    match trunk {
        true => frame.extend([0x88, 0xb5, 0x20]),
        false => frame.extend([0x86, 0xdd]),
    }
    frame.extend([0x60, 0, 0, 0, 0, 20, 59, 64]);
    frame.extend([0x20; 31]);
    frame.push(flow);
    frame.extend(number.to_be_bytes());
    frame.resize(frame.len() + 16, 0);
    frame
}

/// Sends flows from `peer`: to each port its own, each in order, none twice, none lost. Returns how many
/// flows each port got.
fn spread(ports: &mut [Box<dyn Port>], peer: &mut dyn Port, trunk: bool) -> Vec<usize> {
    const FLOWS: u8 = 64;
    const EACH: u32 = 20;
    let mut seen: HashMap<u8, (usize, u32)> = HashMap::new();
    let begin = Instant::now();
    for number in 0..EACH {
        let frames: Vec<_> = (0..FLOWS)
            .map(|flow| of_flow(trunk, flow, number))
            .collect();
        send_all(peer, &frames);
        while seen.values().map(|(_, next)| next).sum::<u32>() < (number + 1) * u32::from(FLOWS) {
            assert!(begin.elapsed() < PATIENCE, "{seen:?}");
            for (queue, port) in ports.iter_mut().enumerate() {
                let mut burst = RxBurst::new();
                port.rx_burst(0, &mut burst);
                let at = if trunk { 15 } else { 14 };
                let ours =
                    |f: &&&[u8]| f.get(at..at + 8) == Some(&[0x60, 0, 0, 0, 0, 20, 59, 64][..]);
                for frame in burst.iter().filter(ours) {
                    let number =
                        u32::from_be_bytes(frame[at + 40..at + 44].try_into().expect("four"));
                    let (home, next) = seen.entry(frame[at + 39]).or_insert((queue, 0));
                    assert_eq!((*home, *next), (queue, number), "flow {}", frame[at + 39]);
                    *next += 1;
                }
            }
        }
    }
    let count = |queue| seen.values().filter(|(home, _)| *home == queue).count();
    (0..ports.len()).map(count).collect()
}

fn boxed<P: Port + 'static>(ports: Vec<P>) -> Vec<Box<dyn Port>> {
    let boxed = |port| -> Box<dyn Port> { Box::new(port) };
    ports.into_iter().map(boxed).collect()
}

fn packet(name: &str) -> AfPacketPort {
    one(AfPacketPort::open(&name.parse().expect("a name"), 1500, 1)).expect("opens")
}

#[test]
fn af_packet_spreads_flows_of_trunks_and_of_plain_frames() {
    if !veth("queues af_packet") {
        return;
    }
    let near = AfPacketPort::open(&"near".parse().expect("a name"), 1500, 3).expect("opens");
    let mut near = boxed(near);
    assert!(
        near[0].describe().contains("one of 3 queues"),
        "{}",
        near[0].describe()
    );
    let mut far = packet("far");
    for trunk in [true, false] {
        let shares = spread(&mut near, &mut far, trunk);
        assert!(shares.iter().all(|flows| *flows >= 10), "{shares:?}");
    }
    // What is no IPv6 stays together, whatever it carries.
    let frames: Vec<_> = (0..60).map(|n| frame(n, 60)).collect();
    send_all(&mut far, &frames);
    let homes: Vec<_> = near.iter_mut().map(|port| receive(&mut **port)).collect();
    let home = homes.iter().find(|got| !got.is_empty());
    assert_eq!(home, Some(&frames));
    // Each sends, and no port hears another of the node.
    for port in &mut near {
        send_all(port, &[frame(1, 60)]);
        assert_eq!(receive_all(&mut far, 1), [frame(1, 60)]);
    }
    for port in &mut near {
        let mut burst = RxBurst::new();
        port.rx_burst(0, &mut burst);
        assert!(burst.is_empty());
    }
}

#[test]
fn af_xdp_has_a_port_for_each_share_of_the_queues() {
    for (ports, queues) in [(2, 2), (2, 3)] {
        if !own_namespace("queues af_xdp") {
            return;
        }
        let several = format!("numrxqueues {queues} numtxqueues {queues}");
        run(&format!(
            "ip link add near {several} type veth peer name far {several}"
        ));
        run("ip link set dev near addrgenmode none");
        run("ip link set dev far addrgenmode none");
        run("ip link set dev far up");
        let name = "near".parse().expect("a name");
        let near = match AfXdpPort::open(&name, 1500, ports) {
            Ok(ports) => ports,
            Err(error @ (PortError::Permission { .. } | PortError::Unsupported { .. })) => {
                return skip("queues af_xdp", &error.to_string());
            }
            Err(error) => panic!("{error}"),
        };
        assert!(
            near[1]
                .describe()
                .contains(&format!("one of {queues} receive queues"))
        );
        let mut near = boxed(near);
        spread(&mut near, &mut packet("far"), true);
        // The far end's transmit queue is the near end's receive queue: by AF_XDP it can be chosen.
        let far = AfXdpPort::open(&"far".parse().expect("a name"), 1500, queues).expect("opens");
        let mut far = boxed(far);
        for (queue, from) in far.iter_mut().enumerate() {
            send_all(from, &[frame(queue as u32, 75)]);
            let to = &mut near[queue % ports];
            assert_eq!(receive_all(to, 1), [frame(queue as u32, 75)]);
        }
        for (queue, from) in near.iter_mut().enumerate() {
            send_all(from, &[frame(queue as u32, 75)]);
            assert_eq!(receive_all(&mut far[queue], 1), [frame(queue as u32, 75)]);
        }
        // One port goes, the other goes on; with the last the program goes.
        drop(near.remove(0));
        send_all(&mut far[1], &[frame(9, 75)]);
        assert_eq!(receive_all(&mut near[0], 1), [frame(9, 75)]);
        assert!(output("ip -details link show dev near").contains("xdp"));
        drop(near);
        program_goes("near");
    }
}

#[test]
fn af_xdp_with_fewer_queues_than_workers_says_how_to_get_them() {
    if !veth("queues af_xdp_with_fewer_queues_than_workers") {
        return;
    }
    let error = AfXdpPort::open(&"near".parse().expect("a name"), 1500, 2)
        .err()
        .expect("one queue");
    assert!(
        matches!(
            &error,
            PortError::TooFewQueues {
                has: 1,
                wants: 2,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("ethtool -L near"), "{error}");
}

#[test]
fn tap_has_a_descriptor_for_each_queue() {
    if !std::path::Path::new("/dev/net/tun").exists() {
        return skip("queues tap", "no /dev/net/tun; modprobe tun");
    }
    if !own_namespace("queues tap") {
        return;
    }
    let name = "tap-t".parse().expect("a name");
    let mut near = boxed(TapPort::open(&name, 1500, 2).expect("opens"));
    run("ip link set dev tap-t addrgenmode none");
    let mut far = packet("tap-t");
    // The kernel's hash sees plain frames only.
    let shares = spread(&mut near, &mut far, false);
    assert!(shares.iter().all(|flows| *flows > 0), "{shares:?}");
    for port in &mut near {
        send_all(port, &[frame(1, 60)]);
        assert_eq!(receive_all(&mut far, 1), [frame(1, 60)]);
    }
    drop(near);
    drop(far);
    run("ip tuntap add dev tap-t mode tap");
    let error = TapPort::open(&name, 1500, 2).err().expect("one queue");
    assert!(error.to_string().contains("multi_queue"), "{error}");
    run("ip link del dev tap-t");
    run("ip tuntap add dev tap-t mode tap multi_queue");
    assert_eq!(TapPort::open(&name, 1500, 2).expect("opens").len(), 2);
    one(TapPort::open(&name, 1500, 1)).expect("one queue of an interface made for several");
}

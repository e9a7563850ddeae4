//! Ports at rest: the descriptor of a port becomes readable when a frame comes, again and again.

use pinode_ports::{AfPacketPort, AfXdpPort, Port, PortError, RxBurst, TapPort, Wake};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::bench::{
    PATIENCE, frame, one, own_namespace, receive, receive_all, run, send_all, skip, veth,
};

/// Waits until a port at rest is woken, at most `seconds`. False: it was not.
fn woken(port: &mut dyn Port, seconds: u64) -> bool {
    let Wake::Readable(fd) = port.rest(0) else {
        panic!("a port of a socket is woken by it")
    };
    let limit = Timespec {
        tv_sec: seconds as i64,
        tv_nsec: 0,
    };
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(&mut fds, Some(&limit)).expect("poll answers") == 1
}

/// Takes what is there, frames of other programs too, until a rest would be one.
fn settle(port: &mut dyn Port) {
    loop {
        let mut burst = RxBurst::new();
        port.rx_burst(0, &mut burst);
        let some = !burst.is_empty();
        drop(burst);
        if !some && !matches!(port.rest(0), Wake::Frames) {
            port.resume();
            return;
        }
    }
}

/// `port` rests while nothing comes from `peer`, and wakes when something does.
pub fn rests_and_wakes(port: &mut dyn Port, peer: &mut dyn Port) {
    settle(port);
    for number in 0..5 {
        assert!(!woken(port, 0), "woken by nothing");
        port.resume();
        assert!(!woken(port, 0), "woken by nothing");
        send_all(peer, &[frame(number, 60)]);
        // The frame is on its way through the kernel, or there.
        match port.rest(0) {
            Wake::Frames => {}
            Wake::Readable(_) => assert!(woken_or_frames(port), "a frame came and woke nobody"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(port.rest(0), Wake::Frames), "a frame waits");
        port.resume();
        assert_eq!(receive_all(port, 1), [frame(number, 60)]);
        assert!(receive(port).is_empty());
    }
}

fn woken_or_frames(port: &mut dyn Port) -> bool {
    matches!(port.rest(0), Wake::Frames) || woken(port, PATIENCE.as_secs())
}

/// As [`rests_and_wakes`], but the frame comes while another thread waits.
pub fn sleeps_and_wakes(mut port: impl Port + 'static, peer: &mut dyn Port) {
    settle(&mut port);
    let (asleep, wait) = std::sync::mpsc::channel();
    let sleeper = std::thread::spawn(move || {
        let Wake::Readable(fd) = port.rest(0) else {
            panic!("a port of a socket is woken by it")
        };
        asleep.send(()).expect("the test waits");
        let limit = Timespec {
            tv_sec: PATIENCE.as_secs() as i64,
            tv_nsec: 0,
        };
        let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
        assert_eq!(poll(&mut fds, Some(&limit)).expect("poll answers"), 1);
        port.resume();
        receive_all(&mut port, 1)
    });
    wait.recv().expect("it sleeps");
    send_all(peer, &[frame(77, 60)]);
    assert_eq!(sleeper.join().expect("it woke"), [frame(77, 60)]);
}

fn packet(name: &str) -> AfPacketPort {
    one(AfPacketPort::open(&name.parse().expect("a name"), 1500, 1)).expect("opens")
}

#[test]
fn af_packet() {
    if !veth("rest af_packet") {
        return;
    }
    let (mut near, mut far) = (packet("near"), packet("far"));
    rests_and_wakes(&mut near, &mut far);
    sleeps_and_wakes(near, &mut far);
}

#[test]
fn af_xdp_with_one_queue_and_with_several() {
    for queues in [1, 3] {
        if !own_namespace("rest af_xdp") {
            return;
        }
        let several = format!("numrxqueues {queues} numtxqueues {queues}");
        run(&format!(
            "ip link add near {several} type veth peer name far {several}"
        ));
        run("ip link set dev near addrgenmode none");
        run("ip link set dev far addrgenmode none");
        run("ip link set dev far up");
        let mut near = match one(AfXdpPort::open(&"near".parse().expect("a name"), 1500, 1)) {
            Ok(port) => port,
            Err(error @ (PortError::Permission { .. } | PortError::Unsupported { .. })) => {
                return skip("rest af_xdp", &error.to_string());
            }
            Err(error) => panic!("{error}"),
        };
        let mut far = packet("far");
        rests_and_wakes(&mut near, &mut far);
        sleeps_and_wakes(near, &mut far);
    }
}

#[test]
fn tap() {
    if !std::path::Path::new("/dev/net/tun").exists() {
        return skip("rest tap", "no /dev/net/tun; modprobe tun");
    }
    if !own_namespace("rest tap") {
        return;
    }
    let mut near = one(TapPort::open(&"tap-t".parse().expect("a name"), 1500, 1)).expect("opens");
    run("ip link set dev tap-t addrgenmode none");
    run("ip -6 address flush dev tap-t");
    let mut far = packet("tap-t");
    settle(&mut near);
    assert!(!woken(&mut near, 0), "woken by nothing");
    send_all(&mut far, &[frame(7, 60)]);
    assert!(woken(&mut near, PATIENCE.as_secs()));
    near.resume();
    assert_eq!(receive_all(&mut near, 1), [frame(7, 60)]);
    assert!(!woken(&mut near, 0), "woken by nothing");
    sleeps_and_wakes(near, &mut far);
}

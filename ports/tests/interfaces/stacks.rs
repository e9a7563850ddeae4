//! Ordinary hosts on both sides: two namespaces with IPv6 and IPv4 addresses, joined by a loop that moves
//! frames between two ports. Their stacks leave checksums and segmentation to the device.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use pinode_ports::{BURST, Port, RxBurst, TxMeta, TxSlots};

use crate::bench::{PATIENCE, run};
use crate::unsafe_namespace;

/// Moves what one port received to the other; the frames above 1514 octets and those that found no slot.
fn shift(from: &mut dyn Port, to: &mut dyn Port) -> usize {
    let mut burst = RxBurst::new();
    from.rx_burst(0, &mut burst);
    let mut slots = TxSlots::new();
    to.tx_slots(burst.len().min(BURST), &mut slots);
    let mut metas = Vec::new();
    let fitting: Vec<_> = burst.iter().filter(|frame| frame.len() <= 1514).collect();
    for (slot, frame) in slots.iter_mut().zip(&fitting) {
        slot[..frame.len()].copy_from_slice(frame);
        metas.push(TxMeta {
            len: frame.len() as u16,
            start_ns: 0,
        });
    }
    let oversize = burst.len() - fitting.len();
    drop(slots);
    to.tx_commit(&metas);
    oversize
}

/// A host: a thread in a namespace of its own, to which the interface `host` was moved.
fn host<T: Send + 'static>(
    number: u8,
    interface: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> (thread::JoinHandle<T>, mpsc::Sender<()>) {
    let (ready, is_ready) = mpsc::channel();
    let (start, may_start) = mpsc::channel();
    let host = thread::spawn(move || {
        unsafe_namespace::enter_new().expect("a second namespace like the first");
        ready
            .send(unsafe_namespace::thread_id())
            .expect("the test waits");
        may_start.recv().expect("the test moves the interface");
        run("ip link set dev lo up");
        run(&format!(
            "ip address add 10.9.0.{number}/24 dev {interface}"
        ));
        run(&format!(
            "ip address add fd09::{number}/64 dev {interface} nodad"
        ));
        run(&format!("ip link set dev {interface} up"));
        work()
    });
    let thread = is_ready.recv().expect("the host has its namespace");
    run(&format!("ip link set dev {interface} netns {thread}"));
    (host, start)
}

/// Octets of each TCP transfer.
const TRANSFER: usize = 8 << 20;

fn serve() -> usize {
    let listener = TcpListener::bind("[::]:7000").expect("binds");
    let datagrams = UdpSocket::bind("[::]:7000").expect("binds");
    datagrams.set_read_timeout(Some(PATIENCE)).expect("sets");
    let mut octets = 0;
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().expect("accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("sets");
        let mut received = Vec::new();
        stream
            .read_to_end(&mut received)
            .expect("the whole transfer");
        assert!(
            received
                .iter()
                .enumerate()
                .all(|(i, octet)| *octet == (i / 7) as u8)
        );
        octets += received.len();
        let mut datagram = [0; 2000];
        let (len, from) = datagrams.recv_from(&mut datagram).expect("a datagram");
        datagrams
            .send_to(&datagram[..len], from)
            .expect("goes back");
        stream.write_all(&[1]).expect("the last word");
    }
    octets
}

fn call(address: &str) {
    let mut stream = {
        let begin = std::time::Instant::now();
        loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) => assert!(begin.elapsed() < PATIENCE, "{address}: {error}"),
            }
            thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    let data: Vec<u8> = (0..TRANSFER).map(|i| (i / 7) as u8).collect();
    stream.write_all(&data).expect("the transfer");
    stream.shutdown(std::net::Shutdown::Write).expect("closes");
    let local = if address.starts_with('[') {
        "[::]:0"
    } else {
        "0.0.0.0:0"
    };
    let datagrams = UdpSocket::bind(local).expect("binds");
    datagrams.set_read_timeout(Some(PATIENCE)).expect("sets");
    datagrams.send_to(&[9; 1200], address).expect("goes out");
    assert_eq!(datagrams.recv(&mut [0; 2000]).expect("comes back"), 1200);
    stream.read_exact(&mut [0]).expect("the last word");
}

/// TCP and UDP over IPv4 and IPv6 between two hosts on the veths `host-w` and `host-e`, whose other ends
/// carry the two ports. No frame above the MTU may come out of a port.
pub fn talk(open_west: impl FnOnce() -> Box<dyn Port>, open_east: impl FnOnce() -> Box<dyn Port>) {
    run("ip link add west type veth peer name host-w");
    run("ip link add east type veth peer name host-e");
    let (server, start_server) = host(1, "host-w", serve);
    let (client, start_client) = host(2, "host-e", || {
        call("10.9.0.1:7000");
        call("[fd09::1]:7000");
    });
    let (mut west, mut east) = (open_west(), open_east());
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let node = thread::spawn(move || {
        let mut oversize = 0;
        while !stopped.load(Ordering::Relaxed) {
            oversize += shift(&mut *west, &mut *east);
            oversize += shift(&mut *east, &mut *west);
        }
        oversize
    });
    start_server.send(()).expect("the host waits");
    start_client.send(()).expect("the host waits");
    client.join().expect("the client is content");
    assert_eq!(server.join().expect("the server is content"), 2 * TRANSFER);
    stop.store(true, Ordering::Relaxed);
    assert_eq!(node.join().expect("the node runs"), 0);
}

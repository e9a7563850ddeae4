use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::*;

/// Far above what any of it takes: a test machine may be busy.
const LIMIT: Duration = Duration::from_secs(20);

struct Bed {
    _folder: tempfile::TempDir,
    socket: String,
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("s").display().to_string();
        Self {
            _folder: folder,
            socket,
        }
    }

    fn open(&self, options: &str, mtu: u16, queues: usize) -> Vec<MemifPort> {
        let spec = format!("{},{options}", self.socket);
        MemifPort::open(&spec.parse().expect("parses"), mtu, queues).expect("opens")
    }

    fn one(&self, options: &str) -> MemifPort {
        self.open(options, 1500, 1).remove(0)
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        std::thread::yield_now();
    }
}

fn send(port: &mut MemifPort, frames: &[&[u8]]) -> usize {
    let mut slots = TxSlots::new();
    port.tx_slots(frames.len(), &mut slots);
    let metas: Vec<TxMeta> = slots
        .iter_mut()
        .zip(frames)
        .map(|(slot, frame)| {
            slot[..frame.len()].copy_from_slice(frame);
            TxMeta {
                len: frame.len() as u16,
                start_ns: 0,
            }
        })
        .collect();
    drop(slots);
    port.tx_commit(&metas)
}

fn received(port: &mut MemifPort) -> Vec<Vec<u8>> {
    let mut burst = RxBurst::new();
    port.rx_burst(0, &mut burst);
    burst.iter().map(|frame| frame.to_vec()).collect()
}

/// Both ends see the connection.
fn connect(a: &mut MemifPort, b: &mut MemifPort) {
    until("both ends are connected", || {
        let got = received(a).len() + received(b).len();
        assert_eq!(got, 0);
        a.is_connected() && b.is_connected()
    });
}

#[test]
fn frames_pass_both_ways_in_order() {
    let bed = Bed::new();
    let (mut master, mut slave) = (bed.one("role=master"), bed.one("role=slave"));
    connect(&mut master, &mut slave);
    let (from, to) = (&mut master, &mut slave);
    for round in 0..5000_u32 {
        let frame = [&round.to_le_bytes()[..], &[7; 75]].concat();
        let frame = &frame[..60 + (round as usize % 15)];
        assert_eq!(send(from, &[frame, frame]), 2);
        assert_eq!(received(to), [frame, frame]);
        assert_eq!(send(to, &[frame]), 1);
        assert_eq!(received(from), [frame]);
    }
}

#[test]
fn a_full_ring_pushes_back_and_loses_nothing() {
    let bed = Bed::new();
    for (near, far) in [("role=master", "role=slave"), ("role=slave", "role=master")] {
        let (mut near, mut far) = (
            bed.one(&format!("{near},ring=128")),
            bed.one(&format!("{far},ring=128")),
        );
        connect(&mut near, &mut far);
        let mut sent = 0_u32;
        while send(&mut near, &[&sent.to_le_bytes()]) == 1 {
            sent += 1;
        }
        assert_eq!(sent, 128);
        let mut next = 0_u32;
        loop {
            let frames = received(&mut far);
            if frames.is_empty() {
                break;
            }
            for frame in frames {
                assert_eq!(frame, next.to_le_bytes());
                next += 1;
            }
        }
        assert_eq!(next, 128);
        assert_eq!(send(&mut near, &[&[1; 60]]), 1);
    }
}

#[test]
fn large_frames_cross_small_buffers() {
    let bed = Bed::new();
    let mut master = bed.open("role=master", 9000, 1).remove(0);
    let mut slave = bed.open("role=slave", 1500, 1).remove(0);
    connect(&mut master, &mut slave);
    let frame: Vec<u8> = (0..9014_u32).map(|i| (i % 251) as u8).collect();
    assert_eq!(send(&mut master, &[&frame, &frame[..100], &frame]), 3);
    // The slave's slots are cut above its MTU.
    let cut = &frame[..2048];
    assert_eq!(received(&mut slave), [cut, &frame[..100], cut]);
    assert_eq!(send(&mut slave, &[cut]), 1);
    assert_eq!(received(&mut master), [cut]);
}

#[test]
fn what_was_not_read_goes_to_the_next_peer() {
    for (near, far) in [("master", "slave"), ("slave", "master")] {
        let bed = Bed::new();
        let options = |role| format!("role={role},ring=128");
        let (mut near, mut peer) = (bed.one(&options(near)), bed.one(&options(far)));
        connect(&mut near, &mut peer);
        let frames: Vec<Vec<u8>> = (0..100_u8).map(|i| vec![i; 60 + usize::from(i)]).collect();
        let all: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        assert_eq!(send(&mut near, &all[..40]), 40);
        assert_eq!(received(&mut peer).len(), 40);
        assert_eq!(send(&mut near, &all[40..100]), 60);
        drop(peer);
        until("the end is seen", || {
            received(&mut near);
            !near.is_connected()
        });
        assert_eq!(send(&mut near, &all[..1]), 0, "nobody is there");
        let mut peer = bed.one(&options(far));
        let mut got = Vec::new();
        until("the rest arrives", || {
            received(&mut near);
            got.extend(received(&mut peer));
            got.len() >= 60
        });
        assert_eq!(got, all[40..100]);
        assert_eq!(near.sent_again(), 60);
        assert_eq!(send(&mut near, &all[..1]), 1);
        assert_eq!(received(&mut peer), all[..1]);
    }
}

#[test]
fn what_a_peer_left_in_the_ring_is_received() {
    for (near, far) in [("master", "slave"), ("slave", "master")] {
        let bed = Bed::new();
        let (mut near, mut peer) = (
            bed.one(&format!("role={near}")),
            bed.one(&format!("role={far}")),
        );
        connect(&mut near, &mut peer);
        let frames: Vec<Vec<u8>> = (0..64).map(|i| vec![i; 60]).collect();
        let all: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        for _ in 0..3 {
            assert_eq!(send(&mut peer, &all), 64);
        }
        drop(peer);
        let mut got = Vec::new();
        until("all is received", || {
            got.extend(received(&mut near));
            got.len() >= 192 && !near.is_connected()
        });
        assert_eq!(got.len(), 192);
        assert!(received(&mut near).is_empty());
    }
}

#[test]
fn queues_have_rings_of_their_own_and_share_those_of_a_smaller_peer() {
    let bed = Bed::new();
    let mut master = bed.open("role=master", 1500, 2);
    let mut slave = bed.open("role=slave", 1500, 2);
    let everybody = |ports: &mut [MemifPort]| {
        until("all queues are connected", || {
            ports.iter_mut().all(|port| {
                received(port);
                port.is_connected()
            })
        });
    };
    everybody(&mut master);
    everybody(&mut slave);
    for queue in [1, 0] {
        assert_eq!(send(&mut master[queue], &[&[queue as u8; 60]]), 1);
        assert_eq!(received(&mut slave[1 - queue]).len(), 0);
        assert_eq!(received(&mut slave[queue]), [[queue as u8; 60]]);
    }
    drop(slave);
    let mut slave = bed.open("role=slave", 1500, 1);
    until("the first peer's end is seen", || {
        master.iter_mut().for_each(|port| drop(received(port)));
        master.iter().all(|port| !port.is_connected()) || slave[0].is_connected()
    });
    everybody(&mut slave);
    everybody(&mut master);
    // The one ring of the small peer goes to the queue that sends.
    until("queue 1 sends", || send(&mut master[1], &[&[9; 60]]) == 1);
    assert_eq!(received(&mut slave[0]), [[9; 60]]);
    assert_eq!(send(&mut master[0], &[&[9; 60]]), 0);
}

fn is_readable(source: BorrowedFd<'_>, within: Duration) -> bool {
    let within = Timespec::try_from(within).expect("short");
    poll(&mut [PollFd::new(&source, PollFlags::IN)], Some(&within)).expect("polls") == 1
}

#[test]
fn rest_ends_with_a_frame_a_peer_and_its_end() {
    for (near, far) in [("master", "slave"), ("slave", "master")] {
        let bed = Bed::new();
        let mut near = bed.one(&format!("role={near}"));
        let wakes = |near: &mut MemifPort| {
            let Wake::Readable(source) = near.rest(0) else {
                return true;
            };
            is_readable(source, LIMIT)
        };
        let rests = |near: &mut MemifPort| {
            near.resume();
            match near.rest(0) {
                Wake::Readable(source) => !is_readable(source, Duration::from_millis(5)),
                _ => false,
            }
        };
        until("nothing happens", || rests(&mut near));
        let mut peer = bed.one(&format!("role={far}"));
        assert!(wakes(&mut near), "a peer came");
        near.resume();
        connect(&mut near, &mut peer);
        for round in 0..50_u8 {
            until("nothing happens", || rests(&mut near));
            assert_eq!(send(&mut peer, &[&[round; 60]]), 1);
            assert!(wakes(&mut near), "a frame came");
            near.resume();
            assert_eq!(received(&mut near), [[round; 60]]);
        }
        until("nothing happens", || rests(&mut near));
        drop(peer);
        assert!(wakes(&mut near), "the peer went");
        near.resume();
        until("the end is seen", || {
            received(&mut near);
            !near.is_connected()
        });
    }
}

#[test]
fn a_frame_that_waits_forbids_rest() {
    let bed = Bed::new();
    let (mut master, mut slave) = (bed.one("role=master"), bed.one("role=slave"));
    connect(&mut master, &mut slave);
    let (from, to) = (&mut master, &mut slave);
    assert_eq!(send(from, &[&[1; 60]]), 1);
    assert!(matches!(to.rest(0), Wake::Frames));
    to.resume();
    assert_eq!(received(to).len(), 1);
    assert_eq!(send(to, &[&[1; 60]]), 1);
    assert!(matches!(from.rest(0), Wake::Frames));
}

#[test]
fn a_socket_is_not_taken_from_who_serves_it_and_a_dead_one_is() {
    let bed = Bed::new();
    let spec: MemifSpec = bed.socket.parse().expect("parses");
    let first = MemifPort::open(&spec, 1500, 1).expect("opens");
    let error = MemifPort::open(&spec, 1500, 1).err().expect("refused");
    assert!(matches!(error, PortError::InUse { .. }), "{error}");
    drop(first);
    assert!(!spec.socket().exists());
    let other = std::os::unix::net::UnixDatagram::bind(spec.socket()).expect("binds");
    let error = MemifPort::open(&spec, 1500, 1).err();
    assert!(error.is_some(), "a live socket of another kind stays");
    drop(other);
    std::fs::remove_file(spec.socket()).expect("removed");
    std::fs::write(spec.socket(), "text").expect("written");
    let error = MemifPort::open(&spec, 1500, 1).err();
    assert!(error.is_some(), "what is no socket stays");
    std::fs::remove_file(spec.socket()).expect("removed");
    let address = channel::address(&spec).expect("an address");
    drop(channel::listener(&address).expect("listens"));
    assert!(spec.socket().exists());
    MemifPort::open(&spec, 1500, 1).expect("takes the place of a dead one");
}

#[test]
fn what_does_not_fit_is_said() {
    let bed = Bed::new();
    let spec = |options: &str| -> MemifSpec {
        format!("{},{options}", bed.socket).parse().expect("parses")
    };
    let said = |spec: &MemifSpec, mtu, queues| {
        let error = MemifPort::open(spec, mtu, queues).err().expect("refused");
        error.to_string()
    };
    assert!(said(&spec("id=1"), 1500, 65).contains("1 to 64 queues"));
    assert!(said(&spec("role=slave,ring=16384"), 9000, 64).contains("4096 MiB at most"));
    let nowhere: MemifSpec = "/nowhere/s".parse().expect("parses");
    assert!(said(&nowhere, 1500, 1).contains("listen on the socket"));
}

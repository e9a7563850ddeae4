//! Connections at run time on a whole node: set up and taken down while frames go, admitted against
//! every schedule that is to come, kept over a guest's restart; nothing is lost and nothing leaks.

use std::time::{Duration, Instant};

use pinode_node::config::{self, Isolation, NodeConfig};
use pinode_node::control::*;
use pinode_node::running::RunningNode;
use pinode_node::status::{ClassStatus, GuestState, PhaseEntry, PiStatus, Status, violations};
use pinode_ports::Port;
use pinode_ports::memory::{self, FarEnd};

const LIMIT: Duration = Duration::from_secs(30);
const TOML: &str = r#"
[node]
name = "t"
isolation = "thread"
WORKERS
[[port]]
name = "west"
backend = "memory:west"
mode = "trunk"
capacity = "10Gbps"
[port.cycle]
phases = [ { pi = "a", for = "50us" }, { pi = "b", for = "50us" } ]
[[port]]
name = "east"
backend = "memory:east"
mode = "trunk"
capacity = "10Gbps"
[port.cycle]
phases = [ { pi = "a", for = "50us" }, { pi = "b", for = "50us" } ]
[pi.a]
code = 1
guest = "builtin:patch"
vns = [0, 3]
[pi.a.level2]
discipline = "streams"
signalling = "10Mbps"
most = 2000
connections = [ { port = "east", label = 17, rate = "1Mbps" } ]
[pi.b]
code = 2
guest = "builtin:patch"
"#;

fn config(workers: usize) -> NodeConfig {
    let text = TOML.replace("WORKERS", &format!("workers = {workers}"));
    config::parse("t.toml", std::path::Path::new(""), &text, &["patch"]).unwrap()
}

/// A node, and the far ends of its ports: those of west, then those of east.
fn start(workers: usize) -> (RunningNode, Vec<FarEnd>) {
    let mut far = Vec::new();
    let mut ports: Vec<Vec<Box<dyn Port>>> = Vec::new();
    for _ in 0..2 {
        let (queues, ends): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| memory::pair(4096, 2048)).unzip();
        ports.push(
            queues
                .into_iter()
                .map(|q| Box::new(q) as Box<dyn Port>)
                .collect(),
        );
        far.extend(ends);
    }
    let config = config(workers);
    assert_eq!(config.isolation, Isolation::Thread);
    let node = RunningNode::start(config, ports).unwrap();
    node.wait_ready(LIMIT, || false).unwrap();
    (node, far)
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        std::thread::yield_now();
    }
}

fn frame(vn: u8, label: u32, number: u32) -> Vec<u8> {
    let mut frame = vec![0x5a; 100];
    frame[12..15].copy_from_slice(&[0x88, 0xb5, 1 << 5 | vn]);
    frame[15..19].copy_from_slice(&(label << 12 | 0x140).to_be_bytes());
    frame[20..24].copy_from_slice(&number.to_be_bytes());
    frame
}

fn status(node: &RunningNode) -> Status {
    let status = node.operator().status().unwrap();
    assert!(violations(&status).is_empty(), "{:?}", violations(&status));
    status
}

/// PI a at port east.
fn east(node: &RunningNode) -> PiStatus {
    status(node).ports[1].pi["a"].clone()
}

fn class(node: &RunningNode, name: &str) -> ClassStatus {
    let classes = east(node).level2.classes;
    classes
        .into_iter()
        .find(|class| class.name == name)
        .unwrap()
}

fn cbr(label: u32, rate_bps: u64) -> StreamRequest {
    StreamRequest {
        vn: 0,
        label,
        class: StreamClass::Cbr,
        rate_bps: Some(rate_bps),
        tolerance_ns: None,
        buffer: None,
        early_ns: 0,
        max_frame: None,
    }
}

fn ubr(label: u32) -> StreamRequest {
    StreamRequest {
        class: StreamClass::Ubr,
        rate_bps: None,
        ..cbr(label, 0)
    }
}

fn connect(
    node: &RunningNode,
    items: &[StreamRequest],
) -> Vec<Result<StreamGranted, StreamRefused>> {
    let operator = node.operator();
    operator
        .connect_streams("east", "a", items.to_vec())
        .unwrap()
}

fn disconnect(node: &RunningNode, labels: &[u32]) -> Vec<Result<StreamReleased, StreamRefused>> {
    let names = labels.iter().map(|&label| StreamName { vn: 0, label });
    let operator = node.operator();
    operator
        .disconnect_streams("east", "a", names.collect())
        .unwrap()
}

fn all(node: &RunningNode) -> Streams {
    let page = StreamPage {
        from: 0,
        most: 4096,
    };
    node.operator().streams("east", "a", page).unwrap()
}

fn cause(answer: &Result<StreamGranted, StreamRefused>) -> StreamCause {
    answer.as_ref().unwrap_err().cause
}

/// Sends frames of these connections in at west, and takes them out at east, in order.
fn cross(far: &mut [FarEnd], at: &[(u8, u32)], count: u32) {
    let (west, east) = far.split_at_mut(far.len() / 2);
    for number in 0..count {
        for &(vn, label) in at {
            let sent = frame(vn, label, number);
            until("room on the cable", || west[0].send(&sent).then_some(()));
            until("the frame at the far end", || {
                let mut came = false;
                for end in east.iter_mut() {
                    end.recv(|f, _| {
                        assert_eq!(f, sent);
                        came = true;
                    });
                }
                came.then_some(())
            });
        }
    }
}

fn connections_come_and_go(workers: usize) {
    let (node, mut far) = start(workers);
    let before = all(&node);
    assert_eq!((before.count, before.most), (1, 2000));
    assert_eq!(before.signalling_bps, 10_000_000);
    // S = 50 us less a largest frame of 1,230.4 ns, in 100 us.
    assert_eq!(before.guaranteed_bps, 4_876_960_000);
    assert_eq!(before.spare_bps, 4_865_960_000);

    // The configured one, and signalling in both networks.
    cross(&mut far, &[(0, 17), (0, 1), (3, 1)], 10);
    assert!(far[0].send(&frame(0, 100, 0)));
    until("a frame of no connection is counted", || {
        (east(&node).tx_drops.no_connection == 1).then_some(())
    });

    let answers = connect(
        &node,
        &[
            cbr(100, 100_000_000),
            ubr(101),
            cbr(100, 1),
            cbr(102, 4_865_960_000),
            cbr(15, 1_000),
            StreamRequest {
                vn: 1,
                ..cbr(103, 1)
            },
            StreamRequest {
                rate_bps: None,
                ..cbr(104, 1)
            },
            StreamRequest {
                max_frame: Some(1519),
                ..cbr(105, 1)
            },
            StreamRequest {
                tolerance_ns: Some(51_230),
                ..cbr(106, 1)
            },
            StreamRequest {
                buffer: Some(0),
                ..cbr(107, 1)
            },
            StreamRequest {
                vn: 3,
                tolerance_ns: Some(51_231),
                ..cbr(100, 2_000_000)
            },
        ],
    );
    let granted = answers[0].as_ref().unwrap();
    assert_eq!(
        (granted.rate_bps, granted.max_frame),
        (Some(100_000_000), 1518)
    );
    assert!(granted.tolerance_ns >= granted.delay_ns.unwrap());
    assert_eq!(answers[1].as_ref().unwrap().delay_ns, None);
    let refused: Vec<_> = answers[2..10].iter().map(cause).collect();
    let causes = [
        StreamCause::Taken,
        StreamCause::Rate,
        StreamCause::Label,
        StreamCause::Network,
        StreamCause::Rate,
        StreamCause::MaxFrame,
        StreamCause::Tolerance,
        StreamCause::Buffer,
    ];
    assert_eq!(refused, causes);
    assert_eq!(answers[10].as_ref().unwrap().tolerance_ns, 51_231);
    cross(
        &mut far,
        &[(0, 17), (0, 100), (0, 101), (3, 100), (3, 1)],
        50,
    );
    assert_eq!(class(&node, "0/101").dequeued, 50);
    assert_eq!(class(&node, "3/100").dequeued, 50);
    assert_eq!(class(&node, "signalling").dequeued, 70);

    // What waits when its connection is taken down goes back to the guest, and is counted.
    let slow = StreamRequest {
        tolerance_ns: Some(60_000),
        buffer: Some(8),
        ..cbr(200, 1)
    };
    connect(&node, &[slow])[0].as_ref().unwrap();
    for number in 0..5 {
        assert!(far[0].send(&frame(0, 200, number)));
    }
    until("four frames wait", || {
        let class = class(&node, "0/200");
        (class.queued == 4 && class.dequeued == 1).then_some(())
    });
    let gone = disconnect(&node, &[200, 200, 17]);
    let counters = gone[0].as_ref().unwrap().counters;
    assert_eq!(
        (counters.enqueued, counters.dequeued, counters.cleared),
        (5, 1, 4)
    );
    assert_eq!(gone[1].as_ref().unwrap_err().cause, StreamCause::NoSuch);
    assert_eq!(gone[2].as_ref().unwrap_err().cause, StreamCause::Configured);
    let now = east(&node);
    assert_eq!((now.tx_drops.cleared, now.queued), (4, 0));
    // The one frame that was on its way.
    until("the frame at the far end", || {
        let half = far.len() / 2;
        let mut came = 0;
        far[half..].iter_mut().for_each(|end| {
            end.recv(|_, _| came += 1);
        });
        (came == 1).then_some(())
    });
    cross(&mut far, &[(0, 17), (0, 100)], 50);

    // A restart takes the guest's frames, not the connections.
    node.operator()
        .guest_action("a", GuestAction::Restart)
        .unwrap();
    until("the guest runs", || {
        let guest = node.operator().guests().unwrap().swap_remove(0);
        (guest.state == GuestState::Running && guest.restarts == 1).then_some(())
    });
    cross(&mut far, &[(0, 17), (0, 100), (0, 101)], 50);
    let listed = all(&node);
    assert_eq!((listed.count, listed.connections.len()), (4, 4));
    let of = |vn, label| {
        let mut all = listed.connections.iter();
        *all.find(|c| (c.granted.vn, c.granted.label) == (vn, label))
            .unwrap()
    };
    assert!(of(0, 17).configured && !of(0, 100).configured);
    assert_eq!(of(0, 100).counters.dequeued, 150);
    assert_eq!(listed.reserved_bps, 103_000_000);
    let page = StreamPage {
        from: 3,
        most: 4096,
    };
    let last = node.operator().streams("east", "a", page).unwrap();
    assert_eq!(
        (&last.connections[..], last.next),
        (&listed.connections[3..], None)
    );
    let page = StreamPage { from: 0, most: 3 };
    assert_eq!(
        node.operator().streams("east", "a", page).unwrap().next,
        Some(3)
    );
    node.stop();
}

#[test]
fn connections_come_and_go_while_frames_cross() {
    connections_come_and_go(1);
}

#[test]
fn connections_come_and_go_beside_two_workers() {
    connections_come_and_go(2);
}

#[test]
fn thousands_come_and_go_and_nothing_leaks() {
    let (node, mut far) = start(1);
    let before = all(&node);
    let items: Vec<_> = (0..2_500)
        .map(|n| cbr(1_000 + 401 * n, 1_000_000))
        .collect();
    let items: Vec<_> = items
        .into_iter()
        .map(|item| StreamRequest {
            buffer: Some(1),
            ..item
        })
        .collect();
    let labels: Vec<_> = items.iter().map(|item| item.label).collect();
    for _ in 0..5 {
        let admitted = connect(&node, &items).iter().filter(|a| a.is_ok()).count();
        // As many as there is memory for.
        assert_eq!(admitted as u32, before.most - before.count);
        cross(&mut far, &[(0, 17), (0, labels[7])], 1);
        let released = disconnect(&node, &labels);
        assert_eq!(released.iter().filter(|a| a.is_ok()).count(), admitted);
    }
    let after = all(&node);
    assert_eq!(
        (after.count, after.spare_bps),
        (before.count, before.spare_bps)
    );
    assert_eq!(
        (after.buffer, after.reserved_bps),
        (before.buffer, before.reserved_bps)
    );
    node.stop();
}

/// The first of many is set up while a turn of all is short, and has its bound when it is long.
#[test]
fn what_comes_early_keeps_its_bound_while_others_join() {
    const EARLY_NS: u64 = 100_000;
    let (node, _far) = start(1);
    // The configured one has a turn of a largest frame; frames of these come 640 us apart, longer than a turn.
    let early = |label| StreamRequest {
        early_ns: EARLY_NS,
        max_frame: Some(300),
        ..cbr(label, 4_000_000)
    };
    let first = connect(&node, &[early(1_000)])[0].clone().unwrap();
    let others: Vec<_> = (1_001..2_000).map(early).collect();
    assert!(connect(&node, &others).iter().all(Result::is_ok));
    let all = all(&node).connections;
    let own = |label| all.iter().find(|c| c.granted.label == label).unwrap();
    let later = own(1_000).granted;
    assert!(later.delay_ns > first.delay_ns, "{first:?} {later:?}");
    for label in 1_000..2_000 {
        let granted = own(label).granted;
        assert_eq!(granted.delay_ns, later.delay_ns);
        let beyond_ns = granted.tolerance_ns - granted.delay_ns.unwrap();
        assert_eq!(beyond_ns, EARLY_NS);
    }
    node.stop();
}

#[test]
fn a_schedule_that_does_not_hold_what_was_promised_is_refused() {
    let (node, mut far) = start(1);
    let entry = |pi: &str, us: u64| PhaseEntry {
        pi: pi.into(),
        duration_ns: us * 1_000,
    };
    let set = |a: u64, b: u64| {
        node.operator().set_phases(
            "east",
            SetPhases {
                phases: vec![entry("a", a), entry("b", b)],
                base_tai_ns: None,
                extension_ns: None,
            },
        )
    };
    let settled = || {
        until("the change", || {
            node.operator()
                .phases("east")
                .unwrap()
                .admin
                .is_none()
                .then_some(())
        });
    };
    connect(&node, &[cbr(100, 4_000_000_000)])[0]
        .as_ref()
        .unwrap();
    // 28.77 us in 80 us.
    let error = set(30, 50).unwrap_err().to_string();
    assert!(
        error.contains("sum up to 4001.000 Mb/s and its signalling has 10.000 Mb/s")
            && error.contains("guarantee 3596.200 Mb/s: short by 414.800 Mb/s"),
        "{error}"
    );
    assert_eq!(all(&node).guaranteed_bps, 4_876_960_000);
    // A longer wait than the tolerance covers.
    let error = set(500, 400).unwrap_err().to_string();
    assert!(
        error.contains("filled in from the schedules before"),
        "{error}"
    );
    // Its rate is there when the last cycle of the schedule before is over.
    set(50, 30).unwrap();
    settled();
    let more = all(&node);
    assert_eq!(more.guaranteed_bps, 6_096_200_000);
    assert_eq!(more.spare_bps, 6_096_200_000 - 4_011_000_000);
    connect(&node, &[cbr(101, 2_000_000_000)])[0]
        .as_ref()
        .unwrap();
    // Back is less than they have now.
    let error = set(50, 50).unwrap_err().to_string();
    assert!(error.contains("short by 1134.040 Mb/s"), "{error}");
    disconnect(&node, &[101])[0].as_ref().unwrap();
    set(50, 50).unwrap();
    // From the moment on at which it was taken.
    assert_eq!(all(&node).spare_bps, 4_876_960_000 - 4_011_000_000);
    settled();
    cross(&mut far, &[(0, 17), (0, 100)], 20);
    node.stop();
}

//! A running node with guests as host threads, on memory ports: everything but KVM and interfaces.

use std::time::{Duration, Instant};

use pinode_node::config::{self, NodeConfig};
use pinode_node::control::{Control, ControlError, GuestAction, SetPhases};
use pinode_node::running::RunningNode;
use pinode_node::status::{GuestState, PhaseEntry, Status, violations};
use pinode_ports::Port;
use pinode_ports::memory::{self, FarEnd};

const LIMIT: Duration = Duration::from_secs(20);
const TOML: &str = r#"
[node]
name = "t"
isolation = "thread"
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
[pi.b]
code = 2
guest = "builtin:patch"
"#;

fn config() -> NodeConfig {
    config::parse("t.toml", std::path::Path::new(""), TOML, &["patch"]).unwrap()
}

fn start() -> (RunningNode, [FarEnd; 2]) {
    let (west, far_west) = memory::pair(4096, 2048);
    let (east, far_east) = memory::pair(4096, 2048);
    let ports: Vec<Vec<Box<dyn Port>>> = vec![vec![Box::new(west)], vec![Box::new(east)]];
    let node = RunningNode::start(config(), ports).unwrap();
    node.wait_ready(LIMIT, || false).unwrap();
    (node, [far_west, far_east])
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

fn frame(code: u8, number: u32) -> Vec<u8> {
    let mut frame = vec![0x5a; 100];
    frame[12..15].copy_from_slice(&[0x88, 0xb5, code << 5]);
    frame[20..24].copy_from_slice(&number.to_be_bytes());
    frame
}

fn status(node: &RunningNode) -> Status {
    let status = node.operator().status().unwrap();
    assert!(violations(&status).is_empty(), "{:?}", violations(&status));
    status
}

/// Sends `count` frames of `code` west to east and takes them all out again, in order.
fn cross(far: &mut [FarEnd; 2], code: u8, count: u32) {
    let [west, east] = far;
    let mut next = 0;
    for number in 0..count {
        until("room on the cable", || {
            west.send(&frame(code, number)).then_some(())
        });
        if number % 256 == 255 || number + 1 == count {
            until("the frames at the far end", || {
                east.recv(|f, _| {
                    assert_eq!(f, frame(code, next));
                    next += 1;
                });
                (next == number + 1).then_some(())
            });
        }
    }
}

#[test]
fn frames_cross_and_every_sum_holds() {
    let (node, mut far) = start();
    for code in [1, 2] {
        cross(&mut far, code, 5000);
    }
    let status = status(&node);
    assert_eq!(status.ports[1].pi["a"].sent, 5000);
    assert_eq!(status.ports[1].pi["b"].sent, 5000);
    assert_eq!(status.ports[1].pi["a"].window_overruns, 0);
    node.stop();
}

#[test]
fn a_guest_stops_starts_and_restarts_and_the_other_goes_on() {
    let (node, mut far) = start();
    let operator = node.operator().clone();
    let stopped = operator.guest_action("a", GuestAction::Stop).unwrap();
    assert_eq!(stopped.state, GuestState::Stopped);
    assert!(far[0].send(&frame(1, 0)));
    until("the frame for nobody is counted", || {
        (status(&node).ports[0].pi["a"].drops.guest_down == 1).then_some(())
    });
    cross(&mut far, 2, 1000);
    for (action, restarts) in [(GuestAction::Start, 0), (GuestAction::Restart, 1)] {
        operator.guest_action("a", action).unwrap();
        let guest = until("the guest runs", || {
            let guest = operator.guests().unwrap().swap_remove(0);
            (guest.state == GuestState::Running).then_some(guest)
        });
        assert_eq!(guest.restarts, restarts);
        cross(&mut far, 1, 1000);
    }
    cross(&mut far, 2, 1000);
    status(&node);
    node.stop();
}

#[test]
fn phases_are_shown_changed_and_refused() {
    let (node, mut far) = start();
    let operator = node.operator().clone();
    let entry = |pi: &str, duration_ns| PhaseEntry {
        pi: pi.into(),
        duration_ns,
    };
    let set = |phases: Vec<PhaseEntry>| {
        operator.set_phases(
            "east",
            SetPhases {
                phases,
                base_tai_ns: None,
            },
        )
    };
    let before = operator.phases("east").unwrap();
    set(vec![
        entry("b", 20_000),
        entry("none", 5_000),
        entry("a", 30_000),
    ])
    .unwrap();
    until("the change", || {
        let now = operator.phases("east").unwrap();
        (now.admin.is_none() && now.oper != before.oper).then_some(())
    });
    let now = operator.phases("east").unwrap().oper;
    assert_eq!((now.cycle_ns, now.phases[1].pi.as_str()), (55_000, "none"));
    cross(&mut far, 1, 2000);

    let too_short = set(vec![entry("a", 1_000), entry("b", 50_000)]).unwrap_err();
    assert!(
        matches!(too_short, ControlError::Refused { .. }),
        "{too_short}"
    );
    let absent = set(vec![entry("a", 50_000)]).unwrap_err();
    assert!(
        absent.to_string().contains("no phase for PI \"b\""),
        "{absent}"
    );
    let unknown = set(vec![entry("c", 50_000)]).unwrap_err();
    assert!(matches!(unknown, ControlError::Unknown { .. }), "{unknown}");
    assert_eq!(
        operator.phases("east").unwrap().oper,
        now,
        "the running schedule is untouched"
    );
    status(&node);
    node.stop();
}

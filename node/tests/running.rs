//! A running node with guests as host threads, on memory ports: everything but KVM and interfaces.

use std::time::{Duration, Instant};

use pinode_classifier::Vn;
use pinode_node::config::{self, Isolation, Level2Config, NodeConfig, StreamConfig, StreamsConfig};
use pinode_node::control::{Control, ControlError, GuestAction, SetPhases};
use pinode_node::dataplane::clock::tai_ns;
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
    with("")
}

/// The configuration with `more` in its `[node]`.
fn with(more: &str) -> NodeConfig {
    let text = TOML.replace("[node]\n", &format!("[node]\n{more}\n"));
    config::parse("t.toml", std::path::Path::new(""), &text, &["patch"]).unwrap()
}

/// A node whose ports have two queues each, and their far ends: west 0 and 1, east 0 and 1.
fn start_with_queues(more: &str) -> (RunningNode, Vec<FarEnd>) {
    start_isolated(Isolation::Thread, more)
}

fn start_isolated(isolation: Isolation, more: &str) -> (RunningNode, Vec<FarEnd>) {
    let mut far = Vec::new();
    let mut ports: Vec<Vec<Box<dyn Port>>> = Vec::new();
    for _ in 0..2 {
        let (queues, ends): (Vec<_>, Vec<_>) = (0..2).map(|_| memory::pair(4096, 2048)).unzip();
        let boxed = queues
            .into_iter()
            .map(|queue| Box::new(queue) as Box<dyn Port>);
        ports.push(boxed.collect());
        far.extend(ends);
    }
    let mut config = with(&format!("workers = 2\n{more}"));
    config.isolation = isolation;
    let node = RunningNode::start(config, ports).unwrap();
    node.wait_ready(LIMIT, || false).unwrap();
    (node, far)
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
fn what_is_asked_of_a_guest_is_answered_by_its_function_or_refused_with_its_state() {
    let (node, mut far) = start();
    let operator = node.operator();
    let ask = |guest: &str| operator.guest_request(guest, serde_json::json!({ "what": 1 }));
    // Many more than a guest may say by itself.
    for _ in 0..3000 {
        let refused = ControlError::Refused {
            at: "guest.a".to_owned(),
            what: "patch takes no requests".to_owned(),
        };
        assert_eq!(ask("a"), Err(refused));
    }
    let long = serde_json::json!("x".repeat(70_000));
    let error = operator.guest_request("a", long).unwrap_err();
    assert!(
        matches!(&error, ControlError::Refused { what, .. } if what.contains("allowed: 65536"))
    );
    assert!(matches!(ask("c"), Err(ControlError::Unknown { .. })));
    operator.guest_action("a", GuestAction::Stop).unwrap();
    let error = ask("a").unwrap_err();
    assert!(matches!(&error, ControlError::Conflict { what, .. } if what.contains("is stopped")));
    assert_eq!(status(&node).guests[0].last_fault, None);
    cross(&mut far, 2, 10);
    node.stop();
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
                extension_ns: None,
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

fn entry(pi: &str, duration_ns: u64) -> PhaseEntry {
    PhaseEntry {
        pi: pi.into(),
        duration_ns,
    }
}

fn ask(phases: Vec<PhaseEntry>, base_tai_ns: Option<u64>) -> SetPhases {
    SetPhases {
        phases,
        base_tai_ns,
        extension_ns: None,
    }
}

#[test]
fn a_schedule_that_waits_is_replaced_and_the_answer_says_so() {
    let (node, mut far) = start();
    let operator = node.operator().clone();
    let before = operator.phases("east").unwrap();
    assert_eq!(before.admin, None);
    let gates: Vec<&str> = before.gates.iter().map(|gate| gate.pi.as_str()).collect();
    assert_eq!(gates, ["a", "b"]);
    // An hour ahead: it waits for as long as the test may last.
    let later = tai_ns() + 3_600_000_000_000;
    let waits = vec![entry("a", 30_000), entry("b", 30_000)];
    let set = operator
        .set_phases("east", ask(waits.clone(), Some(later)))
        .unwrap();
    assert_eq!(
        (set.takes_effect_tai_ns, set.replaced_tai_ns),
        (later, None)
    );
    let now = operator.phases("east").unwrap();
    assert_eq!(now.oper, before.oper);
    assert_eq!(now.admin.as_ref().map(|admin| &admin.phases), Some(&waits));

    // What is refused leaves both alone.
    let refusals = [
        (vec![], "no phase for PI"),
        (vec![entry("a", 0), entry("b", 50_000)], "too short"),
        (
            vec![entry("a", 50_000), entry("b", 50_000), entry("none", 0)],
            "phase 2 lasts 0 ns",
        ),
        (
            vec![entry("a", 50_000), entry("z", 50_000)],
            "there is no pi \"z\"; there are: a, b",
        ),
        (
            vec![entry("a", 9_000_000_000), entry("b", 9_000_000_000)],
            "longer than 10000000000 ns",
        ),
    ];
    for (phases, said) in refusals {
        let error = operator.set_phases("east", ask(phases, None)).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(operator.phases("east").unwrap(), now);
    }
    let long = SetPhases {
        extension_ns: Some(100_001),
        ..ask(vec![entry("a", 50_000), entry("b", 50_000)], None)
    };
    let error = operator.set_phases("east", long).unwrap_err();
    assert!(
        error.to_string().contains("longer than the cycle"),
        "{error}"
    );
    assert_eq!(operator.phases("east").unwrap(), now);

    // In place of what waits: at the next boundary of the schedule in force.
    let next = vec![
        entry("b", 40_000),
        entry("a", 20_000),
        entry("b", 5_000),
        entry("a", 25_000),
    ];
    let set = operator
        .set_phases("east", ask(next.clone(), None))
        .unwrap();
    assert_eq!(set.replaced_tai_ns, Some(later));
    let past = set.takes_effect_tai_ns - before.oper.base_tai_ns;
    assert_eq!(past % before.oper.cycle_ns, 0);
    until("the change", || {
        let now = operator.phases("east").unwrap();
        (now.admin.is_none() && now.oper.phases == next).then_some(())
    });
    cross(&mut far, 1, 1000);
    cross(&mut far, 2, 1000);
    assert_eq!(status(&node).ports[1].pi["a"].phase_ns, 45_000);
    node.stop();
}

/// A tolerance that was left out is the one of the schedule that the node started with.
#[test]
fn a_schedule_under_which_a_connection_loses_its_rate_is_refused() {
    let mut config = config();
    config.pis[0].level2 = Level2Config::Streams(StreamsConfig {
        connections: vec![StreamConfig {
            port: "east".to_owned(),
            vn: Vn::DEFAULT,
            label: 17,
            rate_bps: 1_000_000,
            tolerance_ns: None,
            buffer: 16,
            max_frame: None,
        }],
        ..StreamsConfig::default()
    });
    let boxed = |port| vec![Box::new(port) as Box<dyn Port>];
    let ports = vec![
        boxed(memory::pair(4096, 2048).0),
        boxed(memory::pair(4096, 2048).0),
    ];
    let node = RunningNode::start(config, ports).unwrap();
    let operator = node.operator().clone();
    let before = operator.phases("east").unwrap();
    // T = 51.2 us at first, which are filled in as 80.4 us; 50 us more of others are too much.
    let long = vec![entry("a", 50_000), entry("b", 100_000)];
    let error = operator
        .set_phases("east", ask(long.clone(), None))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("label 17 of PI \"a\"")
            && error.contains("its tolerance of 80366ns, filled in"),
        "{error}"
    );
    assert_eq!(operator.phases("east").unwrap(), before);
    operator.set_phases("west", ask(long, None)).unwrap();
    let short = vec![entry("a", 50_000), entry("b", 70_000)];
    operator.set_phases("east", ask(short, None)).unwrap();
    node.stop();
}

#[test]
fn a_base_time_in_the_past_counts_cycles_from_it() {
    let (node, mut far) = start();
    let operator = node.operator().clone();
    let phases = vec![entry("a", 30_000), entry("b", 41_000)];
    for base in [0, 17, tai_ns() - 123_456_789] {
        let before = tai_ns();
        let set = operator
            .set_phases("west", ask(phases.clone(), Some(base)))
            .unwrap();
        assert!(set.takes_effect_tai_ns > before);
        // The worker's clock and CLOCK_TAI are read apart, so their distance is known to some 100 ns.
        let off = (set.takes_effect_tai_ns - base) % 71_000;
        assert!(!(1_000..=70_000).contains(&off), "{off}");
        until("the change", || {
            operator
                .phases("west")
                .unwrap()
                .admin
                .is_none()
                .then_some(())
        });
    }
    cross(&mut far, 2, 1000);
    node.stop();
}

#[test]
fn gates_are_closed_before_a_base_time_that_is_still_to_come() {
    let base = tai_ns() + 3_600_000_000_000;
    let start = |base: u64| {
        let (west, far_west) = memory::pair(4096, 2048);
        let (east, far_east) = memory::pair(4096, 2048);
        let ports: Vec<Vec<Box<dyn Port>>> = vec![vec![Box::new(west)], vec![Box::new(east)]];
        let text = TOML.replace(
            "[port.cycle]\n",
            &format!("[port.cycle]\nbase_time = {base}\n"),
        );
        let config = config::parse("t.toml", std::path::Path::new(""), &text, &["patch"]).unwrap();
        (RunningNode::start(config, ports), [far_west, far_east])
    };
    let (node, mut far) = start(base);
    let node = node.unwrap();
    node.wait_ready(LIMIT, || false).unwrap();
    for number in 0..10 {
        assert!(far[0].send(&frame(1, number)));
    }
    until("the frames wait for a gate", || {
        (status(&node).ports[1].pi["a"].queued == 10).then_some(())
    });
    let operator = node.operator().clone();
    let shown = operator.phases("east").unwrap().oper.base_tai_ns;
    assert!(shown.abs_diff(base) < 1_000_000, "{shown} {base}");
    assert_eq!(status(&node).ports[1].pi["a"].sent, 0);
    // A schedule whose time has come opens them.
    let phases = vec![entry("a", 50_000), entry("b", 50_000)];
    operator.set_phases("east", ask(phases, Some(0))).unwrap();
    until("the frames at the far end", || {
        far[1].recv(|_, _| {});
        (status(&node).ports[1].pi["a"].sent == 10).then_some(())
    });
    node.stop();

    let two_years = tai_ns() + 2 * 366 * 24 * 3600 * 1_000_000_000;
    let (refused, _far) = start(two_years);
    let error = refused.err().map(|error| error.to_string()).unwrap();
    assert!(
        error.starts_with("port.west.cycle.base_time: ")
            && error.contains("more than a year ahead"),
        "{error}"
    );
}

/// What came out of an east or west queue, by the queue it came in by, must be next in its flow.
fn take(end: &mut FarEnd, next: &mut [[u32; 2]; 2]) {
    end.recv(|f, _| {
        let (code, queue) = (f[14] >> 5, usize::from(f[19]));
        let expected = &mut next[usize::from(code) - 1][queue];
        assert_eq!(f, flow_frame(code, queue, *expected));
        *expected += 1;
    });
}

fn flow_frame(code: u8, queue: usize, number: u32) -> Vec<u8> {
    let mut frame = frame(code, number);
    frame[19] = queue as u8;
    frame.resize(60 + (number as usize * 37) % 1400, number as u8);
    frame
}

#[test]
fn two_workers_carry_two_queues_byte_for_byte_and_in_order() {
    const EACH: u32 = 20_000;
    let threads = Isolation::Thread;
    let mut runs = vec![(threads, ""), (threads, "idle = \"poll\"")];
    match pinode_vmm::KvmHost::open() {
        Ok(_) => runs.push((Isolation::Kvm, "")),
        Err(error) => {
            let required = std::env::var("CI").is_ok_and(|value| value == "true")
                || std::env::var("PINODE_REQUIRE").is_ok_and(|value| value == "all");
            assert!(!required, "two workers beside VMs need KVM: {error}");
            eprintln!(
                "skipped: two workers beside VMs: {error}; run as root or as a user of group kvm"
            );
        }
    }
    for (isolation, more) in runs {
        let (node, mut far) = start_isolated(isolation, more);
        // Port 0 is sent on by worker 0, port 1 by worker 1.
        for (from, exit) in [(0, 3), (2, 0)] {
            let mut next = [[0; 2]; 2];
            for number in 0..EACH {
                for queue in 0..2 {
                    for code in [1, 2] {
                        let f = flow_frame(code, queue, number);
                        until("room on the cable", || {
                            take(&mut far[exit], &mut next);
                            far[from + queue].send(&f).then_some(())
                        });
                    }
                }
                if number % 128 == 127 || number + 1 == EACH {
                    until("the frames at the far end", || {
                        take(&mut far[exit], &mut next);
                        (next == [[number + 1; 2]; 2]).then_some(())
                    });
                }
            }
        }
        let status = status(&node);
        for port in &status.ports {
            for pi in ["a", "b"] {
                assert_eq!(port.pi[pi].sent, 2 * u64::from(EACH));
                assert_eq!(port.pi[pi].window_overruns, 0);
            }
        }
        assert_eq!(status.workers.len(), 2);
        let slept = status.workers.iter().map(|worker| worker.sleeps);
        assert_eq!(slept.sum::<u64>() > 0, more.is_empty());
        node.stop();
    }
}

#[test]
fn no_frame_waits_for_a_worker_that_sleeps() {
    // Gaps around the time after which a worker sleeps, so that frames meet it at every step of it.
    for more in ["", "cpus = { workers = [0], guests = [1] }"] {
        if more.contains("[1]") && std::thread::available_parallelism().unwrap().get() < 2 {
            continue;
        }
        let (west, far_west) = memory::pair(4096, 2048);
        let (east, far_east) = memory::pair(4096, 2048);
        let ports: Vec<Vec<Box<dyn Port>>> = vec![vec![Box::new(west)], vec![Box::new(east)]];
        let node = RunningNode::start(with(more), ports).unwrap();
        node.wait_ready(LIMIT, || false).unwrap();
        let mut far = [far_west, far_east];
        for number in 0..3000u32 {
            let gap = Duration::from_nanos(u64::from(number) * 7919 % 450_000);
            let began = Instant::now();
            while began.elapsed() < gap {
                std::thread::yield_now();
            }
            let (from, to) = if number % 2 == 0 { (0, 1) } else { (1, 0) };
            assert!(far[from].send(&frame(1 + (number % 3 % 2) as u8, number)));
            until("the frame at the far end", || {
                (far[to].recv(|f, _| assert_eq!(f[20..24], number.to_be_bytes())) > 0).then_some(())
            });
        }
        let status = status(&node);
        assert!(status.workers[0].sleeps > 100, "{:?}", status.workers);
        node.stop();
    }
}

#[test]
fn a_guest_stops_and_starts_beside_two_workers() {
    let (node, mut far) = start_with_queues("");
    let operator = node.operator().clone();
    let send_both = |far: &mut Vec<FarEnd>, code: u8, count: u32| {
        for number in 0..count {
            for (queue, end) in far.iter_mut().enumerate().take(2) {
                until("room", || {
                    end.send(&flow_frame(code, queue, number)).then_some(())
                });
            }
        }
    };
    operator.guest_action("a", GuestAction::Stop).unwrap();
    send_both(&mut far, 1, 500);
    until("both workers count them", || {
        (status(&node).ports[0].pi["a"].drops.guest_down == 1000).then_some(())
    });
    operator.guest_action("a", GuestAction::Start).unwrap();
    until("the guest runs", || {
        let guest = operator.guests().unwrap().swap_remove(0);
        (guest.state == GuestState::Running).then_some(())
    });
    let mut next = [[0; 2]; 2];
    send_both(&mut far, 1, 500);
    until("the frames at the far end", || {
        take(&mut far[3], &mut next);
        (next[0] == [500; 2]).then_some(())
    });
    status(&node);
    node.stop();
}

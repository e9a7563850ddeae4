//! The label switch in a running node, in a virtual machine and as a host thread: frames, requests, what it says unasked,
//! and that whoever listens hears that it comes and goes.

use std::path::Path;
use std::time::{Duration, Instant};

use pinode_node::config::{self, Isolation};
use pinode_node::control::{Control as _, GuestAction};
use pinode_node::running::RunningNode;
use pinode_node::status::violations;
use pinode_node::supervisor::{GuestNotice, Listener};
use pinode_ports::Port;
use pinode_ports::memory::{self, FarEnd};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);
const TOML: &str = r#"
[node]
name = "t"
[[port]]
name = "west"
backend = "memory:west"
mode = "trunk"
capacity = "10Gbps"
cycle = { phases = [{ pi = "dss", for = "50us" }] }
[[port]]
name = "east"
backend = "memory:east"
mode = "trunk"
capacity = "10Gbps"
cycle = { phases = [{ pi = "dss", for = "50us" }] }
[pi.dss]
code = 3
guest = "builtin:dss"
config = { connections = 1000 }
"#;

struct Bed {
    node: RunningNode,
    far: [FarEnd; 2],
    listener: Listener,
}

impl Bed {
    fn start(isolation: Isolation) -> Self {
        let (west, far_west) = memory::pair(4096, 2048);
        let (east, far_east) = memory::pair(4096, 2048);
        let mut config = config::parse("t.toml", Path::new(""), TOML, &["dss"]).unwrap();
        config.isolation = isolation;
        let ports: Vec<Vec<Box<dyn Port>>> = vec![vec![Box::new(west)], vec![Box::new(east)]];
        let node = RunningNode::start(config, ports).unwrap();
        node.wait_ready(LIMIT, || false).unwrap();
        let listener = node.operator().listen("dss").unwrap();
        let bed = Bed {
            node,
            far: [far_west, far_east],
            listener,
        };
        assert_eq!(bed.hear(), GuestNotice::Running);
        bed
    }

    fn ask(&self, request: Value) -> Value {
        self.node.operator().guest_request("dss", request).unwrap()
    }

    fn hear(&self) -> GuestNotice {
        self.listener.next(LIMIT).expect("a notice")
    }

    /// The next frame that comes out of a port.
    fn take(&mut self, port: usize) -> Vec<u8> {
        let began = Instant::now();
        let mut out = Vec::new();
        while self.far[port].recv(|frame, _| out.push(frame.to_vec())) == 0 {
            assert!(began.elapsed() < LIMIT, "nothing comes out");
            std::thread::yield_now();
        }
        out.swap_remove(0)
    }
}

fn frame(label: u32, ttl: u8, payload: &[u8]) -> Vec<u8> {
    let entry = (label << 12 | 1 << 8 | u32::from(ttl)).to_be_bytes();
    let head = [2, 0, 0, 0, 1, 1, 0x88, 0xb5, 3 << 5];
    [&[0xff; 6][..], &head, &entry, &[0; 4], payload].concat()
}

fn connect(bed: &Bed) {
    let item = json!({ "port": 0, "vn": 0, "label": 16, "to_port": 1, "to_label": 17 });
    let answer = bed.ask(json!({ "connect": { "items": [item] } }));
    assert_eq!(answer["connected"]["done"], 1, "{answer}");
}

fn switches_tells_and_comes_again(isolation: Isolation) {
    let mut bed = Bed::start(isolation);
    connect(&bed);
    assert!(bed.far[0].send(&frame(16, 64, &[7; 52])));
    let out = bed.take(1);
    assert_eq!(out[15..19], frame(17, 63, &[])[15..19]);

    assert!(bed.far[1].send(&frame(1, 1, &[9; 60])));
    let GuestNotice::Event(event) = bed.hear() else {
        panic!("no event");
    };
    let told = &event["signalling"][0];
    assert_eq!((&told["port"], &told["vn"]), (&json!(1), &json!(0)));
    let send = json!({ "send": { "port": 1, "vn": 0, "pdus": [told["pdu"]] } });
    assert_eq!(bed.ask(send)["sent"]["taken"], 1);
    let out = bed.take(1);
    assert_eq!(
        (&out[..6], &out[23..83]),
        (&[2, 0, 0, 0, 1, 1][..], &[9; 60][..])
    );

    let operator = bed.node.operator();
    operator.guest_action("dss", GuestAction::Restart).unwrap();
    assert_eq!(bed.hear(), GuestNotice::Down);
    assert_eq!(bed.hear(), GuestNotice::Running);
    // What comes up knows nothing.
    assert_eq!(
        bed.ask(json!({ "counters": {} }))["counters"]["connections"],
        0
    );
    connect(&bed);
    assert!(bed.far[0].send(&frame(16, 64, &[7; 52])));
    bed.take(1);
    assert_eq!(bed.listener.missed(), 0);
    let status = bed.node.operator().status().unwrap();
    assert!(violations(&status).is_empty(), "{:?}", violations(&status));
    let Bed { node, listener, .. } = bed;
    node.stop();
    assert_eq!(listener.next(LIMIT), Ok(GuestNotice::Down));
    assert!(listener.next(LIMIT).is_err());
}

/// Signalling as fast as it goes: the guest is heard all the time, and never given up for what it says.
fn says_much_and_is_not_given_up(isolation: Isolation) {
    const FRAMES: usize = 20_000;
    let mut bed = Bed::start(isolation);
    let began = Instant::now();
    let (mut given, mut told) = (0, 0);
    while given < FRAMES {
        given += usize::from(bed.far[0].send(&frame(1, 1, &[9; 60])));
        while let Ok(notice) = bed.listener.next(Duration::ZERO) {
            let GuestNotice::Event(event) = notice else {
                panic!("{notice:?}");
            };
            told += event["signalling"].as_array().unwrap().len();
        }
        assert!(began.elapsed() < LIMIT, "{given} given, {told} told");
    }
    let ports = || bed.ask(json!({ "counters": {} }))["counters"]["ports"].clone();
    let all = |ports: &Value| ports[0]["punted"].as_u64().unwrap() as usize;
    let began = Instant::now();
    while told < all(&ports()) {
        if let Ok(GuestNotice::Event(event)) = bed.listener.next(Duration::from_millis(10)) {
            told += event["signalling"].as_array().unwrap().len();
        }
        assert!(began.elapsed() < LIMIT, "{told} told of {}", ports());
    }
    assert!(told > 100, "{told}");
    assert_eq!(bed.listener.missed(), 0);
    let status = bed.node.operator().status().unwrap();
    assert_eq!(status.guests[0].restarts, 0);
    bed.node.stop();
}

#[test]
fn as_a_thread_it_switches_tells_and_comes_again() {
    switches_tells_and_comes_again(Isolation::Thread);
}

#[test]
fn as_a_thread_it_says_much_and_is_not_given_up() {
    says_much_and_is_not_given_up(Isolation::Thread);
}

/// Whether there is KVM; says what is missing, and fails where everything is required.
fn has_kvm(test: &str) -> bool {
    let there = Path::new("/dev/kvm").exists();
    let required = std::env::var("CI").is_ok_and(|value| value == "true")
        || std::env::var("PINODE_REQUIRE").is_ok_and(|value| value == "all");
    assert!(there || !required, "{test} needs /dev/kvm");
    if !there {
        eprintln!("skipped: {test}: no /dev/kvm; run as root or as a user of group kvm");
    }
    there
}

#[test]
fn in_a_machine_it_switches_tells_and_comes_again() {
    if has_kvm("in_a_machine_it_switches_tells_and_comes_again") {
        switches_tells_and_comes_again(Isolation::Kvm);
    }
}

#[test]
fn in_a_machine_it_says_much_and_is_not_given_up() {
    if has_kvm("in_a_machine_it_says_much_and_is_not_given_up") {
        says_much_and_is_not_given_up(Isolation::Kvm);
    }
}

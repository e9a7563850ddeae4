//! A router that starts again while frames come: what a rule of run time stops never passes.

use std::net::Ipv6Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use pinode_node::config;
use pinode_node::control::{Control as _, GuestAction};
use pinode_node::running::RunningNode;
use pinode_node::status::GuestState;
use pinode_ports::Port;
use pinode_ports::memory::{self, FarEnd};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);
const ROUTER: &str = "ipv6qos";
const TOML: &str = r#"[node]
name = "n1"
isolation = "thread"
[[port]]
name = "west"
backend = "memory:west"
mode = "trunk"
capacity = "10Gbps"
cycle = { phases = [{ pi = "ipv6qos", for = "100us" }] }
[[port]]
name = "east"
backend = "memory:east"
mode = "trunk"
capacity = "10Gbps"
cycle = { phases = [{ pi = "ipv6qos", for = "100us" }] }
[pi.ipv6qos]
code = 1
[pi.ipv6qos.config.interface]
west = { mac = "02:00:00:01:01:01", address = ["2001:db8:1::1/64"], dad = false }
east = { mac = "02:00:00:01:02:01", address = ["2001:db8:2::1/64"], dad = false }
[[pi.ipv6qos.config.neighbour]]
address = "2001:db8:2::9"
lladdr = "02:00:00:00:00:09"
dev = "east"
"#;
/// UDP ports: one that a rule of run time stops, and another.
const STOPPED: u16 = 9;
const FREE: u16 = 7;

/// UDP from a host on west to one on east.
fn frame(port: u16) -> Vec<u8> {
    let [from, to] =
        ["2001:db8:1::9", "2001:db8:2::9"].map(|text| text.parse::<Ipv6Addr>().unwrap().octets());
    let udp = [
        &1000u16.to_be_bytes()[..],
        &port.to_be_bytes(),
        &[0, 8, 0, 0],
    ]
    .concat();
    let header = [0x60, 0, 0, 0, 0, 8, 17, 64];
    let ethernet = [2, 0, 0, 1, 1, 1, 2, 0, 0, 0, 0, 8, 0x88, 0xb5, 1 << 5];
    [&ethernet[..], &header, &from, &to, &udp].concat()
}

struct Node {
    node: RunningNode,
    west: FarEnd,
    east: FarEnd,
}

impl Node {
    fn start() -> Self {
        let config = config::parse("n.toml", Path::new(""), TOML, &[ROUTER]).unwrap();
        let ((west, far_west), (east, far_east)) =
            (memory::pair(4096, 2048), memory::pair(4096, 2048));
        let ports: Vec<Vec<Box<dyn Port>>> = vec![vec![Box::new(west)], vec![Box::new(east)]];
        let node = RunningNode::start(config, ports).unwrap();
        node.wait_ready(LIMIT, || false).unwrap();
        Self {
            node,
            west: far_west,
            east: far_east,
        }
    }

    fn ask(&self, body: Value) -> Value {
        self.node.operator().guest_request(ROUTER, body).unwrap()
    }

    fn add(&self, items: &[Value]) {
        let answer = self.ask(json!({ "change": { "op": "add", "items": items } }));
        assert_eq!(answer["changed"]["error"], Value::Null);
    }

    /// UDP ports of what came out on east since the last time.
    fn came(&mut self) -> Vec<u16> {
        let mut ports = Vec::new();
        self.east.recv(|frame, _| {
            // Neighbour discovery comes out too.
            if frame.len() == 63 && frame[21] == 17 {
                ports.push(u16::from_be_bytes([frame[57], frame[58]]));
            }
        });
        ports
    }

    fn is_running(&self) -> bool {
        let guests = self.node.operator().guests().unwrap();
        assert_eq!(guests[0].not_restored, 0);
        match guests[0].state {
            GuestState::Starting => false,
            GuestState::Running => true,
            state => panic!("{state:?}"),
        }
    }

    /// Packets that came before all was told again.
    fn held_back(&self) -> u64 {
        let answer = self.ask(json!({ "list": { "what": "counter", "most": 64 } }));
        let counters = answer["page"]["entries"].as_array().unwrap().iter();
        let mut held = counters.filter(|counter| counter["counter"] == "vn0.dropped.replay");
        held.next().unwrap()["packets"].as_u64().unwrap()
    }
}

#[test]
fn no_frame_passes_before_the_rules_are_told_again() {
    let mut node = Node::start();
    // Many changes that are told before rules are: a long time in which frames come.
    let route = |n: u16| json!({ "route": { "prefix": format!("2001:db8:7:{n:x}::/64"), "via": "2001:db8:2::9" } });
    for chunk in 0..64 {
        let items: Vec<Value> = (0..32).map(|n| route(chunk * 32 + n)).collect();
        node.add(&items);
    }
    let rule = json!({ "priority": 5, "match": { "protocol": "udp", "dport": STOPPED.to_string() }, "action": "drop" });
    node.add(&[json!({ "filter": rule })]);
    let began = Instant::now();
    loop {
        let operator = node.node.operator();
        operator.guest_action(ROUTER, GuestAction::Restart).unwrap();
        while !node.is_running() {
            assert!(began.elapsed() < LIMIT, "does not come up");
            // A full cable is as good as any.
            let _ = node.west.send(&frame(STOPPED));
            assert_eq!(node.came(), [0; 0]);
        }
        if node.held_back() > 0 {
            break;
        }
        assert!(began.elapsed() < LIMIT, "no frame came meanwhile");
    }
    // What is not stopped passes now, and the rest still does not.
    let mut passed = Vec::new();
    while passed.is_empty() {
        assert!(began.elapsed() < LIMIT, "nothing passes");
        let _ = node.west.send(&frame(STOPPED));
        let _ = node.west.send(&frame(FREE));
        passed = node.came();
    }
    assert!(passed.iter().all(|port| *port == FREE), "{passed:?}");
    node.node.stop();
}

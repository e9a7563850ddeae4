//! The label switch's image: frames by label, requests, and what it says unasked.

use pinode_vmm::{BootProtocol, MachineEvent};
use serde_json::{Value, json};

use crate::node::{Node, config, kvm};

const ALL: [u8; 6] = [0xff; 6];

fn switch(test: &str, connections: u32) -> Option<Node> {
    let host = kvm(test)?;
    let image = pinode_images::builtin("dss").expect("it is built in");
    let mut machine = config(image, BootProtocol::Auto, 1);
    machine.memory = 256 << 20;
    let mut node = Node::boot(&host, machine);
    let vif = |name, mac| json!({ "name": name, "mac": mac, "mtu": 1500 });
    let config = json!({ "config": {
        "function": "dss",
        "vifs": [vif("west", "02:00:00:00:00:01"), vif("east", "02:00:00:00:00:02")],
        "vns": [0], "code": 3, "pi": { "connections": connections },
    }});
    say(&node, &config);
    node.line(r#"{"hello":{"abi":1}}"#);
    node.line(r#"{"ready":{}}"#);
    Some(node)
}

fn say(node: &Node, line: &Value) {
    let said = node.machine.control().send_line(&line.to_string());
    said.expect("the guest reads its lines");
}

/// What the next line says under `what`.
fn heard(node: &mut Node, what: &str) -> Value {
    match node.event() {
        MachineEvent::Control(line) => {
            let line: Value = serde_json::from_str(&line).expect("a line of JSON");
            line[what].clone()
        }
        event => panic!("{event:?} instead of {what}"),
    }
}

fn ask(node: &mut Node, id: u64, body: Value) -> Value {
    say(node, &json!({ "request": { "id": id, "body": body } }));
    let answer = heard(node, "response");
    assert_eq!(answer["id"], id);
    answer["result"]["Ok"].clone()
}

fn frame(to: [u8; 6], label: u32, ttl: u8, payload: &[u8]) -> Vec<u8> {
    let entry = (label << 12 | 1 << 8 | u32::from(ttl)).to_be_bytes();
    let head = [2, 0, 0, 0, 1, 1, 0x88, 0xb5, 3 << 5];
    [&to[..], &head, &entry, &[0; 4], payload].concat()
}

#[test]
fn it_switches_answers_and_speaks() {
    let Some(mut node) = switch("it_switches_answers_and_speaks", 1 << 20) else {
        return;
    };
    let item = json!({ "port": 0, "vn": 0, "label": 16, "to_port": 1, "to_label": 17 });
    let answer = ask(&mut node, 1, json!({ "connect": { "items": [item] } }));
    assert_eq!(answer["connected"], json!({ "done": 1, "error": null }));
    assert!(node.give(0, 0, &frame(ALL, 16, 64, &[7; 52])));
    let out = node.await_frames(1, 0);
    let mut expected = frame(ALL, 17, 63, &[7; 52]);
    expected[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 2]);
    assert_eq!(out, [expected]);
    // Asleep, it wakes to tell of what came, and to send what it is told to.
    assert!(node.give(0, 0, &frame(ALL, 1, 1, b"hello")));
    node.wake();
    let told = heard(&mut node, "event");
    let punted = json!({ "port": 0, "vn": 0, "mac": "02:00:00:00:01:01", "pdu": "aGVsbG8=" });
    assert_eq!(told, json!({ "signalling": [punted] }));
    let send = json!({ "send": { "port": 0, "vn": 0, "pdus": ["aGVsbG8="] } });
    assert_eq!(ask(&mut node, 2, send)["sent"], json!({ "taken": 1 }));
    let out = node.await_frames(0, 0);
    assert_eq!(out.len(), 1);
    assert_eq!(out[0][..6], [2, 0, 0, 0, 1, 1]);
    assert_eq!(&out[0][23..28], b"hello");
    node.machine.stop();
}

#[test]
fn it_says_no_more_than_is_heard() {
    let Some(mut node) = switch("it_says_no_more_than_is_heard", 16) else {
        return;
    };
    // One event each, as the guest tells of the one before it takes the next.
    for number in 0..32 {
        assert!(node.give(0, 0, &frame(ALL, 1, 1, &[number])));
        node.wake();
        assert_eq!(
            heard(&mut node, "event")["signalling"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
    for number in 0..10 {
        assert!(node.give(0, 0, &frame(ALL, 1, 1, &[number])));
    }
    node.wake();
    say(&node, &json!({ "ping": 1 }));
    assert_eq!(heard(&mut node, "pong"), 1);
    assert!(heard(&mut node, "usage").is_object());
    let counters = ask(&mut node, 1, json!({ "counters": {} }));
    assert_eq!(counters["counters"]["ports"][0]["untold"], 10);
    say(&node, &json!({ "heard": 32 }));
    let told = heard(&mut node, "event");
    assert_eq!(told["signalling"].as_array().unwrap().len(), 10);
    node.machine.stop();
}

//! A switch on a stand: frames by hand, requests by hand, time by hand.

use pinode_guest_dss::Switch;
use pinode_guest_dss::control::{
    Answer, Connection, Counters, Event, IspEvent, Key, Octets, Punted, Request,
};
use pinode_guest_runtime::hosted::Stand;
use pinode_guest_runtime::{Config, Function};
use serde_json::{Value, json};

/// Code of the PI, and EtherType where there is a PIH.
pub const CODE: u8 = 3;
const TRUNK: [u8; 2] = [0x88, 0xb5];
/// MPLS: without a PIH.
const MPLS: [u8; 2] = [0x88, 0x47];
pub const ALL: [u8; 6] = [0xff; 6];
pub const MTU: u16 = 1500;

/// The switch's station at a port, and that at the other end of it.
pub fn port(vif: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, vif]
}

pub fn host(vif: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, vif]
}

pub fn config(vifs: u8, vns: &[u8], has_pih: bool, pi: Value) -> Config {
    let vif = |vif: u8| {
        let mac = port(vif).map(|octet| format!("{octet:02x}")).join(":");
        json!({ "name": format!("p{vif}"), "mac": mac, "mtu": MTU })
    };
    let config = json!({
        "function": "dss",
        "vifs": (0..vifs).map(vif).collect::<Vec<_>>(),
        "vns": vns,
        "code": has_pih.then_some(CODE),
        "ethertype": if has_pih { 0x88b5 } else { 0x8847 },
        "pi": pi,
    });
    serde_json::from_value(config).unwrap()
}

/// The header of a PDU, field by field (RFC 3032 2.1, RFC 4385 3).
#[derive(Debug, Clone, Copy)]
pub struct Pdu {
    pub label: u32,
    pub class: u8,
    pub bottom: bool,
    pub ttl: u8,
    /// Its first octet is 0000 and four flags.
    pub control: u8,
    pub length: u8,
    pub sequence: u16,
}

impl Pdu {
    pub fn to(label: u32) -> Self {
        Pdu {
            label,
            class: 5,
            bottom: true,
            ttl: 64,
            control: 0,
            length: 0,
            sequence: 0,
        }
    }

    pub fn numbered(label: u32, sequence: u16) -> Self {
        Pdu {
            sequence,
            ..Pdu::to(label)
        }
    }

    pub fn octets(self, payload: &[u8]) -> Vec<u8> {
        let entry = self.label << 12
            | u32::from(self.class) << 9
            | u32::from(self.bottom) << 8
            | u32::from(self.ttl);
        let mut octets = entry.to_be_bytes().to_vec();
        octets.extend([self.control, self.length]);
        octets.extend(self.sequence.to_be_bytes());
        octets.extend(payload);
        octets
    }
}

/// A frame with a PIH.
pub fn frame(to: [u8; 6], from: [u8; 6], vn: u8, pdu: &[u8]) -> Vec<u8> {
    let pih = CODE << 5 | vn;
    [&to[..], &from, &TRUNK, &[pih], pdu].concat()
}

/// One without.
pub fn plain(to: [u8; 6], from: [u8; 6], pdu: &[u8]) -> Vec<u8> {
    [&to[..], &from, &MPLS, pdu].concat()
}

/// A connection that is not policed.
pub fn connection(port: u8, vn: u8, label: u32, to_port: u8, to_label: u32) -> Connection {
    Connection {
        port,
        vn,
        label,
        to_port,
        to_label,
        rate_bps: None,
        tolerance_ns: 0,
        police: false,
    }
}

pub fn key(port: u8, vn: u8, label: u32) -> Key {
    Key { port, vn, label }
}

pub struct Bed {
    switch: Switch,
    stand: Stand,
    now_ns: u64,
    given: u64,
    taken: u64,
}

impl Bed {
    pub fn new(config: &Config) -> Self {
        let mut switch = Switch::default();
        let stand = Stand::start(&mut switch, config, 256, 8 << 20).unwrap();
        Bed {
            switch,
            stand,
            now_ns: 1,
            given: 0,
            taken: 0,
        }
    }

    /// Three ports, networks 0 and 5, with a PIH.
    pub fn three() -> Self {
        Self::new(&config(3, &[0, 5], true, Value::Null))
    }

    /// With these connections.
    pub fn with(connections: &[Connection]) -> Self {
        let mut bed = Self::three();
        bed.connect(connections);
        bed
    }

    pub fn pass(&mut self, span_ns: u64) {
        self.now_ns += span_ns;
    }

    /// Gives frames to a port at once; what comes out of which.
    pub fn give_all(&mut self, vif: u8, frames: &[Vec<u8>]) -> Vec<(u8, Vec<u8>)> {
        for frame in frames {
            assert!(self.stand.vif(vif.into()).give(frame), "no room");
            self.given += 1;
        }
        self.run()
    }

    pub fn give(&mut self, vif: u8, frame: &[u8]) -> Vec<(u8, Vec<u8>)> {
        self.give_all(vif, &[frame.to_vec()])
    }

    /// A tick, and rounds until nothing moves; what comes out.
    pub fn run(&mut self) -> Vec<(u8, Vec<u8>)> {
        self.stand.tick(&mut self.switch, self.now_ns).unwrap();
        let mut out = Vec::new();
        loop {
            let moved = self.stand.round(&mut self.switch, self.now_ns).unwrap();
            for vif in 0..self.stand.vifs() {
                let sent = self.stand.vif(vif).take();
                out.extend(sent.into_iter().map(|frame| (vif as u8, frame)));
            }
            if !moved.any() {
                self.taken += out.len() as u64;
                return out;
            }
        }
    }

    pub fn ask(&mut self, request: &Value) -> Result<Value, String> {
        let answer = self.switch.request(self.now_ns, request);
        while !self.switch.work() {}
        answer
    }

    pub fn answer(&mut self, request: &Request) -> Answer {
        let request = serde_json::to_value(request).unwrap();
        serde_json::from_value(self.ask(&request).unwrap()).unwrap()
    }

    /// The same, without what the request began.
    pub fn begin(&mut self, request: &Request) -> Answer {
        let request = serde_json::to_value(request).unwrap();
        serde_json::from_value(self.switch.request(self.now_ns, &request).unwrap()).unwrap()
    }

    pub fn work(&mut self) -> bool {
        self.switch.work()
    }

    pub fn connect(&mut self, connections: &[Connection]) {
        for items in connections.chunks(256) {
            let items = items.to_vec();
            let done = items.len() as u32;
            let answer = self.answer(&Request::Connect { items });
            let connected = Answer::Connected {
                done,
                error: None,
                kind: None,
            };
            assert_eq!(answer, connected);
        }
    }

    pub fn send(&mut self, port: u8, vn: u8, pdus: &[Vec<u8>]) -> u32 {
        let pdus = pdus.iter().cloned().map(Octets).collect();
        match self.answer(&Request::Send { port, vn, pdus }) {
            Answer::Sent { taken } => taken,
            answer => panic!("{answer:?}"),
        }
    }

    /// What the host is told, line by line.
    pub fn events(&mut self) -> Vec<Vec<Punted>> {
        let mut events = Vec::new();
        while self.switch.has_event() {
            let event = self.switch.event().expect("there is one");
            match serde_json::from_value(event).unwrap() {
                Event::Signalling(punted) => events.push(punted),
                Event::Isp(said) => panic!("{said:?}"),
            }
        }
        events
    }

    /// What its sockets say, line by line.
    pub fn isp(&mut self) -> Vec<IspEvent> {
        let mut events = Vec::new();
        while self.switch.has_event() {
            let event = self.switch.event().expect("there is one");
            match serde_json::from_value(event).unwrap() {
                Event::Isp(said) => events.push(said),
                Event::Signalling(punted) => panic!("{punted:?}"),
            }
        }
        events
    }

    pub fn counters(&mut self) -> Counters {
        match self.answer(&Request::Counters {}) {
            Answer::Counters(counters) => counters,
            answer => panic!("{answer:?}"),
        }
    }

    pub fn dropped(&mut self, port: u8, cause: &str) -> u64 {
        let counters = self.counters();
        let dropped = &counters.ports[usize::from(port)].dropped;
        dropped.get(cause).copied().unwrap_or(0)
    }

    /// Nothing is lost count of.
    pub fn conserves(&mut self) {
        let counters = self.counters();
        for port in &counters.ports {
            let dropped: u64 = port.dropped.values().sum();
            assert_eq!(
                port.received,
                port.switched + port.punted + dropped,
                "{port:?}"
            );
        }
        let sum = |of: fn(&pinode_guest_dss::control::PortCounters) -> u64| -> u64 {
            counters.ports.iter().map(of).sum()
        };
        assert_eq!(sum(|port| port.received), self.given);
        assert_eq!(sum(|port| port.switched), sum(|port| port.sent));
        assert_eq!(sum(|port| port.sent + port.injected), self.taken);
    }
}

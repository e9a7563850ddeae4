//! A router on a stand, and frames for it.

use std::net::Ipv6Addr;

use etherparse::PacketBuilder;
use pinode_guest_ipv6qos::Router;
use pinode_guest_runtime::hosted::Stand;
use pinode_guest_runtime::{Config, Function};
use serde_json::{Value, json};

/// PI code and EtherType of all frames here.
pub const CODE: u8 = 1;
const ETHERTYPE: [u8; 2] = [0x88, 0xb5];
const SECOND: u64 = 1_000_000_000;

/// MAC address of the router's port `vif`.
pub const fn port(vif: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, vif]
}

/// MAC address of host `number`.
pub const fn host(number: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, number]
}

pub fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// A router, and time.
pub struct Bed {
    pub router: Router,
    stand: Stand,
    pub now_ns: u64,
}

/// The configuration of a guest with ports west, east, ... that carry `vns`; `access` ones belong to the first.
pub fn config(ports: usize, vns: &[u8], access: bool, pi: Value) -> Config {
    let names = ["west", "east", "north", "south"];
    let vifs: Vec<Value> = (0u8..)
        .zip(&names[..ports])
        .map(|(vif, name)| {
            let mac = port(vif).map(|octet| format!("{octet:02x}")).join(":");
            json!({ "name": name, "mac": mac, "mtu": 1500, "access": access.then(|| vns[0]) })
        })
        .collect();
    let config = json!({
        "function": "ipv6qos", "vifs": vifs, "vns": vns, "code": CODE, "ethertype": 0x88b5, "seed": 7, "pi": pi,
    });
    serde_json::from_value(config).unwrap()
}

impl Bed {
    pub fn new(config: &Config) -> Self {
        let mut router = Router::default();
        let stand = Stand::start(&mut router, config, 512, 16 << 20).unwrap();
        let mut bed = Bed {
            router,
            stand,
            now_ns: 0,
        };
        bed.round();
        bed
    }

    /// Two ports with a /64 each and a static host on each: 2001:db8:1::9 on west, 2001:db8:2::9 on east. Addresses
    /// are verified, and what the router says meanwhile is forgotten.
    pub fn pair(pi: Value) -> Self {
        let mut all = json!({
            "interface": {
                "west": { "address": ["2001:db8:1::1/64"] },
                "east": { "address": ["2001:db8:2::1/64"] },
            },
            "neighbour": [
                { "address": "2001:db8:1::9", "lladdr": "02:00:00:00:01:00", "dev": "west" },
                { "address": "2001:db8:2::9", "lladdr": "02:00:00:00:01:01", "dev": "east" },
            ],
        });
        for (key, value) in pi.as_object().into_iter().flatten() {
            all[key] = value.clone();
        }
        let mut bed = Bed::new(&config(2, &[0], false, all));
        bed.settle();
        bed
    }

    /// Lets addresses become verified; forgets what the router says meanwhile.
    pub fn settle(&mut self) {
        for _ in 0..300 {
            self.pass(SECOND / 100);
            self.drain();
        }
    }

    fn drain(&mut self) {
        for vif in 0..4 {
            if vif < self.vifs() {
                self.take(vif);
            }
        }
    }

    fn vifs(&self) -> usize {
        self.stand.vifs()
    }

    /// Time passes, in one tick.
    pub fn pass(&mut self, ns: u64) {
        self.now_ns += ns;
        self.stand.tick(&mut self.router, self.now_ns).unwrap();
    }

    /// The guest's turn.
    pub fn round(&mut self) {
        self.stand.round(&mut self.router, self.now_ns).unwrap();
    }

    /// What the router sent by `vif`, not padded.
    pub fn take(&mut self, vif: usize) -> Vec<Vec<u8>> {
        self.stand.vif(vif).take()
    }

    /// Gives one frame to the router and lets it work; what it sends by each vif.
    pub fn give(&mut self, vif: usize, frame: &[u8]) -> Vec<(usize, Vec<u8>)> {
        assert!(self.stand.vif(vif).give(frame));
        self.round();
        let mut sent = Vec::new();
        for vif in 0..self.vifs() {
            sent.extend(self.take(vif).into_iter().map(|frame| (vif, frame)));
        }
        sent
    }

    /// Gives a frame without letting the router work.
    pub fn queue(&mut self, vif: usize, frame: &[u8]) -> bool {
        self.stand.vif(vif).give(frame)
    }

    /// Asks the router; the answer comes when what it answers is done.
    pub fn ask(&mut self, request: Value) -> Value {
        self.ask_between(request, |_| ()).0
    }

    /// Likewise, with something done between the slices of what is asked; gives their number, too.
    pub fn ask_between(
        &mut self,
        request: Value,
        mut between: impl FnMut(&mut Self),
    ) -> (Value, usize) {
        let answer = self.router.request(self.now_ns, &request).unwrap();
        let mut slices = 1;
        while !self.router.work() {
            slices += 1;
            between(self);
        }
        (answer, slices)
    }

    /// That every packet is accounted for: what came in, and what the router made.
    pub fn conserves(&mut self) {
        let mut sums = std::collections::BTreeMap::<String, u64>::new();
        for (name, packets) in self.counters() {
            let bare = name.split_once('.').filter(|(vn, _)| vn.starts_with("vn"));
            let Some((_, bare)) = bare else { continue };
            let bare = if bare.starts_with("dropped.") {
                "dropped"
            } else {
                bare
            };
            *sums.entry(bare.to_owned()).or_default() += packets;
        }
        let fates = ["forwarded", "delivered", "held", "dropped"].map(|fate| sums[fate]);
        assert_eq!(sums["received"], fates.iter().sum::<u64>(), "{sums:?}");
        let fates =
            ["originated.sent", "originated.held", "originated.lost"].map(|fate| sums[fate]);
        assert_eq!(sums["originated"], fates.iter().sum::<u64>(), "{sums:?}");
    }

    /// A counter, of all virtual networks.
    pub fn counter(&mut self, name: &str) -> u64 {
        let is_it = |full: &str| {
            let bare = full.split_once('.').filter(|(vn, _)| vn.starts_with("vn"));
            bare.map_or(full, |(_, bare)| bare) == name
        };
        let counters = self.counters();
        let wanted = counters.iter().filter(|(full, _)| is_it(full));
        wanted.map(|(_, packets)| packets).sum()
    }

    /// All counters.
    fn counters(&mut self) -> Vec<(String, u64)> {
        let entries = self.list(json!({ "what": "counter" }), 64);
        let read = |entry: &Value| {
            let name = entry["counter"].as_str().unwrap().to_owned();
            (name, entry["packets"].as_u64().unwrap())
        };
        entries.iter().map(read).collect()
    }

    /// All entries of a list, in pages of `most`.
    pub fn list(&mut self, mut wanted: Value, most: u32) -> Vec<Value> {
        let mut entries = Vec::new();
        wanted["most"] = json!(most);
        loop {
            let mut answer = self.ask(json!({ "list": wanted }));
            let page = answer["page"]["entries"].as_array_mut().unwrap();
            assert!(page.len() <= most as usize);
            entries.append(page);
            wanted["after"] = answer["page"]["next"].clone();
            if wanted["after"].is_null() {
                return entries;
            }
        }
    }
}

/// A packet from one address to another, with this hop limit: UDP of so many octets of payload.
pub fn udp(from: &str, to: &str, hops: u8, payload: usize) -> Vec<u8> {
    let builder =
        PacketBuilder::ipv6(address(from).octets(), address(to).octets(), hops).udp(1000, 2000);
    let mut packet = Vec::new();
    builder.write(&mut packet, &vec![0xa5; payload]).unwrap();
    packet
}

/// An echo request.
pub fn echo(from: &str, to: &str, hops: u8) -> Vec<u8> {
    let builder = PacketBuilder::ipv6(address(from).octets(), address(to).octets(), hops)
        .icmpv6_echo_request(7, 1);
    let mut packet = Vec::new();
    builder.write(&mut packet, b"are you there?").unwrap();
    packet
}

/// A frame with `packet` in virtual network `vn`.
pub fn frame(to: [u8; 6], from: [u8; 6], vn: u8, packet: &[u8]) -> Vec<u8> {
    [&to[..], &from, &ETHERTYPE, &[CODE << 5 | vn], packet].concat()
}

/// The packet in a frame.
pub fn packet(frame: &[u8]) -> &[u8] {
    assert_eq!(frame[12..14], ETHERTYPE);
    assert_eq!(frame[14] >> 5, CODE);
    &frame[15..]
}

/// Type and code of an ICMPv6 message, whose lengths and checksum are right.
pub fn icmp(packet: &[u8]) -> (u8, u8) {
    let sliced = etherparse::SlicedPacket::from_ip(packet).unwrap();
    let Some(etherparse::TransportSlice::Icmpv6(message)) = sliced.transport else {
        panic!("no ICMPv6: {packet:02x?}");
    };
    let (source, destination) = (
        packet[8..24].try_into().unwrap(),
        packet[24..40].try_into().unwrap(),
    );
    assert!(message.is_checksum_valid(source, destination));
    (message.type_u8(), message.code_u8())
}

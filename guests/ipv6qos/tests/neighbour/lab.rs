//! Links with a router on them, and time at hand.

use core::net::Ipv6Addr;

use pinode_guest_ipv6qos::control::item::Mac;
use pinode_guest_ipv6qos::icmp::{self, Received};
use pinode_guest_ipv6qos::neighbour::outbox::{Fate, Outbox};
use pinode_guest_ipv6qos::neighbour::{
    Asker, Discovery, Event, Limits, LinkConfig, Message, Outgoing, Parameters, Written,
};
use pinode_guest_ipv6qos::{InterfaceId, Vn};
use pinode_guest_runtime::VifIndex;
use proptest::test_runner::{Config, RngSeed};

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const MS: u64 = 1_000_000;

/// Property tests that find the same cases on every run.
pub(crate) fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(4861),
        failure_persistence: None,
        ..Config::default()
    }
}

pub(crate) fn address(text: &str) -> u128 {
    text.parse::<Ipv6Addr>().expect("an address").into()
}

pub(crate) fn interface(vif: u8, vn: u8) -> InterfaceId {
    InterfaceId::new(VifIndex(vif), Vn::new(vn).expect("0 to 31"))
}

pub(crate) const ROUTER_MAC: Mac = Mac([2, 0, 0, 1, 1, 1]);
pub(crate) const HOST_MAC: Mac = Mac([2, 0, 0, 0, 0, 0xaa]);
pub(crate) const OTHER_MAC: Mac = Mac([2, 0, 0, 0, 0, 0xbb]);
/// The link-local address that goes with [`ROUTER_MAC`].
pub(crate) const ROUTER: &str = "fe80::ff:fe01:101";

/// What happened until now, with its time.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) messages: Vec<(u64, Outgoing)>,
    pub(crate) frames: Vec<(Fate, u32)>,
    pub(crate) events: Vec<Event>,
}

/// A router's links in virtual time.
pub(crate) struct Lab {
    pub(crate) discovery: Discovery<u32>,
    pub(crate) out: Outbox<u32>,
    pub(crate) now_ns: u64,
    pub(crate) log: Log,
}

impl Lab {
    /// No links.
    pub(crate) fn empty(limits: Limits) -> Self {
        Lab {
            discovery: Discovery::new(limits, 128, 0x5eed),
            out: Outbox::default(),
            now_ns: SECOND,
            log: Log::default(),
        }
    }

    /// One link, its addresses in use, nothing left to be said.
    pub(crate) fn quiet(addresses: &[&str]) -> Self {
        let mut lab = Lab::empty(Limits::default());
        lab.link(interface(0, 0), false, None, addresses);
        lab.run(10 * SECOND);
        lab.log = Log::default();
        lab
    }

    pub(crate) fn link(
        &mut self,
        interface: InterfaceId,
        verify: bool,
        advertise: Option<Parameters>,
        addresses: &[&str],
    ) {
        let config = LinkConfig {
            mac: ROUTER_MAC,
            mtu: 1500,
            advertise,
            if_addressed: false,
            verify,
        };
        self.discovery
            .add_link(self.now_ns, interface, config)
            .expect("a link");
        for address in addresses {
            let address = address.parse().expect("an address");
            self.discovery
                .add_address(self.now_ns, interface, address)
                .expect("an address");
        }
    }

    /// Empties the outbox into the log; messages stay while they are held up.
    pub(crate) fn drain(&mut self) {
        let now_ns = self.now_ns;
        if self.out.held_up == 0 {
            for message in self.out.messages.drain(..) {
                self.discovery.left(now_ns, &message);
                self.log.messages.push((now_ns, message));
            }
        }
        self.log.frames.append(&mut self.out.frames);
        self.log.events.extend(self.out.events.drain(..));
    }

    pub(crate) fn tick(&mut self) {
        self.discovery.tick(self.now_ns, &mut self.out);
        self.drain();
    }

    /// Lets time pass, a tick each millisecond.
    pub(crate) fn run(&mut self, time_ns: u64) {
        let end_ns = self.now_ns + time_ns;
        while self.now_ns < end_ns {
            self.now_ns += MS;
            self.tick();
        }
    }

    pub(crate) fn receive(&mut self, from: Mac, received: &Received<'_>) {
        self.receive_on(interface(0, 0), from, received);
    }

    pub(crate) fn receive_on(&mut self, at: InterfaceId, from: Mac, received: &Received<'_>) {
        self.discovery
            .receive(self.now_ns, at, from, received, &mut self.out);
        self.drain();
    }

    /// A frame for `to`, from a source of its own.
    pub(crate) fn resolve(&mut self, to: u128, frame: u32) {
        self.resolve_on(interface(0, 0), u64::from(frame), to, frame);
    }

    /// A frame for `to` on the link of `at`, from a source in this /64.
    pub(crate) fn resolve_on(&mut self, at: InterfaceId, network: u64, to: u128, frame: u32) {
        let asker = Asker {
            interface: interface(3, at.vn().get()),
            network,
        };
        self.discovery
            .resolve(self.now_ns, at, to, asker, frame, &mut self.out);
        self.drain();
    }

    /// What was said since the last time.
    pub(crate) fn said(&mut self) -> Vec<Message> {
        let messages = std::mem::take(&mut self.log.messages);
        messages.into_iter().map(|(_, said)| said.message).collect()
    }

    pub(crate) fn frames(&mut self) -> Vec<(Fate, u32)> {
        std::mem::take(&mut self.log.frames)
    }

    /// The packet of a message.
    pub(crate) fn write(&self, message: Message) -> (Vec<u8>, Written) {
        let mut packet = vec![0xee; 1280];
        let outgoing = Outgoing {
            interface: interface(0, 0),
            message,
        };
        let written = self
            .discovery
            .write(&outgoing, &mut packet)
            .expect("octets");
        packet.truncate(written.octets);
        (packet, written)
    }
}

pub(crate) fn solicitation(
    source: u128,
    target: u128,
    mac: Option<Mac>,
    nonce: Option<icmp::Nonce>,
) -> Received<'static> {
    Received {
        source,
        destination: icmp::solicited_node(target),
        message: icmp::Message::Solicitation { target, mac, nonce },
    }
}

/// An advertisement with these flags: router, solicited, override.
pub(crate) fn advertisement(
    target: u128,
    [router, solicited, overrides]: [bool; 3],
    mac: Option<Mac>,
) -> Received<'static> {
    Received {
        source: target,
        destination: address(ROUTER),
        message: icmp::Message::Advertisement(icmp::message::Advertisement {
            target,
            router,
            solicited,
            overrides,
            mac,
        }),
    }
}

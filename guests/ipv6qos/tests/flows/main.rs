//! Flows against a plain map: what is found, made, counted and forgotten, and when.

mod full;
mod model;
mod runs;
mod shares;

use pinode_guest_ipv6qos::packet::Fields;
use pinode_guest_ipv6qos::packet::fields::{Upper, protocol};
use pinode_guest_ipv6qos::{InterfaceId, Vn};
use pinode_guest_runtime::VifIndex;
use proptest::test_runner::{Config, RngSeed};

/// Always the same cases.
fn seeded(cases: u32) -> Config {
    Config {
        cases,
        rng_seed: RngSeed::Fixed(5382),
        failure_persistence: None,
        ..Config::default()
    }
}

/// A UDP packet from port `ports.0` of `source` to port `ports.1` of `destination`.
fn udp(vn: u8, source: u128, destination: u128, ports: (u16, u16)) -> Fields {
    Fields {
        source,
        destination,
        interface: InterfaceId::new(VifIndex(0), Vn::of_pih(vn)),
        source_port: ports.0,
        destination_port: ports.1,
        identifier: 0,
        protocol: protocol::UDP,
        traffic_class: 0,
        tcp_flags: 0,
        upper: Upper::Read,
        fragment: false,
        fragment_id: 0,
        local: false,
        octets: 48,
    }
}

/// The same packet the other way.
fn answer(packet: &Fields) -> Fields {
    Fields {
        source: packet.destination,
        destination: packet.source,
        source_port: packet.destination_port,
        destination_port: packet.source_port,
        ..*packet
    }
}

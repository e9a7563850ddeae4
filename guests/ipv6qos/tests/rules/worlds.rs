//! Small worlds of packets and rules, in which they meet.

use pinode_guest_ipv6qos::control::matching::{Addresses, Dscp, Match, Protocol, Range};
use pinode_guest_ipv6qos::packet::Fields;
use pinode_guest_ipv6qos::packet::fields::Upper;
use pinode_guest_ipv6qos::{InterfaceId, Prefix, Vn};
use pinode_guest_runtime::VifIndex;
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) const TABLES: [&str; 3] = ["bad", "good", "ours"];
const NUMBERS: [u16; 14] = [
    0, 1, 52, 53, 80, 127, 128, 129, 255, 256, 1023, 1024, 65534, 65535,
];
const PROTOCOLS: [u8; 8] = [6, 17, 58, 132, 136, 50, 47, 0];

/// Addresses that share some of their bits.
pub(crate) fn address() -> impl Strategy<Value = u128> {
    let part = || select(vec![0u128, 1, 2, 0x8000, 0xffff]);
    (part(), part(), part(), part())
        .prop_map(|(a, b, c, d)| 0x2001_0db8 << 96 | a << 80 | b << 64 | c << 48 | d)
}

pub(crate) fn prefix() -> impl Strategy<Value = Prefix> {
    let length = select(vec![0u8, 16, 33, 47, 48, 49, 63, 64, 65, 112, 127, 128]);
    (address(), length).prop_map(|(address, length)| Prefix::of(address, length))
}

fn addresses() -> impl Strategy<Value = Addresses> {
    prop_oneof![
        3 => prefix().prop_map(Addresses::Prefix),
        1 => select(TABLES.to_vec()).prop_map(|name| Addresses::Table(name.to_string())),
    ]
}

pub(crate) fn range() -> impl Strategy<Value = Range> {
    let number = || select(NUMBERS.to_vec());
    prop_oneof![
        number().prop_map(|number| Range {
            from: number,
            to: number
        }),
        (number(), number()).prop_map(|(a, b)| Range {
            from: a.min(b),
            to: a.max(b)
        }),
    ]
}

fn maybe<T: Strategy>(of: T, weight: f64) -> impl Strategy<Value = Option<T::Value>>
where
    T::Value: Clone,
{
    proptest::option::weighted(weight, of)
}

/// What rules want; some of it no packet can be, which is refused.
pub(crate) fn wanted() -> impl Strategy<Value = Match> {
    let dev = (select(vec!["west", "east"]), 0u8..4).prop_map(|(vif, vn)| format!("{vif}.{vn}"));
    let place = (
        maybe((0u8..4).prop_map(|vn| Vn::new(vn).unwrap()), 0.2),
        maybe(dev, 0.1),
        maybe(any::<bool>(), 0.2),
    );
    let whom = (maybe(addresses(), 0.5), maybe(addresses(), 0.5));
    let what = (
        maybe(select(PROTOCOLS.to_vec()).prop_map(Protocol), 0.4),
        maybe(range(), 0.25),
        maybe(range(), 0.25),
        maybe(range(), 0.1),
        maybe(
            select(vec![0u8, 10, 46]).prop_map(|d| Dscp::new(d).unwrap()),
            0.2,
        ),
        maybe(any::<bool>(), 0.15),
    );
    (place, whom, what).prop_map(|((vn, dev, local), (from, to), what)| {
        let (protocol, sport, dport, icmp_type, dscp, fragment) = what;
        Match {
            vn,
            dev,
            local,
            from,
            to,
            protocol,
            sport,
            dport,
            icmp_type,
            dscp,
            fragment,
        }
    })
}

pub(crate) fn packet() -> impl Strategy<Value = Fields> {
    let upper = select(vec![
        Upper::Read,
        Upper::Read,
        Upper::Read,
        Upper::Opaque,
        Upper::LaterFragment,
        Upper::Broken,
    ]);
    let number = || select(NUMBERS.to_vec());
    (
        (address(), address(), 0u8..2, 0u8..4),
        (number(), number(), select(PROTOCOLS.to_vec()), upper),
        (select(vec![0u8, 1, 40, 43, 184]), any::<bool>()),
    )
        .prop_map(|(from, upper, rest)| Fields {
            source: from.0,
            destination: from.1,
            interface: InterfaceId::new(VifIndex(from.2), Vn::new(from.3).unwrap()),
            source_port: upper.0,
            destination_port: upper.1,
            identifier: 0,
            protocol: upper.2,
            traffic_class: rest.0,
            tcp_flags: 2,
            upper: upper.3,
            fragment: upper.3 == Upper::LaterFragment,
            fragment_id: 0,
            local: rest.1,
            octets: 60,
        })
}

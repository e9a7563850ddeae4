//! The fields that are numbers: that of a packet, and the ranges that a rule wants.

use arrayvec::ArrayVec;

use super::super::condition::{Condition, Layer, WITH_PORTS};
use crate::packet::Fields;
use crate::packet::fields::Upper;
use crate::vn::VNS;

/// A field that is a number of 16 bits at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    SourcePort,
    DestinationPort,
    /// Virtual network and vif, so that a virtual network is a range.
    Interface,
    /// What could be read, and the protocol.
    Layer,
    Dscp,
    Local,
}

/// All of them, in the order of their classes in a key.
pub(super) const FIELDS: [Field; 6] = [
    Field::SourcePort,
    Field::DestinationPort,
    Field::Interface,
    Field::Layer,
    Field::Dscp,
    Field::Local,
];

/// Ranges of numbers, both ends included.
pub(super) type Ranges = ArrayVec<(u16, u16), 4>;

impl Field {
    /// That of a packet.
    #[inline(always)]
    pub fn of(self, packet: &Fields) -> u16 {
        match self {
            Field::SourcePort => packet.source_port,
            Field::DestinationPort => packet.destination_port,
            Field::Interface => {
                u16::from(packet.interface.vn().get()) << 8 | u16::from(packet.interface.vif().0)
            }
            Field::Layer => layer(packet.upper, packet.protocol),
            Field::Dscp => u16::from(packet.dscp()),
            Field::Local => u16::from(packet.local),
        }
    }

    /// Most ranges of it that so many rules have.
    pub fn most_ranges(self, rules: usize) -> usize {
        match self {
            Field::SourcePort | Field::DestinationPort | Field::Interface => rules,
            Field::Layer => (4 * rules).min(4 * 256),
            Field::Dscp => rules.min(64),
            Field::Local => rules.min(2),
        }
    }

    /// Upper octets of numbers are below this.
    pub const fn uppers(self) -> usize {
        match self {
            Field::SourcePort | Field::DestinationPort => 256,
            Field::Interface => VNS,
            Field::Layer => 4,
            Field::Dscp | Field::Local => 1,
        }
    }

    /// What `condition` wants of it; none: nothing. Ranges do not overlap.
    pub fn wanted(self, condition: &Condition) -> Option<Ranges> {
        let one = |range: (u16, u16)| Some(Ranges::from_iter([range]));
        match self {
            Field::SourcePort => one(condition.source_port.map(|r| (r.from, r.to))?),
            Field::DestinationPort => one(condition.destination_port.map(|r| (r.from, r.to))?),
            Field::Interface => match (condition.interface, condition.vn) {
                (Some(of), _) => {
                    let number = u16::from(of.vn().get()) << 8 | u16::from(of.vif().0);
                    one((number, number))
                }
                (None, Some(vn)) => one((u16::from(vn.get()) << 8, u16::from(vn.get()) << 8 | 255)),
                (None, None) => None,
            },
            Field::Layer => layers(condition),
            Field::Dscp => one(condition.dscp.map(|d| (u16::from(d), u16::from(d)))?),
            Field::Local => one(condition.local.map(|l| (u16::from(l), u16::from(l)))?),
        }
    }
}

const fn layer(upper: Upper, protocol: u8) -> u16 {
    // Three bits and eight.
    (upper as u16) << 8 | protocol as u16
}

fn layers(condition: &Condition) -> Option<Ranges> {
    const ALL: [Upper; 4] = [
        Upper::Read,
        Upper::Opaque,
        Upper::LaterFragment,
        Upper::Broken,
    ];
    let uppers = ALL
        .into_iter()
        .filter(|upper| condition.matches_fragment(*upper));
    let ranges = match condition.layer {
        Layer::Any if condition.later_fragment.is_none() => return None,
        Layer::Any => uppers
            .map(|upper| (layer(upper, 0), layer(upper, 255)))
            .collect(),
        Layer::Protocol(protocol) => uppers
            .filter(|upper| *upper != Upper::Broken)
            .map(|upper| (layer(upper, protocol), layer(upper, protocol)))
            .collect(),
        Layer::Header(protocol) => one_each(&[protocol]),
        Layer::Ports => one_each(&WITH_PORTS),
    };
    Some(ranges)
}

/// These protocols, their headers read.
fn one_each(protocols: &[u8]) -> Ranges {
    let numbers = protocols.iter().map(|p| layer(Upper::Read, *p));
    numbers.map(|number| (number, number)).collect()
}

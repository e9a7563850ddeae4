//! The streams of one size: one of each PI, or those of the user, each with its ceiling and waits.

use pinode_classifier::Vn;
use pinode_measure::method::TrafficStream;
use pinode_measure::stream::{
    Compare, Encapsulation, LARGEST, Layout, Stream, StreamError, StreamSpec, TEST_PORT, Transport,
};
use pinode_measure::trial::{LoadStream, Side};

use super::node::other;
use super::routed::{Consulted, Way};
use super::{Bound, Links, NodePlan, PlanError, Target};
use crate::config::{PiConfig, PortMode};
use crate::ipv6;
use crate::measure::asked::{Asked, FrameSize, StreamAsked};

/// The three PIs and their codes, for what is between two interfaces.
const PIS: [(&str, u8); 3] = [("ipv6qos", 1), ("can", 2), ("dss", 3)];
/// Octets that a frame takes of the wire beside its own (IEEE 802.3-2018 3.1.1, 4.4.2).
const WIRE_OVERHEAD: f64 = 20.0;
/// Source port of UDP frames, of those for private use (RFC 6335 6).
const FROM_PORT: u16 = 49_184;

/// What a stream takes of the wire at its rate, bits per second with preamble and gap.
pub fn wire_bps(stream: &LoadStream) -> f64 {
    stream.spec.rate_fps * 8.0 * (stream.spec.sizes.mean() + WIRE_OVERHEAD)
}

/// A stream of the user, with nothing left open but what the target decides.
struct Wanted {
    id: u16,
    asked: StreamAsked,
    from: Side,
    size: FrameSize,
    /// What its size was written behind.
    option: &'static str,
}

/// The streams of `asked` with frames of `size`, at the rates that the user gives, or at their ceilings.
pub fn planned(
    target: &Target,
    size: &FrameSize,
    asked: &Asked,
) -> Result<Vec<TrafficStream>, PlanError> {
    let mut streams = if asked.streams.is_empty() {
        one_of_each(target)
    } else {
        asked.streams.clone()
    };
    if asked.bidirectional {
        let back: Vec<_> = streams.iter().map(back).collect();
        streams.extend(back);
    }
    let wanted = (1u16..).zip(streams).map(|(id, mut stream)| Wanted {
        id,
        from: stream.from.unwrap_or(Side::West),
        option: match stream.size {
            Some(_) => "--stream size=",
            None => "--sizes ",
        },
        size: stream.size.take().unwrap_or_else(|| size.clone()),
        asked: StreamAsked {
            rate: stream.rate.or(asked.rate),
            ..stream
        },
    });
    let wanted: Vec<Wanted> = wanted.collect();
    if wanted.is_empty() {
        return Err(PlanError::NoPi);
    }
    match target {
        Target::Node(node) => through_node(node, &wanted),
        Target::Links(links) => through_links(links, &wanted),
    }
}

/// One stream of each PI.
fn one_of_each(target: &Target) -> Vec<StreamAsked> {
    let of = |name: &str| StreamAsked {
        pi: Some(name.to_owned()),
        ..StreamAsked::default()
    };
    match target {
        Target::Node(node) => node.slots().map(|(_, pi)| of(&pi.name)).collect(),
        Target::Links(_) => PIS.iter().map(|(name, _)| of(name)).collect(),
    }
}

/// The same stream the other way.
fn back(stream: &StreamAsked) -> StreamAsked {
    StreamAsked {
        from: Some(other(stream.from.unwrap_or(Side::West))),
        dst: stream.src,
        src: stream.dst,
        dst_ip: stream.src_ip,
        src_ip: stream.dst_ip,
        ..stream.clone()
    }
}

fn through_node(node: &NodePlan, wanted: &[Wanted]) -> Result<Vec<TrafficStream>, PlanError> {
    let slots = wanted.iter().map(|wanted| slot(node, &wanted.asked));
    let slots = slots.collect::<Result<Vec<_>, _>>()?;
    let mut routers: Vec<(u8, Consulted<'_>)> = Vec::new();
    for (slot, pi) in &slots {
        if ipv6::is_router(pi) && routers.iter().all(|(of, _)| of != slot) {
            routers.push((*slot, Consulted::of(node, pi)?));
        }
    }
    let ways: Vec<(u8, Side)> = slots
        .iter()
        .zip(wanted)
        .map(|((slot, _), wanted)| (*slot, wanted.from))
        .collect();
    let streams = wanted.iter().zip(&slots).map(|(wanted, (slot, pi))| {
        let is_alike = |way: &&(u8, Side)| **way == (*slot, wanted.from);
        // Streams of a PI that go the same way share its phase.
        let alike = ways.iter().filter(is_alike).count();
        let bound = node.bound(*slot, wanted.from, &wanted.size)?.shared(alike);
        let vn = wanted.asked.vn.unwrap_or_else(|| node.first_vn(pi));
        let carried: Vec<u8> = pi.vns.iter().map(Vn::get).collect();
        if !carried.contains(&vn) {
            let pi = pi.name.clone();
            let known = carried;
            return Err(PlanError::UnknownVn { pi, vn, known });
        }
        let (allowed, has) = match node.port(wanted.from).mode {
            PortMode::Trunk => (Encapsulation::Pih, "trunks carry a PIH: pih"),
            PortMode::Access { .. } => (Encapsulation::Plain, "access ports carry none: plain"),
        };
        match wanted.asked.encapsulation {
            Some(asked) if asked != allowed => {
                return Err(PlanError::Stream {
                    key: "encap",
                    allowed: has,
                });
            }
            _ => {}
        }
        let way = match routers.iter_mut().find(|(of, _)| of == slot) {
            Some((_, router)) => {
                let vn = pinode_guest_ipv6qos::Vn::new(vn).unwrap_or_default();
                Some(router.way(vn, wanted.from, wanted.asked.dst_ip)?)
            }
            None => None,
        };
        let mut spec = spec(wanted, pi.code.get(), bound, Some(allowed), way);
        spec.vn = vn;
        spec.ethertype = node.config.ethertype;
        if !NodePlan::is_transparent(pi) {
            spec.compare = Compare::Payload;
        }
        checked(pi.name.clone(), wanted, spec, bound)
    });
    streams.collect()
}

/// The PI of a stream: by name, by code, or the only one.
pub(super) fn slot<'a>(
    node: &'a NodePlan,
    asked: &StreamAsked,
) -> Result<(u8, &'a PiConfig), PlanError> {
    let is_it = |pi: &PiConfig| match &asked.pi {
        None => true,
        Some(name) => pi.name == *name || name.parse() == Ok(pi.code.get()),
    };
    let found = node.slots().find(|(_, pi)| is_it(pi));
    found.ok_or_else(|| PlanError::UnknownPi {
        name: asked.pi.clone().unwrap_or_default(),
        known: node.slots().map(|(_, pi)| pi.name.clone()).collect(),
    })
}

fn through_links(links: &Links, all: &[Wanted]) -> Result<Vec<TrafficStream>, PlanError> {
    let streams = all.iter().map(|wanted| {
        let plain = wanted.asked.encapsulation == Some(Encapsulation::Plain);
        let (name, code) = match &wanted.asked.pi {
            // Without a PIH the name is only for people.
            None if plain => ("plain".to_owned(), PIS[0].1),
            None => (PIS[0].0.to_owned(), PIS[0].1),
            Some(name) => known_pi(name)?,
        };
        // The slower link bounds what crosses; those that enter at one side share it.
        let slower = links.capacity_bps.into_iter().min().unwrap_or(0);
        let line_rate_fps = slower as f64 / (8.0 * (wanted.size.sizes.mean() + WIRE_OVERHEAD));
        let alike = all.iter().filter(|other| other.from == wanted.from).count();
        let bound = Bound::of_link(line_rate_fps).shared(alike);
        let encapsulation = wanted.asked.encapsulation;
        let spec = spec(wanted, code, bound, encapsulation, None);
        checked(name, wanted, spec, bound)
    });
    streams.collect()
}

/// A PI by name or code, where there is no configuration to know it.
fn known_pi(name: &str) -> Result<(String, u8), PlanError> {
    let code: Option<u8> = name.parse().ok().filter(|code| (1..=7).contains(code));
    let is_it = |(pi, of): &&(&str, u8)| *pi == name || Some(*of) == code;
    match (PIS.iter().find(is_it), code) {
        (Some((pi, code)), _) => Ok(((*pi).to_owned(), *code)),
        (None, Some(code)) => Ok((format!("pi{code}"), code)),
        (None, None) => Err(PlanError::UnknownPi {
            name: name.to_owned(),
            known: ["ipv6qos", "can", "dss", "1 to 7"]
                .map(str::to_owned)
                .into(),
        }),
    }
}

/// What is sent: what the user says, and where he says nothing what the way through the router asks for, or what any
/// stream has.
fn spec(
    wanted: &Wanted,
    code: u8,
    bound: Bound,
    encapsulation: Option<Encapsulation>,
    way: Option<Way>,
) -> StreamSpec {
    let asked = &wanted.asked;
    let full = bound.ceiling_fps;
    let rate = asked
        .rate
        .map_or(full, |rate| rate.fps(wanted.size.sizes.mean(), full));
    let mut spec = StreamSpec::new(wanted.id, code, LARGEST, rate);
    spec.vn = asked.vn.unwrap_or(0);
    spec.encapsulation = encapsulation.unwrap_or_default();
    spec.traffic_class = asked.dscp.unwrap_or(0) << 2;
    let udp = Transport::Udp {
        from: FROM_PORT,
        to: TEST_PORT,
    };
    // Routers look at ports: UDP (RFC 2544 C.2.6.4.2) wherever the frame has room for it.
    let holds_udp = || {
        let smallest = Layout::of(spec.encapsulation, udp).smallest();
        wanted.size.sizes.smallest() >= Some(smallest)
    };
    if asked.udp || way.is_some() && holds_udp() {
        spec.transport = udp;
    }
    spec.sizes = wanted.size.from_smallest(spec.smallest()).sizes;
    if let Some(way) = way {
        let mut destinations = way.destinations.into_iter();
        spec.mac.0 = way.mac;
        spec.address.0 = destinations.next().unwrap_or(spec.address.0);
        spec.address.1 = way.source.unwrap_or(spec.address.1);
        spec.other_destinations = destinations.collect();
    }
    let (dst, src) = spec.mac;
    spec.mac = (asked.dst.unwrap_or(dst), asked.src.unwrap_or(src));
    let (dst, src) = spec.address;
    spec.address = (asked.dst_ip.unwrap_or(dst), asked.src_ip.unwrap_or(src));
    spec
}

/// The stream, if it can be: now, and not when the first trial begins.
fn checked(
    pi: String,
    wanted: &Wanted,
    spec: StreamSpec,
    bound: Bound,
) -> Result<TrafficStream, PlanError> {
    Stream::new(spec.clone()).map_err(|error| match error {
        StreamError::Size { smallest, .. } => PlanError::TooSmall {
            option: wanted.option,
            size: wanted.size.label.clone(),
            smallest,
            largest: LARGEST,
        },
        other => PlanError::Impossible(other),
    })?;
    let from = wanted.from;
    Ok(TrafficStream {
        pi,
        stream: LoadStream { from, spec },
        ceiling_fps: bound.ceiling_fps,
        wait: bound.wait,
    })
}

//! What the configuration demands of its PIs (`[pi.NAME.demand]`), as streams: in the smallest frames that a demand
//! reckons with and in the largest that its PI may send, where the user names no others.
//!
//! Must never ask more of a PI than was demanded: neither octets, nor frames, nor time on the wire.

use pinode_measure::method::demand::Demanded;
use pinode_measure::method::{Traffic, TrafficStream};
use pinode_measure::results::SizeLabel;
use pinode_measure::stream::{SMALLEST, Sizes};

use super::streams::slot;
use super::{NodePlan, PlanError};
use crate::config::{Demand, ETHERNET_HEADER, FCS, PiConfig, PortMode};
use crate::measure::asked::{Asked, FrameSize, StreamAsked};

/// Octets that a frame takes of the wire beside its own (IEEE 802.3-2018 3.1.1, 4.4.2).
const WIRE_OVERHEAD: f64 = 20.0;

/// What `asked` is in the sizes of the demands, round by round: what the round's frames are called, and streams with
/// their sizes.
///
/// # Errors
///
/// Nothing is demanded of a PI that is named, or of any.
pub fn in_own_sizes(
    node: &NodePlan,
    largest: u32,
    asked: &Asked,
) -> Result<Vec<(FrameSize, Asked)>, PlanError> {
    let mut streams = asked.streams.clone();
    if streams.is_empty() {
        let demanding = node.slots().filter(|(_, pi)| pi.needs.demand.is_some());
        streams.extend(demanding.map(|(_, pi)| StreamAsked {
            pi: Some(pi.name.clone()),
            ..StreamAsked::default()
        }));
    }
    if streams.is_empty() {
        return Err(PlanError::Options(
            "--test demand: the configuration demands nothing of any PI; allowed: with [pi.NAME.demand], as `pinode \
             provision` writes it"
                .to_owned(),
        ));
    }
    let least = match node.config.ports.first().map(|port| port.mode) {
        Some(PortMode::Access { .. }) => u32::from(SMALLEST) - 1,
        _ => u32::from(SMALLEST),
    };
    let mut rounds: Vec<(FrameSize, Asked)> = Vec::new();
    for end in [End::Smallest, End::Largest] {
        let mut all = streams.clone();
        for stream in all.iter_mut().filter(|stream| stream.size.is_none()) {
            let (_, pi) = slot(node, stream)?;
            let demand = demand_of(pi)?;
            let size = match end {
                End::Smallest => demand.size.max(least),
                End::Largest => pi.needs.max_sdu.map_or(largest, |sdu| {
                    largest.min(u32::from(sdu) + ETHERNET_HEADER + FCS)
                }),
            };
            let size = u16::try_from(size.max(least)).unwrap_or(u16::MAX);
            stream.size = Some(FrameSize::octets(size));
        }
        let round = Asked {
            streams: all,
            ..asked.clone()
        };
        if rounds.iter().all(|(_, other)| *other != round) {
            rounds.push((called(&round.streams), round));
        }
    }
    Ok(rounds)
}

/// Of the sizes that a demand allows.
#[derive(Clone, Copy)]
enum End {
    Smallest,
    Largest,
}

/// All sizes of a round as one name: `79`, or `79/128/512`.
fn called(streams: &[StreamAsked]) -> FrameSize {
    let mut labels: Vec<String> = Vec::new();
    for size in streams.iter().filter_map(|stream| stream.size.as_ref()) {
        let label = size.label.to_string();
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    let sizes = streams.iter().filter_map(|stream| stream.size.as_ref());
    let largest = sizes.clone().filter_map(|size| size.sizes.largest()).max();
    match (labels.len(), sizes.into_iter().next()) {
        (1, Some(only)) => only.clone(),
        _ => FrameSize {
            label: SizeLabel::Mix(labels.join("/")),
            sizes: Sizes::Fixed(largest.unwrap_or(SMALLEST)),
        },
    }
}

fn demand_of(pi: &PiConfig) -> Result<Demand, PlanError> {
    pi.needs.demand.ok_or_else(|| {
        PlanError::Options(format!(
            "--test demand: nothing is demanded of PI {name}; allowed: [pi.{name}.demand] in the configuration, or \
             --stream pi=NAME of one with a demand",
            name = pi.name
        ))
    })
}

/// What the configuration demands of each of the streams of `traffic`. Streams of one PI that go the same way share
/// its demand.
///
/// # Errors
///
/// It demands nothing of one, or reckons with larger frames.
pub fn demanded(node: &NodePlan, traffic: &Traffic) -> Result<Vec<Demanded>, PlanError> {
    let of = |stream: &TrafficStream| {
        let pi = node.config.pis.iter().find(|pi| pi.name == stream.pi);
        let pi = pi.ok_or_else(|| PlanError::UnknownPi {
            name: stream.pi.clone(),
            known: node.slots().map(|(_, pi)| pi.name.clone()).collect(),
        })?;
        let demand = demand_of(pi)?;
        let sizes = &stream.stream.spec.sizes;
        if u32::from(sizes.smallest().unwrap_or(0)) < demand.size {
            return Err(PlanError::Options(format!(
                "--test demand: --sizes {}: the demand of PI {} reckons with frames of {} octets and more; allowed: such",
                traffic.size, stream.pi, demand.size
            )));
        }
        let same = |other: &&TrafficStream| {
            other.pi == stream.pi && other.stream.from == stream.stream.from
        };
        let alike = traffic.streams.iter().filter(same).count().max(1) as f64;
        let mean = sizes.mean();
        Ok(Demanded {
            fps: frames_of(&demand, mean) / alike,
            // More than a number holds is more than any ring does.
            burst: (demand.burst as f64 / alike / mean)
                .floor()
                .clamp(1.0, f64::from(u32::MAX)) as u32,
            // What the node itself may take is no part of the schedule, and of what is measured it is.
            bound_ns: demand
                .delay_ns
                .map(|delay_ns| delay_ns + demand.own_latency_ns.unwrap_or(0)),
        })
    };
    traffic.streams.iter().map(of).collect()
}

/// Frames of `mean` octets a second that a demand is of.
fn frames_of(demand: &Demand, mean: f64) -> f64 {
    let (rate, size) = (demand.rate_bps as f64, f64::from(demand.size));
    match demand.frames {
        None => rate / (8.0 * mean),
        Some(frames) => {
            let wire = rate * (size + WIRE_OVERHEAD) / size;
            (frames as f64).min(wire / (8.0 * (mean + WIRE_OVERHEAD)))
        }
    }
}

#[cfg(test)]
#[path = "demand_tests.rs"]
mod tests;

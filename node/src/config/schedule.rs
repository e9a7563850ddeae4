//! Whether a port's cycle holds: every phase its PI's largest frame, every guest a phase, every
//! demand what it asks for.
//!
//! One judge for `check`, `run` and a schedule that is given to a running node. It speaks of a
//! schedule alone and must never change one.

use pinode_scheduler::bounds::{self, Flow, PiBounds};
use pinode_scheduler::{Cycle, CycleError, LinkRate, Phase, RateError};
use thiserror::Error;

use super::level2::DiffservConfig;
use super::node::{ETHERNET_HEADER, FCS, PortConfig, PortMode};
use super::reader::{Item, Section};
use super::strict;
use super::unit::{BitRate, Nanoseconds, Octets};

/// Octets behind the Ethernet header of the smallest frame (IEEE 802.3-2018 3.2.7: 46 and padding).
const SDU_LEAST: u64 = 46;
/// As of a port's MTU.
const SDU_MOST: u64 = 9000;
/// The smallest frame that demands and strict classes reckon with unless they say otherwise: as in the tables of
/// `check`.
const DEMAND_SIZE: u32 = 79;
/// The smallest frame of Ethernet, with FCS.
const FRAME_LEAST: u64 = 64;
const FRAME_MOST: u64 = SDU_MOST + ETHERNET_HEADER as u64 + FCS as u64;

/// What a PI asks of every schedule it is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// Octets that its guest may send behind the Ethernet header, as the frame is on the wire:
    /// queueMaxSDU of IEEE 802.1Q-2018 8.6.8.4. The port's MTU if none, or if that is less.
    pub max_sdu: Option<u16>,
    /// What must be guaranteed to it.
    pub demand: Option<Demand>,
    /// Classes that go strictly before others, if its discipline has such.
    pub diffserv: Option<DiffservConfig>,
}

impl Needs {
    /// The smallest frame reckoned with, octets with FCS, where the largest has `largest`.
    #[must_use]
    pub fn smallest_frame(&self, largest: u32) -> u32 {
        let size = self.demand.map_or(DEMAND_SIZE, |demand| demand.size);
        size.min(largest)
    }
}

/// A flow that a PI's phases must hold on each port that it sends on. Octets count the FCS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demand {
    /// Bits per second.
    pub rate_bps: u64,
    /// Octets that come at once; not less than a frame.
    pub burst: u64,
    /// The smallest frame reckoned with, octets: the smaller, the more weighs the gap between two.
    pub size: u32,
    /// The longest time from arrival to end, nanoseconds, if it is bounded.
    pub delay_ns: Option<u64>,
    /// Where the rate is that of so many frames a second, whatever their sizes. Schedules go by the rate alone.
    pub frames: Option<u64>,
    /// What the node itself may take beside `delay_ns`, nanoseconds: a measurement allows it, no schedule is held to it.
    pub own_latency_ns: Option<u64>,
}

impl Demand {
    /// The flow on the wire.
    #[must_use]
    pub fn flow(&self) -> Flow {
        Flow::of_frames(self.rate_bps, self.burst, self.size)
    }
}

/// Why phases make no cycle on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// The capacity is no rate.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// The phases make no cycle.
    #[error(transparent)]
    Cycle(#[from] CycleError),
}

impl PortConfig {
    /// The largest frame of a PI with these needs here, octets with FCS.
    #[must_use]
    pub fn largest_frame_of(&self, needs: Needs) -> u32 {
        u32::from(self.sdu_of(needs)) + ETHERNET_HEADER + FCS
    }

    /// Octets that a PI with these needs may send here behind the Ethernet header.
    #[must_use]
    pub fn sdu_of(&self, needs: Needs) -> u16 {
        needs.max_sdu.map_or(self.mtu, |sdu| sdu.min(self.mtu))
    }

    /// The cycle of the port's phases, for PIs with `needs` by slot.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`], of which [`schedule_problems`] says more.
    pub fn schedule(&self, needs: &[Needs]) -> Result<Cycle, ScheduleError> {
        let phases: Vec<Phase> = self
            .phases
            .iter()
            .map(|phase| Phase {
                owner: phase.owner,
                duration_ns: phase.duration_ns,
            })
            .collect();
        let link = LinkRate::new(self.capacity_bps)?;
        let largest = |slot: u8| {
            let needs = needs.get(usize::from(slot)).copied().unwrap_or_default();
            self.largest_frame_of(needs)
        };
        let cycle = Cycle::new(&phases, self.guard_ns, link, largest)?;
        Ok(cycle.with_extension(self.extension_ns)?)
    }

    /// Whether the guest in `slot` may send here.
    #[must_use]
    pub fn carries(&self, slot: u8) -> bool {
        match self.mode {
            PortMode::Trunk => true,
            PortMode::Access { slot: only, .. } => only == slot,
        }
    }
}

/// What is wrong with the schedule of `port` for `pis`, by slot with their names: phases that do not
/// hold their PI's largest frame (`Cycle::new` finds the first of them; people are told about all),
/// PIs that could never send, demands that are not met, strict classes that are let in for more than is
/// guaranteed, an extension longer than the cycle.
#[must_use]
pub fn schedule_problems(port: &PortConfig, pis: &[(&str, Needs)]) -> Vec<String> {
    let Ok(link) = LinkRate::new(port.capacity_bps) else {
        return Vec::new();
    };
    let mut problems: Vec<String> = (port.phases.iter().enumerate())
        .filter_map(|(index, phase)| {
            let (name, needs) = pis.get(usize::from(phase.owner?)).copied()?;
            let largest = port.largest_frame_of(needs);
            let frame_ns = link.wire_time_ps(largest).div_ceil(1000);
            let usable = phase.duration_ns.saturating_sub(port.guard_ns);
            (usable < frame_ns).then(|| short_phase(port, index, name, largest, frame_ns))
        })
        .collect();
    for (slot, (name, _)) in (0u8..).zip(pis) {
        let phase = port.phases.iter().any(|phase| phase.owner == Some(slot));
        if port.carries(slot) && !phase {
            problems.push(format!(
                "has no phase for PI {name:?}, whose guest could never send here; \
                 needed: a phase for each PI that the port carries"
            ));
        }
    }
    if port.extension_ns > port.cycle_ns() {
        problems.push(format!(
            "an extension of {} is longer than the cycle; allowed: at most {}",
            Nanoseconds(port.extension_ns),
            Nanoseconds(port.cycle_ns())
        ));
    }
    let needs: Vec<Needs> = pis.iter().map(|&(_, needs)| needs).collect();
    // What a demand is short of shows in a cycle that holds otherwise.
    if problems.is_empty()
        && let Ok(cycle) = port.schedule(&needs)
    {
        for (slot, &(name, needs)) in (0u8..).zip(pis) {
            let largest = port.largest_frame_of(needs);
            let own = bounds::of_pi(&cycle, slot, largest);
            let Some(own) = own.filter(|_| port.carries(slot)) else {
                continue;
            };
            if let Some(demand) = needs.demand {
                problems.extend(unmet(&cycle, slot, name, &own, &demand));
            }
            if let Some(classes) = needs.diffserv {
                let classes = (&classes, needs.smallest_frame(largest));
                problems.extend(strict::unmet(&cycle, slot, name, &own, classes));
            }
        }
    }
    problems
}

fn short_phase(port: &PortConfig, index: usize, name: &str, largest: u32, frame_ns: u64) -> String {
    let duration_ns = port.phases.get(index).map_or(0, |phase| phase.duration_ns);
    let needed_ns = frame_ns.saturating_add(port.guard_ns);
    format!(
        "phase {index} of PI {name:?} is too short by {} ns: {} less the guard of {} leaves {} ns, \
         and the largest frame ({largest} octets with FCS) takes {frame_ns} ns at {}; \
         needed: {needed_ns} ns at least",
        needed_ns - duration_ns,
        Nanoseconds(duration_ns),
        Nanoseconds(port.guard_ns),
        duration_ns.saturating_sub(port.guard_ns),
        BitRate(port.capacity_bps),
    )
}

/// What of `demand` the cycle does not hold.
fn unmet(cycle: &Cycle, slot: u8, name: &str, own: &PiBounds, demand: &Demand) -> Option<String> {
    let flow = demand.flow();
    let said = format!(
        "{} in frames of {} octets",
        BitRate(demand.rate_bps),
        demand.size
    );
    let Some(delay_ns) = own.delay_ns(flow) else {
        let more = more_phase(cycle, slot, own, served_for_rate(cycle, flow));
        return Some(format!(
            "guarantees PI {name:?} {:.1} Mb/s of wire, and its demand of {said} needs {:.1} Mb/s: \
             short by {:.1} Mb/s{more}",
            own.guaranteed_bps / 1e6,
            flow.rho_bps / 1e6,
            (flow.rho_bps - own.guaranteed_bps) / 1e6,
        ));
    };
    let wanted_ns = demand.delay_ns? as f64;
    let late_ns = delay_ns - wanted_ns;
    (late_ns > 0.0).then(|| {
        let more = match cycle.phases().filter(|p| p.owner == Some(slot)).count() {
            1 => more_phase(cycle, slot, own, served_for_delay(cycle, flow, wanted_ns)),
            // How several phases should grow is the operator's choice.
            _ => String::new(),
        };
        format!(
            "bounds the delay of PI {name:?} to {:.1} us, and its demand of {said} with bursts of {} \
             asks for {}: late by {:.1} us{more}",
            delay_ns / 1e3,
            Octets(demand.burst),
            Nanoseconds(wanted_ns as u64),
            late_ns / 1e3,
        )
    })
}

/// S for which R is rho, ns.
fn served_for_rate(cycle: &Cycle, flow: Flow) -> f64 {
    flow.rho_bps / cycle.link().bits_per_s() as f64 * cycle.length_ns() as f64
}

/// S of one phase for which T_c - S + sigma T_c / (C S) is the delay `wanted_ns`, ns: the greater
/// root of S^2 - (T_c - D) S - sigma T_c / C.
fn served_for_delay(cycle: &Cycle, flow: Flow, wanted_ns: f64) -> f64 {
    let cycle_ns = cycle.length_ns() as f64;
    let burst_ns = flow.sigma_bits / cycle.link().bits_per_s() as f64 * 1e9;
    let half = (cycle_ns - wanted_ns) / 2.0;
    half + (half * half + burst_ns * cycle_ns).sqrt()
}

/// How much longer the PI's phases have to be in a cycle of this length, to be served for
/// `served_ns` of it.
pub(super) fn more_phase(cycle: &Cycle, slot: u8, own: &PiBounds, served_ns: f64) -> String {
    let cycle_ns = cycle.length_ns() as f64;
    let has_ns = own.guaranteed_bps / cycle.link().bits_per_s() as f64 * cycle_ns;
    let more_ns = (served_ns - has_ns).ceil();
    let others_ns = cycle_ns - cycle.phase_ns(slot) as f64;
    if more_ns > others_ns {
        return format!(
            ", more than a cycle of {} has to give",
            Nanoseconds(cycle.length_ns())
        );
    }
    format!("; phase short by {:.1} us in this cycle", more_ns / 1e3)
}

/// `base_time`: a duration since the epoch of CLOCK_TAI, or nanoseconds.
pub(super) fn read_base_time(item: &Item<'_, '_>) -> Option<u64> {
    match item.unsigned() {
        Some(tai_ns) => Some(tai_ns),
        None if item.raw().as_integer().is_some() => item.integer(0..=u64::MAX),
        None => item.parsed::<Nanoseconds>().map(|since| since.0),
    }
}

/// `max_sdu`.
pub(super) fn read_max_sdu(item: &Item<'_, '_>) -> Option<u16> {
    let sdu = item.integer(SDU_LEAST..=SDU_MOST)?;
    u16::try_from(sdu).ok()
}

/// `[pi.NAME.demand]`.
pub(super) fn read_demand(mut section: Section<'_, '_>) -> Option<Demand> {
    let rate = section.required("rate", "a rate, such as \"200Mbps\"");
    let rate = rate.and_then(|item| item.parsed::<BitRate>());
    let burst_item = section.required("burst", "an amount, such as \"64KiB\"");
    let burst = burst_item.as_ref().and_then(Item::parsed::<Octets>);
    let size = match section.optional("size") {
        Some(item) => item
            .integer(FRAME_LEAST..=FRAME_MOST)
            .and_then(|size| u32::try_from(size).ok()),
        None => Some(DEMAND_SIZE),
    };
    let delay = match section.optional("delay") {
        Some(item) => item.parsed::<Nanoseconds>().map(Some),
        None => Some(None),
    };
    if let (Some(item), Some(burst), Some(size)) = (&burst_item, burst, size)
        && burst.0 < u64::from(size)
    {
        item.problem(format!(
            "{burst} is not allowed: a frame of {size} octets would be no burst; allowed: {size}B \
             or more"
        ));
    }
    let frames = match section.optional("frames") {
        Some(item) => read_frames(&item, rate, size).map(Some),
        None => Some(None),
    };
    let own_latency = match section.optional("own_latency") {
        Some(item) => item.parsed::<Nanoseconds>().map(Some),
        None => Some(None),
    };
    section.finish();
    Some(Demand {
        rate_bps: rate?.0,
        burst: burst?.0,
        size: size?,
        delay_ns: delay?.map(|delay| delay.0),
        frames: frames?,
        own_latency_ns: own_latency?.map(|own| own.0),
    })
}

/// Beyond the smallest frames of 400 GbE.
const FRAMES_MOST: u64 = 1_000_000_000;

/// `pi.NAME.demand.frames`: no more than the rate, in frames of the smallest size.
fn read_frames(item: &Item<'_, '_>, rate: Option<BitRate>, size: Option<u32>) -> Option<u64> {
    let frames = item.integer(1..=FRAMES_MOST)?;
    let (Some(rate), Some(size)) = (rate, size) else {
        return Some(frames);
    };
    let most = rate.0 / (8 * u64::from(size).max(1));
    if frames > most {
        item.problem(format!(
            "{frames} frames of {size} octets a second are more than the rate of {rate}; allowed: at most {most}, or \
             a larger rate"
        ));
        return None;
    }
    Some(frames)
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;

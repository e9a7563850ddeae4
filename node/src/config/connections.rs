//! What a port's cycle has to hold for connections to get their peak rates.
//!
//! The rates sum up to what the phases guarantee, and each tolerance covers the wait for the phase.
//! Must never judge a tolerance that is not the one in force.

use pinode_scheduler::bounds::{self, PiBounds};

use super::level2::StreamConfig;
use super::node::{PiConfig, PortConfig};
use super::schedule::Needs;
use super::unit::Nanoseconds;
use crate::assemble::LOOKAHEAD_NS;

/// The tolerance with which each of `count` connections gets its rate, however their frames fall
/// together: the bound of the time that its first frame may take once it conforms, nanoseconds. 0 if
/// nothing is guaranteed, so that no connection is admitted.
#[must_use]
pub fn sure_tolerance_ns(bounds: &PiBounds, count: usize) -> u64 {
    let delay_ns = bounds.turn_delay_ns(count, LOOKAHEAD_NS);
    delay_ns.map_or(0, |delay_ns| delay_ns.ceil() as u64)
}

/// What the schedule of `port` does not hold of the connections of `pis`, with the PI's slot.
///
/// `started`: the port as a running node started with it. Tolerances that were left open are those of
/// that schedule then; without a running node they would be those of this one.
#[must_use]
pub fn stream_problems(
    port: &PortConfig,
    pis: &[PiConfig],
    started: Option<&PortConfig>,
) -> Vec<(usize, String)> {
    let needs: Vec<_> = pis.iter().map(|pi| pi.needs).collect();
    let mut problems = Vec::new();
    for (index, pi) in pis.iter().enumerate() {
        let slot = u8::try_from(index).unwrap_or(u8::MAX);
        let rates = pi.level2.streams(&port.name).map(|s| s.rate_bps);
        let all_bps = rates.fold(0, u64::saturating_add);
        if all_bps == 0 {
            continue;
        }
        let Some(own) = bounds_at(port, &needs, slot) else {
            continue;
        };
        let spare_bps = own.guaranteed_bps - all_bps as f64;
        if spare_bps < 0.0 {
            problems.push((
                index,
                format!(
                    "connections of PI {:?} on port {} sum up to {:.3} Mb/s, and its phases guarantee \
                     {:.3} Mb/s: short by {:.3} Mb/s",
                    pi.name,
                    port.name,
                    all_bps as f64 / 1e6,
                    own.guaranteed_bps / 1e6,
                    -spare_bps / 1e6
                ),
            ));
        }
        let count = pi.level2.streams(&port.name).count();
        let sure_ns = sure_tolerance_ns(&own, count);
        let least_ns = own.latency_ns.ceil() as u64;
        let in_force = started.and_then(|started| bounds_at(started, &needs, slot));
        let filled_ns = in_force.map(|own| sure_tolerance_ns(&own, count));
        for stream in pi.level2.streams(&port.name) {
            // What would be filled in from this schedule is enough for it.
            if let Some(tolerance_ns) = stream.tolerance_ns.or(filled_ns)
                && tolerance_ns < least_ns
            {
                let what = short(stream, pi, tolerance_ns, [least_ns, sure_ns]);
                problems.push((index, what));
            }
        }
    }
    problems
}

fn bounds_at(port: &PortConfig, needs: &[Needs], slot: u8) -> Option<PiBounds> {
    let cycle = port.schedule(needs).ok()?;
    let own = needs.get(usize::from(slot)).copied().unwrap_or_default();
    bounds::of_pi(&cycle, slot, port.largest_frame_of(own))
}

fn short(
    stream: &StreamConfig,
    pi: &PiConfig,
    tolerance_ns: u64,
    [least_ns, sure_ns]: [u64; 2],
) -> String {
    let (filled, place) = match stream.tolerance_ns {
        Some(_) => ("", ""),
        None => (
            ", filled in from the schedule that the node started with,",
            ", in the configuration",
        ),
    };
    format!(
        "label {} of PI {:?} would not get its rate on port {}: its tolerance of {}{filled} is less than \
         the {least_ns} ns that it may have to wait for its phase, short by {} ns; needed: a tolerance \
         of {least_ns} ns at least, and of {sure_ns} ns whatever the other connections send{place}",
        stream.label,
        pi.name,
        stream.port,
        Nanoseconds(tolerance_ns),
        least_ns - tolerance_ns
    )
}

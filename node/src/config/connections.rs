//! What a port's cycle has to hold for connections to get their peak rates.
//!
//! The rates sum up to what the phases guarantee, and each tolerance covers the wait for the phase.
//! Must never judge a tolerance that is not the one in force.

use pinode_scheduler::bounds::{self, Admitted, PiBounds, Promised};

use super::level2::{Level2Config, StreamConfig};
use super::node::{PiConfig, PortConfig};
use super::schedule::Needs;
use super::unit::Nanoseconds;
use crate::assemble::LOOKAHEAD_NS;

/// What of the guaranteed rate is for signalling, unless the configuration says otherwise.
const SIGNALLING_SHARE: f64 = 0.01;

/// The tolerance with which each connection gets its rate, however the frames of all fall together: the
/// bound of the time that its first frame may take once it conforms, nanoseconds. 0 if nothing is
/// guaranteed, so that no connection is admitted.
#[must_use]
pub fn sure_tolerance_ns(bounds: &PiBounds, all: &Admitted) -> u64 {
    let delay_ns = bounds.turn_delay_ns(all, LOOKAHEAD_NS);
    delay_ns.map_or(0, |delay_ns| delay_ns.ceil() as u64)
}

/// Rate of signalling, bits per second, and its tolerance, nanoseconds: that of a connection which all
/// others wait for.
#[must_use]
pub fn signalling_of(pi: &PiConfig, bounds: &PiBounds) -> (u64, u64) {
    let asked_bps = asked_signalling(pi);
    let share_bps = || (bounds.guaranteed_bps * SIGNALLING_SHARE) as u64;
    let alone = Admitted::signalling(0, 0, bounds.largest_frame).and(&Promised {
        rate_bps: 0.0,
        tolerance_ns: 0.0,
        largest: bounds.largest_frame,
    });
    let tolerance_ns = sure_tolerance_ns(bounds, &alone);
    (asked_bps.unwrap_or_else(share_bps), tolerance_ns)
}

fn asked_signalling(pi: &PiConfig) -> Option<u64> {
    match &pi.level2 {
        Level2Config::Streams(streams) => streams.signalling_bps,
        Level2Config::Fifo | Level2Config::Diffserv(_) | Level2Config::Content(_) => None,
    }
}

/// Nothing but the signalling of `pi`.
#[must_use]
pub fn only_signalling(pi: &PiConfig, bounds: &PiBounds) -> Admitted {
    let (rate_bps, tolerance_ns) = signalling_of(pi, bounds);
    Admitted::signalling(rate_bps, tolerance_ns, bounds.largest_frame)
}

/// What `stream` is promised, with a tolerance of `untold_ns` if it says nothing.
#[must_use]
pub fn promised(stream: &StreamConfig, bounds: &PiBounds, untold_ns: u64) -> Promised {
    Promised {
        rate_bps: stream.rate_bps as f64,
        tolerance_ns: stream.tolerance_ns.unwrap_or(untold_ns) as f64,
        largest: stream.max_frame.unwrap_or(bounds.largest_frame),
    }
}

/// Signalling and connections of `pi`, and the tolerance of those that say nothing: `filled_ns`, or what
/// the bounds make sure.
#[must_use]
pub fn admitted<'a>(
    pi: &PiConfig,
    streams: impl Iterator<Item = &'a StreamConfig> + Clone,
    bounds: &PiBounds,
    filled_ns: Option<u64>,
) -> (Admitted, u64) {
    let with = |untold_ns: u64| {
        let all = streams.clone().map(|s| promised(s, bounds, untold_ns));
        all.fold(only_signalling(pi, bounds), |all, one| all.and(&one))
    };
    let untold_ns = filled_ns.unwrap_or_else(|| sure_tolerance_ns(bounds, &with(0)));
    (with(untold_ns), untold_ns)
}

/// Connections of constant rate of a PI at a port that a schedule has to hold.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// All of them.
    pub streams: Vec<StreamConfig>,
    /// Tolerance in force of those that say nothing; if none, what another schedule would give them.
    pub filled_ns: Option<u64>,
}

impl Held {
    /// Those of the configuration at `port`, by slot.
    #[must_use]
    pub fn configured(port: &PortConfig, pis: &[PiConfig]) -> Vec<Self> {
        let held = |pi: &PiConfig| Self {
            streams: pi.level2.streams(&port.name).cloned().collect(),
            filled_ns: None,
        };
        pis.iter().map(held).collect()
    }
}

/// What the schedule of `port` does not hold of the connections of `pis`, with the PI's slot. `held`:
/// those connections, by slot.
#[must_use]
pub fn stream_problems(port: &PortConfig, pis: &[PiConfig], held: &[Held]) -> Vec<(usize, String)> {
    let needs: Vec<_> = pis.iter().map(|pi| pi.needs).collect();
    let mut problems = Vec::new();
    for ((index, pi), held) in pis.iter().enumerate().zip(held) {
        let slot = u8::try_from(index).unwrap_or(u8::MAX);
        let rates = held.streams.iter().map(|s| s.rate_bps);
        let streams_bps = rates.fold(0, u64::saturating_add);
        if streams_bps == 0 && asked_signalling(pi).is_none() {
            continue;
        }
        let Some(own) = bounds_at(port, &needs, slot) else {
            continue;
        };
        let (signalling_bps, _) = signalling_of(pi, &own);
        let all_bps = streams_bps.saturating_add(signalling_bps);
        let spare_bps = own.guaranteed_bps - all_bps as f64;
        if spare_bps < 0.0 {
            problems.push((
                index,
                format!(
                    "connections of PI {:?} on port {} sum up to {:.3} Mb/s and its signalling has {:.3} \
                     Mb/s, and its phases guarantee {:.3} Mb/s: short by {:.3} Mb/s",
                    pi.name,
                    port.name,
                    streams_bps as f64 / 1e6,
                    signalling_bps as f64 / 1e6,
                    own.guaranteed_bps / 1e6,
                    -spare_bps / 1e6
                ),
            ));
        }
        let (_, sure_ns) = admitted(pi, held.streams.iter(), &own, None);
        let least_ns = own.latency_ns.ceil() as u64;
        for stream in &held.streams {
            // What would be filled in from this schedule is enough for it.
            if let Some(tolerance_ns) = stream.tolerance_ns.or(held.filled_ns)
                && tolerance_ns < least_ns
            {
                let what = short(stream, pi, tolerance_ns, [least_ns, sure_ns]);
                problems.push((index, what));
            }
        }
    }
    problems
}

/// What the schedule of `port` guarantees the PI in `slot`; none if it has no phase.
#[must_use]
pub fn bounds_at(port: &PortConfig, needs: &[Needs], slot: u8) -> Option<PiBounds> {
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
            ", filled in from the schedules before,",
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

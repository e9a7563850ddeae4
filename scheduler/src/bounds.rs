//! What a cycle guarantees a PI: ceilings, waits, the rate-latency service curve, and what follows
//! from it for flows that keep to a token bucket.
//!
//! Computed from the same integers as the gate's decisions, so that a measured rate can be read
//! against its ceiling to the last frame. The flow bounds are those of network calculus (arrival
//! curve sigma + rho t, service curve R (t - T)); docs/guarantees.md derives them. For the control
//! plane; nothing here is on the frame path.

mod connections;

pub use connections::{Admitted, Promised};

use crate::cycle::{Cycle, PS_PER_NS, Span};
use crate::rate::OVERHEAD_OCTETS;

/// A flow: never more than `sigma_bits` + `rho_bps` t in any time t, in bits of wire (preamble,
/// start delimiter and gap of each frame count, its FCS too).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// sigma: what may come at once, bits.
    pub sigma_bits: f64,
    /// rho: the rate that is never exceeded for long, bits/s.
    pub rho_bps: f64,
}

impl Flow {
    /// A token bucket that counts octets with FCS, `rate_bps` and `burst_octets`, whose frames have
    /// `smallest_frame` octets or more: what it lets pass weighs most on the wire in frames of that
    /// size. Part of a frame that is left of the burst counts too: the rate soon makes it a whole one.
    #[must_use]
    pub fn of_frames(rate_bps: u64, burst_octets: u64, smallest_frame: u32) -> Self {
        let size = u64::from(smallest_frame.max(1));
        let weight = (size + OVERHEAD_OCTETS) as f64 / size as f64;
        Self {
            sigma_bits: 8.0 * burst_octets as f64 * weight,
            rho_bps: rate_bps as f64 * weight,
        }
    }
}

/// What a PI gets whatever its frames are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PiBounds {
    /// Phase time in a cycle, ns, summed over the PI's phases.
    pub phase_ns: u64,
    /// R: rate of the rate-latency service curve, bits/s, on the wire (preamble and gap count).
    /// With S = T_p - g - t_max of each phase: R = C * sum of S / T_c.
    pub guaranteed_bps: f64,
    /// Latency of the curve, ns: the least for which the curve holds from every instant on; with
    /// one phase T_c - S. T_c if R is 0.
    pub latency_ns: f64,
    /// The largest frame, octets with FCS, that the bounds reckon with.
    pub largest_frame: u32,
}

impl PiBounds {
    /// The longest time from the arrival of a frame of the flow to its end on the wire, ns, with
    /// the flow alone in its PI: T + sigma / R. `None` if nothing bounds it: rho > R, or R is 0.
    #[must_use]
    pub fn delay_ns(&self, flow: Flow) -> Option<f64> {
        self.carries(flow)
            .then(|| self.latency_ns + flow.sigma_bits / self.guaranteed_bps * 1e9)
    }

    /// The most bits of wire that have come and not been sent: sigma + rho T. A frame takes room in
    /// a ring until it starts, so whole frames that wait take no more. `None` as for
    /// [`delay_ns`](Self::delay_ns).
    #[must_use]
    pub fn backlog_bits(&self, flow: Flow) -> Option<f64> {
        self.carries(flow)
            .then(|| flow.sigma_bits + flow.rho_bps * self.latency_ns / 1e9)
    }

    /// As [`delay_ns`](Self::delay_ns), with the flows `before` going strictly before this one in the
    /// PI and all else strictly behind it, at a gate that lets frames go up to `lookahead_ns` ahead of
    /// their start.
    ///
    /// With L = T + lookahead: L + (sigma + sigma of those before + l_max + rho of those before * L)
    /// / (R - rho of those before). Up to the lookahead from its arrival on the wire is promised to
    /// others, and one largest frame of those may end after that; what comes of `before` during L
    /// goes first too. `None` if nothing bounds it: all those rates sum up to more than R, or R is 0.
    #[must_use]
    pub fn strict_delay_ns(&self, before: &[Flow], flow: Flow, lookahead_ns: u64) -> Option<f64> {
        let left_bps = self.left_bps(before)?;
        let latency_ns = self.latency_ns + lookahead_ns as f64;
        let bursts: f64 = before.iter().map(|other| other.sigma_bits).sum();
        let meanwhile = (self.guaranteed_bps - left_bps) * latency_ns / 1e9;
        let bits = flow.sigma_bits + bursts + self.largest_bits() + meanwhile;
        (left_bps > 0.0 && flow.rho_bps <= left_bps).then(|| latency_ns + bits / left_bps * 1e9)
    }

    /// What flows that go strictly before all else leave of R, bits/s. `None`: they sum up to more.
    #[must_use]
    pub fn left_bps(&self, strict: &[Flow]) -> Option<f64> {
        let taken: f64 = strict.iter().map(|flow| flow.rho_bps).sum();
        let left_bps = self.guaranteed_bps - taken;
        (left_bps >= 0.0).then_some(left_bps)
    }

    /// l_max: bits of wire of the largest frame.
    fn largest_bits(&self) -> f64 {
        8.0 * (u64::from(self.largest_frame) + OVERHEAD_OCTETS) as f64
    }

    fn carries(&self, flow: Flow) -> bool {
        self.guaranteed_bps > 0.0 && flow.rho_bps <= self.guaranteed_bps
    }
}

/// What a PI gets if all its frames have one size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeBounds {
    /// Octets with FCS.
    pub size: u32,
    /// n = floor((T_p - g) / t_L), summed over the PI's phases.
    pub frames_per_phase: u64,
    /// Most frames in a second.
    pub ceiling_fps: f64,
    /// Goodput of those, bits/s, octets with FCS.
    pub ceiling_bps: f64,
    /// Longest time from the arrival of a lone frame to its start, ns.
    pub longest_wait_ns: f64,
    /// Mean of that time over all instants of the cycle, ns.
    pub mean_wait_ns: f64,
    /// Most frames that wait for their start when they arrive evenly spaced at the ceiling's rate: what a ring has
    /// to hold so that none is lost.
    pub backlog_frames: u64,
}

/// Bounds of the PI `slot` with frames up to `largest_frame` octets with FCS; `None` if it has no
/// phase in the cycle.
#[must_use]
pub fn of_pi(cycle: &Cycle, slot: u8, largest_frame: u32) -> Option<PiBounds> {
    let phase_ns = cycle.phase_ns(slot);
    if phase_ns == 0 {
        return None;
    }
    let frame_ps = cycle.link().wire_time_ps(largest_frame);
    let cycle_ps = cycle.length_ns() * PS_PER_NS;
    let served: Vec<_> = cycle
        .spans_of(slot)
        .map(|span| {
            let served_ps = usable_ps(cycle, span).saturating_sub(frame_ps);
            Service {
                opens_ps: span.opens_ns * PS_PER_NS,
                served_ps,
                last_ps: served_ps,
            }
        })
        .collect();
    let all_ps: u64 = served.iter().map(|service| service.served_ps).sum();
    let share = all_ps as f64 / cycle_ps as f64;
    Some(PiBounds {
        phase_ns,
        guaranteed_bps: cycle.link().bits_per_s() as f64 * share,
        latency_ns: latency_ps(&served, cycle_ps, all_ps) / PS_PER_NS as f64,
        largest_frame,
    })
}

/// Bounds of the PI `slot` with frames of `size` octets with FCS; `None` if such a frame fits in
/// no phase of its.
#[must_use]
pub fn of_size(cycle: &Cycle, slot: u8, size: u32) -> Option<SizeBounds> {
    let frame_ps = cycle.link().wire_time_ps(size);
    let cycle_ps = cycle.length_ns() * PS_PER_NS;
    let fitting = || {
        cycle
            .spans_of(slot)
            .filter(|span| usable_ps(cycle, *span) >= frame_ps)
    };
    let first_opens_ps = fitting().next()?.opens_ns * PS_PER_NS;
    let frames: u64 = fitting()
        .map(|span| usable_ps(cycle, span) / frame_ps)
        .sum();
    let (mut longest_ps, mut squares) = (0, 0u128);
    let mut spans = fitting().peekable();
    while let Some(span) = spans.next() {
        // After the last instant at which the frame may start it waits for the next opening.
        let last_start_ps = span.opens_ns * PS_PER_NS + usable_ps(cycle, span) - frame_ps;
        let opens_ps = match spans.peek() {
            Some(next) => next.opens_ns * PS_PER_NS,
            None => first_opens_ps + cycle_ps,
        };
        let gap_ps = opens_ps - last_start_ps;
        longest_ps = longest_ps.max(gap_ps);
        squares += u128::from(gap_ps) * u128::from(gap_ps);
    }
    let ceiling_fps = frames as f64 * 1e9 / cycle.length_ns() as f64;
    // Whole frames alone, so the rate of this curve is the ceiling.
    let served: Vec<_> = fitting()
        .map(|span| Service {
            opens_ps: span.opens_ns * PS_PER_NS,
            served_ps: usable_ps(cycle, span) / frame_ps * frame_ps,
            last_ps: usable_ps(cycle, span) - frame_ps,
        })
        .collect();
    let lag_ps = latency_ps(&served, cycle_ps, frames * frame_ps);
    Some(SizeBounds {
        size,
        frames_per_phase: frames,
        ceiling_fps,
        ceiling_bps: ceiling_fps * 8.0 * f64::from(size),
        longest_wait_ns: longest_ps as f64 / PS_PER_NS as f64,
        mean_wait_ns: squares as f64 / (2.0 * cycle_ps as f64) / PS_PER_NS as f64,
        // One frame at once, and the ceiling's rate for the latency of the curve.
        backlog_frames: 1 + (frames as f64 * lag_ps / cycle_ps as f64).floor() as u64,
    })
}

/// Time that a PI with a backlog is served for at least, from the opening of a window on.
struct Service {
    opens_ps: u64,
    served_ps: u64,
    /// From the opening on: who comes later may not be served in this window any more.
    last_ps: u64,
}

/// T_p - g.
fn usable_ps(cycle: &Cycle, span: Span) -> u64 {
    span.duration_ns().saturating_sub(cycle.guard_ns()) * PS_PER_NS
}

/// The least latency for which a rate-latency curve of the mean rate lies below the service from
/// every instant on. The worst instants to begin are those after the last start, and the curve is
/// tightest just before service begins again: the lag there is the time passed less the time the
/// mean rate takes for what was served.
fn latency_ps(services: &[Service], cycle_ps: u64, all_ps: u64) -> f64 {
    if all_ps == 0 {
        return cycle_ps as f64;
    }
    let per_served = cycle_ps as f64 / all_ps as f64;
    let mut latency_ps = 0f64;
    for (index, first) in services.iter().enumerate() {
        let ended_ps = first.opens_ps + first.last_ps;
        let mut served_ps = 0;
        let later = services.iter().skip(index + 1).map(|service| (service, 0));
        let wrapped = services
            .iter()
            .take(index + 1)
            .map(|service| (service, cycle_ps));
        for (service, shift_ps) in later.chain(wrapped) {
            let passed_ps = service.opens_ps + shift_ps - ended_ps;
            latency_ps = latency_ps.max(passed_ps as f64 - served_ps as f64 * per_served);
            served_ps += service.served_ps;
        }
    }
    latency_ps
}

//! Why no cycle will do: which demand is too much, by how much, and what would be possible.
//!
//! Must never blame a demand that a cycle of the grid would meet.

use super::demands::{PiDemand, PortDemand};
use super::refusal::{Constraint, Unmet};
use super::search::{Asked, Candidate, Link, RING_MOST};
use crate::config::{BitRate, Nanoseconds, Octets};

/// A port on which nothing was found.
pub(super) struct Fruitless<'a> {
    pub port: &'a PortDemand,
    pub link: Link,
    pub pis: &'a [PiDemand],
    /// What they ask for, in their order.
    pub asked: &'a [Asked],
    pub candidates: &'a [Candidate],
    pub grain_ns: u64,
}

/// The best that a PI can have, over all cycles.
#[derive(Debug, Clone, Copy)]
struct Best {
    value: f64,
    cycle_ns: u64,
}

impl Fruitless<'_> {
    pub(super) fn causes(&self) -> Vec<Unmet> {
        let rates = self.rates();
        if !rates.is_empty() {
            return rates;
        }
        let alone: Vec<Unmet> = (0..self.pis.len()).flat_map(|pi| self.alone(pi)).collect();
        if !alone.is_empty() {
            return alone;
        }
        let late: Vec<Unmet> = (0..self.pis.len()).filter_map(|pi| self.late(pi)).collect();
        if !late.is_empty() {
            return late;
        }
        self.together().into_iter().collect()
    }

    /// Rates that no schedule carries.
    fn rates(&self) -> Vec<Unmet> {
        let capacity_bps = self.link.rate.bits_per_s() as f64;
        let wire_bps: f64 = self.asked.iter().map(|asked| asked.flow.rho_bps).sum();
        let short_bps = wire_bps - capacity_bps;
        if short_bps <= 0.0 {
            return Vec::new();
        }
        let each: Vec<String> = self
            .pis
            .iter()
            .zip(self.asked)
            .map(|(pi, asked)| format!("{} {:.1}", pi.name, asked.flow.rho_bps / 1e6))
            .collect();
        let what = format!(
            "rates sum up to {:.1} Mb/s of wire, preambles and gaps among them ({}), and port {} carries {}: short by \
             {:.1} Mb/s",
            wire_bps / 1e6,
            each.join(", "),
            self.port.name,
            BitRate(self.port.capacity_bps),
            short_bps / 1e6
        );
        vec![Unmet::new(Constraint::Rate, "pi", what).by(short_bps, "bits/s")]
    }

    /// What a PI would not have with all of every cycle.
    fn alone(&self, pi: usize) -> Vec<Unmet> {
        let possible = |found: &Candidate| found.phases_ns.get(pi).is_some_and(Option::is_some);
        if self.candidates.iter().any(possible) {
            return Vec::new();
        }
        let (Some(demand), Some(asked)) = (self.pis.get(pi), self.asked.get(pi)) else {
            return Vec::new();
        };
        let whole = |found: &Candidate| Some(found.cycle_ns / self.grain_ns * self.grain_ns);
        let mut unmet = Vec::new();
        let rate = self.best(pi, &whole, |_, own| Some(-own.guaranteed_bps));
        let short_bps = rate.map_or(asked.flow.rho_bps, |most| asked.flow.rho_bps + most.value);
        if short_bps > 0.0 {
            let has = match rate {
                Some(most) => format!(
                    "a cycle of {} all of which is its own guarantees {:.1}",
                    Nanoseconds(most.cycle_ns),
                    -most.value / 1e6
                ),
                None => format!(
                    "its largest frame of {} octets fits no cycle, which guarantees 0",
                    asked.largest
                ),
            };
            let what = format!(
                "{} needs {:.1} Mb/s of wire on port {}, and {has}: short by {:.1} Mb/s",
                demand.rate,
                asked.flow.rho_bps / 1e6,
                self.port.name,
                short_bps / 1e6
            );
            let at = format!("pi.{}.rate", demand.name);
            return vec![Unmet::new(Constraint::Rate, at, what).by(short_bps, "bits/s")];
        }
        let delay = self.best(pi, &whole, |asked, own| own.delay_ns(asked.flow));
        unmet.extend(self.too_late(pi, delay, "even with all of the link to itself"));
        let waiting = self.best(pi, &whole, |asked, own| {
            asked.waiting(own).map(|frames| frames as f64)
        });
        if let Some(least) = waiting.filter(|least| least.value > RING_MOST as f64) {
            let what = format!(
                "up to {:.0} frames of {} octets wait on port {}, those that come while the host stalls among them \
                 ({}), and the largest ring holds {RING_MOST}: short by {:.0} frames",
                least.value,
                asked.smallest,
                self.port.name,
                asked.stalled_frames,
                least.value - RING_MOST as f64
            );
            let at = format!("pi.{}.burst", demand.name);
            let short = least.value - RING_MOST as f64;
            unmet.push(Unmet::new(Constraint::Buffer, at, what).by(short, "frames"));
        }
        unmet
    }

    /// A delay that is below what is left for it by what the others need at least.
    fn late(&self, pi: usize) -> Option<Unmet> {
        let rest = |found: &Candidate| {
            let others = found.phases_ns.iter().enumerate();
            let others: Option<u64> = others
                .filter(|(index, _)| *index != pi)
                .map(|(_, phase_ns)| *phase_ns)
                .sum();
            let rest_ns = found.cycle_ns.checked_sub(others?)?;
            Some(rest_ns / self.grain_ns * self.grain_ns).filter(|rest_ns| *rest_ns > 0)
        };
        let least = self.best(pi, &rest, |asked, own| own.delay_ns(asked.flow));
        self.too_late(pi, least, "with what the others need at least")
    }

    fn too_late(&self, pi: usize, least: Option<Best>, when: &str) -> Option<Unmet> {
        let (demand, asked) = (self.pis.get(pi)?, self.asked.get(pi)?);
        let allowed_ns = asked.delay_ns? as f64;
        let least = least.filter(|least| least.value > allowed_ns)?;
        let short_ns = least.value - allowed_ns;
        let own = match demand
            .delay_ns
            .and_then(|whole| whole.checked_sub(asked.delay_ns?))
        {
            Some(own_ns) if own_ns > 0 => format!(
                " (less {:.1} us that the node itself was measured to take)",
                own_ns as f64 / 1e3
            ),
            _ => String::new(),
        };
        let what = format!(
            "{} with bursts of {} asks for a delay of {:.1} us{own} on port {}; {when} the least is {:.1} us, in a \
             cycle of {}: late by {:.1} us",
            demand.rate,
            Octets(demand.burst),
            allowed_ns / 1e3,
            self.port.name,
            least.value / 1e3,
            Nanoseconds(least.cycle_ns),
            short_ns / 1e3
        );
        let at = format!("pi.{}.delay", demand.name);
        Some(Unmet::new(Constraint::Delay, at, what).by(short_ns, "ns"))
    }

    /// The least of a figure of `pi` over all cycles with a phase of `phase` in them.
    fn best(
        &self,
        pi: usize,
        phase: &dyn Fn(&Candidate) -> Option<u64>,
        of: impl Fn(&Asked, &pinode_scheduler::bounds::PiBounds) -> Option<f64>,
    ) -> Option<Best> {
        let asked = self.asked.get(pi)?;
        let values = self.candidates.iter().filter_map(|found| {
            let own = self
                .link
                .bounds(found.cycle_ns, phase(found)?, asked.largest)?;
            Some(Best {
                value: of(asked, &own)?,
                cycle_ns: found.cycle_ns,
            })
        });
        values.reduce(|best, other| {
            if other.value < best.value {
                other
            } else {
                best
            }
        })
    }

    /// Demands of which each could be met: the cycle in which least is short.
    fn together(&self) -> Option<Unmet> {
        let over = |found: &&Candidate| {
            let sum = found.reserved_ns().map_or(u64::MAX, |sum| sum);
            sum as f64 / found.cycle_ns as f64
        };
        let nearest = self
            .candidates
            .iter()
            .min_by(|one, other| over(one).total_cmp(&over(other)))?;
        let Some(sum_ns) = nearest.reserved_ns() else {
            let what = format!(
                "on port {} no cycle of the grid has a phase for every PI; needed: other cycles",
                self.port.name
            );
            return Some(Unmet::new(Constraint::Phases, "cycle", what));
        };
        let each: Vec<String> = self
            .pis
            .iter()
            .zip(&nearest.phases_ns)
            .map(|(pi, phase_ns)| format!("{} {:.1}", pi.name, phase_ns.unwrap_or(0) as f64 / 1e3))
            .collect();
        let short_ns = sum_ns - nearest.cycle_ns.min(sum_ns);
        let what = format!(
            "each demand could be met, and not all of them in one cycle of port {}: in the nearest, of {}, the phases \
             would be {} us: short by {:.1} us",
            self.port.name,
            Nanoseconds(nearest.cycle_ns),
            each.join(", "),
            short_ns as f64 / 1e3
        );
        Some(Unmet::new(Constraint::Phases, "pi", what).by(short_ns as f64, "ns"))
    }
}

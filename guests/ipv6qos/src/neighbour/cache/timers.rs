//! What time does to entries: the rows of RFC 4861, appendix C, that are a timer's.

use super::{
    Cache, DELAY_NS, FAILED_NS, GLEANED_NS, REACHABLE_NS, RETRANS_NS, SOLICITATIONS, STALE_NS,
    order,
};
use crate::control::view::Reachability;
use crate::neighbour::outbox::{Fate, Outbox};
use crate::vn::InterfaceId;

/// Most entries of a state and virtual network that a tick deals with; the others are a tick later.
const A_TICK: usize = 64;
/// Most entries altogether.
const IN_A_TICK: usize = 512;
/// How often the time that a neighbour counts as reachable is drawn anew (RFC 4861 6.3.4: some hours).
const REDRAW_NS: u64 = 2 * 3_600_000_000_000;

impl<F> Cache<F> {
    /// It is `now_ns`. `source` says which address solicitations to a target come from. What is to say something
    /// stands still while `out` may not be given more: no answer is missed that was not asked for.
    pub fn tick(
        &mut self,
        now_ns: u64,
        source: &dyn Fn(InterfaceId, u128) -> Option<u128>,
        out: &mut Outbox<F>,
    ) {
        if now_ns >= self.redraw_ns {
            self.draw_reachable(now_ns);
        }
        // Those that are known before those that are looked for.
        let run = [
            (order::PROBE, RETRANS_NS),
            (order::DELAY, DELAY_NS),
            (order::INCOMPLETE, RETRANS_NS),
            (order::FAILED, FAILED_NS),
            (order::REACHABLE, self.reachable_ns),
            (order::STALE, STALE_NS),
            (order::GLEANED, GLEANED_NS),
        ];
        let networks = self.networks.len();
        let turn = self.turn;
        self.turn = (turn + 1).checked_rem(networks).unwrap_or(0);
        let mut left = IN_A_TICK;
        for (order, run_ns) in run {
            for place in 0..networks {
                let at = (turn + place).checked_rem(networks).unwrap_or(0);
                let Some(vn) = self.networks.get(at) else {
                    break;
                };
                let queue = vn.index() * order::QUEUES + order;
                for _ in 0..A_TICK.min(left) {
                    let Some(at) = self.ended(now_ns, queue, run_ns) else {
                        break;
                    };
                    let of = self.hop(super::NeighbourId(at)).interface;
                    if speaks(order) && !out.has_room(of) {
                        break;
                    }
                    left -= 1;
                    self.end(now_ns, order, at, source, out);
                }
            }
        }
        self.go_on_flushing(out);
    }

    /// The first entry of `queue`, if its timer of `run_ns` has ended.
    fn ended(&self, now_ns: u64, queue: usize, run_ns: u64) -> Option<u32> {
        let at = self.queues.first(queue)?;
        let entry = self.entries.get(at as usize)?;
        (now_ns.saturating_sub(entry.timer_ns) >= run_ns).then_some(at)
    }

    fn end(
        &mut self,
        now_ns: u64,
        order: usize,
        at: u32,
        source: &dyn Fn(InterfaceId, u128) -> Option<u128>,
        out: &mut Outbox<F>,
    ) {
        let asked = self.entries.get(at as usize).map_or(0, |entry| entry.asked);
        let from = |cache: &Self| {
            let hop = cache.hops.get(at as usize)?;
            source(hop.interface, hop.address)
        };
        match order {
            order::REACHABLE => self.change(now_ns, at, Reachability::Stale),
            order::DELAY => {
                self.change(now_ns, at, Reachability::Probe);
                self.solicit(at, from(self), out);
            }
            order::PROBE if asked < SOLICITATIONS => {
                self.change(now_ns, at, Reachability::Probe);
                self.solicit(at, from(self), out);
            }
            order::INCOMPLETE if asked < SOLICITATIONS => {
                self.change(now_ns, at, Reachability::Incomplete);
                self.solicit(at, from(self), out);
            }
            order::INCOMPLETE => {
                self.counts.failed += 1;
                self.release(at, Fate::Unreachable, out);
                self.change(now_ns, at, Reachability::Failed);
            }
            _ => self.forget(at, Fate::Refused, out),
        }
    }

    pub(super) fn draw_reachable(&mut self, now_ns: u64) {
        self.reachable_ns = self.random.between(REACHABLE_NS / 2, REACHABLE_NS / 2 * 3);
        self.redraw_ns = now_ns.saturating_add(REDRAW_NS);
    }
}

/// Whether the end of a timer in these queues may have something said.
const fn speaks(order: usize) -> bool {
    matches!(order, order::PROBE | order::DELAY | order::INCOMPLETE)
}

//! A worker around the edges of its gates: in time for them, and not held up by a system call.

use super::super::clock::Clock;
use super::super::edge::Watch;
use super::super::egress;
use super::super::lane::PortLane;
use super::super::slots::SlotSet;
use super::super::vif::Broken;
use super::{Burst, Worker};

impl<C: Clock> Worker<C> {
    /// Sees to gates that open for frames that wait before this turn would be over: hands frames over
    /// ahead where the port holds them, else waits for the edge and sends first of all. Returns how many
    /// frames were moved.
    pub(super) fn be_at_the_edge(&mut self, touched: &mut SlotSet) -> usize {
        let mut frames = 0;
        let mut wait_ns: Option<u64> = None;
        for index in 0..self.lanes.len() {
            match self.lanes[index].edge() {
                Some((edge_ns, _)) if !self.turns.is_near(self.now_ns, edge_ns) => {}
                Some((_, true)) => frames += self.send_now(index, egress::ahead, touched),
                Some((edge_ns, false)) => {
                    wait_ns = Some(wait_ns.map_or(edge_ns, |at_ns| at_ns.min(edge_ns)));
                }
                None => {}
            }
        }
        let Some(edge_ns) = wait_ns else {
            return frames;
        };
        let from_ns = self.now_ns;
        self.now_ns = self.clock.watch_until(edge_ns.max(from_ns));
        self.apart_ns = self.now_ns.saturating_sub(from_ns);
        for index in 0..self.lanes.len() {
            if let Some((edge_ns, false)) = self.lanes[index].edge()
                && edge_ns <= self.now_ns
            {
                frames += self.send_now(index, egress::open, touched);
            }
        }
        frames
    }

    /// Sends on one port, and looks at the clock.
    fn send_now(
        &mut self,
        index: usize,
        send: impl Fn(&mut PortLane, &C, u64, &mut SlotSet) -> Burst,
        touched: &mut SlotSet,
    ) -> usize {
        let lane = &mut self.lanes[index];
        let port = lane.index;
        let Burst { frames, broken } = send(lane, &self.clock, self.now_ns, touched);
        if let Some(broken) = broken {
            self.take_off(broken, port);
        }
        self.now_ns = self.clock.now_ns();
        frames
    }

    /// Whether guests are to be woken after an edge: a gate opens for frames that wait, on a port without launch
    /// time, before it would be done. Once it has been put off so, it is not put off for the edge behind that.
    pub(super) fn defers_wakes(&mut self) -> bool {
        let edges = self.lanes.iter().filter_map(PortLane::edge);
        let edges = edges.filter(|(_, launches)| !launches);
        let Some(edge_ns) = edges.map(|(edge_ns, _)| edge_ns).min() else {
            return false;
        };
        let known = self
            .deferred_ns
            .is_none_or(|deferred_ns| deferred_ns == edge_ns);
        let defers = known && self.wakes.is_near(self.now_ns, edge_ns);
        self.deferred_ns = defers.then_some(edge_ns);
        defers
    }
}

/// What is handed over ahead before a worker is away for a while.
#[derive(Default)]
pub(super) struct Ahead {
    /// Guests that got buffers back.
    pub(super) touched: SlotSet,
    /// A guest whose ring turned out broken, and the port.
    pub(super) broken: Option<(Broken, usize)>,
}

impl Ahead {
    /// Hands over what goes in windows that open before something that `takes` its time is over, on ports
    /// that have launch time. What comes for the open windows in the meantime would not be seen anyway.
    pub(super) fn hand_over(&mut self, lanes: &mut [PortLane], clock: &impl Clock, takes: Watch) {
        // A window of 20 us of the shortest frames at 10 Gb/s, as far as the lookahead reaches.
        const BURSTS: usize = 5;
        for lane in lanes {
            for _ in 0..BURSTS {
                let now_ns = clock.now_ns();
                let Some((_, true)) = lane
                    .next_edge()
                    .filter(|(edge_ns, _)| takes.is_near(now_ns, *edge_ns))
                else {
                    break;
                };
                let Burst { frames, broken } =
                    egress::ahead(lane, clock, now_ns, &mut self.touched);
                if let Some(broken) = broken {
                    self.broken = Some((broken, lane.index));
                }
                if frames == 0 {
                    break;
                }
            }
        }
    }
}

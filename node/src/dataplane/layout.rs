//! Which worker has what: queues of ports, rings of guests, gates.
//!
//! - Worker w receives from queue w of each port that has several, and from all of the ports with
//!   one queue that it owns.
//! - It fills receive ring w of the guests' vifs: no ring has two writers.
//! - A port's *owner* holds its gate, its level 2 queues, and the transmit rings of all pairs of all
//!   vifs of that port. A gate is asked by one worker only, so it is as exact with several workers
//!   as with one.
//!
//! Frames of one flow stay in order: the port keeps a flow on one queue, that queue's worker puts it
//! on one receive ring, a guest sends what came on a pair on the same pair, and the owner takes a
//! ring's frames in the ring's order.
//!
//! Pure; decided once, when the node starts.

use super::vif::{Vif, VifPart};

/// What belongs to which worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    workers: usize,
    /// By port: how many queues it has.
    queues: Vec<usize>,
}

impl Layout {
    /// `queues`: of each port, 1 or as many as there are workers. More than that are left alone.
    #[must_use]
    pub fn new(workers: usize, queues: Vec<usize>) -> Self {
        let workers = workers.max(1);
        let queues = queues.into_iter().map(|n| n.clamp(1, workers)).collect();
        Self { workers, queues }
    }

    /// How many workers there are.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.workers
    }

    /// How many ports there are.
    #[must_use]
    pub fn ports(&self) -> usize {
        self.queues.len()
    }

    /// Who receives from queue `queue` of `port`.
    #[must_use]
    pub fn receives(&self, port: usize, queue: usize) -> usize {
        match self.queues.get(port) {
            Some(&several) if several > 1 => queue % several,
            _ => self.owner(port),
        }
    }

    /// Who sends on `port`. It receives from one of its queues too, which is the one it sends on.
    #[must_use]
    pub fn owner(&self, port: usize) -> usize {
        match self.queues.get(port) {
            Some(&several) if several > 1 => port % several,
            _ => port % self.workers,
        }
    }

    /// The workers that have a queue of `port`, in the order of the queues.
    pub fn holders(&self, port: usize) -> impl Iterator<Item = usize> + '_ {
        let queues = self.queues.get(port).copied().unwrap_or(0);
        (0..queues).map(move |queue| self.receives(port, queue))
    }

    /// Gives the rings of a guest's vif of `port` to their workers. A worker whose receive ring is
    /// not among the pairs gets none, and what it receives for the guest is counted as for one that
    /// is down.
    #[must_use]
    pub fn share(&self, port: usize, pairs: Vec<Vif>) -> Vec<(usize, VifPart)> {
        let (inbound, outbound): (Vec<_>, Vec<_>) = pairs.into_iter().map(Vif::split).unzip();
        let mut inbound: Vec<_> = inbound.into_iter().map(Some).collect();
        let mut parts: Vec<(usize, VifPart)> = self
            .holders(port)
            .map(|worker| {
                let part = VifPart {
                    inbound: inbound.get_mut(worker).and_then(Option::take),
                    outbound: Vec::new(),
                };
                (worker, part)
            })
            .collect();
        let owner = self.owner(port);
        if let Some((_, part)) = parts.iter_mut().find(|(worker, _)| *worker == owner) {
            part.outbound = outbound;
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receivers(layout: &Layout) -> Vec<Vec<usize>> {
        let ports = 0..layout.ports();
        ports.map(|port| layout.holders(port).collect()).collect()
    }

    #[test]
    fn one_worker_has_everything() {
        let layout = Layout::new(1, vec![1, 1, 1]);
        assert_eq!(receivers(&layout), [[0], [0], [0]]);
        assert_eq!([0, 1, 2].map(|port| layout.owner(port)), [0, 0, 0]);
    }

    #[test]
    fn queues_go_around_and_ports_of_one_queue_too() {
        let layout = Layout::new(3, vec![3, 1, 3, 1, 1]);
        let expected: [&[usize]; 5] = [&[0, 1, 2], &[1], &[0, 1, 2], &[0], &[1]];
        assert_eq!(receivers(&layout), expected);
        let owners = [0, 1, 2, 3, 4].map(|port| layout.owner(port));
        assert_eq!(owners, [0, 1, 2, 0, 1]);
    }

    #[test]
    fn an_owner_always_holds_a_queue_of_its_port() {
        for workers in 1..=8 {
            for queues in 1..=workers + 1 {
                let layout = Layout::new(workers, vec![queues; 9]);
                for port in 0..9 {
                    let holders: Vec<usize> = layout.holders(port).collect();
                    assert!(holders.contains(&layout.owner(port)), "{layout:?} {port}");
                    assert!(holders.iter().all(|holder| *holder < workers));
                    let mut once = holders.clone();
                    once.sort_unstable();
                    once.dedup();
                    assert_eq!(once.len(), holders.len(), "a queue each");
                }
            }
        }
    }
}

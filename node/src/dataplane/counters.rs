//! What the worker counts.
//!
//! Plain integers, written by one worker and read by it alone: others get a copy that the worker
//! makes between two bursts (`mailbox::Command::Snapshot`), and add up those of all workers. Between
//! bursts, always and exactly:
//!
//! - `rx_frames` of a port = its drops + the sum over its PIs of `classified`
//! - `classified` = `to_guest` + drops
//! - `from_guest` = `sent` + `queued` + tx drops
//!
//! Each of the sums has its two sides at one worker (the first two where a frame is received, the
//! third at the owner of the port), so they hold in the sum over workers too, however far apart the
//! workers were asked.

use arrayvec::ArrayVec;
use hdrhistogram::Histogram;
use pinode_classifier::{Drop, TxDrop};
use pinode_scheduler::GateCounters;
use pinode_scheduler::level2::{ClassCounters, ClassName};

/// A port, before a frame belongs to a PI.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Frames the port handed over.
    pub rx_frames: u64,
    /// Their octets, without FCS.
    pub rx_bytes: u64,
    /// Frames the port took.
    pub tx_frames: u64,
    /// Their octets, without FCS.
    pub tx_bytes: u64,
    /// Another EtherType than the node's (or the access port's).
    pub bad_ethertype: u64,
    /// The PIH's code is of no configured PI.
    pub unknown_pi: u64,
    /// The PI does not carry this virtual network.
    pub unknown_vn: u64,
    /// Too short to hold Ethernet header and PIH.
    pub truncated: u64,
    /// Longer than the port's MTU allows.
    pub oversize: u64,
    /// Frames lost in front of the port, never received; in no sum.
    pub missed: u64,
    /// Frames that the port took and the system refused later; they count as sent.
    pub tx_lost: u64,
}

impl PortCounters {
    /// Adds what another worker counted of the same port.
    pub fn add(&mut self, other: &Self) {
        let Self {
            rx_frames,
            rx_bytes,
            tx_frames,
            tx_bytes,
            bad_ethertype,
            unknown_pi,
            unknown_vn,
            truncated,
            oversize,
            missed,
            tx_lost,
        } = *other;
        self.rx_frames += rx_frames;
        self.rx_bytes += rx_bytes;
        self.tx_frames += tx_frames;
        self.tx_bytes += tx_bytes;
        self.bad_ethertype += bad_ethertype;
        self.unknown_pi += unknown_pi;
        self.unknown_vn += unknown_vn;
        self.truncated += truncated;
        self.oversize += oversize;
        self.missed += missed;
        self.tx_lost += tx_lost;
    }

    /// Counts a frame that belongs to no guest.
    pub fn count_drop(&mut self, cause: Drop) {
        match cause {
            Drop::BadEthertype => self.bad_ethertype += 1,
            Drop::UnknownPi => self.unknown_pi += 1,
            Drop::UnknownVn => self.unknown_vn += 1,
            Drop::Truncated => self.truncated += 1,
            Drop::Oversize => self.oversize += 1,
        }
    }
}

/// A PI on a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PiCounters {
    /// Frames that the classifier gave to this PI.
    pub classified: u64,
    /// Frames copied into the guest's receive ring.
    pub to_guest: u64,
    /// Over the policer's rate.
    pub policed: u64,
    /// No guest runs, or it has not set up this vif yet.
    pub guest_down: u64,
    /// The guest's receive ring had no free buffer.
    pub ring_full: u64,
    /// Frames taken off the guest's transmit ring.
    pub from_guest: u64,
    /// Frames the port took.
    pub sent: u64,
    /// Their octets, without FCS.
    pub sent_bytes: u64,
    /// Another PI's code, another EtherType, or too short for a PIH.
    pub tx_spoofed: u64,
    /// A virtual network that the PI does not carry.
    pub tx_unknown_vn: u64,
    /// Longer than the port's MTU allows.
    pub tx_oversize: u64,
    /// A class's bound was reached (a FIFO pushes back instead).
    pub tx_class_full: u64,
    /// Above the rate and burst of its class.
    pub tx_class_policed: u64,
    /// Of a connection that was not set up.
    pub tx_no_connection: u64,
    /// The port did not take it.
    pub tx_port_error: u64,
    /// A descriptor chain that holds no frame.
    pub tx_malformed: u64,
    /// Queued when the guest went away.
    pub tx_guest_down: u64,
    /// Queued when their connection was taken down.
    pub tx_cleared: u64,
}

impl PiCounters {
    /// Adds what another worker counted of the same PI.
    pub fn add(&mut self, other: &Self) {
        let Self {
            classified,
            to_guest,
            policed,
            guest_down,
            ring_full,
            from_guest,
            sent,
            sent_bytes,
            tx_spoofed,
            tx_unknown_vn,
            tx_oversize,
            tx_class_full,
            tx_class_policed,
            tx_no_connection,
            tx_port_error,
            tx_malformed,
            tx_guest_down,
            tx_cleared,
        } = *other;
        self.classified += classified;
        self.to_guest += to_guest;
        self.policed += policed;
        self.guest_down += guest_down;
        self.ring_full += ring_full;
        self.from_guest += from_guest;
        self.sent += sent;
        self.sent_bytes += sent_bytes;
        self.tx_spoofed += tx_spoofed;
        self.tx_unknown_vn += tx_unknown_vn;
        self.tx_oversize += tx_oversize;
        self.tx_class_full += tx_class_full;
        self.tx_class_policed += tx_class_policed;
        self.tx_no_connection += tx_no_connection;
        self.tx_port_error += tx_port_error;
        self.tx_malformed += tx_malformed;
        self.tx_guest_down += tx_guest_down;
        self.tx_cleared += tx_cleared;
    }

    /// Counts a frame that the guest should not have sent.
    pub fn count_tx_drop(&mut self, cause: TxDrop) {
        match cause {
            TxDrop::Spoofed => self.tx_spoofed += 1,
            TxDrop::UnknownVn => self.tx_unknown_vn += 1,
            TxDrop::Oversize => self.tx_oversize += 1,
        }
    }

    /// Everything taken from the guest and dropped.
    #[must_use]
    pub fn tx_drops(&self) -> u64 {
        self.tx_spoofed
            + self.tx_unknown_vn
            + self.tx_oversize
            + self.tx_class_full
            + self.tx_class_policed
            + self.tx_no_connection
            + self.tx_port_error
            + self.tx_malformed
            + self.tx_guest_down
            + self.tx_cleared
    }
}

/// How late the worker noticed that a gate had opened, in nanoseconds.
pub type GateError = Histogram<u32>;

/// An empty histogram of gate errors: 1 ns to 10 s, two significant digits, 13 KiB, never grows.
///
/// # Panics
///
/// Never: the bounds are constants that the library accepts.
#[must_use]
pub fn gate_error() -> GateError {
    #[expect(clippy::expect_used, reason = "constant bounds, covered by a test")]
    Histogram::new_with_bounds(1, 10_000_000_000, 2).expect("constant bounds")
}

/// The copies of everything that is counted.
#[derive(Debug, Clone)]
pub struct NodeSnapshot {
    /// In the order of the configuration, summed over workers.
    pub ports: Vec<PortSnapshot>,
    /// By index.
    pub workers: Vec<WorkerSnapshot>,
}

impl NodeSnapshot {
    /// Room for so many of each.
    #[must_use]
    pub fn empty(ports: usize, slots: usize, workers: usize) -> Self {
        Self {
            ports: vec![PortSnapshot::empty(slots); ports],
            workers: vec![WorkerSnapshot::default(); workers],
        }
    }

    /// Back to nothing, without allocating.
    pub fn clear(&mut self) {
        self.ports.iter_mut().for_each(PortSnapshot::clear);
        self.workers.fill(WorkerSnapshot::default());
    }
}

/// What a worker did with its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerSnapshot {
    /// The CPU it runs on now.
    pub cpu: usize,
    /// It had gone to sleep when it was asked.
    pub sleeps: bool,
    /// How often it has gone to sleep.
    pub slept: u64,
    /// Time in turns that moved something, nanoseconds.
    pub busy_ns: u64,
    /// Time in turns that found nothing to do, nanoseconds.
    pub idle_ns: u64,
    /// Time asleep, nanoseconds.
    pub asleep_ns: u64,
    /// CPU time of its thread as the kernel has it, nanoseconds.
    pub cpu_ns: u64,
}

/// The copy of a port's counters; each worker adds its own on request.
#[derive(Debug, Clone)]
pub struct PortSnapshot {
    /// The port's own.
    pub port: PortCounters,
    /// Frames leave at their start and not when they are handed over.
    pub launch_time: bool,
    /// By slot.
    pub pis: Vec<PiSnapshot>,
}

/// Classes of which a copy is made: all but of streams, whose first class is their sum.
pub const CLASSES: usize = 64;

/// The copy of a PI's counters on one port.
#[derive(Debug, Clone)]
pub struct PiSnapshot {
    /// The counters.
    pub counters: PiCounters,
    /// Frames in the level 2 queue.
    pub queued: u64,
    /// Its classes, the first of them if there are many.
    pub classes: ArrayVec<(ClassName, ClassCounters), CLASSES>,
    /// The gate's own accounting.
    pub gate: GateCounters,
    /// See [`GateError`].
    pub gate_error: GateError,
}

impl PortSnapshot {
    /// Room for a port with `slots` PIs.
    #[must_use]
    pub fn empty(slots: usize) -> Self {
        let pi = PiSnapshot {
            counters: PiCounters::default(),
            queued: 0,
            classes: ArrayVec::new(),
            gate: GateCounters::default(),
            gate_error: gate_error(),
        };
        Self {
            port: PortCounters::default(),
            launch_time: false,
            pis: vec![pi; slots],
        }
    }

    /// Back to nothing, without allocating.
    pub fn clear(&mut self) {
        self.port = PortCounters::default();
        self.launch_time = false;
        for pi in &mut self.pis {
            pi.counters = PiCounters::default();
            pi.queued = 0;
            pi.classes.clear();
            pi.gate = GateCounters::default();
            pi.gate_error.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_takes_any_error_without_growing() {
        let mut h = gate_error();
        let before = h.distinct_values();
        h.saturating_record(0);
        h.saturating_record(u64::MAX);
        assert_eq!(h.distinct_values(), before);
        assert_eq!(h.len(), 2);
    }
}

//! What a machine tells its owner.

use std::sync::Arc;

use crate::devices::net::{QueuePair, Released};
use crate::devices::power::StopReason;
use crate::fault::FaultReport;

/// Something happened in a machine.
#[derive(Debug)]
pub enum MachineEvent {
    /// A guest's driver is up: the queues of its vif are the owner's to serve.
    NetUp {
        /// Index in `MachineConfig::nets`.
        net: usize,
        /// The queue pairs the driver set up, in order.
        pairs: Vec<QueuePair>,
    },
    /// A guest resets the vif: its queues must be dropped. The guest's reset waits for `released`.
    NetDown {
        /// Index in `MachineConfig::nets`.
        net: usize,
        /// Drop this after the queue pairs.
        released: Released,
    },
    /// One line on the control port, without its newline.
    Control(String),
    /// The guest is beyond repair. At most one a machine; stop the machine.
    Fault(Box<FaultReport>),
    /// The guest ended of its own will; stop the machine.
    Stopped(StopReason),
}

/// Receives a machine's events, on the machine's own threads. It should hand them on and return: a vCPU or the
/// device thread waits for it. It must not stop the machine (a thread cannot wait for itself).
pub type EventSink = Arc<dyn Fn(MachineEvent) + Send + Sync>;

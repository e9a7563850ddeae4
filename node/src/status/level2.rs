//! What waits inside a PI for its phase, class by class.

use pinode_scheduler::level2::{ClassCounters, ClassName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Octets of the FCS, which classes count and statuses do not.
const FCS: u64 = 4;

/// The order of a PI's frames at a port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Level2Status {
    /// `fifo`, `diffserv`, `content` or `streams`.
    pub discipline: String,
    /// In the order of the discipline, at most 64; a FIFO has none of its own. Of streams the first
    /// is the sum of all connections, those taken down too.
    #[serde(default)]
    pub classes: Vec<ClassStatus>,
}

/// A class. Always enqueued = queued + dequeued + cleared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClassStatus {
    /// `rt`, `request/0` (kind and virtual network), `0/17` (virtual network and label).
    pub name: String,
    /// Frames that wait.
    pub queued: u64,
    /// Frames that were queued.
    pub enqueued: u64,
    /// Frames that it let go: sent, or dropped on the way to the port.
    pub dequeued: u64,
    /// Their octets on the wire.
    pub dequeued_bytes: u64,
    /// Queued when the guest went away.
    pub cleared: u64,
    /// Frames that were not queued.
    pub drops: ClassDrops,
}

/// Frames that were not queued, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClassDrops {
    /// The bound of the class was reached.
    pub full: u64,
    /// The part of the class that their drop precedence may fill was full.
    pub precedence: u64,
    /// Above its rate and burst.
    pub policed: u64,
}

impl ClassStatus {
    /// What was counted of a class.
    #[must_use]
    pub fn new(name: ClassName, counters: &ClassCounters) -> Self {
        let ClassCounters {
            queued,
            enqueued,
            dequeued,
            dequeued_octets,
            cleared,
            full,
            precedence,
            policed,
        } = *counters;
        Self {
            name: name.to_string(),
            queued,
            enqueued,
            dequeued,
            dequeued_bytes: dequeued_octets.saturating_sub(FCS * dequeued),
            cleared,
            drops: ClassDrops {
                full,
                precedence,
                policed,
            },
        }
    }

    /// The causes for which it refused frames, with how many.
    #[must_use]
    pub fn drops(&self) -> [(&'static str, u64); 3] {
        let ClassDrops {
            full,
            precedence,
            policed,
        } = self.drops;
        [
            ("full", full),
            ("precedence", precedence),
            ("policed", policed),
        ]
    }
}

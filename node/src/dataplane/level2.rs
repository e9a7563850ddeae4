//! The discipline of a PI at a port: which of those there are, chosen once, when the node starts.
//!
//! One match a burst, not a frame: what is done frame by frame is compiled for each discipline.
//! Another discipline is a variant here, a word in `config::level2`, and its file in the scheduler.

use pinode_scheduler::level2::{
    Arrival, ClassCounters, ClassName, Content, Diffserv, Discipline, Fifo, Refused, Streams,
};
use pinode_virtqueue::TxFrame;

/// A PI's queue at a port.
pub enum Level2 {
    /// One class; full is back-pressure.
    Fifo(Fifo<TxFrame>),
    /// Four classes by DSCP.
    Diffserv(Diffserv<TxFrame>),
    /// Requests before data.
    Content(Content<TxFrame>),
    /// Connections, each shaped.
    Streams(Streams<TxFrame>),
}

/// The same for each discipline, compiled for each.
macro_rules! each {
    ($level2:expr, $queue:ident => $what:expr) => {
        match $level2 {
            $crate::dataplane::level2::Level2::Fifo($queue) => $what,
            $crate::dataplane::level2::Level2::Diffserv($queue) => $what,
            $crate::dataplane::level2::Level2::Content($queue) => $what,
            $crate::dataplane::level2::Level2::Streams($queue) => $what,
        }
    };
}
pub(super) use each;

impl Level2 {
    /// As in the configuration.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fifo(_) => "fifo",
            Self::Diffserv(_) => "diffserv",
            Self::Content(_) => "content",
            Self::Streams(_) => "streams",
        }
    }

    /// Whether only the frame that waits longest may go next.
    pub(super) fn has_one_head(&self) -> bool {
        matches!(self, Self::Fifo(_))
    }
}

impl Discipline<TxFrame> for Level2 {
    fn looks(&self) -> usize {
        each!(self, queue => queue.looks())
    }

    fn enqueue(&mut self, frame: TxFrame, arrival: &Arrival<'_>) -> Result<(), Refused<TxFrame>> {
        each!(self, queue => queue.enqueue(frame, arrival))
    }

    fn dequeue_if(
        &mut self,
        now_ns: u64,
        may_start: impl FnMut(&TxFrame) -> bool,
    ) -> Option<TxFrame> {
        each!(self, queue => queue.dequeue_if(now_ns, may_start))
    }

    fn clear(&mut self, frame: impl FnMut(TxFrame)) {
        each!(self, queue => queue.clear(frame));
    }

    #[inline]
    fn len(&self) -> usize {
        each!(self, queue => queue.len())
    }

    #[inline]
    fn room(&self) -> usize {
        each!(self, queue => queue.room())
    }

    #[inline]
    fn due_ns(&self, now_ns: u64) -> Option<u64> {
        each!(self, queue => queue.due_ns(now_ns))
    }

    fn classes(&self, most: usize, each: impl FnMut(ClassName, ClassCounters)) {
        each!(self, queue => queue.classes(most, each))
    }
}

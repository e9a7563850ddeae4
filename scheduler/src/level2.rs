//! Level 2: what waits inside a PI for its window, and in which order it goes.
//!
//! A discipline orders frames of one PI at one port. It must never look at a clock or at another
//! PI: instants are told to it, and whether a frame may start is the gate's to say.
//!
//! Another PI's discipline is a file of its own beside these that implements [`Discipline`].

mod bucket;
mod class;
pub mod content;
pub mod diffserv;
mod fifo;
mod round;
pub mod streams;

use std::fmt;

pub use content::Content;
pub use diffserv::Diffserv;
pub use fifo::Fifo;
pub use streams::Streams;

/// What is known of a frame when it is queued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// When it was taken off the guest's ring, ns of the clock that runs the gate. An instant before
    /// that of the frame before counts as that one.
    pub now_ns: u64,
    /// Its octets on the wire, with FCS, without preamble and gap.
    pub octets: u32,
    /// Its virtual network, 0 to 31.
    pub vn: u8,
    /// The first octets of the PI's PDU, which begins behind Ethernet header and PIH: at most
    /// [`looks`](Discipline::looks), fewer if the frame has fewer. A claim of the guest: whatever
    /// it is, it must cost a bounded time and harm no other class.
    pub pdu: &'a [u8],
}

/// A frame that a discipline did not queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused<T> {
    /// The frame, for whoever gives its buffer back.
    pub frame: T,
    /// Why.
    pub why: Why,
}

/// Why a frame was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// The bound of its class is reached.
    Full,
    /// Its class has room, but not for frames of its drop precedence.
    Precedence,
    /// It is above the rate and burst of its class.
    Policed,
    /// It is of no class: its connection was not set up, its network is not carried.
    Unknown,
}

/// What a class is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClassName {
    /// By its name.
    Named(&'static str),
    /// One kind of frames in one virtual network.
    Network {
        /// Which kind.
        kind: &'static str,
        /// The network.
        vn: u8,
    },
    /// A connection.
    Connection {
        /// Its virtual network.
        vn: u8,
        /// Its label.
        label: u32,
    },
}

impl fmt::Display for ClassName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Network { kind, vn } => write!(f, "{kind}/{vn}"),
            Self::Connection { vn, label } => write!(f, "{vn}/{label}"),
        }
    }
}

/// What became of a class's frames. All but `queued` only grow, and always
/// `enqueued = queued + dequeued + cleared`; frames refused are not among those enqueued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClassCounters {
    /// Frames that wait.
    pub queued: u64,
    /// Frames that were queued.
    pub enqueued: u64,
    /// Frames that went to the gate's link.
    pub dequeued: u64,
    /// Their octets on the wire, with FCS.
    pub dequeued_octets: u64,
    /// Frames taken out without going, with [`Discipline::clear`].
    pub cleared: u64,
    /// Refused with [`Why::Full`].
    pub full: u64,
    /// Refused with [`Why::Precedence`].
    pub precedence: u64,
    /// Refused with [`Why::Policed`].
    pub policed: u64,
}

/// The order in which a PI's frames go. `T` stands for a frame: a descriptor, not its octets.
///
/// Nothing here allocates, and no call costs more with more frames queued.
pub trait Discipline<T> {
    /// How many octets of a frame's PDU it wants to see to queue it. With 0 it looks at nothing of
    /// an [`Arrival`].
    fn looks(&self) -> usize {
        0
    }

    /// Queues a frame behind those of its class.
    ///
    /// # Errors
    /// Gives the frame back with the reason why it cannot be queued, now or ever.
    fn enqueue(&mut self, frame: T, arrival: &Arrival<'_>) -> Result<(), Refused<T>>;

    /// Takes the first frame that `may_start` lets go at `now_ns`. Offered are only heads of
    /// classes, each at most once, in the order of the discipline; a FIFO has one head. What was
    /// refused keeps its place and its class its share.
    fn dequeue_if(&mut self, now_ns: u64, may_start: impl FnMut(&T) -> bool) -> Option<T>;

    /// Takes up to `most` frames in the order of the discipline, as
    /// [`dequeue_if`](Self::dequeue_if) one by one would, until none may start. Returns how many
    /// were taken; `may_start` keeps what it wants of them.
    #[inline]
    fn dequeue_while(
        &mut self,
        now_ns: u64,
        most: usize,
        mut may_start: impl FnMut(&T) -> bool,
    ) -> usize {
        let next = |_: &usize| self.dequeue_if(now_ns, &mut may_start).is_some();
        (0..most).take_while(next).count()
    }

    /// Takes out all that waits, eligible or not: its guest has gone.
    fn clear(&mut self, frame: impl FnMut(T));

    /// How many frames wait.
    fn len(&self) -> usize;

    /// Whether no frame waits.
    #[inline]
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many frames may be handed to [`enqueue`](Self::enqueue) now; more are to wait where they
    /// are. A discipline that refuses what a class has no room for always takes them: what waited
    /// in front of it would hold up the other classes.
    #[inline]
    fn room(&self) -> usize {
        usize::MAX
    }

    /// The earliest instant at which a frame may go by the discipline itself, with the gate open:
    /// `now_ns` or before if one may go now, none if none waits.
    #[inline]
    fn due_ns(&self, now_ns: u64) -> Option<u64> {
        (!self.is_empty()).then_some(now_ns)
    }

    /// Names and counters of up to `most` classes, in an order that does not change. A discipline
    /// of one class has none of its own to tell of.
    fn classes(&self, most: usize, each: impl FnMut(ClassName, ClassCounters)) {
        let _ = (most, each);
    }
}

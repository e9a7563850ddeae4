//! The contract between a worker and a port.
//!
//! Must never: block, allocate per frame, take a lock, or read a clock on the way of a frame.

use std::os::fd::BorrowedFd;

use arrayvec::ArrayVec;

/// Most frames that one call receives or sends.
pub const BURST: usize = 64;

/// Octets of a slot for every MTU up to that of ordinary Ethernet.
pub const DEFAULT_SLOT_OCTETS: usize = 2048;

/// Frames lent by [`Port::rx_burst`], octets without FCS.
pub type RxBurst<'a> = ArrayVec<&'a [u8], BURST>;

/// Buffers lent by [`Port::tx_slots`].
pub type TxSlots<'a> = ArrayVec<&'a mut [u8], BURST>;

/// What a worker says about a frame that it put into a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxMeta {
    /// Octets of the frame, without FCS.
    pub len: u16,
    /// Computed start on the wire, nanoseconds of the worker's monotonic clock.
    pub start_ns: u64,
}

/// What ends the rest of a worker that has nothing to do.
#[derive(Debug)]
pub enum Wake<'a> {
    /// Frames wait already, or frames to send that only the next [`rx_burst`](Port::rx_burst) sends: no rest.
    Frames,
    /// Nothing before this instant, nanoseconds of the worker's monotonic clock: look again then.
    At(u64),
    /// This becomes readable, and stays so until it is drained, when frames are there.
    Readable(BorrowedFd<'a>),
    /// Nothing will ever come.
    Nothing,
}

/// A place where frames enter and leave the node, driven by one worker.
///
/// Receiving and sending do not disturb each other: slots lent by [`tx_slots`](Port::tx_slots) stay
/// offered, and frames lent by [`rx_burst`](Port::rx_burst) stay valid, for as long as the borrow
/// checker lets the caller hold them.
pub trait Port: Send {
    /// Appends the frames that arrived since the last call to `burst`, at most as many as it has room for.
    ///
    /// Never blocks. A frame longer than the MTU is passed on as it is (or, where the port's buffer is
    /// smaller than the frame, cut to a length that is still above the MTU): the worker counts it.
    fn rx_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>);

    /// Appends up to `want` writable slots to `slots`, each of at least [`slot_octets`](Port::slot_octets).
    ///
    /// Fewer mean that the port is full: back-pressure, nothing is lost. Slots that are not committed are
    /// offered again by the next call.
    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>);

    /// Sends the first `frames.len()` slots of the last [`tx_slots`](Port::tx_slots) call.
    ///
    /// Returns how many the port took; the rest is lost and the caller counts it. Those taken are a prefix,
    /// but where an AF_XDP driver drops single frames in between. What the system refuses at once (the
    /// interface is down or gone) is not taken.
    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize;

    /// Asks to be told of the next frame, before the worker sleeps.
    ///
    /// For a port whose last [`rx_burst`](Port::rx_burst) was empty; asked of another it answers
    /// [`Wake::Frames`]. Whatever arrives behind this call ends the rest. May be called again without a
    /// burst in between. May cost a system call.
    fn rest(&mut self, now_ns: u64) -> Wake<'_>;

    /// The worker is awake: takes back what [`rest`](Port::rest) asked for and drains what it rang. To be
    /// called before the next burst. May cost a system call.
    fn resume(&mut self) {}

    /// Octets of a transmit slot: the longest frame this port sends.
    fn slot_octets(&self) -> usize;

    /// True: [`rx_burst`](Self::rx_burst) and [`tx_slots`](Self::tx_slots) give no more at once than stays
    /// in the first-level cache between being written and being read, and there may be more.
    fn in_parts(&self) -> bool {
        false
    }

    /// Launch time: a frame that is handed over ahead of its [`start_ns`](TxMeta::start_ns) leaves at that
    /// instant and not before, so that frames may be handed over before their window opens.
    ///
    /// `Some(lead)`: it has it, for frames handed over at least `lead` nanoseconds ahead of their start;
    /// what comes later may be lost (0: what comes late leaves at once). `None`: frames leave when they are
    /// handed over. Looked at once, when the port is taken into service.
    fn launch_lead_ns(&self) -> Option<u64> {
        None
    }

    /// One line for people: the backend, its interface or file, and the mode it runs in.
    fn describe(&self) -> String;

    /// Frames that were lost in front of the port since it was opened, because nobody took them in time.
    ///
    /// They were never received and are in no other sum. May cost a system call: not for the frame path.
    fn missed(&mut self) -> u64 {
        0
    }

    /// Frames that [`tx_commit`](Port::tx_commit) took and the system refused later (interface down),
    /// since the port was opened.
    fn tx_lost(&self) -> u64 {
        0
    }
}

impl<P: Port + ?Sized> Port for Box<P> {
    fn rx_burst<'a>(&'a mut self, now_ns: u64, burst: &mut RxBurst<'a>) {
        (**self).rx_burst(now_ns, burst);
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        (**self).tx_slots(want, slots);
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        (**self).tx_commit(frames)
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        (**self).rest(now_ns)
    }

    fn resume(&mut self) {
        (**self).resume();
    }

    fn slot_octets(&self) -> usize {
        (**self).slot_octets()
    }

    fn in_parts(&self) -> bool {
        (**self).in_parts()
    }

    fn launch_lead_ns(&self) -> Option<u64> {
        (**self).launch_lead_ns()
    }

    fn describe(&self) -> String {
        (**self).describe()
    }

    fn missed(&mut self) -> u64 {
        (**self).missed()
    }

    fn tx_lost(&self) -> u64 {
        (**self).tx_lost()
    }
}

/// Octets a slot needs for frames of this MTU: Ethernet header, one IEEE 802.1Q tag, the PIH that an
/// access port pushes, and the payload; never below [`DEFAULT_SLOT_OCTETS`], a multiple of 512 above.
///
/// ```
/// use pinode_ports::slot_octets_for;
/// assert_eq!(slot_octets_for(1500), 2048);
/// assert_eq!(slot_octets_for(9000), 9216);
/// ```
#[must_use]
pub fn slot_octets_for(mtu: u16) -> usize {
    const ETHERNET: usize = 14;
    const TAG: usize = 4;
    const PIH: usize = 1;
    let need = ETHERNET + TAG + PIH + usize::from(mtu);
    need.next_multiple_of(512).max(DEFAULT_SLOT_OCTETS)
}

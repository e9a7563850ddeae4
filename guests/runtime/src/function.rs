//! What a guest does with frames: the [`Function`], and what it is given for a burst.
//!
//! A function must never block. It sends or discards each [`Frame`], at once or later (at most [`HELD`] are
//! kept beyond the burst they came in); what it leaves in [`Frames`] is discarded for it.

use alloc::format;
use alloc::string::String;

use arrayvec::ArrayVec;

use serde_json::Value;

use crate::control::Config;
use crate::unsafe_arena::Buffers;
use crate::vif::Lanes;

/// Most frames handed to a function at once.
pub const BURST: usize = 64;
/// Most frames a function may keep beyond the burst they came in.
pub const HELD: usize = 256;
/// How often a function is told that time has passed while its guest is awake, nanoseconds. One that sleeps is
/// woken by the host's pings, five times a second.
pub const TICK_NS: u64 = 1_000_000;
/// How often a function goes on with unfinished work while frames come, nanoseconds.
pub const WORK_NS: u64 = 250_000;

/// A vif of the guest: port i of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VifIndex(pub u8);

/// What a guest does with its frames.
pub trait Function {
    /// Its name, for the log.
    fn name(&self) -> &'static str;

    /// Octets of memory it needs for this configuration beyond a little; asked before [`configure`](Self::configure),
    /// which then finds them in the allocator. A configuration that is wrong needs none.
    fn memory(&self, _config: &Config) -> u64 {
        0
    }

    /// Takes the configuration; called once, before the first burst.
    ///
    /// # Errors
    ///
    /// What is wrong with it: which key, and what is allowed.
    fn configure(&mut self, config: &Config) -> Result<(), String>;

    /// Whether it looks into frames: then those of the next burst are asked for before this one is handed over, as
    /// they come from another core's cache.
    fn reads_frames(&self) -> bool {
        true
    }

    /// Handles the frames that came in on `from`.
    fn burst(&mut self, from: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>);

    /// Time has passed: [`TICK_NS`] since the last call, or longer if the guest slept; or a request was answered, which
    /// may have left something to be sent. `frames` is empty.
    fn tick(&mut self, _frames: &mut Frames<'_>, _out: &mut Output<'_>) {}

    /// Answers what the host asks at run time, between two bursts, at `now_ns` of the same clock as
    /// [`Output::now_ns`]. Frames wait meanwhile: it must take no longer than they may.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what is allowed.
    fn request(&mut self, _now_ns: u64, _request: &Value) -> Result<Value, String> {
        Err(format!("{} takes no requests", self.name()))
    }

    /// Goes on with what requests began, for no longer than frames may wait; true: nothing is left. Called after
    /// each request and, as long as something is left, in rounds without frames and every [`WORK_NS`]. The guest
    /// does not sleep meanwhile, and answers wait: what was answered is done.
    fn work(&mut self) -> bool {
        true
    }

    /// Whether it has something to tell the host that nobody asked for. Asked every round: cheap.
    #[inline]
    fn has_event(&self) -> bool {
        false
    }

    /// The next thing to tell the host, in the function's own form; asked for when it
    /// [has one](Self::has_event) and the host hears ([`voice`](crate::voice)). What does not fit a line is lost.
    fn event(&mut self) -> Option<Value> {
        None
    }
}

/// A frame in its buffer, in the hands of the function.
#[derive(Debug)]
#[must_use = "a frame is sent or discarded"]
pub struct Frame {
    pub(crate) token: u32,
    pub(crate) octets: u32,
}

impl Frame {
    /// Octets of the frame, without FCS.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.octets as usize
    }
}

pub(crate) type Burst = ArrayVec<Frame, BURST>;

/// The frames of a burst, first come first out.
pub struct Frames<'a> {
    pub(crate) burst: arrayvec::Drain<'a, Frame, BURST>,
    pub(crate) buffers: &'a mut Buffers,
}

impl Frames<'_> {
    /// The next frame.
    #[inline]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Frame> {
        self.burst.next()
    }

    /// The octets of a frame, from the destination address on, without FCS.
    #[inline]
    pub fn octets(&mut self, frame: &Frame) -> &mut [u8] {
        self.buffers.frame(frame.token, frame.octets)
    }

    /// The first `N` octets of a frame; none of one that is shorter.
    #[inline(always)]
    pub fn start<const N: usize>(&mut self, frame: &Frame) -> Option<&mut [u8; N]> {
        if (frame.octets as usize) < N {
            return None;
        }
        self.buffers.start(frame.token)
    }

    /// Makes `frame` shorter or longer at its end; what is new is undefined. False, and nothing done, if its
    /// buffer does not hold as many octets.
    #[inline]
    pub fn resize(&mut self, frame: &mut Frame, octets: usize) -> bool {
        let fits = octets <= self.buffers.capacity();
        if fits {
            // Fits: a buffer's size is 32 bits.
            frame.octets = octets as u32;
        }
        fits
    }
}

/// Where the frames of a burst go.
#[derive(Debug)]
pub struct Output<'a> {
    pub(crate) lanes: &'a mut Lanes,
    /// The queue pair the burst came by.
    pub(crate) pair: usize,
    pub(crate) discarded: usize,
    pub(crate) now_ns: u64,
}

impl Output<'_> {
    /// The time of this burst, nanoseconds since the guest began to forward; never goes back.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Sends `frame` out of `to`, on the queue pair this burst came in by. Should the ring be full it waits,
    /// and no more is taken from where it came from until it is gone. A vif that does not exist
    /// discards it.
    #[inline(always)]
    pub fn send(&mut self, to: VifIndex, frame: Frame) {
        match self.lanes.lane_of(to, self.pair) {
            Some(lane) => self.lanes.send(lane, frame),
            None => self.discard(frame),
        }
    }

    /// [`send`](Self::send) for each of `frames`, in their order and at less cost; leaves none.
    #[inline]
    pub fn send_all(&mut self, to: VifIndex, frames: &mut ArrayVec<Frame, BURST>) {
        match self.lanes.lane_of(to, self.pair) {
            Some(lane) => self.lanes.send_all(lane, frames),
            None => frames.drain(..).for_each(|frame| self.discard(frame)),
        }
    }

    /// A frame of the function's own, to be sent out of `to`, of undefined octets; [`Frames::resize`] sets its length.
    /// None while frames wait for a full ring there, or many do elsewhere, or if all buffers are in use: what is made
    /// is made again later, or not at all.
    pub fn make(&mut self, to: VifIndex) -> Option<Frame> {
        let lane = self.lanes.lane_of(to, self.pair)?;
        self.lanes.make(lane)
    }

    /// Gives the buffer of `frame` back.
    #[inline]
    pub fn discard(&mut self, frame: Frame) {
        self.discarded += 1;
        self.lanes.recycle(frame.token);
    }
}

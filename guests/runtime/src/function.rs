//! What a guest does with frames: the [`Function`], and what it is given for a burst.
//!
//! A function must never block, and never keep a [`Frame`] beyond the burst it came in: it sends or
//! discards each, and what it leaves in [`Frames`] is discarded for it.

use alloc::string::String;

use arrayvec::ArrayVec;

use crate::control::Config;
use crate::unsafe_arena::Buffers;
use crate::vif::Lanes;

/// Most frames handed to a function at once.
pub const BURST: usize = 64;

/// A vif of the guest: port i of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VifIndex(pub u8);

/// What a guest does with its frames.
pub trait Function {
    /// Its name, for the log.
    fn name(&self) -> &'static str;

    /// Takes the configuration; called once, before the first burst.
    ///
    /// # Errors
    ///
    /// What is wrong with it: which key, and what is allowed.
    fn configure(&mut self, config: &Config) -> Result<(), String>;

    /// Handles the frames that came in on `from`.
    fn burst(&mut self, from: VifIndex, frames: &mut Frames<'_>, out: &mut Output<'_>);
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
}

/// Where the frames of a burst go.
#[derive(Debug)]
pub struct Output<'a> {
    pub(crate) lanes: &'a mut Lanes,
    /// The lane the burst came from.
    pub(crate) source: usize,
    /// Its queue pair.
    pub(crate) pair: usize,
    pub(crate) sent: usize,
}

impl Output<'_> {
    /// Sends `frame` out of `to`, on the queue pair it came in by. Should the ring be full it waits,
    /// and no more is taken from where it came from until it is gone. A vif that does not exist
    /// discards it.
    #[inline]
    pub fn send(&mut self, to: VifIndex, frame: Frame) {
        match self.lanes.lane_of(to, self.pair) {
            Some(lane) => {
                self.sent += 1;
                self.lanes.send(lane, self.source, frame);
            }
            None => self.discard(frame),
        }
    }

    /// Gives the buffer of `frame` back.
    #[inline]
    pub fn discard(&mut self, frame: Frame) {
        self.lanes.recycle(frame.token);
    }
}

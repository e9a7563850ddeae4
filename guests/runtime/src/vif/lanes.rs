//! Lanes: where a frame or a buffer is, and how it goes on from there.
//!
//! Taken from a receive ring, posted on a transmit ring or made to wait for it, taken back when it was sent, posted to
//! receive again. Must never call the function, look into a frame, or show a device anything but by [`Lane::show`].

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use pinode_virtqueue::{NET_HEADER, QueueError};

use super::Queues;
use crate::function::{BURST, Burst, Frame, VifIndex};
use crate::pool::Pool;
use crate::unsafe_arena::Places;

/// Descriptors of a ring that are never used. With one spare the driver can arm an interrupt that does
/// not come, which shows the host that it sleeps ([`Lanes::arm`]).
const SPARE: u16 = 1;
/// Most sent buffers taken back a round, so that a round stays short.
const RECLAIM: usize = 4 * BURST;
/// A queue pair of a vif.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) vif: VifIndex,
    pub(super) queues: Queues,
    pub(super) receive_size: u16,
    pub(super) transmit_size: u16,
    /// Frames that found the transmit ring full.
    pub(super) waiting: VecDeque<Frame>,
    /// Frames received here that wait, on whichever lane.
    pub(super) held: usize,
    /// Frames on the receive ring whose octets were asked for already: the first ones.
    pub(super) approached: usize,
    /// What a post on the transmit ring failed with; reported when it is published.
    pub(super) broken: Option<QueueError>,
}

/// The rings of all lanes.
#[derive(Debug)]
pub struct Lanes {
    pub(super) lanes: Vec<Lane>,
    /// Per lane, the buffers that are nowhere else.
    pub(super) pools: Vec<Pool>,
    pub(super) pairs: usize,
    pub(super) places: Places,
    /// Buffers of each lane that are not posted to receive.
    pub(super) kept: usize,
    /// Buffers sent by a lane that are many enough to be taken back while there is other work.
    pub(super) often: u16,
}

impl Lanes {
    pub(super) fn len(&self) -> usize {
        self.lanes.len()
    }

    /// The lane of `to` with the queue pair `pair`.
    #[inline]
    pub(crate) fn lane_of(&self, to: VifIndex, pair: usize) -> Option<usize> {
        let lane = usize::from(to.0) * self.pairs + pair;
        (lane < self.lanes.len()).then_some(lane)
    }

    /// Posts `frame` on lane `to`, or lets it wait there and holds up the lane whose buffer it is.
    #[inline(always)]
    pub(crate) fn send(&mut self, to: usize, frame: Frame) {
        let places = self.places;
        match self.lanes.get_mut(to) {
            Some(lane) if lane.waiting.is_empty() && lane.queues.transmit.free() > SPARE => {
                lane.transmit(&places, &frame);
            }
            _ => self.hold_up(to, frame),
        }
    }

    /// Posts `frames` on lane `to`; those that find no room wait as with [`send`](Self::send).
    #[inline]
    pub(crate) fn send_all(&mut self, to: usize, frames: &mut Burst) {
        let places = self.places;
        let room = match self.lanes.get_mut(to) {
            Some(lane) if lane.waiting.is_empty() => {
                let room = usize::from(lane.queues.transmit.free().saturating_sub(SPARE));
                lane.transmit_all(&places, frames.iter().take(room));
                room
            }
            _ => 0,
        };
        for frame in frames.drain(..).skip(room) {
            self.hold_up(to, frame);
        }
    }

    #[cold]
    fn hold_up(&mut self, to: usize, frame: Frame) {
        let source = Places::lane(frame.token);
        let Some(lane) = self.lanes.get_mut(to) else {
            return self.recycle(frame.token);
        };
        lane.waiting.push_back(frame);
        if let Some(source) = self.lanes.get_mut(source) {
            source.held += 1;
        }
    }

    /// A buffer for lane `to` out of the fullest pool; none while anything waits there, or a burst of each lane and one
    /// more wait, so that what waits stays bounded.
    pub(crate) fn make(&mut self, to: usize) -> Option<Frame> {
        if self
            .lanes
            .get(to)
            .is_none_or(|lane| !lane.waiting.is_empty())
        {
            return None;
        }
        let waiting: usize = self.lanes.iter().map(|lane| lane.waiting.len()).sum();
        if waiting >= BURST * (self.lanes.len() + 1) {
            return None;
        }
        // One that waits holds up the lane whose buffer it is: no more of them than are held up already.
        let pools = self.lanes.iter().zip(&mut self.pools);
        let pools = pools.filter(|(_, pool)| pool.len() > 0);
        let (_, pool) = pools.max_by_key(|(lane, pool)| (lane.held > 0, pool.len()))?;
        let token = pool.take()?;
        Some(Frame { token, octets: 0 })
    }

    /// Gives a buffer back to its pool.
    #[inline]
    pub(crate) fn recycle(&mut self, token: u32) {
        if let Some(pool) = self.pools.get_mut(Places::lane(token)) {
            pool.put(token);
        }
    }

    /// Whether a lane should get its sent buffers back: a quarter of its ring, or of the buffers there are, is out.
    #[inline]
    pub(super) fn is_low(&self, number: usize) -> bool {
        self.lanes.get(number).is_some_and(|lane| {
            let sent = lane.transmit_size - lane.queues.transmit.free();
            sent >= self.often || !lane.waiting.is_empty()
        })
    }

    #[inline]
    pub(super) fn reclaim(&mut self, number: usize) -> Result<usize, QueueError> {
        let Lanes { lanes, pools, .. } = self;
        let Some(lane) = lanes.get_mut(number) else {
            return Ok(0);
        };
        lane.queues.transmit.take(RECLAIM, |token, _| {
            if let Some(pool) = pools.get_mut(Places::lane(token)) {
                pool.put(token);
            }
        })
    }

    #[inline]
    pub(super) fn resume(&mut self, number: usize) -> usize {
        let places = self.places;
        let mut resumed = 0;
        while let Some(lane) = self.lanes.get_mut(number)
            && lane.queues.transmit.free() > SPARE
            && let Some(frame) = lane.waiting.pop_front()
        {
            lane.transmit(&places, &frame);
            resumed += 1;
            if let Some(source) = self.lanes.get_mut(Places::lane(frame.token)) {
                source.held -= 1;
            }
        }
        resumed
    }

    /// Takes a burst, unless frames of this lane still wait to be sent.
    #[inline]
    pub(super) fn take(
        &mut self,
        number: usize,
        burst: &mut Burst,
    ) -> Result<VifIndex, QueueError> {
        let Some(lane) = self.lanes.get_mut(number) else {
            return Ok(VifIndex(0));
        };
        if lane.held == 0 {
            lane.queues.receive.take(BURST, |token, octets| {
                burst.push(Frame {
                    token,
                    octets: octets.saturating_sub(NET_HEADER),
                });
            })?;
        }
        Ok(lane.vif)
    }

    #[inline]
    pub(super) fn refill(&mut self, number: usize) -> Result<(), QueueError> {
        let Lanes {
            lanes,
            pools,
            places,
            kept,
            ..
        } = self;
        let (Some(lane), Some(pool)) = (lanes.get_mut(number), pools.get_mut(number)) else {
            return Ok(());
        };
        let room = usize::from(lane.queues.receive.free().saturating_sub(SPARE));
        let count = room.min(pool.len().saturating_sub(*kept));
        if count > 0 {
            let places = *places;
            let buffers = pool.take_all(count);
            let buffers = buffers.map(|token| (token, places.address(token), places.octets()));
            lane.queues.receive.post_all(true, buffers)?;
        }
        Ok(())
    }

    pub(super) fn arm(&mut self) -> bool {
        let starved = self.lanes.iter().any(Lane::is_starved);
        let mut ready = false;
        for lane in &mut self.lanes {
            if lane.held == 0 {
                ready |= lane.queues.receive.arm(1);
            } else {
                // Nothing can be taken before something was sent: an interrupt that does not come,
                // as one descriptor is spare.
                lane.queues.receive.arm(lane.receive_size);
            }
            let in_flight = lane.transmit_size - lane.queues.transmit.free();
            let after = if starved {
                (in_flight / 4).max(1)
            } else {
                lane.transmit_size
            };
            ready |= lane.queues.transmit.arm(after);
        }
        ready
    }
}

impl Lane {
    /// Shows the device what was posted to be sent.
    #[inline]
    pub(super) fn show(&mut self) -> Result<(), QueueError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        self.queues.transmit.expose();
        Ok(())
    }

    /// Posts on the transmit ring; the caller has seen that there is room.
    #[inline]
    fn transmit(&mut self, places: &Places, frame: &Frame) {
        self.transmit_all(places, core::iter::once(frame));
    }

    /// Posts on the transmit ring; the caller has seen that there is room.
    #[inline]
    fn transmit_all<'f>(&mut self, places: &Places, frames: impl Iterator<Item = &'f Frame>) {
        let (places, most) = (*places, places.octets() - NET_HEADER);
        let buffers = frames.map(|frame| {
            // The chain begins with a header of its own; the frame lies behind that of the buffer.
            // A descriptor holds something: what is no frame is no more of one with an octet.
            let octets = frame.octets.clamp(1, most);
            let address = places.address(frame.token) + u64::from(NET_HEADER);
            (frame.token, address, octets)
        });
        if let Err(error) = self.queues.transmit.post_all(false, buffers) {
            self.broken = Some(error);
        }
    }

    /// Whether only sent buffers coming back can make progress possible, or soon will be all that can.
    pub(super) fn is_starved(&self) -> bool {
        let posted = self.receive_size - self.queues.receive.free();
        !self.waiting.is_empty() || posted < self.receive_size / 4
    }
}

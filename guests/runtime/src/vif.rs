//! The guest's network interfaces: receive and transmit rings, and the buffers that go around them.
//!
//! A *lane* is one queue pair of one vif. A buffer belongs to the lane it was first posted to receive
//! on; from there it is moved to the transmit ring of another lane, and when the device has sent it,
//! back to its own lane's pool. It is never copied. Each lane having its own buffers, a transmit ring
//! that stands still starves only the lanes that send to it.
//!
//! Must never block, and never lose a buffer: each is in a pool, on a ring, or waits to be sent.

mod lanes;

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use pinode_virtqueue::{DriverQueue, QueueError};

use crate::function::{BURST, Burst, Frames, Function, HELD, Output, VifIndex};
use crate::pool::Pool;
use crate::unsafe_arena::{Arena, Buffers, OutOfMemory};

use lanes::Lane;
pub use lanes::Lanes;

/// Buffers of a lane that are kept off its receive ring, for what the function makes, where there are hardly more than
/// the ring takes: an eighth of them if that is less.
const MADE: usize = BURST;

/// The two queues of a lane, as the driver has them.
#[derive(Debug)]
pub struct Queues {
    /// Frames from the host.
    pub receive: DriverQueue,
    /// Frames to the host.
    pub transmit: DriverQueue,
}

/// One queue of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the host.
    Receive,
    /// To the host.
    Transmit,
}

/// The vifs of a guest: lanes and buffers.
#[derive(Debug)]
pub struct Net {
    lanes: Lanes,
    buffers: Buffers,
    /// Whether sent buffers are taken back in this round, however few they are: the last one took no frames, or a lane
    /// waits for its buffers, which may be a few on each of many rings.
    reclaims: bool,
}

/// What a round moved.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Frames taken from the host.
    pub frames: usize,
    /// Of these, given back at once.
    pub discarded: usize,
    /// Sent buffers that came back.
    pub returned: usize,
    /// Frames that had waited and are on their ring now.
    pub resumed: usize,
}

impl Moved {
    /// Whether anything moved at all.
    pub fn any(&self) -> bool {
        self.frames + self.returned + self.resumed > 0
    }

    /// Adds what another round moved.
    pub fn add(&mut self, other: Moved) {
        self.frames += other.frames;
        self.discarded += other.discarded;
        self.returned += other.returned;
        self.resumed += other.resumed;
    }
}

/// Why vifs could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// No memory for the buffers.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// A queue refused a buffer.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl Net {
    /// The vifs with `pairs` queue pairs each, in order of vif and pair, and buffers from `arena` for
    /// frames of up to `largest` octets without FCS: as many as the rings of a lane hold, or fit.
    ///
    /// # Errors
    ///
    /// The memory is too small.
    pub fn with_buffers(
        arena: &mut Arena,
        queues: Vec<Queues>,
        pairs: usize,
        largest: u32,
    ) -> Result<Self, NetError> {
        let most = queues
            .iter()
            .map(|lane| u32::from(lane.receive.free()) + u32::from(lane.transmit.free()));
        let most = most.max().unwrap_or(0);
        // Lanes are numbered by 8 bits of a token.
        let lanes = queues.len().min(256) as u32;
        let buffers = arena.buffers(largest, lanes, most)?;
        Ok(Net::new(queues, pairs, buffers)?)
    }

    /// The vifs with `pairs` queue pairs each, in order of vif and pair. All buffers that fit, but
    /// some for what the function makes, are posted to receive; [`publish`](Self::publish) shows them to the devices.
    ///
    /// # Errors
    ///
    /// A queue refused a buffer.
    pub fn new(queues: Vec<Queues>, pairs: usize, buffers: Buffers) -> Result<Self, QueueError> {
        let pairs = pairs.max(1);
        let places = buffers.places();
        let room = BURST * (2 * queues.len() + 1) + HELD;
        // Lanes are numbered by 8 bits of a token.
        let lanes: Vec<Lane> = (0..256usize)
            .zip(queues)
            .map(|(number, queues)| Lane {
                vif: VifIndex((number / pairs) as u8),
                receive_size: queues.receive.free(),
                transmit_size: queues.transmit.free(),
                queues,
                waiting: VecDeque::with_capacity(room),
                held: 0,
                approached: 0,
                broken: None,
            })
            .collect();
        let pools = (0u32..)
            .zip(&lanes)
            .map(|(number, _)| Pool::new(places.tokens(number)))
            .collect();
        let mut lanes = Lanes {
            lanes,
            pools,
            pairs,
            places,
            kept: 0,
            often: 1,
        };
        let each = lanes.pools.iter().map(Pool::len).min().unwrap_or(0);
        let least = lanes.lanes.iter().map(|lane| lane.transmit_size).min();
        // Fits: no more than a ring has.
        lanes.often = (each.min(least.unwrap_or(0).into()) / 4).max(1) as u16;
        let ring = lanes.lanes.iter().map(|lane| lane.receive_size).max();
        if each < usize::from(ring.unwrap_or(0)) + MADE {
            lanes.kept = MADE.min(each / 8);
        }
        for number in 0..lanes.len() {
            lanes.refill(number)?;
        }
        Ok(Net {
            lanes,
            buffers,
            reclaims: true,
        })
    }

    /// Shows the devices the buffers to receive into. `kick` is called for each that asks for it.
    pub fn publish(&mut self, kick: impl FnMut(usize, Direction)) {
        for lane in &mut self.lanes.lanes {
            lane.queues.receive.expose();
        }
        self.kick(kick);
    }

    /// One round over all lanes, at `now_ns`. `kick` is called for each queue whose device asks for it.
    ///
    /// # Errors
    ///
    /// The device broke a ring; nothing more can be done with it.
    #[inline]
    pub fn round(
        &mut self,
        function: &mut dyn Function,
        now_ns: u64,
        kick: impl FnMut(usize, Direction),
    ) -> Result<Moved, QueueError> {
        let mut moved = Moved::default();
        for number in 0..self.lanes.len() {
            moved.add(self.lane_round(number, function, now_ns)?);
        }
        self.reclaims = moved.frames == 0 || self.lanes.lanes.iter().any(Lane::is_starved);
        self.kick(kick);
        Ok(moved)
    }

    /// Tells the function that it is `now_ns`, and sends what it has to say to that.
    ///
    /// # Errors
    ///
    /// The device broke a ring; nothing more can be done with it.
    pub fn tick(
        &mut self,
        function: &mut dyn Function,
        now_ns: u64,
        kick: impl FnMut(usize, Direction),
    ) -> Result<(), QueueError> {
        for number in 0..self.lanes.len() {
            self.lanes.reclaim(number)?;
        }
        let mut none = Burst::new();
        let mut frames = Frames {
            burst: none.drain(..),
            buffers: &mut self.buffers,
        };
        let mut out = Output {
            lanes: &mut self.lanes,
            pair: 0,
            discarded: 0,
            now_ns,
        };
        function.tick(&mut frames, &mut out);
        drop(frames);
        for lane in &mut self.lanes.lanes {
            lane.show()?;
        }
        self.kick(kick);
        Ok(())
    }

    /// Buffers back, waiting frames out, a burst through `function`, buffers posted to receive, and
    /// everything published once.
    #[inline]
    fn lane_round(
        &mut self,
        number: usize,
        function: &mut dyn Function,
        now_ns: u64,
    ) -> Result<Moved, QueueError> {
        let mut burst = Burst::new();
        let from = self.lanes.take(number, &mut burst)?;
        // Under load sent buffers are taken back many at once.
        let returned = if self.reclaims || self.lanes.is_low(number) {
            self.lanes.reclaim(number)?
        } else {
            0
        };
        let resumed = self.lanes.resume(number);
        let mut moved = Moved {
            frames: burst.len(),
            discarded: 0,
            returned,
            resumed,
        };
        if moved.frames > 0 {
            if function.reads_frames()
                && let Some(lane) = self.lanes.lanes.get_mut(number)
            {
                let buffers = &self.buffers;
                for frame in burst.get(lane.approached..).unwrap_or_default() {
                    buffers.approach(frame.token);
                }
                lane.approached = 0;
                lane.queues.receive.peek(BURST, |token| {
                    buffers.approach(token);
                    lane.approached += 1;
                });
            }
            let mut frames = Frames {
                burst: burst.drain(..),
                buffers: &mut self.buffers,
            };
            let pair = number % self.lanes.pairs;
            let mut out = Output {
                lanes: &mut self.lanes,
                pair,
                discarded: 0,
                now_ns,
            };
            function.burst(from, &mut frames, &mut out);
            while let Some(left) = frames.next() {
                out.discard(left);
            }
            moved.discarded = out.discarded;
            for lane in &self.lanes.lanes {
                lane.queues.transmit.approach();
            }
            self.lanes.refill(number)?;
            for lane in &mut self.lanes.lanes {
                lane.show()?;
            }
        } else if resumed > 0
            && let Some(lane) = self.lanes.lanes.get_mut(number)
        {
            lane.show()?;
        }
        if moved.frames == 0 {
            self.lanes.refill(number)?;
        }
        if let Some(lane) = self.lanes.lanes.get_mut(number) {
            lane.queues.receive.expose();
        }
        Ok(moved)
    }

    /// Calls `kick` for each queue whose device asks for it, for what it was shown just now or long
    /// ago: a device that fell asleep while something was shown to it is seen in a later round, or
    /// here once more after [`arm`](Self::arm), which is the fence, before the driver sleeps.
    #[inline]
    pub fn kick(&mut self, mut kick: impl FnMut(usize, Direction)) {
        for (number, lane) in self.lanes.lanes.iter_mut().enumerate() {
            let Queues { receive, transmit } = &mut lane.queues;
            for (queue, direction) in [
                (receive, Direction::Receive),
                (transmit, Direction::Transmit),
            ] {
                if queue.wants_kick() {
                    queue.kicked();
                    kick(number, direction);
                }
            }
        }
    }

    /// Asks for interrupts on all that can make progress possible, and shows on every ring that the
    /// driver is about to sleep (VIRTIO 1.2, 2.7.10). True: there is something to do already.
    pub fn arm(&mut self) -> bool {
        self.lanes.arm()
    }

    /// Asks for no interrupts.
    pub fn disarm(&mut self) {
        for lane in &mut self.lanes.lanes {
            lane.queues.receive.disarm();
            lane.queues.transmit.disarm();
        }
    }

    /// Buffers that are in a pool, on a ring or waiting; all of them, always.
    #[cfg(test)]
    pub(crate) fn accounted(&self) -> usize {
        let lanes = &self.lanes;
        let on_rings = lanes.lanes.iter().map(|lane| {
            usize::from(lane.receive_size - lane.queues.receive.free())
                + usize::from(lane.transmit_size - lane.queues.transmit.free())
                + lane.waiting.len()
        });
        on_rings.sum::<usize>() + lanes.pools.iter().map(Pool::len).sum::<usize>()
    }
}

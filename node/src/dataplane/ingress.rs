//! Into the node: port burst -> classify -> policer -> the guest's receive ring.
//!
//! A burst is classified first and then handed out guest by guest, so that what a guest needs is
//! looked up once. Frames of one guest keep their order. A frame is copied once, from the port's
//! memory into the guest's.

use pinode_classifier::{MAX_PIS, PortClassifier, Verdict};
use pinode_ports::{BURST, RxBurst};
use pinode_virtqueue::{QueueError, Refused};

use super::counters::PortCounters;
use super::lane::{FCS, PiIn, PortLane};
use super::slots::SlotSet;
use super::vif::Broken;
use super::worker::Burst;
use crate::capture::Direction;

const _: () = assert!(BURST <= u64::BITS as usize, "a bit for each frame");

/// The frames of a burst by slot: a bit for each, so that they keep the order in which they came.
struct Sorted {
    frames: [u64; MAX_PIS],
}

impl Sorted {
    #[inline]
    fn new() -> Self {
        Self {
            frames: [0; MAX_PIS],
        }
    }

    /// Sorts a burst. `nobody` is called for frames whose slot is out of range, which has no frames.
    #[inline]
    fn sort<'f>(
        &mut self,
        frames: impl Iterator<Item = &'f [u8]>,
        slot: impl Fn(&[u8]) -> u8,
        mut nobody: impl FnMut(&'f [u8]),
    ) {
        // Frames of one slot in a row are collected here: the next does not wait for the last to have
        // reached memory.
        let (mut current, mut run) = (0, 0);
        let mut bit = 1u64;
        for frame in frames {
            let slot = slot(frame);
            if slot != current {
                self.add(current, run);
                (current, run) = (slot, 0);
            }
            if usize::from(slot) < MAX_PIS {
                run |= bit;
            } else {
                nobody(frame);
            }
            bit <<= 1;
        }
        self.add(current, run);
    }

    #[inline]
    fn add(&mut self, slot: u8, run: u64) {
        if let Some(frames) = self.frames.get_mut(usize::from(slot)) {
            *frames |= run;
        }
    }

    /// The slots that have frames.
    #[inline]
    fn slots(&self) -> SlotSet {
        let mut slots = SlotSet::default();
        for (slot, frames) in self.frames.iter().enumerate() {
            slots.set_if(slot, *frames != 0);
        }
        slots
    }

    /// The frames of a slot.
    #[inline]
    fn of(&self, slot: usize) -> Picked {
        Picked(self.frames.get(slot).copied().unwrap_or(0))
    }
}

/// Some frames of a burst, by bit.
#[derive(Clone, Copy)]
struct Picked(u64);

impl Picked {
    #[inline]
    fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Those picked of `frames`, in order.
    #[inline]
    fn of<'a>(self, frames: &'a RxBurst<'a>) -> impl Iterator<Item = &'a [u8]> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            // No frame has the number 64.
            let frame = *frames.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(frame)
        })
    }
}

/// Takes one burst in. `touched`: the guests that something was published to.
pub(super) fn burst(lane: &mut PortLane, now_ns: u64, touched: &mut SlotSet) -> Burst {
    let mut burst = Burst::default();
    let mut given = SlotSet::default();
    loop {
        let frames = part(lane, now_ns, &mut given, &mut burst);
        burst.frames += frames;
        if frames == 0 || !lane.in_parts || burst.frames >= BURST || burst.broken.is_some() {
            break;
        }
    }
    for slot in given {
        if let Some(vif) = lane.inbound.get_mut(slot).and_then(|pi| pi.vif.as_mut()) {
            vif.receive.publish();
        }
    }
    *touched = touched.union(given);
    burst
}

/// Takes in what the port gives at once. `given`: the guests that got some. Returns how many frames.
#[inline(always)]
fn part(lane: &mut PortLane, now_ns: u64, given: &mut SlotSet, burst: &mut Burst) -> usize {
    let PortLane {
        port,
        shape,
        counters,
        tap,
        inbound,
        ..
    } = lane;
    let mut frames = RxBurst::new();
    port.rx_burst(now_ns, &mut frames);
    if frames.is_empty() {
        return 0;
    }
    if let Some(tap) = tap {
        for frame in &frames {
            tap.record(Direction::Inbound, now_ns, frame, &[]);
        }
    }
    let mut sorted = Sorted::new();
    let slot = |frame: &[u8]| shape.slot(frame);
    sorted.sort(frames.iter().copied(), slot, |frame| {
        count_drop(counters, shape, frame);
    });
    let octets: u64 = frames.iter().map(|frame| frame.len() as u64).sum();
    counters.rx_frames += frames.len() as u64;
    counters.rx_bytes += octets;
    for slot in sorted.slots() {
        let picked = sorted.of(slot);
        let Some(pi) = inbound.get_mut(slot) else {
            // A classifier knows only the slots that it was built with.
            counters.unknown_pi += picked.len() as u64;
            continue;
        };
        let result = hand_out(pi, slot, shape, now_ns, picked, &frames);
        if let Err(error) = result {
            burst.broken = Some(Broken { slot, error });
        }
        given.set(slot, true);
    }
    frames.len()
}

/// Counts why a frame belongs to nobody.
#[cold]
fn count_drop(counters: &mut PortCounters, shape: &PortClassifier, frame: &[u8]) {
    match shape.classify(frame) {
        // A classifier knows only the slots that it was built with.
        Ok(_) => counters.unknown_pi += 1,
        Err(cause) => counters.count_drop(cause),
    }
}

/// Gives a guest its frames of a burst.
#[inline]
fn hand_out(
    pi: &mut PiIn,
    slot: usize,
    shape: &PortClassifier,
    now_ns: u64,
    picked: Picked,
    frames: &RxBurst<'_>,
) -> Result<(), QueueError> {
    let PiIn {
        vif,
        policer,
        counters,
        tap,
    } = pi;
    counters.classified += picked.len() as u64;
    let counted = |frame: &[u8]| u32::try_from(frame.len()).unwrap_or(u32::MAX - FCS) + FCS;
    // Together they conform exactly if each does, one after the other: most bursts need one look.
    let policer = policer.as_deref().filter(|policer| {
        let sum = picked.of(frames).map(counted);
        !policer.conforms(now_ns, sum.fold(0, u32::saturating_add))
    });
    let Some(vif) = vif.as_mut().filter(|vif| vif.is_in_use()) else {
        for frame in picked.of(frames) {
            match policer.is_some_and(|policer| !policer.conforms(now_ns, counted(frame))) {
                true => counters.policed += 1,
                false => counters.guest_down += 1,
            }
        }
        return Ok(());
    };
    // Fits: slots are counted by a u8.
    let verdict = Verdict { slot: slot as u8 };
    let mut delivered = 0;
    if shape.passes_as_is(verdict.slot) && policer.is_none() {
        delivered = vif.receive.deliver_all(picked.of(frames));
        if let Some(tap) = tap {
            for frame in picked.of(frames).take(delivered) {
                tap.record(Direction::Inbound, now_ns, frame, &[]);
            }
        }
        counters.to_guest += delivered as u64;
    }
    let mut outcome = Ok(());
    let mut full = false;
    if delivered < picked.len() {
        for frame in picked.of(frames).skip(delivered) {
            if policer.is_some_and(|policer| !policer.conforms(now_ns, counted(frame))) {
                counters.policed += 1;
                continue;
            }
            // What found no room finds none a moment later (a smaller frame might, and waits its turn as well), and each
            // look takes the line of the driver's index away from the guest's core.
            if full {
                counters.ring_full += 1;
                continue;
            }
            let splice = shape.to_guest(verdict, frame);
            let (prefix, body) = (splice.prefix(), splice.body(frame));
            match vif.receive.deliver(prefix, body) {
                Ok(()) => {
                    counters.to_guest += 1;
                    if let Some(tap) = tap {
                        tap.record(Direction::Inbound, now_ns, prefix, body);
                    }
                }
                Err(Refused::Full) => {
                    full = true;
                    counters.ring_full += 1;
                }
                Err(Refused::Broken(error)) => {
                    counters.guest_down += 1;
                    outcome = Err(error);
                }
            }
        }
    }
    outcome
}

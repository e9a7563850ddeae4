//! Into the node: port burst -> classify -> policer -> the guest's receive ring.
//!
//! A burst is classified first and then handed out guest by guest, so that what a guest needs is
//! looked up once. Frames of one guest keep their order. A frame is copied once, from the port's
//! memory into the guest's.

use pinode_classifier::{MAX_PIS, PortClassifier, Verdict};
use pinode_ports::{BURST, RxBurst};
use pinode_virtqueue::{QueueError, Refused};

use super::lane::{FCS, PiIn, PortLane};
use super::slots::SlotSet;
use super::vif::Broken;
use super::worker::Burst;
use crate::capture::Direction;

/// The end of a [`Sorted`] chain.
const NONE: u8 = u8::MAX;
const _: () = assert!(BURST < NONE as usize);

/// The frames of a burst by slot: a chain for each, in the order in which they came.
struct Sorted {
    next: [u8; BURST],
    /// First and last of a slot, valid for slots that are in `present`.
    ends: [(u8, u8); MAX_PIS],
    present: SlotSet,
}

impl Sorted {
    #[inline]
    fn new() -> Self {
        Self {
            next: [NONE; BURST],
            ends: [(NONE, NONE); MAX_PIS],
            present: SlotSet::default(),
        }
    }

    /// Appends frame `index`; neither it nor the slot is out of range.
    #[inline]
    fn push(&mut self, slot: usize, index: usize) {
        // Below BURST.
        let number = index as u8;
        let Some(ends) = self.ends.get_mut(slot) else {
            return;
        };
        if ends.0 == NONE {
            self.present.set(slot, true);
            ends.0 = number;
        } else if let Some(next) = self.next.get_mut(usize::from(ends.1)) {
            *next = number;
        }
        ends.1 = number;
    }

    /// The frames of a slot.
    #[inline]
    fn of<'a>(&'a self, slot: usize, frames: &'a RxBurst<'a>) -> impl Iterator<Item = &'a [u8]> {
        let mut at = self.ends.get(slot).map_or(NONE, |ends| ends.0);
        std::iter::from_fn(move || {
            let frame = *frames.get(usize::from(at))?;
            at = self.next.get(usize::from(at)).copied().unwrap_or(NONE);
            Some(frame)
        })
    }
}

/// Takes one burst in. `touched`: the guests that something was published to.
pub(super) fn burst(lane: &mut PortLane, now_ns: u64, touched: &mut SlotSet) -> Burst {
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
    let mut burst = Burst {
        frames: frames.len(),
        broken: None,
    };
    if frames.is_empty() {
        return burst;
    }
    if let Some(tap) = tap {
        for frame in &frames {
            tap.record(Direction::Inbound, now_ns, frame, &[]);
        }
    }
    let mut sorted = Sorted::new();
    let mut octets = 0;
    for (index, frame) in frames.iter().enumerate() {
        octets += frame.len() as u64;
        match shape.classify(frame) {
            // A classifier knows only the slots that it was built with.
            Ok(Verdict { slot }) if usize::from(slot) < inbound.len() => {
                sorted.push(usize::from(slot), index);
            }
            Ok(_) => counters.unknown_pi += 1,
            Err(cause) => counters.count_drop(cause),
        }
    }
    counters.rx_frames += frames.len() as u64;
    counters.rx_bytes += octets;
    for slot in sorted.present {
        let Some(pi) = inbound.get_mut(slot) else {
            continue;
        };
        let result = hand_out(pi, slot, shape, now_ns, || sorted.of(slot, &frames));
        if let Err(error) = result {
            burst.broken = Some(Broken { slot, error });
        }
        touched.set(slot, true);
    }
    burst
}

/// Gives a guest its frames of a burst.
#[inline]
fn hand_out<'f, F: Iterator<Item = &'f [u8]>>(
    pi: &mut PiIn,
    slot: usize,
    shape: &PortClassifier,
    now_ns: u64,
    frames: impl Fn() -> F,
) -> Result<(), QueueError> {
    let PiIn {
        vif,
        policer,
        counters,
        tap,
    } = pi;
    let counted = |frame: &[u8]| u32::try_from(frame.len()).unwrap_or(u32::MAX - FCS) + FCS;
    // Together they conform exactly if each does, one after the other: most bursts need one look.
    let policer = policer.as_deref().filter(|policer| {
        let sum = frames().map(counted).fold(0u32, u32::saturating_add);
        !policer.conforms(now_ns, sum)
    });
    let mut receiver = vif.as_mut().filter(|vif| vif.is_in_use());
    // Fits: slots are counted by a u8.
    let verdict = Verdict { slot: slot as u8 };
    let as_is = shape.passes_as_is(verdict.slot);
    let mut outcome = Ok(());
    for frame in frames() {
        counters.classified += 1;
        if policer.is_some_and(|policer| !policer.conforms(now_ns, counted(frame))) {
            counters.policed += 1;
            continue;
        }
        let Some(vif) = &mut receiver else {
            counters.guest_down += 1;
            continue;
        };
        let splice;
        let (prefix, body) = if as_is {
            (&[][..], frame)
        } else {
            splice = shape.to_guest(verdict, frame);
            (splice.prefix(), splice.body(frame))
        };
        match vif.receive.deliver(prefix, body) {
            Ok(()) => {
                counters.to_guest += 1;
                if let Some(tap) = tap {
                    tap.record(Direction::Inbound, now_ns, prefix, body);
                }
            }
            Err(Refused::Full) => counters.ring_full += 1,
            Err(Refused::Broken(error)) => {
                counters.guest_down += 1;
                outcome = Err(error);
            }
        }
    }
    if let Some(vif) = receiver {
        vif.receive.publish();
    }
    outcome
}

//! The pure gate over a recorded trace in virtual time: in which window does each frame go?
//!
//! Frames of a class go first in, first out, as soon as the gate and the link let them. Must never look at when a frame
//! left in truth.

use std::collections::BTreeMap;

use anyhow::Result;
use pinode_scheduler::{Cycle, Gate, LinkRate, Phase};
use pinode_tests::gate_trace::{CAPACITY, FCS_OCTETS, PHASES_NS, Traced};

/// How late what sends the frames was, ns.
#[derive(Clone, Debug, Default)]
pub struct Lateness {
    /// From the instant noted before a frame is handed over to where it could start.
    pub transit_ns: u64,
    /// In each window, by its opening: from there to the start of a frame that waits for it.
    pub opening_ns: BTreeMap<u64, u64>,
}

/// When a frame starts, and the opening of its window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    pub window_ns: u64,
    pub at_ns: u64,
}

/// The start of each of `frames`, which are in the order of their sending.
pub fn starts(frames: &[Traced], lateness: &Lateness) -> Result<Vec<Start>> {
    let link = LinkRate::new(CAPACITY)?;
    let mut phases = Vec::new();
    for (class, duration_ns) in (0..).zip(PHASES_NS) {
        phases.push(Phase {
            owner: Some(class),
            duration_ns,
        });
    }
    let cycle = Cycle::new(&phases, 0, link, |_class| 1518)?;
    // A base time of 0: cycles begin at whole multiples of their length.
    let mut gate = Gate::new(cycle, 0, 0);
    let mut starts = vec![Start::default(); frames.len()];
    let mut waiting: [Vec<usize>; 3] = Default::default();
    for (index, frame) in frames.iter().enumerate().rev() {
        waiting[usize::from(frame.class)].push(index);
    }
    let mut now_ns = frames.first().map_or(0, |frame| frame.sent_ns);
    while waiting.iter().any(|queue| !queue.is_empty()) {
        let window = gate.advance(now_ns);
        now_ns = window.closes_ns;
        let Some(class) = window.owner else { continue };
        let queue = &mut waiting[usize::from(class)];
        let opening_ns = lateness.opening_ns.get(&window.opens_ns).unwrap_or(&0);
        // The frame that a close cut off is in no window that tells how late it was: as late again as one in transit.
        let mut ready_ns = window.opens_ns + opening_ns + lateness.transit_ns;
        while let Some(&index) = queue.last() {
            let frame = &frames[index];
            let ask_ns = ready_ns.max(frame.sent_ns + lateness.transit_ns);
            if ask_ns >= window.closes_ns {
                break;
            }
            gate.advance(ask_ns);
            let octets = (frame.octets + FCS_OCTETS) as u32;
            let Ok(at_ns) = gate.try_start(class, octets) else {
                break;
            };
            let window_ns = window.opens_ns;
            starts[index] = Start { window_ns, at_ns };
            let wire_ns = link.wire_time_ps(octets).div_ceil(1000);
            ready_ns = at_ns + wire_ns;
            queue.pop();
        }
    }
    Ok(starts)
}

//! Into the node: port burst -> classify -> policer -> the guest's receive ring.
//!
//! A frame is copied once, from the port's memory into the guest's.

use pinode_ports::RxBurst;
use pinode_virtqueue::{QueueError, Refused};

use super::lane::{FCS, PiIn, PortLane};
use super::slots::SlotSet;
use super::vif::Broken;
use super::worker::Burst;
use crate::capture::Direction;

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
    let mut filled = SlotSet::default();
    for frame in &frames {
        counters.rx_frames += 1;
        counters.rx_bytes += frame.len() as u64;
        if let Some(tap) = tap {
            tap.record(Direction::Inbound, now_ns, frame, &[]);
        }
        let verdict = match shape.classify(frame) {
            Ok(verdict) => verdict,
            Err(cause) => {
                counters.count_drop(cause);
                continue;
            }
        };
        let slot = usize::from(verdict.slot);
        // A classifier knows only the slots that it was built with.
        let Some(pi) = inbound.get_mut(slot) else {
            counters.unknown_pi += 1;
            continue;
        };
        let splice = shape.to_guest(verdict, frame);
        if let Err(error) = deliver(pi, now_ns, frame.len(), splice.prefix(), splice.body(frame)) {
            burst.broken = Some(Broken { slot, error });
        }
        filled.set(slot, true);
    }
    for slot in filled {
        if let Some(vif) = inbound.get_mut(slot).and_then(|pi| pi.vif.as_mut()) {
            vif.receive.publish();
        }
    }
    *touched = touched.union(filled);
    burst
}

fn deliver(
    pi: &mut PiIn,
    now_ns: u64,
    octets: usize,
    prefix: &[u8],
    body: &[u8],
) -> Result<(), QueueError> {
    pi.counters.classified += 1;
    if let Some(policer) = &pi.policer
        && !policer.conforms(
            now_ns,
            u32::try_from(octets)
                .unwrap_or(u32::MAX)
                .saturating_add(FCS),
        )
    {
        pi.counters.policed += 1;
        return Ok(());
    }
    let Some(vif) = pi.vif.as_mut().filter(|vif| vif.is_in_use()) else {
        pi.counters.guest_down += 1;
        return Ok(());
    };
    match vif.receive.deliver(prefix, body) {
        Ok(()) => {
            pi.counters.to_guest += 1;
            if let Some(tap) = &mut pi.tap {
                tap.record(Direction::Inbound, now_ns, prefix, body);
            }
            Ok(())
        }
        Err(Refused::Full) => {
            pi.counters.ring_full += 1;
            Ok(())
        }
        Err(Refused::Broken(error)) => {
            pi.counters.guest_down += 1;
            Err(error)
        }
    }
}

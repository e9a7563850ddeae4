//! Into the node: port burst -> classify -> policer -> the guest's receive ring.
//!
//! A frame is copied once, from the port's memory into the guest's.

use pinode_ports::RxBurst;
use pinode_virtqueue::{QueueError, Refused};

use super::lane::{FCS, PiLane, PortLane};
use super::vif::Broken;
use crate::capture::Direction;

/// Takes one burst in. Returns the guest whose ring turned out broken, if any did.
pub(super) fn burst(lane: &mut PortLane, now_ns: u64) -> Option<Broken> {
    let PortLane {
        port,
        shape,
        counters,
        tap,
        pis,
        ..
    } = lane;
    let mut frames = RxBurst::new();
    port.rx_burst(now_ns, &mut frames);
    if frames.is_empty() {
        return None;
    }
    let mut broken = None;
    // One bit a slot: which rings have something to publish.
    let mut touched = 0u32;
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
        let slot = verdict.slot;
        // A classifier knows only the slots that it was built with.
        let Some(pi) = pis.get_mut(usize::from(slot)) else {
            counters.unknown_pi += 1;
            continue;
        };
        let splice = shape.to_guest(verdict, frame);
        if let Err(error) = deliver(pi, now_ns, frame.len(), splice.prefix(), splice.body(frame)) {
            broken = Some(Broken {
                slot: usize::from(slot),
                error,
            });
        }
        touched |= 1u32.wrapping_shl(u32::from(slot));
    }
    while touched != 0 {
        let slot = touched.trailing_zeros() as usize;
        touched &= touched - 1;
        if let Some(vif) = pis.get_mut(slot).and_then(|pi| pi.vif.as_mut()) {
            vif.receive.publish();
        }
    }
    broken
}

fn deliver(
    pi: &mut PiLane,
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
    let Some(vif) = &mut pi.vif else {
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

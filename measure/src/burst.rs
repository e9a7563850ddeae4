//! A burst of a [`Plan`] over a port: what a tester does that has its interfaces to itself.
//!
//! Frames are stamped right before they are written and handed over, a small [`GROUP`] at a time, so that the
//! tester's own delay is no latency of the device; it is in [`Plan::pacing`], of each frame that the port took. A
//! frame that the port has no slot for stays due, and is late in the end: the source pauses, or counts it as unsent
//! ([`Source::give_up`](crate::source::Source::give_up)). One that is handed over and not taken is unsent, and gives
//! its sequence number to the next, though not its size: `sent` is what the port took. Must never allocate, lock, or
//! ask the kernel for more than the port does.

use pinode_ports::{BURST, Port, RxBurst, TxMeta, TxSlots};

use crate::plan::Plan;

/// Frames that are stamped and handed over together: so many that a hand-over is worth its price, so few that the
/// last of them does not wait long behind the stamp.
pub const GROUP: usize = 16;
const _: () = assert!(GROUP <= BURST);

/// Sends what is due by `now_ns`, at most a group; `clock` is read again before the frames are written.
/// Returns how many the port took.
#[inline]
pub fn send(
    port: &mut (impl Port + ?Sized),
    plan: &mut Plan,
    now_ns: u64,
    mut clock: impl FnMut() -> u64,
) -> usize {
    if plan.source.due_ns() > now_ns {
        return 0;
    }
    let mut metas = [TxMeta {
        len: 0,
        start_ns: 0,
    }; GROUP];
    let mut written = [(0, 0); GROUP];
    let mut count = 0;
    let mut slots = TxSlots::new();
    port.tx_slots(GROUP, &mut slots);
    let start_ns = clock();
    // By this reading: a stall in between is one, too.
    plan.source.give_up(start_ns);
    while let Some(slot) = slots.get_mut(count) {
        let Some(frame) = plan.source.next(start_ns) else {
            break;
        };
        let (octets, due_ns, stream) = (frame.octets(), frame.due_ns(), frame.stream());
        // A frame longer than the slot counts as unsent, and leaves the slot to the next.
        if frame.write_at(slot, start_ns) {
            // Frames are at most 9014 octets.
            let len = octets as u16;
            metas[count] = TxMeta { len, start_ns };
            written[count] = (stream, due_ns);
            count += 1;
        }
    }
    drop(slots);
    if count == 0 {
        return 0;
    }
    let taken = port.tx_commit(&metas[..count]).min(count);
    for (_, due_ns) in &written[..taken] {
        plan.pacing
            .saturating_record(start_ns.saturating_sub(*due_ns));
    }
    for at in (taken..count).rev() {
        plan.source
            .take_back(written[at].0, usize::from(metas[at].len));
    }
    taken
}

/// Absorbs what came, at most a burst. Returns how many frames.
///
/// They came by the instant at which `clock` is read behind the receiving, and not much earlier where the
/// port is polled.
#[inline]
pub fn absorb(
    port: &mut (impl Port + ?Sized),
    plan: &mut Plan,
    now_ns: u64,
    mut clock: impl FnMut() -> u64,
) -> usize {
    let mut burst = RxBurst::new();
    port.rx_burst(now_ns, &mut burst);
    if burst.is_empty() {
        return 0;
    }
    let received_ns = clock();
    for frame in &burst {
        plan.sink.absorb(received_ns, frame, &mut plan.latency);
    }
    burst.len()
}

//! The frame path allocates nothing: counted by an allocator that counts, over a million frames.

mod rig;
#[allow(unsafe_code)]
mod unsafe_counting_allocator;

use rig::{Plan, Rig, SLOTS, frame};
use unsafe_counting_allocator::allocations;

#[test]
fn a_million_frames_and_no_allocation() {
    let plan = Plan {
        capacity_bps: 100_000_000_000,
        lookahead_ns: 100_000,
        ..Plan::default()
    };
    let mut rig = Rig::new(plan);
    let frames: Vec<Vec<u8>> = (1..=SLOTS as u8)
        .map(|code| frame(code, 0, 75, 0))
        .collect();
    let mut received = 0u64;
    let turn = |rig: &mut Rig, received: &mut u64| {
        for _ in 0..20 {
            frames.iter().for_each(|f| assert!(rig.far[0].send(f)));
        }
        rig.clock.advance(10_000);
        let before = allocations();
        rig.turn();
        let during = allocations() - before;
        rig.guests.iter_mut().for_each(rig::RigGuest::patch);
        *received += rig.far[1].recv(|_, _| ()) as u64;
        during
    };
    // The rig's own queues grow to their size first; the worker is counted from the start.
    let mut allocated = 0;
    while received < 1_000_000 {
        allocated += turn(&mut rig, &mut received);
    }
    assert_eq!(
        allocated, 0,
        "allocations in the worker for {received} frames"
    );
}

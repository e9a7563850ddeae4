//! How many frames of a connection may wait, as the documents say it. Must never copy the formula.

use pinode_scheduler::LinkRate;
use pinode_scheduler::level2::streams::Tolerance;

use super::InForce;

const MS: u64 = 1_000_000;

fn in_force(cycle_ns: u64, untold_ns: u64) -> InForce {
    InForce {
        bounds: Vec::new(),
        guaranteed_bps: 100_000_000,
        signalling: (1_000_000, 0),
        untold_ns,
        least_tolerance_ns: 0,
        cycle_ns,
        largest: 1_518,
    }
}

#[test]
fn buffers_hold_what_comes_in_a_cycle_and_in_the_tolerance_and_early() {
    // A frame of 105 octets, with preamble and gap 1,000 bits: at 1 Mb/s one each millisecond.
    let peak = LinkRate::new(1_000_000).unwrap();
    let shared = Tolerance::Shared;
    let own = Tolerance::Own;
    for (what, cycle_ns, untold_ns, tolerance, early_ns, frames) in [
        // Beside the one, as many as fit in the interval that the tolerance may grow to.
        ("nothing early", 0, 0, shared(0), 0, 1 + 1),
        ("a tolerance within it", 0, MS / 2, shared(0), 0, 1 + 1),
        ("a longer one", 0, 3 * MS, shared(0), 0, 1 + 3),
        ("a part of a frame more", 0, 3 * MS + 1, shared(0), 0, 1 + 4),
        // A cycle, the tolerance and what is early are one sum: what is left of each is no frame of its own.
        ("a cycle", 2 * MS, 3 * MS, shared(0), 0, 1 + 5),
        (
            "parts of frames",
            MS / 4,
            3 * MS + MS / 4,
            shared(MS / 4),
            MS / 4,
            1 + 4,
        ),
        // Early: the tolerance is as much longer, and so much comes before its time.
        ("early", 2 * MS, 3 * MS, shared(10 * MS), 10 * MS, 1 + 25),
        (
            "early, and the interval is longer",
            0,
            0,
            shared(MS),
            MS,
            1 + 3,
        ),
        // Its own tolerance does not grow, and has in it what is early.
        ("its own", 2 * MS, 3 * MS, own(5 * MS), 0, 1 + 7),
        (
            "its own, early",
            2 * MS,
            3 * MS,
            own(5 * MS),
            4 * MS,
            1 + 11,
        ),
        ("its own and none", 0, 3 * MS, own(0), 0, 1),
    ] {
        let buffer = in_force(cycle_ns, untold_ns).buffer(peak, tolerance, early_ns, 105);
        assert_eq!(buffer, frames, "{what}");
    }
}

#[test]
fn buffers_are_for_frames_as_long_as_may_be_and_have_an_end() {
    let peak = LinkRate::new(1_000_000).unwrap();
    let of = |largest, early_ns| {
        let tolerance = Tolerance::Shared(early_ns);
        in_force(MS, 20 * MS).buffer(peak, tolerance, early_ns, largest)
    };
    // 605 octets are 5,000 bits on the wire: a fifth as many frames.
    assert_eq!((of(105, 0), of(605, 0)), (1 + 21, 1 + 5));
    assert_eq!(of(105, u64::MAX), u32::MAX);
}

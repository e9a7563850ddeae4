//! Classifying, splicing and policing neither allocate nor free.
//!
//! The one unsafe file: an allocator that counts can only be put under the program as an unsafe
//! trait. It forwards every call unchanged to the system's.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use pinode_classifier::{Access, GuestForm, Pi, PiCode, Policer, PortClassifier, Trunk, Vn, VnSet};

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    CALLS.with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call goes to the system's allocator with the caller's own arguments; counting
// touches a constant-initialised thread-local without destructor and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise on `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count();
        // SAFETY: `at` came from `System` with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn the_frame_path_neither_allocates_nor_frees() {
    let pi = Pi {
        slot: 0,
        code: PiCode::IPV6QOS,
        vns: VnSet::from_iter([Vn::DEFAULT]),
        form: GuestForm::Keep,
    };
    let trunk = PortClassifier::from(Trunk::new(0x88B5, 1500, &[pi]).expect("valid"));
    let access = Access::new(0x88B5, 0x86DD, 1500, pi, Vn::DEFAULT).expect("valid");
    let access = PortClassifier::from(access);
    let policer = Policer::new(1_000_000_000, 100_000).expect("valid");
    let mut frame = [0u8; 75];
    let (mut passed, mut refused) = (0, 0);
    let before = CALLS.with(Cell::get);
    for turn in 0..100_000u64 {
        let octet = turn.to_le_bytes()[0];
        frame[12..15].copy_from_slice(&[0x88, 0xB5, octet]);
        let Ok(verdict) = trunk.classify(&frame) else {
            refused += 1;
            continue;
        };
        if !policer.conforms(turn * 10, frame.len() as u32) {
            refused += 1;
            continue;
        }
        let guest = trunk.to_guest(verdict, &frame).octets(frame.len());
        if access.to_wire(verdict.slot, &frame, guest).is_ok() {
            passed += 1;
        }
    }
    assert_eq!(CALLS.with(Cell::get) - before, 0);
    assert!(passed > 100 && refused > 10_000, "{passed} {refused}");
}

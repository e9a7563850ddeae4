//! From `boot.s` to the function: the first Rust code of an image, in ring 3.
//!
//! Unsafe because it is the one place that knows what memory is whose: image, heap, packet memory. It must
//! run once, and hand each part out once.

use alloc::boxed::Box;
use core::arch::global_asm;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pinode_virtqueue::Ram;

use super::boot_info::{self, Protocol};
use super::platform::Machine;
use super::unsafe_heap;
use crate::function::Function;
use crate::run::{Exit, run};
use crate::unsafe_arena::Arena;

global_asm!(include_str!("boot.s"));
global_asm!(include_str!("memory.s"));
global_asm!(
    ".globl memcpy, memmove, memset, memcmp, bcmp",
    ".set memcpy, pinode_memcpy",
    ".set memmove, pinode_memmove",
    ".set memset, pinode_memset",
    ".set memcmp, pinode_memcmp",
    ".set bcmp, pinode_bcmp",
);

/// Where guest-physical 0 is seen (`boot.s` maps the first 4 GiB twice): no address of RAM is null there.
pub(super) const PHYSICAL: usize = 1 << 32;
/// All the loader's structures are below the image.
const LOW: u64 = 0x20_0000;
/// Least heap, octets; else an eighth of what the image leaves.
const HEAP_LEAST: u64 = 1 << 20;

unsafe extern "C" {
    /// End of the image in memory (linker script).
    static image_end: u8;
    fn idle_wait();
}

unsafe extern "Rust" {
    /// The image's function ([`crate::image!`]).
    fn pinode_image_function() -> Box<dyn Function>;
}

/// Pointer to guest-physical `address`.
pub(super) fn physical(address: u64) -> *mut u8 {
    core::ptr::with_exposed_provenance_mut(PHYSICAL + address as usize)
}

/// Sleeps until an interrupt came since the last return.
pub(super) fn idle() {
    // SAFETY: `idle_wait` clobbers only what the C calling convention lets it.
    unsafe { idle_wait() }
}

/// Start and end of the packet memory as this program sees it, once it runs.
static RINGS: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

/// The rings and buffers: behind the image and the heap, to the end of RAM.
pub fn ring_memory() -> Range<usize> {
    let [start, end] = &RINGS;
    start.load(Relaxed)..end.load(Relaxed)
}

/// Where rings and buffers go in `ram` octets of RAM, guest-physical.
fn plan(image: u64, ram: u64) -> Range<u64> {
    let heap = (ram.saturating_sub(image) / 8).max(HEAP_LEAST);
    image.saturating_add(heap).next_multiple_of(4096)..ram
}

/// Called by `boot.s` with what the loader passed.
#[unsafe(no_mangle)]
extern "C" fn start(info: u64, protocol: u64) -> ! {
    let protocol = if protocol == 1 {
        Protocol::Pvh
    } else {
        Protocol::Linux64
    };
    // SAFETY: RAM below the image is mapped, and nothing of this program lies there but its stack, which no
    // structure of the loader overlaps.
    let low = unsafe { Ram::new(physical(0), LOW) };
    let ram = boot_info::ram_end(&low, info, protocol, LOW).expect("no memory map from the loader");
    let image = (&raw const image_end).addr() as u64;
    let rings = plan(image, ram);
    assert!(
        rings.start < rings.end,
        "{ram} octets of RAM leave no room for rings"
    );
    for (place, address) in RINGS.iter().zip([rings.start, rings.end]) {
        place.store(physical(address).addr(), Relaxed);
    }
    // SAFETY: behind the image and before the rings is nobody's, and this runs once.
    unsafe { unsafe_heap::claim(physical(image), (rings.start - image) as usize) };
    // SAFETY: the rest of RAM is nobody's; it stays mapped for ever.
    let arena = unsafe { Arena::new(physical(0), ram, rings.start, rings.end) };
    let line = boot_info::command_line(&low, info, protocol);
    let devices = boot_info::mmio_devices(&line);
    // SAFETY: the image defines it with this signature (`image!`).
    let mut function = unsafe { pinode_image_function() };
    let mut machine = Machine::new(&devices, arena);
    match run(&mut machine, &mut *function) {
        Exit::Stopped | Exit::Refused(_) => loop {
            machine.rest();
        },
        Exit::Broken(error) => panic!("a device broke its ring: {error}"),
    }
}

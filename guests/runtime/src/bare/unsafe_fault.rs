//! What the host is told when the guest faults or panics: the fault record.
//!
//! Unsafe because the record is shared with `boot.s`, which fills in the registers and writes the pvpanic
//! port. A panic leaves its message and then faults on purpose. Must never allocate.

use core::arch::asm;
use core::fmt::{self, Write};
use core::panic::PanicInfo;

const MAGIC: u64 = 0x5446_4445_444f_4e50;
const VERSION: u32 = 1;
const KIND_EXCEPTION: u32 = 0;
const KIND_PANIC: u32 = 1;
const MESSAGE_OCTETS: usize = 512;

/// The record; `boot.s` knows the offsets up to `general`.
#[repr(C)]
struct FaultRecord {
    magic: u64,
    version: u32,
    kind: u32,
    vector: u64,
    error: u64,
    cr2: u64,
    rip: u64,
    rsp: u64,
    rflags: u64,
    /// rax, rbx, rcx, rdx, rsi, rdi, rbp, r8 to r15.
    general: [u64; 15],
    message_octets: u32,
    reserved: u32,
    message: [u8; MESSAGE_OCTETS],
}

const _: () = assert!(core::mem::offset_of!(FaultRecord, general) == 64);
const _: () = assert!(core::mem::offset_of!(FaultRecord, message_octets) == 184);
const _: () = assert!(core::mem::offset_of!(FaultRecord, message) == 192);

#[unsafe(export_name = "fault_record")]
static mut RECORD: FaultRecord = FaultRecord {
    magic: MAGIC,
    version: VERSION,
    kind: KIND_EXCEPTION,
    vector: 0,
    error: 0,
    cr2: 0,
    rip: 0,
    rsp: 0,
    rflags: 0,
    general: [0; 15],
    message_octets: 0,
    reserved: 0,
    message: [0; MESSAGE_OCTETS],
};

/// A message of bounded length; what does not fit is cut.
struct Message {
    octets: [u8; MESSAGE_OCTETS],
    used: usize,
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (place, octet) in self.octets.iter_mut().skip(self.used).zip(text.bytes()) {
            *place = octet;
            self.used += 1;
        }
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut message = Message {
        octets: [0; MESSAGE_OCTETS],
        used: 0,
    };
    // Cannot fail: what is too long is cut.
    let _ = write!(message, "{info}");
    let record = &raw mut RECORD;
    // SAFETY: one thread, and a fault reads the record only after the `ud2` below. That exception ends the
    // guest: ring 0 adds the registers, tells the host and halts.
    unsafe {
        (*record).kind = KIND_PANIC;
        // Fits: at most 512.
        (*record).message_octets = message.used as u32;
        (*record).message = message.octets;
        asm!("ud2", options(noreturn))
    }
}

/// What the landing pads in the precompiled `alloc` call. Images are built to abort on panic: nothing unwinds.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    // SAFETY: an exception, reported as such.
    unsafe { asm!("ud2", options(noreturn)) }
}

//! A guest as a virtual machine of its own: no operating system, one address space, ring 3.
//!
//! `boot.s` enters from the machine (PVH or Linux 64-bit boot) and drops to ring 3; `unsafe_entry` finds
//! memory and devices and runs the image's function ([`crate::image!`]); `hlt` in ring 3 idles. Some hosts
//! run ring 3 natively and emulate ring 0, so nothing else is done in ring 0.
//!
//! For images only: it brings the entry point, the allocator and the panic handler with it.

mod boot_info;
mod platform;
#[allow(unsafe_code)]
mod unsafe_entry;
#[allow(unsafe_code)]
mod unsafe_fault;
#[allow(unsafe_code)]
mod unsafe_heap;
#[allow(unsafe_code)]
mod unsafe_registers;

#[doc(hidden)]
pub use alloc::boxed::Box;
pub use platform::Machine;
pub use unsafe_entry::ring_memory;

/// Makes the crate a guest image that runs one [`Function`](crate::Function).
#[macro_export]
macro_rules! image {
    ($function:expr) => {
        #[unsafe(no_mangle)]
        extern "Rust" fn pinode_image_function() -> $crate::bare::Box<dyn $crate::Function> {
            $crate::bare::Box::new($function)
        }
    };
}

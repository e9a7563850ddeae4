//! What a guest stands on: boot to ring 3, net driver, idle, control channel.
//!
//! A guest is a [`Function`] and this runtime around it. The function gets frames in bursts and says
//! where each goes; the runtime moves them between the rings without copying, wakes and idles, and
//! talks to the host over the control channel ([`control`]). The same main loop ([`run()`]) drives a
//! function in two places, each a [`Platform`]:
//!
//! - `bare` (feature): a virtual machine of its own, in ring 3, without an operating system.
//! - `hosted` (feature): a thread of the host, over ordinary memory.
//!
//! The way of a frame: [`vif`] takes it off a receive ring, [`function`] decides, [`vif`] posts the
//! same buffer on a transmit ring, and the buffer returns to the pool when the device has used it.
//!
//! This crate must never allocate, lock or log per frame, and never copy a frame.

#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "hosted"))]
extern crate std;

pub mod control;
pub mod function;
#[cfg(feature = "hosted")]
pub mod hosted;
mod pool;
pub mod run;
#[allow(unsafe_code)]
pub mod unsafe_arena;
#[allow(unsafe_code)]
pub mod unsafe_prefetch;
pub mod usage;
pub mod vif;
pub mod virtio;
pub mod voice;

#[cfg(feature = "bare")]
pub mod bare;

#[cfg(test)]
mod run_tests;
#[cfg(all(test, target_arch = "x86_64"))]
#[allow(unsafe_code)]
mod unsafe_memory_tests;
#[cfg(test)]
#[allow(unsafe_code)]
mod unsafe_rig;
#[cfg(test)]
mod vif_tests;

pub use control::{Config, FromGuest, ToGuest, VifConfig};
pub use function::{BURST, Frame, Frames, Function, HELD, Output, TICK_NS, VifIndex};
pub use run::{Exit, Platform, run};

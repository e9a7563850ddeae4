//! Split virtqueues in bursts, device side and driver side, for untrusted peers (VIRTIO 1.2, 2.7).
//!
//! For the network rings of a machine: [`Receiveq`] and [`Transmitq`] are the device's halves
//! (host), [`DriverQueue`] is the driver's half (guest, or a host thread that plays the guest).
//! All addresses of a queue are checked once, when the queue is made; what the peer writes later
//! (indices, descriptors, lengths) is a claim that is checked at each use.
//!
//! This crate must never panic on what a peer wrote, touch memory outside of the [`Ram`] it was
//! given, do unbounded work for one call, or allocate, lock, log or call the system per frame.
//! General devices (console, block) are better served by the `virtio-queue` crate.
//!
//! ```
//! use pinode_virtqueue::{DriverQueue, QueueLayout, Ram, Transmitq};
//!
//! let mut memory = vec![0u128; 64 * 1024 / 16];
//! // SAFETY: `memory` outlives both queues and nothing else touches it.
//! let ram = unsafe { Ram::new(memory.as_mut_ptr().cast(), 64 * 1024) };
//! let layout = QueueLayout::contiguous(0x1000, 256, true);
//! let mut driver = DriverQueue::new(ram, &layout)?;
//! let mut device = Transmitq::new(ram, &layout)?;
//!
//! // The driver sends 12 octets of virtio_net_hdr and a frame of 60 octets.
//! driver.post(7, 0x8000, 12 + 60, false)?;
//! driver.publish();
//!
//! // The device copies it out and gives the buffer back.
//! let mut frames = Vec::new();
//! device.harvest(64, |frame| frames.push(frame))?;
//! let mut copy = [0; 60];
//! device.read(&frames[0], 0, &mut copy)?;
//! device.complete(frames[0]);
//! device.publish();
//!
//! let mut done = Vec::new();
//! driver.take(64, |token, _len| done.push(token))?;
//! assert_eq!(done, [7]);
//! # Ok::<(), pinode_virtqueue::QueueError>(())
//! ```

#![no_std]

extern crate alloc;

mod device;
mod driver;
mod error;
mod index;
mod layout;
mod split;
#[allow(unsafe_code)]
mod unsafe_ram;

pub use device::{
    HARVEST_DESCRIPTORS, Harvest, MAX_FRAME, MAX_MALFORMED, MAX_SEGMENTS, MIN_FRAME, Receiveq,
    Transmitq, TxFrame,
};
pub use driver::DriverQueue;
pub use error::{Area, QueueError, Refused};
pub use layout::{Extent, MAX_SIZE, NET_HEADER, QueueLayout, RingOctets};
pub use unsafe_ram::Ram;

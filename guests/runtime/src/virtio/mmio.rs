//! The MMIO transport from the driver's side (VIRTIO 1.2, 4.2) and the start of a device (3.1.1).
//!
//! Each register access leaves the machine, which can cost 65 us: nothing here belongs on the way of a
//! frame, and interrupts are not acknowledged (4.2.3.5): they are edges, and nobody reads the status.

use pinode_virtqueue::{DriverQueue, QueueError, QueueLayout, RingOctets};

use crate::unsafe_arena::{Arena, OutOfMemory};

/// VIRTIO_F_EVENT_IDX (2.7.10).
pub const F_EVENT_IDX: u64 = 1 << 29;
/// VIRTIO_F_VERSION_1 (6).
pub const F_VERSION_1: u64 = 1 << 32;

const MAGIC: u32 = 0x7472_6976;
const STATUS_ACKNOWLEDGE: u32 = 1;
const STATUS_DRIVER: u32 = 2;
const STATUS_DRIVER_OK: u32 = 4;
const STATUS_FEATURES_OK: u32 = 8;
const STATUS_FAILED: u32 = 128;

/// Offsets of the registers (4.2.2).
mod at {
    pub const MAGIC: u32 = 0x000;
    pub const VERSION: u32 = 0x004;
    pub const DEVICE_ID: u32 = 0x008;
    pub const DEVICE_FEATURES: u32 = 0x010;
    pub const DEVICE_FEATURES_SEL: u32 = 0x014;
    pub const DRIVER_FEATURES: u32 = 0x020;
    pub const DRIVER_FEATURES_SEL: u32 = 0x024;
    pub const QUEUE_SEL: u32 = 0x030;
    pub const QUEUE_NUM_MAX: u32 = 0x034;
    pub const QUEUE_NUM: u32 = 0x038;
    pub const QUEUE_READY: u32 = 0x044;
    pub const QUEUE_NOTIFY: u32 = 0x050;
    pub const STATUS: u32 = 0x070;
    pub const QUEUE_DESC: u32 = 0x080;
    pub const QUEUE_DRIVER: u32 = 0x090;
    pub const QUEUE_DEVICE: u32 = 0x0a0;
    pub const CONFIG: u32 = 0x100;
}

/// The registers of one device, 32 bits wide.
pub trait Registers {
    /// Reads the register at `offset`.
    fn read(&self, offset: u32) -> u32;
    /// Writes the register at `offset`.
    fn write(&mut self, offset: u32, value: u32);
}

/// Why a device could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// There is no virtio device there, or one of another version.
    #[error("no virtio-mmio device of version 2: magic {magic:#x}, version {version}")]
    Absent {
        /// MagicValue.
        magic: u32,
        /// Version.
        version: u32,
    },
    /// It is another kind of device.
    #[error("device id {found} where {expected} was expected")]
    Kind {
        /// Device id found.
        found: u32,
        /// Device id expected.
        expected: u32,
    },
    /// It lacks a feature the runtime cannot do without, or refused the choice.
    #[error("features {offered:#x} offered; {needed:#x} are needed")]
    Features {
        /// Features offered.
        offered: u64,
        /// Features needed.
        needed: u64,
    },
    /// A queue is missing or too small.
    #[error("queue {queue} has room for {most} descriptors; at least {least} are needed")]
    QueueSize {
        /// Queue number.
        queue: u16,
        /// QueueNumMax.
        most: u32,
        /// Least that will do.
        least: u16,
    },
    /// No memory for a queue.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// A queue was refused.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The device did not carry out a command.
    #[error("command of class {class} failed with {answer}")]
    Command {
        /// Class of the command (5.1.6.5).
        class: u8,
        /// Its answer.
        answer: u8,
    },
}

/// A device being started, or in use.
#[derive(Debug)]
pub struct Device<R> {
    registers: R,
    features: u64,
}

/// Least descriptors a queue must offer.
const LEAST: u16 = 4;

impl<R: Registers> Device<R> {
    /// Resets the device and agrees on features: all of `needed`, and those of `wanted` it offers.
    ///
    /// # Errors
    ///
    /// It is no device of kind `id`, or does not offer what is needed.
    pub fn open(mut registers: R, id: u32, needed: u64, wanted: u64) -> Result<Self, DeviceError> {
        let (magic, version) = (registers.read(at::MAGIC), registers.read(at::VERSION));
        if magic != MAGIC || version != 2 {
            return Err(DeviceError::Absent { magic, version });
        }
        let found = registers.read(at::DEVICE_ID);
        if found != id {
            return Err(DeviceError::Kind {
                found,
                expected: id,
            });
        }
        registers.write(at::STATUS, 0);
        // A reset is done when the status reads zero (2.4.1).
        while registers.read(at::STATUS) != 0 {}
        registers.write(at::STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
        registers.write(at::DEVICE_FEATURES_SEL, 1);
        let high = registers.read(at::DEVICE_FEATURES);
        registers.write(at::DEVICE_FEATURES_SEL, 0);
        let offered = u64::from(high) << 32 | u64::from(registers.read(at::DEVICE_FEATURES));
        let needed = needed | F_VERSION_1;
        let features = offered & (needed | wanted);
        registers.write(at::DRIVER_FEATURES_SEL, 1);
        registers.write(at::DRIVER_FEATURES, (features >> 32) as u32);
        registers.write(at::DRIVER_FEATURES_SEL, 0);
        registers.write(at::DRIVER_FEATURES, features as u32);
        let status = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK;
        registers.write(at::STATUS, status);
        let agreed = registers.read(at::STATUS) & STATUS_FEATURES_OK != 0;
        if features & needed != needed || !agreed {
            registers.write(at::STATUS, STATUS_FAILED);
            return Err(DeviceError::Features { offered, needed });
        }
        Ok(Device {
            registers,
            features,
        })
    }

    /// Whether all features of `mask` were agreed on.
    pub fn has(&self, mask: u64) -> bool {
        self.features & mask == mask
    }

    /// A 32-bit word of the configuration space, `offset` a multiple of 4. For fields that never change.
    pub fn config(&self, offset: u32) -> u32 {
        self.registers.read(at::CONFIG + offset)
    }

    /// Sets up `queue` with as many descriptors as it has, at most `most`, in memory of `arena`.
    ///
    /// # Errors
    ///
    /// The device has no such queue or it is too small; no memory.
    pub fn layout(
        &mut self,
        arena: &mut Arena,
        queue: u16,
        most: u16,
    ) -> Result<QueueLayout, DeviceError> {
        self.registers.write(at::QUEUE_SEL, u32::from(queue));
        let room = self.registers.read(at::QUEUE_NUM_MAX);
        let size = u16::try_from(room.min(u32::from(most))).unwrap_or(most);
        if size < LEAST {
            return Err(DeviceError::QueueSize {
                queue,
                most: room,
                least: LEAST,
            });
        }
        // Sizes are powers of two (2.7): the largest that fits.
        let size = 1 << size.ilog2();
        let needs = RingOctets::of(size);
        let octets = needs.desc.octets + needs.avail.octets + needs.used.octets + 128;
        let base = arena.allocate(octets, 4096)?;
        let layout = QueueLayout::contiguous(base, size, self.has(F_EVENT_IDX));
        self.registers.write(at::QUEUE_NUM, u32::from(size));
        for (register, address) in [
            (at::QUEUE_DESC, layout.desc),
            (at::QUEUE_DRIVER, layout.avail),
            (at::QUEUE_DEVICE, layout.used),
        ] {
            self.registers.write(register, address as u32);
            self.registers.write(register + 4, (address >> 32) as u32);
        }
        Ok(layout)
    }

    /// Sets up `queue` and gives the driver's half of it.
    ///
    /// # Errors
    ///
    /// As [`layout`](Self::layout).
    pub fn queue(
        &mut self,
        arena: &mut Arena,
        queue: u16,
        most: u16,
    ) -> Result<DriverQueue, DeviceError> {
        let layout = self.layout(arena, queue, most)?;
        let driver = DriverQueue::new(arena.ram(), &layout)?;
        self.ready();
        Ok(driver)
    }

    /// As [`queue`](Self::queue), for frames to be sent: each goes out under the same empty
    /// `virtio_net_hdr` (VIRTIO 1.2, 5.1.6.2).
    ///
    /// # Errors
    ///
    /// As [`layout`](Self::layout).
    pub fn headed_queue(
        &mut self,
        arena: &mut Arena,
        queue: u16,
        most: u16,
    ) -> Result<DriverQueue, DeviceError> {
        let layout = self.layout(arena, queue, most)?;
        let driver = arena.headed(&layout)??;
        self.ready();
        Ok(driver)
    }

    /// Lets the device use the queue set up last.
    pub fn ready(&mut self) {
        self.registers.write(at::QUEUE_READY, 1);
    }

    /// The driver is ready: the device lives.
    pub fn start(&mut self) {
        let status = STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK;
        self.registers.write(at::STATUS, status);
    }

    /// Kicks `queue` (4.2.3.3).
    #[inline]
    pub fn notify(&mut self, queue: u16) {
        self.registers.write(at::QUEUE_NOTIFY, u32::from(queue));
    }
}

//! Starting a virtio-net device (VIRTIO 1.2, 5.1) with all its queue pairs.
//!
//! No offloads, one buffer a frame (no MRG_RXBUF), the function's frames as they are. MAC and MTU come
//! with the guest's configuration, so the configuration space is read for the queue pairs only.

use alloc::vec::Vec;

use super::mmio::{Device, DeviceError, F_EVENT_IDX, Registers};
use crate::unsafe_arena::Arena;
use crate::vif::{Direction, Queues};

const DEVICE_ID: u32 = 1;
const F_CTRL_VQ: u64 = 1 << 17;
const F_MQ: u64 = 1 << 22;
/// Largest ring used.
const MOST: u16 = 4096;
/// `max_virtqueue_pairs` in the configuration space (5.1.4): the low half of the word.
const CONFIG_PAIRS: u32 = 8;
/// VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET (5.1.6.5.5).
const CLASS_MQ: u8 = 4;
const VQ_PAIRS_SET: u8 = 0;
const ANSWER_OK: u8 = 0;

/// A started net device; its rings are with the [`crate::vif::Net`].
#[derive(Debug)]
pub struct NetDevice<R> {
    device: Device<R>,
}

impl<R: Registers> NetDevice<R> {
    /// Starts the device; gives its queue pairs in order.
    ///
    /// # Errors
    ///
    /// It is no net device, or memory is short.
    pub fn start(registers: R, arena: &mut Arena) -> Result<(Self, Vec<Queues>), DeviceError> {
        let wanted = F_EVENT_IDX | F_MQ | F_CTRL_VQ;
        let mut device = Device::open(registers, DEVICE_ID, 0, wanted)?;
        let multiqueue = device.has(F_MQ | F_CTRL_VQ);
        // Fits: masked to 16 bits. A device of ours has at most 64.
        let offered = device.config_pairs(multiqueue);
        let mut queues = Vec::with_capacity(usize::from(offered));
        for pair in 0..offered {
            queues.push(Queues {
                receive: device.queue(arena, 2 * pair, MOST)?,
                transmit: device.headed_queue(arena, 2 * pair + 1, 2 * MOST)?,
            });
        }
        if offered > 1 {
            let control = 2 * offered;
            let layout = device.layout(arena, control, 8)?;
            let command = Command::prepare(arena, layout, offered)?;
            device.ready();
            device.start();
            command.run(&mut device, control)?;
        } else {
            device.start();
        }
        Ok((NetDevice { device }, queues))
    }

    /// Kicks a queue of `pair`.
    #[inline]
    pub fn kick(&mut self, pair: usize, direction: Direction) {
        // Fits: pairs are counted by a u16.
        let queue = 2 * pair as u16 + u16::from(direction == Direction::Transmit);
        self.device.notify(queue);
    }
}

impl<R: Registers> Device<R> {
    fn config_pairs(&self, multiqueue: bool) -> u16 {
        if multiqueue {
            (self.config(CONFIG_PAIRS) as u16).clamp(1, 64)
        } else {
            1
        }
    }
}

/// One command on the control queue, written by hand: it is a chain of two descriptors, and sent once.
struct Command {
    ram: pinode_virtqueue::Ram,
    layout: pinode_virtqueue::QueueLayout,
    answer: u64,
}

impl Command {
    /// Puts "use `pairs` queue pairs" on the queue at `layout`.
    fn prepare(
        arena: &mut Arena,
        layout: pinode_virtqueue::QueueLayout,
        pairs: u16,
    ) -> Result<Self, DeviceError> {
        // Clears the rings; what is written below is for one round only.
        pinode_virtqueue::DriverQueue::new(arena.ram(), &layout)?;
        let place = arena.allocate(64, 64)?;
        let (ram, answer) = (arena.ram(), place + 8);
        let [low, high] = pairs.to_le_bytes();
        let write = |address: u64, octets: &[u8]| ram.write(address, octets).is_some();
        let descriptor = |address: u64, len: u32, flags: u16, next: u16| {
            let mut octets = [0u8; 16];
            octets[..8].copy_from_slice(&address.to_le_bytes());
            octets[8..12].copy_from_slice(&len.to_le_bytes());
            octets[12..14].copy_from_slice(&flags.to_le_bytes());
            octets[14..].copy_from_slice(&next.to_le_bytes());
            octets
        };
        let written = write(place, &[CLASS_MQ, VQ_PAIRS_SET, low, high])
            && write(answer, &[u8::MAX])
            && write(layout.desc, &descriptor(place, 4, 1, 1))
            && write(layout.desc + 16, &descriptor(answer, 1, 2, 0))
            && write(layout.avail, &[1, 0, 1, 0, 0, 0]);
        let failed = DeviceError::Command {
            class: CLASS_MQ,
            answer: u8::MAX,
        };
        written
            .then_some(Command {
                ram,
                layout,
                answer,
            })
            .ok_or(failed)
    }

    fn run<R: Registers>(self, device: &mut Device<R>, queue: u16) -> Result<(), DeviceError> {
        device.notify(queue);
        let mut used = [0u8; 2];
        while used != [1, 0] {
            core::hint::spin_loop();
            if self.ram.read(self.layout.used + 2, &mut used).is_none() {
                break;
            }
        }
        let mut answer = [u8::MAX];
        let read = self.ram.read(self.answer, &mut answer);
        if read.is_none() || answer != [ANSWER_OK] {
            return Err(DeviceError::Command {
                class: CLASS_MQ,
                answer: answer[0],
            });
        }
        Ok(())
    }
}

//! What can be wrong with a queue: in its configuration, or in what its peer wrote.
//!
//! Must never carry bytes of the peer other than the numbers that were refused.

use core::fmt;

/// One of the three areas of a split virtqueue (VIRTIO 1.2, 2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// Descriptor table (2.7.5).
    Descriptors,
    /// Available ring, "driver area" (2.7.6).
    Available,
    /// Used ring, "device area" (2.7.8).
    Used,
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Area::Descriptors => "descriptor table",
            Area::Available => "available ring",
            Area::Used => "used ring",
        })
    }
}

/// Why a queue cannot be made, or is broken.
///
/// Of a queue in use this means: broken for good, the device needs a reset (2.1.2). The queue
/// remembers it and returns it from every later call. The exceptions are [`RingFull`],
/// [`EmptyBuffer`] and [`ReadBeyondFrame`], and [`BufferOutside`] of
/// [`DriverQueue::post`](crate::DriverQueue::post), which are the caller's own mistakes and leave
/// the queue as it was.
///
/// [`RingFull`]: QueueError::RingFull
/// [`EmptyBuffer`]: QueueError::EmptyBuffer
/// [`ReadBeyondFrame`]: QueueError::ReadBeyondFrame
/// [`BufferOutside`]: QueueError::BufferOutside
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// The queue size is not allowed (2.7).
    #[error("queue size {size}: must be a power of two from 1 to 32768")]
    Size {
        /// Size asked for.
        size: u16,
    },
    /// An area is not aligned (2.7).
    #[error("{area} at {addr:#x}: must be aligned to {align} octets")]
    Misaligned {
        /// Which area.
        area: Area,
        /// Its guest-physical address.
        addr: u64,
        /// Alignment required, octets.
        align: u64,
    },
    /// An area is not all in RAM.
    #[error("{area} at {addr:#x}, {octets} octets: must lie in RAM, 0 to {ram:#x}")]
    AreaOutside {
        /// Which area.
        area: Area,
        /// Its guest-physical address.
        addr: u64,
        /// Its length, octets.
        octets: u64,
        /// Octets of RAM.
        ram: u64,
    },
    /// Two areas share octets.
    #[error("{first} at {first_addr:#x} and {second} at {second_addr:#x} overlap")]
    Overlap {
        /// One area.
        first: Area,
        /// Its guest-physical address.
        first_addr: u64,
        /// The other area.
        second: Area,
        /// Its guest-physical address.
        second_addr: u64,
    },
    /// The driver made more available than there are free descriptors, or went back (2.7.6).
    #[error(
        "available index {idx}: {outstanding} of {size} entries are in the device's hands and \
         {next} is next, so {next} to {next} + {size} - {outstanding} (mod 65536) is allowed"
    )]
    AvailIndex {
        /// The driver's index.
        idx: u16,
        /// The next entry the device will take.
        next: u16,
        /// Entries taken and not yet given back.
        outstanding: u16,
        /// Queue size.
        size: u16,
    },
    /// The available ring names a descriptor that does not exist.
    #[error("available ring names descriptor {head}: the queue has {size}")]
    HeadIndex {
        /// Index found.
        head: u16,
        /// Queue size.
        size: u16,
    },
    /// A chain goes on at a descriptor that does not exist.
    #[error("chain of descriptor {head} goes on at {next}: the queue has {size}")]
    NextIndex {
        /// Head of the chain.
        head: u16,
        /// Index found.
        next: u16,
        /// Queue size.
        size: u16,
    },
    /// An indirect descriptor without VIRTIO_F_INDIRECT_DESC (2.7.5.3).
    #[error("chain of descriptor {head} has an indirect descriptor: not negotiated")]
    Indirect {
        /// Head of the chain.
        head: u16,
    },
    /// A descriptor of the wrong direction: device-writable on transmit, or readable on receive.
    #[error("chain of descriptor {head} is device-{}, the queue needs the opposite", if *writable { "writable" } else { "readable" })]
    Direction {
        /// Head of the chain.
        head: u16,
        /// Direction found.
        writable: bool,
    },
    /// A chain loops or is too long; or a receive buffer is so small that a frame takes too many.
    #[error("chain of descriptor {head} has more than {limit} descriptors for one frame")]
    ChainTooLong {
        /// Head of the chain.
        head: u16,
        /// The most that is allowed.
        limit: u16,
    },
    /// A buffer is not all in RAM.
    #[error(
        "buffer of descriptor {head} at {addr:#x}, {len} octets: must lie in RAM, 0 to {ram:#x}"
    )]
    BufferOutside {
        /// Head of the chain (of a post: the descriptor that would have been taken).
        head: u16,
        /// Guest-physical address.
        addr: u64,
        /// Length, octets.
        len: u64,
        /// Octets of RAM.
        ram: u64,
    },
    /// A receive buffer cannot hold what it has to (5.1.6.3.1).
    #[error("receive buffer of descriptor {head} holds {have} octets: {need} needed")]
    BufferTooSmall {
        /// Head of the chain.
        head: u16,
        /// Octets it holds.
        have: u32,
        /// Octets it must hold.
        need: u32,
    },
    /// Too many chains in a row that hold no frame, with none between that does.
    #[error(
        "more than {limit} chains in a row, the last of descriptor {head}, held no frame: behind \
         virtio_net_hdr there must be 14 to 65549 octets"
    )]
    NoFrames {
        /// Head of the last chain.
        head: u16,
        /// The most that are allowed.
        limit: u16,
    },
    /// The driver shortened a frame's chain after it was harvested.
    #[error("chain of descriptor {head} no longer holds the {len} octets it was harvested with")]
    FrameChanged {
        /// Head of the chain.
        head: u16,
        /// Octets of the frame at harvest.
        len: u32,
    },
    /// A read beyond the frame (the caller's mistake).
    #[error("read of {len} octets at {offset} of a frame of {frame} octets")]
    ReadBeyondFrame {
        /// Offset asked for, octets.
        offset: u32,
        /// Octets asked for.
        len: u32,
        /// Octets of the frame.
        frame: u32,
    },
    /// The device used more than is in its hands, or went back (2.7.8).
    #[error("used index {idx}: {next} is next and {in_flight} buffers are in flight")]
    UsedIndex {
        /// The device's index.
        idx: u16,
        /// The next entry the driver will take.
        next: u16,
        /// Buffers the device may use.
        in_flight: u16,
    },
    /// The used ring names a descriptor that is not in flight.
    #[error("used ring names descriptor {id}, which is not in flight")]
    UsedId {
        /// Index found.
        id: u32,
    },
    /// The device claims to have written more than the buffer holds.
    #[error("used ring gives {len} octets for descriptor {id}, whose buffer holds {posted}")]
    UsedLength {
        /// Descriptor.
        id: u32,
        /// Octets claimed.
        len: u32,
        /// Octets of the buffer.
        posted: u32,
    },
    /// Every descriptor is in flight (the caller's mistake: see `free()`).
    #[error("all {size} descriptors are in flight")]
    RingFull {
        /// Queue size.
        size: u16,
    },
    /// A buffer of no octets cannot be posted (the caller's mistake).
    #[error("a buffer of 0 octets cannot be posted")]
    EmptyBuffer,
}

/// Why a frame was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The driver has not made enough buffers available; later there may be.
    #[error("the driver has no buffer available")]
    Full,
    /// The queue is broken.
    #[error(transparent)]
    Broken(#[from] QueueError),
}

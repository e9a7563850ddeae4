//! The receive ring of a packet socket, shared with the kernel (packet(7), PACKET_RX_RING, TPACKET_V2).
//!
//! Unsafe: the ring is a mapping the kernel writes to. A frame belongs to the kernel until its status
//! word says TP_STATUS_USER (read with Acquire), and to this process until the word is set back to
//! TP_STATUS_KERNEL (stored with Release). Slices are handed out for frames of this process only.
//! Must never trust an offset or length in the ring beyond the frame's own place.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::unsafe_socket::set_option;
use crate::segment::Offload;

/// What the kernel puts in front of a frame, at most: the ring header, the address, the offload header,
/// alignment.
const HEAD_OCTETS: usize = 128;
/// A block is one physically contiguous piece for the kernel.
const BLOCK_OCTETS: usize = 64 << 10;

/// Shape of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RingConfig {
    pub(super) frame_octets: usize,
    pub(super) frames: usize,
}

impl RingConfig {
    /// A ring of about `octets` for frames of up to `slot_octets`.
    pub(super) fn new(octets: usize, slot_octets: usize) -> Self {
        // The longest frame of the MTU leaves a rest in its slot; 2048 hold that of 1500 and the head.
        let need = if slot_octets <= 2048 {
            2048
        } else {
            slot_octets + HEAD_OCTETS
        };
        let frame_octets = need.next_power_of_two();
        let blocks = (octets / BLOCK_OCTETS).max(1);
        Self {
            frame_octets,
            frames: blocks * (BLOCK_OCTETS / frame_octets).max(1),
        }
    }
}

/// A frame of this process in the ring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived {
    frame: usize,
    start: usize,
    len: usize,
    /// The whole of it waits in the socket; here is its beginning.
    pub(super) copied: bool,
    /// TPID and TCI of the tag that the kernel took out.
    pub(super) tag: Option<[u16; 2]>,
}

impl Arrived {
    /// Takes `octets` in front of the frame into it. False: they are not the frame's own.
    pub(super) fn grow_front(&mut self, octets: usize) -> bool {
        if self.start < size_of::<libc::tpacket2_hdr>() + octets {
            return false;
        }
        self.start -= octets;
        self.len += octets;
        true
    }
}

/// The mapped ring and its socket.
pub(super) struct RxRing {
    socket: OwnedFd,
    base: NonNull<u8>,
    config: RingConfig,
    next: usize,
    held: usize,
}

// SAFETY: the mapping belongs to this value alone and is not bound to a thread.
unsafe impl Send for RxRing {}

impl RxRing {
    pub(super) fn new(socket: OwnedFd, config: RingConfig) -> io::Result<Self> {
        let octets = config.frames * config.frame_octets;
        let request = libc::tpacket_req {
            tp_block_size: BLOCK_OCTETS as u32,
            tp_block_nr: (octets / BLOCK_OCTETS) as u32,
            tp_frame_size: config.frame_octets as u32,
            tp_frame_nr: config.frames as u32,
        };
        set_option(socket.as_fd(), libc::PACKET_RX_RING, &request)?;
        // SAFETY: a fresh mapping of the socket's ring, of the size just requested.
        let base = unsafe {
            mmap(
                std::ptr::null_mut(),
                octets,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                &socket,
                0,
            )?
        };
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            socket,
            base,
            config,
            next: 0,
            held: 0,
        })
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn place(&self, frame: usize) -> NonNull<u8> {
        debug_assert!(frame < self.config.frames);
        // SAFETY: `frame` is below `frames` everywhere (it comes from `next`), so the offset is inside.
        unsafe { self.base.add(frame * self.config.frame_octets) }
    }

    fn status(&self, frame: usize) -> &AtomicU32 {
        // SAFETY: a frame begins with its 32-bit status word, aligned to the page or a power of two of at
        // least 2048; kernel and process access it atomically.
        unsafe { self.place(frame).cast::<AtomicU32>().as_ref() }
    }

    /// True where [`next`](Self::next) has a frame.
    pub(super) fn has_next(&self) -> bool {
        let arrived = self.status(self.next).load(Ordering::Acquire) & libc::TP_STATUS_USER != 0;
        arrived && self.held < self.config.frames
    }

    /// The next frame of this process, in order of arrival.
    pub(super) fn next(&mut self) -> Option<Arrived> {
        if self.held == self.config.frames {
            return None;
        }
        let frame = self.next;
        let status = self.status(frame).load(Ordering::Acquire);
        if status & libc::TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the status said that the frame is this process's; it begins with a tpacket2_hdr, and any
        // bits are a valid one.
        let header = unsafe { self.place(frame).cast::<libc::tpacket2_hdr>().read() };
        self.next = (frame + 1) % self.config.frames;
        self.held += 1;
        let start = usize::from(header.tp_mac).min(self.config.frame_octets);
        let len = (header.tp_snaplen as usize).min(self.config.frame_octets - start);
        let tag = (status & libc::TP_STATUS_VLAN_VALID != 0).then(|| {
            let known = status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
            [
                if known { header.tp_vlan_tpid } else { 0x8100 },
                header.tp_vlan_tci,
            ]
        });
        Some(Arrived {
            frame,
            start,
            len,
            copied: status & libc::TP_STATUS_COPY != 0,
            tag,
        })
    }

    /// Gives every frame handed out back to the kernel.
    pub(super) fn give_back(&mut self) {
        let frames = self.config.frames;
        while self.held > 0 {
            let frame = (self.next + frames - self.held) % frames;
            self.status(frame)
                .store(libc::TP_STATUS_KERNEL, Ordering::Release);
            self.held -= 1;
        }
    }

    fn is_held(&self, frame: usize) -> bool {
        let frames = self.config.frames;
        frame < frames && (self.next + frames - 1 - frame) % frames < self.held
    }

    fn range(&self, frame: usize, start: usize, len: usize) -> &[u8] {
        if !self.is_held(frame) || start + len > self.config.frame_octets {
            return &[];
        }
        // SAFETY: the frame is this process's until `give_back`, which takes &mut self and so ends this
        // loan; start + len is inside its place, checked above.
        unsafe { std::slice::from_raw_parts(self.place(frame).add(start).as_ptr(), len) }
    }

    /// The frame.
    pub(super) fn octets(&self, arrived: &Arrived) -> &[u8] {
        self.range(arrived.frame, arrived.start, arrived.len)
    }

    /// The frame, to be finished in place.
    pub(super) fn octets_mut(&mut self, arrived: &Arrived) -> &mut [u8] {
        let (start, len) = (arrived.start, arrived.len);
        let inside = start >= size_of::<libc::tpacket2_hdr>();
        if !inside || !self.is_held(arrived.frame) || start + len > self.config.frame_octets {
            return &mut [];
        }
        // SAFETY: as in `range`; &mut self excludes any other slice of the ring; the status word is in
        // front of `start`.
        unsafe {
            std::slice::from_raw_parts_mut(self.place(arrived.frame).add(start).as_ptr(), len)
        }
    }

    /// The offload header in front of the frame.
    pub(super) fn in_front(&self, arrived: &Arrived) -> &[u8] {
        match arrived.start.checked_sub(Offload::OCTETS) {
            Some(start) => self.range(arrived.frame, start, Offload::OCTETS),
            None => &[],
        }
    }
}

impl Drop for RxRing {
    fn drop(&mut self) {
        let octets = self.config.frames * self.config.frame_octets;
        // SAFETY: the mapping made in `new`; no slice of it outlives this value.
        if let Err(error) = unsafe { munmap(self.base.as_ptr().cast(), octets) } {
            debug_assert!(false, "munmap of a live mapping: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_hold_whole_frames_in_whole_blocks() {
        for slot_octets in [2048, 2560, 4096, 9216] {
            let config = RingConfig::new(2 << 20, slot_octets);
            assert!(config.frame_octets.is_power_of_two());
            assert!(slot_octets == 2048 || config.frame_octets >= slot_octets + HEAD_OCTETS);
            assert_eq!(BLOCK_OCTETS % config.frame_octets, 0);
            assert_eq!(config.frames * config.frame_octets, 2 << 20);
        }
    }
}

//! One AF_XDP socket with its frame memory (UMEM) and its four rings.
//!
//! Unsafe: frame memory is shared with the kernel in chunks. A chunk is the kernel's from the moment its
//! address is published in the fill or transmit ring until it comes back by the receive or completion
//! ring, and this process's otherwise; each address is in exactly one place at a time. Slices are lent
//! for chunks of this process only. Must never trust an address or length the ring brings beyond the
//! frame memory.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use arrayvec::ArrayVec;
use rustix::io::Errno;
use rustix::net::xdp::{
    SocketAddrXdp, SocketAddrXdpFlags, XDP_PGOFF_RX_RING, XDP_PGOFF_TX_RING,
    XDP_UMEM_PGOFF_COMPLETION_RING, XDP_UMEM_PGOFF_FILL_RING, XdpDesc, XdpDescOptions,
    XdpOptionsFlags, XdpUmemReg, XdpUmemRegFlags,
};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
    sockopt,
};

use super::unsafe_ring::{Consumer, Producer, Ring};
use crate::checksum::complete_if_bare;
use crate::port::{BURST, TxMeta, TxSlots};
use crate::unsafe_area::Area;
use crate::unsafe_option::set_option;

/// System calls that one burst may need: without [`set_budget`](Queue::set_budget) the kernel sends 32
/// frames by one in copy mode.
const KICKS: usize = 8;

/// Shape of a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueConfig {
    pub(super) chunk_octets: usize,
    /// A power of two.
    pub(super) rx_chunks: usize,
    /// A power of two, or 0: the queue does not send.
    pub(super) tx_chunks: usize,
}

impl QueueConfig {
    /// Frame memory, octets.
    pub(super) fn octets(&self) -> usize {
        (self.rx_chunks + self.tx_chunks) * self.chunk_octets
    }
}

/// A socket on one queue of an interface.
pub(super) struct Queue {
    // The socket goes before the memory it was given.
    socket: OwnedFd,
    fill: Producer<u64>,
    rx: Consumer<XdpDesc>,
    tx: Producer<XdpDesc>,
    completion: Consumer<u64>,
    umem: Area,
    chunk_octets: usize,
    received: ArrayVec<XdpDesc, BURST>,
    /// Chunks to send from; the first ones in the order in which they were lent.
    free: Vec<u64>,
    hand: ArrayVec<u64, BURST>,
    in_flight: usize,
    zero_copy: bool,
    /// As the last kick found it.
    link: LinkState,
    tx_lost: u64,
}

/// The interface, as the kernel answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkState {
    Up,
    Down,
    Gone,
}

/// What the kernel answered to a kick.
#[derive(Debug, Clone, Copy, Default)]
struct Kicked {
    /// Frames it consumed and the driver dropped.
    dropped: usize,
    /// It refused the first call, before it looked at the ring: the interface is down or gone.
    refused: bool,
}

impl Queue {
    pub(super) fn new(config: QueueConfig) -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::XDP,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let umem = Area::new(config.octets());
        let registration = XdpUmemReg {
            addr: umem.base().as_ptr().addr() as u64,
            len: config.octets() as u64,
            chunk_size: config.chunk_octets as u32,
            headroom: 0,
            flags: XdpUmemRegFlags::empty(),
            tx_metadata_len: 0,
        };
        sockopt::set_xdp_umem_reg(&socket, registration)?;
        let (rx_size, tx_size) = (config.rx_chunks as u32, config.tx_chunks.max(64) as u32);
        sockopt::set_xdp_umem_fill_ring_size(&socket, rx_size)?;
        sockopt::set_xdp_umem_completion_ring_size(&socket, tx_size)?;
        sockopt::set_xdp_rx_ring_size(&socket, rx_size)?;
        sockopt::set_xdp_tx_ring_size(&socket, tx_size)?;
        let offsets = sockopt::xdp_mmap_offsets(&socket)?;
        let fd = socket.as_fd();
        let mut fill = Producer(Ring::map(
            fd,
            rx_size,
            XDP_UMEM_PGOFF_FILL_RING,
            &offsets.fr,
        )?);
        let completion = Consumer(Ring::map(
            fd,
            tx_size,
            XDP_UMEM_PGOFF_COMPLETION_RING,
            &offsets.cr,
        )?);
        let rx = Consumer(Ring::map(fd, rx_size, XDP_PGOFF_RX_RING, &offsets.rx)?);
        let tx = Producer(Ring::map(fd, tx_size, XDP_PGOFF_TX_RING, &offsets.tx)?);
        let address = |chunk: usize| (chunk * config.chunk_octets) as u64;
        for chunk in 0..config.rx_chunks {
            fill.put(address(chunk));
        }
        fill.publish();
        let sending = config.rx_chunks..config.rx_chunks + config.tx_chunks;
        Ok(Self {
            socket,
            fill,
            rx,
            tx,
            completion,
            umem,
            chunk_octets: config.chunk_octets,
            received: ArrayVec::new(),
            free: sending.rev().map(address).collect(),
            hand: ArrayVec::new(),
            in_flight: 0,
            zero_copy: false,
            link: LinkState::Up,
            tx_lost: 0,
        })
    }

    /// Binds to a queue of an interface; without a native program zero-copy is out of question.
    pub(super) fn bind(&mut self, interface: u32, id: u32, native: bool) -> io::Result<()> {
        let mut flags = SocketAddrXdpFlags::XDP_USE_NEED_WAKEUP;
        if !native {
            flags |= SocketAddrXdpFlags::XDP_COPY;
        }
        bind(&self.socket, &SocketAddrXdp::new(flags, interface, id))?;
        self.set_budget();
        let options = sockopt::xdp_options(&self.socket)?;
        self.zero_copy = options.contains(XdpOptionsFlags::XDP_OPTIONS_ZEROCOPY);
        Ok(())
    }

    /// Lets one system call send a whole burst in copy mode. A kernel before 6.17 does not know the option
    /// and takes a call for 32 frames. (Over veth the rate does not depend on it, the kernel's work for a
    /// frame does. Preferred busy polling costs a fifth of the rate there: benches/af_xdp.rs.)
    fn set_budget(&self) {
        // XDP_MAX_TX_SKB_BUDGET of linux/if_xdp.h.
        const MAX_TX_SKB_BUDGET: i32 = 9;
        let frames = 2 * BURST as u32;
        let _ = set_option(self.socket(), libc::SOL_XDP, MAX_TX_SKB_BUDGET, &frames);
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(super) fn chunk_octets(&self) -> usize {
        self.chunk_octets
    }

    pub(super) fn is_zero_copy(&self) -> bool {
        self.zero_copy
    }

    /// Gives the last burst's chunks back to the kernel.
    pub(super) fn give_back(&mut self) {
        if !self.received.is_empty() {
            for frame in self.received.drain(..) {
                // The ring has a place for every receive chunk there is.
                self.fill
                    .put(frame.addr - frame.addr % self.chunk_octets as u64);
            }
            self.fill.publish();
        }
        if self.fill.needs_wakeup() {
            // The answer says nothing that the rings do not.
            let _ = recv(&self.socket, &mut [0; 0][..], RecvFlags::DONTWAIT);
        }
    }

    /// Gives the last burst's chunks back, collects sent ones, and takes up to `room` received frames.
    pub(super) fn receive(&mut self, room: usize) -> usize {
        self.give_back();
        if self.in_flight > 0 {
            let kicked = self.kick();
            self.tx_lost += kicked.dropped as u64;
            self.collect();
        }
        let room = room.min(self.received.remaining_capacity());
        while self.received.len() < room {
            let Some(frame) = self.rx.take() else { break };
            complete_if_bare(self.chunk_mut(frame.addr, frame.len as usize));
            self.received.push(frame);
        }
        if !self.received.is_empty() {
            self.rx.release();
        }
        self.received.len()
    }

    /// True where the receive ring has a frame.
    pub(super) fn has_received(&self) -> bool {
        self.rx.has_next()
    }

    /// True where frames wait for another kick.
    pub(super) fn has_unsent(&self) -> bool {
        self.tx.pending() > 0 && self.link != LinkState::Gone
    }

    /// Frames of the last [`receive`](Self::receive).
    pub(super) fn received(&self) -> impl Iterator<Item = &[u8]> {
        self.received.iter().map(|frame| {
            let Some(start) = self.inside(frame.addr, frame.len as usize) else {
                return &[][..];
            };
            // SAFETY: inside the frame memory; the chunk came by the receive ring and is this process's
            // until the next `receive`, which takes &mut self and so ends this loan.
            unsafe {
                let first = self.umem.base().add(start);
                std::slice::from_raw_parts(first.as_ptr(), frame.len as usize)
            }
        })
    }

    /// Offset of `len` octets from `address` on, where they are inside one chunk.
    fn inside(&self, address: u64, len: usize) -> Option<usize> {
        let start = usize::try_from(address).ok()?;
        let in_chunk = (start % self.chunk_octets).checked_add(len)? <= self.chunk_octets;
        (in_chunk && start < self.umem.octets()).then_some(start)
    }

    /// Octets of a chunk that is this process's.
    fn chunk_mut(&mut self, address: u64, len: usize) -> &mut [u8] {
        let Some(start) = self.inside(address, len) else {
            return &mut [];
        };
        // SAFETY: inside the frame memory; callers pass chunks just taken from the receive ring; &mut self
        // excludes any other slice.
        unsafe { std::slice::from_raw_parts_mut(self.umem.base().add(start).as_ptr(), len) }
    }

    /// Lends chunks to send from.
    pub(super) fn lend<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        let want = want.min(slots.remaining_capacity()).min(BURST);
        if self.in_flight > 0 && self.hand.len() + self.free.len() < want {
            self.collect();
        }
        while self.hand.len() < want {
            let Some(chunk) = self.free.pop() else { break };
            self.hand.push(chunk);
        }
        for chunk in self.hand.iter().take(want) {
            let Some(start) = self.inside(*chunk, self.chunk_octets) else {
                continue;
            };
            // SAFETY: inside the frame memory; the addresses in hand are distinct whole chunks of this
            // process, and the loan of self lasts as long as the slices.
            slots.push(unsafe {
                let first = self.umem.base().add(start);
                std::slice::from_raw_parts_mut(first.as_ptr(), self.chunk_octets)
            });
        }
    }

    /// Sends the first chunks lent. Stops at a length no frame has. Returns how many went into the
    /// kernel's hands and were not dropped there at once.
    pub(super) fn commit(&mut self, frames: &[TxMeta]) -> usize {
        const ETHERNET_HEADER: usize = 14;
        if self.link != LinkState::Up && self.zero_copy && self.kick().refused {
            return 0;
        }
        let older = self.tx.pending() as usize;
        let mut entered = 0;
        for (chunk, meta) in self.hand.iter().zip(frames) {
            let len = usize::from(meta.len);
            if !(ETHERNET_HEADER..=self.chunk_octets).contains(&len) {
                break;
            }
            let options = XdpDescOptions::empty();
            if !self.tx.put(XdpDesc {
                addr: *chunk,
                len: u32::from(meta.len),
                options,
            }) {
                break;
            }
            entered += 1;
        }
        if entered == 0 {
            return 0;
        }
        self.tx.publish();
        let kicked = self.kick();
        if kicked.refused && !self.zero_copy {
            // In copy mode the kernel looks at the ring in our system calls only, and refused the one that
            // followed `publish`: the entries, and the chunks still in hand, are this process's again.
            self.tx.retract(entered as u32);
            return 0;
        }
        self.hand.drain(..entered);
        self.in_flight += entered;
        // The ring is in order: what was in it before is dropped before what was entered now.
        let fresh = kicked.dropped.saturating_sub(older).min(entered);
        self.tx_lost += (kicked.dropped - fresh) as u64;
        entered - fresh
    }

    /// Wakes the kernel where it waits for that and has something to send.
    fn kick(&mut self) -> Kicked {
        let mut kicked = Kicked::default();
        let mut tries = KICKS;
        while tries > 0 && kicked.dropped < 2 * BURST {
            let pending = self.tx.pending();
            if pending == 0 || !self.tx.needs_wakeup() {
                break;
            }
            let answer = send(&self.socket, &[], SendFlags::DONTWAIT);
            self.link = match answer {
                Err(Errno::NETDOWN) => LinkState::Down,
                Err(Errno::NXIO | Errno::NODEV) => LinkState::Gone,
                _ => LinkState::Up,
            };
            match answer {
                _ if self.link != LinkState::Up => {
                    kicked.refused = tries == KICKS && kicked.dropped == 0;
                    break;
                }
                // Dropped by the driver (no carrier, say), which says so once for each.
                Err(Errno::BUSY) => kicked.dropped += 1,
                // The kernel's own limit to one call, or nothing more for now.
                Err(Errno::AGAIN) | Ok(_) if self.tx.pending() < pending => tries -= 1,
                _ => break,
            }
        }
        kicked
    }

    /// Takes back the chunks the kernel has sent.
    fn collect(&mut self) {
        let mut any = false;
        while let Some(address) = self.completion.take() {
            self.free.push(address - address % self.chunk_octets as u64);
            self.in_flight = self.in_flight.saturating_sub(1);
            any = true;
        }
        if any {
            self.completion.release();
        }
    }

    /// Frames the kernel had for this queue and could not hand over.
    pub(super) fn missed(&self) -> u64 {
        sockopt::xdp_statistics(&self.socket).map_or(0, |s| {
            s.rx_dropped + s.rx_ring_full.unwrap_or(0) + s.rx_fill_ring_empty_descs.unwrap_or(0)
        })
    }

    /// Frames dropped by the driver at a later kick, and what is in the ring of an interface that is gone.
    pub(super) fn tx_lost(&self) -> u64 {
        let stranded = match self.link {
            LinkState::Gone => self.tx.pending(),
            LinkState::Up | LinkState::Down => 0,
        };
        self.tx_lost + u64::from(stranded)
    }
}

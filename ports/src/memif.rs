//! memif: frames through memory shared with another process, as DPDK's net_memif, VPP and libmemif speak it.
//!
//! A control socket (Unix, SOCK_SEQPACKET) carries the handshake: `memif/message.rs` has its messages,
//! `memif/layout.rs` the ring and descriptor in shared memory. The slave makes memory, rings and interrupts, the
//! master maps them; from CONNECTED on, frames pass without a system call. One thread for each interface serves
//! the socket; a port gets whole connections from it by a queue, and frames meet neither lock nor thread.
//!
//! Frames are copied once on each side: out of the ring into memory of this process's own (a reference into
//! memory that a peer may write is unsound in Rust, and what was checked could change), or into the ring. All
//! that the peer writes is a claim; who breaks the protocol is told why (DISCONNECT), and may come again.
//!
//! No frame is lost with a connection: while there is none, [`tx_slots`](Port::tx_slots) gives no slot; what
//! the peer had not read is sent again to the next one; what it had put into the ring is still received.

mod bell;
mod channel;
mod connection;
mod control;
mod handshake;
mod interface;
mod layout;
mod link;
mod master;
mod message;
mod options;
mod receiver;
mod refusal;
mod region;
mod resend;
mod sender;
mod slave;
mod sleep;
#[allow(unsafe_code)] // Memory shared with the peer.
mod unsafe_region;

use std::os::fd::AsFd;
use std::sync::Arc;

use self::connection::Connection;
use self::interface::Interface;
use self::link::Link;
pub use self::options::{MemifError, MemifRole, MemifSpec};
use self::receiver::Arrivals;
use self::resend::Resend;
use self::sleep::Sleep;
use crate::error::PortError;
use crate::port::{BURST, Port, RxBurst, TxMeta, TxSlots, Wake, slot_octets_for};

/// How long a port at rest lets frames wait for which the peer's ring has no room, nanoseconds.
const RETRY_NS: u64 = 100_000;

/// One queue of a memif interface: a ring of each direction.
pub struct MemifPort {
    link: Option<Link>,
    connections: rtrb::Consumer<Arc<Connection>>,
    arrivals: Arrivals,
    /// Slots that the worker fills; the distance keeps them from fighting for the same lines of a cache.
    slots: Box<[u8]>,
    slot_octets: usize,
    resend: Resend,
    sleep: Sleep,
    resting: bool,
    queue: usize,
    missed: u64,
    /// Dropped last of all ports' shares, it ends the thread.
    interface: Arc<Interface>,
}

/// Between the beginnings of two slots, more than a slot.
const APART: usize = 64;

impl MemifPort {
    /// Opens an interface with `queues` ports (1 at least). A master listens from now on; a slave keeps trying.
    ///
    /// # Errors
    /// The socket is in use or cannot be bound, more than 64 queues, or rings beyond 4 GiB.
    pub fn open(spec: &MemifSpec, mtu: u16, queues: usize) -> Result<Vec<Self>, PortError> {
        let slot_octets = slot_octets_for(mtu);
        let (interface, shares) = Interface::open(spec, slot_octets, queues)?;
        let ports = shares.into_iter().enumerate();
        Ok(ports
            .map(|(queue, share)| Self {
                link: None,
                connections: share.connections,
                arrivals: Arrivals::new(slot_octets),
                slots: vec![0; BURST * (slot_octets + APART)].into_boxed_slice(),
                slot_octets,
                resend: Resend::default(),
                sleep: share.sleep,
                resting: false,
                queue,
                missed: 0,
                interface: Arc::clone(&interface),
            })
            .collect())
    }

    /// Whether a peer is connected, as this port knows.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.as_ref().is_some_and(Link::is_open)
    }

    /// Frames that a peer had not read when it went, and that the next one got.
    #[must_use]
    pub fn sent_again(&self) -> u64 {
        self.resend.again()
    }

    /// Keeps up with peers that come and go, and sends again what is left of the last one.
    #[inline]
    fn attend(&mut self) {
        match &mut self.link {
            Some(link) if link.is_open() => {}
            _ => self.change(),
        }
        if !self.resend.is_empty() {
            self.send_again();
        }
    }

    #[cold]
    fn change(&mut self) {
        loop {
            if let Some(link) = &mut self.link {
                if link.is_open() {
                    return;
                }
                link.close(&mut self.resend);
                if !link.is_done() {
                    return;
                }
                self.missed += link.abandoned();
                if let Some(interrupt) = link.interrupt() {
                    self.sleep.remove(interrupt);
                }
            }
            if self.link.take().is_some() {
                self.interface.wake();
            }
            let Ok(connection) = self.connections.pop() else {
                return;
            };
            let link = Link::new(connection, self.queue);
            if let Some(interrupt) = link.interrupt() {
                // The handshake saw that it can be waited for.
                let _ = self.sleep.add(interrupt);
            }
            self.link = Some(link);
        }
    }

    #[cold]
    fn send_again(&mut self) {
        let Some(link) = &mut self.link else {
            return;
        };
        let room = link.room(BURST, self.slot_octets, &mut self.resend);
        if room > 0 {
            self.resend.pass(room, |frame| link.put(frame));
            link.publish();
        }
    }
}

impl Port for MemifPort {
    fn rx_burst<'a>(&'a mut self, _now_ns: u64, burst: &mut RxBurst<'a>) {
        self.attend();
        let Some(link) = &mut self.link else {
            return;
        };
        self.arrivals.clear();
        let want = burst.remaining_capacity();
        if want > 0 {
            link.receive(want, &mut self.arrivals, &mut self.resend);
        }
        self.arrivals.lend(burst);
    }

    fn tx_slots<'a>(&'a mut self, want: usize, slots: &mut TxSlots<'a>) {
        self.attend();
        let want = want.min(slots.remaining_capacity());
        let Some(link) = &mut self.link else {
            return;
        };
        if want == 0 || !self.resend.is_empty() {
            return;
        }
        let room = link.room(want, self.slot_octets, &mut self.resend);
        let stride = self.slot_octets + APART;
        let all = self.slots.chunks_exact_mut(stride).take(room);
        slots.extend(all.filter_map(|slot| slot.get_mut(..self.slot_octets)));
    }

    fn tx_commit(&mut self, frames: &[TxMeta]) -> usize {
        let Some(link) = &mut self.link else {
            return 0;
        };
        let stride = self.slot_octets + APART;
        let filled = self.slots.chunks_exact(stride).zip(frames);
        let mut taken = 0;
        for (slot, meta) in filled {
            // Longer than a slot was offered is not taken.
            match slot.get(..usize::from(meta.len)) {
                Some(frame) if frame.len() <= self.slot_octets && link.put(frame) => taken += 1,
                _ => break,
            }
        }
        if taken > 0 {
            link.publish();
        }
        taken
    }

    fn rest(&mut self, now_ns: u64) -> Wake<'_> {
        self.attend();
        self.resting = true;
        if let Some(link) = &mut self.link {
            if !link.is_open() || link.unmask() {
                return Wake::Frames;
            }
            if !self.resend.is_empty() {
                return Wake::At(now_ns + RETRY_NS);
            }
        }
        Wake::Readable(self.sleep.as_fd())
    }

    fn resume(&mut self) {
        if std::mem::take(&mut self.resting) {
            if let Some(link) = &mut self.link {
                link.mask();
            }
            self.sleep.drain();
        }
    }

    fn slot_octets(&self) -> usize {
        self.slot_octets
    }

    fn describe(&self) -> String {
        self.interface.describe(self.queue)
    }

    fn missed(&mut self) -> u64 {
        self.missed + self.link.as_ref().map_or(0, |link| link.abandoned())
    }
}

#[cfg(test)]
mod reconnect_tests;
#[cfg(test)]
#[path = "memif_tests.rs"]
mod tests;

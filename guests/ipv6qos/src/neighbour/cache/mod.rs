//! The neighbour cache (RFC 4861 5.1) of all interfaces: what is known of who is next on a link.
//!
//! ```text
//! mod       look-up, making and forgetting entries, limits
//! room      who makes room for a new entry
//! share     what each virtual network may have of them
//! asking    which new addresses may be asked for
//! machine   what a packet or message does to an entry (RFC 4861 7.2, 7.3.3, appendix C)
//! timers    what time does to it
//! hop       what a frame needs of an entry
//! queue     entries in the order of their timers
//! held      frames that wait
//! list      entries as they are shown, flushed
//! ```
//!
//! All memory is allocated when it is made. A quarter of the entries is for addresses that are being asked for or
//! did not answer, the rest for neighbours with a MAC address: however many addresses are asked for in vain, no
//! neighbour is forgotten for them (RFC 6583 6 and 7). What a node says of itself unasked takes no place of one that
//! answered. Of both parts, and of the frames that wait, half is divided among the virtual networks in use: no
//! network can take what is kept for another, neither by what is asked for nor by neighbours that it keeps alive.

mod asking;
mod held;
mod hop;
mod list;
mod machine;
mod queue;
mod room;
mod share;
mod timers;

use alloc::vec::Vec;

use super::outbox::{Fate, Outbox};
use super::random::Random;
use crate::control::view::Reachability;
use crate::vn::{InterfaceId, VNS, Vn};

use asking::Asking;
use held::{Pool, Waiting};
use queue::{NONE, Queues};
use share::Share;

pub use asking::{ASKED, ASKER, Asker};
pub use held::{PER_NEIGHBOUR, PER_NEIGHBOUR_CROWDED};
pub use hop::Hop;
pub use list::{Filter, Listed};
pub use machine::{Full, Question};

/// Time between solicitations, nanoseconds: RetransTimer (RFC 4861 10).
pub const RETRANS_NS: u64 = 1_000_000_000;
/// Solicitations before an address is given up: `MAX_MULTICAST_SOLICIT` and `MAX_UNICAST_SOLICIT`.
pub const SOLICITATIONS: u8 = 3;
/// Time for upper layers to say that a neighbour is there, before it is asked: `DELAY_FIRST_PROBE_TIME`.
pub const DELAY_NS: u64 = 5_000_000_000;
/// `REACHABLE_TIME`; the time used is drawn from half to one and a half of it (RFC 4861 6.3.2).
pub const REACHABLE_NS: u64 = 30_000_000_000;
/// How long packets to an address that did not answer are refused without asking again.
pub const FAILED_NS: u64 = 3_000_000_000;
/// How long a neighbour that nothing is sent to is kept.
pub const STALE_NS: u64 = 3_600_000_000_000;
/// The same of one that never answered us.
pub const GLEANED_NS: u64 = 600_000_000_000;

/// A neighbour's place in the cache: good until something else is told to the cache. To keep it longer, see
/// [`Hop::is`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighbourId(u32);

/// What is needed of a neighbour now and then.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// In this state since.
    since_ns: u64,
    /// Its timer was started.
    timer_ns: u64,
    waiting: Waiting,
    /// Solicitations sent in this state.
    asked: u8,
}

impl Entry {
    const FREE: Self = Entry {
        since_ns: 0,
        timer_ns: 0,
        waiting: Waiting::NOBODY,
        asked: 0,
    };
}

/// What became of entries and frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Addresses that were asked for.
    pub asked: u64,
    /// Of these, those that answered.
    pub resolved: u64,
    /// Those that did not.
    pub failed: u64,
    /// Packets whose next hop was not asked for: too many were.
    pub refused: u64,
    /// Entries that gave their place to others.
    pub displaced: u64,
    /// Frames that gave their place to later ones.
    pub overflow: u64,
    /// What nodes said unasked and there was no place for.
    pub unlearned: u64,
}

/// Queues of entries of a virtual network, one for each state and one more.
mod order {
    pub(super) const INCOMPLETE: usize = 0;
    pub(super) const FAILED: usize = 1;
    pub(super) const REACHABLE: usize = 2;
    pub(super) const STALE: usize = 3;
    pub(super) const GLEANED: usize = 4;
    pub(super) const DELAY: usize = 5;
    pub(super) const PROBE: usize = 6;
    pub(super) const PERMANENT: usize = 7;
    pub(super) const QUEUES: usize = 8;
}

/// The neighbour cache. `F` is a frame that waits, and what its owner wants to know of it.
#[derive(Debug)]
pub struct Cache<F> {
    hops: Vec<Hop>,
    entries: Vec<Entry>,
    /// First entry of each hash.
    heads: Vec<u32>,
    free: Vec<u32>,
    queues: Queues,
    /// Entries with a MAC address, and without.
    resolved: Share,
    unresolved: Share,
    /// Virtual networks in use.
    networks: arrayvec::ArrayVec<Vn, VNS>,
    /// Which of them comes first in the next tick.
    turn: usize,
    held: Pool<F>,
    asking: Asking,
    keys: [u64; 3],
    reachable_ns: u64,
    redraw_ns: u64,
    random: Random,
    flushes: arrayvec::ArrayVec<list::Flush, 4>,
    counts: Counts,
}

impl<F> Cache<F> {
    /// Octets of memory that a cache of so many entries and interfaces takes.
    pub const fn memory(neighbours: u32, held: u16, interfaces: usize) -> usize {
        let entry = size_of::<Hop>() + size_of::<Entry>() + 4 + 4 * 4;
        neighbours as usize * entry
            + Queues::memory(VNS * order::QUEUES, neighbours as usize)
            + held as usize * (size_of::<F>() + 32)
            + Asking::memory(interfaces)
            + 4096
    }

    /// An empty cache for `neighbours` entries and `held` frames, of interfaces whose [`InterfaceId::index`] is
    /// below `interfaces`.
    pub fn new(neighbours: u32, held: u16, interfaces: usize, seed: u64) -> Self {
        let entries = neighbours as usize;
        let heads = (entries * 2).next_power_of_two();
        let unresolved = (neighbours / 4).max(1).min(neighbours);
        let mut random = Random::new(seed);
        let keys = [random.next(), random.next() | 1, random.next() | 1];
        let mut cache = Cache {
            hops: alloc::vec![Hop::FREE; entries],
            entries: alloc::vec![Entry::FREE; entries],
            heads: alloc::vec![NONE; heads],
            free: (0..neighbours).rev().collect(),
            queues: Queues::new(VNS * order::QUEUES, entries),
            resolved: Share::new(neighbours - unresolved),
            unresolved: Share::new(unresolved),
            networks: arrayvec::ArrayVec::new(),
            turn: 0,
            held: Pool::new(held),
            asking: Asking::new(interfaces, [random.next(), random.next()]),
            keys,
            reachable_ns: REACHABLE_NS,
            redraw_ns: 0,
            random,
            flushes: arrayvec::ArrayVec::new(),
            counts: Counts::default(),
        };
        cache.draw_reachable(0);
        cache
    }

    /// What became of entries and frames.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Entries there are: with a MAC address, and without.
    pub fn len(&self) -> (u32, u32) {
        (self.resolved.len(), self.unresolved.len())
    }

    /// Frames that wait.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The neighbour of this address on the link of `interface`.
    #[inline]
    pub fn find(&self, interface: InterfaceId, address: u128) -> Option<NeighbourId> {
        let mut at = *self.heads.get(self.bucket(interface, address))?;
        // Entries of a chain are all different: this ends.
        while let Some(hop) = self.hops.get(at as usize) {
            if hop.address == address && hop.interface == interface {
                return Some(NeighbourId(at));
            }
            at = hop.chain;
        }
        None
    }

    /// What a frame needs of a neighbour.
    #[inline]
    pub fn hop(&self, id: NeighbourId) -> &Hop {
        self.hops.get(id.0 as usize).unwrap_or(&Hop::FREE)
    }

    /// A frame was sent to the neighbour: to be called at least where it [is stale](Hop::is_stale).
    #[inline]
    pub fn used(&mut self, now_ns: u64, id: NeighbourId) {
        if self.hop(id).is_stale() {
            self.change(now_ns, id.0, Reachability::Delay);
        }
    }

    /// Which chain an address is in: a keyed hash that costs two multiplications, as long as the key is secret.
    #[inline]
    fn bucket(&self, interface: InterfaceId, address: u128) -> usize {
        let [a, b, c] = self.keys;
        let (high, low) = ((address >> 64) as u64, address as u64);
        let first = u128::from(high ^ a) * u128::from(low ^ b);
        let mixed = (first >> 64) as u64 ^ first as u64 ^ interface.index() as u64;
        let second = u128::from(mixed) * u128::from(c);
        let hash = (second >> 64) as u64 ^ second as u64;
        // A power of two.
        hash as usize & (self.heads.len() - 1)
    }

    /// A new entry, which the caller has made room for; in the queue of its state.
    fn make(
        &mut self,
        now_ns: u64,
        interface: InterfaceId,
        address: u128,
        state: Reachability,
        gleaned: bool,
    ) -> Option<u32> {
        let at = self.free.pop()?;
        let bucket = self.bucket(interface, address);
        let head = self.heads.get_mut(bucket)?;
        let chain = core::mem::replace(head, at);
        *self.hops.get_mut(at as usize)? = Hop {
            address,
            chain,
            interface,
            state,
            gleaned,
            live: true,
            ..Hop::FREE
        };
        *self.entries.get_mut(at as usize)? = Entry {
            since_ns: now_ns,
            timer_ns: now_ns,
            ..Entry::FREE
        };
        self.share_of(state).take(interface.vn());
        self.queues
            .push(queue_of(interface.vn(), state, gleaned), at);
        Some(at)
    }

    /// Forgets an entry; frames that wait for it meet `fate`.
    fn forget(&mut self, at: u32, fate: Fate, out: &mut Outbox<F>) {
        self.release(at, fate, out);
        self.erase(at);
    }

    /// Forgets an entry for which no frame waits.
    fn erase(&mut self, at: u32) {
        let Some(&hop) = self.hops.get(at as usize).filter(|hop| hop.live) else {
            return;
        };
        let vn = hop.interface.vn();
        self.queues.remove(queue_of(vn, hop.state, hop.gleaned), at);
        self.share_of(hop.state).give(vn);
        let bucket = self.bucket(hop.interface, hop.address);
        self.unchain(bucket, at, hop.chain);
        if let Some(hop) = self.hops.get_mut(at as usize) {
            *hop = Hop::FREE;
        }
        self.free.push(at);
    }

    fn unchain(&mut self, bucket: usize, at: u32, behind: u32) {
        let Some(head) = self.heads.get_mut(bucket) else {
            return;
        };
        if *head == at {
            *head = behind;
            return;
        }
        let mut before = *head;
        while let Some(hop) = self.hops.get_mut(before as usize) {
            if hop.chain == at {
                hop.chain = behind;
                return;
            }
            before = hop.chain;
        }
    }

    /// Gives back the frames that wait for an entry.
    fn release(&mut self, at: u32, fate: Fate, out: &mut Outbox<F>) {
        if let (Some(hop), Some(entry)) = (
            self.hops.get(at as usize),
            self.entries.get_mut(at as usize),
        ) {
            let vn = hop.interface.vn();
            while let Some(frame) = self.held.pop(vn, &mut entry.waiting) {
                out.frames.push((fate, frame));
            }
        }
    }

    /// Brings an entry into a state, its timer started.
    fn change(&mut self, now_ns: u64, at: u32, state: Reachability) {
        let (Some(hop), Some(entry)) = (
            self.hops.get_mut(at as usize),
            self.entries.get_mut(at as usize),
        ) else {
            return;
        };
        let (vn, before) = (hop.interface.vn(), hop.state);
        self.queues.remove(queue_of(vn, before, hop.gleaned), at);
        if state != hop.state {
            entry.since_ns = now_ns;
            entry.asked = 0;
        }
        hop.state = state;
        hop.gleaned &= state != Reachability::Reachable;
        entry.timer_ns = now_ns;
        self.queues.push(queue_of(vn, state, hop.gleaned), at);
        self.share_of(before).give(vn);
        self.share_of(state).take(vn);
    }
}

/// The queue that entries of `vn` in `state` are in.
const fn queue_of(vn: Vn, state: Reachability, gleaned: bool) -> usize {
    vn.index() * order::QUEUES
        + match state {
            Reachability::Incomplete => order::INCOMPLETE,
            Reachability::Failed => order::FAILED,
            Reachability::Reachable => order::REACHABLE,
            Reachability::Stale if gleaned => order::GLEANED,
            Reachability::Stale => order::STALE,
            Reachability::Delay => order::DELAY,
            Reachability::Probe => order::PROBE,
            Reachability::Permanent => order::PERMANENT,
        }
}

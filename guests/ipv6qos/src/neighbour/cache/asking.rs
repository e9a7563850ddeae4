//! Which addresses may be begun to be asked for: not all, as any packet can name 2^64 of them (RFC 6583 3 and 7).
//!
//! Neighbours that are known are asked again without asking here: a sweep over a link takes nothing from them. New
//! ones are bounded for each link, and for each asker: the interface that the packet came in by and the first half of
//! its source. An asker that wants no more than half of what it may have goes before those that want more, so that
//! whoever sweeps does so at the cost of his own next packets. A sweep that forges sources by the hundreds of
//! networks is none that can be told from many askers: keep those out with a filter where they come in.

use alloc::vec::Vec;

use crate::icmp::limit::Bucket;
use crate::vn::InterfaceId;

/// Addresses that a link may begin to be asked for: a second, and at once.
pub const ASKED: (u32, u32) = (500, 200);
/// The same, for one asker.
pub const ASKER: (u32, u32) = (100, 100);
/// Of those at once, the part kept for askers that want little.
const KEPT: u32 = ASKED.1 / 4;

/// Askers that are told apart, a power of two; more share their buckets.
const ASKERS: usize = 1024;
/// For how long the same askers share a bucket, as a power of two of nanoseconds: about four seconds.
const TOGETHER: u32 = 32;

/// Who wants an address to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// The interface that its packet came in by.
    pub interface: InterfaceId,
    /// The first 64 bits of the packet's source: within them a host takes any address it likes.
    pub network: u64,
}

/// What may be asked for.
#[derive(Debug)]
pub(super) struct Asking {
    links: Vec<Bucket>,
    askers: Vec<Bucket>,
    keys: [u64; 2],
}

impl Asking {
    /// Octets of memory for so many interfaces.
    pub(super) const fn memory(interfaces: usize) -> usize {
        (interfaces + ASKERS) * size_of::<Bucket>()
    }

    /// Nothing was asked for yet, on interfaces whose [`InterfaceId::index`] is below `interfaces`.
    pub(super) fn new(interfaces: usize, keys: [u64; 2]) -> Self {
        let [a, b] = keys;
        Asking {
            links: alloc::vec![Bucket::default(); interfaces],
            askers: alloc::vec![Bucket::default(); ASKERS],
            keys: [a, b | 1],
        }
    }

    /// Whether `asker` may have a new address asked for on the link of `interface`; if so, that is counted.
    pub(super) fn take(&mut self, now_ns: u64, interface: InterfaceId, asker: Asker) -> bool {
        let place = self.place(now_ns, interface, asker);
        let (Some(own), Some(link)) = (
            self.askers.get_mut(place),
            self.links.get_mut(interface.index()),
        ) else {
            return false;
        };
        let wants_little = own.has(now_ns, ASKER.0, ASKER.1 / 2);
        let depth = if wants_little {
            ASKED.1
        } else {
            ASKED.1 - KEPT
        };
        own.has(now_ns, ASKER.0, ASKER.1)
            && link.take(now_ns, ASKED.0, depth)
            && own.take(now_ns, ASKER.0, ASKER.1)
    }

    /// The bucket of an asker: another one now and then, so that who shares it with a sweep does not for long.
    fn place(&self, now_ns: u64, interface: InterfaceId, asker: Asker) -> usize {
        let [a, b] = self.keys;
        let ways = (asker.interface.index() as u64) << 32 | interface.index() as u64;
        let first = u128::from(asker.network ^ a) * u128::from(ways.wrapping_add(b) | 1 << 63);
        let mixed = (first >> 64) as u64 ^ first as u64 ^ (now_ns >> TOGETHER).wrapping_mul(b);
        let second = u128::from(mixed ^ a) * u128::from(b);
        let hash = (second >> 64) as u64 ^ second as u64;
        hash as usize & (ASKERS - 1)
    }
}

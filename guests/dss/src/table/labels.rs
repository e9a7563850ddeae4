//! From port, virtual network and label to a place, in a fixed number of steps.
//!
//! A tree of two levels (upper and lower ten bits of the label) rather than a hash: whoever sends frames chooses their
//! labels, and no choice makes a look-up dearer. A block of 1,024 labels is used when the first of them is set, and free
//! again when the last was unset. Where there is none stands block 0, all of whose labels lead nowhere, so that a look-up
//! need not ask.

use alloc::vec;
use alloc::vec::Vec;

use pinode_guest_runtime::unsafe_prefetch::prefetch;

use super::Next;
use crate::config::{Configuration, VNS};
use crate::control::Key;
use crate::packet::LABEL_MOST;

const BITS: u32 = 10;
const FAN: usize = 1 << BITS;
/// A network that a port does not carry: its uppers are beyond all that there are.
const NOT_CARRIED: u32 = 1 << 31;
/// The networks of a port that is none.
const NONE: [u32; VNS] = [NOT_CARRIED; VNS];

/// Where the place of a label stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Slot(u32);

impl Slot {
    #[inline(always)]
    pub(crate) const fn bits(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub(crate) const fn of_bits(bits: u32) -> Self {
        Slot(bits)
    }
}

#[derive(Debug)]
pub(super) struct Labels {
    /// By port and network, where its upper halves begin in `uppers`.
    networks: Vec<u32>,
    /// By upper half of the label, where its block begins in `places`.
    uppers: Vec<u32>,
    /// By lower half of the label, the place; block after block.
    places: Vec<u32>,
    /// Labels of each block that are set.
    used: Vec<u16>,
    /// Blocks that are free again.
    free: Vec<u32>,
    most: usize,
}

/// The networks of a port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Networks<'a> {
    labels: &'a Labels,
    /// Where the upper halves of each begin.
    begins: &'a [u32; VNS],
}

impl Networks<'_> {
    /// The first step of a look-up: where the place of a label, of 20 bits, stands. None: the port does not carry the
    /// network. What the second step needs is on its way then.
    #[inline(always)]
    pub(crate) fn approach(&self, vn: usize, label: u32) -> Option<Slot> {
        let slot = self.slot(vn, label)?;
        prefetch(&self.labels.places, slot.0 as usize);
        Some(slot)
    }

    #[inline(always)]
    pub(super) fn slot(&self, vn: usize, label: u32) -> Option<Slot> {
        // Of any number five bits are looked at: so many networks there are.
        let begin = self.begins.get(vn % VNS).copied().unwrap_or(NOT_CARRIED);
        let upper = begin.wrapping_add(label >> BITS) as usize;
        let block = self.labels.uppers.get(upper)?;
        Some(Slot(block | label & (FAN as u32 - 1)))
    }
}

/// Blocks that a configuration needs: one with half of its labels in use for each so many connections, as each end of a
/// link gives out every second label; and more for what is scattered.
fn blocks(configuration: &Configuration) -> usize {
    let networks = networks(configuration);
    let connections = configuration.connections as usize;
    (networks * FAN).min(connections / 64 + 4 * networks)
}

/// Networks of all ports.
fn networks(configuration: &Configuration) -> usize {
    let ports = configuration.ports.iter();
    ports.map(|port| port.vns.count_ones() as usize).sum()
}

impl Labels {
    pub(super) fn new(configuration: &Configuration) -> Self {
        let most = blocks(configuration);
        let mut begin = 0;
        let mut network = |port: &crate::config::PortConfig, vn: usize| {
            if port.vns >> vn & 1 == 0 {
                return NOT_CARRIED;
            }
            let begins = begin;
            begin += FAN as u32;
            begins
        };
        let mut by_network = Vec::with_capacity(configuration.ports.len() * VNS);
        for port in &configuration.ports {
            by_network.extend((0..VNS).map(|vn| network(port, vn)));
        }
        let mut places = Vec::with_capacity((most + 1) * FAN);
        places.resize(FAN, 0);
        let mut used = Vec::with_capacity(most + 1);
        used.push(0);
        Labels {
            networks: by_network,
            uppers: vec![0; begin as usize],
            places,
            used,
            free: Vec::with_capacity(most),
            most,
        }
    }

    pub(super) fn octets(configuration: &Configuration) -> u64 {
        let blocks = blocks(configuration) + 1;
        let uppers = networks(configuration) * FAN;
        let numbers = configuration.ports.len() * VNS + uppers + blocks * (FAN + 2);
        (numbers * size_of::<u32>()) as u64
    }

    /// Blocks in use, and how many there may be.
    pub(super) fn blocks(&self) -> (u32, u32) {
        let used = self.used.len() - 1 - self.free.len();
        (used as u32, self.most as u32)
    }

    #[inline]
    pub(super) fn networks(&self, port: usize) -> Networks<'_> {
        let all = self.networks.get(port * VNS..);
        Networks {
            labels: self,
            begins: all.and_then(|all| all.first_chunk()).unwrap_or(&NONE),
        }
    }

    #[inline(always)]
    pub(super) fn place(&self, slot: Slot) -> u32 {
        self.places.get(slot.0 as usize).copied().unwrap_or(0)
    }

    /// Sets a label that is not set. False: there is no block for it.
    pub(super) fn set(&mut self, key: Key, place: u32) -> bool {
        let Some(upper) = self.upper(key) else {
            return false;
        };
        if self.uppers.get(upper) == Some(&0) {
            let block = match self.free.pop() {
                Some(block) => block,
                None if self.used.len() <= self.most => {
                    let block = self.used.len() as u32;
                    self.used.push(0);
                    self.places.resize(self.places.len() + FAN, 0);
                    block
                }
                None => return false,
            };
            if let Some(begin) = self.uppers.get_mut(upper) {
                *begin = block << BITS;
            }
        }
        self.put(upper, key.label, place);
        self.count(upper, 1);
        true
    }

    /// Unsets a label that is set.
    pub(super) fn unset(&mut self, key: Key) {
        let Some(upper) = self.upper(key) else {
            return;
        };
        self.put(upper, key.label, 0);
        if self.count(upper, -1) == 0
            && let Some(begin) = self.uppers.get_mut(upper)
        {
            self.free.push(core::mem::take(begin) >> BITS);
        }
    }

    fn upper(&self, key: Key) -> Option<usize> {
        let networks = self.networks(key.port.into());
        let begin = *networks.begins.get(usize::from(key.vn))?;
        let is_one = begin != NOT_CARRIED && key.label <= LABEL_MOST;
        is_one.then_some(begin as usize + (key.label >> BITS) as usize)
    }

    fn put(&mut self, upper: usize, label: u32, place: u32) {
        let begin = self.uppers.get(upper).copied().unwrap_or(0);
        let slot = (begin | label & (FAN as u32 - 1)) as usize;
        if let Some(slot) = self.places.get_mut(slot).filter(|_| begin != 0) {
            *slot = place;
        }
    }

    /// Counts labels of the block; how many there are now.
    fn count(&mut self, upper: usize, by: i16) -> u16 {
        let begin = self.uppers.get(upper).copied().unwrap_or(0);
        match self.used.get_mut((begin >> BITS) as usize) {
            Some(used) => {
                *used = used.saturating_add_signed(by);
                *used
            }
            None => 0,
        }
    }

    /// See [`Table::next`](super::Table::next). A block without labels counts as one.
    pub(super) fn next(&self, after: Option<Key>, labels: &mut u32) -> Next {
        let (mut port, mut vn, mut label) = match after {
            None => (0, 0, 0),
            Some(key) => (
                usize::from(key.port),
                usize::from(key.vn),
                key.label.saturating_add(1),
            ),
        };
        loop {
            if label > LABEL_MOST {
                (vn, label) = (vn + 1, 0);
            }
            if vn >= VNS {
                (port, vn, label) = (port + 1, 0, 0);
            }
            let Some(begin) = self.networks.get(port * VNS + vn).copied() else {
                return Next::End;
            };
            // Both fit: a node has few ports, and networks are five bits.
            let key = |label| Key {
                port: port as u8,
                vn: vn as u8,
                label,
            };
            if begin == NOT_CARRIED {
                (vn, label) = (vn + 1, 0);
                continue;
            }
            if *labels == 0 {
                // Nothing here: the next look begins with it.
                return Next::Behind(match label.checked_sub(1) {
                    Some(label) => key(label),
                    None => return self.behind(port, vn),
                });
            }
            *labels -= 1;
            let upper = begin as usize + (label >> BITS) as usize;
            let block = self.uppers.get(upper).copied().unwrap_or(0);
            if block == 0 {
                label = ((label >> BITS) + 1) << BITS;
                continue;
            }
            if self.place(Slot(block | label & (FAN as u32 - 1))) != 0 {
                return Next::Key(key(label));
            }
            label += 1;
        }
    }

    /// The last key of the network before this one.
    fn behind(&self, port: usize, vn: usize) -> Next {
        let before = (port * VNS + vn).checked_sub(1);
        match before {
            // Both fit, as above.
            Some(before) => Next::Behind(Key {
                port: (before / VNS) as u8,
                vn: (before % VNS) as u8,
                label: LABEL_MOST,
            }),
            None => Next::Behind(Key {
                port: 0,
                vn: 0,
                label: 0,
            }),
        }
    }
}

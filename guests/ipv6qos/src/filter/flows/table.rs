//! The places of flows: where one lies, where a new one goes.
//!
//! A flow has one place in either of two groups, both given by its hash. What tells whether it may be there is in the
//! groups ([`Group`]); the flows are a cache line each. Two choices of eight places hold a table that is five sixths
//! full with hardly a flow that finds both groups full; then one of theirs is moved to its own other group. Most flows
//! lie in their first group, and a group counts those that do not: where there are none, no second one is looked at.
//!
//! Must know nothing of states and limits.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

use super::group::{Group, PLACES};
use super::key::{Key, Probe, Secret};
use super::state::Phase;
use pinode_guest_runtime::unsafe_prefetch::prefetch;

/// A flow: one cache line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Flow {
    pub key: Key,
    /// Packets of the first sender's direction, and of the other.
    pub packets: [u64; 2],
    /// When it runs out: a step of the clock of flows, which wraps.
    pub expires: u32,
    /// Generation of its virtual network when it was made.
    pub generation: u16,
    pub phase: Phase,
    /// Whether its first packet went from the second end of the key to the first.
    pub swapped: bool,
}

const _: () = assert!(size_of::<Flow>() == 64 && size_of::<Group>() == 16);

/// A place: `group * 8 + place in the group`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

impl Place {
    /// Of no flow.
    pub const NONE: Self = Place(u32::MAX);

    #[inline]
    pub fn new(group: u32, place: usize) -> Self {
        Place(group << 3 | place as u32)
    }

    #[inline]
    pub fn group(self) -> u32 {
        self.0 >> 3
    }

    #[inline]
    pub fn in_group(self) -> usize {
        (self.0 & 7) as usize
    }
}

/// The places.
#[derive(Debug)]
pub(super) struct Table {
    groups: Vec<Group>,
    /// Eight a group.
    flows: Vec<Flow>,
}

/// So few flows of a group give way to others that each would soon.
const FEW: u32 = PLACES as u32 / 2;

/// So many free places of a group are enough not to spare them. With 1, two of a million flows found no place.
const AMPLE: u32 = 3;

/// Groups for `flows` flows.
fn groups_for(flows: u32) -> u32 {
    // A fifth more places than flows, and a few for chance in small tables.
    (flows.saturating_add(flows / 5) / PLACES as u32).saturating_add(4)
}

/// Eight bits of a hash, never 0. They are the last of those that give the second group, and so of no weight there.
#[inline]
fn tag(hash: u64) -> u8 {
    (hash as u8).max(1)
}

impl Table {
    /// Octets of a table for `flows` flows.
    pub fn memory(flows: u32) -> u64 {
        let group = size_of::<Group>() + PLACES * size_of::<Flow>();
        // And what alignment may cost.
        u64::from(groups_for(flows)) * group as u64 + 2 * 64
    }

    /// An empty table for `flows` flows.
    pub fn new(flows: u32) -> Result<Self, TryReserveError> {
        const FREE: Flow = Flow {
            key: Key::NONE,
            packets: [0; 2],
            expires: 0,
            generation: 0,
            phase: Phase::NONE,
            swapped: false,
        };
        let count = groups_for(flows) as usize;
        let (mut groups, mut flows) = (Vec::new(), Vec::new());
        groups.try_reserve_exact(count)?;
        flows.try_reserve_exact(count * PLACES)?;
        groups.resize(count, Group::EMPTY);
        flows.resize(count * PLACES, FREE);
        Ok(Table { groups, flows })
    }

    /// How many groups there are.
    pub fn groups(&self) -> u32 {
        // Fits: groups_for.
        self.groups.len() as u32
    }

    /// The first and the second group of a hash; they may be the same.
    #[inline]
    pub fn groups_of(&self, hash: u64) -> [u32; 2] {
        [self.fraction(hash >> 32), self.fraction(hash & 0xffff_ffff)]
    }

    /// The group that 32 bits give, as a fraction of the table.
    #[inline]
    fn fraction(&self, half: u64) -> u32 {
        (half.wrapping_mul(self.groups.len() as u64) >> 32) as u32
    }

    #[inline]
    pub fn group(&self, group: u32) -> Option<&Group> {
        self.groups.get(group as usize)
    }

    #[inline]
    pub fn group_mut(&mut self, group: u32) -> Option<&mut Group> {
        self.groups.get_mut(group as usize)
    }

    #[inline]
    pub fn flow(&self, place: Place) -> Option<&Flow> {
        self.flows.get(place.0 as usize)
    }

    #[inline]
    pub fn flow_mut(&mut self, place: Place) -> Option<&mut Flow> {
        self.flows.get_mut(place.0 as usize)
    }

    /// Brings what [`guess`](Self::guess) looks at first near.
    #[inline]
    pub fn prefetch_group(&self, hash: u64) {
        prefetch(&self.groups, self.fraction(hash >> 32) as usize);
    }

    /// Brings near where a new flow of this hash would go most likely.
    #[inline]
    pub fn prefetch_room(&self, hash: u64) {
        if let Some(place) = self.free(hash).or_else(|| self.displaceable(hash).next()) {
            prefetch(&self.flows, place.0 as usize);
        }
    }

    /// Where the flow of this hash is most likely, if it is anywhere: the flows are not looked at, but brought near.
    #[inline]
    pub fn guess(&self, hash: u64) -> Place {
        let first = self.fraction(hash >> 32);
        let Some(group) = self.group(first) else {
            return Place::NONE;
        };
        let place = match group.first_tagged(tag(hash)) {
            Some(place) => Place::new(first, place),
            None if group.has_elsewhere() => self.guess_second(hash),
            None => return Place::NONE,
        };
        prefetch(&self.flows, place.0 as usize);
        place
    }

    /// Where it is most likely in its second group.
    #[inline]
    fn guess_second(&self, hash: u64) -> Place {
        let second = self.fraction(hash & 0xffff_ffff);
        let group = self.group(second);
        match group.and_then(|group| group.first_tagged(tag(hash))) {
            Some(place) => Place::new(second, place),
            None => Place::NONE,
        }
    }

    /// Where the flow is.
    pub fn find(&self, probe: &Probe) -> Option<Place> {
        for group in self.groups_of(probe.hash) {
            let state = self.group(group)?;
            for place in state.tagged(tag(probe.hash)) {
                let place = Place::new(group, place);
                if self.flow(place)?.key == probe.key {
                    return Some(place);
                }
            }
            if !state.has_elsewhere() {
                return None;
            }
        }
        None
    }

    /// A free place for a flow of this hash: in its first group, where it is found soonest, as long as that has
    /// [`AMPLE`]; then in the group that has more of them.
    pub fn free(&self, hash: u64) -> Option<Place> {
        let [first, second] = self.groups_of(hash);
        let free = |group| self.group(group).map(Group::free);
        let (a, b) = (free(first)?, free(second)?);
        let (group, mut places) = if a.count() < AMPLE && b.count() > a.count() {
            (second, b)
        } else {
            (first, a)
        };
        places.next().map(|place| Place::new(group, place))
    }

    /// Moves a flow of one of the two groups of this hash to its other group; the place it leaves. The flow counts as
    /// the youngest there. Costs up to sixteen cache lines.
    pub fn make_room(&mut self, secret: &Secret, hash: u64) -> Option<Place> {
        for group in self.groups_of(hash) {
            for in_group in 0..PLACES {
                let from = Place::new(group, in_group);
                let flow = *self.flow(from)?;
                let hash = secret.hash(&flow.key);
                if let Some(to) = self.free(hash) {
                    let (displaceable, due) = {
                        let group = self.group(group)?;
                        (group.is_displaceable(in_group), group.due())
                    };
                    self.put(to, hash, flow, due);
                    let to_group = self.group_mut(to.group())?;
                    to_group.set_displaceable(to.in_group(), displaceable);
                    self.leave(from, hash);
                    return Some(from);
                }
            }
        }
        None
    }

    /// The flows that may be displaced for one of this hash, the oldest first: of its first group, or of its second if
    /// that has few of them and the second more; then those of the other.
    pub fn displaceable(&self, hash: u64) -> impl Iterator<Item = Place> + '_ {
        let groups = self.groups_of(hash);
        let [a, b] = groups.map(|group| self.group(group).map_or(0, Group::displaceable));
        let [first, second] = groups;
        let order = if a < FEW && b > a {
            [second, first]
        } else {
            [first, second]
        };
        // They may be the same.
        let differing = if first == second { 1 } else { 2 };
        order.into_iter().take(differing).flat_map(|index| {
            let group = self.group(index).copied();
            let places = group.into_iter().flat_map(Group::oldest_first);
            places.map(move |place| Place::new(index, place))
        })
    }

    /// Puts a flow, which may be displaced and does not run out before `due`, in a free place of its hash's.
    pub fn put(&mut self, place: Place, hash: u64, flow: Flow, due: u16) {
        if let Some(line) = self.flow_mut(place) {
            *line = flow;
        }
        if let Some(group) = self.group_mut(place.group()) {
            group.take(place.in_group(), tag(hash), due);
        }
        let first = self.fraction(hash >> 32);
        if first != place.group()
            && let Some(group) = self.group_mut(first)
        {
            group.went_elsewhere();
        }
    }

    /// Makes the place of a flow of this hash free.
    pub fn leave(&mut self, place: Place, hash: u64) {
        if let Some(group) = self.group_mut(place.group()) {
            group.leave(place.in_group());
        }
        let first = self.fraction(hash >> 32);
        if first != place.group()
            && let Some(group) = self.group_mut(first)
        {
            group.left_elsewhere();
        }
    }
}

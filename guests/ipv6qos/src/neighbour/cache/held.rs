//! Frames that wait for a neighbour: a few each (RFC 4861 7.2.2), so many altogether, the oldest out first; shared
//! among virtual networks as the cache is.

use alloc::vec::Vec;

use super::share::Share;
use crate::vn::{VNS, Vn};

/// Most frames that wait for one neighbour: what a host sends before its peer has answered, such as a traceroute's
/// first probes.
pub const PER_NEIGHBOUR: usize = 16;
/// The same while half of all places are taken.
pub const PER_NEIGHBOUR_CROWDED: usize = 3;

/// A place in the pool; none.
const NONE: u16 = u16::MAX;

/// The frames of one neighbour, oldest first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    first: u16,
    last: u16,
    len: u16,
}

impl Waiting {
    pub(super) const NOBODY: Self = Waiting {
        first: NONE,
        last: NONE,
        len: 0,
    };
}

#[derive(Debug)]
struct Place<F> {
    frame: Option<F>,
    /// Whom it waits for.
    owner: u32,
    /// The next frame of the same owner.
    behind: u16,
    /// Neighbours in the list of the virtual network, by age.
    older: u16,
    newer: u16,
}

/// The frames of one virtual network.
#[derive(Debug, Clone, Copy)]
struct Ends {
    oldest: u16,
    newest: u16,
}

/// All frames that wait.
#[derive(Debug)]
pub(super) struct Pool<F> {
    places: Vec<Place<F>>,
    free: Vec<u16>,
    ends: [Ends; VNS],
    pub(super) share: Share,
}

impl<F> Pool<F> {
    /// A pool for `most` frames, fewer than 65535, allocated now.
    pub(super) fn new(most: u16) -> Self {
        let place = |_| Place {
            frame: None,
            owner: 0,
            behind: NONE,
            older: NONE,
            newer: NONE,
        };
        let ends = Ends {
            oldest: NONE,
            newest: NONE,
        };
        Pool {
            places: (0..most).map(place).collect(),
            free: (0..most).rev().collect(),
            ends: [ends; VNS],
            share: Share::new(u32::from(most)),
        }
    }

    /// Frames that wait.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whom the frame waits for that is to make room, and in which network, if there is no place for another of
    /// `vn`: the one that has waited longest, where most wait.
    pub(super) fn must_yield(&self, vn: Vn) -> Option<(Vn, u32)> {
        if self.share.has_room(vn) {
            return None;
        }
        let of = self.share.yields(vn, |_| true)?;
        let oldest = self.ends[of.index()].oldest;
        let place = self.places.get(usize::from(oldest))?;
        Some((of, place.owner))
    }

    /// Lets `frame` wait for `owner` in `vn`, whose frames are `waiting`. Gives back a frame for which there is no
    /// place: the owner's oldest, or this one if the pool is full.
    pub(super) fn push(
        &mut self,
        vn: Vn,
        owner: u32,
        waiting: &mut Waiting,
        frame: F,
    ) -> Option<F> {
        let most = if self.len() * 2 < self.places.len() {
            PER_NEIGHBOUR
        } else {
            PER_NEIGHBOUR_CROWDED
        };
        let displaced = if usize::from(waiting.len) < most {
            None
        } else {
            self.pop(vn, waiting)
        };
        let Some(at) = self.free.pop() else {
            return Some(frame);
        };
        self.share.take(vn);
        let ends = &mut self.ends[vn.index()];
        let newest = core::mem::replace(&mut ends.newest, at);
        match self.places.get_mut(usize::from(newest)) {
            Some(before) => before.newer = at,
            None => ends.oldest = at,
        }
        if let Some(place) = self.places.get_mut(usize::from(at)) {
            *place = Place {
                frame: Some(frame),
                owner,
                behind: NONE,
                older: newest,
                newer: NONE,
            };
        }
        let last = core::mem::replace(&mut waiting.last, at);
        match self.places.get_mut(usize::from(last)) {
            Some(before) => before.behind = at,
            None => waiting.first = at,
        }
        waiting.len += 1;
        displaced
    }

    /// Takes the oldest of the frames `waiting` in `vn`.
    pub(super) fn pop(&mut self, vn: Vn, waiting: &mut Waiting) -> Option<F> {
        let at = waiting.first;
        let place = self.places.get_mut(usize::from(at))?;
        let frame = place.frame.take();
        let (older, newer) = (place.older, place.newer);
        waiting.first = place.behind;
        waiting.len = waiting.len.saturating_sub(1);
        if waiting.first == NONE {
            waiting.last = NONE;
        }
        let ends = &mut self.ends[vn.index()];
        match self.places.get_mut(usize::from(older)) {
            Some(older) => older.newer = newer,
            None => ends.oldest = newer,
        }
        match self.places.get_mut(usize::from(newer)) {
            Some(newer) => newer.older = older,
            None => ends.newest = older,
        }
        self.share.give(vn);
        self.free.push(at);
        frame
    }
}

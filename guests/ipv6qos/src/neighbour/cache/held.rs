//! Frames that wait for a neighbour: a few each (RFC 4861 7.2.2), so many altogether, the oldest out first.

use alloc::vec::Vec;

/// Most frames that wait for one neighbour.
pub const PER_NEIGHBOUR: usize = 3;

/// A place in the pool; none.
const NONE: u16 = u16::MAX;

/// The frames of one neighbour, oldest first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    places: [u16; PER_NEIGHBOUR],
}

impl Waiting {
    pub(super) const NOBODY: Self = Waiting {
        places: [NONE; PER_NEIGHBOUR],
    };
}

#[derive(Debug)]
struct Place<F> {
    frame: Option<F>,
    /// Whom it waits for.
    owner: u32,
    /// Neighbours in the list of all, by age.
    older: u16,
    newer: u16,
}

/// All frames that wait.
#[derive(Debug)]
pub(super) struct Pool<F> {
    places: Vec<Place<F>>,
    free: Vec<u16>,
    oldest: u16,
    newest: u16,
}

impl<F> Pool<F> {
    /// A pool for `most` frames, fewer than 65535, allocated now.
    pub(super) fn new(most: u16) -> Self {
        let place = |_| Place {
            frame: None,
            owner: 0,
            older: NONE,
            newer: NONE,
        };
        Pool {
            places: (0..most).map(place).collect(),
            free: (0..most).rev().collect(),
            oldest: NONE,
            newest: NONE,
        }
    }

    /// Frames that wait.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whom the frame waits for that has waited longest, if there is no place for another.
    pub(super) fn must_yield(&self) -> Option<u32> {
        if !self.free.is_empty() {
            return None;
        }
        self.places
            .get(usize::from(self.oldest))
            .map(|place| place.owner)
    }

    /// Lets `frame` wait for `owner`, whose frames are `waiting`. Gives back a frame for which there is no place:
    /// the owner's oldest, or this one if the pool is full.
    pub(super) fn push(&mut self, owner: u32, waiting: &mut Waiting, frame: F) -> Option<F> {
        let displaced = if waiting.places.contains(&NONE) {
            None
        } else {
            self.pop(waiting)
        };
        let Some(at) = self.free.pop() else {
            return Some(frame);
        };
        let newest = self.newest;
        match self.places.get_mut(usize::from(newest)) {
            Some(before) => before.newer = at,
            None => self.oldest = at,
        }
        self.newest = at;
        if let Some(place) = self.places.get_mut(usize::from(at)) {
            *place = Place {
                frame: Some(frame),
                owner,
                older: newest,
                newer: NONE,
            };
        }
        if let Some(slot) = waiting.places.iter_mut().find(|slot| **slot == NONE) {
            *slot = at;
        }
        displaced
    }

    /// Takes the oldest of the frames `waiting`.
    pub(super) fn pop(&mut self, waiting: &mut Waiting) -> Option<F> {
        let at = waiting.places[0];
        let place = self.places.get_mut(usize::from(at))?;
        let frame = place.frame.take();
        let (older, newer) = (place.older, place.newer);
        match self.places.get_mut(usize::from(older)) {
            Some(older) => older.newer = newer,
            None => self.oldest = newer,
        }
        match self.places.get_mut(usize::from(newer)) {
            Some(newer) => newer.older = older,
            None => self.newest = older,
        }
        self.free.push(at);
        waiting.places.rotate_left(1);
        waiting.places[PER_NEIGHBOUR - 1] = NONE;
        frame
    }
}

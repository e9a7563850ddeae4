//! The memory of all connections' queues: one place a frame, chained in lines.
//!
//! Places are reserved when a connection is set up; a line that stays in what was reserved for it
//! never makes the pool grow.

/// No place.
const NONE: u32 = u32::MAX;

/// Frames of a connection, first in, first out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    first: u32,
    last: u32,
    len: u32,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            first: NONE,
            last: NONE,
            len: 0,
        }
    }
}

impl Line {
    #[inline]
    pub(super) fn len(&self) -> u32 {
        self.len
    }
}

#[derive(Debug, Clone, Copy)]
struct Place<T> {
    frame: T,
    octets: u32,
    /// The next of its line, or of those that are free.
    next: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Pool<T> {
    places: Vec<Place<T>>,
    /// The first free place.
    free: u32,
    len: usize,
    /// What all lines may hold together.
    reserved: usize,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            free: NONE,
            len: 0,
            reserved: 0,
        }
    }
}

impl<T: Copy> Pool<T> {
    pub(super) fn reserve(&mut self, frames: u32) {
        self.reserved += frames as usize;
        let more = self.reserved.saturating_sub(self.places.len());
        self.places.reserve(more);
    }

    pub(super) fn release(&mut self, frames: u32) {
        self.reserved -= frames as usize;
    }

    /// Frames of all lines.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn head(&self, line: &Line) -> Option<&T> {
        self.places
            .get(line.first as usize)
            .map(|place| &place.frame)
    }

    #[inline]
    pub(super) fn push(&mut self, line: &mut Line, frame: T, octets: u32) {
        let new = Place {
            frame,
            octets,
            next: NONE,
        };
        let at = match self.places.get_mut(self.free as usize) {
            Some(place) => {
                let at = self.free;
                self.free = place.next;
                *place = new;
                at
            }
            None => {
                // At most the sum of the buffers, which is 32 bits.
                let at = self.places.len() as u32;
                self.places.push(new);
                at
            }
        };
        match self.places.get_mut(line.last as usize) {
            Some(last) => last.next = at,
            None => line.first = at,
        }
        line.last = at;
        line.len += 1;
        self.len += 1;
    }

    #[inline]
    pub(super) fn pop(&mut self, line: &mut Line) -> Option<(T, u32)> {
        let at = line.first;
        let place = self.places.get_mut(at as usize)?;
        line.first = place.next;
        if line.first == NONE {
            line.last = NONE;
        }
        place.next = self.free;
        self.free = at;
        line.len -= 1;
        self.len -= 1;
        Some((place.frame, place.octets))
    }
}

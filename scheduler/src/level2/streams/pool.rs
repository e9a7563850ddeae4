//! The memory of all connections' queues: one place a frame, chained in lines.
//!
//! All of it is taken when the pool is made; it never grows.

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
    /// Those that were used already.
    places: Vec<Place<T>>,
    /// The first free place of those.
    free: u32,
    len: usize,
    most: usize,
}

impl<T: Copy> Pool<T> {
    /// A pool for so many frames.
    pub(super) fn new(frames: u32) -> Self {
        let most = frames as usize;
        Self {
            places: Vec::with_capacity(most),
            free: NONE,
            len: 0,
            most,
        }
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

    /// Puts a frame at the end of a line. False: there is no place for it.
    #[inline]
    pub(super) fn push(&mut self, line: &mut Line, frame: T, octets: u32) -> bool {
        let new = Place {
            frame,
            octets,
            next: NONE,
        };
        let used = self.places.len();
        let at = match self.places.get_mut(self.free as usize) {
            Some(place) => {
                let at = self.free;
                self.free = place.next;
                *place = new;
                at
            }
            None if used < self.most => {
                self.places.push(new);
                // At most `most`, which is 32 bits.
                used as u32
            }
            None => return false,
        };
        match self.places.get_mut(line.last as usize) {
            Some(last) => last.next = at,
            None => line.first = at,
        }
        line.last = at;
        line.len += 1;
        self.len += 1;
        true
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

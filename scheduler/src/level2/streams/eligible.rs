//! When each connection that has frames may go next, earliest first: a binary heap that knows where
//! each connection stands in it.
//!
//! Of two of one instant the one that was put first goes first. O(log n) to put and to remove.

/// Not in the heap.
const NOWHERE: u32 = u32::MAX;

/// When a connection may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    from_ns: u64,
    /// Grows with every entry.
    serial: u64,
    connection: u32,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Eligible {
    heap: Vec<Entry>,
    /// By connection: its place in the heap.
    places: Vec<u32>,
    serial: u64,
}

impl Eligible {
    /// Room for so many connections.
    pub(super) fn reserve(&mut self, connections: usize) {
        if self.places.len() < connections {
            self.places.resize(connections, NOWHERE);
        }
        self.heap.reserve(connections);
    }

    /// When the first may go.
    #[inline]
    pub(super) fn earliest_ns(&self) -> Option<u64> {
        self.heap.first().map(|entry| entry.from_ns)
    }

    /// The first connection, if it may go at `now_ns`.
    #[inline]
    pub(super) fn first(&self, now_ns: u64) -> Option<u32> {
        let entry = self.heap.first()?;
        (entry.from_ns <= now_ns).then_some(entry.connection)
    }

    /// The first `N` that may go at `now_ns`, in order. O(N^2), whatever the heap holds.
    pub(super) fn some<const N: usize>(&self, now_ns: u64) -> [Option<u32>; N] {
        let mut found = [None; N];
        // Places in the heap that may be next: those below the ones found.
        let mut next = Frontier::<N>::default();
        next.add(self, 0, now_ns);
        for slot in &mut found {
            let Some(at) = next.take(self) else { break };
            *slot = self.heap.get(at).map(|entry| entry.connection);
            next.add(self, 2 * at + 1, now_ns);
            next.add(self, 2 * at + 2, now_ns);
        }
        found
    }

    /// Puts a connection in, or elsewhere.
    #[inline]
    pub(super) fn put(&mut self, connection: u32, from_ns: u64) {
        self.serial += 1;
        let entry = Entry {
            from_ns,
            serial: self.serial,
            connection,
        };
        let Some(&place) = self.places.get(connection as usize) else {
            return;
        };
        let place = match self.heap.get_mut(place as usize) {
            Some(old) => {
                *old = entry;
                place as usize
            }
            None => {
                self.heap.push(entry);
                self.heap.len() - 1
            }
        };
        self.settle(place);
    }

    #[inline]
    pub(super) fn remove(&mut self, connection: u32) {
        let Some(place) = self.places.get_mut(connection as usize) else {
            return;
        };
        let at = std::mem::replace(place, NOWHERE) as usize;
        if at >= self.heap.len() {
            return;
        }
        self.heap.swap_remove(at);
        if at < self.heap.len() {
            self.settle(at);
        }
    }

    /// Moves the entry at `at` up or down to where it belongs.
    #[inline]
    fn settle(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if self.heap[parent] <= self.heap[at] {
                break;
            }
            self.heap.swap(parent, at);
            self.place(at);
            at = parent;
        }
        loop {
            let left = 2 * at + 1;
            if left >= self.heap.len() {
                break;
            }
            let right = left + 1;
            let right_first = right < self.heap.len() && self.heap[right] < self.heap[left];
            let child = if right_first { right } else { left };
            if self.heap[at] <= self.heap[child] {
                break;
            }
            self.heap.swap(child, at);
            self.place(at);
            at = child;
        }
        self.place(at);
    }

    /// Writes down where the entry at `at` is.
    #[inline]
    fn place(&mut self, at: usize) {
        if let Some(entry) = self.heap.get(at)
            && let Some(place) = self.places.get_mut(entry.connection as usize)
        {
            // As many as connections, which are 25 bits.
            *place = at as u32;
        }
    }
}

/// Up to N places of a heap to go on from, and one that was just left.
struct Frontier<const N: usize> {
    places: [[Option<usize>; 2]; N],
}

impl<const N: usize> Default for Frontier<N> {
    fn default() -> Self {
        Self {
            places: [[None; 2]; N],
        }
    }
}

impl<const N: usize> Frontier<N> {
    fn add(&mut self, heap: &Eligible, at: usize, now_ns: u64) {
        let eligible = |entry: &Entry| entry.from_ns <= now_ns;
        if heap.heap.get(at).is_some_and(eligible)
            && let Some(free) = self
                .places
                .as_flattened_mut()
                .iter_mut()
                .find(|p| p.is_none())
        {
            *free = Some(at);
        }
    }

    /// The earliest of them.
    fn take(&mut self, heap: &Eligible) -> Option<usize> {
        let entry = |place: &&mut Option<usize>| place.and_then(|at| heap.heap.get(at).copied());
        let taken = self.places.as_flattened_mut().iter_mut();
        let earliest = taken.filter(|p| p.is_some()).min_by_key(entry)?;
        earliest.take()
    }
}

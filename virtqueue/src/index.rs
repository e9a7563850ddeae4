//! A free-running 16-bit ring index in a word of its own (VIRTIO 1.2, 2.7.6).

/// Counts entries modulo 65536.
///
/// Kept in 32 bits and written whole. Of two indices of 16 bits side by side, a compiler may read
/// both to have one, and if the other was just written the read waits until that has reached the
/// cache: an eighth of what a frame took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index(u32);

impl Index {
    pub(crate) const fn new(value: u16) -> Self {
        Index(value as u32)
    }

    #[inline]
    pub(crate) fn get(self) -> u16 {
        // Never above: see `advance`.
        self.0 as u16
    }

    /// Entries from `earlier` to this.
    #[inline]
    pub(crate) fn since(self, earlier: Index) -> u16 {
        self.get().wrapping_sub(earlier.get())
    }

    /// This, and `entries` more.
    #[inline]
    pub(crate) fn plus(self, entries: u16) -> u16 {
        self.get().wrapping_add(entries)
    }

    #[inline]
    pub(crate) fn advance(&mut self, entries: u16) {
        *self = Index::new(self.plus(entries));
    }
}

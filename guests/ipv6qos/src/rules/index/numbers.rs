//! Classes of numbers of 16 bits: numbers of a class match the same rules.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// Numbers of a page.
const PAGE: usize = 256;

/// The class of each number: a page for each upper octet; pages of one class only are shared.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Where the page of each upper octet begins.
    pages_of: [u16; 256],
    /// Pages, one behind the other.
    pages: Vec<u16>,
    /// Where the last page that is of one class only begins, and that class.
    uniform: Option<(u16, u16)>,
}

impl Numbers {
    pub const fn new() -> Self {
        Numbers {
            pages_of: [0; 256],
            pages: Vec::new(),
            uniform: None,
        }
    }

    /// Makes room for so many ranges of numbers, whose upper octets are below `uppers`.
    pub fn prepare(&mut self, ranges: usize, uppers: usize) -> Result<(), TryReserveError> {
        self.pages.clear();
        self.pages
            .try_reserve_exact(Self::room(ranges, uppers) * PAGE)
    }

    /// Pages for so many ranges: one for all beyond `uppers`.
    fn room(ranges: usize, uppers: usize) -> usize {
        (4 * ranges + 2).min(uppers + 1).min(256)
    }

    /// Octets of the heap for so many ranges.
    pub fn octets(ranges: usize, uppers: usize) -> usize {
        Self::room(ranges, uppers) * size_of::<[u16; PAGE]>()
    }

    pub fn clear(&mut self) {
        self.pages.clear();
        self.uniform = None;
    }

    /// The class of `number`.
    #[inline(always)]
    pub fn class(&self, number: u16) -> u16 {
        let page = self.pages_of[usize::from(number >> 8)];
        let class = self.pages.get(usize::from(page | number & 0xff));
        class.copied().unwrap_or(0)
    }

    /// Numbers `from..to` are of `class`. Called in the order of numbers, without gaps, from 0 to 65,536.
    pub fn extend(&mut self, from: u32, to: u32, class: u16) {
        let mut at = from;
        while at < to {
            let end = to.min((at | 0xff) + 1);
            // Numbers have 16 bits; the end of a page is 256 at most from its begin.
            let (page, low) = ((at >> 8) as usize & 0xff, (at & 0xff) as usize);
            let high = low + (end - at) as usize;
            if low == 0 && high == PAGE {
                self.whole(page, class);
            } else {
                if low == 0 {
                    self.add(page, class);
                }
                let page = usize::from(self.pages_of[page]);
                let here = self.pages.get_mut(page + low..page + high);
                here.unwrap_or_default().fill(class);
            }
            at = end;
        }
    }

    /// All numbers of a page are of `class`.
    fn whole(&mut self, page: usize, class: u16) {
        match self.uniform {
            Some((shared, of)) if of == class => self.pages_of[page & 0xff] = shared,
            _ => {
                let number = self.add(page, class);
                self.uniform = Some((number, class));
            }
        }
    }

    /// Gives where it begins.
    fn add(&mut self, page: usize, class: u16) -> u16 {
        // At most one for each upper octet.
        let begin = self.pages.len().min(255 * PAGE) as u16;
        self.pages.extend([class; PAGE]);
        self.pages_of[page & 0xff] = begin;
        begin
    }
}

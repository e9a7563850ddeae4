//! Insert, remove, exact: each touches the prefix and the points on its way.

use super::table::{FarKey, Key as _, NEAR, NearKey, Place, SHORT, ShortKey};
use super::tops::{self, TopPlace};
use super::word::{VALUE_MAX, Word};
use super::{Lpm, OutOfMemory, STEP};
use crate::control::view::Cursor;
use crate::prefix::Prefix;
use crate::vn::Vn;

/// Points on the way of a prefix, and the prefix itself, at most.
const WAY: usize = 9;

/// An entry, in whichever table.
#[derive(Debug, Clone, Copy)]
enum At {
    Top(TopPlace),
    Short(Place),
    Near(Place),
    Far(Place),
}

impl Lpm {
    /// Puts a prefix in, or gives it another value, 1 to [`VALUE_MAX`]; its value before. Cost: the points on
    /// its way, 8 at most, each a cache line or two, and a piece of the ordered list.
    ///
    /// # Errors
    ///
    /// There is no memory; nothing was changed.
    pub fn insert(
        &mut self,
        vn: Vn,
        prefix: Prefix,
        value: u32,
    ) -> Result<Option<u32>, OutOfMemory> {
        let value = value.clamp(1, VALUE_MAX);
        self.memo.forget(vn, prefix);
        let before = self.exact(vn, prefix);
        if before.is_some() {
            self.set_value(vn, prefix, value);
            return Ok(before);
        }
        self.tops.reserve()?;
        self.short.reserve_more(WAY)?;
        if prefix.length() > SHORT {
            self.near.reserve_more(WAY)?;
        }
        if prefix.length() > NEAR {
            self.far.reserve_more(WAY)?;
        }
        self.leads.reserve(WAY)?;
        let at = Cursor { vn, prefix };
        self.order.insert(at)?;
        for point in points(prefix) {
            if self.count(vn, point, prefix, 1).is_err() {
                // No place near enough: what was counted is counted out again.
                for done in points(prefix).take_while(|done| done.length() < point.length()) {
                    let _ = self.count(vn, done, prefix, -1);
                }
                self.order.remove(at);
                return Err(OutOfMemory);
            }
        }
        if prefix.length() > 0 && self.make(vn, prefix).is_err() {
            for point in points(prefix) {
                let _ = self.count(vn, point, prefix, -1);
            }
            self.order.remove(at);
            return Err(OutOfMemory);
        }
        self.set_value(vn, prefix, value);
        self.len += 1;
        Ok(None)
    }

    /// Takes a prefix out; its value.
    pub fn remove(&mut self, vn: Vn, prefix: Prefix) -> Option<u32> {
        let before = self.exact(vn, prefix)?;
        self.memo.forget(vn, prefix);
        self.set_value(vn, prefix, 0);
        self.drop_void(vn, prefix);
        for point in points(prefix) {
            let _ = self.count(vn, point, prefix, -1);
        }
        self.order.remove(Cursor { vn, prefix });
        self.len -= 1;
        Some(before)
    }

    /// Value of this very prefix.
    pub fn exact(&self, vn: Vn, prefix: Prefix) -> Option<u32> {
        let word = match prefix.length() {
            0 => self.roots[vn.index()],
            _ => self.word(self.at(vn, prefix)?),
        };
        Some(word.value()).filter(|value| *value != 0)
    }

    /// The entry of a prefix other than `::/0`.
    fn at(&self, vn: Vn, prefix: Prefix) -> Option<At> {
        let (bits, length) = (prefix.bits(), prefix.length());
        let tag = Word::of(vn, length).tag();
        match length {
            length if length == tops::BITS => self.tops.place(vn, (bits >> 64) as u64).map(At::Top),
            length if length <= SHORT => self
                .short
                .place(ShortKey::of(vn, bits, length), tag)
                .map(At::Short),
            length if length <= NEAR => self
                .near
                .place(NearKey::of(vn, bits, length), tag)
                .map(At::Near),
            _ => self
                .far
                .place(FarKey::of(vn, bits, length), tag)
                .map(At::Far),
        }
    }

    fn word(&self, at: At) -> Word {
        match at {
            At::Top(place) => self.tops.get(place),
            At::Short(place) => self.short.word(place),
            At::Near(place) => self.near.word(place),
            At::Far(place) => self.far.word(place),
        }
    }

    fn set_word(&mut self, at: At, word: Word) {
        match at {
            At::Top(place) => self.tops.set(place, word),
            At::Short(place) => self.short.set(place, word),
            At::Near(place) => self.near.set(place, word),
            At::Far(place) => self.far.set(place, word),
        }
    }

    /// The entry of a prefix other than `::/0`, made if there is none.
    fn make(&mut self, vn: Vn, prefix: Prefix) -> Result<At, OutOfMemory> {
        if let Some(at) = self.at(vn, prefix) {
            return Ok(at);
        }
        let (bits, length) = (prefix.bits(), prefix.length());
        let word = Word::of(vn, length);
        match length {
            length if length == tops::BITS => {
                self.tops.put(vn, (bits >> 64) as u64, word).map(At::Top)
            }
            length if length <= SHORT => self
                .short
                .put(ShortKey::of(vn, bits, length), word)
                .map(At::Short),
            length if length <= NEAR => self
                .near
                .put(NearKey::of(vn, bits, length), word)
                .map(At::Near),
            _ => self
                .far
                .put(FarKey::of(vn, bits, length), word)
                .map(At::Far),
        }
    }

    fn set_value(&mut self, vn: Vn, prefix: Prefix, value: u32) {
        if prefix.length() == 0 {
            let root = &mut self.roots[vn.index()];
            *root = root.with_value(value);
        } else if let Some(at) = self.at(vn, prefix) {
            self.set_word(at, self.word(at).with_value(value));
        }
    }

    /// Counts `prefix` in or out at a point on its way.
    fn count(
        &mut self,
        vn: Vn,
        point: Prefix,
        prefix: Prefix,
        change: i32,
    ) -> Result<(), OutOfMemory> {
        let by = prefix.length() - point.length();
        if point.length() == 0 {
            let lead = &mut self.root_leads[vn.index()];
            lead.count(by, change);
            let root = &mut self.roots[vn.index()];
            *root = root.leading(lead.lengths(), lead.is_deeper());
            return Ok(());
        }
        let at = self.make(vn, point)?;
        let mut number = match at {
            At::Top(place) => self.tops.aside(place),
            At::Short(place) => self.short.aside(place),
            At::Near(place) => self.near.aside(place),
            At::Far(place) => self.far.aside(place),
        };
        if number == 0 {
            number = self.leads.make();
            self.set_aside(at, number);
        }
        if let Some(lead) = self.leads.get_mut(number) {
            lead.count(by, change);
            let (lengths, deeper) = (lead.lengths(), lead.is_deeper());
            self.set_word(at, self.word(at).leading(lengths, deeper));
            if lengths == 0 && !deeper {
                self.leads.give_back(number);
                self.set_aside(at, 0);
                self.drop_void(vn, point);
            }
        }
        Ok(())
    }

    fn set_aside(&mut self, at: At, number: u32) {
        match at {
            At::Top(place) => self.tops.set_aside(place, number),
            At::Short(place) => self.short.set_aside(place, number),
            At::Near(place) => self.near.set_aside(place, number),
            At::Far(place) => self.far.set_aside(place, number),
        }
    }

    /// Takes out an entry that says nothing any more.
    fn drop_void(&mut self, vn: Vn, prefix: Prefix) {
        if prefix.length() == 0 {
            return;
        }
        let Some(at) = self.at(vn, prefix).filter(|at| self.word(*at).is_void()) else {
            return;
        };
        let (bits, length) = (prefix.bits(), prefix.length());
        match at {
            At::Top(place) => self.tops.take(place),
            At::Short(place) => self.short.take(ShortKey::of(vn, bits, length), place),
            At::Near(place) => self.near.take(NearKey::of(vn, bits, length), place),
            At::Far(place) => self.far.take(FarKey::of(vn, bits, length), place),
        }
    }
}

/// The points on the way of a prefix, the shortest first: those whose words name it.
fn points(prefix: Prefix) -> impl Iterator<Item = Prefix> {
    let lengths = (0..prefix.length()).step_by(usize::from(STEP));
    lengths.map(move |length| Prefix::of(prefix.bits(), length))
}

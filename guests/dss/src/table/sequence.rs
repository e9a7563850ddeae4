//! What sequence numbers say is missing: RFC 4385 4.2, for 16 bits, of which 0 says that there is none.
//!
//! A switch sends frames on as they come; it only counts.

/// What is expected next; 0: whatever comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sequence(u16);

/// What a number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// It was expected.
    Next,
    /// So many before it did not come.
    Missing(u16),
    /// It came before, or later than it should have.
    Late,
}

impl Sequence {
    /// Half of all numbers: what is further ahead is behind.
    const HALF: u16 = 1 << 15;

    /// Looks at a number that is not 0.
    #[inline(always)]
    pub fn see(&mut self, number: u16) -> Order {
        let expected = self.0;
        if number == expected || expected == 0 {
            self.0 = Self::behind(number);
            return Order::Next;
        }
        self.look(number)
    }

    fn look(&mut self, number: u16) -> Order {
        let expected = self.0;
        let is_ahead = if number > expected {
            number - expected < Self::HALF
        } else {
            expected - number >= Self::HALF
        };
        if !is_ahead {
            return Order::Late;
        }
        self.0 = Self::behind(number);
        // 0 is left out when numbers begin anew.
        let wrapped = u16::from(number < expected);
        Order::Missing(number.wrapping_sub(expected).wrapping_sub(wrapped))
    }

    /// The number behind this one: 1 behind the highest (RFC 4385 4.1).
    const fn behind(number: u16) -> u16 {
        match number.wrapping_add(1) {
            0 => 1,
            next => next,
        }
    }
}

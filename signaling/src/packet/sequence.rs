//! Sequence numbers of a connection (RFC 4385 4): 1 to 65535, round and round; 0 says that they are not used.
//!
//! Must never take a frame that comes late, or twice, for one that comes in its turn.

/// How many numbers there are.
const COUNT: u32 = 65_535;
/// Ahead of what is expected by less than this: later. By more: earlier (RFC 4385 4.2).
const HALF: u32 = 32_768;
/// Earlier than what is expected by no more than this: late without a doubt.
const LATE: u32 = 1_024;

/// Numbers of the frames that are sent.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    last: u16,
}

impl Numbers {
    /// The number of the next frame; the first is 1.
    pub fn take(&mut self) -> u16 {
        self.last = behind(self.last);
        self.last
    }
}

fn behind(number: u16) -> u16 {
    number.checked_add(1).unwrap_or(1)
}

/// What a number says of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It comes in its turn, and so many before it were lost.
    InTurn {
        /// How many.
        lost: u16,
    },
    /// A later one was seen before: it is late, or comes twice.
    Late,
}

/// Which of the frames that are received are missing.
#[derive(Debug, Clone)]
pub struct Gaps {
    expected: u16,
    /// What would follow the last frame, if that seemed to be far too late.
    behind_late: Option<u16>,
}

impl Default for Gaps {
    fn default() -> Self {
        Self {
            expected: 1,
            behind_late: None,
        }
    }
}

impl Gaps {
    /// Judges the number of the next frame.
    ///
    /// Two in a row that seem to be far too late are not: more were lost than the numbers can tell apart, and what is
    /// counted is what they say.
    pub fn see(&mut self, number: u16) -> Seen {
        if number == 0 {
            return Seen::InTurn { lost: 0 };
        }
        let (number_from, expected) = (u32::from(number), u32::from(self.expected));
        let ahead = (number_from + COUNT - expected) % COUNT;
        let resumed = self.behind_late.take() == Some(number);
        if ahead >= HALF && !resumed {
            let far = COUNT - ahead > LATE;
            self.behind_late = far.then(|| behind(number));
            return Seen::Late;
        }
        self.expected = behind(number);
        // Less than COUNT, which fits.
        Seen::InTurn { lost: ahead as u16 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn after_the_last_comes_1() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.take(), 1);
        numbers.last = 65_534;
        assert_eq!((numbers.take(), numbers.take()), (65_535, 1));
    }

    #[test]
    fn gaps_are_counted_over_the_end_of_the_numbers() {
        let mut gaps = Gaps::default();
        let mut see = |number| gaps.see(number);
        assert_eq!(see(1), Seen::InTurn { lost: 0 });
        assert_eq!(see(4), Seen::InTurn { lost: 2 });
        assert_eq!(see(0), Seen::InTurn { lost: 0 }, "not used");
        assert_eq!(see(4), Seen::Late, "twice");
        assert_eq!(see(2), Seen::Late);
        assert_eq!(see(3), Seen::Late, "several late ones in a row");
        assert_eq!(see(5), Seen::InTurn { lost: 0 });
        assert_eq!(see(30_000), Seen::InTurn { lost: 29_994 });
        assert_eq!(see(60_000), Seen::InTurn { lost: 29_999 });
        assert_eq!(see(65_534), Seen::InTurn { lost: 5_533 });
        assert_eq!(see(2), Seen::InTurn { lost: 2 }, "65535 and 1");
        assert_eq!(see(65_535), Seen::Late);
    }

    #[test]
    fn the_first_frames_may_be_lost() {
        assert_eq!(Gaps::default().see(3), Seen::InTurn { lost: 2 });
    }

    #[test]
    fn a_stream_goes_on_after_more_was_lost_than_numbers_tell() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.see(1), Seen::InTurn { lost: 0 });
        assert_eq!(gaps.see(40_000), Seen::Late);
        assert_eq!(gaps.see(40_001), Seen::InTurn { lost: 39_999 });
        assert_eq!(gaps.see(40_002), Seen::InTurn { lost: 0 });
    }

    proptest! {
        #[test]
        fn what_is_missing_is_what_was_not_sent(steps in prop::collection::vec(0u16..32_767, 1..100)) {
            let (mut numbers, mut gaps) = (Numbers::default(), Gaps::default());
            for lost in steps {
                for _ in 0..lost {
                    numbers.take();
                }
                prop_assert_eq!(gaps.see(numbers.take()), Seen::InTurn { lost });
            }
        }
    }
}

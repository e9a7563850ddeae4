//! A gated link, the frames that are put to it, and the line that tells of each frame.
//!
//! The link, its schedule and the plan are one for everything that runs them (Linux taprio, a node, the pure gate), so
//! that what comes of them can be compared. Must never know what the right window of a frame is.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, ensure};

/// Rate of the link, bit/s. Linux reckons with 10 Mb/s where an interface has no speed, as a dummy has none; frames
/// then take up to 1.2 ms, so that the guard before a close is long against anything that disturbs.
pub const CAPACITY: u64 = 10_000_000;
/// Length of each class's phase, in the order of the cycle, ns. Cycles begin at whole multiples of their length on
/// CLOCK_TAI.
pub const PHASES_NS: [u64; 3] = [12_000_000, 8_000_000, 10_000_000];
/// Length of the cycle, ns.
pub const CYCLE_NS: u64 = PHASES_NS[0] + PHASES_NS[1] + PHASES_NS[2];
/// Octets of a frame on the wire beyond those of a socket: FCS, preamble and start delimiter, interframe gap.
pub const FCS_OCTETS: u64 = 4;
const GAP_OCTETS: u64 = 20;

/// Smallest and largest frame, octets without FCS.
const SIZES: [u64; 2] = [60, 1514];
/// Cycles of a round: in the first some frames come at random instants, then one drains, then each class has a burst and
/// the cycles that it needs.
const SPARSE_CYCLES: u64 = 8;
const BURST_CYCLES: u64 = 4;
const ROUND_CYCLES: u64 = SPARSE_CYCLES + 1 + 3 * BURST_CYCLES;
/// A burst begins so long after its class's gate closed, and may last until so long before it opens.
const BURST_AFTER_CLOSE_NS: u64 = 500_000;
const BURST_BEFORE_OPEN_NS: u64 = 1_000_000;
/// A burst is worth so many tenths of its class's phase: more than one phase, less than two.
const BURST_TENTHS: u64 = 17;
/// Frames that are to come near a close come from so long before it to so long after it.
const NEAR_CLOSE_NS: [u64; 2] = [3_000_000, 500_000];
/// At random instants there is so much more than the wire time between two frames of a class: a link that carries
/// them one after another and a queue that does not then agree on what fits.
const SPACING_NS: u64 = 100_000;
/// A sender that is so late with a frame leaves it out, so that late frames do not come in a heap.
const PATIENCE_NS: u64 = 2_000_000;

/// One frame of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Class, 0 to 2: the priority of its skb, and its PI code less one.
    pub class: u8,
    /// Octets without FCS.
    pub octets: u64,
    /// When it is to be sent, ns from the start, which is the beginning of a cycle.
    pub at_ns: u64,
    /// The next frame of its class is to be sent so long after it, or later.
    pub then_ns: u64,
    /// If it cannot be sent by then it is left out.
    pub until_ns: u64,
}

/// Wire time of a frame of `octets` without FCS, ns.
#[must_use]
pub fn wire_ns(octets: u64) -> u64 {
    (octets + FCS_OCTETS + GAP_OCTETS) * 8 * 1_000_000_000 / CAPACITY
}

/// When the phase of a class closes in its cycle, ns.
fn closes_ns(class: u8) -> u64 {
    PHASES_NS[..=usize::from(class)].iter().sum()
}

/// The frames of `rounds` rounds in the order of their instants. At most two frames of a class a cycle come at random
/// instants, half of them near the close of its gate; each burst lies between a close and an opening.
#[must_use]
pub fn plan(seed: u64, rounds: u64) -> Vec<Planned> {
    let mut dice = Dice(seed);
    let mut frames = Vec::new();
    for round in 0..rounds {
        let round_ns = round * ROUND_CYCLES * CYCLE_NS;
        for class in 0..3 {
            for cycle in 0..SPARSE_CYCLES {
                let cycle_ns = round_ns + cycle * CYCLE_NS;
                let [before_ns, after_ns] = NEAR_CLOSE_NS;
                let near_ns = closes_ns(class) - before_ns + dice.below(before_ns + after_ns);
                for offset_ns in [near_ns, dice.below(CYCLE_NS)] {
                    let octets = dice.between(SIZES);
                    let at_ns = cycle_ns + offset_ns;
                    frames.push(Planned {
                        class,
                        octets,
                        at_ns,
                        then_ns: wire_ns(octets) + SPACING_NS,
                        until_ns: at_ns + PATIENCE_NS,
                    });
                }
            }
            let cycle = SPARSE_CYCLES + 1 + u64::from(class) * BURST_CYCLES;
            let closed_ns = round_ns + cycle * CYCLE_NS + closes_ns(class);
            let phase_ns = PHASES_NS[usize::from(class)];
            // Short frames, frames of all sizes, long ones.
            let sizes = [[60, 200], SIZES, [1000, 1514]][(round % 3) as usize];
            let mut worth_ns = phase_ns * BURST_TENTHS / 10;
            loop {
                let octets = dice.between(sizes);
                let Some(rest_ns) = worth_ns.checked_sub(wire_ns(octets)) else {
                    break;
                };
                worth_ns = rest_ns;
                frames.push(Planned {
                    class,
                    octets,
                    at_ns: closed_ns + BURST_AFTER_CLOSE_NS,
                    then_ns: 0,
                    until_ns: closed_ns + CYCLE_NS - phase_ns - BURST_BEFORE_OPEN_NS,
                });
            }
        }
    }
    frames.sort_by_key(|frame| frame.at_ns);
    frames
}

/// What became of a frame: instants in ns of CLOCK_TAI. Its text is one line of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traced {
    /// Its number in the plan.
    pub number: u64,
    /// Class, 0 to 2.
    pub class: u8,
    /// Octets without FCS.
    pub octets: u64,
    /// When it was about to be handed to the kernel.
    pub sent_ns: u64,
    /// When it left.
    pub left_ns: u64,
}

/// Begins a line.
const MARK: &str = "gate-trace:";

impl fmt::Display for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            class,
            octets,
            sent_ns,
            left_ns,
        } = self;
        write!(f, "{MARK} {number} {class} {octets} {sent_ns} {left_ns}")
    }
}

impl FromStr for Traced {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self, Error> {
        let numbers = line.strip_prefix(MARK).context("no line of a trace")?;
        let numbers: Vec<u64> = numbers
            .split_whitespace()
            .map(|word| word.parse().with_context(|| format!("no number: {word}")))
            .collect::<Result<_, Error>>()?;
        let [number, class, octets, sent_ns, left_ns] = numbers[..] else {
            return Err(Error::msg("not five numbers"));
        };
        ensure!(
            class < 3 && octets <= SIZES[1],
            "no such class or size: {line}"
        );
        Ok(Self {
            number,
            class: class as u8,
            octets,
            sent_ns,
            left_ns,
        })
    }
}

/// The frames that a program told of in `console`, in the order in which they were sent.
///
/// # Errors
/// A line is garbled.
pub fn read(console: &str) -> Result<Vec<Traced>, Error> {
    console
        .lines()
        .filter(|line| line.starts_with(MARK))
        .map(str::parse)
        .collect()
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn between(&mut self, [least, most]: [u64; 2]) -> u64 {
        least + self.below(most - least + 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

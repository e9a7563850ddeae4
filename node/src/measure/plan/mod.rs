//! What will be measured, checked in whole before anything starts: streams by size, with what each can get at
//! most, and on what.
//!
//! ```text
//! node     the node in this process
//! links    or the two interfaces
//! streams  what is sent, size by size
//! routed   whom it is addressed to, where a router is on the way
//! bound    what each stream can get
//! demand   what is demanded of it
//! error    why it cannot be
//! ```
//!
//! Must never boot, open or send anything: a mistake costs the user nothing.

mod bound;
mod demand;
mod error;
mod links;
mod node;
mod routed;
mod streams;

use pinode_measure::method::demand::Demanded;
use pinode_measure::method::{Traffic, sizes};
use pinode_measure::results::Test;
use pinode_measure::stream::SMALLEST;
use pinode_measure::trial::Side;

pub use bound::Bound;
pub use error::PlanError;
pub use links::Links;
pub use node::NodePlan;

use super::asked::{Asked, FrameSize, Profile, Rate, Under};

/// Octets of a UDP header.
const UDP: u16 = 8;
/// Frames of the quick profile: the smallest, one in the middle, the largest of an ordinary link.
const QUICK_SIZES: [u16; 3] = [79, 512, 1518];

/// What is measured.
#[derive(Debug, Clone)]
pub enum Target {
    /// A node in this process.
    Node(Box<NodePlan>),
    /// What is between two interfaces.
    Links(Links),
}

/// The traffic of one size.
#[derive(Debug, Clone)]
pub struct Round {
    /// The size.
    pub size: FrameSize,
    /// The streams, at a load of 1.0 each at its ceiling, or at what the user wants.
    pub traffic: Traffic,
    /// What is demanded of each stream, where demands are tested.
    pub demanded: Vec<Demanded>,
}

/// What the streams take of the link at `side`, where they enter it, at a load of 1.0: bits per second with
/// preamble and gap.
#[must_use]
pub fn wire_bps(traffic: &Traffic, side: Side) -> f64 {
    let streams = traffic.streams.iter().map(|stream| &stream.stream);
    streams
        .filter(|stream| stream.from == side)
        .map(streams::wire_bps)
        .sum()
}

/// A measurement that can be begun.
#[derive(Debug, Clone)]
pub struct Plan {
    /// `quick`, `rfc2544`, `seed` or `single`.
    pub profile: &'static str,
    /// Trials are short and few.
    pub is_quick: bool,
    /// On what.
    pub target: Target,
    /// In their order.
    pub tests: Vec<Test>,
    /// In the order of the sizes.
    pub rounds: Vec<Round>,
    /// What should be known.
    pub notes: Vec<String>,
}

impl Plan {
    /// Checks what is asked.
    ///
    /// # Errors
    ///
    /// Why it cannot be; nothing was started.
    pub fn of(asked: &Asked) -> Result<Self, PlanError> {
        let mut target = match &asked.under {
            Under::Node { config, isolation } => {
                Target::Node(Box::new(NodePlan::read(config.as_deref(), *isolation)?))
            }
            Under::Interfaces {
                tx,
                rx,
                backend,
                capacity_bps,
            } => Target::Links(Links::look_up([tx, rx], *backend, *capacity_bps)?),
        };
        let mut notes = match &target {
            Target::Node(node) => node.notes.clone(),
            Target::Links(_) => Vec::new(),
        };
        let profile = asked.profile.unwrap_or(Profile::Quick);
        let tests = tests(asked, profile, &target, &mut notes)?;
        let own = match &target {
            Target::Node(node) if asked.sizes.is_empty() && tests == [Test::Demand] => {
                Some(demand::in_own_sizes(node, target.largest(), asked)?)
            }
            _ => None,
        };
        let rounds: Result<Vec<_>, _> = if let Some(own) = own {
            let rounds = own.into_iter();
            rounds
                .map(|(size, asked)| target.round(size, &asked))
                .collect()
        } else {
            let mut sizes = asked.sizes.clone();
            if sizes.is_empty() {
                sizes = sizes_of(profile, asked, target.largest(), &mut notes);
            }
            sizes
                .into_iter()
                .map(|size| target.round(size, asked))
                .collect()
        };
        let rounds = rounds?;
        if let Target::Node(node) = &mut target {
            let streams = rounds.iter().flat_map(|round| &round.traffic.streams);
            notes.extend(node.tell_neighbours(streams)?);
        }
        Ok(Self {
            profile: match asked.profile {
                None if !asked.tests.is_empty() => "single",
                _ => name(profile),
            },
            is_quick: asked.quick || profile == Profile::Quick,
            target,
            tests,
            rounds,
            notes,
        })
    }
}

fn name(profile: Profile) -> &'static str {
    match profile {
        Profile::Quick => "quick",
        Profile::Rfc2544 => "rfc2544",
        Profile::Seed => "seed",
    }
}

/// The tests of the profile, or those that were named.
fn tests(
    asked: &Asked,
    profile: Profile,
    target: &Target,
    notes: &mut Vec<String>,
) -> Result<Vec<Test>, PlanError> {
    if profile == Profile::Seed {
        let refused = match (target, asked.tests.is_empty(), asked.rate) {
            (Target::Links(_), ..) => {
                "measures the CPU use of a node in this process; allowed: without --tx and --rx"
            }
            (_, false, _) => "has experiments of its own; allowed: without --test",
            (_, _, Some(_)) => "has rates of its own, 10 to 330 Mb/s; allowed: without --rate",
            _ => return Ok(Vec::new()),
        };
        return Err(PlanError::Options(format!("--profile seed {refused}")));
    }
    let can_reset = matches!(target, Target::Node(_)) || asked.reset_command.is_some();
    if !asked.tests.is_empty() {
        let mut tests = Vec::new();
        for test in &asked.tests {
            if !tests.contains(test) {
                tests.push(*test);
            }
        }
        if tests.contains(&Test::Reset) && !can_reset {
            return Err(PlanError::Options(
                "--test reset: what is between two interfaces is reset by a command of yours; give it with \
                 --reset-command"
                    .to_owned(),
            ));
        }
        if tests.contains(&Test::Demand) && matches!(target, Target::Links(_)) {
            return Err(PlanError::Options(
                "--test demand: what is demanded stands in the configuration of a node; allowed: with -c node.toml"
                    .to_owned(),
            ));
        }
        if tests.contains(&Test::Saturation) && matches!(target, Target::Links(_)) {
            return Err(PlanError::Options(
                "--test saturation: what is between two interfaces has no ceilings that are known here; allowed: the \
                 other tests, such as --test loss"
                    .to_owned(),
            ));
        }
        return Ok(tests);
    }
    let mut tests = match profile {
        Profile::Quick => vec![
            Test::Throughput,
            Test::Latency,
            Test::Loss,
            Test::Saturation,
        ],
        Profile::Rfc2544 => vec![
            Test::Throughput,
            Test::Latency,
            Test::Loss,
            Test::BackToBack,
            Test::Recovery,
            Test::Reset,
        ],
        // Refused or answered above.
        Profile::Seed => Vec::new(),
    };
    if tests.contains(&Test::Reset) && !can_reset {
        tests.retain(|test| *test != Test::Reset);
        notes.push("The reset test was left out: no --reset-command was given.".to_owned());
    }
    // A bare link lets out what it takes in: nothing is above its ceiling.
    if matches!(target, Target::Links(_)) {
        tests.retain(|test| *test != Test::Saturation);
    }
    Ok(tests)
}

fn sizes_of(
    profile: Profile,
    asked: &Asked,
    largest: u32,
    notes: &mut Vec<String>,
) -> Vec<FrameSize> {
    let largest = u16::try_from(largest).unwrap_or(u16::MAX);
    let octets: &[u16] = match profile {
        // With tests of the user's own choice one size says enough.
        Profile::Quick if !asked.tests.is_empty() => &QUICK_SIZES[..1],
        Profile::Quick => &QUICK_SIZES,
        Profile::Rfc2544 if asked.quick => &QUICK_SIZES,
        Profile::Rfc2544 if largest > 1518 => &sizes::RFC5180,
        Profile::Rfc2544 => &sizes::RFC2544,
        Profile::Seed => &sizes::SEED,
    };
    let has_udp = asked.streams.iter().any(|stream| stream.udp);
    let smallest = if has_udp { SMALLEST + UDP } else { SMALLEST };
    let possible = sizes::possible(octets, smallest, largest);
    notes.extend(possible.notes);
    let mut sizes: Vec<FrameSize> = possible.sizes.into_iter().map(FrameSize::octets).collect();
    if profile == Profile::Seed && largest >= 1518 {
        sizes.push(FrameSize::random(79, 1518));
    }
    sizes
}

impl Target {
    /// Largest frame, octets with FCS.
    #[must_use]
    pub fn largest(&self) -> u32 {
        match self {
            Self::Node(node) => {
                let largest = node
                    .config
                    .ports
                    .iter()
                    .map(crate::config::PortConfig::largest_frame);
                largest.min().unwrap_or(0)
            }
            Self::Links(links) => links.largest(),
        }
    }

    /// Rate of the link at `side`, bits per second.
    #[must_use]
    pub fn capacity_bps(&self, side: Side) -> u64 {
        match self {
            Self::Node(node) => node.port(side).capacity_bps,
            Self::Links(links) => links.capacity_bps[side as usize],
        }
    }

    /// The traffic of one size.
    ///
    /// # Errors
    ///
    /// It cannot be.
    pub fn round(&self, size: FrameSize, asked: &Asked) -> Result<Round, PlanError> {
        let largest = size.sizes.largest().unwrap_or(0);
        if u32::from(largest) > self.largest() {
            return Err(PlanError::TooLarge {
                size: size.label,
                largest: self.largest(),
            });
        }
        let streams = streams::planned(self, &size, asked)?;
        let isolation = match self {
            Self::Node(node) => Some(node.config.isolation.as_str().to_owned()),
            Self::Links(_) => None,
        };
        let traffic = Traffic {
            size: size.label.clone(),
            isolation,
            streams,
        };
        let demanded = match self {
            Self::Node(node) if asked.tests.contains(&Test::Demand) => {
                demand::demanded(node, &traffic)?
            }
            _ => Vec::new(),
        };
        let round = Round {
            size,
            traffic,
            demanded,
        };
        self.check_rates(&round, asked.rate)?;
        Ok(round)
    }

    /// What enters a side has to be on its link.
    fn check_rates(&self, round: &Round, asked: Option<Rate>) -> Result<(), PlanError> {
        /// Rates are reckoned in floating point.
        const ROUNDING: f64 = 1.0 + 1e-9;
        for side in [Side::West, Side::East] {
            let (asked_bps, capacity_bps) =
                (wire_bps(&round.traffic, side), self.capacity_bps(side));
            if asked_bps > capacity_bps as f64 * ROUNDING {
                let asked =
                    asked.map_or_else(|| "(of --stream)".to_owned(), |rate| rate.to_string());
                return Err(PlanError::AboveLine {
                    asked,
                    size: round.size.label.clone(),
                    side,
                    asked_bps,
                    capacity_bps,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

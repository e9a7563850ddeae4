//! The two-level phase scheduler: what may go on a link, and when.
//!
//! Level 1 is a fixed [`Cycle`] of phases; a [`Gate`] says at each instant whose phase is open and
//! whether a whole frame still fits. It is the time-aware shaper of IEEE Std 802.1Q-2018 8.6.8.4
//! with one gate a PI, one open at a time, and it is never work-conserving: phase time that its PI
//! does not use is lost, so that no PI can feel another's load. [`level2`] holds what waits inside
//! a PI; [`bounds`] says what a cycle guarantees.
//!
//! Pure: time comes in as an argument, nothing here reads a clock, and the calls of the frame path
//! ([`Gate::advance`], [`Gate::try_start`]) neither allocate nor free. Instants are nanoseconds of
//! one monotonic clock; inside, time is counted in picoseconds from the opening of a window, so
//! that frames follow each other exactly at 100 Gbit/s too.
//!
//! ```
//! use pinode_scheduler::{Cycle, Gate, LinkRate, Phase, Refusal};
//!
//! let phases = [0, 1, 2].map(|slot| Phase { owner: Some(slot), duration_ns: 100_000 });
//! let link = LinkRate::new(1_000_000_000)?;
//! let mut gate = Gate::new(Cycle::new(&phases, 0, link, |_slot| 1518)?, 0, 10_000);
//!
//! assert_eq!(gate.advance(150_000).owner, Some(1));
//! assert_eq!(gate.try_start(1, 79), Ok(150_000));
//! assert_eq!(gate.try_start(1, 79), Ok(150_792));
//! assert_eq!(gate.try_start(2, 79), Err(Refusal::Closed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod account;
pub mod ahead;
pub mod bounds;
pub mod cycle;
mod delay;
mod extension;
pub mod gate;
pub mod level2;
pub mod rate;
pub mod reconfigure;
pub mod starts;

pub use account::GateCounters;
pub use cycle::{Cycle, CycleError, MAX_CYCLE_NS, MAX_PHASES, Phase};
pub use gate::{Gate, Refusal, Window};
pub use rate::{LinkRate, RateError};
pub use reconfigure::{InstallError, RETIRED_CYCLES};
pub use starts::{Start, Starts};

//! What gates promise, held against a running node: goodput against the ceilings, isolation, precision.
//!
//! Three guests with `builtin:patch` between two memory ports, a phase each. Frames are watched where they
//! leave the node, against windows that are computed here from the schedule's base time and nothing else.
//! Must never judge by the node's own counters alone: they are printed beside what was seen.

mod arm;
mod flood;
mod floor;
mod goodput;
mod isolation;
mod link;
mod plan;
mod precision;
mod watch;
mod wires;

pub use arm::{Arm, Base, GateStatus};
pub(crate) use flood::{Flood, template};
pub use floor::{Floor, Gaps};
pub use goodput::{Goodput, PiGoodput, goodput};
pub use isolation::{Others, Phase, isolation};
pub(crate) use link::Link;
pub use link::Ports;
pub use plan::{PIS, Plan};
pub use precision::{Lone, Precision, precision};
pub use watch::{Departure, Fit, PiWatch, Span, Watch, Windows};

const FCS: usize = 4;
/// Smallest frame without FCS; shorter ones are padded.
const SMALLEST_ON_WIRE: usize = 60;

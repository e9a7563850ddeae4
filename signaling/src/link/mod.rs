//! A small reliable link layer between neighbours, after SSCOP (ITU-T Q.2110).

mod side;
mod timers;

pub use side::Side;
pub use timers::Timers;

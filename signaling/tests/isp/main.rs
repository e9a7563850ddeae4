//! The internal signalling protocol: layout, Table 1, figures 7 to 12, and both machines in any interleaving.

mod codec;
mod crossings;
mod demon;
mod figures;
mod hostile;
mod kernel;
mod pair;
mod sample;
mod script;
mod table;

//! pinode: a virtual network node for Parallel Internets.

pub mod config;
pub mod control;
pub mod status;

//! pinode: a virtual network node for Parallel Internets.

pub mod assemble;
pub mod capture;
pub mod check;
pub mod config;
pub mod control;
pub mod dataplane;
pub mod status;

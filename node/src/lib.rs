//! pinode: a virtual network node for Parallel Internets.

pub mod api;
pub mod assemble;
pub mod capture;
pub mod check;
pub mod cli;
pub mod config;
pub mod control;
pub mod dataplane;
pub mod demo;
pub mod dss;
mod facts;
pub mod ipv6;
pub mod measure;
pub mod notation;
mod operator;
pub mod provision;
pub mod run;
pub mod running;
pub mod status;
pub mod supervisor;
#[allow(unsafe_code)]
mod unsafe_segments;
mod words;

//! Reports for people: one HTML file that needs nothing else, on a screen, in the dark and on paper; and tables
//! for a terminal.
//!
//! The input is plain data; values are escaped; every figure has its unit. Must never draw what was not
//! measured, and never refer to anything outside the file.

mod axis;
mod bars;
mod chart;
mod demo;
mod distribution;
mod legend;
mod measured;
mod number;
mod page;
mod picture;
mod plot;
mod svg;
mod table;
mod terminal;

pub use demo::{
    DemoReport, DropCount, Flow, GuestFacts, HostFacts, NextStep, NodeFacts, PhaseFacts, PortFacts,
    Section, render_demo,
};
pub use measured::render;
pub use page::ReportError;
pub use terminal::tables;

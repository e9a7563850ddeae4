//! Reports for people: one HTML file that needs nothing else, on a screen, in the dark and on paper.
//!
//! The input is plain data; values are escaped; every figure has its unit. Must never draw what was not
//! measured, and never refer to anything outside the file.

mod axis;
mod demo;
mod picture;
mod plot;

pub use demo::{
    DemoReport, DropCount, Flow, GuestFacts, HostFacts, NextStep, NodeFacts, PhaseFacts, PortFacts,
    ReportError, Section, render_demo,
};

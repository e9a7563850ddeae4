//! The way of a frame through the node, step by step.
//!
//! ```text
//! ingress   port burst -> classify -> policer -> the guest's receive ring   (one copy)
//! vif       the guest's rings as one worker holds them
//! egress    transmit ring -> level 2 -> gate -> copy, PIH checked -> port   (one copy)
//! baton     which guest of a shared core is woken next
//! worker    runs all of it to completion, in bursts, on one core
//! mailbox   how configuration reaches the worker between bursts
//! counters  what the worker counts; conservation is exact between bursts
//! clock     the one clock of it all
//! ```
//!
//! Nothing in here may allocate, lock, call the kernel or log per frame, and nothing depends on
//! the number of ports, guests or flows but what it indexes. Guest bytes are claims: a ring that
//! breaks the protocol takes its guest off the node, never the node down.

pub mod baton;
pub mod clock;
pub mod counters;
mod egress;
mod ingress;
pub mod lane;
pub mod mailbox;
pub mod vif;
pub mod worker;

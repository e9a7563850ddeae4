//! The way of a frame through the node, step by step.
//!
//! ```text
//! layout    which worker has which queues, rings and gates
//! lane      a port as one worker holds it
//! ingress   port burst -> classify -> policer -> the guest's receive ring   (one copy)
//! vif       the guest's rings, each with its worker
//! slots     a set of guests in one word
//! egress    transmit ring -> level 2 -> gate -> copy, PIH checked -> port   (one copy)
//! level2    in which order a PI's frames go
//! streams   connections, changed and looked at between bursts
//! edge      what a worker does around the instant at which a gate opens
//! baton     which guest of a shared core is woken next
//! worker    runs all of it to completion, in bursts, on one core
//! idle      when a worker without work sleeps, and until when
//! sleeper   where it sleeps
//! bell      what wakes it
//! mailbox   how configuration reaches a worker between bursts
//! workers   how the rest of the node reaches all of them
//! counters  what workers count; conservation is exact between bursts
//! clock     the one clock of it all
//! ```
//!
//! Nothing in here may allocate, lock, call the kernel or log per frame, and nothing depends on
//! the number of ports, guests or flows but what it indexes. Guest bytes are claims: a ring that
//! breaks the protocol takes its guest off the node, never the node down.

pub mod baton;
pub mod bell;
pub mod clock;
pub mod counters;
mod edge;
mod egress;
pub mod idle;
mod ingress;
pub mod lane;
pub mod layout;
pub mod level2;
pub mod mailbox;
pub mod sleeper;
pub mod slots;
pub mod streams;
pub mod vif;
pub mod worker;
pub mod workers;

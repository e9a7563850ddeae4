//! The machine's devices, one file each.

pub mod console;
pub mod console_ports;
pub mod general_queue;
pub mod net;
pub mod net_control;
pub mod power;
pub mod pvpanic;
pub mod serial;

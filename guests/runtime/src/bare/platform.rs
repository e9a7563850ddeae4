//! The machine as the main loop sees it: console, net devices, clock and sleep.
//!
//! Must never fail quietly: a device that is missing or breaks is a panic, which the host is told of.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::boot_info::MmioDevice;
use super::unsafe_registers::{MmioRegisters, stolen_ns, tick_length, time_stamp};
use super::{unsafe_entry, unsafe_heap};
use crate::control::Config;
use crate::run::Platform;
use crate::unsafe_arena::Arena;
use crate::usage::Clock;
use crate::vif::{Direction, Net};
use crate::virtio::console::Console;
use crate::virtio::net::NetDevice;

/// The virtual machine.
#[derive(Debug)]
pub struct Machine {
    console: Console<MmioRegisters>,
    nets: Vec<MmioDevice>,
    started: Vec<NetDevice<MmioRegisters>>,
    pairs: usize,
    arena: Arena,
    factor: u32,
    shift: i8,
}

impl Machine {
    /// Takes the console, the first of `devices`, in use; the others are the vifs in order.
    ///
    /// # Panics
    ///
    /// Without a console there is nobody to talk to.
    pub fn new(devices: &[MmioDevice], mut arena: Arena) -> Self {
        let (console, nets) = devices
            .split_first()
            .expect("no virtio-mmio device on the command line");
        let registers = MmioRegisters::at(console.base).expect("console registers below 3 GiB");
        let console = match Console::start(registers, &mut arena) {
            Ok(console) => console,
            Err(error) => panic!("console: {error}"),
        };
        let (factor, shift) = tick_length();
        Machine {
            console,
            nets: nets.to_vec(),
            started: Vec::new(),
            pairs: 1,
            arena,
            factor,
            shift,
        }
    }

    /// Sleeps until an interrupt, with nothing left to do.
    pub fn rest(&mut self) {
        let _ = self.receive_line();
        if !self.arm() {
            self.idle();
        }
    }
}

impl Clock for Machine {
    #[inline]
    fn ticks(&self) -> u64 {
        time_stamp()
    }

    fn nanoseconds(&self, ticks: u64) -> u64 {
        let shifted = match self.shift {
            left @ 0.. => u128::from(ticks) << left.unsigned_abs().min(63),
            right => u128::from(ticks) >> right.unsigned_abs().min(63),
        };
        // Fits for centuries; the factor is a fraction of 2^32 (KVM's pvclock).
        ((shifted * u128::from(self.factor)) >> 32) as u64
    }

    fn away_ns(&self) -> u64 {
        stolen_ns()
    }
}

impl Platform for Machine {
    #[inline]
    fn receive_line(&mut self) -> Option<String> {
        match self.console.receive_line() {
            Ok(line) => line,
            Err(error) => panic!("console: {error}"),
        }
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.console.has_room()
    }

    fn send_line(&mut self, line: &str) {
        if let Err(error) = self.console.send_line(line) {
            panic!("console: {error}");
        }
    }

    fn log(&mut self, text: &str) {
        if let Err(error) = self.console.log(&format!("{text}\n")) {
            panic!("console: {error}");
        }
    }

    fn arm(&mut self) -> bool {
        self.console.arm()
    }

    fn idle(&mut self) {
        unsafe_entry::idle();
    }

    fn reserve(&mut self, octets: u64) -> Result<(), String> {
        unsafe_heap::extend(&mut self.arena, octets).map_err(|error| error.to_string())
    }

    fn open(&mut self, config: &Config) -> Result<Net, String> {
        let (vifs, nets) = (config.vifs.len(), self.nets.len());
        if vifs != nets {
            return Err(format!(
                "{vifs} vifs configured, but the machine has {nets} net devices"
            ));
        }
        let mut queues = Vec::new();
        for (device, vif) in self.nets.iter().zip(&config.vifs) {
            let name = &vif.name;
            let Some(registers) = MmioRegisters::at(device.base) else {
                return Err(format!(
                    "vif {name}: registers at {:#x}, below 3 GiB",
                    device.base
                ));
            };
            let (started, pairs) = NetDevice::start(registers, &mut self.arena)
                .map_err(|error| format!("vif {name}: {error}"))?;
            if !self.started.is_empty() && pairs.len() != self.pairs {
                return Err(format!(
                    "vif {name} has {} queue pairs, not {}",
                    pairs.len(),
                    self.pairs
                ));
            }
            self.pairs = pairs.len();
            self.started.push(started);
            queues.extend(pairs);
        }
        Net::with_buffers(&mut self.arena, queues, self.pairs, config.largest_frame())
            .map_err(|error| error.to_string())
    }

    #[inline]
    fn kick(&mut self, lane: usize, direction: Direction) {
        if let Some(device) = self.started.get_mut(lane / self.pairs) {
            device.kick(lane % self.pairs, direction);
        }
    }
}

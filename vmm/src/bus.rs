//! Which device an address or a port belongs to. What belongs to none reads as ones and is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::boot::layout::{MMIO_BASE, MMIO_STRIDE};
use crate::devices::power::{self, StopReason};
use crate::devices::pvpanic;
use crate::devices::serial::SerialPort;
use crate::mmio::slot::Slot;

/// What an access means beyond itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guest goes on.
    Continue,
    /// The guest says it panicked.
    Panicked,
    /// The guest ends.
    Stopped(StopReason),
    /// The guest broke a device's protocol.
    Broken(String),
}

/// The machine's address decoder.
pub struct Bus {
    slots: Vec<Arc<Slot>>,
    serial: Arc<SerialPort>,
    strays: AtomicU64,
}

impl Bus {
    /// Slot n answers at [`MMIO_BASE`] + n * [`MMIO_STRIDE`].
    pub fn new(slots: Vec<Arc<Slot>>, serial: Arc<SerialPort>) -> Self {
        Self {
            slots,
            serial,
            strays: AtomicU64::new(0),
        }
    }

    fn stray(&self) {
        self.strays.fetch_add(1, Ordering::Relaxed);
    }

    fn slot(&self, address: u64) -> Option<(&Slot, u64)> {
        let offset = address.checked_sub(MMIO_BASE)?;
        let slot = self
            .slots
            .get(usize::try_from(offset / MMIO_STRIDE).ok()?)?;
        Some((slot, offset % MMIO_STRIDE))
    }

    /// The guest reads memory that is not RAM.
    pub fn mmio_read(&self, address: u64, into: &mut [u8]) {
        match self.slot(address) {
            Some((slot, at)) => slot.read(at, into),
            None => {
                into.fill(0xff);
                self.stray();
            }
        }
    }

    /// The guest writes memory that is not RAM.
    pub fn mmio_write(&self, address: u64, from: &[u8]) -> Outcome {
        let Some((slot, at)) = self.slot(address) else {
            self.stray();
            return Outcome::Continue;
        };
        match slot.write(at, from) {
            Ok(()) => Outcome::Continue,
            Err(why) => Outcome::Broken(why),
        }
    }

    /// The guest reads a port.
    pub fn port_read(&self, port: u16, into: &mut [u8]) {
        into.fill(0xff);
        if let Some(register) = SerialPort::register(port) {
            for octet in into {
                *octet = self.serial.read(register);
            }
            return;
        }
        match (port, into) {
            (pvpanic::PORT, [octet]) => *octet = pvpanic::PANICKED,
            (power::PORT, [octet]) => *octet = 0,
            // Nothing behind the keyboard controller: its status has no bit set, so a reset may be written at once.
            (power::KEYBOARD, [octet]) => *octet = 0,
            _ => self.stray(),
        }
    }

    /// The guest writes a port.
    pub fn port_write(&self, port: u16, from: &[u8]) -> Outcome {
        if let Some(register) = SerialPort::register(port) {
            for octet in from {
                self.serial.write(register, *octet);
            }
            return Outcome::Continue;
        }
        match from {
            [value, ..] if port == pvpanic::PORT && value & pvpanic::PANICKED != 0 => {
                Outcome::Panicked
            }
            [value] => match power::decode(port, *value) {
                Some(reason) => Outcome::Stopped(reason),
                None => {
                    self.stray();
                    Outcome::Continue
                }
            },
            _ => {
                self.stray();
                Outcome::Continue
            }
        }
    }

    /// Accesses that met no device or made no sense to one.
    pub fn ignored(&self) -> u64 {
        let slots: u64 = self.slots.iter().map(|slot| slot.ignored()).sum();
        slots + self.strays.load(Ordering::Relaxed)
    }
}

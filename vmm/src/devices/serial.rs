//! The 16550A at 0x3f8: a guest's first way to speak. Output goes to the console log; input is what was typed.
//!
//! It must never block on output or grow without bound on input.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vm_superio::Trigger;
use vm_superio::serial::{NoEvents, Serial};

use crate::console::Log;
use crate::irq::Interrupt;

/// First I/O port.
pub const PORT: u16 = 0x3f8;
/// Number of I/O ports.
pub const PORTS: u16 = 8;

struct Line(Interrupt);

impl Trigger for Line {
    type E = Infallible;
    fn trigger(&self) -> Result<(), Infallible> {
        self.0.raise();
        Ok(())
    }
}

struct Output(Arc<Log>);

impl Write for Output {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.append(octets);
        Ok(octets.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The machine's serial port.
pub struct SerialPort {
    uart: Mutex<Serial<Line, NoEvents, Output>>,
}

impl SerialPort {
    pub(crate) fn new(interrupt: Interrupt, log: Arc<Log>) -> Self {
        Self {
            uart: Mutex::new(Serial::new(Line(interrupt), Output(log))),
        }
    }

    fn uart(&self) -> MutexGuard<'_, Serial<Line, NoEvents, Output>> {
        self.uart.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which register of this device an I/O port is.
    pub fn register(port: u16) -> Option<u8> {
        let offset = port.checked_sub(PORT).filter(|offset| *offset < PORTS)?;
        u8::try_from(offset).ok()
    }

    /// The guest reads a register.
    pub fn read(&self, register: u8) -> u8 {
        self.uart().read(register)
    }

    /// The guest writes a register. A full receive FIFO in loop-back mode loses the octet, as the chip does.
    pub fn write(&self, register: u8, value: u8) {
        let _ = self.uart().write(register, value);
    }

    /// Types octets; returns how many the FIFO took.
    pub fn type_in(&self, octets: &[u8]) -> usize {
        self.uart().enqueue_raw_bytes(octets).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_reaches_the_log_and_input_the_guest() {
        let log = Arc::new(Log::default());
        let port = SerialPort::new(Interrupt::new().unwrap(), log.clone());
        for octet in b"hi\n" {
            port.write(0, *octet);
        }
        assert_eq!(log.last_lines(1), "hi");
        assert_eq!(port.type_in(b"x"), 1);
        assert_eq!(port.read(0), b'x');
        assert!(port.type_in(&[b'y'; 1000]) < 1000);
    }

    #[test]
    fn ports() {
        assert_eq!(SerialPort::register(0x3f8), Some(0));
        assert_eq!(SerialPort::register(0x3ff), Some(7));
        assert_eq!(SerialPort::register(0x400), None);
        assert_eq!(SerialPort::register(0x3f7), None);
    }
}

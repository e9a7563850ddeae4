//! virtio-console with F_MULTIPORT (VIRTIO 1.2, 5.3): port 0 is the guest's console, port 1 carries the control
//! lines between node and guest, in both directions.
//!
//! The guest may send anything: lines are bounded, queues of messages are bounded, and a broken ring takes the
//! device out of service.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::console_ports::{Input, LineBuffer, Lines};
use super::general_queue::GeneralQueue;
use crate::console::Log;
use crate::event::MachineEvent;
use crate::irq::Interrupt;
use crate::memory::GuestRam;
use crate::mmio::registers::feature;
use crate::mmio::slot::VirtioDevice;
use crate::mmio::transport::{Identity, QueueSetup};
use crate::vcpu::Shared;

/// Device type of virtio-console.
const DEVICE_ID: u32 = 3;
const F_MULTIPORT: u64 = 1 << 1;
/// Entries of each queue.
pub const ENTRIES: u16 = 128;
/// Number of queues: two a port and the two control queues.
pub const QUEUES: u16 = 6;
/// Ports.
const PORTS: u32 = 2;
/// The port of the control lines, and its name.
const CONTROL_PORT: u32 = 1;
/// Name of the control port as a guest sees it.
pub const CONTROL_NAME: &[u8] = b"pinode.control";
/// Control messages waiting for a buffer at most; a driver that asks faster loses the answers.
const MESSAGES_MOST: usize = 64;
/// Octets read from one chain at most.
const CHAIN_MOST: usize = 128 << 10;

/// Events of a control message (VIRTIO 1.2, 5.3.6.2).
mod control {
    pub const DEVICE_READY: u16 = 0;
    pub const DEVICE_ADD: u16 = 1;
    pub const PORT_READY: u16 = 3;
    pub const CONSOLE_PORT: u16 = 4;
    pub const PORT_OPEN: u16 = 6;
    pub const PORT_NAME: u16 = 7;
}

/// The console's registers for the transport.
pub fn identity() -> Identity {
    let mut config = vec![0; 4];
    config.extend(PORTS.to_le_bytes());
    config.extend([0; 4]);
    Identity {
        device_id: DEVICE_ID,
        features: feature::VERSION_1 | feature::EVENT_IDX | F_MULTIPORT,
        queue_sizes: vec![ENTRIES; usize::from(QUEUES)],
        config,
        accepts: |_| true,
    }
}

/// The device, shared by the vCPUs (lifecycle), the device thread (service) and the owner (lines, input).
pub struct ConsoleDevice {
    state: Mutex<State>,
    ram: Arc<GuestRam>,
    interrupt: Interrupt,
    log: Arc<Log>,
    shared: Arc<Shared>,
    kick: EventFd,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    typed: Input,
    lines: Lines,
    heard: LineBuffer,
    said: Vec<String>,
}

struct Running {
    receive: [Option<GeneralQueue>; 2],
    transmit: [Option<GeneralQueue>; 2],
    control_receive: Option<GeneralQueue>,
    control_transmit: Option<GeneralQueue>,
    messages: VecDeque<Vec<u8>>,
    open: [bool; 2],
}

impl ConsoleDevice {
    pub(crate) fn new(
        ram: Arc<GuestRam>,
        interrupt: Interrupt,
        log: Arc<Log>,
        shared: Arc<Shared>,
    ) -> std::io::Result<Self> {
        let kick = EventFd::new(EFD_NONBLOCK)?;
        Ok(Self {
            state: Mutex::new(State::default()),
            ram,
            interrupt,
            log,
            shared,
            kick,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The event the guest's kicks arrive at.
    pub(crate) fn event(&self) -> &EventFd {
        &self.kick
    }

    fn kick(&self) {
        // A full counter is a pending kick.
        let _ = self.kick.write(1);
    }

    /// Queues a line for the control port. `false` when the backlog is full.
    pub(crate) fn send_line(&self, line: &str) -> bool {
        let taken = self.state().lines.push(line);
        self.kick();
        taken
    }

    /// Types at port 0. `false` when no driver has it open.
    pub(crate) fn type_in(&self, octets: &[u8]) -> bool {
        let mut state = self.state();
        if !state
            .running
            .as_ref()
            .is_some_and(|running| running.open[0])
        {
            return false;
        }
        state.typed.push(octets);
        drop(state);
        self.kick();
        true
    }

    /// Serves all queues once. An error: a ring is broken and the device out of service.
    pub(crate) fn service(&self) -> Result<(), String> {
        let mut state = self.state();
        let outcome = state.round(&self.log);
        if outcome.is_err() {
            state.running = None;
        }
        let said = std::mem::take(&mut state.said);
        drop(state);
        for line in said {
            (self.shared.events)(MachineEvent::Control(line));
        }
        if outcome? {
            self.kick();
        }
        Ok(())
    }
}

impl VirtioDevice for ConsoleDevice {
    fn start(&self, features: u64, queues: &[QueueSetup]) -> Result<(), String> {
        let event_idx = features & feature::EVENT_IDX != 0;
        let multiport = features & F_MULTIPORT != 0;
        let take = |index: usize, name| match queues.get(index).filter(|queue| queue.ready) {
            None => Ok(None),
            Some(setup) => {
                GeneralQueue::new(name, &self.ram, &self.interrupt, setup, event_idx).map(Some)
            }
        };
        // Queue numbers: VIRTIO 1.2, 5.3.2.
        let running = Running {
            receive: [
                take(0, "receiveq of port 0")?,
                take(4, "receiveq of port 1")?,
            ],
            transmit: [
                take(1, "transmitq of port 0")?,
                take(5, "transmitq of port 1")?,
            ],
            control_receive: take(2, "control receiveq")?,
            control_transmit: take(3, "control transmitq")?,
            messages: VecDeque::new(),
            open: [!multiport, false],
        };
        self.state().running = Some(running);
        self.kick();
        Ok(())
    }

    fn stop(&self) {
        let mut state = self.state();
        state.running = None;
        state.heard = LineBuffer::default();
        state.lines.rewind();
    }

    fn notify(&self, _queue: u16) {
        self.kick();
    }
}

impl State {
    fn round(&mut self, log: &Log) -> Result<bool, String> {
        let Self {
            running,
            typed,
            lines,
            heard,
            said,
        } = self;
        let Some(running) = running.as_mut() else {
            return Ok(false);
        };
        let mut more = running.hear_control()?;
        more |= running.tell_control()?;
        more |= drain(&mut running.transmit[0], |octets| log.append(&octets))?;
        more |= drain(&mut running.transmit[1], |octets| heard.push(&octets, said))?;
        if running.open[0] {
            more |= fill(&mut running.receive[0], typed)?;
        }
        if running.open[1] {
            more |= fill(&mut running.receive[1], lines)?;
        }
        Ok(more)
    }
}

/// Something that has octets for the guest.
pub trait Source {
    /// The next octets, in one piece; empty when there are none.
    fn next(&mut self) -> &[u8];
    /// The guest took this many of them.
    fn taken(&mut self, octets: usize);
}

/// Takes what the driver sends on a queue.
fn drain(queue: &mut Option<GeneralQueue>, mut take: impl FnMut(Vec<u8>)) -> Result<bool, String> {
    let Some(queue) = queue else {
        return Ok(false);
    };
    for _ in 0..queue.round() {
        let Some(chain) = queue.pop()? else { break };
        take(queue.gather(&chain, CHAIN_MOST));
        queue.complete(&chain, 0)?;
    }
    queue.finish()
}

/// Fills the buffers the driver offers on a queue. More buffers than octets is no reason for another round.
fn fill(queue: &mut Option<GeneralQueue>, source: &mut dyn Source) -> Result<bool, String> {
    let Some(queue) = queue else {
        return Ok(false);
    };
    for _ in 0..queue.round() {
        if source.next().is_empty() {
            break;
        }
        let Some(chain) = queue.pop()? else { break };
        let written = queue.scatter(&chain, source.next());
        source.taken(written);
        queue.complete(&chain, written)?;
    }
    let offered = queue.finish()?;
    Ok(offered && !source.next().is_empty())
}

impl Running {
    fn hear_control(&mut self) -> Result<bool, String> {
        let mut heard = Vec::new();
        let more = drain(&mut self.control_transmit, |octets| heard.push(octets))?;
        for message in heard {
            if let [i0, i1, i2, i3, e0, e1, v0, v1] = *message {
                let port = u32::from_le_bytes([i0, i1, i2, i3]);
                let (event, value) = (u16::from_le_bytes([e0, e1]), u16::from_le_bytes([v0, v1]));
                self.on_message(port, event, value);
            }
        }
        Ok(more)
    }

    /// The driver's side of port discovery (VIRTIO 1.2, 5.3.6.2.2). What makes no sense is passed over.
    fn on_message(&mut self, port: u32, event: u16, value: u16) {
        match event {
            control::DEVICE_READY if value == 1 => {
                (0..PORTS).for_each(|port| self.tell(port, control::DEVICE_ADD, 1, b""));
            }
            control::PORT_READY if value == 1 && port < PORTS => {
                if port == CONTROL_PORT {
                    self.tell(port, control::PORT_NAME, 1, CONTROL_NAME);
                } else {
                    self.tell(port, control::CONSOLE_PORT, 1, b"");
                }
                self.tell(port, control::PORT_OPEN, 1, b"");
            }
            control::PORT_OPEN => {
                if let Some(open) = usize::try_from(port)
                    .ok()
                    .and_then(|p| self.open.get_mut(p))
                {
                    *open = value == 1;
                }
            }
            _ => {}
        }
    }

    fn tell(&mut self, port: u32, event: u16, value: u16, name: &[u8]) {
        if self.messages.len() < MESSAGES_MOST {
            let mut message = port.to_le_bytes().to_vec();
            message.extend(event.to_le_bytes());
            message.extend(value.to_le_bytes());
            message.extend(name);
            self.messages.push_back(message);
        }
    }

    fn tell_control(&mut self) -> Result<bool, String> {
        let Some(queue) = &mut self.control_receive else {
            return Ok(false);
        };
        while let Some(message) = self.messages.front() {
            let Some(chain) = queue.pop()? else { break };
            let written = queue.scatter(&chain, message);
            queue.complete(&chain, written)?;
            self.messages.pop_front();
        }
        let offered = queue.finish()?;
        Ok(offered && !self.messages.is_empty())
    }
}

#[cfg(test)]
#[path = "console_tests.rs"]
mod tests;

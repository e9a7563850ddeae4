//! virtio-console with F_MULTIPORT (VIRTIO 1.2, 5.3): port 0 is the guest's console, port 1 carries the control
//! lines between node and guest, in both directions.
//!
//! The guest may send anything: lines are bounded, queues of messages are bounded, and a broken ring takes the
//! device out of service.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::console_ports::{LINE_MOST, LineBuffer, Outbox, Source};
use super::general_queue::{GeneralQueue, ROUND_MOST};
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
/// Octets read from one chain of a port at most: the longest control line and its newline.
const CHAIN_MOST: usize = LINE_MOST + 1;
/// Octets read from one chain of the control transmitq: a message (VIRTIO 1.2, 5.3.6.2), and one octet more, by
/// which a longer one is known.
const MESSAGE_MOST: usize = 9;

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
///
/// `state` is held for a whole round, whose length is the guest's doing, so the owner never takes it: what it has for
/// the guest goes by the outbox, which a round locks for a copy at a time. Who needs both takes `state` first.
pub struct ConsoleDevice {
    state: Mutex<State>,
    outbox: Mutex<Outbox>,
    /// Has a driver port 0 open?
    typable: AtomicBool,
    ram: Arc<GuestRam>,
    interrupt: Interrupt,
    log: Arc<Log>,
    shared: Arc<Shared>,
    kick: EventFd,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
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
            outbox: Mutex::new(Outbox::default()),
            typable: AtomicBool::new(false),
            ram,
            interrupt,
            log,
            shared,
            kick,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        lock(&self.outbox)
    }

    /// Notes whether typing makes sense, for who must not ask `state`.
    fn note_typable(&self, state: &State) {
        let running = state.running.as_ref();
        let open = running.is_some_and(|running| running.open[0]);
        self.typable.store(open, Ordering::Release);
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
        let taken = self.outbox().lines.push(line);
        self.kick();
        taken
    }

    /// Types at port 0. `false` when no driver has it open.
    pub(crate) fn type_in(&self, octets: &[u8]) -> bool {
        if !self.typable.load(Ordering::Acquire) {
            return false;
        }
        self.outbox().typed.push(octets);
        self.kick();
        true
    }

    /// Serves all queues once. An error: a ring is broken and the device out of service.
    pub(crate) fn service(&self) -> Result<(), String> {
        let mut state = self.state();
        let outcome = state.round(&self.log, &self.outbox);
        if outcome.is_err() {
            state.running = None;
        }
        self.note_typable(&state);
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
        let mut state = self.state();
        state.running = Some(running);
        self.note_typable(&state);
        drop(state);
        self.kick();
        Ok(())
    }

    fn stop(&self) {
        let mut state = self.state();
        state.running = None;
        state.heard = LineBuffer::default();
        self.note_typable(&state);
        self.outbox().lines.rewind();
    }

    fn notify(&self, _queue: u16) {
        self.kick();
    }
}

impl State {
    fn round(&mut self, log: &Log, outbox: &Mutex<Outbox>) -> Result<bool, String> {
        let Self {
            running,
            heard,
            said,
        } = self;
        let Some(running) = running.as_mut() else {
            return Ok(false);
        };
        let mut more = running.hear_control()?;
        more |= running.tell_control()?;
        more |= drain(&mut running.transmit[0], CHAIN_MOST, |octets| {
            log.append(&octets)
        })?;
        more |= drain(&mut running.transmit[1], CHAIN_MOST, |octets| {
            heard.push(&octets, said)
        })?;
        if running.open[0] {
            more |= fill(&mut running.receive[0], outbox, |outbox| &mut outbox.typed)?;
        }
        if running.open[1] {
            more |= fill(&mut running.receive[1], outbox, |outbox| &mut outbox.lines)?;
        }
        Ok(more)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes what the driver sends on a queue, at most `most` octets of a chain.
fn drain(
    queue: &mut Option<GeneralQueue>,
    most: usize,
    mut take: impl FnMut(Vec<u8>),
) -> Result<bool, String> {
    let Some(queue) = queue else {
        return Ok(false);
    };
    while let Some(chain) = queue.pop()? {
        take(queue.gather(&chain, most));
        queue.complete(&chain, 0)?;
    }
    queue.finish()
}

/// Fills the buffers the driver offers on a queue from a part of the outbox, which is locked while a piece is copied
/// out of it and never while the ring is looked at. More buffers than octets is no reason for another round.
fn fill(
    queue: &mut Option<GeneralQueue>,
    outbox: &Mutex<Outbox>,
    part: fn(&mut Outbox) -> &mut dyn Source,
) -> Result<bool, String> {
    let Some(queue) = queue else {
        return Ok(false);
    };
    loop {
        // Only a round takes octets out, and rounds hold the device's state: the piece stays the next one.
        let piece = part(&mut lock(outbox)).piece(ROUND_MOST);
        let mut sent = 0;
        let outcome = pour(queue, &piece, &mut sent);
        part(&mut lock(outbox)).taken(sent);
        outcome?;
        if piece.is_empty() || sent < piece.len() {
            break;
        }
    }
    let offered = queue.finish()?;
    Ok(offered && !part(&mut lock(outbox)).next().is_empty())
}

/// Fills buffers with a piece as far as there are buffers; `sent` counts its octets as they are written.
fn pour(queue: &mut GeneralQueue, piece: &[u8], sent: &mut usize) -> Result<(), String> {
    while let Some(rest) = piece.get(*sent..).filter(|rest| !rest.is_empty()) {
        let Some(chain) = queue.pop()? else { break };
        let written = queue.scatter(&chain, rest);
        *sent += written;
        queue.complete(&chain, written)?;
    }
    Ok(())
}

impl Running {
    fn hear_control(&mut self) -> Result<bool, String> {
        let mut heard = Vec::new();
        let more = drain(&mut self.control_transmit, MESSAGE_MOST, |octets| {
            heard.push(octets)
        })?;
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

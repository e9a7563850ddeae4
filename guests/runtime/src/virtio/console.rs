//! virtio-console with several ports (VIRTIO 1.2, 5.3): port 0 takes the guest's log, the port named
//! `pinode.control` carries the control lines.
//!
//! Must never wait for the host: what cannot be sent yet is kept, up to a bound, and sent later.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use pinode_virtqueue::{DriverQueue, Ram};

use super::mmio::{Device, DeviceError, F_EVENT_IDX, Registers};
use crate::control::{LINE_OCTETS, PORT_NAME};
use crate::unsafe_arena::Arena;

const DEVICE_ID: u32 = 3;
const F_MULTIPORT: u64 = 1 << 1;
/// Descriptors used of each queue.
const MOST: u16 = 16;

/// Queues (5.3.2): the log is port 0, the lines are port 1.
const LOG: u16 = 1;
const CONTROL_RECEIVE: u16 = 2;
const CONTROL_TRANSMIT: u16 = 3;
const LINES_RECEIVE: u16 = 4;
const LINES_TRANSMIT: u16 = 5;
const LINES_PORT: u32 = 1;

/// Events of the control queues (5.3.6.2).
const EVENT_DEVICE_READY: u16 = 0;
const EVENT_DEVICE_ADD: u16 = 1;
const EVENT_PORT_READY: u16 = 3;
const EVENT_PORT_OPEN: u16 = 6;
const EVENT_PORT_NAME: u16 = 7;

/// Most octets kept until they can be sent; what does not fit is dropped, whole writes at a time.
const KEPT: usize = 4 * LINE_OCTETS;

/// A queue with buffers of its own, copied in and out of.
#[derive(Debug)]
struct Stream {
    number: u16,
    queue: DriverQueue,
    ram: Ram,
    base: u64,
    each: u32,
    /// Buffers not with the device, transmit queues only.
    free: Vec<u32>,
    kept: VecDeque<u8>,
}

impl Stream {
    fn new<R: Registers>(
        device: &mut Device<R>,
        arena: &mut Arena,
        number: u16,
        each: u32,
        receives: bool,
    ) -> Result<Self, DeviceError> {
        let queue = device.queue(arena, number, MOST)?;
        let count = u32::from(queue.free());
        let base = arena.allocate(u64::from(count) * u64::from(each), 64)?;
        let mut stream = Stream {
            number,
            queue,
            ram: arena.ram(),
            base,
            each,
            free: Vec::new(),
            kept: VecDeque::new(),
        };
        if receives {
            for token in 0..count {
                stream
                    .queue
                    .post(token, stream.address(token), each, true)?;
            }
        } else {
            stream.free = (0..count).collect();
        }
        Ok(stream)
    }

    fn address(&self, token: u32) -> u64 {
        self.base + u64::from(token) * u64::from(self.each)
    }

    /// Takes all that was received; `take` is given each piece.
    fn receive(&mut self, mut take: impl FnMut(&[u8])) -> Result<(), DeviceError> {
        let mut came: Vec<(u32, u32)> = Vec::new();
        self.queue.take(usize::from(MOST), |token, octets| {
            came.push((token, octets))
        })?;
        for (token, octets) in came {
            let mut piece = alloc::vec![0; octets as usize];
            if self.ram.read(self.address(token), &mut piece).is_some() {
                take(&piece);
            }
            self.queue
                .post(token, self.address(token), self.each, true)?;
        }
        Ok(())
    }

    /// Keeps octets for [`flush`](Self::flush).
    fn keep(&mut self, octets: &[u8]) {
        if self.kept.len() + octets.len() <= KEPT {
            self.kept.extend(octets);
        }
    }

    /// Posts as much of what is kept as there are buffers for. Returns whether to kick.
    fn flush(&mut self) -> Result<bool, DeviceError> {
        let Stream { queue, free, .. } = self;
        queue.take(usize::from(MOST), |token, _| free.push(token))?;
        while !self.kept.is_empty()
            && let Some(token) = self.free.pop()
        {
            let octets = self.kept.len().min(self.each as usize);
            let piece: Vec<u8> = self.kept.drain(..octets).collect();
            let address = self.address(token);
            let _ = self.ram.write(address, &piece);
            // Fits: at most `each`.
            self.queue.post(token, address, octets as u32, false)?;
        }
        Ok(self.queue.publish())
    }
}

/// A started console.
#[derive(Debug)]
pub struct Console<R> {
    device: Device<R>,
    log: Stream,
    control_receive: Stream,
    control_transmit: Stream,
    lines_receive: Stream,
    lines_transmit: Stream,
    open: bool,
    partial: Vec<u8>,
    overlong: bool,
    lines: VecDeque<String>,
}

impl<R: Registers> Console<R> {
    /// Starts the console and asks for its ports.
    ///
    /// # Errors
    ///
    /// It is no console with several ports, or memory is short.
    pub fn start(registers: R, arena: &mut Arena) -> Result<Self, DeviceError> {
        let mut device = Device::open(registers, DEVICE_ID, F_MULTIPORT, F_EVENT_IDX)?;
        let mut stream =
            |number, each, receives| Stream::new(&mut device, arena, number, each, receives);
        // Input typed at port 0 has no reader here: its queue is left alone.
        let log = stream(LOG, 256, false)?;
        let control_receive = stream(CONTROL_RECEIVE, 64, true)?;
        let control_transmit = stream(CONTROL_TRANSMIT, 8, false)?;
        let lines_receive = stream(LINES_RECEIVE, 4096, true)?;
        let lines_transmit = stream(LINES_TRANSMIT, 1024, false)?;
        device.start();
        let mut console = Console {
            device,
            log,
            control_receive,
            control_transmit,
            lines_receive,
            lines_transmit,
            open: false,
            partial: Vec::new(),
            overlong: false,
            lines: VecDeque::new(),
        };
        console.publish_receive();
        console.tell(0, EVENT_DEVICE_READY, 1);
        console.flush()?;
        Ok(console)
    }

    /// The next line from the host. Two loads when there is none.
    ///
    /// # Errors
    ///
    /// The device broke a ring.
    #[inline]
    pub fn receive_line(&mut self) -> Result<Option<String>, DeviceError> {
        if self.lines.is_empty()
            && (self.lines_receive.queue.has_used() || self.control_receive.queue.has_used())
        {
            self.listen()?;
        }
        if !self.lines_transmit.kept.is_empty() || !self.log.kept.is_empty() {
            self.flush()?;
        }
        Ok(self.lines.pop_front())
    }

    /// Whether there is room for a line that may wait, and for answers beside it: half of what can be kept.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.lines_transmit.kept.len() + LINE_OCTETS < KEPT / 2
    }

    /// Sends a line, which has no end of line in it.
    ///
    /// # Errors
    ///
    /// The device broke a ring.
    pub fn send_line(&mut self, line: &str) -> Result<(), DeviceError> {
        let mut octets = Vec::with_capacity(line.len() + 1);
        octets.extend_from_slice(line.as_bytes());
        octets.push(b'\n');
        self.lines_transmit.keep(&octets);
        self.flush()
    }

    /// Writes to the log.
    ///
    /// # Errors
    ///
    /// The device broke a ring.
    pub fn log(&mut self, text: &str) -> Result<(), DeviceError> {
        self.log.keep(text.as_bytes());
        self.flush()
    }

    /// Asks for interrupts. True: there is something already.
    pub fn arm(&mut self) -> bool {
        let waiting = !self.lines_transmit.kept.is_empty() && self.open;
        let mut ready = !self.lines.is_empty();
        ready |= self.lines_receive.queue.arm(1);
        ready |= self.control_receive.queue.arm(1);
        if waiting {
            ready |= self.lines_transmit.queue.arm(1);
        }
        ready
    }

    fn listen(&mut self) -> Result<(), DeviceError> {
        let mut messages: Vec<Vec<u8>> = Vec::new();
        self.control_receive
            .receive(|piece| messages.push(piece.into()))?;
        for message in messages {
            self.obey(&message);
        }
        let Console {
            lines_receive,
            partial,
            overlong,
            lines,
            ..
        } = self;
        lines_receive.receive(|piece| cut(piece, partial, overlong, lines))?;
        self.publish_receive();
        self.flush()
    }

    fn publish_receive(&mut self) {
        for stream in [&mut self.control_receive, &mut self.lines_receive] {
            if stream.queue.publish() {
                self.device.notify(stream.number);
            }
        }
    }

    /// A message of the control queue: id, event, value, and for a name its octets (5.3.6.2).
    fn obey(&mut self, message: &[u8]) {
        let (Some(id), Some(event)) = (
            message.first_chunk::<4>().map(|id| u32::from_le_bytes(*id)),
            message.get(4..6).and_then(|event| event.first_chunk::<2>()),
        ) else {
            return;
        };
        match u16::from_le_bytes(*event) {
            EVENT_DEVICE_ADD => self.tell(id, EVENT_PORT_READY, 1),
            EVENT_PORT_NAME if id == LINES_PORT && message.get(8..).is_some_and(is_ours) => {
                self.open = true;
                self.tell(id, EVENT_PORT_OPEN, 1);
            }
            _ => {}
        }
    }

    fn tell(&mut self, id: u32, event: u16, value: u16) {
        let mut message = [0u8; 8];
        message[..4].copy_from_slice(&id.to_le_bytes());
        message[4..6].copy_from_slice(&event.to_le_bytes());
        message[6..].copy_from_slice(&value.to_le_bytes());
        self.control_transmit.keep(&message);
    }

    fn flush(&mut self) -> Result<(), DeviceError> {
        let Console {
            device,
            log,
            control_transmit,
            lines_transmit,
            open,
            ..
        } = self;
        for (stream, may) in [
            (control_transmit, true),
            (log, true),
            (lines_transmit, *open),
        ] {
            if may && stream.flush()? {
                device.notify(stream.number);
            }
        }
        Ok(())
    }
}

fn is_ours(name: &[u8]) -> bool {
    name.strip_suffix(b"\0").unwrap_or(name) == PORT_NAME.as_bytes()
}

/// Cuts octets into lines; a line that is too long is dropped to its end.
fn cut(piece: &[u8], partial: &mut Vec<u8>, overlong: &mut bool, lines: &mut VecDeque<String>) {
    for &octet in piece {
        if octet != b'\n' {
            if partial.len() < LINE_OCTETS {
                partial.push(octet);
            } else {
                *overlong = true;
            }
        } else {
            let line = core::mem::take(partial);
            if !core::mem::take(overlong) && !line.is_empty() {
                lines.push_back(String::from_utf8_lossy(&line).into_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(pieces: &[&[u8]]) -> Vec<String> {
        let (mut partial, mut overlong, mut lines) = (Vec::new(), false, VecDeque::new());
        for piece in pieces {
            cut(piece, &mut partial, &mut overlong, &mut lines);
        }
        lines.into()
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        assert_eq!(
            lines_of(&[b"{\"pi", b"ng\":1}\n{}\n\nrest"]),
            ["{\"ping\":1}", "{}"]
        );
    }

    #[test]
    fn a_line_too_long_is_dropped_and_the_next_is_read() {
        let long = alloc::vec![b'x'; LINE_OCTETS + 1];
        assert_eq!(lines_of(&[&long, b"\nshort\n"]), ["short"]);
        assert_eq!(lines_of(&[&long[1..], b"\n"]).len(), 1);
    }
}

//! A hostile driver against [`Receiveq`] and [`Transmitq`].

use pinode_virtqueue::{
    MAX_FRAME, MIN_FRAME, QueueError, QueueLayout, Receiveq, Refused, Transmitq, TxFrame,
};

use super::Script;
use crate::unsafe_memory::Memory;

const RAM: u64 = 0x1_0000;
const TX_RINGS: u64 = 0x4000;

/// The driver's pen on one queue, and a device side of it.
struct Bench<'m> {
    memory: &'m Memory,
    layout: QueueLayout,
}

impl Bench<'_> {
    fn scribble(&self, script: &mut Script<'_>, writable: bool) {
        let QueueLayout {
            size, desc, avail, ..
        } = self.layout;
        match script.u8() % 8 {
            // A descriptor, likely of the right direction and in range.
            0 | 1 => {
                let index = script.u16() % size;
                let right = if writable { 2 } else { 0 };
                let flags = match script.u8() % 8 {
                    0 => script.u16(),
                    1 => right | 4,
                    2..=4 => right | 1,
                    _ => right,
                };
                let next = if script.u8().is_multiple_of(16) {
                    script.u16()
                } else {
                    script.u16() % size
                };
                let addr = script.nasty(RAM);
                let len = script.nasty(RAM) as u32;
                self.memory
                    .set_descriptor(desc, index, (addr, len, flags, next));
            }
            2 | 3 => {
                let entry = u64::from(script.u16() % size);
                let head = if script.u8().is_multiple_of(32) {
                    script.u16()
                } else {
                    script.u16() % size
                };
                self.memory.set_u16(avail + 4 + 2 * entry, head);
            }
            // The index moves on a little, or jumps.
            4 | 5 => {
                let step = u16::from(script.u8()) % (size + 1);
                self.memory
                    .set_u16(avail + 2, self.memory.u16(avail + 2).wrapping_add(step));
            }
            6 => match script.u8() % 8 {
                0 => self.memory.set_u16(avail + 2, script.u16()),
                1 => self.memory.set_u16(avail, script.u16()),
                _ => self
                    .memory
                    .set_u16(avail + 4 + 2 * u64::from(size), script.u16()),
            },
            // Any octet of RAM, the used ring too.
            _ => self.memory.write(u64::from(script.u16()), &[script.u8()]),
        }
    }
}

/// Runs the script; panics if a promise does not hold.
pub fn run(octets: &[u8]) {
    let mut script = Script::new(octets);
    let memory = Memory::new(RAM as usize);
    let size = 1 << (script.u8() % 9);
    let options = script.u8();
    let event_idx = options & 1 != 0;
    let rx = Bench {
        memory: &memory,
        layout: QueueLayout::contiguous(0, size, event_idx),
    };
    let tx = Bench {
        memory: &memory,
        layout: QueueLayout::contiguous(TX_RINGS, size, event_idx),
    };
    let mut receive = Receiveq::new(memory.ram(), &rx.layout, options & 2 != 0).expect("layout");
    let mut transmit = Transmitq::new(memory.ram(), &tx.layout).expect("layout");
    let mut held: Vec<TxFrame> = Vec::new();
    let mut broken: [Option<QueueError>; 2] = [None; 2];
    let body = [0x5A; 2048];

    while !script.over() {
        match script.u8() % 16 {
            0..=3 => rx.scribble(&mut script, true),
            4..=7 => tx.scribble(&mut script, false),
            8 | 9 => {
                let prefix = usize::from(script.u8() % 16);
                let len = usize::from(script.u16()) % body.len();
                let result = receive.deliver(&body[..prefix], &body[..len]);
                if let Some(error) = broken[0] {
                    assert_eq!(result, Err(Refused::Broken(error)), "broken is for good");
                }
                if let Err(Refused::Broken(error)) = result {
                    broken[0] = Some(error);
                }
            }
            10 | 11 => {
                let max = usize::from(script.u8());
                let before = held.len();
                let result = transmit.harvest(max, |frame| held.push(frame));
                let frames = held.len() - before;
                assert!(frames <= max);
                match result {
                    Ok(harvest) => {
                        assert_eq!(usize::from(harvest.frames), frames);
                        assert!(frames + usize::from(harvest.malformed) <= max);
                        assert_eq!(broken[1], None, "broken is for good");
                    }
                    Err(error) => assert_eq!(*broken[1].get_or_insert(error), error),
                }
            }
            12 => {
                if let Some(frame) = held.get(usize::from(script.u8()) % held.len().max(1)) {
                    assert!((MIN_FRAME..=MAX_FRAME).contains(&frame.len()));
                    let offset = u32::from(script.u16());
                    let mut copy = vec![0; usize::from(script.u16())];
                    let fits = u64::from(offset) + copy.len() as u64 <= u64::from(frame.len());
                    let result = transmit.read(frame, offset, &mut copy);
                    match result {
                        Ok(()) => assert!(fits, "read beyond the frame"),
                        Err(QueueError::ReadBeyondFrame { .. }) => assert!(!fits),
                        Err(error) => {
                            assert_eq!(*broken[1].get_or_insert(error), error);
                        }
                    }
                }
            }
            13 => {
                if !held.is_empty() {
                    transmit.complete(held.swap_remove(usize::from(script.u8()) % held.len()));
                }
            }
            14 => {
                receive.publish();
                transmit.publish();
            }
            _ => match script.u8() % 4 {
                0 => {
                    receive.signalled();
                    transmit.signalled();
                    // Nothing is published since: no wish can be open.
                    assert!(!receive.wants_interrupt() && !transmit.wants_interrupt());
                }
                1 => {
                    receive.ask_kick(true);
                    transmit.ask_kick(script.u8() & 1 != 0);
                }
                _ => {
                    let wants = receive.wants_interrupt();
                    assert!(!wants || receive.driver_idle(), "who waits is idle");
                    let _ = (transmit.pending(), transmit.driver_idle());
                }
            },
        }
        assert_eq!(
            usize::from(transmit.outstanding()),
            held.len(),
            "each head is held once"
        );
        assert!(
            transmit.outstanding() <= size,
            "more outstanding than the queue has"
        );
    }
    memory.assert_canaries();
}

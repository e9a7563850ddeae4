//! A hostile device against [`DriverQueue`].

use std::collections::BTreeMap;

use pinode_virtqueue::{DriverQueue, QueueError, QueueLayout};

use super::Script;
use crate::unsafe_memory::Memory;

const RAM: u64 = 0x1_0000;

/// Runs the script; panics if a promise does not hold.
pub fn run(octets: &[u8]) {
    let mut script = Script::new(octets);
    let memory = Memory::new(RAM as usize);
    let size = 1 << (script.u8() % 9);
    let options = script.u8();
    let layout = QueueLayout::contiguous(0, size, options & 1 != 0);
    let used = layout.used;
    let headed = options & 2 != 0 && size > 1;
    let mut queue = if headed {
        DriverQueue::with_header(memory.ram(), &layout, RAM - 12, 12).expect("layout")
    } else {
        DriverQueue::new(memory.ram(), &layout).expect("layout")
    };
    // Buffers that fit.
    let places = if headed { size / 2 } else { size };
    // Posted octets and direction, by token.
    let mut in_flight: BTreeMap<u32, (u32, bool)> = BTreeMap::new();
    let mut broken: Option<QueueError> = None;
    let mut token = 0;

    while !script.over() {
        match script.u8() % 14 {
            0..=2 => {
                let (addr, len) = (script.nasty(RAM), script.nasty(RAM) as u32);
                let writes = script.u8() & 1 != 0;
                let fits = len > 0 && addr <= RAM && u64::from(len) <= RAM - addr;
                match queue.post(token, addr, len, writes) {
                    Ok(()) => {
                        assert!(fits && broken.is_none());
                        in_flight.insert(token, (len, writes));
                        token += 1;
                    }
                    Err(error) => assert!(
                        broken == Some(error) || !fits || in_flight.len() == usize::from(places),
                        "refused without a reason: {error}"
                    ),
                }
            }
            3 => {
                queue.publish();
            }
            4 | 5 => {
                let max = usize::from(script.u8());
                let mut count = 0;
                let result = queue.take(max, |token, len| {
                    let (posted, writes) =
                        in_flight.remove(&token).expect("a token comes back once");
                    assert!(len <= posted, "more octets than were posted");
                    assert!(
                        writes || len == 0,
                        "octets in a buffer the device only reads"
                    );
                    count += 1;
                });
                assert!(count <= max);
                match result {
                    Ok(taken) => assert!(taken == count && broken.is_none()),
                    Err(error) => assert_eq!(*broken.get_or_insert(error), error),
                }
            }
            6 => {
                queue.arm(script.u16());
            }
            7 => queue.disarm(),
            8 | 9 => {
                let entry = used + 4 + 8 * u64::from(script.u16() % size);
                let id = if script.u8().is_multiple_of(16) {
                    script.u32()
                } else {
                    u32::from(script.u16() % size)
                };
                memory.write(entry, &id.to_le_bytes());
                memory.write(entry + 4, &(script.nasty(RAM) as u32).to_le_bytes());
            }
            10 => match script.u8() % 16 {
                0 => memory.set_u16(used + 2, script.u16()),
                step => memory.set_u16(used + 2, memory.u16(used + 2).wrapping_add(step.into())),
            },
            11 => memory.write(u64::from(script.u16()), &[script.u8()]),
            12 => queue.expose(),
            _ => {
                let _ = queue.wants_kick();
                if script.u8() & 1 != 0 {
                    queue.kicked();
                    assert!(!queue.wants_kick(), "nothing is exposed since");
                }
            }
        }
        assert_eq!(
            usize::from(queue.free()) + in_flight.len(),
            usize::from(places)
        );
    }
    memory.assert_canaries();
}

//! A bare AF_XDP forwarder: what comes in on one port goes out on the other, and back. No virtual
//! machine, no header looked at, no schedule.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::anyhow;
use pinode_ports::{BURST, Port, RxBurst, TxMeta, TxSlots};

use super::{pin, port};

/// Forwards between two interfaces on a thread of its own until it is dropped or stopped.
pub struct Forwarder {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Forwarder {
    /// Opens both interfaces and forwards on core `cpu`, or anywhere.
    ///
    /// # Errors
    /// What stands against the ports.
    pub fn start(west: &str, east: &str, cpu: Option<usize>) -> anyhow::Result<Self> {
        let (mut west, mut east) = (port(west)?, port(east)?);
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("xdp-forward".into())
            .spawn(move || {
                cpu.map_or(Ok(()), pin)?;
                while !told.load(Ordering::Relaxed) {
                    burst(&mut *west, &mut *east);
                    burst(&mut *east, &mut *west);
                }
                Ok(())
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }

    /// Ends it.
    ///
    /// # Errors
    /// It could not be pinned, or panicked.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.end()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(anyhow!("the forwarder panicked")),
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        // Whoever wants to know stops it.
        let _ = self.end();
    }
}

/// Moves one burst. What finds no room is lost.
fn burst(from: &mut dyn Port, to: &mut dyn Port) {
    let mut frames = RxBurst::new();
    from.rx_burst(0, &mut frames);
    if frames.is_empty() {
        return;
    }
    let mut slots = TxSlots::new();
    to.tx_slots(frames.len(), &mut slots);
    let mut metas = arrayvec::ArrayVec::<TxMeta, BURST>::new();
    for (slot, frame) in slots.iter_mut().zip(&frames) {
        let Some(room) = slot.get_mut(..frame.len()) else {
            break;
        };
        room.copy_from_slice(frame);
        metas.push(TxMeta {
            len: frame.len() as u16,
            start_ns: 0,
        });
    }
    drop(slots);
    to.tx_commit(&metas);
}

#[cfg(test)]
mod tests {
    use super::*;
    use pinode_ports::memory;

    #[test]
    fn frames_go_over_as_they_are() {
        let (mut west, mut left) = memory::pair(128, 2048);
        let (mut east, mut right) = memory::pair(128, 2048);
        for number in 0..100u8 {
            assert!(left.send(&[number; 75]));
        }
        for _ in 0..4 {
            burst(&mut west, &mut east);
        }
        let mut got = Vec::new();
        while right.recv(|frame, _| got.push(frame.to_vec())) > 0 {}
        let sent: Vec<_> = (0..100u8).map(|number| vec![number; 75]).collect();
        assert_eq!(got, sent);
    }
}

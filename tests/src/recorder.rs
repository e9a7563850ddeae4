//! Every frame that an interface receives, kept for later: what its peer really sent.
//!
//! Must never drop a frame unseen: an overflow of its socket is an error.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};

use crate::{PacketSocket, pcap};

/// The recorder ends when it was told to and nothing came for this long.
const QUIET: Duration = Duration::from_millis(20);

/// See the module.
#[derive(Debug)]
pub struct Recorder {
    stop: Arc<AtomicBool>,
    frames: Arc<Mutex<Vec<Vec<u8>>>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Recorder {
    /// Records what `socket` receives until [`Self::finish`].
    #[must_use]
    pub fn start(socket: PacketSocket) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let frames = Arc::new(Mutex::new(Vec::new()));
        let thread = {
            let (stop, frames) = (stop.clone(), frames.clone());
            thread::spawn(move || record(&socket, &stop, &frames))
        };
        Self {
            stop,
            frames,
            thread: Some(thread),
        }
    }

    /// How many frames so far are as `wanted` says.
    pub fn count(&self, wanted: impl Fn(&[u8]) -> bool) -> usize {
        let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        frames.iter().filter(|frame| wanted(frame)).count()
    }

    /// Ends it and writes what came into a pcap file; gives the number of frames.
    ///
    /// # Errors
    /// Its socket overflowed, or the file cannot be written.
    pub fn finish(mut self, file: &Path) -> Result<usize> {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread
                .join()
                .map_err(|_| anyhow!("the recorder panicked"))??;
        }
        let frames =
            std::mem::take(&mut *self.frames.lock().unwrap_or_else(PoisonError::into_inner));
        let count = frames.len();
        pcap::write(file, frames, 1)?;
        Ok(count)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

fn record(socket: &PacketSocket, stop: &AtomicBool, frames: &Mutex<Vec<Vec<u8>>>) -> Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let last_round = stop.load(Ordering::Acquire);
        match socket.receive(&mut buffer, QUIET)? {
            Some(frame) => frames
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(frame.to_vec()),
            None if last_round => break,
            None => {}
        }
    }
    let overflowed = socket.overflowed()?;
    ensure!(
        overflowed == 0,
        "the recorder lost {overflowed} frames; is the machine overloaded?"
    );
    Ok(())
}

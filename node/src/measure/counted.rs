//! A device whose frames are counted over all trials, those that warm up as well, so that its results can be held
//! against the counters of interfaces.

use pinode_measure::results::Frames;
use pinode_measure::trial::{Device, DeviceError, Glimpse, Load, Path, Reset, StreamTrial, Trial};

/// A device and what passed between it and the tester.
pub struct Counted<'a> {
    device: &'a mut dyn Device,
    frames: &'a mut Frames,
}

impl<'a> Counted<'a> {
    /// Adds the frames of every trial on `device` to `frames`.
    pub fn new(device: &'a mut dyn Device, frames: &'a mut Frames) -> Self {
        Self { device, frames }
    }
}

impl Device for Counted<'_> {
    fn offer(
        &mut self,
        load: &Load,
        watch: &mut dyn FnMut(Glimpse) -> bool,
    ) -> Result<Trial, DeviceError> {
        let trial = self.device.offer(load, watch)?;
        // What the system refused later was never sent; what the tester's own rings had no room for came.
        self.frames.sent += trial.sent().saturating_sub(trial.tx_lost);
        self.frames.received += trial.streams.iter().map(came).sum::<u64>();
        self.frames.received += trial.foreign + trial.stale + trial.missed;
        Ok(trial)
    }

    fn resetter(
        &self,
        what: Reset,
    ) -> Result<Box<dyn FnMut() -> Result<(), DeviceError>>, DeviceError> {
        self.device.resetter(what)
    }

    fn path(&self) -> &Path {
        self.device.path()
    }
}

/// Every frame of a stream that came, whatever had become of it.
fn came(stream: &StreamTrial) -> u64 {
    let received = &stream.received;
    received.frames + received.duplicated + received.too_late + received.corrupted
}

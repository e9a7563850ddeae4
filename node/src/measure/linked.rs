//! A path between two interfaces that ends with them: when the tester could not send and a link is gone, that is the
//! end of the measurement, and no trial is made again on it.

use std::time::Duration;

use pinode_measure::trial::{Device, DeviceError, Glimpse, Load, Path, Reset, Trial};
use pinode_ports::InterfaceName;

use super::interfaces::carriers;

/// A link that a device under test took down has come back by then, or the measurement ends.
const BACK_WITHIN: Duration = Duration::from_secs(5);

/// A path and its interfaces.
pub struct Linked<'a> {
    path: &'a mut dyn Device,
    names: &'a [InterfaceName],
}

impl<'a> Linked<'a> {
    /// `path` runs over `names`.
    pub fn new(path: &'a mut dyn Device, names: &'a [InterfaceName]) -> Self {
        Self { path, names }
    }
}

impl Device for Linked<'_> {
    fn offer(
        &mut self,
        load: &Load,
        watch: &mut dyn FnMut(Glimpse) -> bool,
    ) -> Result<Trial, DeviceError> {
        let trial = self.path.offer(load, watch)?;
        if trial.why_refused().is_some() && !trial.is_partial {
            carriers(self.names, BACK_WITHIN)
                .map_err(|error| DeviceError::Path(error.to_string()))?;
        }
        Ok(trial)
    }

    fn resetter(
        &self,
        what: Reset,
    ) -> Result<Box<dyn FnMut() -> Result<(), DeviceError>>, DeviceError> {
        self.path.resetter(what)
    }

    fn path(&self) -> &Path {
        self.path.path()
    }
}

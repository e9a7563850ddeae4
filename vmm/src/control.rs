//! The owner's end of the control channel: lines to the guest's port `pinode.control`.

use std::sync::{Arc, Weak};

use crate::devices::console::ConsoleDevice;
use crate::devices::console_ports::LINE_MOST;

/// Why a line was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Too long.
    #[error("a control line of {octets} octets: at most {LINE_MOST} are possible")]
    TooLong {
        /// Its length.
        octets: usize,
    },
    /// More than one line.
    #[error("a control line must not contain a newline")]
    Newline,
    /// The guest does not read.
    #[error("the guest does not read its control port: 1 MiB of lines are waiting")]
    Full,
    /// The machine was stopped.
    #[error("the machine is gone")]
    Gone,
}

/// Sends control lines to a guest. Cheap to clone; a clone keeps nothing of the machine alive.
#[derive(Clone)]
pub struct ControlPort {
    console: Weak<ConsoleDevice>,
}

impl ControlPort {
    pub(crate) fn new(console: &Arc<ConsoleDevice>) -> Self {
        Self {
            console: Arc::downgrade(console),
        }
    }

    /// Queues a line (without newline); it is delivered once the guest has opened the port.
    pub fn send_line(&self, line: &str) -> Result<(), ControlError> {
        if line.len() > LINE_MOST {
            return Err(ControlError::TooLong { octets: line.len() });
        }
        if line.contains('\n') {
            return Err(ControlError::Newline);
        }
        let console = self.console.upgrade().ok_or(ControlError::Gone)?;
        if console.send_line(line) {
            Ok(())
        } else {
            Err(ControlError::Full)
        }
    }
}

impl std::fmt::Debug for ControlPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ControlPort")
    }
}

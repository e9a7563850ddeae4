//! Packet sockets that are used again: to open one takes the kernel microseconds, to close one a grace period of its
//! networking (about 15 ms), for which connections that come and go would wait.
//!
//! Must never hand on a frame that came for a connection before.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use super::socket::{Interface, PacketError, Socket};

/// Sockets kept at most; more are closed.
const IDLE: usize = 1024;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// Of each interface, by its index.
    idle: Mutex<BTreeMap<u32, Vec<Arc<Socket>>>>,
}

/// A socket that goes back to its pool when it is dropped.
#[derive(Debug)]
pub(crate) struct Lent {
    socket: Arc<Socket>,
    pool: Arc<Pool>,
}

impl Pool {
    /// A socket on an interface for the frames of this label, from now on.
    pub(crate) fn take(self: &Arc<Self>, interface: u32, label: u32) -> Result<Lent, PacketError> {
        let lent = |socket| Lent {
            socket,
            pool: Arc::clone(self),
        };
        loop {
            match self.with(|idle| idle.get_mut(&interface)?.pop()) {
                // One whose interface went meanwhile is closed.
                Some(used) if used.again(label).is_err() => {}
                Some(used) => return Ok(lent(used)),
                None => {
                    let new = Socket::open(&Interface::Index(interface), label)?;
                    return Ok(lent(Arc::new(new)));
                }
            }
        }
    }

    fn with<T>(&self, step: impl FnOnce(&mut BTreeMap<u32, Vec<Arc<Socket>>>) -> T) -> T {
        step(&mut self.idle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Deref for Lent {
    type Target = Socket;

    fn deref(&self) -> &Socket {
        &self.socket
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if self.socket.shut().is_err() {
            return;
        }
        self.pool.with(|idle| {
            if idle.values().map(Vec::len).sum::<usize>() < IDLE {
                let of_interface = idle.entry(self.socket.interface()).or_default();
                of_interface.push(Arc::clone(&self.socket));
            }
        });
    }
}

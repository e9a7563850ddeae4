//! The connection to the daemon that streams and listeners share, and the thread that listens to it.

use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use super::error::Error;
use super::flow::lock;
use super::inner::{self, Inner};
use super::signal::Signal;
use crate::isp::Vcc;
use crate::isp::layout::MAX_OCTETS;
use crate::ready::{self, For};
use crate::seqpacket::{Connection, Received};

/// Messages taken in a row before what is to be sent is looked at.
const BURST: usize = 64;

/// A connection to this host's daemon. Clones are the same one; it ends with the last of them and of its streams and
/// listeners.
#[derive(Debug, Clone)]
pub struct Signaling {
    open: Arc<Open>,
}

#[derive(Debug)]
struct Open {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connection: Connection,
    inner: Mutex<Inner>,
    /// Raised when there is something to be sent that the daemon does not take yet.
    unsent: Signal,
}

impl Signaling {
    /// Connects to the daemon whose socket has this path.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::System`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let connection = Connection::connect(path).map_err(|source| Error::Open {
            path: path.to_owned(),
            source,
        })?;
        Self::over(connection)
    }

    /// Over a connection that exists.
    ///
    /// # Errors
    /// [`Error::System`].
    pub fn over(connection: Connection) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            connection,
            inner: Mutex::new(Inner::new()),
            unsent: inner::event()?,
        });
        let listens = Arc::clone(&shared);
        thread::Builder::new()
            .name("dss-signalling".into())
            .spawn(move || listens.listen())
            .map_err(|source| Error::System {
                action: "start a thread",
                source,
            })?;
        Ok(Self {
            open: Arc::new(Open { shared }),
        })
    }

    /// One step on what is shared, and then sends what is to be sent.
    pub(super) fn with<T>(&self, step: impl FnOnce(&mut Inner) -> T) -> T {
        let shared = &self.open.shared;
        let mut inner = lock(&shared.inner);
        let result = step(&mut inner);
        inner.flush(&shared.connection);
        if inner.has_unsent() {
            shared.unsent.raise();
        }
        result
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // The thread hears the end, and ends.
        self.shared.connection.end();
    }
}

impl Shared {
    /// Listens to the daemon until one of both is gone.
    fn listen(&self) {
        while self.listen_once() {}
        // For the daemon too: one that breaks the protocol cannot go on.
        self.connection.end();
        lock(&self.inner).lose();
    }

    fn listen_once(&self) -> bool {
        let has_unsent = lock(&self.inner).has_unsent();
        let wanted = if has_unsent {
            For::IN | For::OUT
        } else {
            For::IN
        };
        let wanted = [
            (self.connection.as_fd(), wanted),
            (self.unsent.as_fd(), For::IN),
        ];
        if ready::wait(wanted, None).is_err() {
            return false;
        }
        self.unsent.lower();
        let mut message = [0; MAX_OCTETS];
        for _ in 0..BURST {
            let Ok(received) = self.connection.receive(&mut message) else {
                return false;
            };
            let mut inner = lock(&self.inner);
            match received {
                Received::Message(octets) => {
                    let heard = inner.hears(message.get(..octets).unwrap_or(&[]));
                    inner.flush(&self.connection);
                    if !heard {
                        return false;
                    }
                }
                Received::Nothing => {
                    inner.flush(&self.connection);
                    return true;
                }
                Received::End => return false,
            }
        }
        true
    }
}

/// A socket of the internal protocol: whoever holds it has it closed when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) signaling: Signaling,
    pub(super) vcc: Vcc,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.signaling.with(|inner| inner.give_up(self.vcc));
    }
}

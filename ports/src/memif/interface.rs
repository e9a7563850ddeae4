//! A memif interface as its ports hold it: the socket's file, and the thread that serves it.
//!
//! The last port to go takes both with it. Must never take a socket from a process that serves it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::net::SocketAddrUnix;

use super::bell::Bell;
use super::channel::{Channel, address, listener};
use super::connection::{Connection, QUEUES};
use super::control::{Control, Outlet};
use super::handshake::Local;
use super::options::{MemifRole, MemifSpec};
use super::region::REGION_LIMIT;
use super::slave::Plan;
use super::sleep::Sleep;
use crate::error::PortError;

/// Connections that wait for a port: more come only where a worker stands still.
const WAITING: usize = 4;
/// The thread's time to say goodbye. A peer that holds it up by its own interrupt does not hold up the node.
const GOODBYE: Duration = Duration::from_millis(500);

/// What one port gets.
pub(super) struct Share {
    pub(super) connections: rtrb::Consumer<Arc<Connection>>,
    pub(super) sleep: Sleep,
}

/// See the module.
pub(super) struct Interface {
    spec: MemifSpec,
    /// Device and inode of the socket's file, removed only if it is still this one.
    file: Option<(PathBuf, (u64, u64))>,
    bell: Arc<Bell>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Interface {
    /// Binds the socket (a master) and starts the thread.
    pub(super) fn open(
        spec: &MemifSpec,
        slot_octets: usize,
        queues: usize,
    ) -> Result<(Arc<Self>, Vec<Share>), PortError> {
        let backend = format!("memif:{spec}");
        let failed = |action| {
            let backend = backend.clone();
            move |source: io::Error| PortError::System {
                backend,
                action,
                source,
            }
        };
        let counted = u16::try_from(queues).ok();
        let Some(count) = counted.filter(|_| (1..=QUEUES).contains(&queues)) else {
            return Err(PortError::Queues {
                backend,
                queues,
                limit: QUEUES,
            });
        };
        let needs = Plan::new([count; 2], spec.log2_ring, slot_octets).region_octets() as u64;
        if spec.role() == MemifRole::Slave && needs >= REGION_LIMIT {
            return Err(PortError::SharedMemory {
                backend,
                needs_mib: needs >> 20,
                limit_mib: REGION_LIMIT >> 20,
            });
        }
        let address = address(spec).map_err(failed("name the socket"))?;
        let (listener, file) = match spec.role() {
            MemifRole::Slave => (None, None),
            MemifRole::Master => {
                let listener = listen(spec, &address).map_err(|source| match source.kind() {
                    io::ErrorKind::AddrInUse => PortError::InUse {
                        backend: backend.clone(),
                    },
                    _ => failed("listen on the socket")(source),
                })?;
                (Some(listener), identity(spec))
            }
        };
        let bell = Arc::new(Bell::new().map_err(failed("make an eventfd"))?);
        let stop = Arc::new(AtomicBool::new(false));
        let (mut outlets, mut shares) = (Vec::new(), Vec::new());
        for _ in 0..queues {
            let sleep = Sleep::new().map_err(failed("make an epoll instance"))?;
            let (connections, taken) = rtrb::RingBuffer::new(WAITING);
            outlets.push(Outlet {
                connections,
                bell: Arc::clone(sleep.bell()),
            });
            shares.push(Share {
                connections: taken,
                sleep,
            });
        }
        let control = Control::new(
            Local::new(spec, count, slot_octets),
            address,
            listener,
            Arc::clone(&bell),
            Arc::clone(&stop),
            outlets,
        );
        // In place before the thread, so that a refused thread takes the socket's file with it.
        let mut interface = Self {
            spec: spec.clone(),
            file,
            bell,
            stop,
            thread: None,
        };
        let thread = std::thread::Builder::new().name("memif".to_owned());
        let thread = thread.spawn(|| control.run());
        interface.thread = Some(thread.map_err(failed("start a thread"))?);
        Ok((Arc::new(interface), shares))
    }

    /// A port let go of a connection, whose memory the thread may unmap.
    pub(super) fn wake(&self) {
        self.bell.ring();
    }

    pub(super) fn describe(&self, queue: usize) -> String {
        let spec = &self.spec;
        let what = match spec.role() {
            MemifRole::Master => "listening",
            MemifRole::Slave => "connecting",
        };
        format!("memif:{spec} ({what}, queue {queue})")
    }
}

/// Binds the socket; the file of a process that is gone makes way.
fn listen(spec: &MemifSpec, address: &SocketAddrUnix) -> io::Result<OwnedFd> {
    let refused = match listener(address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && !spec.is_abstract() => error,
        outcome => return outcome,
    };
    let is_socket = fs::symlink_metadata(spec.socket())?.file_type().is_socket();
    let answer = Channel::connect(address).err().map(|error| error.kind());
    if !is_socket || answer != Some(io::ErrorKind::ConnectionRefused) {
        return Err(refused);
    }
    fs::remove_file(spec.socket())?;
    listener(address)
}

fn identity(spec: &MemifSpec) -> Option<(PathBuf, (u64, u64))> {
    if spec.is_abstract() {
        return None;
    }
    let found = fs::symlink_metadata(spec.socket()).ok()?;
    Some((spec.socket().to_owned(), (found.dev(), found.ino())))
}

impl Drop for Interface {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
        let until = Instant::now() + GOODBYE;
        if let Some(thread) = self.thread.take() {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
        if let Some((path, file)) = self.file.take()
            && identity(&self.spec).is_some_and(|found| found.1 == file)
        {
            // Somebody else may have been faster.
            let _ = fs::remove_file(path);
        }
    }
}

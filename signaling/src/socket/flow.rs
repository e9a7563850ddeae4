//! Frames of one connection: numbered and paced on their way out, counted on their way in.
//!
//! Must never send after [`Flow::end`] has returned, nor wait for anything but its own locks, which are held for one
//! frame.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::error::Error;
use super::pace::Pace;
use super::signal::Signal;
use crate::Qos;
use crate::isp::{ErrorCode, Pvc};
use crate::packet::frame::{self, HEADER_OCTETS, Header};
use crate::packet::sequence::{Gaps, Numbers, Seen};
use crate::packet::{Lent, Pool};

/// When to try again where the interface's queue is full, which no descriptor tells.
const FULL: Duration = Duration::from_micros(200);
/// Frames that are none of the connection's, looked at before whoever waits looks at its time again.
const STRANGERS: usize = 64;
/// Octets that Ethernet may pad behind a payload.
const PADDING: usize = 64;

/// A frame that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Octets of its payload.
    pub octets: usize,
    /// Frames before it, and behind the last one received, that are lost.
    pub lost: u64,
}

/// How sending a frame went.
pub(super) enum Sent {
    Yes,
    /// Its turn comes then.
    NotBefore(Instant),
    /// The packet socket has too much to send; it becomes writable.
    Full,
}

/// How receiving a frame went.
pub(super) enum Got {
    Frame(Received),
    /// Nothing is there; the packet socket becomes readable.
    Nothing,
    /// Only what is none of ours, and perhaps there is more.
    Again,
}

/// Why a connection is no more.
#[derive(Debug, Clone)]
pub(super) enum End {
    Closed(Option<ErrorCode>, Option<String>),
    Lost,
}

impl From<End> for Error {
    fn from(end: End) -> Self {
        match end {
            End::Closed(code, words) => Self::Closed { code, words },
            End::Lost => Self::Unavailable,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Flow {
    socket: Lent,
    label: u32,
    sending: Mutex<Sending>,
    receiving: Mutex<Receiving>,
    ended: OnceLock<End>,
    /// Raised when it has ended.
    end: Signal,
    /// From here on the pace counts.
    start: Instant,
}

#[derive(Debug)]
struct Sending {
    pace: Option<Pace>,
    max_sdu: u16,
    numbers: Numbers,
    frame: Vec<u8>,
}

#[derive(Debug)]
struct Receiving {
    gaps: Gaps,
    max_sdu: u16,
    frame: Vec<u8>,
}

impl Flow {
    /// Opens the interface for the frames of a connection.
    pub(super) fn open(pvc: Pvc, qos: &Qos, pool: &Arc<Pool>) -> Result<Self, Error> {
        let end = Signal::new().map_err(|source| Error::System {
            action: "make an event",
            source,
        })?;
        let max_sdu = qos.receive.map_or(0, |traffic| traffic.max_sdu);
        Ok(Self {
            socket: pool.take(pvc.interface.into(), pvc.label)?,
            label: pvc.label,
            sending: Mutex::new(Sending {
                pace: qos.transmit.as_ref().map(Pace::new),
                max_sdu: qos.transmit.map_or(0, |traffic| traffic.max_sdu),
                numbers: Numbers::default(),
                frame: Vec::new(),
            }),
            receiving: Mutex::new(Receiving {
                gaps: Gaps::default(),
                max_sdu,
                frame: vec![0; HEADER_OCTETS + PADDING + usize::from(max_sdu)],
            }),
            ended: OnceLock::new(),
            end,
            start: Instant::now(),
        })
    }

    /// Sends a frame if it may go now.
    pub(super) fn send(&self, payload: &[u8], now: Instant) -> Result<Sent, Error> {
        let mut sending = lock(&self.sending);
        // Under the lock: whoever ends the flow waits until this frame is gone.
        if let Some(end) = self.ended.get() {
            return Err(end.clone().into());
        }
        let Sending {
            pace,
            max_sdu,
            numbers,
            frame,
        } = &mut *sending;
        let pace = pace.as_mut().ok_or(Error::OneWay)?;
        if payload.len() > usize::from(*max_sdu) {
            return Err(Error::TooLong {
                octets: payload.len(),
                allowed: *max_sdu,
            });
        }
        let since = now.saturating_duration_since(self.start).as_nanos();
        // 584 years.
        let now_ns = u64::try_from(since).unwrap_or(u64::MAX);
        let wait = pace.wait_ns(now_ns);
        if wait > 0 {
            return Ok(Sent::NotBefore(later(now, Duration::from_nanos(wait))));
        }
        let mut after = numbers.clone();
        let header = Header::data(self.label, after.take());
        frame::write(self.socket.mac(), header, payload, frame);
        match self.socket.send(frame) {
            Ok(()) => {
                *numbers = after;
                pace.goes(now_ns, payload.len());
                Ok(Sent::Yes)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Sent::Full),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                Ok(Sent::NotBefore(later(now, FULL)))
            }
            Err(source) => Err(Error::Link { source }),
        }
    }

    /// Receives a frame if there is one.
    pub(super) fn receive(&self, into: &mut [u8]) -> Result<Got, Error> {
        let mut receiving = lock(&self.receiving);
        // Before the look at the socket: nothing comes after the end, so that what is not there then never will be.
        let ended = self.ended.get();
        if let Some(End::Lost) = ended {
            return Err(Error::Unavailable);
        }
        let Receiving {
            gaps,
            max_sdu,
            frame,
        } = &mut *receiving;
        if into.len() < usize::from(*max_sdu) {
            return Err(Error::Room {
                room: into.len(),
                needed: *max_sdu,
            });
        }
        for _ in 0..STRANGERS {
            let octets = match self.socket.receive(frame) {
                Ok(Some(octets)) => octets,
                Ok(None) => {
                    return ended.map_or(Ok(Got::Nothing), |end| Err(end.clone().into()));
                }
                // Longer than any of ours.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => continue,
                Err(source) => return Err(Error::Link { source }),
            };
            let Ok(read) = frame::read(frame.get(..octets).unwrap_or(&[])) else {
                continue;
            };
            // One that was on its way past the filter when that was changed.
            if read.header.label != self.label {
                continue;
            }
            let room = into.get_mut(..read.payload.len());
            let Some(room) = room.filter(|room| room.len() <= usize::from(*max_sdu)) else {
                continue;
            };
            if let Seen::InTurn { lost } = gaps.see(read.header.sequence) {
                room.copy_from_slice(read.payload);
                return Ok(Got::Frame(Received {
                    octets: room.len(),
                    lost: lost.into(),
                }));
            }
        }
        Ok(Got::Again)
    }

    /// Ends it: nothing is sent any more, and nothing more let in.
    pub(super) fn end(&self, end: End) {
        {
            let _none_is_under_way = lock(&self.sending);
            // The kernel may have no memory for a filter: then what comes for the label's next connection comes here
            // too, until this end is read.
            let _ = self.socket.shut();
            // It may have ended before.
            let _ = self.ended.set(end);
        }
        self.end.raise();
    }

    /// Readable and writable as the packet socket is.
    pub(super) fn packets(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Readable when it has ended.
    pub(super) fn ended(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

fn later(now: Instant, wait: Duration) -> Instant {
    /// As good as never, and an instant on any clock.
    const AGES: Duration = Duration::from_secs(1 << 30);
    now + wait.min(AGES)
}

/// What a thread that panicked held is whole after each step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
